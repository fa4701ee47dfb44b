//! The record of sealed market data: `{"symbol","price","volume","timestamp"}`, one a line.
//!
//! Two readers, one answer. What programs write, compact or with the spaces of Python's `json.dumps`,
//! is read by a scanner of that very shape; everything else (other order, escapes, exponents, fields
//! more) by the general parser of JSON. Whatever the scanner takes the general reader takes with the
//! same result, which is tried on mutated records.

use std::borrow::Cow;

use finstage_model::{DecimalError, Price, Qty, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{DecodeError, DecodeErrorKind};

/// What errors name as their source.
const SOURCE: &str = "tick";
/// Nanoseconds of a millisecond.
const MILLI_NS: i64 = 1_000_000;
/// The most digits before the point that the scanner takes: with [`FRACTION`] they fit 64 bits.
const WHOLE: usize = 10;
/// Decimals of a price.
const FRACTION: usize = 9;
/// The most digits of a moment that the scanner takes.
const MILLIS: usize = 13;

/// A price with its amount and moment, as a sender of sealed market data writes it.
///
/// * `price` and `volume`: JSON numbers (or the same in quotes) with their exact digits.
/// * `timestamp`: on the wire a whole number of milliseconds since 1970 UTC.
/// * Other fields are passed over; a field that comes twice, or not at all, is an error.
///
/// ```
/// use finstage_feeds::Tick;
/// let line = br#"{"symbol":"BTCUSDT","price":42850.10,"volume":0.25,"timestamp":1796083200123}"#;
/// let tick = Tick::read(line).unwrap();
/// assert_eq!((tick.symbol.as_ref(), tick.price.to_string().as_str()), ("BTCUSDT", "42850.1"));
/// assert_eq!(tick.timestamp.to_string(), "2026-12-01T00:00:00.123Z");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tick<'a> {
    /// The sender's name of the instrument; never empty.
    pub symbol: Cow<'a, str>,
    /// What was paid for one.
    pub price: Price,
    /// How much changed hands.
    pub volume: Qty,
    /// When, to the millisecond.
    #[serde(serialize_with = "as_millis")]
    pub timestamp: Timestamp,
}

fn as_millis<S: Serializer>(timestamp: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(timestamp.millis())
}

impl<'a> Tick<'a> {
    /// Reads one record. It borrows from `text`, and copies nothing unless the symbol has escapes.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Malformed`], in words, where it is none or a number does not fit.
    pub fn read(text: &'a [u8]) -> Result<Self, DecodeError> {
        match scan(text) {
            Some((tick, [])) => Ok(tick),
            _ => Self::read_general(text),
        }
    }

    /// Reads one record by the general parser alone: what [`Tick::read`] is held against.
    ///
    /// # Errors
    /// As [`Tick::read`].
    pub fn read_general(text: &'a [u8]) -> Result<Self, DecodeError> {
        // To serde a list of four is a record as well; to us it is none.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(malformed("no JSON object with symbol, price, volume and timestamp"));
        }
        let typed: Typed<'a> =
            serde_json::from_slice(text).map_err(|why| malformed(why.to_string()))?;
        if typed.symbol.is_empty() {
            return Err(malformed("the symbol is empty"));
        }
        let bad = |name: &'static str| move |why: DecimalError| malformed(format!("{name}: {why}"));
        let nanos = typed.timestamp.checked_mul(MILLI_NS);
        let nanos = nanos.ok_or_else(|| malformed("timestamp: out of range"))?;
        Ok(Self {
            symbol: typed.symbol,
            price: digits_of(typed.price).parse().map_err(bad("price"))?,
            volume: digits_of(typed.volume).parse().map_err(bad("volume"))?,
            timestamp: Timestamp::from_nanos(nanos),
        })
    }
}

/// A record as the general parser sees it.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    volume: &'a RawValue,
    timestamp: i64,
}

/// The text of a number, in quotes or not.
fn digits_of(raw: &RawValue) -> &str {
    let text = raw.get();
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

fn malformed(why: impl Into<String>) -> DecodeError {
    DecodeError::new(SOURCE, DecodeErrorKind::Malformed, why)
}

/// The records of a text, one a line; empty lines are passed over. A line that is none is an error,
/// and what stands behind it is read on.
///
/// ```
/// use finstage_feeds::Ticks;
/// let text = b"{\"symbol\":\"A\",\"price\":1,\"volume\":2,\"timestamp\":3}\nno\n";
/// let read: Vec<bool> = Ticks::new(text).map(|tick| tick.is_ok()).collect();
/// assert_eq!(read, [true, false]);
/// ```
#[derive(Debug, Clone)]
pub struct Ticks<'a> {
    rest: &'a [u8],
}

impl<'a> Ticks<'a> {
    /// Those of a text.
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Ticks<'a> {
    type Item = Result<Tick<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            // The scanner finds the end of the line on its way: nobody has to look for it first.
            if let Some((tick, behind)) = scan(self.rest)
                && let [] | [b'\n', ..] = behind
            {
                self.rest = behind.get(1..).unwrap_or_default();
                return Some(Ok(tick));
            }
            let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
            let line = self.rest[..end].trim_ascii();
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !line.is_empty() {
                return Some(Tick::read_general(line));
            }
        }
        None
    }
}

/// Reads a record of the usual shape, and what stands behind it; `None` wherever anything is unusual.
fn scan(text: &[u8]) -> Option<(Tick<'_>, &[u8])> {
    let mut at = Scanner { rest: text };
    at.takes(b"{\"symbol\":")?;
    at.may_take_space();
    let symbol = at.text()?;
    at.next_name(b"\"price\":")?;
    let price = i64::try_from(at.nanos()?).ok()?;
    at.next_name(b"\"volume\":")?;
    let volume = at.nanos()?;
    at.next_name(b"\"timestamp\":")?;
    let millis = i64::try_from(at.whole(MILLIS)?).ok()?;
    at.takes(b"}")?;
    let tick = Tick {
        symbol: Cow::Borrowed(symbol),
        price: Price::from_nanos(price),
        volume: Qty::from_nanos(u128::from(volume)),
        timestamp: Timestamp::from_nanos(millis.checked_mul(MILLI_NS)?),
    };
    Some((tick, at.rest))
}

/// A place in a text.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    fn takes<const N: usize>(&mut self, word: &[u8; N]) -> Option<()> {
        let (found, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        (found == word).then_some(())
    }

    fn may_take_space(&mut self) {
        if let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn next_name<const N: usize>(&mut self, name: &[u8; N]) -> Option<()> {
        self.takes(b",")?;
        self.may_take_space();
        self.takes(name)?;
        self.may_take_space();
        Some(())
    }

    /// A text of plain ASCII that is not empty.
    fn text(&mut self) -> Option<&'a str> {
        self.takes(b"\"")?;
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        let end = self.rest.iter().position(|&byte| !is_plain(byte)).filter(|&end| end > 0)?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.takes(b"\"")?;
        std::str::from_utf8(text).ok()
    }

    /// The value of up to `most` digits, and how many there are; what follows them is looked at by
    /// whoever takes the next thing, so that one digit more is not overlooked.
    fn digits(&mut self, most: usize) -> (u64, usize) {
        let (mut value, mut count) = (0, 0);
        while count < most
            && let [digit @ b'0'..=b'9', rest @ ..] = self.rest
        {
            (value, count) = (value * 10 + u64::from(digit - b'0'), count + 1);
            self.rest = rest;
        }
        (value, count)
    }

    /// A whole number without leading zeros.
    fn whole(&mut self, most: usize) -> Option<u64> {
        let starts_with_zero = self.rest.first() == Some(&b'0');
        let (value, count) = self.digits(most);
        (count == 1 || count > 1 && !starts_with_zero).then_some(value)
    }

    /// A number in units of 1e-9, up to nine decimals.
    fn nanos(&mut self) -> Option<u64> {
        const SCALE: [u64; FRACTION + 1] =
            [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
        let whole = self.whole(WHOLE)? * SCALE[0];
        let [b'.', rest @ ..] = self.rest else { return Some(whole) };
        self.rest = rest;
        let (fraction, count) = self.digits(FRACTION);
        (count > 0).then_some(whole + fraction * SCALE[count])
    }
}

#[cfg(test)]
mod tests;
