//! What connections ask for: where they go, what they say first, and how the answer is to be read.

use super::reading::{Dialect, FieldPaths};

/// Symbols that are asked for where none are named (S2-09), as Binance writes them in streams.
pub const SYMBOLS: [&str; 5] = ["btcusdt", "ethusdt", "bnbusdt", "adausdt", "dogeusdt"];
/// Streams of each symbol at Binance.
pub const STREAMS: [&str; 3] = ["ticker", "depth", "trade"];
/// Products that are asked for at Coinbase.
pub const PRODUCTS: [&str; 5] = ["BTC-USD", "ETH-USD", "SOL-USD", "ADA-USD", "DOGE-USD"];

/// What connections ask for; symbols go round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// How messages are read.
    pub dialect: Dialect,
    /// Path and query of the connection; `{symbol}` is one of the symbols, `{n}` the connection.
    pub path: String,
    /// What is sent when a connection is open, with the same places.
    pub subscribe: Vec<String>,
    /// The symbols.
    pub symbols: Vec<String>,
}

impl Feed {
    /// Combined streams of Binance below `base`, which is empty at the venue itself.
    #[must_use]
    pub fn binance(base: &str, symbols: Vec<String>, streams: &[String]) -> Self {
        let names: Vec<String> = streams.iter().map(|s| format!("{{symbol}}@{s}")).collect();
        let path = format!("{}/stream?streams={}", base.trim_end_matches('/'), names.join("/"));
        Self { dialect: Dialect::Binance, path, subscribe: Vec::new(), symbols }
    }

    /// Tickers, trades and heartbeats of Coinbase Exchange.
    #[must_use]
    pub fn coinbase(path: &str, symbols: Vec<String>) -> Self {
        let subscribe = r#"{"type":"subscribe","product_ids":["{symbol}"],"channels":["ticker","matches","heartbeat"]}"#;
        let subscribe = vec![subscribe.to_owned()];
        Self { dialect: Dialect::Coinbase, path: path.to_owned(), subscribe, symbols }
    }

    /// Any server: `path` as it is, messages as they are given.
    #[must_use]
    pub fn template(path: &str, subscribe: Vec<String>, fields: FieldPaths) -> Self {
        let dialect = Dialect::Fields(fields);
        Self { dialect, path: path.to_owned(), subscribe, symbols: Vec::new() }
    }

    /// The path of the connection of this number.
    #[must_use]
    pub fn path_of(&self, n: u32) -> String {
        self.filled(&self.path, n)
    }

    /// What the connection of this number says first.
    pub fn subscribe_of(&self, n: u32) -> impl Iterator<Item = String> + '_ {
        self.subscribe.iter().map(move |text| self.filled(text, n))
    }

    fn filled(&self, text: &str, n: u32) -> String {
        let symbol = match self.symbols.len() {
            0 => "",
            count => &self.symbols[n as usize % count],
        };
        text.replace("{symbol}", symbol).replace("{n}", &n.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_go_round() {
        let feed =
            Feed::binance("", SYMBOLS.map(str::to_owned).to_vec(), &STREAMS.map(str::to_owned));
        assert_eq!(feed.path_of(0), "/stream?streams=btcusdt@ticker/btcusdt@depth/btcusdt@trade");
        assert_eq!(feed.path_of(6), "/stream?streams=ethusdt@ticker/ethusdt@depth/ethusdt@trade");
        let feed = Feed::coinbase("/", vec!["BTC-USD".into()]);
        assert!(feed.subscribe_of(3).next().unwrap().contains(r#""product_ids":["BTC-USD"]"#));
        let any = Feed::template(
            "/x?id={n}",
            vec![r#"{"op":"s","id":{n}}"#.into()],
            FieldPaths::default(),
        );
        assert_eq!(
            (any.path_of(7).as_str(), any.subscribe_of(7).next().unwrap().as_str()),
            ("/x?id=7", r#"{"op":"s","id":7}"#)
        );
    }
}
