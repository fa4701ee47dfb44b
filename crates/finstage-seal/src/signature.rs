//! Signing a message so that its receiver knows who sent it and that nobody changed it.

use std::fmt::Write as _;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use crate::Secret;

/// HMAC-SHA-256 (RFC 2104) of the parts, one after the other, in lower-case hexadecimal.
#[must_use]
pub fn hmac_sha256(key: &Secret<String>, parts: &[&[u8]]) -> String {
    let key = Key::new(HMAC_SHA256, key.expose().as_bytes());
    let tag = sign(&key, &parts.concat());
    tag.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let signed = |key: &str, parts: &[&[u8]]| hmac_sha256(&Secret::new(key.to_owned()), parts);
        assert_eq!(
            signed("Jefe", &[b"what do ya want ", b"for nothing?"]),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            signed(&"\u{0b}".repeat(20), &[b"Hi There"]),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn signatures_are_those_of_binances_published_examples() {
        let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
        let secret = Secret::new(secret.to_owned());
        let order = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC";
        let amount = b"quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        assert_eq!(
            hmac_sha256(&secret, &[order, b"&", amount]),
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
        );
        // Query and body of one request follow each other without anything between.
        assert_eq!(
            hmac_sha256(&secret, &[order, amount]),
            "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
        );
    }
}
