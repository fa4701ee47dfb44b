//! Filters that a user sets on the alerts of strategies, besides what evidence asks for.
//!
//! The first that objects decides, in this order: which strategies may alert, what their evidence
//! must be, what the signal itself must be, what the market must be. What cannot be known objects to
//! nothing, with one exception: without a card there are no occasions.

use std::time::Duration;

use finstage_model::{Bar, Direction, Interval, Price, Proof, Signal, Timestamp, WithheldAlert};

use crate::market::Market;
use crate::plan::Planned;
use crate::settings::{AlertFilters, MarketRule};

/// Bars of the mean volume that a bar is compared with, itself among them.
pub(crate) const VOLUME_BARS: usize = 20;
/// Daily bars over which the market's way is read.
pub(crate) const TREND_DAYS: usize = 5;
/// A greater change over that time, in percent, is a way.
const TREND_PERCENT: i128 = 5;
const TREND_SPAN: Duration = Duration::from_secs(TREND_DAYS as u64 * 86_400);

/// Whether a filter objects to a signal.
type Objects = fn(&AlertFilters, &Case<'_>) -> bool;

/// A signal with what filters look at.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) signal: &'a Signal,
    pub(crate) planned: &'a Planned,
    /// The card that the alert rests on, if any.
    pub(crate) proof: Option<&'a Proof>,
    /// Whether the alert says a direction, and not only that moves are large.
    pub(crate) has_direction: bool,
    pub(crate) market: &'a Market,
    /// The series that shows where the market goes.
    pub(crate) trend: Option<Interval>,
}

impl AlertFilters {
    /// Why the signal's alert is not to be sent, if so.
    pub(crate) fn objection(&self, case: &Case<'_>) -> Option<WithheldAlert> {
        let all: [(WithheldAlert, Objects); 6] = [
            (WithheldAlert::StrategyOff, Self::is_off),
            (WithheldAlert::FewOccasions, Self::has_few_occasions),
            (WithheldAlert::LowHitRate, Self::has_low_hit_rate),
            (WithheldAlert::Weak, Self::is_weak),
            (WithheldAlert::Thin, Self::is_thin),
            (WithheldAlert::AgainstMarket, Self::is_against_market),
        ];
        all.into_iter().find(|(_, objects)| objects(self, case)).map(|(why, _)| why)
    }

    fn is_off(&self, case: &Case<'_>) -> bool {
        !self.strategies.is_empty() && !self.strategies.iter().any(|text| case.planned.is(text))
    }

    fn has_few_occasions(&self, case: &Case<'_>) -> bool {
        case.proof.map_or(0, |proof| proof.n_eff) < self.min_occasions
    }

    /// A hit of a claim about size is another thing, which this number is not about.
    fn has_low_hit_rate(&self, case: &Case<'_>) -> bool {
        let known = case.proof.filter(|_| case.has_direction).and_then(|proof| proof.hit_rate);
        known.is_some_and(|rate| rate < self.min_hit_rate)
    }

    fn is_weak(&self, case: &Case<'_>) -> bool {
        case.signal.strength.abs() < self.min_strength
    }

    fn is_thin(&self, case: &Case<'_>) -> bool {
        let signal = case.signal;
        let ratio = || {
            let bars = case.market.newest(signal.instrument, signal.interval, VOLUME_BARS);
            volume_ratio(bars)
        };
        self.min_volume_ratio > 0.0 && ratio().is_some_and(|ratio| ratio < self.min_volume_ratio)
    }

    /// A claim about size goes no way that the market could be against.
    fn is_against_market(&self, case: &Case<'_>) -> bool {
        if self.market == MarketRule::Any || !case.has_direction {
            return false;
        }
        let Some(base) = case.trend.and_then(|interval| case.base(interval)) else { return false };
        // In whole numbers, so that 95 after 100 has not fallen by more than 5 %.
        let price = i128::from(case.signal.price.nanos()) * 100;
        let way = |percent: i128| i128::from(base.nanos()) * (100 + percent);
        match case.signal.direction {
            Direction::Long => price < way(-TREND_PERCENT),
            Direction::Short => price > way(TREND_PERCENT),
        }
    }
}

impl Case<'_> {
    /// The close five daily bars before the signal; on shorter bars, the close of the last bar that
    /// had closed five days before. `None` where that is unknown or no price to compare with.
    fn base(&self, interval: Interval) -> Option<Price> {
        let signal = self.signal;
        let bars = self.market.bars_until(signal.instrument, interval, signal.at);
        base(bars, signal.at).map(|bar| bar.close).filter(|close| close.nanos() > 0)
    }
}

/// The bar that the market's way is read from, among bars that closed before `at`.
fn base(bars: &[Bar], at: Timestamp) -> Option<&Bar> {
    match bars.last()?.interval {
        Interval::D1 => bars.len().checked_sub(TREND_DAYS).map(|place| &bars[place]),
        _ => {
            let since = at.minus(TREND_SPAN);
            bars.iter().rev().find(|bar| bar.close_time() <= since)
        }
    }
}

/// As many bars of a series as [`base`] may need.
pub(crate) fn trend_depth(interval: Interval) -> usize {
    match interval {
        Interval::D1 => TREND_DAYS + 1,
        shorter => (TREND_SPAN.as_secs() / shorter.nominal().as_secs().max(1)) as usize + 2,
    }
}

/// Volume of the last bar over the mean of all of them; `None` with fewer than [`VOLUME_BARS`], or
/// where none reports any volume.
fn volume_ratio(bars: &[Bar]) -> Option<f64> {
    let last = bars.last()?.volume.to_f64();
    let mean = bars.iter().map(|bar| bar.volume.to_f64()).sum::<f64>() / bars.len() as f64;
    (bars.len() >= VOLUME_BARS && mean > 0.0).then(|| last / mean)
}

#[cfg(test)]
mod tests;
