//! A rolling sum that is as exact as [`ExactSum`] and nearly as fast as a wrong one, for values of
//! like size, which prices are.
//!
//! Every value is cut in two at a fixed place of its binary digits: `high` is a multiple of a step
//! 2^h, `low` what is left, at most half a step. If all values lie within a range of sizes
//! ([`Grid`]), both parts are short enough that n of them add up without any rounding in a plain
//! double: additions and subtractions then commute, and nothing drifts. The mean takes one
//! multiplication, and one exact remainder to round it as the exact sum does: to the nearest
//! double, ties to even. Whoever asks cannot tell which of the two sums it was.
//!
//! Why that holds, with n <= 2^p, values within 2^(e-R) ..= 2^e, h = e + p - 52 and R = min(30, 54 -
//! 2p):
//! * the high parts add up to at most 2^(e+p) = 2^(h+52), in steps of 2^h: 53 bits;
//! * the low parts add up to at most 2^(p+h-1), in steps of 2^(e-R-52): 53 bits;
//! * the remainder of the mean is below 2^(e+p-50), in the same steps: 44 bits, so it is exact;
//! * a mean that is no tie between two doubles is farther than 2^-42 of their distance from one,
//!   and the corrected quotient is right to 2^-52 of it.

use crate::exact_sum::ExactSum;

/// Bits between the least and the greatest size of values that can share a grid.
const MOST_BITS: i32 = 30;
/// Exponents of values for which no step of the above leaves the normal doubles.
const EXPONENTS: std::ops::RangeInclusive<i32> = -400..=400;

/// Where the values of a rolling sum are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// 1.5 * 2^(52 + h): adding and subtracting it rounds to a multiple of 2^h.
    cut: f64,
    least: f64,
    greatest: f64,
}

impl Grid {
    /// A grid on which sums over `period` of these values are exact, with room for values somewhat
    /// greater and less; `None` where their sizes differ too much.
    pub(crate) fn spanning(values: impl Iterator<Item = f64>, period: usize) -> Option<Self> {
        let (mut least, mut greatest) = (f64::MAX, 0.0f64);
        for value in values {
            let size = value.abs();
            greatest = greatest.max(size);
            least = if size == 0.0 { least } else { least.min(size) };
        }
        let (bottom, top) = match greatest {
            0.0 => (0, 0),
            _ => (exponent(least), exponent(greatest) + 1),
        };
        let bits = (usize::BITS - (period - 1).leading_zeros()).max(1) as i32;
        let room = MOST_BITS.min(54 - 2 * bits) - (top - bottom);
        if room < 0 || !EXPONENTS.contains(&bottom) || !EXPONENTS.contains(&top) {
            return None;
        }
        let (top, bottom) = (top + room * 2 / 5, bottom - room + room * 2 / 5);
        Some(Self {
            cut: 1.5 * power_of_two(top + bits),
            least: power_of_two(bottom),
            greatest: power_of_two(top),
        })
    }

    /// Whether sums stay exact with this value among them; false for NaN.
    #[inline(always)]
    pub(crate) fn holds(&self, value: f64) -> bool {
        let size = value.abs();
        (size <= self.greatest) & ((size >= self.least) | (size == 0.0))
    }

    /// Both parts of a value that it holds.
    #[inline(always)]
    pub(crate) fn parts(&self, value: f64) -> (f64, f64) {
        let high = (value + self.cut) - self.cut;
        (high, value - high)
    }
}

/// The double nearest to (high + low) / count, ties to even, of sums over a grid; with the count
/// goes the double nearest to 1 / count.
#[inline(always)]
pub(crate) fn mean_of(high: f64, low: f64, (count, share): (f64, f64)) -> f64 {
    // The exact sum as a double and what that one lacks (Knuth's two-sum).
    let sum = high + low;
    let back = sum - high;
    let lacks = (high - (sum - back)) + (low - back);
    let quotient = sum * share;
    // The remainder sum - quotient * count, without rounding: 26 and 27 bits times at most 17.
    let upper = f64::from_bits(quotient.to_bits() & !0x7ff_ffff);
    let lower = quotient - upper;
    let remainder = ((sum - upper * count) - lower * count) + lacks;
    quotient + remainder / count
}

/// The sum of the last n values, which somebody else keeps.
#[derive(Debug, Clone)]
pub(crate) enum RollingSum {
    /// Values of like size.
    Split { grid: Grid, high: f64, low: f64 },
    /// Any values.
    Exact(Box<ExactSum>),
}

impl RollingSum {
    /// The sum of `values`, to become one over `period` of them.
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone, period: usize) -> Self {
        Self::over(Grid::spanning(values.clone(), period), values)
    }

    /// The sum of `values`, on this grid if there is one.
    pub(crate) fn over(grid: Option<Grid>, values: impl Iterator<Item = f64>) -> Self {
        let Some(grid) = grid else {
            let mut sum = Box::new(ExactSum::new());
            values.for_each(|value| sum.add(value));
            return Self::Exact(sum);
        };
        let (mut high, mut low) = (0.0, 0.0);
        for value in values {
            let parts = grid.parts(value);
            high += parts.0;
            low += parts.1;
        }
        Self::Split { grid, high, low }
    }

    /// Takes a value in and another out; false, and nothing changes, where it does not fit in.
    #[inline(always)]
    pub(crate) fn roll(&mut self, value: f64, left: Option<f64>) -> bool {
        match self {
            Self::Split { grid, high, low } => {
                if !grid.holds(value) {
                    return false;
                }
                let (new, old) = (grid.parts(value), grid.parts(left.unwrap_or(0.0)));
                *high += new.0 - old.0;
                *low += new.1 - old.1;
            }
            Self::Exact(sum) => {
                if let Some(left) = left {
                    sum.subtract(left);
                }
                sum.add(value);
            }
        }
        true
    }

    /// The mean, rounded once.
    #[inline(always)]
    pub(crate) fn mean(&self, count: usize) -> f64 {
        match self {
            Self::Split { high, low, .. } => {
                mean_of(*high, *low, (count as f64, (count as f64).recip()))
            }
            Self::Exact(sum) => sum.mean(count as u32),
        }
    }
}

fn exponent(size: f64) -> i32 {
    (size.to_bits() >> 52 & 0x7ff) as i32 - 1023
}

/// 2^exponent, of a normal double.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(values: &[f64]) -> f64 {
        let mut sum = ExactSum::new();
        values.iter().for_each(|&value| sum.add(value));
        sum.mean(values.len() as u32)
    }

    fn split(values: &[f64]) -> Option<f64> {
        match RollingSum::of(values.iter().copied(), values.len()) {
            RollingSum::Split { high, low, .. } => {
                Some(mean_of(high, low, (values.len() as f64, (values.len() as f64).recip())))
            }
            RollingSum::Exact(_) => None,
        }
    }

    #[test]
    fn ties_go_to_the_even_double() {
        for base in [1.0f64, 1.0f64.next_up(), 100.34, 1e-9, 7e12] {
            for count in [2usize, 6, 10, 14, 20, 50, 98] {
                // Half of the values a double higher: the mean lies in the middle of the two.
                let mut values = vec![base; count / 2];
                values.resize(count, base.next_up());
                assert_eq!(split(&values), Some(exact(&values)), "{base} {count}");
            }
        }
    }

    #[test]
    fn values_too_different_in_size_are_left_to_the_exact_sum() {
        assert_eq!(split(&[1.0, 2e9]), None);
        assert_eq!(split(&[1e-200, 1e-200]), None);
        assert_eq!(split(&[1e150]), None);
        assert_eq!(split(&[0.0, 0.0]), Some(0.0));
        assert_eq!(split(&[0.0, 3.0]), Some(1.5));
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (1i64..1_000_000_000).prop_map(|cents| cents as f64 / 100.0),
            1 => (-1_000_000i64..1_000_000).prop_map(|nanos| nanos as f64 / 1e9),
            1 => 1.0f64..2.0,
            1 => Just(0.0),
        ]
    }

    proptest! {
        #[test]
        fn it_is_the_exact_mean(values in prop::collection::vec(value(), 1..400)) {
            if let Some(mean) = split(&values) {
                prop_assert_eq!(mean.to_bits(), exact(&values).to_bits());
            }
        }

        #[test]
        fn rolling_leaves_no_trace(
            values in prop::collection::vec(value(), 2..300),
            period in 1usize..40,
        ) {
            let mut sum = RollingSum::of(std::iter::empty(), period);
            for (place, &value) in values.iter().enumerate() {
                let start = (place + 1).saturating_sub(period);
                if !sum.roll(value, (place >= period).then(|| values[place - period])) {
                    sum = RollingSum::of(values[start..=place].iter().copied(), period);
                }
                let recent = &values[start..=place];
                prop_assert_eq!(sum.mean(recent.len()).to_bits(), exact(recent).to_bits());
            }
        }
    }
}
