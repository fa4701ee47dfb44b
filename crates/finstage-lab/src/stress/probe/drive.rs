//! A probe over HTTP: requests are sent, answers are read, waits are waited.

use std::time::Duration;

use finstage_model::{Clock, Timestamp};
use finstage_net::{Client, Request, Response, http_date, retry_after};
use futures_util::future::join_all;

use super::{Action, Answer, Found, Options, Probe, Said};
use crate::stress::Stop;

/// What venues write into a refusal that has another status than 429.
const SIGNS: [&str; 5] = [
    "EAPI:Rate limit exceeded",
    "EGeneral:Too many requests",
    "EService: Throttled",
    "EGW00201",
    "Public rate limit exceeded",
];
/// Headers that say what was used so far.
const USED: [&str; 2] = ["x-mbx-used-weight-1m", "x-mbx-used-weight"];
/// Headers that say a limit, and what is left of it.
const LIMITS: [(&str, &str); 3] = [
    ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-limit", "x-ratelimit-remaining"),
    ("ratelimit-limit", "ratelimit-remaining"),
];
/// So much of a body is looked at for signs of a refusal.
const LOOKED_AT: usize = 4_096;

/// How time passes while a probe waits.
pub trait Waits {
    /// How long to wait really so that the clock shows `until`.
    fn wait(&self, until: Timestamp) -> Duration;
}

/// A clock that goes on by itself.
#[derive(Debug)]
pub struct ByItself<'a>(pub &'a dyn Clock);

impl Waits for ByItself<'_> {
    fn wait(&self, until: Timestamp) -> Duration {
        until.since(self.0.now())
    }
}

/// What a probe is driven with.
#[derive(Debug)]
pub struct Driver<'a> {
    /// Sends.
    pub client: &'a Client,
    /// What is asked, each time.
    pub request: &'a Request,
    /// Our clock.
    pub clock: &'a dyn Clock,
    /// Whether the header `Date` is of that clock's world; a simulated venue may live in another.
    pub date: Date,
    /// Ends it early.
    pub stop: &'a Stop,
}

/// Whether the header `Date` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// It says the server's time.
    Heeded,
    /// It says something else.
    Ignored,
}

impl Driver<'_> {
    /// Runs a probe to its end; `hear` is told of every action before it is done. `None` where it was
    /// stopped.
    pub async fn run(
        &self,
        options: Options,
        waits: &dyn Waits,
        hear: &mut dyn FnMut(&Action),
    ) -> Option<Found> {
        let (mut probe, mut answers) = (Probe::new(options), Vec::new());
        loop {
            let action = probe.step(self.clock.now(), std::mem::take(&mut answers));
            hear(&action);
            match action {
                Action::Send { count } => {
                    answers = join_all((0..count).map(|_| self.ask())).await;
                }
                Action::Wait { until } => {
                    let mut left = waits.wait(until);
                    while !left.is_zero() {
                        if self.stop.is_pulled() {
                            return None;
                        }
                        // In pieces, so that a stop is heard.
                        let piece = left.min(Duration::from_millis(200));
                        tokio::time::sleep(piece).await;
                        left = waits.wait(until);
                    }
                }
                Action::Done(found) => return Some(*found),
            }
            if self.stop.is_pulled() {
                return None;
            }
        }
    }

    async fn ask(&self) -> Answer {
        let left = self.clock.now();
        let sent = self.client.send(self.request).await;
        let came = self.clock.now();
        let mut answer = Answer {
            left,
            came,
            said: Said::Failed(0),
            server: None,
            used: None,
            retry_after: None,
        };
        if let Ok(response) = &sent {
            answer.said = said(response);
            answer.used = used(response);
            answer.retry_after = retry_after(response, came);
            let date = response.header("date").filter(|_| self.date == Date::Heeded);
            answer.server = date.and_then(http_date).map(|at| (at, Duration::from_secs(1)));
        }
        answer
    }
}

/// What an answer means.
fn said(response: &Response) -> Said {
    let text = String::from_utf8_lossy(&response.body[..response.body.len().min(LOOKED_AT)]);
    match response.status {
        418 | 403 => Said::Banned,
        429 => Said::Refused,
        _ if SIGNS.iter().any(|sign| text.contains(sign)) => Said::Refused,
        200..=399 => Said::Admitted,
        other => Said::Failed(other),
    }
}

fn used(response: &Response) -> Option<u64> {
    let number = |name: &str| response.header(name)?.trim().parse::<u64>().ok();
    let plain = USED.iter().find_map(|name| number(name));
    plain.or_else(|| {
        LIMITS.iter().find_map(|(limit, left)| number(limit)?.checked_sub(number(left)?))
    })
}

/// The limit that an answer documents in its headers.
#[must_use]
pub fn documented(response: &Response) -> Option<u64> {
    LIMITS.iter().find_map(|(limit, _)| response.header(limit)?.trim().parse().ok())
}

/// The weight a minute that Binance's `exchangeInfo` documents.
#[must_use]
pub fn documented_by_binance(body: &[u8]) -> Option<u64> {
    let info: serde_json::Value = serde_json::from_slice(body).ok()?;
    let limits = info.get("rateLimits")?.as_array()?;
    let weight = |limit: &&serde_json::Value| {
        limit["rateLimitType"] == "REQUEST_WEIGHT" && limit["interval"] == "MINUTE"
    };
    limits.iter().find(weight)?["limit"].as_u64()
}
