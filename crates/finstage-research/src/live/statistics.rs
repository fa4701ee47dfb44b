//! What live signals came to, by strategy, length of bars, direction and horizon.

use finstage_model::{Bar, Direction, Horizon, Interval};
use finstage_quant::stats::moments::{Moments, mean};
use finstage_quant::stats::occasions::{Holding, occasion_means, occasions};
use finstage_quant::stats::proportion::wilson;
use serde::Serialize;

use super::Followed;

/// With fewer settled signals, or fewer separate occasions, figures say little.
pub const FEW: usize = 30;

/// Which signals belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Group {
    /// Strategy with parameters, canonical.
    pub strategy: String,
    /// Length of its bars.
    pub interval: Interval,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// How long after the signal.
    pub horizon: Horizon,
}

/// Figures of settled signals. Returns are fractions in the declared direction, before costs: a
/// bearish signal wins when the price falls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// What they are about.
    #[serde(flatten)]
    pub group: Group,
    /// Settled signals.
    pub n: usize,
    /// Those that do not overlap, over all instruments.
    pub occasions: usize,
    /// Whether n or occasions are below [`FEW`].
    pub is_few: bool,
    /// Share that went the declared way.
    pub win_rate: f64,
    /// Lower end of its 95 % interval (Wilson 1927, by occasions).
    pub win_low: Option<f64>,
    /// Upper end.
    pub win_high: Option<f64>,
    /// Share of all bars of the same instruments that went this way in the time of the whole record
    /// ([`base_rate`]); filled in by who has the bars. `None` where these are fewer than [`FEW`].
    pub base_rate: Option<f64>,
    /// How many bars it is the share of.
    pub base_bars: usize,
    /// Mean return.
    pub mean: f64,
    /// Standard deviation of returns, n − 1 in the denominator; `None` without spread.
    pub volatility: Option<f64>,
    /// Mean over volatility, of one signal, never annualised.
    pub sharpe: Option<f64>,
    /// Sum of gains over sum of losses; `None` without a loss.
    pub profit_factor: Option<f64>,
    /// Greatest fall from a peak, as a fraction of it, of an account that puts all it has into one
    /// occasion after another, in equal parts into its signals.
    pub max_drawdown: f64,
}

/// Statistics of the settled ones among `followed`, by group, in the order of groups. Signals that
/// were withheld for their data are the caller's to leave out.
#[must_use]
pub fn statistics(followed: &[Followed]) -> Vec<Statistics> {
    let mut settled: Vec<(Group, (Holding, f64))> = followed
        .iter()
        .filter_map(|one| Some((Group::of(one), (one.settled?.holding, one.gain()?))))
        .collect();
    settled.sort_by(|(a, x), (b, y)| a.cmp(b).then(x.0.cmp(&y.0)).then(x.1.total_cmp(&y.1)));
    let groups = settled.chunk_by(|a, b| a.0 == b.0);
    groups.map(|group| Statistics::of(group[0].0.clone(), group)).collect()
}

/// Share of the positions of `length` bars that could have been entered and left within `bars`, oldest
/// first, that went the way of `direction`: the base rate of a horizon. `None` where there are none.
#[must_use]
pub fn base_rate(bars: &[Bar], length: usize, direction: Direction) -> Option<f64> {
    let wins = |(entry, exit): &(&Bar, &Bar)| match direction {
        Direction::Long => exit.open > entry.open,
        Direction::Short => exit.open < entry.open,
    };
    let all = || bars.iter().zip(bars.iter().skip(length)).filter(|_| length > 0);
    let count = all().count();
    (count > 0).then(|| all().filter(wins).count() as f64 / count as f64)
}

impl Group {
    /// The group that a signal belongs to.
    #[must_use]
    pub fn of(one: &Followed) -> Self {
        Self {
            strategy: one.strategy.clone(),
            interval: one.interval,
            direction: one.direction,
            horizon: one.horizon,
        }
    }
}

impl Statistics {
    fn of(group: Group, settled: &[(Group, (Holding, f64))]) -> Self {
        let outcomes: Vec<(Holding, f64)> = settled.iter().map(|(_, outcome)| *outcome).collect();
        let holdings: Vec<Holding> = outcomes.iter().map(|(holding, _)| *holding).collect();
        let returns: Vec<f64> = outcomes.iter().map(|(_, gain)| *gain).collect();
        let (n, separate) = (returns.len(), occasions(&holdings));
        let win_rate = returns.iter().filter(|gain| **gain > 0.0).count() as f64 / n as f64;
        let interval = wilson(win_rate, separate as f64);
        let moments = Moments::of(&returns);
        let sum =
            |keep: fn(f64) -> bool| -> f64 { returns.iter().filter(|gain| keep(**gain)).sum() };
        let (gains, losses) = (sum(|gain| gain > 0.0), -sum(|gain| gain < 0.0));
        Self {
            group,
            n,
            occasions: separate,
            is_few: n < FEW || separate < FEW,
            win_rate,
            win_low: interval.map(|interval| interval.low),
            win_high: interval.map(|interval| interval.high),
            base_rate: None,
            base_bars: 0,
            mean: mean(&returns).unwrap_or(0.0),
            volatility: moments.map(|moments| moments.deviation),
            sharpe: moments.map(|moments| moments.sharpe()),
            profit_factor: (losses > 0.0).then(|| gains / losses),
            max_drawdown: drawdown(&occasion_means(&outcomes)),
        }
    }
}

/// The greatest fall from a peak of an account that begins with 1 and is multiplied by 1 + r. What
/// loses more than there is leaves nothing.
fn drawdown(returns: &[f64]) -> f64 {
    let (mut worth, mut peak, mut worst) = (1.0f64, 1.0f64, 0.0f64);
    for gain in returns {
        worth *= (1.0 + gain).max(0.0);
        peak = peak.max(worth);
        worst = worst.max(1.0 - worth / peak);
    }
    worst
}

#[cfg(test)]
mod tests;
