//! Mean, spread and shape of a sample.

/// The first four moments of a sample that has a spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation with n − 1 in the denominator.
    pub deviation: f64,
    /// Skewness γ₃ of the population moments; 0 for a symmetric sample.
    pub skew: f64,
    /// Kurtosis γ₄ of the population moments; 3 for a normal sample.
    pub kurtosis: f64,
}

impl Moments {
    /// Of a sample; `None` with fewer than two values, without spread, or with a value that is not
    /// finite.
    #[must_use]
    pub fn of(sample: &[f64]) -> Option<Self> {
        let mean = mean(sample)?;
        let (mut second, mut third, mut fourth) = (0.0, 0.0, 0.0);
        for value in sample {
            let off = value - mean;
            second += off * off;
            third += off * off * off;
            fourth += off * off * off * off;
        }
        let n = sample.len() as f64;
        if is_dust(second, n, mean) {
            return None;
        }
        let variance = second / n;
        let moments = Self {
            count: sample.len(),
            mean,
            deviation: (second / (n - 1.0)).sqrt(),
            skew: third / n / (variance * variance.sqrt()),
            kurtosis: fourth / n / (variance * variance),
        };
        let finite = [moments.deviation, moments.skew, moments.kurtosis];
        (sample.len() > 1 && finite.iter().all(|value| value.is_finite())).then_some(moments)
    }

    /// Sharpe ratio of one period: mean over deviation, never annualised.
    #[must_use]
    pub fn sharpe(&self) -> f64 {
        self.mean / self.deviation
    }
}

/// Whether a sum of `count` squared deviations from `center` is only what rounding of the center
/// left: equal values have no spread, however their mean was rounded.
pub(super) fn is_dust(squares: f64, count: f64, center: f64) -> bool {
    const ROUNDING: f64 = 1e-12;
    squares <= count * (ROUNDING * center) * (ROUNDING * center)
}

/// The mean; `None` of nothing, or where it is not finite.
#[must_use]
pub fn mean(sample: &[f64]) -> Option<f64> {
    let mean = sample.iter().sum::<f64>() / sample.len() as f64;
    mean.is_finite().then_some(mean)
}

/// The standard deviation of the last `length` values at each place, with n − 1 in the denominator;
/// NaN where there are fewer, or one of them is not finite. With returns up to the close of a bar it
/// is the volatility that was known then.
#[must_use]
pub fn trailing_deviation(series: &[f64], length: usize) -> Vec<f64> {
    let at = |place: usize| {
        let first = (place + 1).checked_sub(length);
        let last = first.map(|first| &series[first..=place]);
        last.and_then(Moments::of).map_or_else(
            || match last {
                Some(flat) if length > 1 && flat.iter().all(|value| value.is_finite()) => 0.0,
                _ => f64::NAN,
            },
            |moments| moments.deviation,
        )
    };
    (0..series.len()).map(at).collect()
}

/// Mean correlation between different columns; columns without spread are left out. Columns are as
/// long as the shortest. `None` when fewer than two columns remain.
///
/// With z-scores the correlations sum to the variance of their sum, so no pair is formed.
#[must_use]
pub fn mean_correlation(columns: &[&[f64]]) -> Option<f64> {
    let rows = columns.iter().map(|column| column.len()).min()?;
    let mut sums = vec![0.0; rows];
    let mut used = 0.0;
    for column in columns {
        let Some(moments) = Moments::of(&column[..rows]) else { continue };
        used += 1.0;
        for (sum, value) in sums.iter_mut().zip(*column) {
            *sum += (value - moments.mean) / moments.deviation;
        }
    }
    let all: f64 = sums.iter().map(|sum| sum * sum).sum::<f64>() / (rows as f64 - 1.0);
    (used > 1.0).then(|| (all - used) / (used * (used - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_known_sample() {
        let moments = Moments::of(&[1.0, 2.0, 3.0, 4.0, 10.0]).unwrap();
        assert_eq!(moments.mean, 4.0);
        assert!((moments.deviation - 12.5f64.sqrt()).abs() < 1e-15);
        assert!((moments.skew - 36.0 / 10f64.powf(1.5)).abs() < 1e-14);
        assert!((moments.kurtosis - 278.8 / 100.0).abs() < 1e-14);
    }

    #[test]
    fn a_sample_without_spread_has_no_moments() {
        for sample in [&[][..], &[1.0], &[0.1; 7], &[1.0, f64::NAN], &[f64::MAX, f64::MAX]] {
            assert_eq!(Moments::of(sample), None, "{sample:?}");
        }
    }

    #[test]
    fn trailing_deviations_look_at_the_past_alone() {
        let said = trailing_deviation(&[1.0, 3.0, 3.0, f64::NAN, 5.0], 2);
        assert!(said[0].is_nan() && said[3].is_nan() && said[4].is_nan());
        assert!((said[1] - 2f64.sqrt()).abs() < 1e-15);
        assert_eq!(said[2], 0.0);
    }

    #[test]
    fn the_mean_correlation_is_that_of_the_pairs() {
        let (up, down, flat) = ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [7.0; 3]);
        assert!((mean_correlation(&[&up, &down]).unwrap() + 1.0).abs() < 1e-15);
        assert!((mean_correlation(&[&up, &up, &down]).unwrap() + 1.0 / 3.0).abs() < 1e-15);
        assert!((mean_correlation(&[&up, &flat, &up]).unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(mean_correlation(&[&up, &flat]), None);
        assert_eq!(mean_correlation(&[]), None);
    }
}
