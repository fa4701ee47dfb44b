//! Days, weeks and months, a hundred rows a page. Pages go forward in time: each asks for a stretch
//! that cannot hold more rows.

use finstage_model::{Bar, Event, InstrumentId, Interval, Payload, Price, Qty, Timestamp};
use finstage_net::{Request, Response};
use serde::Deserialize;

use super::answer::{content, day, digits, rows};
use super::place::{Exchange, Place};
use super::prices::find_abroad;
use super::{Kis, Known, error};
use crate::settling::Settling;
use crate::venue::Query;
use crate::{DecodeError, DecodeErrorKind};

/// Calendar days of a page of days: 100 of them at most are no weekend.
const DAYS: usize = 140;
/// Weeks or months of a page: a beginning and an end may be a row of their own.
const LONGER: usize = 96;

/// `{"output2":[{"stck_bsop_date":"20261120","stck_clpr":"71900",…}]}`
#[derive(Deserialize)]
struct Days {
    #[serde(default, deserialize_with = "rows")]
    output2: Vec<Day>,
}

/// A row; empty where there is no such day.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Day {
    stck_bsop_date: String,
    stck_oprc: String,
    stck_hgpr: String,
    stck_lwpr: String,
    stck_clpr: String,
    acml_vol: String,
}

/// `{"output1":{"rsym":"DNASAAPL",…},"output2":[{"xymd":"20261120","clos":"227.6300",…}]}`
#[derive(Deserialize)]
struct DaysAbroad {
    #[serde(default, deserialize_with = "rows")]
    output2: Vec<DayAbroad>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DayAbroad {
    xymd: String,
    open: String,
    high: String,
    low: String,
    clos: String,
    tvol: String,
}

/// The end of the page that begins with `from`.
fn page_end(interval: Interval, from: Timestamp, to: Timestamp) -> Timestamp {
    let count = if interval == Interval::D1 { DAYS } else { LONGER };
    let mut end = interval.open_of(from);
    for _ in 0..count {
        end = interval.close_of(end);
    }
    end.min(to)
}

/// The last day that a row of a page may be named after.
fn last_day(end: Timestamp) -> finstage_model::Day {
    Timestamp::from_nanos(end.nanos().saturating_sub(1)).day()
}

pub(super) fn request(kis: &Kis, code: &str, query: &Query) -> Request {
    let Query::Bars { interval, from, to, .. } = query;
    let period = match interval {
        Interval::W1 => "W",
        Interval::Mo1 => "M",
        _ => "D",
    };
    let end = page_end(*interval, *from, *to);
    kis.get("/uapi/domestic-stock/v1/quotations/inquire-daily-itemchartprice", "FHKST03010100")
        .query("FID_COND_MRKT_DIV_CODE", "J")
        .query("FID_INPUT_ISCD", code)
        .query("FID_INPUT_DATE_1", digits(from.day()))
        .query("FID_INPUT_DATE_2", digits(last_day(end)))
        .query("FID_PERIOD_DIV_CODE", period)
        // 1: as traded.
        .query("FID_ORG_ADJ_PRC", 1)
}

pub(super) fn read(
    query: &Query,
    response: &Response,
    (ts_recv, out): (Timestamp, &mut Vec<Event>),
) -> Result<Option<Query>, DecodeError> {
    let Query::Bars { instrument, interval, .. } = query;
    let days: Days = content("days", response)?;
    let bar = |row: &Day| {
        let day = day(&row.stck_bsop_date)?;
        let prices = [&row.stck_oprc, &row.stck_hgpr, &row.stck_lwpr, &row.stck_clpr];
        bar((*instrument, *interval), day.start(), (prices, &row.acml_vol))
    };
    tell(query, days.output2.iter().filter_map(bar), (ts_recv, out));
    Ok(next(query))
}

pub(super) fn request_abroad(
    kis: &Kis,
    (exchange, name): (Exchange, &str),
    query: &Query,
) -> Request {
    let Query::Bars { interval, from, to, .. } = query;
    let period = match interval {
        Interval::W1 => 1,
        Interval::Mo1 => 2,
        _ => 0,
    };
    kis.get("/uapi/overseas-price/v1/quotations/dailyprice", "HHDFS76240000")
        .query("AUTH", "")
        .query("EXCD", exchange.code)
        .query("SYMB", name)
        .query("GUBN", period)
        .query("BYMD", digits(last_day(page_end(*interval, *from, *to))))
        // 0: as traded.
        .query("MODP", 0)
}

/// Reads a page, or where the symbol is listed: an answer about the latter has one `output`.
pub(super) fn read_abroad(
    kis: &Kis,
    query: &Query,
    response: &Response,
    (ts_recv, out): (Timestamp, &mut Vec<Event>),
) -> Result<Option<Query>, DecodeError> {
    let Query::Bars { instrument, interval, symbol, .. } = query;
    let Place::Abroad { exchange: named, .. } = Place::of(symbol) else { return Ok(None) };
    if kis.exchange(symbol, named).is_none() {
        let asked = kis.next_searched(symbol);
        let markets = match kis.knows(symbol) {
            Some(Known::NotOn(markets)) => markets,
            _ => 0,
        };
        if find_abroad(response)?.is_some() {
            kis.learn(symbol, Known::Listed(asked));
        } else if markets + 1 < Exchange::SEARCHED.len() {
            kis.learn(symbol, Known::NotOn(markets + 1));
        } else {
            // It may be listed tomorrow.
            kis.learn(symbol, Known::NotOn(0));
            let what = format!("{} is listed on no market of New York", symbol.name());
            return Err(error(DecodeErrorKind::NoSuchSymbol, what));
        }
        return Ok(Some(query.clone()));
    }
    let days: DaysAbroad = content("days", response)?;
    let bar = |row: &DayAbroad| {
        let day = day(&row.xymd)?;
        let prices = [&row.open, &row.high, &row.low, &row.clos];
        bar((*instrument, *interval), day.start(), (prices, &row.tvol))
    };
    tell(query, days.output2.iter().filter_map(bar), (ts_recv, out));
    Ok(next(query))
}

/// A bar; `None` where nothing was traded (an open of 0) or the row makes no sense.
pub(super) fn bar(
    (instrument, interval): (InstrumentId, Interval),
    at: Timestamp,
    (prices, volume): ([&String; 4], &str),
) -> Option<Bar> {
    let price = |text: &str| -> Option<Price> {
        text.trim().parse().ok().filter(|price: &Price| price.nanos() > 0)
    };
    let [open, high, low, close] = prices.map(|text| price(text));
    let bar = Bar {
        instrument,
        interval,
        open_time: if interval < Interval::D1 { at } else { interval.open_of(at) },
        open: open?,
        high: high?,
        low: low?,
        close: close?,
        volume: volume.trim().parse().unwrap_or(Qty::ZERO),
        trades: 0,
    };
    bar.fault().is_none().then_some(bar)
}

/// Puts the bars of the page that are over into `out`, oldest first and each once. They come newest
/// first.
pub(super) fn tell(
    query: &Query,
    bars: impl Iterator<Item = Bar>,
    (ts_recv, out): (Timestamp, &mut Vec<Event>),
) {
    let Query::Bars { symbol, interval, from, to, .. } = query;
    let settling = Settling::of(symbol);
    let is_wanted = |bar: &Bar| {
        (*from..*to).contains(&bar.open_time)
            && settling.is_in_session(*interval, bar.open_time)
            && settling.due(*interval, bar.open_time) <= ts_recv
    };
    let mut bars: Vec<Bar> = bars.filter(is_wanted).collect();
    bars.sort_by_key(|bar| bar.open_time);
    bars.dedup_by_key(|bar| bar.open_time);
    out.extend(bars.into_iter().map(|bar| Event::new(ts_recv, Payload::Bar(bar))));
}

fn next(query: &Query) -> Option<Query> {
    let Query::Bars { interval, from, to, .. } = query;
    let end = page_end(*interval, *from, *to);
    (end < *to && end > *from).then(|| beginning(query, end))
}

/// The same query from a later moment on.
pub(super) fn beginning(query: &Query, at: Timestamp) -> Query {
    let mut query = query.clone();
    let Query::Bars { from, .. } = &mut query;
    *from = at;
    query
}
