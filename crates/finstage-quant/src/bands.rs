//! The inner loop of Bollinger's bands: squared distances from a mean, for many means.
//!
//! Written twice, as `roll`: plainly, bar by bar, and for processors with registers of four doubles,
//! which do eight bars side by side. Every operation and its order is the same, and so is every bit.

use crate::BollingerParams;

/// Writes the bands around each middle: the values of the first one begin the slice, those of the next
/// one a place later.
pub(crate) fn around(
    params: &BollingerParams,
    (values, middles): (&[f64], &[f64]),
    (upper, lower): (&mut [f64], &mut [f64]),
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        let (middles, rest) = middles.as_chunks::<8>();
        let (uppers, upper) = upper.as_chunks_mut::<8>();
        let (lowers, lower) = lower.as_chunks_mut::<8>();
        #[expect(
            unsafe_code,
            reason = "calls code for a processor feature that was just asked for"
        )]
        // SAFETY: the processor has AVX2.
        unsafe {
            avx2::around(params, (values, middles), (uppers, lowers));
        }
        return plainly(params, (&values[8 * middles.len()..], rest), (upper, lower));
    }
    plainly(params, (values, middles), (upper, lower));
}

fn plainly(
    params: &BollingerParams,
    (values, middles): (&[f64], &[f64]),
    (upper, lower): (&mut [f64], &mut [f64]),
) {
    let places = values.windows(params.period).zip(middles).zip(upper.iter_mut().zip(lower));
    for ((values, &middle), (upper, lower)) in places {
        let bands = params.bands(middle, sum_of_squares(values, middle));
        (*upper, *lower) = (bands.upper, bands.lower);
    }
}

/// The squared distances from the middle: four sums that take the values in turn, added in pairs.
pub(crate) fn sum_of_squares(values: &[f64], middle: f64) -> f64 {
    let mut sums = [0.0; 4];
    // A value that was only just written, which is the last one, is read fast by itself only.
    let Some((&last, values)) = values.split_last() else { return 0.0 };
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for nth in 0..4 {
            sums[nth] += (four[nth] - middle) * (four[nth] - middle);
        }
    }
    for (nth, sum) in sums[..3].iter_mut().enumerate() {
        if let Some(value) = rest.get(nth) {
            *sum += (value - middle) * (value - middle);
        }
    }
    let square = (last - middle) * (last - middle);
    match rest.len() {
        0 => sums[0] += square,
        1 => sums[1] += square,
        2 => sums[2] += square,
        _ => sums[3] += square,
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use crate::BollingerParams;

    /// As [`super::plainly`].
    #[target_feature(enable = "avx2")]
    pub(super) fn around(
        params: &BollingerParams,
        (values, middles): (&[f64], &[[f64; 8]]),
        (uppers, lowers): (&mut [[f64; 8]], &mut [[f64; 8]]),
    ) {
        let share = _mm256_set1_pd(params.deviation.share(params.period));
        let (up, down) = (_mm256_set1_pd(params.up), _mm256_set1_pd(params.down));
        let bars = middles.iter().zip(uppers).zip(lowers);
        for (values, ((middles, upper), lower)) in
            values.windows(params.period + 7).step_by(8).zip(bars)
        {
            let (middles, _) = middles.as_chunks::<4>();
            let middles = [four(&middles[0]), four(&middles[1])];
            let squares = sums_of_squares(values, middles);
            let (uppers, _) = upper.as_chunks_mut::<4>();
            let (lowers, _) = lower.as_chunks_mut::<4>();
            for (nth, (upper, lower)) in uppers.iter_mut().zip(lowers).enumerate() {
                let deviation = _mm256_sqrt_pd(_mm256_mul_pd(squares[nth], share));
                let above = _mm256_add_pd(middles[nth], _mm256_mul_pd(up, deviation));
                let below = _mm256_sub_pd(middles[nth], _mm256_mul_pd(down, deviation));
                #[expect(unsafe_code, reason = "writes four doubles at once")]
                // SAFETY: both are four doubles; the instruction asks for no alignment.
                unsafe {
                    _mm256_storeu_pd(upper.as_mut_ptr(), above);
                    _mm256_storeu_pd(lower.as_mut_ptr(), below);
                }
            }
        }
    }

    /// The sums for eight middles; `values` are those of the first one and seven more.
    #[target_feature(enable = "avx2")]
    fn sums_of_squares(values: &[f64], middles: [__m256d; 2]) -> [__m256d; 2] {
        let mut sums = [[_mm256_setzero_pd(); 2]; 4];
        let mut rest = values;
        while let Some(values) = rest.first_chunk::<11>() {
            for nth in 0..4 {
                sums[nth] = add_squares(sums[nth], &values[nth..nth + 8], middles);
            }
            rest = &rest[4..];
        }
        for (nth, sums) in sums[..3].iter_mut().enumerate() {
            if let Some(values) = rest.get(nth..nth + 8) {
                *sums = add_squares(*sums, values, middles);
            }
        }
        let add = |a, b| _mm256_add_pd(a, b);
        [0, 1].map(|half| {
            let pairs = (add(sums[0][half], sums[1][half]), add(sums[2][half], sums[3][half]));
            add(pairs.0, pairs.1)
        })
    }

    /// Adds the square of one value for each of eight middles.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn add_squares(sums: [__m256d; 2], values: &[f64], middles: [__m256d; 2]) -> [__m256d; 2] {
        let (values, _) = values.as_chunks::<4>();
        let distance = _mm256_sub_pd(four(&values[0]), middles[0]);
        let distances = [distance, _mm256_sub_pd(four(&values[1]), middles[1])];
        [
            _mm256_add_pd(sums[0], _mm256_mul_pd(distances[0], distances[0])),
            _mm256_add_pd(sums[1], _mm256_mul_pd(distances[1], distances[1])),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn four(values: &[f64; 4]) -> __m256d {
        #[expect(unsafe_code, reason = "reads four doubles at once")]
        // SAFETY: they are four doubles; the instruction asks for no alignment.
        unsafe {
            _mm256_loadu_pd(values.as_ptr())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Deviation;

    proptest! {
        /// On a machine without AVX2 it compares the plain form with itself.
        #[test]
        fn wide_and_plain_say_the_same(
            values in prop::collection::vec(-1e6..1e6f64, 2..200),
            period in 2usize..40,
            middle in -1e6..1e6f64,
        ) {
            let period = period.min(values.len());
            let params =
                BollingerParams { period, up: 2.0, down: 1.5, deviation: Deviation::Sample };
            let count = values.len() + 1 - period;
            let middles: Vec<f64> = (0..count).map(|place| middle + place as f64).collect();
            let (mut wide, mut plain) = (vec![[0.0; 2]; 0], vec![[0.0; 2]; 0]);
            for (said, form) in [(&mut wide, around as Form), (&mut plain, plainly as Form)] {
                let (mut upper, mut lower) = (vec![f64::NAN; count], vec![f64::NAN; count]);
                form(&params, (&values, &middles), (&mut upper, &mut lower));
                said.extend(upper.into_iter().zip(lower).map(|bands| [bands.0, bands.1]));
            }
            prop_assert_eq!(wide, plain);
        }
    }

    type Form = fn(&BollingerParams, (&[f64], &[f64]), (&mut [f64], &mut [f64]));
}
