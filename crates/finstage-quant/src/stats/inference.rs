//! Whether what followed a signal can be luck: standard error, p-value, interval.

use super::bootstrap::Tail;
use super::event_study::{Claim, Study};
use super::long_run::stationary_variance;
use super::proportion::Interval;
use super::quantile::quantile;
use super::student;

/// Mean block length for positions held `horizon` bars, in dates: `max(5, 2h)`.
#[must_use]
pub fn mean_block(horizon: usize) -> f64 {
    (2.0 * horizon as f64).max(5.0)
}

/// An effect after cost, measured in its own uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// θ less the cost of a round trip; θ itself for [`Claim::Size`], which nobody trades.
    pub theta_net: f64,
    /// Its standard error, by the closed form of the stationary bootstrap.
    pub se: f64,
    /// `theta_net / se`.
    pub t: f64,
    /// Degrees of freedom: effective events less one.
    pub freedom: f64,
}

impl Estimate {
    /// Of a study, with `cost` as a fraction a side and blocks of mean length `mean_block`. `None`
    /// where the standard error has no value: one date, or no spread.
    #[must_use]
    pub fn of(study: &Study, cost: f64, mean_block: f64) -> Option<Self> {
        let round_trip = if study.claim == Claim::Size { 0.0 } else { 2.0 * cost };
        let theta_net = study.theta - round_trip;
        let se = stationary_variance(&study.psi, mean_block)?.sqrt();
        let t = theta_net / se;
        let freedom = study.n_eff as f64 - 1.0;
        t.is_finite().then_some(Self { theta_net, se, t, freedom })
    }

    /// P(T ≥ t) of Student's distribution. `None` with a single effective event.
    #[must_use]
    pub fn p_student(&self) -> Option<f64> {
        student::upper(self.t, self.freedom)
    }

    /// The p-value: the larger of Student's and the bootstrap's, as neither is safe everywhere.
    #[must_use]
    pub fn p(&self, tail: Tail) -> Option<f64> {
        Some(self.p_student()?.max(tail.p()))
    }

    /// The 95 % interval by the quantiles of the draws' t*, in ascending order:
    /// `[θnet − q₉₇.₅·se, θnet − q₂.₅·se]`. `None` without draws, and where more than one in forty
    /// had no spread.
    #[must_use]
    pub fn interval_of_draws(&self, ascending: &[f64]) -> Option<Interval> {
        let end = |share: f64| Some(self.theta_net - quantile(ascending, share)? * self.se);
        Some(Interval { low: end(0.975)?, high: end(0.025)? })
    }

    /// The 95 % interval by Student's distribution: `θnet ± t₀.₉₇₅·se`. `None` with a single
    /// effective event.
    #[must_use]
    pub fn interval_student(&self) -> Option<Interval> {
        let reach = student::quantile(0.975, self.freedom)? * self.se;
        Some(Interval { low: self.theta_net - reach, high: self.theta_net + reach })
    }

    /// The 95 % interval: the hull of both. `None` where either has no value.
    #[must_use]
    pub fn interval(&self, ascending: &[f64]) -> Option<Interval> {
        let (draws, student) = (self.interval_of_draws(ascending)?, self.interval_student()?);
        Some(Interval { low: draws.low.min(student.low), high: draws.high.max(student.high) })
    }
}

/// t* in ascending order, for the quantiles of [`Estimate::interval`].
#[must_use]
pub fn ascending(t_stars: &[f64]) -> Vec<f64> {
    let mut ordered = t_stars.to_vec();
    ordered.sort_unstable_by(f64::total_cmp);
    ordered
}
