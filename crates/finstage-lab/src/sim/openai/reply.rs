//! Answers on their way out: bodies, and headers in the style that was chosen.

use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::watch;

use super::limits::{Standing, Turn, go_duration};
use super::options::{Dialect, Hints};
use super::stream::{self, MAX_HANG, Step};
use crate::sim::ledger::Outcome;
use crate::sim::rulebook::whole_secs;

/// What is sent.
#[derive(Debug)]
pub(super) enum Content {
    Json(Vec<u8>),
    /// A page that no part of the API would send.
    Page(String),
    /// The bytes of a file.
    File(axum::body::Bytes),
    Steps(Vec<Step>),
    /// Nothing, until the client leaves.
    Hang,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content: Content,
    pub(super) outcome: Outcome,
    /// Tokens that limits counted.
    pub(super) weight: u32,
    /// How long it takes, by the venue's clock.
    pub(super) latency: Duration,
    pub(super) standing: Standing,
    /// What a refusal tells to wait.
    pub(super) wait: Option<Duration>,
    pub(super) retry: Option<bool>,
    pub(super) nano_usd: u64,
    pub(super) turn: Option<Turn>,
}

/// What headers are made of, beside the answer.
#[derive(Debug)]
pub(super) struct Style {
    pub(super) hints: Hints,
    pub(super) dialect: Dialect,
    pub(super) request_id: String,
    /// The latency in real time.
    pub(super) real: Duration,
}

impl Reply {
    pub(super) fn new(status: u16, content: Content) -> Self {
        Self {
            status,
            content,
            outcome: Outcome::of_status(status),
            weight: 0,
            latency: Duration::ZERO,
            standing: Standing::default(),
            wait: None,
            retry: None,
            nano_usd: 0,
            turn: None,
        }
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, Content::Json(body.to_string().into_bytes()))
    }

    /// Waits as long as it takes, then hands out what is sent.
    pub(super) async fn send(self, style: &Style, mut stop: watch::Receiver<bool>) -> Response {
        let mut response = Response::builder();
        for (name, value) in self.headers(style) {
            response = response.header(name, value);
        }
        if !style.real.is_zero() {
            stream::wait(style.real, &mut stop).await;
        }
        let (media, body) = match self.content {
            Content::Json(bytes) => ("application/json", Body::from(bytes)),
            Content::Page(text) => ("text/html; charset=utf-8", Body::from(text)),
            Content::File(bytes) => ("application/octet-stream", Body::from(bytes)),
            Content::Steps(steps) => {
                ("text/event-stream; charset=utf-8", stream::body(steps, self.turn, stop))
            }
            Content::Hang => {
                stream::wait(MAX_HANG, &mut stop).await;
                return StatusCode::GATEWAY_TIMEOUT.into_response();
            }
        };
        let response = response.status(self.status).header(header::CONTENT_TYPE, media).body(body);
        response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    fn headers(&self, style: &Style) -> Vec<(&'static str, String)> {
        let processing = self.latency.as_millis().to_string();
        let mut headers = self.hints(style.hints);
        match style.dialect {
            Dialect::OpenAi => {
                headers.push(("x-request-id", style.request_id.clone()));
                headers.push(("openai-processing-ms", processing));
                headers.push(("openai-version", "2020-10-01".to_owned()));
                headers.push(("openai-organization", "org-sim".to_owned()));
            }
            Dialect::Gateway => {
                let upstream: Vec<(&str, String)> = headers
                    .iter()
                    .filter_map(|(name, value)| Some((upstream(name)?, value.clone())))
                    .collect();
                headers.extend(upstream);
                let call = style.request_id.replacen("req_", "call-", 1);
                let cost = format!("{:.9}", self.nano_usd as f64 / 1e9);
                headers.push(("x-litellm-call-id", call));
                headers.push(("x-litellm-model-id", "sim".to_owned()));
                headers.push(("x-litellm-model-api-base", "https://api.openai.com".to_owned()));
                headers.push(("x-litellm-response-cost", cost));
                headers.push(("x-litellm-response-duration-ms", processing.clone()));
                headers.push(("x-litellm-overhead-duration-ms", "0".to_owned()));
                headers.push(("x-litellm-attempted-retries", "0".to_owned()));
                headers.push(("x-litellm-attempted-fallbacks", "0".to_owned()));
                headers.push(("x-litellm-version", "1.106.0".to_owned()));
                headers.push(("llm_provider-x-request-id", style.request_id.clone()));
                headers.push(("llm_provider-openai-processing-ms", processing));
            }
        }
        headers
    }

    fn hints(&self, hints: Hints) -> Vec<(&'static str, String)> {
        let mut headers = Vec::with_capacity(16);
        if hints == Hints::Milliseconds {
            if let Some(reading) = self.standing.requests {
                headers.push(("x-ratelimit-limit-requests", reading.limit.to_string()));
                headers.push(("x-ratelimit-remaining-requests", reading.left.to_string()));
                headers.push(("x-ratelimit-reset-requests", go_duration(reading.reset)));
            }
            if let Some(reading) = self.standing.tokens {
                headers.push(("x-ratelimit-limit-tokens", reading.limit.to_string()));
                headers.push(("x-ratelimit-remaining-tokens", reading.left.to_string()));
                headers.push(("x-ratelimit-reset-tokens", go_duration(reading.reset)));
            }
            if let Some(retry) = self.retry {
                headers.push(("x-should-retry", retry.to_string()));
            }
        }
        if let Some(wait) = self.wait.filter(|_| hints != Hints::None) {
            headers.push(("retry-after", whole_secs(wait).to_string()));
            if hints == Hints::Milliseconds {
                let ms = wait.as_nanos().div_ceil(1_000_000).max(1);
                headers.push(("retry-after-ms", ms.to_string()));
            }
        }
        headers
    }
}

/// How a gateway calls a header of the venue that it hands on.
fn upstream(name: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 8] = [
        ("x-ratelimit-limit-requests", "llm_provider-x-ratelimit-limit-requests"),
        ("x-ratelimit-remaining-requests", "llm_provider-x-ratelimit-remaining-requests"),
        ("x-ratelimit-reset-requests", "llm_provider-x-ratelimit-reset-requests"),
        ("x-ratelimit-limit-tokens", "llm_provider-x-ratelimit-limit-tokens"),
        ("x-ratelimit-remaining-tokens", "llm_provider-x-ratelimit-remaining-tokens"),
        ("x-ratelimit-reset-tokens", "llm_provider-x-ratelimit-reset-tokens"),
        ("retry-after", "llm_provider-retry-after"),
        ("retry-after-ms", "llm_provider-retry-after-ms"),
    ];
    NAMES.iter().find(|(own, _)| *own == name).map(|(_, upstream)| *upstream)
}
