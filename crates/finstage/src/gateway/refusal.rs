//! What is not done, in the words that whoever asked reads: OpenAI's, or `application/problem+json`.

use std::time::Duration;

use finstage_net::{Error, ErrorKind, Phase};
use finstage_server::{Given, GivenBody};
use serde_json::{Value, json};

/// Why a question is not passed on, or has no answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    status: u16,
    /// A word to act on.
    code: &'static str,
    words: String,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
}

/// Whose words are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// OpenAI's: its SDKs know what to do.
    OpenAi,
    /// RFC 9457.
    Problem,
}

/// The wait where nothing better is known.
const SOON: Duration = Duration::from_secs(1);

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, words: impl Into<String>) -> Self {
        Self { status, code, words: words.into(), retry_after: None, allow: None }
    }

    /// With the wait after which the same may be done.
    pub(super) fn retry_in(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Another verb was wanted.
    pub(super) fn method(allow: &'static str, words: impl Into<String>) -> Self {
        Self { allow: Some(allow), ..Self::new(405, "method_not_allowed", words) }
    }

    /// The house has no doors yet.
    pub(super) fn starting() -> Self {
        Self::new(503, "starting", "the service is starting: ask again in a second").retry_in(SOON)
    }

    /// Too many wait already.
    pub(super) fn crowded(waiting: usize) -> Self {
        let words = format!("{waiting} requests wait here already: ask again in a second");
        Self::new(503, "too_many_waiting", words).retry_in(SOON)
    }

    /// Nothing came back that could be passed on.
    pub(super) fn of(error: &Error) -> Self {
        let words = error.to_string();
        let wait = error.wait().unwrap_or(SOON);
        match error.kind() {
            ErrorKind::Limited => Self::new(503, "limited", words).retry_in(wait),
            ErrorKind::Resting => Self::new(503, "resting", words).retry_in(wait),
            ErrorKind::Timeout if error.phase() == Some(Phase::Turn) => {
                Self::new(503, "no_turn_in_time", words).retry_in(wait)
            }
            ErrorKind::Timeout => Self::new(504, "timeout", words),
            ErrorKind::Denied => Self::new(502, "keys_refused", words),
            ErrorKind::TooLarge => Self::new(502, "too_large", words),
            ErrorKind::Invalid => Self::new(400, "invalid", words),
            _ => Self::new(502, "unavailable", words),
        }
    }

    /// The answer that says it.
    pub(super) fn answer(&self, style: Style) -> Given {
        let (kind, body) = match style {
            Style::OpenAi => ("application/json", self.envelope()),
            Style::Problem => ("application/problem+json", self.problem()),
        };
        let mut headers = vec![
            ("content-type".to_owned(), kind.to_owned()),
            ("x-finstage-error".to_owned(), self.code.to_owned()),
            // The house has repeated what may be repeated; layers that repeat do not add, they multiply.
            ("x-should-retry".to_owned(), self.retry_after.is_some().to_string()),
        ];
        if let Some(wait) = self.retry_after {
            headers.push(("retry-after".to_owned(), wait.as_millis().div_ceil(1_000).to_string()));
        }
        if let Some(allow) = self.allow {
            headers.push(("allow".to_owned(), allow.to_owned()));
        }
        if self.status == 401 {
            headers.push(("www-authenticate".to_owned(), "Bearer".to_owned()));
        }
        Given { status: self.status, headers, body: GivenBody::Whole(body.to_string().into()) }
    }

    fn envelope(&self) -> Value {
        let kind = match self.status {
            429 => self.code,
            400..=499 => "invalid_request_error",
            _ => "server_error",
        };
        json!({"error": {"message": self.words, "type": kind, "param": null, "code": self.code}})
    }

    fn problem(&self) -> Value {
        json!({"type": "about:blank", "title": self.code, "status": self.status, "detail": self.words})
    }
}
