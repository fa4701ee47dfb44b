use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Price, Qty};

/// A dense number for an instrument, assigned once per store and announced by an event before its
/// first use. Differs between stores: identity across stores is the [`Symbol`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentId(pub u32);

impl InstrumentId {
    /// The place of this instrument in a table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An instrument's name, `venue:SYMBOL`: `binance:BTCUSDT`, `yahoo:^GSPC`.
///
/// The venue is lower case letters, digits, `-` and `_`; the symbol is the venue's own text
/// without white space or control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(String);

impl Symbol {
    /// The venue's name, before the colon.
    #[must_use]
    pub fn venue(&self) -> &str {
        self.0.split_once(':').map_or("", |(venue, _)| venue)
    }

    /// The venue's own name of the instrument, after the colon.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolError(String);

impl fmt::Display for SymbolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not a symbol: write venue:SYMBOL, for example binance:BTCUSDT", self.0)
    }
}

impl std::error::Error for SymbolError {}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let valid = text.split_once(':').is_some_and(|(venue, name)| {
            let venue_fits =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
            !venue.is_empty()
                && venue.bytes().all(venue_fits)
                && !name.is_empty()
                && !name.chars().any(|c| c.is_whitespace() || c.is_control())
        });
        if valid { Ok(Self(text.to_owned())) } else { Err(SymbolError(text.to_owned())) }
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol({})", self.0)
    }
}

impl Serialize for Symbol {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What kind of thing an instrument is; thresholds of price watches default by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Category {
    /// A cryptocurrency pair.
    Crypto,
    /// A stock index.
    Index,
    /// A share.
    Stock,
    /// An exchange-traded fund.
    Etf,
    /// A currency pair.
    Currency,
    /// Anything else, a user's own file for example.
    Other,
}

/// A tradable or observable thing at one venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The dense id in this store.
    #[serde(skip, default = "unassigned")]
    pub id: InstrumentId,
    /// `venue:SYMBOL`.
    pub symbol: Symbol,
    /// The smallest price step, where the venue states one.
    pub tick: Option<Price>,
    /// The smallest quantity step, where the venue states one.
    pub lot: Option<Qty>,
    /// The currency that prices are in, where known: `USDT`, `KRW`.
    pub currency: Option<String>,
    /// What kind of thing it is.
    pub category: Category,
}

const fn unassigned() -> InstrumentId {
    InstrumentId(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_name_venue_and_instrument() {
        let symbol: Symbol = "yahoo:^GSPC".parse().unwrap();
        assert_eq!((symbol.venue(), symbol.name()), ("yahoo", "^GSPC"));
        let nested: Symbol = "file:a:b".parse().unwrap();
        assert_eq!((nested.venue(), nested.name()), ("file", "a:b"));
        for bad in ["BTCUSDT", ":X", "binance:", "Binance:X", "binance:B TC", "binance:B\n"] {
            assert!(bad.parse::<Symbol>().is_err(), "{bad:?}");
        }
    }
}
