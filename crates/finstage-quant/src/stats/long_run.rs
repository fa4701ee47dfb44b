//! How uncertain the mean of a dependent series is, without drawing anything.

use super::moments::{is_dust, mean};

/// Variance of the mean of `series` under the stationary bootstrap with mean block length
/// `mean_block`, in closed form (Politis and Romano 1994, lemma 1): with deviations ψ from the mean,
///
/// ```text
/// C(i) = (1/D) Σ_t ψ[t]·ψ[(t+i) mod D]      b(i) = (1−i/D)·q^i + (i/D)·q^(D−i)      q = 1 − 1/L
/// variance = (1/D) Σ_{i=0}^{D−1} C(i)·b(i)
/// ```
///
/// As C(i) = C(D−i), the sum is `C(0) + 2·Σ_{i≥1} (1−i/D)·q^i·C(i)`, and the inner sums over i follow
/// from those of the date after by two multiplications: D steps, and errors shrink by q in each.
///
/// `None` when there is no spread, a value is not finite, or `mean_block` is below 1.
#[must_use]
pub fn stationary_variance(series: &[f64], mean_block: f64) -> Option<f64> {
    let center = mean(series)?;
    if !(mean_block.is_finite() && mean_block >= 1.0) {
        return None;
    }
    let dates = series.len() as f64;
    let stay = 1.0 - 1.0 / mean_block;
    let around = libm::pow(stay, dates);
    // near = Σ_i q^i·ψ[t+i] and far = Σ_i i·q^i·ψ[t+i] over the whole circle, here for t = 0.
    let (mut near, mut far, mut weight) = (0.0, 0.0, 1.0);
    for (lag, value) in series.iter().enumerate() {
        let term = weight * (value - center);
        near += term;
        far += lag as f64 * term;
        weight *= stay;
    }
    let (mut twice, mut squares) = (0.0, 0.0);
    // Backwards around the circle; the last step arrives at t = 0 again.
    for value in series.iter().rev() {
        let value = value - center;
        far = stay * (far + near) - dates * around * value;
        near = (1.0 - around) * value + stay * near;
        twice += value * (near - far / dates);
        squares += value * value;
    }
    let variance = (2.0 * twice - squares) / (dates * dates);
    (variance.is_finite() && variance > 0.0 && !is_dust(squares, dates, center)).then_some(variance)
}

/// Block lengths that suit a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockLengths {
    /// For the stationary bootstrap.
    pub stationary: f64,
    /// For the circular block bootstrap.
    pub circular: f64,
}

/// The automatic block length of Politis and White (2004), corrected by Patton, Politis and White
/// (2009), with the conventions of the Python package arch: a lag counts as silent below
/// `2·√(log₁₀ n / n)`, `max(5, ⌊log₁₀ n⌋)` silent lags in a row end the search, and correlations are
/// scaled by the parts of the series that meet.
///
/// `None` for fewer than 16 values, no spread, or a value that is not finite.
#[must_use]
pub fn block_lengths(series: &[f64]) -> Option<BlockLengths> {
    const LEAST_VALUES: usize = 16;
    let count = series.len();
    if count < LEAST_VALUES {
        return None;
    }
    let center = mean(series)?;
    let deviations: Vec<f64> = series.iter().map(|value| value - center).collect();
    let n = count as f64;
    if is_dust(dot(&deviations, &deviations), n, center) {
        return None;
    }
    let silent_lags = 5.max(libm::log10(n) as usize);
    let most_lags = n.sqrt().ceil() as usize + silent_lags;
    let silence = 2.0 * (libm::log10(n) / n).sqrt();
    let (mut covariances, mut correlations) = (Vec::new(), Vec::new());
    for lag in 0..=most_lags {
        let product = dot(&deviations[lag..], &deviations[..count - lag]);
        let (late, early) = (&deviations[lag + 1..], &deviations[..count - lag - 1]);
        let scale = (dot(late, late) * dot(early, early)).sqrt();
        covariances.push(product / n);
        correlations.push(if scale > 0.0 { product.abs() / scale } else { 0.0 });
    }
    // The search looks at the lags before the last one.
    let silent = |run: &[f64]| run.iter().all(|&correlation| correlation < silence);
    let last_loud = correlations[..most_lags].windows(silent_lags).position(silent);
    let band = last_loud.map_or(most_lags, |lag| (2 * lag.max(1)).min(most_lags));
    let (mut slope, mut level) = (0.0, covariances[0]);
    for (lag, covariance) in covariances.iter().enumerate().take(band + 1).skip(1) {
        let share = lag as f64 / band as f64;
        let flat_top = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
        slope += 2.0 * flat_top * lag as f64 * covariance;
        level += 2.0 * flat_top * covariance;
    }
    let most = (3.0 * n.sqrt()).min(n / 3.0).ceil();
    let length = |factor: f64| {
        let length = libm::cbrt(2.0 * slope * slope / (factor * level * level) * n);
        length.is_finite().then_some(length.min(most))
    };
    Some(BlockLengths { stationary: length(2.0)?, circular: length(4.0 / 3.0)? })
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    /// The definition, lag by lag.
    fn by_definition(series: &[f64], mean_block: f64) -> f64 {
        let count = series.len();
        let n = count as f64;
        let center = series.iter().sum::<f64>() / n;
        let stay = 1.0 - 1.0 / mean_block;
        let term = |lag: usize| {
            let product = |t: usize| (series[t] - center) * (series[(t + lag) % count] - center);
            let covariance = (0..count).map(product).sum::<f64>() / n;
            let share = lag as f64 / n;
            let weight =
                (1.0 - share) * stay.powi(lag as i32) + share * stay.powi((count - lag) as i32);
            covariance * weight
        };
        (0..count).map(term).sum::<f64>() / n
    }

    #[test]
    fn the_recursion_is_the_definition() {
        let mut stream = SplitMix64::new(3);
        for count in [2, 3, 7, 50, 300] {
            let series: Vec<f64> = (0..count).map(|_| stream.uniform()).collect();
            for mean_block in [1.0, 1.5, 5.0, 42.0, 1000.0] {
                let wanted = by_definition(&series, mean_block);
                let said = stationary_variance(&series, mean_block).unwrap();
                assert!((said / wanted - 1.0).abs() < 1e-9, "{count} {mean_block}");
            }
        }
    }

    #[test]
    fn blocks_of_one_date_give_the_textbook_variance() {
        let said = stationary_variance(&[1.0, 2.0, 3.0, 6.0], 1.0).unwrap();
        assert!((said - 14.0 / 16.0).abs() < 1e-15);
    }

    #[test]
    fn a_series_without_spread_has_no_variance() {
        assert_eq!(stationary_variance(&[], 5.0), None);
        assert_eq!(stationary_variance(&[0.5], 5.0), None);
        assert_eq!(stationary_variance(&[0.5; 64], 5.0), None);
        assert_eq!(stationary_variance(&[1.0, f64::NAN, 2.0], 5.0), None);
        assert_eq!(stationary_variance(&[1.0, 2.0], 0.5), None);
        assert_eq!(block_lengths(&[0.5; 64]), None);
        assert_eq!(block_lengths(&[0.5, 1.0]), None);
    }
}
