//! Stored bars.

use std::ops::Range;

use finstage_model::{Bar, Interval, Symbol, Timestamp};
use serde::Serialize;

use super::Call;
use super::paging::{gone, page};
use crate::answer::{Answer, Page};
use crate::app::App;
use crate::problem::Problem;
use crate::query::Query;
use crate::rows::BarItem;

#[derive(Serialize)]
struct SeriesItem {
    symbol: Symbol,
    interval: Interval,
    bars: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Where a page of bars goes on.
enum Way {
    /// To bars that open before this moment.
    Older(Timestamp),
    /// To bars that open at or after this moment.
    Newer(Timestamp),
}

impl Way {
    fn read(cursor: &str) -> Option<Self> {
        let (way, nanos) = (cursor.get(..1)?, cursor.get(1..)?);
        let at = Timestamp::from_nanos(nanos.parse().ok()?);
        match way {
            "o" => Some(Self::Older(at)),
            "n" => Some(Self::Newer(at)),
            _ => None,
        }
    }
}

/// The newest bars, and older ones page by page; with `from` those from there on, and newer ones.
pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let query = &call.query;
    let (symbol, interval) = series_of(query)?;
    let limit = query.limit();
    let to = query.parsed::<Timestamp>("to").unwrap_or(Timestamp::MAX);
    let from: Option<Timestamp> = query.parsed("from");
    let way = match (query.text("cursor").map(Way::read), from) {
        (Some(None), _) => return Err(gone()),
        (Some(Some(way)), _) => way,
        (None, Some(from)) => Way::Newer(from),
        (None, None) => Way::Older(to),
    };
    let page = match way {
        Way::Older(end) => {
            let until = last_close_before(interval, end.min(to));
            let mut bars = app.history.last_bars(&symbol, interval, until, limit + 1)?;
            bars.retain(|bar| from.is_none_or(|from| bar.open_time >= from));
            let more = bars.len() > limit;
            bars.drain(..bars.len().saturating_sub(limit));
            let cursor = bars.first().filter(|_| more);
            let next_cursor = cursor.map(|bar| format!("o{}", bar.open_time.nanos()));
            Page { items: bars.iter().map(BarItem::from).collect(), next_cursor }
        }
        Way::Newer(start) => {
            let bars = first_bars(app, (&symbol, interval), start..to, limit + 1)?;
            let next = |bar: &Bar| format!("n{}", bar.open_time.nanos() + 1);
            let page = Page::cut(bars, limit, next);
            let items = page.items.iter().map(BarItem::from).collect();
            Page { items, next_cursor: page.next_cursor }
        }
    };
    Ok(Answer::json(&page))
}

/// The first bars of a range: a span that grows finds them without reading all that follow.
fn first_bars(
    app: &App,
    (symbol, interval): (&Symbol, Interval),
    range: Range<Timestamp>,
    count: usize,
) -> Result<Vec<Bar>, Problem> {
    let mut span = interval.nominal().saturating_mul(2 * count as u32);
    loop {
        let end = range.start.plus(span).min(range.end);
        let mut bars = app.history.bars(symbol, interval, range.start..end)?;
        if bars.len() >= count || end >= range.end {
            bars.truncate(count);
            return Ok(bars);
        }
        span = span.saturating_mul(4);
    }
}

/// The moment by which every bar has closed that opens before `end`, and no later one.
fn last_close_before(interval: Interval, end: Timestamp) -> Timestamp {
    if end == Timestamp::MAX {
        return end;
    }
    interval.close_of(interval.open_of(Timestamp::from_nanos(end.nanos().saturating_sub(1))))
}

pub(super) fn series_of(query: &Query) -> Result<(Symbol, Interval), Problem> {
    let missing = || Problem::bad("symbol and interval are needed");
    Ok((query.parsed("symbol").ok_or_else(missing)?, query.parsed("interval").ok_or_else(missing)?))
}

pub(super) fn series(app: &App, call: &Call) -> Result<Answer, Problem> {
    let only: Option<Symbol> = call.query.parsed("symbol");
    let mut items = Vec::new();
    for one in app.history.series()? {
        if only.as_ref().is_none_or(|symbol| one.symbol == *symbol) {
            items.push(SeriesItem {
                bars: one.shelf_bars + one.tail_bars,
                symbol: one.symbol,
                interval: one.interval,
                first: one.first,
                last: one.last,
            });
        }
    }
    let key = |item: &SeriesItem| format!("{} {}", item.symbol, item.interval);
    Ok(Answer::json(&page(items, &call.query, key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_page_is_the_close_of_its_last_bar() {
        let t = |text: &str| text.parse::<Timestamp>().unwrap();
        for (interval, end, close) in [
            (Interval::M1, "2026-01-05T00:10:00Z", "2026-01-05T00:10:00Z"),
            (Interval::M1, "2026-01-05T00:10:01Z", "2026-01-05T00:11:00Z"),
            (Interval::D1, "2026-01-05", "2026-01-05"),
            (Interval::D1, "2026-01-05T09:00:00Z", "2026-01-06"),
            (Interval::Mo1, "2026-03-01", "2026-03-01"),
        ] {
            assert_eq!(last_close_before(interval, t(end)), t(close), "{interval} {end}");
        }
    }
}
