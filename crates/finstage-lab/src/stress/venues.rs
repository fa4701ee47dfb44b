//! What users of a venue ask it, and in which shares: market data only, written from the venues' pages.

use super::mix::{Endpoint, Mix};

/// The venues that are known.
pub const VENUES: [&str; 5] = ["binance", "coinbase", "kraken", "yahoo", "kis"];

/// One line of a venue's mix: path, weight at the venue, share.
type Line = (&'static str, Option<f64>, f64);

/// What Binance is asked: prices, books, trades and the last bar, as a client does that watches.
const BINANCE: [Line; 4] = [
    ("/api/v3/ticker/price?symbol=", Some(2.0), 1.0),
    ("/api/v3/depth?limit=20&symbol=", Some(5.0), 1.0),
    ("/api/v3/trades?limit=100&symbol=", Some(25.0), 1.0),
    ("/api/v3/klines?interval=1m&limit=1&symbol=", Some(2.0), 1.0),
];
/// Names that both the venue and our simulator list.
const BINANCE_SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

const COINBASE: [Line; 4] = [
    ("/products/{}/ticker", None, 1.0),
    ("/products/{}/book?level=1", None, 1.0),
    ("/products/{}/trades?limit=100", None, 1.0),
    ("/products/{}/candles?granularity=60", None, 1.0),
];
const COINBASE_SYMBOLS: [&str; 2] = ["BTC-USD", "ETH-USD"];

const KRAKEN: [Line; 4] = [
    ("/0/public/Ticker?pair=", None, 1.0),
    ("/0/public/Depth?count=20&pair=", None, 1.0),
    ("/0/public/Trades?count=100&pair=", None, 1.0),
    ("/0/public/OHLC?interval=1&pair=", None, 1.0),
];
const KRAKEN_SYMBOLS: [&str; 2] = ["XBTUSD", "ETHUSD"];

const YAHOO: [Line; 2] = [
    ("/v8/finance/chart/{}?interval=1d&range=1mo", None, 3.0),
    ("/v8/finance/chart/{}?interval=5m&range=1d", None, 1.0),
];
const YAHOO_SYMBOLS: [&str; 3] = ["AAPL", "MSFT", "SPY"];

const KIS: [Line; 2] = [
    (
        "/uapi/domestic-stock/v1/quotations/inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=",
        None,
        1.0,
    ),
    (
        "/uapi/domestic-stock/v1/quotations/inquire-asking-price-exp-ccn?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=",
        None,
        1.0,
    ),
];
const KIS_SYMBOLS: [&str; 2] = ["005930", "000660"];
/// What each of [`KIS`] is called in the header `tr_id`.
const KIS_CALLS: [&str; 2] = ["FHKST01010100", "FHKST01010200"];

/// What a venue is asked; `None` where it is not known.
#[must_use]
pub fn mix(venue: &str) -> Option<Mix> {
    Some(match venue {
        "binance" => of(&BINANCE, &BINANCE_SYMBOLS),
        "coinbase" => of(&COINBASE, &COINBASE_SYMBOLS),
        "kraken" => of(&KRAKEN, &KRAKEN_SYMBOLS),
        "yahoo" => of(&YAHOO, &YAHOO_SYMBOLS),
        "kis" => {
            let mut mix = of(&KIS, &KIS_SYMBOLS);
            for (endpoint, call) in mix.endpoints.iter_mut().zip(KIS_CALLS) {
                endpoint.headers =
                    vec![("tr_id".into(), call.into()), ("custtype".into(), "P".into())];
            }
            mix
        }
        _ => return None,
    })
}

fn of(lines: &[Line], symbols: &[&str]) -> Mix {
    let endpoint = |(path, weight, share): &Line| {
        let fill = |symbol: &&str| match path.split_once("{}") {
            Some((before, after)) => format!("{before}{symbol}{after}"),
            None => format!("{path}{symbol}"),
        };
        let bare = path.split('?').next().unwrap_or(path);
        // Of two with one path the query tells them apart.
        let is_shared = lines.iter().filter(|line| line.0.starts_with(bare)).count() > 1;
        let name = if is_shared { path } else { &bare };
        Endpoint {
            name: format!("GET {name}"),
            share: *share,
            weight: *weight,
            paths: symbols.iter().map(fill).collect(),
            ..Endpoint::default()
        }
    };
    Mix { endpoints: lines.iter().map(endpoint).collect(), signer: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::mix::Place;

    #[test]
    fn every_venue_has_a_mix_that_may_be_asked_of_anyone_who_lets_us() {
        for venue in VENUES {
            let mix = mix(venue).unwrap();
            mix.check(Place::Other).unwrap();
            let mut names: Vec<_> = mix.endpoints.iter().map(|endpoint| &endpoint.name).collect();
            names.dedup();
            assert_eq!(names.len(), mix.endpoints.len(), "{names:?}");
        }
        assert!(mix("nyse").is_none());
        let binance = mix("binance").unwrap();
        assert_eq!(binance.endpoints[1].name, "GET /api/v3/depth");
        assert_eq!(binance.endpoints[1].paths[0], "/api/v3/depth?limit=20&symbol=BTCUSDT");
        assert!((binance.mean_weight() - 8.5).abs() < 1e-9);
    }
}
