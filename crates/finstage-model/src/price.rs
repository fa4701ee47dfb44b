use std::fmt;
use std::str::FromStr;

use crate::decimal::{self, DecimalError};

/// A quoted price in units of 1e-9 of the instrument's currency.
///
/// * Range: ±9,223,372,036.854775807. Signed, because spreads and some futures go below zero.
/// * Exact: what a venue printed with up to nine decimals is kept, compared and printed unchanged.
/// * Text form: plain decimal without trailing zeros; JSON: a number with those digits.
/// * Order and equality are those of the number. There is no arithmetic: a number that we
///   compute is an `f64` (see [`Price::to_f64`]) and comes back only through
///   [`Price::round_to_tick`].
///
/// ```
/// use finstage_model::Price;
/// let p: Price = "0.00402".parse().unwrap();
/// assert_eq!(p.nanos(), 4_020_000);
/// assert_eq!(serde_json::to_string(&p).unwrap(), "0.00402");
/// assert!("NaN".parse::<Price>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i64);

impl Price {
    /// A price of `nanos` units of 1e-9.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Units of 1e-9.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The nearest double. Enters the world of computed numbers.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The price nearest to a binary float of a venue that publishes such, rounded half away
    /// from zero to `decimals` (0 to 9). `None` when it is not finite or out of range.
    #[must_use]
    pub fn from_f64_rounded(value: f64, decimals: u32) -> Option<Self> {
        let step = 10i64.checked_pow(9u32.checked_sub(decimals)?)?;
        let steps = (value * 1e9 / step as f64).round();
        // 2^63 is exactly representable; the comparison refuses NaN as well.
        (steps.abs() < 9.223_372_036_854_775e18 / step as f64).then(|| Self(steps as i64 * step))
    }

    /// The price nearest to `value` that is a multiple of `tick`. `None` when `value` is not
    /// finite, out of range, or `tick` is not positive.
    #[must_use]
    pub fn round_to_tick(value: f64, tick: Price) -> Option<Self> {
        if tick.0 <= 0 {
            return None;
        }
        let steps = (value * 1e9 / tick.0 as f64).round();
        (steps.abs() < 9.223_372_036_854_775e18 / tick.0 as f64)
            .then(|| Self(steps as i64 * tick.0))
    }
}

impl FromStr for Price {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (negative, units) = decimal::parse(text)?;
        let magnitude = i64::try_from(units).map_err(|_| DecimalError::OutOfRange)?;
        Ok(Self(if negative { -magnitude } else { magnitude }))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0 < 0, u128::from(self.0.unsigned_abs()))
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Price({self})")
    }
}

impl serde::Serialize for Price {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        decimal::serialize(self.to_string(), to)
    }
}

impl<'de> serde::Deserialize<'de> for Price {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        decimal::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_venue_printed_comes_back_with_the_same_digits() {
        for text in ["0", "-0.5", "1248.810059", "9223372036.854775807", "0.000000001"] {
            assert_eq!(text.parse::<Price>().unwrap().to_string(), text);
        }
        assert_eq!("4.00000200".parse::<Price>().unwrap().to_string(), "4.000002");
        assert_eq!("1e-05".parse::<Price>().unwrap().to_string(), "0.00001");
        assert_eq!("1.5E3".parse::<Price>().unwrap().to_string(), "1500");
        assert_eq!(".5".parse::<Price>().unwrap().to_string(), "0.5");
    }

    #[test]
    fn bad_text_is_refused_with_its_kind() {
        let error = |text: &str| text.parse::<Price>().unwrap_err();
        for text in
            ["", "-", ".", "NaN", "inf", "1,5", "1.2.3", "0x10", " 1", "1e", "1e400000000000"]
        {
            assert_eq!(error(text), DecimalError::NotANumber, "{text:?}");
        }
        assert_eq!(error("0.0000000001"), DecimalError::TooPrecise);
        assert_eq!(error("9223372036.854775808"), DecimalError::OutOfRange);
        assert_eq!(error("1e30"), DecimalError::OutOfRange);
        assert_eq!(error("1e2000000000"), DecimalError::OutOfRange);
    }

    #[test]
    fn floats_come_in_by_name_only() {
        assert_eq!(Price::from_f64_rounded(0.1 + 0.2, 9).unwrap().to_string(), "0.3");
        assert_eq!(Price::from_f64_rounded(2.345, 2).unwrap().to_string(), "2.35");
        assert_eq!(Price::from_f64_rounded(f64::NAN, 9), None);
        assert_eq!(Price::from_f64_rounded(1e10, 9), None);
        let tick = "0.05".parse().unwrap();
        assert_eq!(Price::round_to_tick(10.124, tick).unwrap().to_string(), "10.1");
        assert_eq!(Price::round_to_tick(10.126, tick).unwrap().to_string(), "10.15");
    }

    proptest! {
        #[test]
        fn text_and_json_round_trip(nanos in any::<i64>().prop_filter("abs", |n| *n != i64::MIN)) {
            let price = Price::from_nanos(nanos);
            prop_assert_eq!(price.to_string().parse::<Price>().unwrap(), price);
            let json = serde_json::to_string(&price).unwrap();
            prop_assert_eq!(serde_json::from_str::<Price>(&json).unwrap(), price);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Price>();
        }
    }
}
