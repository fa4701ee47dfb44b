//! The HTTP side: faults, limits, then the question.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Query, Request, State};
use axum::http::{Method, Uri};
use axum::response::Response;
use finstage_model::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::answer::{self, View};
use super::pairs::{Pair, find};
use crate::sim::faults::{FaultKind, Faults};
use crate::sim::front::{Ask, Reply};
use crate::sim::ledger::{Ledger, Line, Outcome};
use crate::sim::market::Market;
use crate::sim::rulebook::{Caller, Rulebook};

const PUBLIC: &str = "/0/public/";
/// Events of the market between which others get a turn.
const SLICE_EVENTS: usize = 2_048;
const LIMITED: &str = "EAPI:Rate limit exceeded";

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) faults: Faults,
    pub(super) ledger: Arc<Ledger>,
    pub(super) pairs: Vec<Pair>,
    pub(super) market: Mutex<Market>,
    pub(super) book: Mutex<Rulebook>,
    pub(super) asked: AtomicU64,
    pub(super) stop: watch::Sender<bool>,
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut ask = Ask::read(request).await;
    ask.params.extend(form(&ask));
    if let Some(fault) = shared.faults.active(FaultKind::KrakenSlow, shared.clock.now()) {
        sleep(fault.by).await;
    }
    let now = shared.clock.now();
    shared.catch_up(now).await;
    let reply = shared.answer(&ask, now);
    let (status, outcome) = (reply.status, reply.outcome);
    let (path, who) = (ask.path.as_str(), ask.address.as_str());
    let line = Line { at: now, venue: "kraken", path, weight: 1, status, outcome, who };
    shared.ledger.enter(&line);
    reply.into_response()
}

/// Parameters of a body, which is written as a query is.
fn form(ask: &Ask) -> Vec<(String, String)> {
    let query = std::str::from_utf8(&ask.body).ok().map(|body| format!("/?{body}"));
    let uri = query.and_then(|query| query.parse::<Uri>().ok()).unwrap_or_default();
    Query::try_from_uri(&uri).map(|Query(params)| params).unwrap_or_default()
}

/// What the venue says when it does not answer: always with status 200.
fn failure(said: &str) -> Reply {
    let is_limit = [LIMITED, "EGeneral:Too many requests"].contains(&said)
        || said.starts_with("EService: Throttled");
    let outcome = if is_limit { Outcome::Refused } else { Outcome::Error };
    Reply { outcome, ..Reply::json(200, &json!({"error": [said]})) }
}

impl Shared {
    /// Lets the market happen until the present.
    async fn catch_up(&self, now: Timestamp) {
        loop {
            let more = {
                let mut market = locked(&self.market);
                (0..SLICE_EVENTS).all(|_| market.next(now).is_some())
            };
            if !more {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn answer(&self, ask: &Ask, now: Timestamp) -> Reply {
        let scripted = |kind| self.faults.active(kind, now);
        if let Some(fault) = scripted(FaultKind::KrakenHtml) {
            let page =
                "<!DOCTYPE html><html><title>Web server is returning an unknown error</title>";
            return Reply::page(fault.status.unwrap_or(520), page);
        }
        if scripted(FaultKind::KrakenEmpty).is_some() {
            return Reply { outcome: Outcome::Error, ..Reply::page(200, "") };
        }
        let Some(method) = ask.path.strip_prefix(PUBLIC) else {
            return failure("EGeneral:Unknown method");
        };
        if ![Method::GET, Method::POST].contains(&ask.method) {
            return failure("EGeneral:Invalid arguments");
        }
        match self.refusal((ask, method), now) {
            Some(said) => failure(&said),
            None => match self.result((ask, method), now) {
                Ok(result) => Reply::json(200, &json!({"error": [], "result": result})),
                Err(said) => failure(said),
            },
        }
    }

    /// Why a question is not even looked at.
    fn refusal(&self, (ask, method): (&Ask, &str), now: Timestamp) -> Option<String> {
        let pair = find(&self.pairs, ask.param("pair"));
        let is_chart = ["OHLC", "Trades"].contains(&method);
        let topic = format!("{method} {}", pair.map_or("", |pair| &pair.name));
        let cost = (if is_chart { "charts" } else { "calls" }, 1);
        let caller = Caller { topic: &topic, ..Caller::of_address(&ask.address) };
        let is_admitted = {
            let mut book = locked(&self.book);
            book.set_factor(self.faults.limit_factor("kraken", now));
            book.admit(now, &caller, &[cost]).is_admitted()
        };
        if !is_admitted {
            return Some(LIMITED.to_owned());
        }
        if let Some(fault) = self.faults.active(FaultKind::KrakenThrottled, now) {
            let end = now.plus(self.faults.left(fault, now));
            // Whoever comes at the moment that is named comes after the end.
            let end = end.secs() + i64::from(end.nanos() % 1_000_000_000 != 0);
            return Some(format!("EService: Throttled: {end}"));
        }
        let scripted = [
            (FaultKind::KrakenLimit, LIMITED),
            (FaultKind::KrakenTooMany, "EGeneral:Too many requests"),
            (FaultKind::KrakenBusy, "EService:Busy"),
            (FaultKind::KrakenUnavailable, "EService:Unavailable"),
        ];
        let strikes = |kind| self.faults.active(kind, now).is_some();
        if let Some((_, said)) = scripted.iter().find(|(kind, _)| strikes(*kind)) {
            return Some((*said).to_owned());
        }
        // The venue says itself that it is closed, and what time it is.
        let is_told = ["SystemStatus", "Time"].contains(&method);
        if strikes(FaultKind::KrakenMaintenance) && !is_told {
            return Some("EService:Unavailable".to_owned());
        }
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let names = pair.map(Pair::names).unwrap_or_default();
        let on_pair = |name: &str| self.faults.on_symbol(FaultKind::KrakenFail, now, name);
        let fails = pair.is_some() && names.iter().any(|name| on_pair(name).is_some());
        let is_drawn = self.faults.strikes(FaultKind::KrakenError, (number, now)).is_some();
        (fails || is_drawn).then(|| "EGeneral:Internal error".to_owned())
    }

    fn result(&self, (ask, method): (&Ask, &str), now: Timestamp) -> Result<Value, &'static str> {
        let is_closed = self.faults.active(FaultKind::KrakenMaintenance, now).is_some();
        let market = locked(&self.market);
        let view = View { market: &market, pairs: &self.pairs, now };
        match method {
            "Time" => Ok(answer::time(now)),
            "SystemStatus" => {
                Ok(answer::status(if is_closed { "maintenance" } else { "online" }, now))
            }
            "Assets" => view.assets(ask),
            "AssetPairs" => view.asset_pairs(ask),
            "Ticker" => view.tickers(ask),
            "OHLC" => view.chart(ask),
            "Trades" => view.trades(ask),
            "Depth" => view.depth(ask),
            "Spread" => view.spreads(ask),
            _ => Err("EGeneral:Unknown method"),
        }
    }
}
