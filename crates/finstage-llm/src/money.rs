use std::fmt;
use std::iter::Sum;

use serde::{Serialize, Serializer};

/// US dollars, in millionths of a millionth: prices are dollars for a million tokens, and a token of the
/// cheapest model costs a fraction of a thousand-millionth.
///
/// ```
/// use finstage_llm::Money;
/// assert_eq!(Money::from_usd("0.15").unwrap().pico(), 150_000_000_000);
/// assert_eq!(Money::from_pico(1_234_500_000_000).to_string(), "1.2345");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(u64);

/// Of one dollar.
const PICO: u64 = 1_000_000_000_000;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many millionths of a millionth of a dollar.
    #[must_use]
    pub const fn from_pico(pico: u64) -> Self {
        Self(pico)
    }

    /// Reads dollars as people write them: `1`, `0.05`. `None` where that is no such number, is negative,
    /// has more than twelve decimals or more than eighteen million dollars.
    #[must_use]
    pub fn from_usd(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + part.len() == 0 || part.len() > 12 || !is_number(whole) || !is_number(part)
        {
            return None;
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part: u64 = format!("{part:0<12}").parse().ok()?;
        whole.checked_mul(PICO)?.checked_add(part).map(Self)
    }

    /// Millionths of a millionth of a dollar.
    #[must_use]
    pub const fn pico(self) -> u64 {
        self.0
    }

    /// Dollars, rounded to what a double holds.
    #[must_use]
    pub fn usd(self) -> f64 {
        self.0 as f64 / PICO as f64
    }

    /// Both together; the most there is where that is more.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left; nothing where the other is more.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many times as much; the most there is where that is more.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Self::plus)
    }
}

impl fmt::Display for Money {
    /// Dollars with all their decimals, at least two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:012}", self.0 % PICO);
        let part = part.trim_end_matches('0');
        write!(f, "{}.{part:0<2}", self.0 / PICO)
    }
}

impl Serialize for Money {
    /// A number of dollars.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.usd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_and_written_without_loss() {
        for text in ["0.00", "1.00", "0.15", "0.000000000001", "18446744.073709551615"] {
            assert_eq!(Money::from_usd(text).unwrap().to_string(), text);
        }
        assert_eq!(Money::from_usd(".5"), Money::from_usd("0.50"));
        for wrong in ["", ".", "-1", "1e3", "1,5", "0.0000000000001", "99999999"] {
            assert_eq!(Money::from_usd(wrong), None, "{wrong}");
        }
    }
}
