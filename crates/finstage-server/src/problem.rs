//! Refusals and failures as RFC 9457 has them: `application/problem+json`.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;

use crate::answer::Answer;
use crate::token::PREFIX;
use crate::{Error, ErrorKind};

/// The most characters of a detail.
const MAX_DETAIL_CHARS: usize = 300;

/// Why a request was not done. No part of a secret is ever in it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    /// Methods that are allowed, for 405.
    pub(crate) allow: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL_CHARS) {
            detail.truncate(end);
        }
        Self { status, detail, allow: None }
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "sign in: send the token as \"Authorization: Bearer\", or open the link that \
            `finstage token link` prints";
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// The answer about the request for `path`.
    pub(crate) fn answer(&self, path: &str) -> Answer {
        let instance = masked(path);
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance: &instance,
        };
        let body = serde_json::to_vec(&body).expect("texts and a number are always JSON");
        let mut answer = Answer {
            status: self.status,
            kind: "application/problem+json",
            body: Bytes::from(body),
            headers: Vec::new(),
        };
        if let Some(allow) = &self.allow {
            answer.headers.push(("allow", allow.clone()));
        }
        match self.status {
            StatusCode::UNAUTHORIZED => {
                answer.headers.push(("www-authenticate", "Bearer".to_owned()));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                answer.headers.push(("retry-after", "1".to_owned()));
            }
            _ => {}
        }
        answer
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Refused | ErrorKind::Settings => StatusCode::BAD_REQUEST,
            _ => return Self::failed(&error),
        };
        Self::new(status, error.to_string())
    }
}

impl From<finstage_store::Error> for Problem {
    fn from(error: finstage_store::Error) -> Self {
        Self::from(Error::from(error))
    }
}

impl Problem {
    /// What went wrong stands in the log; the caller learns that something did.
    fn failed(error: &Error) -> Self {
        tracing::warn!("a request failed: {error}");
        let detail = "the store could not be read; the service's log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

/// A path without what somebody took for the place of a token: an answer may be kept where it is read.
fn masked(path: &str) -> Cow<'_, str> {
    if !path.contains(PREFIX) {
        return Cow::Borrowed(path);
    }
    let hide = |segment| if str::contains(segment, PREFIX) { "[redacted]" } else { segment };
    Cow::Owned(path.split('/').map(hide).collect::<Vec<_>>().join("/"))
}
