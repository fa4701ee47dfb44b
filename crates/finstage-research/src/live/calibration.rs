//! Whether hit rates mean what they say.

use finstage_quant::stats::proportion::{Bin, Forecast, brier, reliability};
use serde::Serialize;

/// Groups in which forecasts are compared with what came.
pub const BINS: usize = 5;
/// Occasions at which a card's own hit rate weighs as much as the base rate.
const PRIOR: f64 = 30.0;

/// What was said with a signal about its hit, and what came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// Hit rate of the card that ruled.
    pub hit_rate: f64,
    /// The same share of any bar.
    pub base_rate: f64,
    /// Separate occasions of the card.
    pub n_eff: u64,
    /// Whether the price went the declared way.
    pub hit: bool,
}

/// Forecasts compared with what came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Forecasts.
    pub n: usize,
    /// Brier score (1950) of the forecasts, 0 is perfect; `None` without any.
    pub brier: Option<f64>,
    /// That of the base rate alone: the forecasts add something where theirs is lower.
    pub brier_base: Option<f64>,
    /// In groups of equal count, from the least to the most probable.
    pub reliability: Vec<Reliability>,
}

/// A group of forecasts of similar probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reliability {
    /// How many.
    pub n: usize,
    /// The mean probability that was said.
    pub said: f64,
    /// The share that came.
    pub came: f64,
    /// Lower end of its 95 % Wilson interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The probability of a hit that a card amounts to: its hit rate, drawn to the base rate the more the
/// fewer occasions it knows, with weight n_eff/(n_eff + 30).
#[must_use]
pub fn shrunk(hit_rate: f64, base_rate: f64, n_eff: u64) -> f64 {
    let weight = n_eff as f64 / (n_eff as f64 + PRIOR);
    base_rate + weight * (hit_rate - base_rate)
}

/// Compares what was said with what came. What is no share, from 0 to 1, is left out.
#[must_use]
pub fn calibration(said: &[Said]) -> Calibration {
    let is_share = |value: f64| (0.0..=1.0).contains(&value);
    let sound: Vec<&Said> =
        said.iter().filter(|one| is_share(one.hit_rate) && is_share(one.base_rate)).collect();
    let forecasts = |of: &dyn Fn(&Said) -> f64| -> Vec<Forecast> {
        sound.iter().map(|one| Forecast { probability: of(one), came: one.hit }).collect()
    };
    let own = forecasts(&|one| shrunk(one.hit_rate, one.base_rate, one.n_eff));
    let base = forecasts(&|one| one.base_rate);
    let group = |bin: Bin| Reliability {
        n: bin.count,
        said: bin.said,
        came: bin.came,
        low: bin.interval.low,
        high: bin.interval.high,
    };
    Calibration {
        n: sound.len(),
        brier: brier(&own),
        brier_base: brier(&base),
        reliability: reliability(&own, BINS).into_iter().map(group).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(hit_rate: f64, hits: usize, count: usize) -> Vec<Said> {
        let one = |place| Said { hit_rate, base_rate: 0.5, n_eff: 90, hit: place < hits };
        (0..count).map(one).collect()
    }

    #[test]
    fn a_hit_rate_is_drawn_to_the_base_rate_by_its_occasions() {
        assert_eq!(shrunk(0.7, 0.5, 0), 0.5);
        assert!((shrunk(0.7, 0.5, 30) - 0.6).abs() < 1e-12);
        assert!((shrunk(0.7, 0.5, 270) - 0.68).abs() < 1e-12);
    }

    #[test]
    fn scores_are_those_of_a_calculation_by_hand() {
        // 90 occasions weigh 0.75: 0.7 becomes 0.65, 0.3 becomes 0.35.
        let all = [said(0.7, 13, 20), said(0.3, 7, 20)].concat();
        let done = calibration(&all);
        let own = (13.0 * 0.35f64.powi(2) + 7.0 * 0.65f64.powi(2)) / 20.0;
        assert!((done.brier.unwrap() - own).abs() < 1e-12, "{done:?}");
        assert!((done.brier_base.unwrap() - 0.25).abs() < 1e-12);
        assert_eq!((done.n, done.reliability.len()), (40, BINS));
        assert!(done.reliability.iter().all(|bin| bin.n == 8 && bin.low < bin.high));
        let came: f64 = done.reliability.iter().map(|bin| bin.came * bin.n as f64).sum();
        assert!((came - 20.0).abs() < 1e-9);
        assert!((done.reliability[0].said - 0.35).abs() < 1e-12);
        assert!((done.reliability[4].said - 0.65).abs() < 1e-12);
    }

    #[test]
    fn nothing_said_is_no_calibration() {
        let done = calibration(&said(f64::NAN, 1, 3));
        assert_eq!((done.n, done.brier, done.reliability.len()), (0, None, 0));
    }
}
