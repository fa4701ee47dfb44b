//! A venue that speaks Yahoo Finance: charts, quotes, search, cookie and crumb.
//!
//! Served are `/v8/finance/chart/{symbol}`, `/v7/finance/quote` (with the crumb only),
//! `/v1/finance/search`, `/v1/test/getcrumb`, and `/` for the cookie. Its symbols have a seeded past
//! from 2010 in the hours of their markets, with nulls, a last row that grows, the price of the
//! moment behind it, dividends and splits. Closes are divided by later splits, as the venue does.
//! A `range` of days counts sessions; includePrePost is understood and shows nothing more.
//!
//! It has two addresses, as the venue has two hosts; only a scenario makes a difference between them.
//! Headers that ask for another protocol (`Upgrade: h2c`) are not looked at. A client that asks for
//! more than [`BURST`] answers within a minute is blocked for [`BLOCK`], in text and without a word
//! about how long, as the venue does.

mod chart;
mod listings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use finstage_model::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use self::chart::{Flaws, RANGES, Refusal, Wish};
use self::listings::LISTINGS;
use super::charts::{Hours, Listing, Series};
use super::faults::{FaultKind, Faults, Scenario};
use super::ledger::{Ledger, Line, Outcome};
use super::rulebook::{Ban, Caller, Rule, Rulebook, Scope, Shape};
use crate::error::{Error, ErrorKind};

/// Answers within a minute of the venue's clock before it blocks.
pub const BURST: u32 = 360;
/// How long it then blocks.
pub const BLOCK: Duration = Duration::from_secs(15 * 60);
/// How long a stop waits for requests that are being answered.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);
/// The crumb; a scenario lets it expire.
const CRUMB: &str = "aB3.dEfG/hI";

/// The venue's limit: `requests` of an address, and a block for whoever asks once more.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let ban = Ban { after: 0, first: BLOCK, longest: BLOCK, status: 429 };
    let minute = Shape::Sliding(Duration::from_secs(60));
    let rule = Rule::new("requests", BURST, minute);
    vec![Rule { scope: Scope::Address, ban: Some(ban), ..rule }]
}

/// What a simulated venue needs.
#[derive(Debug)]
pub struct YahooOptions {
    /// Where its prices come from.
    pub seed: u64,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// What goes wrong; offsets count from the clock's present.
    pub faults: Scenario,
    /// Where requests are entered.
    pub ledger: Arc<Ledger>,
    /// Where it listens, and where its second host does.
    pub listeners: [TcpListener; 2],
}

/// A running venue. Ends when it is stopped or dropped.
#[derive(Debug)]
pub struct YahooSim {
    shared: Arc<Shared>,
    addresses: [SocketAddr; 2],
    servers: Vec<JoinHandle<()>>,
}

impl YahooSim {
    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// When a listener has no address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: YahooOptions) -> Result<Self, Error> {
        let YahooOptions { seed, clock, faults, ledger, listeners } = options;
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|source| {
                Error::new(ErrorKind::Io, "simulated Yahoo: no local address").because(source)
            })
        };
        let addresses = [address(&listeners[0])?, address(&listeners[1])?];
        let shared = Arc::new(Shared {
            seed,
            faults: Faults::new(faults, clock.now()),
            clock,
            ledger,
            charts: Mutex::default(),
            book: Mutex::new(Rulebook::new(rules())),
            stop: watch::Sender::new(false),
        });
        let serve = |(host, listener): (usize, TcpListener)| {
            let state = Host { shared: Arc::clone(&shared), is_first: host == 0 };
            let mut stop = shared.stop.subscribe();
            tokio::spawn(async move {
                let routes = Router::new().fallback(handle).with_state(state);
                let serving = axum::serve(listener, routes).with_graceful_shutdown(async move {
                    // An error means that the venue itself is gone: the same end.
                    let _ = stop.wait_for(|stop| *stop).await;
                });
                if let Err(error) = serving.await {
                    tracing::warn!(%error, "simulated Yahoo ended");
                }
            })
        };
        let servers = listeners.into_iter().enumerate().map(serve).collect();
        Ok(Self { shared, addresses, servers })
    }

    /// The base addresses of both hosts, without a final slash.
    #[must_use]
    pub fn urls(&self) -> [String; 2] {
        self.addresses.map(|address| format!("http://{address}"))
    }

    /// Ends.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        for server in &mut self.servers {
            if timeout(STOP_WITHIN, &mut *server).await.is_err() {
                server.abort();
            }
        }
    }
}

impl Drop for YahooSim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}

#[derive(Debug, Clone)]
struct Host {
    shared: Arc<Shared>,
    is_first: bool,
}

#[derive(Debug)]
struct Shared {
    seed: u64,
    clock: Arc<dyn Clock>,
    faults: Faults,
    ledger: Arc<Ledger>,
    /// Made when they are asked for.
    charts: Mutex<BTreeMap<&'static str, Series>>,
    book: Mutex<Rulebook>,
    stop: watch::Sender<bool>,
}

/// An answer before it is an HTTP response.
struct Reply {
    status: u16,
    media: &'static str,
    body: String,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        Self { status, media: "application/json;charset=utf-8", body: body.to_string() }
    }

    fn text(status: u16, body: &str) -> Self {
        Self { status, media: "text/html", body: body.to_owned() }
    }

    fn refusal(key: &str, Refusal(status, code, words): Refusal) -> Self {
        let error = json!({"code": code, "description": words});
        Self::json(status, &json!({key: {"result": null, "error": error}}))
    }
}

type Params = Query<BTreeMap<String, String>>;

async fn handle(State(host): State<Host>, request: Request) -> Response {
    let shared = &host.shared;
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let params = Params::try_from_uri(request.uri()).map(|Query(params)| params);
    let params = params.unwrap_or_default();
    let symbol = path.strip_prefix("/v8/finance/chart/").map(decoded).unwrap_or_default();
    let now = shared.clock.now();
    let strikes = |kind: FaultKind| shared.faults.on_symbol(kind, now, &symbol);
    if let Some(fault) = strikes(FaultKind::YahooSlow) {
        sleep(fault.by).await;
    }
    let scripted = if strikes(FaultKind::YahooHostDown).is_some() && host.is_first {
        Some(Reply::text(502, "<html><body>Will be right back...</body></html>"))
    } else if strikes(FaultKind::Yahoo429).is_some() || shared.is_too_much(now) {
        Some(Reply::text(429, "Too Many Requests"))
    } else if strikes(FaultKind::YahooHtml).is_some() {
        Some(Reply::text(200, "<!DOCTYPE html><html><title>Yahoo Finance</title></html>"))
    } else {
        strikes(FaultKind::Yahoo5xx).map(|fault| {
            let page = "<html>Yahoo! - 999 Unable to process request at this time</html>";
            Reply::text(fault.status.unwrap_or(503), page)
        })
    };
    let reply = scripted.unwrap_or_else(|| match path.as_str() {
        "/v1/test/getcrumb" => Reply { media: "text/plain", ..Reply::text(200, CRUMB) },
        "/v1/finance/search" => search(&params, now),
        "/v7/finance/quote" => shared.quotes(&params, &headers, now),
        _ if !symbol.is_empty() => shared.chart(&symbol, &params, now),
        _ => Reply::text(404, "<html>Not Found</html>"),
    });
    let (status, outcome) = (reply.status, Outcome::of_status(reply.status));
    let line = Line { at: now, venue: "yahoo", path: &path, weight: 1, status, outcome, who: "" };
    shared.ledger.enter(&line);
    let mut response =
        Response::builder().status(reply.status).header(header::CONTENT_TYPE, reply.media);
    if path == "/" {
        let cookie = "A3=d=AQABBK&S=AQAAAm; Domain=.yahoo.com; Path=/; Secure; HttpOnly";
        response = response.header(header::SET_COOKIE, cookie);
    }
    let response = response.body(Body::from(reply.body));
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Shared {
    fn charts(&self) -> MutexGuard<'_, BTreeMap<&'static str, Series>> {
        self.charts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request; true while the client is blocked.
    fn is_too_much(&self, now: Timestamp) -> bool {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.set_factor(self.faults.limit_factor("yahoo", now));
        // Everybody stands on loopback: one address.
        !book.admit(now, &Caller::default(), &[("requests", 1)]).is_admitted()
    }

    /// Looks at a symbol's prices, made up to now.
    fn look<T>(&self, symbol: &str, now: Timestamp, look: impl FnOnce(&Series) -> T) -> Option<T> {
        let listing = *LISTINGS.iter().find(|listing| listing.symbol == symbol)?;
        let mut charts = self.charts();
        let series =
            charts.entry(listing.symbol).or_insert_with(|| Series::new(listing, self.seed));
        series.reach(now.secs());
        Some(look(series))
    }

    fn chart(&self, symbol: &str, params: &BTreeMap<String, String>, now: Timestamp) -> Reply {
        let strikes = |kind: FaultKind| self.faults.on_symbol(kind, now, symbol);
        let unknown = || {
            let words = "No data found, symbol may be delisted".to_owned();
            Reply::refusal("chart", Refusal(404, "Not Found", words))
        };
        if strikes(FaultKind::Yahoo401).is_some() {
            let refusal = Refusal(401, "Unauthorized", "Invalid Crumb".to_owned());
            return Reply::refusal("finance", refusal);
        }
        if strikes(FaultKind::Yahoo422).is_some() {
            let words = "data not available for this range. The requested range must be within the last 60 days.";
            let refusal = Refusal(422, "Unprocessable Entity", words.to_owned());
            return Reply::refusal("chart", refusal);
        }
        if strikes(FaultKind::Yahoo404).is_some() {
            return unknown();
        }
        let flaws = Flaws {
            no_data: strikes(FaultKind::YahooNoData).is_some(),
            coarse: strikes(FaultKind::YahooCoarse).is_some(),
            nulls: strikes(FaultKind::YahooNulls).map(|fault| fault.one_in),
            revised: strikes(FaultKind::YahooRevise).is_some(),
        };
        let answer = self.look(symbol, now, |series| {
            let wish = wish(series, params, now.secs())?;
            chart::answer(series, &wish, now.secs(), flaws)
        });
        match answer {
            None => unknown(),
            Some(Ok(chart)) => Reply::json(200, &chart),
            Some(Err(refusal)) => Reply::refusal("chart", refusal),
        }
    }

    fn quotes(
        &self,
        params: &BTreeMap<String, String>,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Reply {
        let has_cookie = headers.contains_key(header::COOKIE);
        let is_known = params.get("crumb").is_some_and(|crumb| crumb == CRUMB);
        let expired = self.faults.active(FaultKind::Yahoo401, now).is_some();
        if !is_known || !has_cookie || expired {
            let words = if has_cookie { "Invalid Crumb" } else { "Invalid Cookie" };
            return Reply::refusal("finance", Refusal(401, "Unauthorized", words.to_owned()));
        }
        let symbols = params.get("symbols").map(String::as_str).unwrap_or_default();
        let quote = |symbol: &str| {
            if self.faults.on_symbol(FaultKind::YahooMissing, now, symbol).is_some() {
                return None;
            }
            self.look(symbol, now, |series| quote(series, now.secs())).flatten()
        };
        let quotes: Vec<Value> = symbols.split(',').filter_map(quote).collect();
        Reply::json(200, &json!({"quoteResponse": {"result": quotes, "error": null}}))
    }
}

/// What the parameters of a chart ask for.
fn wish<'a>(
    series: &Series,
    params: &'a BTreeMap<String, String>,
    now: i64,
) -> Result<Wish<'a>, Refusal> {
    let get = |name: &str| params.get(name).map(String::as_str);
    let bad = |words: String| Refusal(422, "Unprocessable Entity", words);
    let (from, to, range) = match (get("period1"), get("period2")) {
        (Some(from), Some(to)) => {
            let number = |text: &str| {
                text.parse()
                    .map_err(|_| bad(format!("Invalid input - period {text} is no number.")))
            };
            let (from, to): (i64, i64) = (number(from)?, number(to)?);
            if from >= to {
                return Err(bad(format!(
                    "Invalid input - start date cannot be after end date. startDate = {from}, endDate = {to}"
                )));
            }
            (from, to, "")
        }
        _ => {
            let range = get("range").unwrap_or("1d");
            let known = RANGES.iter().find(|(name, _)| *name == range);
            let Some((_, days)) = known else {
                return Err(bad(format!("Invalid input - range={range} is not supported.")));
            };
            (start_of(series, range, *days, now), now + 1, range)
        }
    };
    let events = get("events").is_some();
    Ok(Wish { interval: get("interval").unwrap_or("1d"), range, from, to, events })
}

/// Where a range begins: `1d` and `5d` are sessions, the others days of the calendar.
fn start_of(series: &Series, range: &str, days: i64, now: i64) -> i64 {
    let begun = series.sessions.partition_point(|session| session.open < now);
    match range {
        "1d" | "5d" => {
            let place = begun.saturating_sub(days as usize);
            series.sessions.get(place).map_or(now, |session| session.open)
        }
        "ytd" => {
            let hours = series.listing.hours;
            let (year, ..) = hours.day_of(now).civil();
            finstage_model::Day::from_civil(year, 1, 1).map_or(now, |day| hours.midnight(day))
        }
        _ => (now - days * 86_400).max(0),
    }
}

fn quote(series: &Series, now: i64) -> Option<Value> {
    let Listing { symbol, name, kind, exchange, currency, hours, .. } = series.listing;
    let (price, at) = chart::last_price(series, now)?;
    let today = hours.day_of(now);
    let is_open = hours.session(today).is_some_and(|(open, close)| open <= now && now < close);
    let before = series.sessions.iter().rev().find(|session| session.close < at);
    let before = before.map_or(price, |session| session.whole.prices[3]);
    let delay = if hours == Hours::Seoul { 20 } else { 0 };
    Some(json!({
        "language": "en-US", "region": "US", "quoteType": kind, "symbol": symbol,
        "shortName": name, "longName": name, "currency": currency,
        "marketState": if is_open { "REGULAR" } else { "CLOSED" },
        "regularMarketPrice": price, "regularMarketTime": at,
        "regularMarketPreviousClose": before, "regularMarketChange": price - before,
        "regularMarketChangePercent": (price / before - 1.0) * 100.0,
        "exchange": exchange.0, "fullExchangeName": exchange.1,
        "exchangeTimezoneName": hours.zone(), "gmtOffSetMilliseconds": hours.offset(today) * 1_000,
        "sourceInterval": 15, "exchangeDataDelayedBy": delay, "tradeable": false, "priceHint": 2,
    }))
}

fn search(params: &BTreeMap<String, String>, now: Timestamp) -> Reply {
    let get = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
    let wanted = get("q").to_lowercase();
    let most = |name: &str| get(name).parse().unwrap_or(7_usize).min(20);
    let fits = |listing: &&Listing| {
        let texts = [listing.symbol.to_lowercase(), listing.name.to_lowercase()];
        !wanted.is_empty() && texts.iter().any(|text| text.contains(&wanted))
    };
    let found: Vec<&Listing> = LISTINGS.iter().filter(fits).take(most("quotesCount")).collect();
    let quote = |listing: &&Listing| {
        json!({
            "exchange": listing.exchange.0, "exchDisp": listing.exchange.1,
            "shortname": listing.name, "longname": listing.name, "quoteType": listing.kind,
            "symbol": listing.symbol, "index": "quotes", "score": 30_000.0, "isYahooFinance": true,
        })
    };
    let quotes: Vec<Value> = found.iter().map(quote).collect();
    let story = |(place, listing): (usize, &&Listing)| {
        json!({
            "uuid": format!("00000000-0000-4000-8000-{place:012}"),
            "title": format!("{} in the simulated market", listing.name),
            "publisher": "Simulator", "link": "https://example.org/story", "type": "STORY",
            "providerPublishTime": now.secs() - 3_600, "relatedTickers": [listing.symbol],
        })
    };
    let news: Vec<Value> = found.iter().take(most("newsCount")).enumerate().map(story).collect();
    let count = quotes.len();
    Reply::json(
        200,
        &json!({
            "explains": [], "count": count, "quotes": quotes, "news": news, "nav": [], "lists": [],
            "researchReports": [], "screenerFieldResults": [], "totalTime": 25,
        }),
    )
}

/// A part of a path as it was before it was encoded.
fn decoded(part: &str) -> String {
    let bytes = part.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = part.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex.filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
