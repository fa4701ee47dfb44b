//! How much a Sharpe ratio says, given its sample, its shape and how often one tried.
//!
//! All ratios are per period, never annualised.

use super::moments::{Moments, mean};
use super::normal;

const EULER_MASCHERONI: f64 = 0.577_215_664_901_532_9;

/// The probability that the true Sharpe ratio exceeds `against` (Bailey and López de Prado 2012):
/// `Φ((SR − s)·√(T−1) / √(1 − γ₃·SR + (γ₄−1)/4·SR²))`. `None` where the root has no value.
#[must_use]
pub fn probabilistic(moments: &Moments, against: f64) -> Option<f64> {
    let spread = error_square(moments)?.sqrt();
    let z = (moments.sharpe() - against) * (moments.count as f64 - 1.0).sqrt() / spread;
    z.is_finite().then(|| normal::cdf(z))
}

/// The number of periods after which the Sharpe ratio would exceed 0 with this `confidence`
/// (Bailey and López de Prado 2012): `1 + (1 − γ₃·SR + (γ₄−1)/4·SR²)·(Φ⁻¹(confidence)/SR)²`.
/// `None` for a ratio of 0 and below, which no track record makes significant.
#[must_use]
pub fn least_track_record(moments: &Moments, confidence: f64) -> Option<f64> {
    let ratio = moments.sharpe();
    let z = normal::quantile(confidence)? / ratio;
    let length = 1.0 + error_square(moments)? * z * z;
    (ratio > 0.0 && length.is_finite()).then_some(length)
}

/// The greatest Sharpe ratio to expect of `trials` independent trials without skill (Bailey and López
/// de Prado 2014): `√V·((1−γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e)))`, V the `variance` of the ratios
/// over the trials. 0 for a single trial, and where few trials would make it negative.
#[must_use]
pub fn best_of_luck(variance: f64, trials: f64) -> Option<f64> {
    if !(variance >= 0.0 && variance.is_finite() && trials >= 1.0 && trials.is_finite()) {
        return None;
    }
    if trials <= 1.0 {
        return Some(0.0);
    }
    let typical = -normal::quantile(1.0 / trials)?;
    let beyond = -normal::quantile(1.0 / (trials * std::f64::consts::E))?;
    let expected = (1.0 - EULER_MASCHERONI) * typical + EULER_MASCHERONI * beyond;
    Some((variance.sqrt() * expected).max(0.0))
}

/// Many trials of one idea: how different they were, and how many independent ones they are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trials {
    /// Mean correlation ρ̄ between the trials' series.
    pub mean_correlation: f64,
    /// `K_eff = ρ̄ + (1 − ρ̄)·K`, at least 1 and at most K.
    pub effective: f64,
    /// Variance of the Sharpe ratios over the trials, with n − 1 in the denominator.
    pub variance: f64,
}

impl Trials {
    /// Of the trials' return series, one each. A series without spread counts as a trial with ratio
    /// 0 and has no part in the correlation, which is 0 where fewer than two have one. `None` without
    /// a trial.
    #[must_use]
    pub fn of(series: &[&[f64]]) -> Option<Self> {
        let mut alike = Alike::new(series.iter().map(|one| one.len()).min()?);
        series.iter().for_each(|one| alike.add(one));
        alike.trials()
    }

    /// A single trial, which was chosen from nothing.
    pub const ONE: Self = Self { mean_correlation: 0.0, effective: 1.0, variance: 0.0 };
}

/// Gathers [`Trials`], one series after the other, so that there may be more of them than fit the
/// memory.
#[derive(Debug, Clone)]
pub struct Alike {
    /// Sum of the standardised series, row by row.
    sums: Vec<f64>,
    /// Series with spread.
    used: f64,
    ratios: Vec<f64>,
}

impl Alike {
    /// For series of so many rows.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self { sums: vec![0.0; rows], used: 0.0, ratios: Vec::new() }
    }

    /// Adds a trial; of a longer series the correlation sees the first rows only.
    pub fn add(&mut self, series: &[f64]) {
        self.ratios.push(ratio(series));
        let rows = self.sums.len().min(series.len());
        let Some(moments) = Moments::of(&series[..rows]) else { return };
        self.used += 1.0;
        for (sum, value) in self.sums.iter_mut().zip(series) {
            *sum += (value - moments.mean) / moments.deviation;
        }
    }

    /// What they are together. `None` without a trial.
    #[must_use]
    pub fn trials(&self) -> Option<Trials> {
        let (used, count) = (self.used, self.ratios.len());
        let squares: f64 = self.sums.iter().map(|sum| sum * sum).sum();
        let all = squares / (self.sums.len() as f64 - 1.0);
        let mean_correlation = if used > 1.0 { (all - used) / (used * (used - 1.0)) } else { 0.0 };
        let center = mean(&self.ratios)?;
        let squares: f64 =
            self.ratios.iter().map(|ratio| (ratio - center) * (ratio - center)).sum();
        let variance = if count > 1 { squares / (count as f64 - 1.0) } else { 0.0 };
        Some(Trials {
            mean_correlation,
            effective: effective_trials(mean_correlation, count)?,
            variance,
        })
    }
}

/// `K_eff = ρ̄ + (1 − ρ̄)·K`, kept within 1 and K. `None` without trials or correlation.
#[must_use]
pub fn effective_trials(mean_correlation: f64, trials: usize) -> Option<f64> {
    let count = trials as f64;
    let effective = mean_correlation + (1.0 - mean_correlation) * count;
    (trials > 0 && effective.is_finite()).then(|| effective.clamp(1.0, count))
}

/// The deflated Sharpe ratio (Bailey and López de Prado 2014): the probability that the ratio exceeds
/// what luck makes of so many trials. With one trial it is [`probabilistic`] against 0.
#[must_use]
pub fn deflated(moments: &Moments, variance: f64, trials: f64) -> Option<f64> {
    probabilistic(moments, best_of_luck(variance, trials)?)
}

/// Sharpe ratio of a series; 0 where it has no spread, as nothing was risked.
fn ratio(series: &[f64]) -> f64 {
    Moments::of(series).map_or(0.0, |moments| moments.sharpe())
}

/// `1 − γ₃·SR + (γ₄−1)/4·SR²`: variance of the ratio times T − 1.
fn error_square(moments: &Moments) -> Option<f64> {
    let ratio = moments.sharpe();
    let square = 1.0 - moments.skew * ratio + (moments.kurtosis - 1.0) / 4.0 * ratio * ratio;
    (square > 0.0 && square.is_finite()).then_some(square)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trial_is_not_deflated() {
        let moments = Moments::of(&[0.01, -0.005, 0.02, 0.0, 0.004]).unwrap();
        assert_eq!(deflated(&moments, 0.3, 1.0), probabilistic(&moments, 0.0));
        let trials = Trials::of(&[&[0.01, -0.005, 0.02]]).unwrap();
        assert_eq!((trials.effective, trials.variance), (1.0, 0.0));
    }

    #[test]
    fn more_trials_need_a_greater_ratio() {
        let bars = [1.0, 1.5, 2.0, 10.0, 100.0, 1e6].map(|n| best_of_luck(1.0, n).unwrap());
        assert!(bars.is_sorted(), "{bars:?}");
        assert_eq!(best_of_luck(0.0, 50.0), Some(0.0));
        assert_eq!(best_of_luck(1.0, 1.05), Some(0.0));
    }

    #[test]
    fn what_has_no_answer_says_so() {
        assert_eq!(best_of_luck(1.0, 0.0), None);
        assert_eq!(best_of_luck(f64::NAN, 3.0), None);
        assert_eq!(Trials::of(&[]), None);
        assert_eq!(effective_trials(0.5, 0), None);
        let losing = Moments::of(&[-0.01, -0.02]).unwrap();
        assert_eq!(least_track_record(&losing, 0.95), None);
    }
}
