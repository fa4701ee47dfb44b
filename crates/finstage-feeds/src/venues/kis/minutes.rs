//! Minutes of Seoul. The server is asked for the rows up to an hour of a day: up to 120 where the day
//! may lie in the past, up to 30 of today.
//!
//! The call for past days is on the real server only, and today may be missing there; then the rest of
//! today is asked for in pages of 30. A page ends where its rows certainly fit, so that pages go forward.

use finstage_model::{Day, Event, Interval, Timestamp};
use finstage_net::{Request, Response};
use serde::Deserialize;
use std::time::Duration;

use super::answer::{content, day, digits, rows};
use super::bars::{bar, beginning, tell};
use super::{Kis, error};
use crate::account::Server;
use crate::venue::Query;
use crate::{DecodeError, DecodeErrorKind, MarketHours};

/// Rows of one page of a day that may have passed.
pub(super) const ROWS_OF_PAST: u32 = 120;
/// Rows of one page of today.
const ROWS_OF_TODAY: u32 = 30;

const MINUTE: Duration = Duration::from_secs(60);
/// Korean time is that much later than UTC, all year.
const AHEAD: Duration = Duration::from_secs(9 * 3_600);

/// `{"output2":[{"stck_bsop_date":"20261120","stck_cntg_hour":"152900",…}]}`
#[derive(Deserialize)]
struct Minutes {
    #[serde(default, deserialize_with = "rows")]
    output2: Vec<Minute>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Minute {
    stck_bsop_date: String,
    stck_cntg_hour: String,
    stck_oprc: String,
    stck_hgpr: String,
    stck_lwpr: String,
    stck_prpr: String,
    cntg_vol: String,
}

/// A stretch of a session that one page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Page {
    from: Timestamp,
    end: Timestamp,
    is_of_today: bool,
}

/// The day on a Korean calendar.
fn korean_day(at: Timestamp) -> Day {
    at.plus(AHEAD).day()
}

/// The hour on a Korean clock as `090000`.
fn korean_hour(at: Timestamp) -> String {
    let at = at.plus(AHEAD);
    let seconds = at.since(at.day().start()).as_secs();
    format!("{:02}{:02}{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// The first moment from `at` on at which there can be a minute; `at` itself where that is not known.
fn in_session(at: Timestamp) -> Option<Timestamp> {
    match MarketHours::Korea.around(at) {
        Ok(times) if times.current.is_some() => Some(at),
        Ok(times) => times.next.map(|next| next.open),
        Err(_) => Some(at),
    }
}

fn page(server: Server, query: &Query) -> Page {
    let Query::Bars { from, to, limit, .. } = query;
    let from = in_session(*from).unwrap_or(*from);
    let is_of_today = server == Server::Mock || *limit <= ROWS_OF_TODAY;
    let rows = if is_of_today { ROWS_OF_TODAY } else { ROWS_OF_PAST };
    let midnight = korean_day(from).end().minus(AHEAD);
    // Past an end that lies before, one minute is asked for, and none of it wanted.
    let end = from.plus(MINUTE * rows).min(midnight).min(*to).max(from.plus(MINUTE));
    Page { from, end, is_of_today }
}

pub(super) fn request(kis: &Kis, code: &str, query: &Query) -> Request {
    let page = page(kis.account.server, query);
    let hour = korean_hour(page.end.minus(MINUTE));
    let (path, tr_id) = match page.is_of_today {
        true => ("inquire-time-itemchartprice", "FHKST03010200"),
        false => ("inquire-time-dailychartprice", "FHKST03010230"),
    };
    let request = kis
        .get(&format!("/uapi/domestic-stock/v1/quotations/{path}"), tr_id)
        .query("FID_COND_MRKT_DIV_CODE", "J")
        .query("FID_INPUT_ISCD", code)
        .query("FID_INPUT_HOUR_1", hour)
        .query("FID_PW_DATA_INCU_YN", "Y");
    match page.is_of_today {
        true => request.query("FID_ETC_CLS_CODE", ""),
        false => request
            .query("FID_INPUT_DATE_1", digits(korean_day(page.from)))
            .query("FID_FAKE_TICK_INCU_YN", ""),
    }
}

pub(super) fn read(
    kis: &Kis,
    query: &Query,
    response: &Response,
    (ts_recv, out): (Timestamp, &mut Vec<Event>),
) -> Result<Option<Query>, DecodeError> {
    let Query::Bars { instrument, interval, to, .. } = query;
    let page = page(kis.account.server, query);
    let asked = korean_day(page.from);
    if page.is_of_today && asked < korean_day(ts_recv) {
        let what = format!("minutes of {asked} come from the real server only");
        return Err(error(DecodeErrorKind::Refused, what));
    }
    let minutes: Minutes = content("minutes", response)?;
    let is_of_day = |row: &&Minute| day(&row.stck_bsop_date) == Some(asked);
    let of_day: Vec<&Minute> = minutes.output2.iter().filter(is_of_day).collect();
    if of_day.is_empty() && !page.is_of_today && asked == korean_day(ts_recv) {
        let mut query = query.clone();
        let Query::Bars { limit, .. } = &mut query;
        *limit = ROWS_OF_TODAY;
        return Ok(Some(query));
    }
    let bar = |row: &&Minute| {
        let at = open_time(asked, &row.stck_cntg_hour)?;
        let prices = [&row.stck_oprc, &row.stck_hgpr, &row.stck_lwpr, &row.stck_prpr];
        (page.from <= at && at < page.end)
            .then(|| bar((*instrument, *interval), at, (prices, &row.cntg_vol)))?
    };
    tell(query, of_day.iter().filter_map(bar), (ts_recv, out));
    let next = in_session(page.end).filter(|next| next < to && *next > page.from);
    Ok(next.map(|next| beginning(query, next)))
}

/// `090100` of a Korean day; a minute begins with its second 0.
fn open_time(day: Day, hour: &str) -> Option<Timestamp> {
    let hour = hour.trim();
    if hour.len() != 6 || !hour.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |part: &str| part.parse::<u64>().ok();
    let (hours, minutes) = (number(&hour[..2])?, number(&hour[2..4])?);
    let at = day.start().plus(Duration::from_secs(hours * 3_600 + minutes * 60)).minus(AHEAD);
    (hours < 24 && minutes < 60).then(|| Interval::M1.open_of(at))
}
