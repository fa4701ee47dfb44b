//! Names: old coins have an `X` before theirs and currencies a `Z`, and bitcoin is XBT.

use finstage_model::Price;

use crate::sim::market::Listing;

/// Something that is traded or paid with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asset {
    /// The name that answers are keyed by.
    pub(super) name: String,
    /// The name that people write.
    pub(super) altname: String,
    pub(super) is_currency: bool,
}

impl Asset {
    fn of(code: &str) -> Self {
        let altname = match code {
            "BTC" => "XBT",
            "DOGE" => "XDG",
            // Dollar coins of other venues: this one pays in dollars.
            "USDT" | "USDC" | "FDUSD" => "USD",
            other => other,
        };
        let is_currency = ["USD", "EUR", "GBP", "JPY", "CAD", "AUD", "KRW"].contains(&altname);
        let is_old = ["XBT", "XDG", "ETH", "ETC", "LTC", "XRP", "XLM", "XMR", "ZEC"];
        let prefix = match altname {
            _ if is_currency => "Z",
            _ if is_old.contains(&altname) => "X",
            _ => "",
        };
        Self { name: format!("{prefix}{altname}"), altname: altname.to_owned(), is_currency }
    }
}

/// A pair with its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    /// Its place in the market.
    pub(super) symbol: u32,
    pub(super) name: String,
    pub(super) altname: String,
    pub(super) wsname: String,
    /// The name of the newer sessions.
    newname: String,
    pub(super) base: Asset,
    pub(super) quote: Asset,
    pub(super) tick: Price,
    /// Decimals of a price.
    pub(super) decimals: u32,
}

impl Pair {
    pub(super) fn of((place, listing): (usize, &Listing)) -> Self {
        let (base, quote) = (Asset::of(&listing.base), Asset::of(&listing.quote));
        let is_old = base.name != base.altname;
        let altname = format!("{}{}", base.altname, quote.altname);
        let name = if is_old { format!("{}{}", base.name, quote.name) } else { altname.clone() };
        // A step of 0.01 is 10_000_000 billionths: the zeros at its end are not needed.
        let tick = listing.tick.nanos();
        let zeros = (0..9).take_while(|place| tick % 10_i64.pow(place + 1) == 0).count();
        Self {
            symbol: place as u32,
            name,
            wsname: format!("{}/{}", base.altname, quote.altname),
            newname: format!("{}/{}", listing.base, quote.altname),
            altname,
            base,
            quote,
            tick: listing.tick,
            decimals: 9 - zeros as u32,
        }
    }

    /// Its names.
    pub(super) fn names(&self) -> [&str; 4] {
        [&self.name, &self.altname, &self.wsname, &self.newname]
    }
}

/// The pair that has a name, written as the venue writes it.
pub(super) fn find<'a>(pairs: &'a [Pair], name: &str) -> Option<&'a Pair> {
    pairs.iter().find(|pair| pair.names().contains(&name))
}

#[cfg(test)]
mod tests {
    use finstage_model::Timestamp;

    use super::*;
    use crate::sim::market::{Market, MarketSpec, SymbolSpec, Tape};

    #[test]
    fn pairs_have_the_names_of_the_venue_and_are_found_by_each() {
        let symbol = |name: &str| SymbolSpec::new(name, "100".parse().unwrap());
        let symbols = ["BTCUSDT", "SOLUSDT", "ETHBTC", "XRPEUR"].map(symbol).to_vec();
        let tape = Tape::Seeded { symbols, history_days: 0 };
        let spec =
            MarketSpec { tape, ..MarketSpec::seeded(1, Timestamp::from_secs(1_700_000_000)) };
        let market = Market::new(spec).unwrap();
        let pairs: Vec<Pair> = market.listings().enumerate().map(Pair::of).collect();
        let names: Vec<[&str; 4]> = pairs.iter().map(Pair::names).collect();
        assert_eq!(
            names,
            [
                ["XXBTZUSD", "XBTUSD", "XBT/USD", "BTC/USD"],
                ["SOLUSD", "SOLUSD", "SOL/USD", "SOL/USD"],
                ["XETHXXBT", "ETHXBT", "ETH/XBT", "ETH/XBT"],
                ["XXRPZEUR", "XRPEUR", "XRP/EUR", "XRP/EUR"],
            ]
        );
        for (i, pair) in names.iter().enumerate() {
            assert!(pair.iter().all(|name| find(&pairs, name).unwrap().symbol == i as u32));
        }
        assert_eq!(find(&pairs, "NOPEUSD"), None);
        assert_eq!(pairs[0].decimals, 4, "a step of 0.0001");
    }
}
