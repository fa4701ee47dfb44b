//! The HTTP side: pages and keys first, then who is asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{Method, header};
use axum::response::Response;
use finstage_model::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::catalog::{MODELS, Model};
use super::failure::Failure;
use super::files::MAX_FILE_BYTES;
use super::limits::{Admission, locked};
use super::options::Manners;
use super::reply::{Content, Reply, Style};
use super::storage::Store;
use crate::rng::mix;
use crate::sim::faults::{Fault, FaultKind, Faults};
use crate::sim::front::nickname;
use crate::sim::ledger::{Ledger, Line, Outcome};

/// The largest body of a question; a file may have [`MAX_FILE_BYTES`].
pub const MAX_BODY_BYTES: usize = 8 * 1_024 * 1_024;
/// What a form has beside its file.
const FORM_BYTES: usize = 64 * 1_024;
/// The longest path that is entered in the ledger.
const MAX_PATH_BYTES: usize = 200;
const PAGE: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>\
                    <center><h1>502 Bad Gateway</h1></center><hr><center>cloudflare</center></body></html>";

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) speed: f64,
    pub(super) faults: Faults,
    pub(super) ledger: Arc<Ledger>,
    pub(super) keys: Vec<String>,
    pub(super) manners: Manners,
    pub(super) admission: Arc<Mutex<Admission>>,
    pub(super) store: Mutex<Store>,
    pub(super) asked: AtomicU64,
    pub(super) stop: watch::Sender<bool>,
}

/// Which request it is, and when it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) number: u64,
    pub(super) now: Timestamp,
}

/// A request that was read.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    /// Without `/v1` and without a slash at the end.
    path: String,
    params: Vec<(String, String)>,
    key: Option<String>,
    pub(super) media: String,
    body: Result<Bytes, Failure>,
}

impl Call {
    async fn read(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let path = format!("/{}", parts.uri.path().trim_matches('/'));
        let path = match path.strip_prefix("/v1") {
            Some("") => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ => path,
        };
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let key = text(header::AUTHORIZATION).and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
        });
        let limit = if path == "/files" { MAX_FILE_BYTES + FORM_BYTES } else { MAX_BODY_BYTES };
        let params = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        Self {
            key: key.filter(|key| !key.is_empty()),
            media: text(header::CONTENT_TYPE).unwrap_or_default().to_owned(),
            params: params.map(|Query(params)| params).unwrap_or_default(),
            body: to_bytes(body, limit).await.map_err(|_| Failure::too_large(limit)),
            method: parts.method,
            path,
        }
    }

    pub(super) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let own = self.params.iter().find(|(key, _)| key == name);
        own.map(|(_, value)| value.as_str())
    }

    pub(super) fn body(&self) -> Result<&Bytes, Failure> {
        self.body.as_ref().map_err(Clone::clone)
    }

    /// What the ledger calls it.
    fn shown(&self) -> String {
        let mut end = self.path.len().min(MAX_PATH_BYTES);
        while !self.path.is_char_boundary(end) {
            end -= 1;
        }
        format!("/v1{}", &self.path[..end])
    }
}

pub(super) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = Call::read(request).await;
    let number = shared.asked.fetch_add(1, Ordering::Relaxed);
    let moment = Moment { number, now: shared.clock.now() };
    let reply = match shared.answer(&call, moment).await {
        Ok(reply) => reply,
        Err(failure) => shared.failed(&failure),
    };
    // Before anything is waited for: who leaves was counted all the same.
    shared.enter(&call, (&reply, moment.now));
    let draws = [1, 2].map(|part| mix(shared.seed, number, part));
    let style = Style {
        hints: shared.manners.hints,
        dialect: shared.manners.dialect,
        request_id: format!("req_{:016x}{:016x}", draws[0], draws[1]),
        real: shared.real(reply.latency),
    };
    reply.send(&style, shared.stop.subscribe()).await
}

impl Shared {
    /// Whether a fault strikes a request: by its number.
    pub(super) fn strikes(&self, kind: FaultKind, moment: Moment) -> Option<&Fault> {
        self.faults.strikes(kind, (moment.number, moment.now))
    }

    /// How long a time of the venue takes in real time.
    pub(super) fn real(&self, time: Duration) -> Duration {
        match Duration::try_from_secs_f64(time.as_secs_f64() / self.speed) {
            Ok(real) => real,
            Err(_) => time,
        }
    }

    pub(super) fn failed(&self, failure: &Failure) -> Reply {
        let mut reply = Reply::json(failure.status, &failure.body(self.manners.dialect));
        (reply.wait, reply.retry) = (failure.wait, failure.retry);
        reply
    }

    fn enter(&self, call: &Call, (reply, at): (&Reply, Timestamp)) {
        let (path, who) = (call.shown(), call.key.as_deref().map(nickname).unwrap_or_default());
        self.ledger.enter(&Line {
            at,
            venue: "openai",
            path: &path,
            weight: reply.weight,
            status: if matches!(reply.content, Content::Hang) { 504 } else { reply.status },
            outcome: reply.outcome,
            who: &who,
        });
    }

    async fn answer(self: &Arc<Self>, call: &Call, moment: Moment) -> Result<Reply, Failure> {
        if let Some(fault) = self.strikes(FaultKind::OpenaiHtml, moment) {
            let page = Reply::new(fault.status.unwrap_or(502), Content::Page(PAGE.to_owned()));
            return Ok(Reply { outcome: Outcome::Error, ..page });
        }
        self.check_key(call, moment)?;
        match (&call.method, call.path.as_str()) {
            (&Method::POST, "/chat/completions") => self.chat(call, moment),
            (&Method::POST, "/embeddings") => self.embed(call, moment),
            (&Method::GET, "/models") => Ok(Reply::json(200, &models())),
            (&Method::GET, "/usage") => {
                Ok(Reply::json(200, &locked(&self.admission).usage(call.key())))
            }
            (&Method::POST, "/files") => self.upload(call, moment),
            (&Method::GET, "/files") => Ok(self.files(call, moment.now)),
            (&Method::POST, "/batches") => self.submit(call, moment.now).await,
            (&Method::GET, "/batches") => Ok(self.batches(call, moment.now)),
            _ => self.named(call, moment.now),
        }
    }

    fn check_key(&self, call: &Call, moment: Moment) -> Result<(), Failure> {
        let Some(key) = &call.key else { return Err(Failure::no_key()) };
        let is_known = match self.keys.is_empty() {
            true => key.starts_with("sk-"),
            false => self.keys.contains(key),
        };
        if !is_known || self.strikes(FaultKind::Openai401, moment).is_some() {
            return Err(Failure::wrong_key(key));
        }
        Ok(())
    }

    /// What is asked by a name in its path.
    fn named(&self, call: &Call, now: Timestamp) -> Result<Reply, Failure> {
        let parts: Vec<&str> = call.path.split('/').skip(1).collect();
        match (&call.method, parts.as_slice()) {
            (&Method::GET, ["models", name]) => match Model::find(name) {
                Some(model) => Ok(Reply::json(200, &model.shown())),
                None => Err(Failure::unknown_model(name)),
            },
            (&Method::GET, ["files", id]) => self.file(id, now),
            (&Method::DELETE, ["files", id]) => self.forget(id, now),
            (&Method::GET, ["files", id, "content"]) => self.content(id, now),
            (&Method::GET, ["batches", id]) => self.batch(id, now),
            (&Method::POST, ["batches", id, "cancel"]) => self.cancel(id, now),
            (
                method,
                ["chat", "completions"] | ["embeddings" | "models" | "usage" | "files" | "batches"],
            ) => Err(Failure::wrong_method(method.as_str())),
            (method, _) => Err(Failure::unknown_url(method.as_str(), &call.shown())),
        }
    }
}

fn models() -> Value {
    json!({"object": "list", "data": MODELS.iter().map(Model::shown).collect::<Value>()})
}
