//! Identity by content: the same statement gets the same id in every run, store and process.

use std::fmt;
use std::str::FromStr;

/// The one hash behind every id: FNV-1a with 128 bits over the parts, each followed by the byte
/// 0x1F (unit separator) so that `("ab", "c")` and `("a", "bc")` differ.
///
/// Source: Fowler, Noll, Vo; offset basis 0x6c62272e07bb014262b821756295c58d,
/// prime 0x0000000001000000000000000000013b. Not a defence against forgery: ids name things of
/// our own.
///
/// ```
/// use finstage_model::IdHasher;
/// let id = IdHasher::new().text("golden_cross(fast=50,slow=200)").text("binance:BTCUSDT").finish();
/// assert_eq!(format!("{id:032x}"), "6612e67625440d59f48240661d66392b");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct IdHasher(u128);

impl IdHasher {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    /// An empty hash.
    pub const fn new() -> Self {
        Self(Self::BASIS)
    }

    /// Adds bytes as they are, without a separator.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(Self::PRIME);
        }
        self
    }

    /// Adds one text part.
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes()).bytes(&[0x1f])
    }

    /// Adds one number part, as decimal text.
    pub fn number(self, number: i64) -> Self {
        self.text(&number.to_string())
    }

    /// The 128-bit hash.
    #[must_use]
    pub const fn finish(self) -> u128 {
        self.0
    }
}

impl Default for IdHasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: 32 hexadecimal digits are expected")
    }
}

impl std::error::Error for ParseIdError {}

macro_rules! content_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Text and JSON form: 32 lower-case hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
                if !digits {
                    return Err(ParseIdError);
                }
                u128::from_str_radix(text, 16).map(Self).map_err(|_| ParseIdError)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

content_id! {
    /// Names a signal: hash of strategy with canonical parameters, symbol text, interval,
    /// bar open time and direction.
    SignalId
}
content_id! {
    /// Names an alert: hash of rule and signal; for a watch of rule, symbol and bar open time.
    AlertId
}
content_id! {
    /// Names an evidence card.
    CardId
}
content_id! {
    /// Names a document: hash of its feed with the guid, its canonical address, or its headline and day.
    DocumentId
}
content_id! {
    /// Names a notice, a message of the service itself: hash of its kind and a key, such as the day.
    NoticeId
}

/// A venue's own id of a trade.
///
/// Integer and UUID ids are kept verbatim; any other text is hashed with [`IdHasher`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TradeId(pub u128);

impl From<u64> for TradeId {
    fn from(id: u64) -> Self {
        Self(u128::from(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_128() {
        // Published test vectors of FNV-1a 128: "" and "foobar".
        assert_eq!(IdHasher::new().finish(), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(
            IdHasher::new().bytes(b"foobar").finish(),
            0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18
        );
    }

    #[test]
    fn parts_do_not_run_together() {
        let a = IdHasher::new().text("ab").text("c").finish();
        let b = IdHasher::new().text("a").text("bc").finish();
        assert_ne!(a, b);
    }

    #[test]
    fn ids_read_what_they_print() {
        let id = SignalId(0xabc);
        assert_eq!(id.to_string().len(), 32);
        assert_eq!(id.to_string().parse::<SignalId>(), Ok(id));
        assert_eq!("+0000000000000000000000000000abc".parse::<SignalId>(), Err(ParseIdError));
        assert_eq!("abc".parse::<SignalId>(), Err(ParseIdError));
    }
}
