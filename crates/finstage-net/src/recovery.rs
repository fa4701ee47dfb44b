//! What an error means and what to do about it: one table for all servers.
//!
//! "Too many requests" arrives as 429, 418, 403, 500 and 200. So each server's own signs are looked up
//! here by the name of the server and its code; what no server's row says is looked up by status.
//! `docs/guides/troubleshooting.md` shows the same table.

mod codes;

use std::borrow::Cow;
use std::time::Duration;

use crate::{Error, ErrorKind, Growth, Response, RetryPolicy};

pub use codes::CODES;

/// One sign of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The server; `http` for plain statuses, `net` for what happens on the way.
    pub source: &'static str,
    /// Its code or status. With a `*` at the end: all that begin so and have no row of their own.
    pub code: &'static str,
    /// What it means.
    pub kind: Trouble,
    /// What happened and what to do, for people.
    pub english: &'static str,
    /// The same in Korean.
    pub korean: &'static str,
}

/// What kinds of trouble there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Too many requests.
    RateLimited,
    /// Shut out for a while.
    Banned,
    /// The token is over.
    TokenExpired,
    /// The last token is not long enough ago.
    TokenTooSoon,
    /// The credentials are wrong, or do not allow this.
    Unauthorized,
    /// The request is wrong.
    BadRequest,
    /// Our clock and the server's differ.
    Clock,
    /// There is nothing of what was asked for.
    NoData,
    /// What was asked for is so already.
    Harmless,
    /// No connection, or it broke.
    Connection,
    /// No answer in time.
    Timeout,
    /// The server is down, overloaded or maintained.
    Server,
    /// The server failed on this request.
    Internal,
    /// Nobody knows whether the work was done.
    UnknownOutcome,
    /// Another session holds the key.
    SessionHeld,
    /// What was paid for is used up.
    Spent,
    /// An answer that cannot be read: a page, half of something.
    Unreadable,
    /// Not in the table.
    Unknown,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Mends itself.
    Low,
    /// Mends itself mostly.
    Medium,
    /// Somebody has to look.
    High,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Wait.
    Wait,
    /// Ask again.
    Retry,
    /// Get a new token.
    Renew,
    /// Compare clocks.
    SetClock,
    /// Leave the server alone for a while.
    Rest,
    /// Ask what became of it before anything else.
    Query,
    /// Tell the user.
    Notify,
    /// Give up.
    Fail,
}

/// How long to wait before asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Not at all.
    None,
    /// So long.
    For(Duration),
    /// As [`RetryPolicy::BROKER`] grows, and never less than the server says.
    Growing,
    /// As long as the server says.
    Named,
}

/// What to do about a kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How much it matters.
    pub severity: Severity,
    /// What is done, in this order.
    pub actions: &'static [Action],
    /// How often to ask again at most.
    pub retries: u32,
    /// How long to wait before.
    pub pause: Pause,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::RateLimited,
        Self::Banned,
        Self::TokenExpired,
        Self::TokenTooSoon,
        Self::Unauthorized,
        Self::BadRequest,
        Self::Clock,
        Self::NoData,
        Self::Harmless,
        Self::Connection,
        Self::Timeout,
        Self::Server,
        Self::Internal,
        Self::UnknownOutcome,
        Self::SessionHeld,
        Self::Spent,
        Self::Unreadable,
        Self::Unknown,
    ];

    /// As written in tables and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Banned => "banned",
            Self::TokenExpired => "token_expired",
            Self::TokenTooSoon => "token_too_soon",
            Self::Unauthorized => "unauthorized",
            Self::BadRequest => "bad_request",
            Self::Clock => "clock",
            Self::NoData => "no_data",
            Self::Harmless => "harmless",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Server => "server",
            Self::Internal => "internal",
            Self::UnknownOutcome => "unknown_outcome",
            Self::SessionHeld => "session_held",
            Self::Spent => "spent",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }

    /// What to do about it. Source of severities, repetitions and waits: S4 §3.3.
    #[must_use]
    pub const fn plan(self) -> Plan {
        use Action::{Fail, Notify, Query, Renew, Rest, Retry, SetClock, Wait};
        use Severity::{High, Low, Medium};
        const fn ms(millis: u64) -> Pause {
            Pause::For(Duration::from_millis(millis))
        }
        let (severity, actions, retries, pause): (_, &[Action], _, _) = match self {
            Self::RateLimited => (Medium, &[Wait, Retry], 5, Pause::Growing),
            Self::Banned => (High, &[Wait, Notify], 0, Pause::Named),
            Self::TokenExpired => (Low, &[Renew, Retry], 1, Pause::None),
            Self::TokenTooSoon => (Low, &[Wait, Retry], 3, ms(60_000)),
            Self::Unauthorized => (High, &[Notify, Fail], 0, Pause::None),
            Self::BadRequest => (High, &[Fail], 0, Pause::None),
            Self::Clock => (Medium, &[SetClock, Retry], 1, Pause::None),
            Self::NoData => (Low, &[Notify], 0, Pause::None),
            Self::Harmless => (Low, &[], 0, Pause::None),
            Self::Connection => (Low, &[Wait, Retry], 3, ms(1_000)),
            Self::Timeout => (Low, &[Wait, Retry], 2, ms(500)),
            Self::Server => (Medium, &[Rest, Wait, Retry], 3, ms(5_000)),
            Self::Internal => (Medium, &[Wait, Retry], 5, ms(2_000)),
            Self::UnknownOutcome => (High, &[Query], 0, Pause::None),
            Self::SessionHeld => (Medium, &[Wait, Retry, Notify], 5, Pause::Growing),
            Self::Spent => (High, &[Notify, Fail], 0, Pause::None),
            Self::Unreadable => (Medium, &[Wait, Retry], 3, ms(5_000)),
            Self::Unknown => (Medium, &[Notify], 0, Pause::None),
        };
        Plan { severity, actions, retries, pause }
    }
}

impl Plan {
    /// The plan as a policy, for a [`crate::Remote`] that meets this trouble mostly.
    #[must_use]
    pub const fn policy(&self) -> RetryPolicy {
        let policy = RetryPolicy { retries: self.retries, ..RetryPolicy::BROKER };
        match self.pause {
            Pause::None | Pause::Named => RetryPolicy { base: Duration::ZERO, ..policy },
            Pause::For(base) => RetryPolicy { base, growth: Growth::Times(1), cap: base, ..policy },
            Pause::Growing => policy,
        }
    }
}

/// What a server's code means: its own row, then the row of codes that begin so, then that of a plain
/// status, then "unknown".
///
/// ```
/// use finstage_net::recovery::{Trouble, look_up};
///
/// assert_eq!(look_up("kis", "EGW00201").kind, Trouble::RateLimited);
/// assert_eq!(look_up("kis", "IGW00123").kind, Trouble::Server);
/// assert_eq!(look_up("kraken", "503").kind, Trouble::Server);
/// ```
#[must_use]
pub fn look_up(source: &str, code: &str) -> &'static Code {
    let row = |source: &str| {
        let rows = || CODES.iter().filter(|row| row.source == source);
        let begins = |row: &&Code| row.code.strip_suffix('*').is_some_and(|p| code.starts_with(p));
        // Of two that begin so the longer one says more.
        rows()
            .find(|row| row.code == code)
            .or_else(|| rows().filter(begins).max_by_key(|row| row.code.len()))
    };
    row(source).or_else(|| row("http")).unwrap_or(&codes::UNKNOWN)
}

/// The code that counts in an answer of KIS.
///
/// Each of its refusals has `rt_cd` "1", from an ended token to a wrong symbol, so that "1" says
/// nothing; the code stands in `msg_cd`, and in `error_code` where a token was asked for.
#[must_use]
pub fn kis_code<'a>(rt_cd: &'a str, msg_cd: &'a str, error_code: &'a str) -> &'a str {
    let said = |code: &&str| !code.trim().is_empty();
    [msg_cd, error_code, rt_cd].into_iter().find(said).unwrap_or_default().trim()
}

impl Error {
    /// The row of [`CODES`] that says what to do about it.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        look_up(
            "net",
            match self.kind() {
                ErrorKind::Timeout => "timeout",
                ErrorKind::Unavailable if self.maybe_sent() => "broken",
                ErrorKind::Unavailable => "unreachable",
                ErrorKind::Protocol => "protocol",
                ErrorKind::TooLarge => "too_large",
                ErrorKind::Refused => "refused",
                ErrorKind::Invalid => "invalid",
                ErrorKind::Limited => "limited",
                ErrorKind::Resting => "resting",
                ErrorKind::Denied => "denied",
            },
        )
    }
}

/// How counters name what became of a request: `ok`, `429_RateLimit`, `401_Unauthorized`,
/// `502_BadGateway`, `HTTP_404`, `TimeoutError`, `ConnectionError` (S2-07).
#[must_use]
pub fn label(end: &Result<Response, Error>) -> Cow<'static, str> {
    match end {
        Ok(response) => match response.status {
            200..300 => "ok".into(),
            401 => "401_Unauthorized".into(),
            429 => "429_RateLimit".into(),
            502 => "502_BadGateway".into(),
            other => format!("HTTP_{other}").into(),
        },
        Err(error) => match error.kind() {
            ErrorKind::Timeout => "TimeoutError".into(),
            ErrorKind::Unavailable => "ConnectionError".into(),
            _ => error.code().code.into(),
        },
    }
}

#[cfg(test)]
mod tests;
