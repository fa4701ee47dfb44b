//! Exact decimals as doubles, where nothing is lost by it.
//!
//! The double of a price is the one nearest to it, which is what every other program reads from
//! the same digits. Back comes the decimal with the fewest digits that the double stands for, so
//! that `0.1` is 0.1 and not 0.1000000000000000055. Whether a number survives both ways is for the
//! caller to try.

use finstage_model::{DecimalError, Price, Qty};

/// Whole numbers up to here, and nano units up to here, are doubles without rounding.
const EXACT: u64 = 1 << 53;
/// Below this, doubles are closer together than nano units: rounding finds the one meant.
const DENSE: f64 = 2_097_152.0;
const NANO: u64 = 1_000_000_000;
/// Where nano units leave an `i64`, in whole units.
const PRICE_END: f64 = 9_223_372_036.0;

/// A number read from a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read<T> {
    pub(super) value: T,
    /// It has more than nine decimals and was rounded.
    pub(super) rounded: bool,
}

/// The double nearest to a price.
pub(super) fn of_price(price: Price) -> f64 {
    let nanos = price.nanos();
    if nanos.unsigned_abs() <= EXACT {
        return nanos as f64 / NANO as f64;
    }
    let (whole, rest) = (nanos / NANO as i64, nanos % NANO as i64);
    if rest == 0 { whole as f64 } else { parsed(&price.to_string()) }
}

/// The double nearest to a quantity.
pub(super) fn of_qty(qty: Qty) -> f64 {
    let nanos = qty.nanos();
    if nanos <= u128::from(EXACT) {
        return nanos as f64 / NANO as f64;
    }
    let (whole, rest) = (nanos / u128::from(NANO), nanos % u128::from(NANO));
    if rest == 0 { whole as f64 } else { parsed(&qty.to_string()) }
}

/// The price that a double stands for; `None` when it is not finite or out of range.
pub(super) fn to_price(double: f64) -> Option<Read<Price>> {
    if double.abs() < DENSE {
        let value = Price::from_f64_rounded(double, 9)?;
        return Some(Read { value, rounded: differs(of_price(value), double) });
    }
    if double.fract() == 0.0 && double.abs() < PRICE_END {
        let value = Price::from_nanos(double as i64 * NANO as i64);
        return Some(Read { value, rounded: false });
    }
    match double.is_finite().then(|| double.to_string().parse())? {
        Ok(value) => Some(Read { value, rounded: false }),
        Err(DecimalError::TooPrecise) => {
            Price::from_f64_rounded(double, 9).map(|value| Read { value, rounded: true })
        }
        Err(_) => None,
    }
}

/// The quantity that a double stands for; `None` when it is negative, not finite or out of range.
pub(super) fn to_qty(double: f64) -> Option<Read<Qty>> {
    if double.is_nan() || double < 0.0 {
        return None;
    }
    if double < DENSE {
        let value = Qty::from_nanos((double * NANO as f64).round() as u128);
        return Some(Read { value, rounded: differs(of_qty(value), double) });
    }
    if double.fract() == 0.0 && double <= EXACT as f64 {
        let value = Qty::from_nanos(double as u128 * u128::from(NANO));
        return Some(Read { value, rounded: false });
    }
    match double.is_finite().then(|| double.to_string().parse())? {
        Ok(value) => Some(Read { value, rounded: false }),
        Err(DecimalError::TooPrecise) => {
            let value = format!("{double:.9}").parse().ok()?;
            Some(Read { value, rounded: true })
        }
        Err(_) => None,
    }
}

/// Whether two doubles are different numbers; the two zeros are not.
fn differs(a: f64, b: f64) -> bool {
    a.partial_cmp(&b) != Some(std::cmp::Ordering::Equal)
}

fn parsed(digits: &str) -> f64 {
    digits.parse().expect("digits of a decimal are a double's text")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_are_those_that_other_programs_read_from_the_digits() {
        for digits in ["0.1", "97123.45", "140000000", "10000000.01", "0.00000001", "-5.25"] {
            let price: Price = digits.parse().unwrap();
            assert_eq!(of_price(price).to_bits(), parsed(digits).to_bits(), "{digits}");
            assert_eq!(to_price(of_price(price)), Some(Read { value: price, rounded: false }));
        }
    }

    #[test]
    fn what_is_no_decimal_of_ours_is_rounded_or_refused() {
        let third = to_price(1.0 / 3.0).unwrap();
        assert_eq!((third.value.to_string().as_str(), third.rounded), ("0.333333333", true));
        assert!(to_price(10_000_000.0 / 3.0).unwrap().rounded);
        assert_eq!(to_price(f64::NAN), None);
        assert_eq!(to_price(1e10), None);
        assert_eq!(to_qty(-1.0), None);
        assert_eq!(to_qty(f64::INFINITY), None);
        assert_eq!(to_qty(1e300), None);
        assert_eq!(to_qty(2.0 / 3.0).unwrap().value.to_string(), "0.666666667");
    }

    proptest! {
        #[test]
        fn fifteen_digits_always_survive(digits in 0i64..1_000_000_000_000_000, decimals in 0u32..=9) {
            let price = Price::from_nanos(0);
            prop_assert_eq!(to_price(of_price(price)).unwrap().value, price);
            if let Some(nanos) = digits.checked_mul(10i64.pow(9 - decimals)) {
                let price = Price::from_nanos(nanos);
                prop_assert_eq!(to_price(of_price(price)), Some(Read { value: price, rounded: false }));
                let qty = Qty::from_nanos(nanos as u128);
                prop_assert_eq!(to_qty(of_qty(qty)), Some(Read { value: qty, rounded: false }));
            }
        }

        #[test]
        fn the_double_is_the_nearest(nanos in any::<i64>(), qty in any::<u128>()) {
            let price = Price::from_nanos(nanos);
            prop_assert_eq!(of_price(price).to_bits(), parsed(&price.to_string()).to_bits());
            let qty = Qty::from_nanos(qty);
            prop_assert_eq!(of_qty(qty).to_bits(), parsed(&qty.to_string()).to_bits());
        }

        #[test]
        fn no_double_panics(bits in any::<u64>()) {
            let _ = (to_price(f64::from_bits(bits)), to_qty(f64::from_bits(bits)));
        }
    }
}
