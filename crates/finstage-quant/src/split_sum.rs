//! A rolling sum that is as exact as [`ExactSum`] and nearly as fast as a wrong one, for values of
//! like size, which prices are.
//!
//! Every value is cut in two at a fixed place of its binary digits: `high` is a multiple of a step
//! 2^h, `low` what is left, at most half a step. If all values lie within a range of sizes
//! ([`Grid`]), both parts are short enough that n of them add up without any rounding in a plain
//! double: additions and subtractions then commute, and nothing drifts. The mean takes a
//! multiplication, and one exact remainder to round it as the exact sum does: to the nearest
//! double, ties to even. Whoever asks cannot tell which of the two sums it was.
//!
//! Why that holds, with n <= 2^p, values of 0 or within 2^(e-R) ..= 2^e, h = e + p - 52 and
//! R = min(30, 50 - 2p):
//! * the high parts add up to at most 2^(e+p) = 2^(h+52), in steps of 2^h: 53 bits;
//! * the low parts add up to at most 2^(p+h-1), in steps of 2^(e-R-52): 53 bits.
//!
//! Where no value is negative, let q be the quotient without its p last bits, so that q * n is exact
//! and within 2^(p+1) units (of the quotient's last place) times n of the sum:
//! * high - q * n is at most n + 2^(2p+R) times the step of q: it is exact;
//! * that plus the low part is the remainder, at most 2^(2p+1+R) steps of the low part: exact;
//! * divided by n it is wrong by less than 2^(p-52) units. A mean that is no tie between two doubles
//!   is farther than 2^-(R+p+2) units from one, so q plus that is rounded to the right one. A tie
//!   differs from q by few bits, so the division is exact and the last addition decides.
//!
//! Values of both signs may cancel each other in the high parts, and not in the low ones; then high
//! and low part are first made one exact sum of two doubles ([`signed_mean_of`]).

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
    /// The least value: 0, or -`greatest` where values have both signs.
    floor: f64,
}

impl Grid {
    /// A grid on which sums over `period` of these values are exact, with room for values somewhat
    /// greater and less; `None` where their sizes differ too much.
    pub(crate) fn spanning(values: impl Iterator<Item = f64>, period: usize) -> Option<Self> {
        let (mut least, mut greatest, mut signed) = (f64::MAX, 0.0f64, false);
        for value in values {
            signed |= value < 0.0;
            let size = value.abs();
            greatest = greatest.max(size);
            least = if size == 0.0 { least } else { least.min(size) };
        }
        let (bottom, top) = match greatest {
            0.0 => (0, 0),
            _ => (exponent(least), exponent(greatest) + 1),
        };
        let bits = bits_of(period) as i32;
        let room = MOST_BITS.min(50 - 2 * bits) - (top - bottom);
        if room < 0 || !EXPONENTS.contains(&bottom) || !EXPONENTS.contains(&top) {
            return None;
        }
        let (top, bottom) = (top + room * 2 / 5, bottom - room + room * 2 / 5);
        Some(Self {
            cut: 1.5 * power_of_two(top + bits),
            least: power_of_two(bottom),
            greatest: power_of_two(top),
            floor: if signed { -power_of_two(top) } else { 0.0 },
        })
    }

    /// Whether sums stay exact with this value among them; false for NaN.
    #[inline(always)]
    pub(crate) fn holds(&self, value: f64) -> bool {
        let size = value.abs();
        (value <= self.greatest) & (value >= self.floor) & ((size >= self.least) | (value == 0.0))
    }

    /// What adds to a value and is taken away again, to round it to a multiple of 2^h.
    pub(crate) fn cut(&self) -> f64 {
        self.cut
    }

    /// The least and the greatest size of a value, but for 0.
    pub(crate) fn sizes(&self) -> (f64, f64) {
        (self.least, self.greatest)
    }

    /// Whether it holds negative values.
    pub(crate) fn is_signed(&self) -> bool {
        self.floor < 0.0
    }

    /// Both parts of a value that it holds.
    #[inline(always)]
    pub(crate) fn parts(&self, value: f64) -> (f64, f64) {
        let high = (value + self.cut) - self.cut;
        (high, value - high)
    }
}

/// What divides a sum of `count` values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divisor {
    count: f64,
    /// The double nearest to 1 / count.
    share: f64,
    /// The bits of a quotient that stay exact when multiplied with the count.
    short: u64,
}

impl Divisor {
    /// The bits of the upper half of a double.
    pub(crate) const UPPER: u64 = !0x7ff_ffff;

    pub(crate) fn new(count: usize) -> Self {
        let short = !((1 << bits_of(count)) - 1);
        Self { count: count as f64, share: (count as f64).recip(), short }
    }

    /// The count, the double nearest to one part of it, and the bits of a short quotient.
    pub(crate) fn parts(&self) -> (f64, f64, u64) {
        (self.count, self.share, self.short)
    }

    /// The double nearest to (high + low) / count, ties to even, of sums over a grid that is not
    /// signed.
    #[inline(always)]
    pub(crate) fn mean_of(&self, high: f64, low: f64) -> f64 {
        let quotient = f64::from_bits(((high + low) * self.share).to_bits() & self.short);
        let remainder = (high - quotient * self.count) + low;
        quotient + remainder / self.count
    }

    /// The same over any grid.
    #[inline(always)]
    pub(crate) fn signed_mean_of(&self, high: f64, low: f64) -> f64 {
        // The exact sum as a double and what that one lacks (Knuth's two-sum).
        let sum = high + low;
        let back = sum - high;
        let lacks = (high - (sum - back)) + (low - back);
        let quotient = sum * self.share;
        // The remainder sum - quotient * count, without rounding: 26 and 27 bits times at most 17.
        let upper = f64::from_bits(quotient.to_bits() & Self::UPPER);
        let lower = quotient - upper;
        let remainder = ((sum - upper * self.count) - lower * self.count) + lacks;
        quotient + remainder / self.count
    }
}

/// p, where a count is at most 2^p; 1 at least.
fn bits_of(count: usize) -> u32 {
    (usize::BITS - (count - 1).leading_zeros()).max(1)
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
    pub(crate) fn mean(&self, divisor: &Divisor) -> f64 {
        match self {
            Self::Split { grid, high, low } if grid.is_signed() => {
                divisor.signed_mean_of(*high, *low)
            }
            Self::Split { high, low, .. } => divisor.mean_of(*high, *low),
            Self::Exact(sum) => sum.mean(divisor.count as u32),
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
        let sum = RollingSum::of(values.iter().copied(), values.len());
        let divisor = Divisor::new(values.len());
        matches!(sum, RollingSum::Split { .. }).then(|| sum.mean(&divisor))
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
    fn the_longest_periods_are_exact_too() {
        for count in [65_536, 99_999, 100_000usize] {
            // Half of the values a double higher, and one that needs other digits.
            for base in [100.01f64, 1.0f64.next_up(), 4_095.99] {
                let mut values = vec![base; count / 2];
                values.resize(count, base.next_up());
                values[count / 3] = if base > 1.5 { base / 16.0 } else { base };
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
                prop_assert_eq!(sum.mean(&Divisor::new(recent.len())).to_bits(), exact(recent).to_bits());
            }
        }
    }
}
