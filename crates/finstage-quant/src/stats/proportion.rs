//! Shares: how sure a hit rate is, and whether forecasts mean what they say.

use super::normal::Z_95;

/// A range with a lower and an upper end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The 95 % interval of Wilson (1927) for a share seen in `count` trials. `count` may be the number of
/// effective ones. `None` without trials, or for a share outside [0, 1].
#[must_use]
pub fn wilson(share: f64, count: f64) -> Option<Interval> {
    if !(count > 0.0 && count.is_finite() && (0.0..=1.0).contains(&share)) {
        return None;
    }
    let square = Z_95 * Z_95;
    let scale = 1.0 + square / count;
    let center = share + square / (2.0 * count);
    let spread = (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    Some(Interval {
        low: ((center - Z_95 * spread) / scale).max(0.0),
        high: ((center + Z_95 * spread) / scale).min(1.0),
    })
}

/// A forecast and what came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The probability that was said, within [0, 1].
    pub probability: f64,
    /// Whether it came so.
    pub came: bool,
}

/// The Brier score (1950): mean squared distance between probability and what came, 0 is perfect.
/// `None` without forecasts.
#[must_use]
pub fn brier(forecasts: &[Forecast]) -> Option<f64> {
    let distance = |forecast: &Forecast| {
        let off = forecast.probability - f64::from(u8::from(forecast.came));
        off * off
    };
    super::moments::mean(&forecasts.iter().map(distance).collect::<Vec<_>>())
}

/// A group of forecasts of similar probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// How many.
    pub count: usize,
    /// The mean of what was said.
    pub said: f64,
    /// The share that came.
    pub came: f64,
    /// The 95 % Wilson interval of that share.
    pub interval: Interval,
}

/// Compares what was said with what came, in `bins` groups of equal count from the least probable to
/// the most probable; fewer groups where there are fewer forecasts, empty where there are none.
#[must_use]
pub fn reliability(forecasts: &[Forecast], bins: usize) -> Vec<Bin> {
    let mut ordered = forecasts.to_vec();
    ordered.sort_by(|left, right| {
        left.probability.total_cmp(&right.probability).then(left.came.cmp(&right.came))
    });
    let bins = bins.min(ordered.len());
    let bounds = |bin: usize| bin * ordered.len() / bins;
    let group = |bin: usize| &ordered[bounds(bin)..bounds(bin + 1)];
    (0..bins).filter_map(|bin| Bin::of(group(bin))).collect()
}

impl Bin {
    fn of(forecasts: &[Forecast]) -> Option<Self> {
        let count = forecasts.len() as f64;
        let said = forecasts.iter().map(|forecast| forecast.probability).sum::<f64>() / count;
        let came = forecasts.iter().filter(|forecast| forecast.came).count() as f64 / count;
        Some(Self { count: forecasts.len(), said, came, interval: wilson(came, count)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_trials_say_nothing() {
        assert_eq!(wilson(0.5, 0.0), None);
        assert_eq!(wilson(f64::NAN, 10.0), None);
        assert_eq!(wilson(1.5, 10.0), None);
        assert_eq!(brier(&[]), None);
        assert_eq!(reliability(&[], 5), []);
    }

    #[test]
    fn bins_hold_equal_counts_in_ascending_order() {
        let forecast = |nth: u8| Forecast {
            probability: f64::from(nth * 7 % 12) / 12.0,
            came: nth.is_multiple_of(3),
        };
        let forecasts: Vec<_> = (0..12).map(forecast).collect();
        let bins = reliability(&forecasts, 5);
        assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), [2, 2, 3, 2, 3]);
        assert!(bins.is_sorted_by(|left, right| left.said < right.said));
        let came: f64 = bins.iter().map(|bin| bin.came * bin.count as f64).sum();
        assert!((came - 4.0).abs() < 1e-12);
        assert_eq!(reliability(&forecasts[..2], 5).len(), 2);
        let mut turned = forecasts;
        turned.reverse();
        assert_eq!(reliability(&turned, 5), bins);
    }

    #[test]
    fn a_perfect_forecaster_scores_nothing() {
        let sure = [1.0, 0.0].map(|probability| Forecast { probability, came: probability > 0.5 });
        assert_eq!(brier(&sure), Some(0.0));
    }
}
