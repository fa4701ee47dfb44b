//! What every answer has in common: whether it is one, and the venue's verdict.
//!
//! `rt_cd` says "0" for done and something else for not; why stands in `msg_cd`, whatever the status.
//! Tokens are refused in another form, `error_code` and `error_description`.

use std::time::Duration;

use finstage_model::{Day, Timestamp};
use finstage_net::{Response, Sign};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::error;
use crate::{DecodeError, DecodeErrorKind};

/// One token a minute.
pub(super) const TOO_SOON: &str = "EGW00133";
const TOO_MANY: &str = "EGW00201";
const TOKEN_IS_OVER: [&str; 2] = ["EGW00123", "EGW00121"];
const WRONG_KEYS: [&str; 3] = ["EGW00103", "EGW00105", "EGW00304"];
/// The gateway did not reach what is behind it.
const GATEWAY: &str = "IGW";
/// Asked and answered: there is nothing.
const NO_DATA: &str = "7";

/// How much of the venue's own words is kept in an error.
const MAX_QUOTED_CHARS: usize = 200;

/// What an answer says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    #[serde(default)]
    rt_cd: Option<String>,
    #[serde(default)]
    msg_cd: Option<String>,
    #[serde(default)]
    msg1: Option<String>,
    #[serde(default)]
    error_code: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

impl Verdict {
    /// The verdict of an answer; `None` where it is no answer of the venue.
    pub(super) fn of(response: &Response) -> Option<Self> {
        let body = response.body.trim_ascii();
        body.starts_with(b"{").then(|| serde_json::from_slice(body).ok())?
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.error_code.is_some() || self.rt_cd.as_ref().is_some_and(|code| code != "0")
    }

    pub(super) fn code(&self) -> &str {
        self.error_code.as_ref().or(self.msg_cd.as_ref()).map_or("", |code| code.trim())
    }

    pub(super) fn words(&self) -> String {
        quoted(self.error_description.as_ref().or(self.msg1.as_ref()).map_or("", |said| said))
    }
}

pub(super) fn judge(response: &Response, _now: Timestamp) -> Sign {
    let seconds = |n| Some(Duration::from_secs(n));
    let Some(verdict) = Verdict::of(response) else {
        return match response.status {
            429 => Sign::Limited { retry_after: seconds(1) },
            // A page, or nothing at all: what stands in front of the venue answered.
            _ => Sign::Unavailable { retry_after: None },
        };
    };
    match verdict.code() {
        TOO_MANY => Sign::Limited { retry_after: seconds(1) },
        TOO_SOON => Sign::Limited { retry_after: seconds(60) },
        code if TOKEN_IS_OVER.contains(&code) => Sign::TokenExpired,
        code if WRONG_KEYS.contains(&code) => Sign::Unauthorized,
        code if code.starts_with(GATEWAY) => Sign::Unavailable { retry_after: None },
        // A refusal for a reason of its own, with whatever status.
        code if verdict.is_refusal() && !code.is_empty() => Sign::Fine,
        _ if response.status >= 500 => Sign::Unavailable { retry_after: None },
        _ => Sign::Fine,
    }
}

/// The content of an answer that is done; an error is what the venue said instead.
pub(super) fn content<T: DeserializeOwned>(
    what: &str,
    response: &Response,
) -> Result<T, DecodeError> {
    let Some(verdict) = Verdict::of(response) else {
        let kind = DecodeErrorKind::Html;
        let status = response.status;
        let what = match response.body.trim_ascii().is_empty() {
            true => format!("the venue answered nothing (status {status})"),
            false => format!("something else than the venue answered (status {status})"),
        };
        return Err(error(kind, what));
    };
    if verdict.is_refusal() || !response.is_success() {
        return Err(refusal(&verdict, response));
    }
    serde_json::from_slice(&response.body)
        .map_err(|e| error(DecodeErrorKind::Malformed, format!("decoding {what}: {e}")))
}

fn refusal(verdict: &Verdict, response: &Response) -> DecodeError {
    let code = verdict.code();
    let kind = match code {
        TOO_MANY | TOO_SOON => DecodeErrorKind::Limited,
        code if TOKEN_IS_OVER.contains(&code) || WRONG_KEYS.contains(&code) => {
            DecodeErrorKind::Unauthorized
        }
        code if code.starts_with(GATEWAY) => DecodeErrorKind::Html,
        _ if verdict.rt_cd.as_deref() == Some(NO_DATA) => DecodeErrorKind::NoSuchSymbol,
        _ => DecodeErrorKind::Refused,
    };
    let words = verdict.words();
    error(kind, format!("the venue refused: {words} ({code}, status {})", response.status))
}

/// The venue's words without its padding, cut to a bound and to one line.
pub(super) fn quoted(text: &str) -> String {
    let text = text.trim().chars().take(MAX_QUOTED_CHARS);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A row of a list; one that is `{}`, or not a row at all, is none.
pub(super) fn rows<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

/// `20261121`
pub(super) fn day(text: &str) -> Option<Day> {
    let text = text.trim();
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Day::from_civil(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?)
}

/// A day as `20261121`.
pub(super) fn digits(day: Day) -> String {
    let (year, month, of_month) = day.civil();
    format!("{year:04}{month:02}{of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(status: u16, body: &str) -> Sign {
        let response = Response { status, headers: Vec::new(), body: body.into() };
        judge(&response, Timestamp::EPOCH)
    }

    fn said(code: &str) -> String {
        format!(r#"{{"rt_cd":"1","msg_cd":"{code}","msg1":"…   "}}"#)
    }

    #[test]
    fn what_counts_is_the_code_and_not_the_status() {
        let wait = |n| Sign::Limited { retry_after: Some(Duration::from_secs(n)) };
        let unavailable = Sign::Unavailable { retry_after: None };
        for (status, code, expected) in [
            (500, "EGW00201", wait(1)),
            (200, "EGW00201", wait(1)),
            (403, "EGW00133", wait(60)),
            (500, "EGW00123", Sign::TokenExpired),
            (200, "EGW00123", Sign::TokenExpired),
            (500, "EGW00121", Sign::TokenExpired),
            (403, "EGW00103", Sign::Unauthorized),
            (500, "EGW00105", Sign::Unauthorized),
            (500, "EGW00304", Sign::Unauthorized),
            (500, "IGW00007", unavailable),
            (200, "OPSQ2001", Sign::Fine),
            (500, "OPSQ2001", Sign::Fine),
            (500, "", unavailable),
        ] {
            assert_eq!(sign(status, &said(code)), expected, "{code} with status {status}");
        }
        assert_eq!(sign(200, r#"{"rt_cd":"0","msg_cd":"MCA00000"}"#), Sign::Fine);
        for body in ["", "<html>", "oops", "[]"] {
            assert_eq!(sign(200, body), unavailable, "{body:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_venue() {
        let read = |status, body: &str| {
            let response = Response { status, headers: Vec::new(), body: body.into() };
            content::<serde_json::Value>("a price", &response).unwrap_err()
        };
        let error = read(500, &said("EGW00201"));
        assert_eq!(error.kind(), DecodeErrorKind::Limited);
        assert_eq!(error.to_string(), "kis: the venue refused: … (EGW00201, status 500)");
        assert_eq!(read(200, &said("EGW00123")).kind(), DecodeErrorKind::Unauthorized);
        assert_eq!(read(200, &said("OPSQ2001")).kind(), DecodeErrorKind::Refused);
        let none = r#"{"rt_cd":"7","msg_cd":"MCA00124","msg1":"조회할 자료가 없습니다."}"#;
        assert_eq!(read(200, none).kind(), DecodeErrorKind::NoSuchSymbol);
        assert_eq!(read(200, "<html>").kind(), DecodeErrorKind::Html);
        assert_eq!(read(504, "").to_string(), "kis: the venue answered nothing (status 504)");
    }

    #[test]
    fn days_are_eight_digits() {
        assert_eq!(digits(day("20261121").unwrap()), "20261121");
        for text in ["", "2026112", "20261301", "2026-1-1", "abcdefgh", "한국"] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
