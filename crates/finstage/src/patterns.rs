//! What patterns are looked for in: stored signals with their outcomes, and the bars that they are
//! compared with.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::{Direction, Horizon, Interval, Symbol, Timestamp};
use finstage_quant::stats::occasions::Holding;
use finstage_research::live::{Settled, base_rate};
use finstage_research::patterns::{Market, PastSignal};
use finstage_store::Error;
use finstage_store::history::History;
use finstage_store::records::{FollowedSignal, Records, TrackOutcome};

use crate::{drift, track};

/// Which signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Those that could be known at or after this moment.
    pub since: Timestamp,
    /// Those that could be known before it.
    pub until: Timestamp,
    /// About these; about all where none is named.
    pub symbols: Vec<Symbol>,
}

/// Signals of the track record with their outcomes; those that were withheld for their data are left out.
///
/// # Errors
/// When the records cannot be read.
pub fn signals(records: &Records, asked: &Asked) -> Result<Vec<PastSignal>, Error> {
    let is_asked = |one: &FollowedSignal| {
        one.signal.at < asked.until
            && (asked.symbols.is_empty() || asked.symbols.contains(&one.signal.symbol))
            && drift::is_sound(one)
    };
    let mut all = records.followed(None, asked.since)?;
    all.retain(is_asked);
    Ok(all.into_iter().map(past).collect())
}

fn past(one: FollowedSignal) -> PastSignal {
    let settled = |outcome: &TrackOutcome| {
        let holding = Holding { entry: outcome.entry_at, exit: outcome.exit_at };
        (outcome.horizon, Settled { holding, ret: outcome.ret })
    };
    PastSignal {
        signal: one.signal.id,
        outcomes: one.outcomes.iter().map(settled).collect(),
        strategy: one.signal.strategy,
        symbol: one.signal.symbol,
        interval: one.signal.interval,
        direction: one.signal.direction,
        at: one.signal.at,
    }
}

/// What all bars of the series and the time of these signals came to.
///
/// # Errors
/// When records or history cannot be read.
pub fn market(
    records: &Records,
    history: &History,
    signals: &[PastSignal],
) -> Result<Market, Error> {
    let mut spans: BTreeMap<(&Symbol, Interval), Timestamp> = BTreeMap::new();
    let begin = signals.iter().map(|one| one.at).min().unwrap_or(Timestamp::MAX);
    for one in signals {
        let exits = one.outcomes.iter().map(|(_, settled)| settled.holding.exit);
        let last = exits.fold(one.at, Timestamp::max);
        let end = spans.entry((&one.symbol, one.interval)).or_insert(last);
        *end = last.max(*end);
    }
    let mut market = Market::default();
    for ((symbol, interval), end) in spans {
        // Ranges of time end before their end.
        let end = end.plus(Duration::from_nanos(1));
        let bars = history.bars(symbol, interval, begin..end)?;
        let hours = track::hours(records, symbol)?;
        for horizon in Horizon::ALL {
            let Some(length) = track::length(hours, horizon, interval) else { continue };
            for direction in [Direction::Long, Direction::Short] {
                if let Some(rate) = base_rate(&bars, length, direction) {
                    let key = (symbol.clone(), interval, horizon, direction);
                    market.base.insert(key, rate);
                }
            }
        }
        let closes = bars.iter().map(finstage_model::Bar::close_time).collect();
        market.closes.insert((symbol.clone(), interval), closes);
    }
    Ok(market)
}
