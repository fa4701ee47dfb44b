//! The HTTP side: routes, limits, faults, ledger.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use finstage_model::{Clock, Timestamp};
use tokio::sync::watch;

use super::connection::{Connection, LIFETIME};
use super::hub::Hub;
use super::limits::{Admission, Limits, WEIGHT_PER_MINUTE};
use super::rest::{self, ApiError, Question};
use super::stream::FrameForm;
use crate::sim::faults::{Distortion, FaultKind, Faults};
use crate::sim::ledger::{Ledger, Line, Outcome};
use crate::sim::market::Market;
use crate::sim::rulebook::whole_secs;

/// The largest command of a client.
pub const MAX_COMMAND_BYTES: usize = 64 * 1_024;

/// What is held to read commands into; they are small, and connections may be ten thousand.
const READ_BUFFER_BYTES: usize = 2 * 1_024;

/// What all requests and connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) faults: Faults,
    pub(super) hub: Hub,
    pub(super) stop: watch::Sender<bool>,
    /// Wakes connections when one of them may have to end, or to fall silent.
    pub(super) news: watch::Sender<News>,
    pub(super) resets: AtomicU64,
    pub(super) connects: AtomicU64,
    pub(super) ledger: Arc<Ledger>,
    market: Mutex<Market>,
    limits: Mutex<Limits>,
    /// Whoever holds it lets the market happen.
    pump: tokio::sync::Mutex<Distortion>,
}

/// What connections must look at when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct News {
    /// Resets and closes that have begun.
    begun: (u64, u64),
    is_silent: bool,
    /// The oldest connection, if its life is over.
    expired: Option<Timestamp>,
}

impl Shared {
    pub(super) fn new(
        market: Market,
        clock: Arc<dyn Clock>,
        faults: Faults,
        ledger: Arc<Ledger>,
    ) -> Self {
        let distortion = Distortion::new(&faults, market.listings().len());
        Self {
            clock,
            faults,
            hub: Hub::new(market.listings().cloned().collect()),
            stop: watch::Sender::new(false),
            news: watch::Sender::new(News::default()),
            resets: AtomicU64::new(0),
            connects: AtomicU64::new(0),
            ledger,
            market: Mutex::new(market),
            limits: Mutex::default(),
            pump: tokio::sync::Mutex::new(distortion),
        }
    }

    pub(super) fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limits as they are now.
    fn limits(&self, now: Timestamp) -> MutexGuard<'_, Limits> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.set_factor(self.faults.limit_factor("binance", now));
        limits
    }

    /// Lets the market happen until the present of the clock.
    pub(super) async fn catch_up(&self) {
        let mut distortion = self.pump.lock().await;
        loop {
            let mut batch = Vec::new();
            let now = self.clock.now();
            let more = {
                let mut market = self.market();
                self.hub.slice(&mut market, (&mut distortion, &self.faults), now, &mut batch)
            };
            self.hub.deliver(batch).await;
            if !more {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Tells connections what they must look at: one look for all of them.
    pub(super) fn tell(&self) {
        let now = self.clock.now();
        let begun = |kind| self.faults.begun(kind, now);
        let news = News {
            begun: (begun(FaultKind::Reset), begun(FaultKind::Close)),
            is_silent: self.faults.active(FaultKind::Silent, now).is_some(),
            expired: self.hub.oldest().filter(|opened| now.since(*opened) >= LIFETIME),
        };
        self.news.send_if_modified(|old| std::mem::replace(old, news) != news);
    }

    fn enter(&self, path: &str, weight: u32, status: u16) {
        let (at, outcome) = (self.clock.now(), Outcome::of_status(status));
        self.ledger.enter(&Line { at, venue: "binance", path, weight, status, outcome, who: "" });
    }
}

/// The routes of the venue.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/ws", get(raw_alone))
        .route("/ws/", get(raw_alone))
        .route("/ws/{*streams}", get(raw))
        .route("/stream", get(combined))
        .fallback(rest)
        .with_state(shared)
}

type Params = Query<Vec<(String, String)>>;

async fn raw_alone(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    connect(shared, upgrade, (FrameForm::Raw, String::new()))
}

async fn raw(
    State(shared): State<Arc<Shared>>,
    Path(streams): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    connect(shared, upgrade, (FrameForm::Raw, streams))
}

async fn combined(
    State(shared): State<Arc<Shared>>,
    Query(params): Params,
    upgrade: WebSocketUpgrade,
) -> Response {
    let streams = params.into_iter().find(|(key, _)| key == "streams").map(|(_, value)| value);
    connect(shared, upgrade, (FrameForm::Combined, streams.unwrap_or_default()))
}

fn connect(
    shared: Arc<Shared>,
    upgrade: WebSocketUpgrade,
    (form, streams): (FrameForm, String),
) -> Response {
    let path = match form {
        FrameForm::Raw => "/ws",
        FrameForm::Combined => "/stream",
    };
    let now = shared.clock.now();
    if !shared.limits(now).connect(now) {
        shared.enter(path, 0, 429);
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    shared.enter(path, 0, 101);
    shared.connects.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let names = streams.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(MAX_COMMAND_BYTES)
        .on_upgrade(move |socket| Connection::serve(shared, socket, (form, names)))
}

async fn rest(State(shared): State<Arc<Shared>>, method: Method, uri: Uri) -> Response {
    shared.catch_up().await;
    let now = shared.clock.now();
    let params = Params::try_from_uri(&uri).map(|Query(params)| params).unwrap_or_default();
    let question = Question { path: uri.path(), params: &params };
    let weight = rest::weight(&question);
    let refusal = scripted_refusal(&shared.faults, now);
    let reply = match refusal {
        Some(reply) => reply,
        None => {
            // Bound to a name: the lock is not held while the question is answered.
            let admission = shared.limits(now).take(weight, now);
            match admission {
                Admission::Ok { used } if method == Method::GET => {
                    match rest::answer(&shared.market(), &question, now) {
                        Ok(body) => Reply { used: Some(used), ..Reply::json(200, body) },
                        Err(error) => Reply { used: Some(used), ..Reply::error(&error) },
                    }
                }
                Admission::Ok { used } => {
                    let text = format!("Path {}, Method {method} is invalid", uri.path());
                    Reply { used: Some(used), ..Reply::error(&ApiError::new(405, -1000, text)) }
                }
                Admission::Limited { used, retry_after_s } => {
                    Reply { used: Some(used), ..too_much(retry_after_s) }
                }
                Admission::Banned { until, retry_after_s } => banned(until, retry_after_s),
            }
        }
    };
    shared.enter(uri.path(), weight, reply.status);
    reply.into_response()
}

/// The refusal of a scenario, if one goes on.
fn scripted_refusal(faults: &Faults, now: Timestamp) -> Option<Reply> {
    let left = |fault| whole_secs(faults.left(fault, now));
    if let Some(fault) = faults.active(FaultKind::Rest418, now) {
        let wait = left(fault);
        return Some(banned(now.plus(Duration::from_secs(wait)), wait));
    }
    if let Some(fault) = faults.active(FaultKind::Rest429, now) {
        return Some(too_much(left(fault)));
    }
    if let Some(fault) = faults.active(FaultKind::RestHtml, now) {
        let page = "<html><head><title>403 Forbidden</title></head>\
                    <body><h1>403 Forbidden</h1></body></html>\r\n";
        let reply = Reply::json(fault.status.unwrap_or(403), page.as_bytes().to_vec());
        return Some(Reply { media: "text/html", ..reply });
    }
    let fault = faults.active(FaultKind::Rest5xx, now)?;
    let status = fault.status.unwrap_or(503);
    let (code, text) = match status {
        503 => (
            -1008,
            "Server is currently overloaded with other requests. Please try again in a few minutes.",
        ),
        504 => (
            -1007,
            "Timeout waiting for response from backend server. Send status unknown; \
             execution status unknown.",
        ),
        _ => (-1001, "Internal error; unable to process your request. Please try again."),
    };
    Some(Reply::error(&ApiError::new(status, code, text)))
}

fn too_much(retry_after_s: u64) -> Reply {
    let text = format!(
        "Too much request weight used; current limit is {WEIGHT_PER_MINUTE} request weight per \
         1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
    );
    let error = ApiError::new(429, -1003, text);
    Reply { retry_after_s: Some(retry_after_s), ..Reply::error(&error) }
}

fn banned(until: Timestamp, retry_after_s: u64) -> Reply {
    let text = format!(
        "Way too much request weight used; IP banned until {}. Please use WebSocket Streams for \
         live updates to avoid bans.",
        until.millis()
    );
    let error = ApiError::new(418, -1003, text);
    Reply { retry_after_s: Some(retry_after_s), ..Reply::error(&error) }
}

/// An answer before it is an HTTP response.
struct Reply {
    status: u16,
    media: &'static str,
    body: Vec<u8>,
    used: Option<u32>,
    retry_after_s: Option<u64>,
}

impl Reply {
    fn json(status: u16, body: Vec<u8>) -> Self {
        let media = "application/json;charset=UTF-8";
        Self { status, media, body, used: None, retry_after_s: None }
    }

    fn error(error: &ApiError) -> Self {
        Self::json(error.status, error.body().into_bytes())
    }

    fn into_response(self) -> Response {
        let mut response =
            Response::builder().status(self.status).header(header::CONTENT_TYPE, self.media);
        if let Some(used) = self.used {
            response = response.header("x-mbx-used-weight", used);
            response = response.header("x-mbx-used-weight-1m", used);
        }
        if let Some(seconds) = self.retry_after_s {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        response
            .body(Body::from(self.body))
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}
