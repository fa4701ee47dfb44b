//! Requests that say who sends them.

use finstage_model::Timestamp;
use finstage_seal::{Secret, hmac_sha256};

use crate::Request;

impl Request {
    /// Adds `timestamp` (ms) and `signature`: HMAC-SHA-256 in hexadecimal over the encoded query,
    /// in the order of its parameters, followed by the body.
    ///
    /// Source: Binance Spot, "Request security". The key itself goes into a header of the caller's.
    pub fn signed(self, secret: &Secret<String>, now: Timestamp) -> Self {
        self.query("timestamp", now.millis()).sealed(secret)
    }

    /// Adds the signature to a request that carries its time already.
    fn sealed(mut self, secret: &Secret<String>) -> Self {
        let query = self.url().split_once('?').map_or("", |(_, query)| query);
        let signature = hmac_sha256(secret, &[query.as_bytes(), self.body_bytes()]);
        self.append_query(format_args!("signature={signature}"));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret<String> {
        Secret::new("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j".to_owned())
    }

    const ORDER: &str = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC";
    const URL: &str = "https://api.binance.com/api/v3/order";

    fn signature(request: &Request) -> &str {
        request.url().rsplit_once("&signature=").expect("a signature at the end").1
    }

    #[test]
    fn signatures_are_those_of_the_venues_published_examples() {
        let now = Timestamp::from_millis(1_499_827_319_559);
        let order = Request::post(format!("{URL}?{ORDER}"))
            .query("quantity", 1)
            .query("price", "0.1")
            .query("recvWindow", 5000)
            .signed(&secret(), now);
        assert_eq!(
            order.url(),
            "https://api.binance.com/api/v3/order?symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC\
             &quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559\
             &signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
        );
        let mixed = Request::post(format!("{URL}?{ORDER}"))
            .body("quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559")
            .sealed(&secret());
        assert_eq!(
            signature(&mixed),
            "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
        );
    }

    #[test]
    fn the_order_of_parameters_is_kept_and_signed() {
        let now = Timestamp::from_millis(1);
        let signed = |first, second| {
            Request::get(URL).query(first, "x y").query(second, "z").signed(&secret(), now)
        };
        let (ab, ba) = (signed("a", "b"), signed("b", "a"));
        assert!(ab.url().contains("?a=x%20y&b=z&timestamp=1&signature="), "{}", ab.url());
        assert!(ba.url().contains("?b=x%20y&a=z&timestamp=1&signature="), "{}", ba.url());
        assert_ne!(signature(&ab), signature(&ba));
        assert_eq!(signature(&ab), hmac_sha256(&secret(), &[b"a=x%20y&b=z&timestamp=1"]));
    }

    #[test]
    fn the_key_is_in_nothing_that_is_sent_or_printed() {
        let request = Request::get(URL).signed(&secret(), Timestamp::EPOCH);
        assert!(!format!("{request:?} {}", request.url()).contains("NhqPt"));
    }
}
