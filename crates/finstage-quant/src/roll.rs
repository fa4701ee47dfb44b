//! The inner loop of a rolling mean: a block of numbers comes, as many go.
//!
//! Written twice: once plainly, and once for processors with registers of four doubles, because no
//! compiler finds the running sums within a register by itself. The sums are exact, so they may be
//! taken in any order, and every other operation is the same: so are the results, bit for bit.

use crate::split_sum::{Divisor, Grid};

/// Means over a grid, and what divides them.
type Means<'a> = (&'a Grid, &'a Divisor);

/// Writes the mean at every place while each of `new` comes and its partner of `old` goes, all three of
/// a length, up to the first that the grid does not hold. How many they are; high and low part of
/// the sum with the last of them.
pub(crate) fn roll(
    means: Means<'_>,
    sums: (f64, f64),
    (new, old): (&[f64], &[f64]),
    out: &mut [f64],
) -> (usize, (f64, f64)) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        let (fours, _) = new.as_chunks::<4>();
        let numbers = (fours, old.as_chunks::<4>().0);
        let outs = out.as_chunks_mut::<4>().0;
        #[expect(
            unsafe_code,
            reason = "calls code for a processor feature that was just asked for"
        )]
        // SAFETY: the processor has AVX2.
        let (count, sums) = unsafe {
            if means.0.is_signed() {
                avx2::roll::<true>(means, sums, numbers, outs)
            } else {
                avx2::roll::<false>(means, sums, numbers, outs)
            }
        };
        let (rest, sums) = plainly(means, sums, (&new[count..], &old[count..]), &mut out[count..]);
        return (count + rest, sums);
    }
    plainly(means, sums, (new, old), out)
}

fn plainly(
    (grid, divisor): Means<'_>,
    (mut high, mut low): (f64, f64),
    (new, old): (&[f64], &[f64]),
    out: &mut [f64],
) -> (usize, (f64, f64)) {
    for (place, ((&new, &old), out)) in new.iter().zip(old).zip(out).enumerate() {
        if !grid.holds(new) {
            return (place, (high, low));
        }
        let (new, old) = (grid.parts(new), grid.parts(old));
        high += new.0 - old.0;
        low += new.1 - old.1;
        *out = if grid.is_signed() {
            divisor.signed_mean_of(high, low)
        } else {
            divisor.mean_of(high, low)
        };
    }
    (new.len(), (high, low))
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::Means;
    use crate::split_sum::Divisor;

    /// As [`super::plainly`], of whole groups of four.
    #[target_feature(enable = "avx2")]
    pub(super) fn roll<const SIGNED: bool>(
        (grid, divisor): Means<'_>,
        (high, low): (f64, f64),
        (news, olds): (&[[f64; 4]], &[[f64; 4]]),
        outs: &mut [[f64; 4]],
    ) -> (usize, (f64, f64)) {
        let cut = _mm256_set1_pd(grid.cut());
        let (least, greatest) = grid.sizes();
        let (least, greatest) = (_mm256_set1_pd(least), _mm256_set1_pd(greatest));
        let (mut high, mut low) = (_mm256_set1_pd(high), _mm256_set1_pd(low));
        let mut count = 0;
        for ((new, old), out) in news.iter().zip(olds).zip(outs) {
            let new = _mm256_set_pd(new[3], new[2], new[1], new[0]);
            let old = _mm256_set_pd(old[3], old[2], old[1], old[0]);
            // Not within least ..= greatest, and not 0.
            let size = if SIGNED { _mm256_andnot_pd(_mm256_set1_pd(-0.0), new) } else { new };
            let outside = _mm256_or_pd(
                _mm256_cmp_pd::<_CMP_NGE_UQ>(size, least),
                _mm256_cmp_pd::<_CMP_NLE_UQ>(size, greatest),
            );
            let some = _mm256_cmp_pd::<_CMP_NEQ_UQ>(new, _mm256_setzero_pd());
            if _mm256_movemask_pd(_mm256_and_pd(outside, some)) != 0 {
                break;
            }
            let new_high = _mm256_sub_pd(_mm256_add_pd(new, cut), cut);
            let old_high = _mm256_sub_pd(_mm256_add_pd(old, cut), cut);
            let (new_low, old_low) = (_mm256_sub_pd(new, new_high), _mm256_sub_pd(old, old_high));
            let highs = running_sums(_mm256_sub_pd(new_high, old_high));
            let lows = running_sums(_mm256_sub_pd(new_low, old_low));
            let (sum_high, sum_low) = (_mm256_add_pd(high, highs), _mm256_add_pd(low, lows));
            high = _mm256_add_pd(high, _mm256_permute4x64_pd::<0xff>(highs));
            low = _mm256_add_pd(low, _mm256_permute4x64_pd::<0xff>(lows));
            let mean = if SIGNED {
                signed_means_of(divisor, sum_high, sum_low)
            } else {
                means_of(divisor, sum_high, sum_low)
            };
            #[expect(unsafe_code, reason = "writes four doubles at once")]
            // SAFETY: `out` is four doubles; the instruction asks for no alignment.
            unsafe {
                _mm256_storeu_pd(out.as_mut_ptr(), mean);
            }
            count += 4;
        }
        (count, (_mm256_cvtsd_f64(high), _mm256_cvtsd_f64(low)))
    }

    /// The sums of the first, the first two, three and four.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn running_sums(values: __m256d) -> __m256d {
        let zero = _mm256_setzero_pd();
        let one_later = _mm256_permute4x64_pd::<0b10_01_00_00>(values);
        let pairs = _mm256_add_pd(values, _mm256_blend_pd::<0b0001>(one_later, zero));
        _mm256_add_pd(pairs, _mm256_permute2f128_pd::<0x08>(pairs, pairs))
    }

    /// As [`Divisor::mean_of`].
    #[inline]
    #[target_feature(enable = "avx2")]
    fn means_of(divisor: &Divisor, high: __m256d, low: __m256d) -> __m256d {
        let (count, share, short) = divisor.parts();
        let (count, share) = (_mm256_set1_pd(count), _mm256_set1_pd(share));
        let quotient = _mm256_mul_pd(_mm256_add_pd(high, low), share);
        let quotient = _mm256_and_pd(quotient, _mm256_set1_pd(f64::from_bits(short)));
        let remainder = _mm256_sub_pd(high, _mm256_mul_pd(quotient, count));
        let remainder = _mm256_add_pd(remainder, low);
        _mm256_add_pd(quotient, _mm256_div_pd(remainder, count))
    }

    /// As [`Divisor::signed_mean_of`].
    #[inline]
    #[target_feature(enable = "avx2")]
    fn signed_means_of(divisor: &Divisor, high: __m256d, low: __m256d) -> __m256d {
        let (count, share, _) = divisor.parts();
        let (count, share) = (_mm256_set1_pd(count), _mm256_set1_pd(share));
        let sum = _mm256_add_pd(high, low);
        let back = _mm256_sub_pd(sum, high);
        let lacks =
            _mm256_add_pd(_mm256_sub_pd(high, _mm256_sub_pd(sum, back)), _mm256_sub_pd(low, back));
        let quotient = _mm256_mul_pd(sum, share);
        let half = _mm256_set1_pd(f64::from_bits(Divisor::UPPER));
        let upper = _mm256_and_pd(quotient, half);
        let lower = _mm256_sub_pd(quotient, upper);
        let remainder = _mm256_sub_pd(sum, _mm256_mul_pd(upper, count));
        let remainder = _mm256_sub_pd(remainder, _mm256_mul_pd(lower, count));
        let remainder = _mm256_add_pd(remainder, lacks);
        _mm256_add_pd(quotient, _mm256_div_pd(remainder, count))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// On a machine without AVX2 it compares the plain form with itself.
        #[test]
        fn wide_and_plain_say_the_same(
            values in prop::collection::vec((0u32..30, 0i64..1_000_000_000), 2..600),
            sign in prop::sample::select(vec![1.0, -1.0]),
            period in 1usize..40,
            strange in prop::option::of((0usize..600, prop::sample::select(vec![
                f64::NAN, f64::INFINITY, -1.0, 1e300, 1e-300, 0.0, -0.0,
            ]))),
        ) {
            let mut values: Vec<f64> = values
                .iter()
                .map(|&(shift, cents)| (cents >> shift) as f64 / 100.0)
                .map(|value| if value < 1e4 { sign * value } else { value })
                .collect();
            let period = period.min(values.len() - 1);
            let (Some(grid), divisor) =
                (Grid::spanning(values.iter().copied(), period), Divisor::new(period))
            else {
                return Ok(());
            };
            let parts = values[..period].iter().map(|&value| grid.parts(value));
            let sums = parts.fold((0.0, 0.0), |sums, parts| (sums.0 + parts.0, sums.1 + parts.1));
            if let Some((place, value)) = strange {
                let place = period + place % (values.len() - period);
                values[place] = value;
            }
            let (new, old) = (&values[period..], &values[..values.len() - period]);
            let (mut wide, mut plain) = (vec![1.0; new.len()], vec![1.0; new.len()]);
            let wide_sums = roll((&grid, &divisor), sums, (new, old), &mut wide);
            let plain_sums = plainly((&grid, &divisor), sums, (new, old), &mut plain);
            prop_assert_eq!(wide_sums, plain_sums);
            let bits = |means: Vec<f64>| means.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            prop_assert_eq!(bits(wide), bits(plain));
        }
    }
}
