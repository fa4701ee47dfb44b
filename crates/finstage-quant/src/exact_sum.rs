//! A sum of doubles that is never wrong, so that a rolling mean cannot drift.
//!
//! A rolling sum in floating point (`sum += new - old`) carries every rounding error of its past:
//! after a year of minutes two equal averages differ in the last digits, a cross fires in a market
//! that stands still, and a restarted process disagrees with one that ran through. Adding up the
//! n values anew each time does not drift, but it still rounds n times: the mean of n equal prices
//! is not that price.
//!
//! Here the sum is kept as a whole number of units of 2^-1074, the least positive double, spread
//! over limbs of 32 bits (the "small superaccumulator" of R. Neal, *Fast exact summation using
//! small and large superaccumulators*, 2015). Taking out what was put in restores every limb, and
//! [`ExactSum::mean`] rounds once. Hence the mean is *the double nearest to the true mean*: it lies
//! between the least and the greatest value, is exact for equal values, and depends on the values
//! only: not on their order, not on what came before.

/// Bits of a limb that carry the sum; the other 32 of each `i64` absorb carries.
const LIMB_BITS: usize = 32;
const LIMB_MASK: u64 = 0xffff_ffff;
/// The greatest double begins at bit 2045 of the sum, and its 53 bits touch three limbs.
const LIMBS: usize = 2045 / LIMB_BITS + 3;
/// The weight of the sum's lowest bit, as a power of two.
const LEAST_EXPONENT: i32 = -1074;
/// Limbs of the quotient that decide its rounding: 65 significant bits at least, 53 are kept.
const QUOTIENT_LIMBS: u32 = 3;

/// The exact sum of at most 2^31 doubles that are in it at one time.
#[derive(Clone)]
pub(crate) struct ExactSum {
    limbs: [i64; LIMBS],
    /// The limbs ever touched, so that the others need not be read.
    low: usize,
    high: usize,
}

impl ExactSum {
    pub(crate) const fn new() -> Self {
        Self { limbs: [0; LIMBS], low: LIMBS, high: 0 }
    }

    /// Puts a finite value in.
    pub(crate) fn add(&mut self, value: f64) {
        self.change(value, value.is_sign_negative());
    }

    /// Takes a value out that was put in before.
    pub(crate) fn subtract(&mut self, value: f64) {
        self.change(value, !value.is_sign_negative());
    }

    fn change(&mut self, value: f64, negative: bool) {
        debug_assert!(value.is_finite(), "invariant: only finite values are summed");
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let fraction = bits & ((1 << 52) - 1);
        // A double is mantissa * 2^(place - 1074); subnormal ones lack the leading 1.
        let (mantissa, place) =
            if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let first = place / LIMB_BITS;
        let wide = u128::from(mantissa) << (place % LIMB_BITS);
        let parts = [wide as u64 & LIMB_MASK, (wide >> 32) as u64 & LIMB_MASK, (wide >> 64) as u64];
        for (limb, part) in self.limbs[first..first + 3].iter_mut().zip(parts) {
            *limb += if negative { -(part as i64) } else { part as i64 };
        }
        self.low = self.low.min(first);
        self.high = self.high.max(first + 2);
    }

    /// The double nearest to sum / count; ties to even.
    pub(crate) fn mean(&self, count: u32) -> f64 {
        let mut digits = [0u32; LIMBS + 1];
        if self.low > self.high {
            return 0.0;
        }
        let negative = !self.carry_through(&mut digits, 1);
        if negative {
            self.carry_through(&mut digits, -1);
        }
        let mean = divide(&digits, (self.low, self.high + 1), count);
        if negative { -mean } else { mean }
    }

    /// Writes `sign` times the sum as digits of 32 bits; false when that is negative.
    fn carry_through(&self, digits: &mut [u32; LIMBS + 1], sign: i64) -> bool {
        let mut carry = 0;
        let touched = self.low..=self.high;
        for (digit, limb) in digits[touched.clone()].iter_mut().zip(&self.limbs[touched]) {
            let value = sign * limb + carry;
            *digit = value as u32;
            carry = value >> LIMB_BITS;
        }
        digits[self.high + 1] = carry as u32;
        carry >= 0
    }
}

impl std::fmt::Debug for ExactSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExactSum").field("sum", &self.mean(1)).finish_non_exhaustive()
    }
}

/// The number in `digits[low..=high]`, in units of 2^-1074, divided by `count` and rounded once.
fn divide(digits: &[u32], (low, high): (usize, usize), count: u32) -> f64 {
    let count = u64::from(count);
    let (mut quotient, mut kept, mut remainder) = (0u128, 0, 0u64);
    let mut place = high as isize;
    while kept < QUOTIENT_LIMBS {
        if place < low as isize && remainder == 0 && quotient == 0 {
            return 0.0;
        }
        // Below the lowest digit the division goes on into binary fractions of the unit.
        let digit = if place < low as isize { 0 } else { digits[place as usize] };
        let dividend = remainder << LIMB_BITS | u64::from(digit);
        let limb = dividend / count;
        remainder = dividend % count;
        if kept > 0 || limb != 0 {
            quotient = quotient << LIMB_BITS | u128::from(limb);
            kept += 1;
        }
        place -= 1;
    }
    let rest_begins = (place + 1).clamp(low as isize, high as isize + 1) as usize;
    let inexact = remainder != 0 || digits[low..rest_begins].iter().any(|&digit| digit != 0);
    let exponent = (place + 1) as i32 * LIMB_BITS as i32 + LEAST_EXPONENT;
    round(quotient, inexact, exponent)
}

/// The double nearest to `(quotient + rest) * 2^exponent`, where `0 <= rest < 1` and `inexact`
/// tells whether the rest is more than nothing.
fn round(quotient: u128, inexact: bool, exponent: i32) -> f64 {
    let bits = 128 - quotient.leading_zeros() as i32;
    // 53 bits are kept, fewer where the result is subnormal.
    let dropped = (bits - 53).max(LEAST_EXPONENT - exponent);
    if dropped >= 128 {
        return 0.0;
    }
    let (kept, rest) = (quotient >> dropped, quotient & ((1 << dropped) - 1));
    let half = 1 << (dropped - 1);
    let up = rest > half || (rest == half && (inexact || kept & 1 == 1));
    (kept as u64 + u64::from(up)) as f64 * power_of_two(exponent + dropped)
}

/// 2^exponent, for `-1074 <= exponent <= 1023`.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(if exponent >= -1022 {
        ((exponent + 1023) as u64) << 52
    } else {
        1 << (exponent - LEAST_EXPONENT)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mean(values: &[f64]) -> f64 {
        let mut sum = ExactSum::new();
        values.iter().for_each(|&value| sum.add(value));
        sum.mean(values.len() as u32)
    }

    #[test]
    fn known_means() {
        assert_eq!(mean(&[1.0, 2.0]), 1.5);
        assert_eq!(mean(&[1.0, 1.0, 2.0]), 4.0 / 3.0);
        assert_eq!(mean(&[-1.0, -1.0, -2.0]), -4.0 / 3.0);
        assert_eq!(mean(&[1e300, 1.0, -1e300]), 1.0 / 3.0);
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(mean(&[0.1; 10]), 0.1);
        assert_eq!(ExactSum::new().mean(7), 0.0);
        assert_eq!(mean(&[3.0, -3.0]), 0.0);
    }

    #[test]
    fn the_least_doubles_round_to_even() {
        let least = f64::from_bits(1);
        assert_eq!(mean(&[least, 0.0]), 0.0);
        assert_eq!(mean(&[least, least, 0.0]), least);
        assert_eq!(mean(&[3.0 * least, 0.0]), 2.0 * least);
        assert_eq!(mean(&[f64::MIN_POSITIVE, 0.0]), f64::MIN_POSITIVE / 2.0);
        assert_eq!(mean(&[least; 5]), least);
        let mut sum = ExactSum::new();
        sum.add(least);
        assert_eq!(sum.mean(u32::MAX), 0.0);
    }

    /// |value * count - sum| in units of 2^-52, for values below 2^40.
    fn error(value: f64, count: usize, sum: i128) -> i128 {
        let scaled = value * (1u64 << 52) as f64;
        assert_eq!(scaled, scaled.trunc());
        (scaled as i128 * count as i128 - (sum << 52)).abs()
    }

    fn any_double() -> impl Strategy<Value = f64> {
        use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
        NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE
    }

    proptest! {
        #[test]
        fn no_double_is_nearer_to_the_mean(values in prop::collection::vec(1i64..1 << 40, 1..300)) {
            let doubles: Vec<f64> = values.iter().map(|&value| value as f64).collect();
            let sum = values.iter().map(|&value| i128::from(value)).sum();
            let (nearest, count) = (mean(&doubles), values.len());
            prop_assert!(error(nearest, count, sum) <= error(nearest.next_up(), count, sum));
            prop_assert!(error(nearest, count, sum) <= error(nearest.next_down(), count, sum));
        }

        #[test]
        fn the_mean_of_equal_values_is_that_value(value in any_double(), count in 1usize..400) {
            prop_assert_eq!(mean(&vec![value; count]), value);
        }

        #[test]
        fn the_mean_lies_between_least_and_greatest(values in prop::collection::vec(any_double(), 1..50)) {
            let mean = mean(&values);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least <= mean && mean <= greatest);
        }

        #[test]
        fn what_left_leaves_no_trace(
            stays in prop::collection::vec(any_double(), 1..20),
            leaves in prop::collection::vec(any_double(), 1..20),
        ) {
            let mut sum = ExactSum::new();
            leaves.iter().for_each(|&value| sum.add(value));
            stays.iter().rev().for_each(|&value| sum.add(value));
            leaves.iter().rev().for_each(|&value| sum.subtract(value));
            prop_assert_eq!(sum.mean(stays.len() as u32).to_bits(), mean(&stays).to_bits());
        }
    }
}
