use std::fmt;
use std::str::FromStr;

use crate::decimal::{self, DecimalError, NANO};

/// A quantity or volume in units of 1e-9. It cannot be negative.
///
/// * Range: up to 3.4e29. 128 bits, because the daily volume of a large index or a cheap coin
///   does not fit 64.
/// * Exact text and JSON forms, as [`crate::Price`].
/// * `saturating_add` is the only arithmetic: volumes of trades add up to the volume of a bar.
///
/// ```
/// use finstage_model::Qty;
/// let v: Qty = "148976.11427815".parse().unwrap();
/// assert_eq!(v.saturating_add(v).to_string(), "297952.2285563");
/// assert!("-1".parse::<Qty>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Qty(u128);

impl Qty {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A quantity of `nanos` units of 1e-9.
    #[must_use]
    pub const fn from_nanos(nanos: u128) -> Self {
        Self(nanos)
    }

    /// Units of 1e-9.
    #[must_use]
    pub const fn nanos(self) -> u128 {
        self.0
    }

    /// The nearest double. Enters the world of computed numbers.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / NANO as f64
    }

    /// The sum, or the greatest quantity where it would not fit.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The nth part, rounded down; what is left over is the remainder of the division.
    ///
    /// # Panics
    /// When `parts` is 0.
    #[must_use]
    pub const fn split(self, parts: u32) -> (Self, Self) {
        (Self(self.0 / parts as u128), Self(self.0 % parts as u128))
    }
}

impl FromStr for Qty {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        match decimal::parse(text)? {
            (true, units) if units != 0 => Err(DecimalError::Negative),
            (_, units) => Ok(Self(units)),
        }
    }
}

impl fmt::Display for Qty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, false, self.0)
    }
}

impl fmt::Debug for Qty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Qty({self})")
    }
}

impl serde::Serialize for Qty {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        decimal::serialize(self.to_string(), to)
    }
}

impl<'de> serde::Deserialize<'de> for Qty {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        decimal::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn volumes_of_indices_fit() {
        let v: Qty = "340000000000000000000".parse().unwrap();
        assert_eq!(v.to_string(), "340000000000000000000");
        assert_eq!("-0".parse::<Qty>().unwrap(), Qty::ZERO);
        assert_eq!("-0.1".parse::<Qty>().unwrap_err(), DecimalError::Negative);
    }

    proptest! {
        #[test]
        fn text_and_json_round_trip(nanos in any::<u128>()) {
            let qty = Qty::from_nanos(nanos);
            prop_assert_eq!(qty.to_string().parse::<Qty>().unwrap(), qty);
            let json = serde_json::to_string(&qty).unwrap();
            prop_assert_eq!(serde_json::from_str::<Qty>(&json).unwrap(), qty);
        }
    }
}
