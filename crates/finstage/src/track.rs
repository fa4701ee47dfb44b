//! The track record, brought up to date: beside a running service at its start and then once an hour,
//! and before an export.
//!
//! A late run settles what an early one would have: an outcome follows from the bars between the
//! signal and its horizon and from nothing else. Where a venue has a bar for every interval, all of
//! these must be there; a hole is waited for, because an import may still fill it.
//!
//! After each run verified cards are held against the new outcomes, and muted where they do not hold.

mod audit;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use finstage_engine::{Question, Settlement, trace_bars};
use finstage_feeds::{MarketHours, registry, venues};
use finstage_model::{Bar, Category, Horizon, Interval, Position, Symbol, Timestamp};
use finstage_store::history::History;
use finstage_store::records::{OpenSignal, Records, TrackOutcome, TrackSignal};
use finstage_store::{Error, Journal};

pub use self::audit::{Audit, audit, line};

/// After its close a bar is waited for this long: the journal behind it is on disk by then, so no
/// restart takes it back.
pub const SETTLING: Duration = Duration::from_secs(60);
/// One run at a time: a service has two places that ask for one.
static TURN: Mutex<()> = Mutex::new(());
/// Open signals that are looked at together.
const PAGE: usize = 1_000;
/// Signals of a series whose first and last are not farther apart share one reading of bars.
const SHARED: Duration = Duration::from_secs(31 * 86_400);
/// No exit is farther from its signal than this and three bars: a month of trading days is not.
const FARTHEST: Duration = Duration::from_secs(62 * 86_400);

/// No exit is nearer to its signal than this part of the horizon's nominal length, and in a market that never
/// closes not than the whole: 21 bars of a month may be as many days, where hours are not known.
const SHORTEST: f64 = 2.0 / 3.0;

/// How far what is stored can no longer change.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// The journal is on disk up to here.
    pub position: Position,
    /// Bars that closed by then stay.
    pub time: Timestamp,
}

/// What a run added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Update {
    /// Signals.
    pub signals: u64,
    /// Outcomes.
    pub outcomes: u64,
}

/// Adds signals that can no longer change, and outcomes that are due.
///
/// # Errors
/// When records or history cannot be read or written, or the chain is not whole.
pub fn update(records: &Records, history: &History, reach: Reach) -> Result<Update, Error> {
    // A run that broke off left nothing half done.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let signals = records.track_signals(reach.position)?.added;
    let (mut outcomes, mut after) = (0, 0);
    loop {
        let open = records.track_open(after, PAGE)?;
        let Some(last) = open.last() else { return Ok(Update { signals, outcomes }) };
        after = last.number;
        outcomes += settle_page(records, history, open, reach.time)?;
    }
}

/// As [`update`] in a folder that no service holds: what a power cut took from its journal is first
/// taken out of the records, as the next start would.
///
/// # Errors
/// As [`update`]; when the journal cannot be read.
pub fn update_at_rest(
    records: &Records,
    history: &History,
    journal: &Journal,
) -> Result<Update, Error> {
    let position = match crate::day::last_run(journal)? {
        Some((day, run)) => {
            let end = journal.writer(day, run)?.end();
            records.rewind(end)?;
            end
        }
        // Days that are no longer kept: nothing can take back what followed from them.
        None => Position::from_i64(i64::MAX),
    };
    update(records, history, Reach { position, time: Timestamp::MAX })
}

fn settle_page(
    records: &Records,
    history: &History,
    page: Vec<OpenSignal>,
    until: Timestamp,
) -> Result<u64, Error> {
    let mut series: BTreeMap<(Symbol, Interval), Vec<OpenSignal>> = BTreeMap::new();
    for open in page {
        series.entry((open.signal.symbol.clone(), open.signal.interval)).or_default().push(open);
    }
    let (mut due, mut done) = (Vec::new(), Vec::new());
    for ((symbol, interval), mut signals) in series {
        let hours = hours(records, &symbol)?;
        signals.retain(|open| may_settle(open, hours, until));
        signals.sort_by_key(|open| (open.signal.timestamp, open.number));
        let is_near = |a: &OpenSignal, b: &OpenSignal| {
            let place =
                |open: &OpenSignal| open.signal.timestamp.nanos() / SHARED.as_nanos() as i64;
            place(a) == place(b)
        };
        for near in signals.chunk_by(is_near) {
            let (first, last) = (near[0].signal.timestamp, near[near.len() - 1].signal.timestamp);
            let end = last.plus(FARTHEST).plus(interval.nominal().saturating_mul(3));
            let bars = history.bars(&symbol, interval, first..end)?;
            for open in near {
                let market = Market { bars: &bars, hours, until };
                let (settled, is_done) = settle_signal(open, &market);
                due.extend(settled.into_iter().map(|outcome| (open.number, outcome)));
                if is_done {
                    done.push(open.signal.id);
                }
            }
        }
    }
    due.sort_by_key(|(number, outcome)| (outcome.exit_at, *number, outcome.horizon));
    let due: Vec<TrackOutcome> = due.into_iter().map(|(_, outcome)| outcome).collect();
    if due.is_empty() && done.is_empty() {
        return Ok(0);
    }
    Ok(records.track_outcomes(&due, &done)?.added)
}

/// What signals of a series are settled on.
struct Market<'a> {
    bars: &'a [Bar],
    /// Where they are known.
    hours: Option<MarketHours>,
    until: Timestamp,
}

/// When the market of a symbol is open, where that is known.
///
/// # Errors
/// When the records cannot be read.
pub(crate) fn hours(records: &Records, symbol: &Symbol) -> Result<Option<MarketHours>, Error> {
    if let Some(hours) = registry::hours(symbol) {
        return Ok(Some(hours));
    }
    let stored = records.instrument(symbol)?;
    let is_always_open = stored.is_some_and(|stored| stored.category == Category::Crypto);
    Ok(is_always_open.then_some(MarketHours::Always))
}

/// The bars of open time that a horizon is, as [`crate::evidence::instrument`] counts them; `None` where
/// it is shorter than one bar, or how many bars a day has is not known.
pub(crate) fn length(
    hours: Option<MarketHours>,
    horizon: Horizon,
    interval: Interval,
) -> Option<usize> {
    match hours {
        Some(hours) => hours.bars_of(horizon, interval),
        None if interval < Interval::D1 && horizon.interval() >= Interval::D1 => None,
        None => horizon.bars(interval, false),
    }
}

/// Whether anything of a signal may be over: most that are open are not, and their bars need not be read.
fn may_settle(open: &OpenSignal, hours: Option<MarketHours>, until: Timestamp) -> bool {
    let signal = &open.signal;
    let is_left = |horizon: &Horizon| {
        !open.settled.contains(horizon) && length(hours, *horizon, signal.interval).is_some()
    };
    let part = if hours == Some(MarketHours::Always) { 1.0 } else { SHORTEST };
    let least = |horizon: Horizon| horizon.interval().nominal().mul_f64(part);
    match Horizon::ALL.into_iter().filter(is_left).map(least).min() {
        Some(least) => signal.timestamp.plus(least) <= until,
        None => true,
    }
}

/// Outcomes that are new, and whether there are no more to come.
fn settle_signal(open: &OpenSignal, market: &Market<'_>) -> (Vec<TrackOutcome>, bool) {
    // Where a venue closes a bar for every interval, one that is missing may still come.
    let venue = venues::find(open.signal.symbol.venue());
    let has_every_bar = venue.is_some_and(|venue| venue.profile.bars_without_trades);
    let (mut new, mut is_done) = (Vec::new(), true);
    for horizon in Horizon::ALL {
        let length = length(market.hours, horizon, open.signal.interval);
        let Some(length) = length.filter(|_| !open.settled.contains(&horizon)) else { continue };
        let question = question(&open.signal, horizon);
        match trace_bars(&question, market.bars, length) {
            Settlement::TooShort => {}
            Settlement::NotYet | Settlement::Missing => is_done = false,
            Settlement::Settled(course) => {
                let between = market.bars.iter();
                let between: Vec<&Bar> = between
                    .skip_while(|bar| bar.open_time < open.signal.timestamp)
                    .take_while(|bar| bar.open_time <= course.exit_at)
                    .collect();
                let is_whole = !has_every_bar
                    || between.windows(2).all(|two| two[0].close_time() == two[1].open_time);
                let is_final = between.last().is_some_and(|bar| bar.close_time() <= market.until);
                if !(is_whole && is_final) {
                    is_done = false;
                    continue;
                }
                let outcome = course.outcome(&question);
                new.push(TrackOutcome {
                    id: open.signal.id,
                    horizon,
                    entry_at: course.entry_at,
                    entry: course.entry,
                    exit_at: course.exit_at,
                    exit: course.exit,
                    high: course.high,
                    low: course.low,
                    ret: outcome.ret,
                    mfe: outcome.mfe,
                    mae: outcome.mae,
                    hit: outcome.hit,
                });
            }
        }
    }
    (new, is_done)
}

fn question(signal: &TrackSignal, horizon: Horizon) -> Question {
    Question {
        signal: signal.id,
        direction: signal.direction,
        open_time: signal.timestamp,
        horizon,
    }
}

#[cfg(test)]
mod tests;
