//! Yahoo Finance: bars by request, from an interface without a contract.
//!
//! * `GET /v8/finance/chart/{symbol}` on two hosts that stand in for each other; no key, no cookie.
//!   Nobody publishes a limit; after "Too Many Requests" a block lasts minutes to hours.
//! * Rows run parallel to `timestamp`; a row with a `null` is no bar. The last row may be the price of
//!   the moment. Days are stamped at the open of their session and named by its date in the market's
//!   zone, as everywhere here.
//! * Numbers are doubles with noise, rounded as `priceHint` says.
//! * Prices from before a split come divided by it, as if it had always been. Here they are
//!   multiplied back, so that a bar is what was traded and stays the same bar after the next split;
//!   where a source shows prices as traded, its adjusted closes give it away.
//! * A bar counts once nothing more can belong to it: see [`crate::Settling`].

mod actions;
mod chart;
mod prices;

use std::fmt::Write as _;
use std::time::Duration;

use finstage_model::{Bar, Event, Interval, Payload, Symbol, Timestamp};
use finstage_net::{Request, Response, Rule, Shape, Sign, Terms, retry_after};

use self::chart::Chart;
use crate::hosts;
use crate::prices::{PriceAnswer, PriceQuery};
use crate::public::{Public, Read};
use crate::settling::Settling;
use crate::venue::{Action, Endpoints, PollVenue, Query, VenueProfile};
use crate::venues::Venue;
use crate::{DecodeError, DecodeErrorKind};

pub(super) const VENUE: Venue = Venue {
    profile: &PROFILE,
    stream: None,
    poll: Some(|endpoints| Box::new(Yahoo::new(endpoints))),
    access: None,
    public: &Public {
        reads: &[
            Read::of("/v8/finance/chart/*"),
            Read::of("/v8/finance/spark"),
            Read::of("/v7/finance/quote"),
            Read::of("/v1/finance/search"),
        ],
        headers: &[("user-agent", USER_AGENT)],
        ..Public::NONE
    },
};

const PROFILE: VenueProfile = VenueProfile {
    name: "yahoo",
    rest: "https://query2.finance.yahoo.com,https://query1.finance.yahoo.com",
    stream: "",
    docs: &["https://github.com/ranaroussi/yfinance", "https://help.yahoo.com/kb/SLN2310.html"],
    heartbeat: Duration::from_secs(60),
    stall: Duration::from_secs(30 * 60),
    max_age: Duration::MAX,
    command_spacing: Duration::ZERO,
    frames_per_second: 0,
    max_streams: 10_000,
    bars_per_page: 10_000,
    bars_without_trades: false,
    terms: TERMS,
    block: Duration::from_secs(15 * 60),
    intervals: &[
        Interval::M1,
        Interval::M5,
        Interval::M15,
        Interval::M30,
        Interval::H1,
        Interval::D1,
        Interval::W1,
        Interval::Mo1,
    ],
    reach,
};

/// Nobody publishes a limit. 1.3 a second: a few hundred in a burst have led to blocks of an hour.
const TERMS: Terms = Terms {
    rules: &[Rule {
        name: "requests",
        shape: Shape::Sliding,
        limit: 1,
        window: Duration::from_millis(750),
        default_cost: 1,
        counts_refused: true,
    }],
    judge,
    block: Duration::from_secs(15 * 60),
    ..Terms::PLAIN
};

/// What an answer means: 999 is a block of the address, 401 a crumb that is not known any more.
fn judge(response: &Response, now: Timestamp) -> Sign {
    match response.status {
        999 => Sign::Limited { retry_after: retry_after(response, now) },
        401 => Sign::TokenExpired,
        // A page for people.
        200 if response.body.trim_ascii_start().starts_with(b"<") => {
            Sign::Unavailable { retry_after: None }
        }
        _ => Sign::of_status(response, now),
    }
}

/// Minutes are told a week at a time.
const MINUTES_PER_PAGE: Duration = Duration::from_secs(7 * 86_400);

/// Without a browser's name every request is refused; ours stands beside it.
const USER_AGENT: &str =
    concat!("Mozilla/5.0 (compatible; finstage/", env!("CARGO_PKG_VERSION"), ")");

/// How much of a venue's own words is kept in an error.
const MAX_QUOTED_CHARS: usize = 200;

/// What older bars are refused with; a little less than the limit itself, which moves on meanwhile.
fn reach(interval: Interval) -> Option<Duration> {
    let days = match interval {
        Interval::M1 => 29,
        Interval::M5 | Interval::M15 | Interval::M30 => 59,
        Interval::H1 | Interval::H4 => 729,
        _ => return None,
    };
    Some(Duration::from_secs(days * 86_400))
}

/// Translates Yahoo's charts.
#[derive(Debug)]
pub struct Yahoo {
    host: String,
}

impl Yahoo {
    /// A translator.
    #[must_use]
    pub fn new(endpoints: &Endpoints) -> Self {
        Self { host: hosts(&endpoints.rest).next().unwrap_or_default().to_owned() }
    }

    fn chart(&self, symbol: &Symbol, interval: Interval, span: (Timestamp, Timestamp)) -> Request {
        let (from, to) = span;
        Request::get(format!("{}/v8/finance/chart/{}", self.host, encoded(symbol.name())))
            .header("user-agent", USER_AGENT)
            .header("accept", "*/*")
            .query("period1", from.secs().max(0))
            .query("period2", to.secs().max(1))
            .query("interval", interval_name(interval))
            .query("includePrePost", "false")
            .query("events", "div,splits,capitalGains")
    }
}

impl PollVenue for Yahoo {
    fn request(&self, query: &Query) -> Request {
        let Query::Bars { symbol, interval, from, to, .. } = query;
        let day = Duration::from_secs(86_400);
        let span = match interval {
            Interval::M1 => (*from, from.plus(MINUTES_PER_PAGE).min(*to)),
            // A day is stamped at its open: in Sydney that is the evening before, UTC.
            Interval::D1 | Interval::W1 | Interval::Mo1 => (from.minus(day), to.plus(day)),
            _ => (*from, *to),
        };
        self.chart(symbol, *interval, span)
    }

    fn read(
        &self,
        query: &Query,
        response: &Response,
        ts_recv: Timestamp,
        out: &mut Vec<Event>,
    ) -> Result<Option<Query>, DecodeError> {
        let Query::Bars { instrument, symbol, interval, from, to, .. } = query;
        let text = response.text();
        if let Some(chart) = answer(response.status, &text)? {
            let settling = Settling::of(symbol);
            let is_wanted = |bar: &Bar| {
                (*from..*to).contains(&bar.open_time)
                    && settling.is_in_session(*interval, bar.open_time)
                    && settling.due(*interval, bar.open_time) <= ts_recv
            };
            let bars = chart.bars(*instrument, *interval)?;
            let bars = bars.into_iter().filter(is_wanted);
            out.extend(bars.map(|bar| Event::new(ts_recv, Payload::Bar(bar))));
        }
        let next = from.plus(MINUTES_PER_PAGE);
        if *interval != Interval::M1 || next >= *to {
            return Ok(None);
        }
        let mut query = query.clone();
        let Query::Bars { from, .. } = &mut query;
        *from = next;
        Ok(Some(query))
    }

    fn price_request(&self, query: &PriceQuery) -> Option<Request> {
        prices::request(self, query)
    }

    fn read_prices(
        &self,
        query: &PriceQuery,
        response: &Response,
        ts_recv: Timestamp,
    ) -> Result<PriceAnswer, DecodeError> {
        prices::read(query, response, ts_recv)
    }

    fn actions_request(&self, symbol: &Symbol, from: Timestamp) -> Option<Request> {
        // Until after tomorrow, wherever that is: everything that has happened.
        let end = Timestamp::from_secs(9_999_999_999);
        // The price of the day before an action is wanted as well.
        Some(self.chart(symbol, Interval::D1, (from.minus(MINUTES_PER_PAGE * 2), end)))
    }

    fn read_actions(&self, response: &Response) -> Result<Vec<Action>, DecodeError> {
        let text = response.text();
        Ok(answer(response.status, &text)?.map(|chart| chart.actions()).unwrap_or_default())
    }
}

/// The chart of an answer; `None` where there is no data in the time asked for.
fn answer(status: u16, text: &str) -> Result<Option<Chart>, DecodeError> {
    let start = text.trim_start();
    let is_limit = start.get(..64).unwrap_or(start).contains("Too Many Requests");
    if status == 429 || is_limit {
        let what = format!("too many requests (status {status})");
        return Err(error(DecodeErrorKind::Limited, what));
    }
    if start.starts_with('<') || status == 999 || (status >= 500 && !start.starts_with('{')) {
        let what = format!("the venue answered with a page instead of data (status {status})");
        return Err(error(DecodeErrorKind::Html, what));
    }
    let envelope: chart::Envelope = serde_json::from_str(start)
        .map_err(|e| error(DecodeErrorKind::Malformed, format!("decoding a chart: {e}")))?;
    let Some(body) = envelope.body() else {
        return Err(error(DecodeErrorKind::Malformed, "neither a chart nor an error"));
    };
    if let Some(said) = body.error {
        return refusal(status, &said);
    }
    if !(200..300).contains(&status) {
        let what = format!("the venue refused: status {status} without a reason");
        return Err(error(DecodeErrorKind::Refused, what));
    }
    Ok(body.result.and_then(|charts| charts.into_iter().next()))
}

/// What an error of the venue means; an empty stretch of time is no error.
fn refusal(status: u16, said: &chart::Refusal) -> Result<Option<Chart>, DecodeError> {
    let (code, words) = (said.code.as_deref().unwrap_or("?"), said.words());
    if status == 400 && words.starts_with("Data doesn't exist") {
        return Ok(None);
    }
    let kind = match (status, code) {
        (404, _) | (_, "Not Found") => DecodeErrorKind::NoSuchSymbol,
        (500.., _) => DecodeErrorKind::Html,
        _ => DecodeErrorKind::Refused,
    };
    Err(error(kind, format!("the venue refused: {} ({code}, status {status})", quoted(words))))
}

/// The venue's name of an interval. It has none of four hours that is known everywhere.
const fn interval_name(interval: Interval) -> &'static str {
    match interval {
        Interval::H1 | Interval::H4 => "60m",
        Interval::W1 => "1wk",
        Interval::Mo1 => "1mo",
        other => other.as_str(),
    }
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    out
}

/// A venue's words, cut to a bound and to one line.
fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn error(kind: DecodeErrorKind, message: impl Into<String>) -> DecodeError {
    DecodeError::new(PROFILE.name, kind, message)
}

#[cfg(test)]
mod tests;
