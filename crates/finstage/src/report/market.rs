//! Prices of the day, and the bars that are missing in it.

use std::ops::Range;
use std::time::Duration;

use finstage_feeds::registry;
use finstage_model::{Bar, Category, Interval, Symbol, Timestamp};
use finstage_store::Error;
use finstage_store::history::{History, Schedule, SeriesSummary, gaps};
use finstage_store::records::{Moments, Records};

use super::cover::Cover;
use super::gather::Asked;
use super::{Data, InstrumentDay, MAX_ROWS, Record, SeriesBegun, SeriesHoles};
use crate::wiring::describe;

/// Series of which holes are looked for.
const MAX_SERIES: usize = 400;
/// A series whose last bar is older than this before the day has ended: nothing of it is missing.
const ENDED: Duration = Duration::from_secs(7 * 86_400);
/// What tells when a market trades: the weeks before the day.
const PATTERN: Duration = Duration::from_secs(8 * 7 * 86_400);

/// The instruments of a report: those that are watched, or all that have bars.
pub(super) fn watched(history: &History, watched: &[Symbol]) -> Result<Vec<Symbol>, Error> {
    let mut symbols: Vec<Symbol> = watched.to_vec();
    if symbols.is_empty() {
        symbols = history.series()?.into_iter().map(|series| series.symbol).collect();
    }
    symbols.sort_unstable();
    symbols.dedup();
    Ok(symbols)
}

pub(super) fn instrument(
    history: &History,
    records: &Records,
    (symbol, series): (&Symbol, &[SeriesSummary]),
    asked: &Asked<'_>,
) -> Result<InstrumentDay, Error> {
    let known = records.instrument(symbol)?;
    let mut day = InstrumentDay {
        symbol: symbol.clone(),
        currency: known.and_then(|known| known.currency).or_else(|| describe(symbol).currency),
        interval: None,
        bars: 0,
        close: None,
        close_at: None,
        close_day: None,
        before: None,
        before_at: None,
        change: None,
        high: None,
        low: None,
        part: None,
        record: None,
    };
    let mut intervals: Vec<Interval> =
        series.iter().filter(|one| one.symbol == *symbol).map(|one| one.interval).collect();
    intervals.sort_unstable();
    let cover = Cover { history, symbol, intervals: &intervals, asked };
    let last = match cover.told()? {
        Some(told) => {
            (day.interval, day.bars) = (Some(told.interval), told.bars);
            (day.high, day.low, day.part) = (told.high, told.low, told.part);
            let base = cover.base(told.interval)?;
            day.before = base.map(|bar| bar.close);
            day.before_at = base.map(|bar| cover.closed_at(&bar));
            Some(told.last)
        }
        None => match cover.before(None)? {
            Some(bar) => Some(bar),
            None => newest(history, (symbol, &intervals), asked.moments().after)?,
        },
    };
    day.close = last.map(|bar| bar.close);
    day.close_at = last.map(|bar| cover.closed_at(&bar));
    day.close_day = last.map(|bar| cover.day_of(&bar));
    let (close, before) = (day.close.map(|p| p.to_f64()), day.before.map(|p| p.to_f64()));
    day.change = ratio(close, before);
    day.record = record(history, symbol, &day, asked.moments())?;
    Ok(day)
}

/// The bar of any length that closed last before `until`.
fn newest(
    history: &History,
    (symbol, intervals): (&Symbol, &[Interval]),
    until: Timestamp,
) -> Result<Option<Bar>, Error> {
    let mut newest: Option<Bar> = None;
    for &interval in intervals {
        let bar = history.last_bars(symbol, interval, until, 1)?.pop();
        newest = match (newest, bar) {
            (Some(one), Some(other)) if other.close_time() <= one.close_time() => Some(one),
            (one, other) => other.or(one),
        };
    }
    Ok(newest)
}

/// The highest daily close up to the end of the day, and how far the last close is from it.
fn record(
    history: &History,
    symbol: &Symbol,
    day: &InstrumentDay,
    moments: Moments,
) -> Result<Option<Record>, Error> {
    let (Some(close), Some(close_at)) = (day.close, day.close_at) else { return Ok(None) };
    let bars = history.bars(symbol, Interval::D1, Timestamp::MIN..moments.until)?;
    let factors = history.factors(symbol)?;
    let scaled = |price: f64, at: Timestamp| price * factors.on(at.day()).price;
    let closed = |bar: &Bar| registry::closed_at(symbol, bar.interval, bar.open_time);
    // A later one was not known when the day ended.
    let known = |bar: &&Bar| closed(bar) <= moments.until.max(close_at);
    let known: Vec<&Bar> = bars.iter().filter(known).collect();
    let highest = known
        .iter()
        .map(|bar| (scaled(bar.close.to_f64(), bar.open_time), bar))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((highest, bar)) = highest else { return Ok(None) };
    // The close of a bar belongs to the day that it opened on.
    let now = scaled(close.to_f64(), close_at.minus(Duration::from_nanos(1)));
    let Some(distance) = ratio(Some(now), Some(highest)) else { return Ok(None) };
    let day = bar.open_time.day();
    Ok(Some(Record { close: bar.close, day, distance, daily_bars: known.len() }))
}

fn ratio(value: Option<f64>, base: Option<f64>) -> Option<f64> {
    let base = base.filter(|base| *base > 0.0)?;
    Some(value? / base - 1.0)
}

/// Bars of the day that are not there.
pub(super) fn holes(
    history: &History,
    (symbols, series): (&[Symbol], &[SeriesSummary]),
    asked: &Asked<'_>,
) -> Result<Data, Error> {
    let moments = asked.moments();
    let day = moments.after..asked.end(moments);
    let mut data = Data::default();
    let lives = |one: &&SeriesSummary| {
        symbols.contains(&one.symbol)
            && one.first < day.end
            && one.last.plus(ENDED) >= day.start
            && one.interval <= Interval::D1
    };
    for one in series.iter().filter(lives).take(MAX_SERIES) {
        data.series_total += 1;
        let cover = Cover { history, symbol: &one.symbol, intervals: &[], asked };
        if cover.begins_late((one.interval, one.first)) {
            data.begun_total += 1;
            if data.begun.len() < MAX_ROWS {
                let (symbol, interval, first) = (one.symbol.clone(), one.interval, one.first);
                data.begun.push(SeriesBegun { symbol, interval, first });
            }
        }
        let Some(found) = holes_of(history, one, &day)? else { continue };
        data.missing += found.missing;
        data.holes_total += 1;
        if data.holes.len() < MAX_ROWS {
            data.holes.push(found);
        }
    }
    Ok(data)
}

fn holes_of(
    history: &History,
    series: &SeriesSummary,
    day: &Range<Timestamp>,
) -> Result<Option<SeriesHoles>, Error> {
    let (symbol, interval) = (&series.symbol, series.interval);
    let found = match describe(symbol).category {
        // Around the clock: the day is cut into bars, and each of them must be there.
        Category::Crypto => {
            let bars = history.bars(symbol, interval, day.clone())?;
            let (mut missing, mut first, mut present) = (0, None, 0);
            let mut bars = bars.iter().map(|bar| bar.open_time).peekable();
            let mut open = first_open(interval, day.start.max(series.first));
            while interval.close_of(open) <= day.end {
                match bars.next_if_eq(&open) {
                    Some(_) => present += 1,
                    None => {
                        missing += 1;
                        first = first.or(Some(open));
                    }
                }
                open = interval.close_of(open);
            }
            (present, missing, first)
        }
        _ => {
            let start = day.start.minus(PATTERN);
            let after = day.end.plus(ENDED);
            let bars = history.bars(symbol, interval, start..after)?;
            let found = gaps(&bars, interval, Schedule::Inferred);
            let is_today =
                |hole: &&finstage_store::history::Hole| hole.from < day.end && hole.to > day.start;
            let holes: Vec<_> = found.holes.iter().filter(is_today).collect();
            let present = bars.iter().filter(|bar| day.contains(&bar.open_time)).count();
            let first = holes.first().map(|hole| hole.from.max(day.start));
            (present as u64, holes.iter().map(|hole| hole.bars).sum(), first)
        }
    };
    let (present, missing, Some(first)) = found else { return Ok(None) };
    let symbol = symbol.clone();
    Ok(Some(SeriesHoles { symbol, interval, present, missing, first }))
}

/// Where the first bar opens that opens at or after `at`.
pub(super) fn first_open(interval: Interval, at: Timestamp) -> Timestamp {
    let open = interval.open_of(at);
    if open < at { interval.close_of(open) } else { open }
}
