//! Who is let in: limits by key and model, requests at the same time, money; and what headers say about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::Timestamp;
use serde_json::{Value, json};

use super::catalog::Model;
use super::failure::Failure;
use super::options::Limits;
use crate::sim::rulebook::{Caller, Rule, Rulebook, Shape, Verdict};

/// The most keys that are told apart; who has nothing running is forgotten first.
pub const MAX_KEYS: usize = 10_000;
const MINUTE: Duration = Duration::from_secs(60);
/// Requests are counted in thousandths, so that a limit can be multiplied by a fault's factor.
const REQUEST: u64 = 1_000;

/// The limits of the venue with what was used of them.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    book: Rulebook,
    keys: BTreeMap<String, Account>,
}

/// What a key did.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    running: u32,
    requests: u64,
    tokens: (u64, u64),
    nano_usd: u64,
}

/// A request that wants to be let in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) key: &'a str,
    pub(super) model: &'static Model,
    /// Of the prompt and the most of the answer.
    pub(super) tokens: u32,
    /// What limits are multiplied by, in thousandths.
    pub(super) factor: u32,
}

/// How much is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) limit: u32,
    pub(super) left: u32,
    /// When all of it is there again.
    pub(super) reset: Duration,
}

/// How much is left of both limits, where they exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Standing {
    pub(super) requests: Option<Reading>,
    pub(super) tokens: Option<Reading>,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        let rule = |name, capacity, pace| {
            let refused = limits.refused;
            Rule { refused, ..Rule::new(name, capacity, Shape::Decaying(pace)) }
        };
        let requests =
            limits.rpm.map(|rpm| rule("requests", room(rpm, limits.burst), request_pace(rpm)));
        let tokens = limits.tpm.map(|tpm| rule("tokens", tpm, token_pace(tpm)));
        let book = Rulebook::new(requests.into_iter().chain(tokens).collect());
        Self { limits, book, keys: BTreeMap::new() }
    }

    /// Lets a request in, or says why not; and how much is left in either case.
    pub(super) fn admit(
        &mut self,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> (Standing, Result<(), Failure>) {
        let name = name_of(asked);
        let admitted = self.check(asked, (&Caller::of_key(&name), now));
        let standing = self.standing(asked, now);
        if admitted.is_ok() {
            let account = self.account(asked.key);
            account.running += 1;
            account.requests += 1;
        }
        (standing, admitted)
    }

    fn check(
        &mut self,
        asked: &Asked<'_>,
        (who, now): (&Caller<'_>, Timestamp),
    ) -> Result<(), Failure> {
        let Limits { tpm, concurrency, cap_nano_usd, .. } = self.limits;
        let account = *self.account(asked.key);
        if cap_nano_usd.is_some_and(|cap| account.nano_usd >= cap) {
            return Err(Failure::no_quota());
        }
        if let Some(most) = concurrency.filter(|most| account.running >= *most) {
            return Err(too_many_at_once(asked, (most, account.running)));
        }
        // A limit multiplied by a factor is the limit with costs divided by it: pace and room alike.
        let factor = u64::from(asked.factor.max(1));
        let room = self.limits.rpm.map_or(1, |rpm| room(rpm, self.limits.burst));
        let request = (REQUEST * 1_000).div_ceil(factor).min(u64::from(room)) as u32;
        let tokens = (u64::from(asked.tokens) * 1_000).div_ceil(factor);
        if let Some(limit) = tpm.filter(|limit| tokens > u64::from(*limit)) {
            return Err(too_large(asked, limit));
        }
        let costs = [("requests", request), ("tokens", u32::try_from(tokens).unwrap_or(u32::MAX))];
        match self.book.admit(now, who, &costs) {
            Verdict::Admitted => Ok(()),
            Verdict::Refused(refusal) if refusal.rule == "tokens" => {
                let used = self.book.used(now, who, "tokens");
                let limit = tpm.unwrap_or_default();
                Err(limited(asked, ("tokens", "tokens per min (TPM)", limit, used), refusal.wait))
            }
            Verdict::Refused(refusal) => {
                let limit = self.limits.rpm.unwrap_or_default();
                Err(limited(
                    asked,
                    ("requests", "requests per min (RPM)", limit, limit),
                    refusal.wait,
                ))
            }
        }
    }

    /// How much is left for one who asks.
    pub(super) fn standing(&mut self, asked: &Asked<'_>, now: Timestamp) -> Standing {
        let Limits { rpm, tpm, burst, .. } = self.limits;
        let name = name_of(asked);
        let who = &Caller::of_key(&name);
        Standing {
            requests: rpm.map(|limit| {
                let used = self.book.used(now, who, "requests");
                let left = room(limit, burst).saturating_sub(used) / REQUEST as u32;
                Reading { limit, left, reset: request_pace(limit) * used }
            }),
            tokens: tpm.map(|limit| {
                let used = self.book.used(now, who, "tokens");
                Reading { limit, left: limit.saturating_sub(used), reset: token_pace(limit) * used }
            }),
        }
    }

    /// Enters what an answer cost.
    pub(super) fn charge(&mut self, key: &str, (tokens, nano_usd): ((u32, u32), u64)) {
        let account = self.account(key);
        account.tokens.0 += u64::from(tokens.0);
        account.tokens.1 += u64::from(tokens.1);
        account.nano_usd = account.nano_usd.saturating_add(nano_usd);
    }

    /// A request of a key is over.
    pub(super) fn leave(&mut self, key: &str) {
        let account = self.account(key);
        account.running = account.running.saturating_sub(1);
    }

    /// What a key did, as it may ask itself.
    pub(super) fn usage(&mut self, key: &str) -> Value {
        let Account { requests, tokens: (prompt, completion), nano_usd, .. } = *self.account(key);
        json!({
            "object": "usage", "requests": requests, "prompt_tokens": prompt,
            "completion_tokens": completion, "total_tokens": prompt + completion,
            "total_usage_usd": usd(nano_usd), "hard_limit_usd": self.limits.cap_nano_usd.map(usd),
        })
    }

    fn account(&mut self, key: &str) -> &mut Account {
        if self.keys.len() >= MAX_KEYS && !self.keys.contains_key(key) {
            self.keys.retain(|_, account| account.running > 0);
            if self.keys.len() >= MAX_KEYS {
                self.keys.pop_first();
            }
        }
        self.keys.entry(key.to_owned()).or_default()
    }
}

/// The place of a request among those that run; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    admission: Arc<Mutex<Admission>>,
    key: String,
}

impl Turn {
    pub(super) fn new(admission: &Arc<Mutex<Admission>>, key: &str) -> Self {
        Self { admission: Arc::clone(admission), key: key.to_owned() }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        locked(&self.admission).leave(&self.key);
    }
}

/// Limits are counted by this.
fn name_of(asked: &Asked<'_>) -> String {
    format!("{}\n{}", asked.key, asked.model.id)
}

pub(super) fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What may come at once, in thousandths of a request; at least one request.
fn room(rpm: u32, burst: Duration) -> u32 {
    let part = burst.min(MINUTE).as_nanos() * u128::from(rpm) * u128::from(REQUEST);
    let room = part / MINUTE.as_nanos();
    u32::try_from(room).unwrap_or(u32::MAX).max(REQUEST as u32)
}

fn request_pace(rpm: u32) -> Duration {
    Duration::from_nanos((MINUTE.as_nanos() as u64 / (u64::from(rpm.max(1)) * REQUEST)).max(1))
}

fn token_pace(tpm: u32) -> Duration {
    Duration::from_nanos((MINUTE.as_nanos() as u64 / u64::from(tpm.max(1))).max(1))
}

fn limited(
    asked: &Asked<'_>,
    (kind, what, limit, used): (&'static str, &str, u32, u32),
    wait: Duration,
) -> Failure {
    let requested = if kind == "tokens" { asked.tokens } else { 1 };
    let message = format!(
        "Rate limit reached for {} in organization org-sim on {what}: Limit {limit}, Used {used}, \
         Requested {requested}.",
        asked.model.id
    );
    Failure::limited(kind, &message, Some(wait))
}

/// What comes again only when something ends, which nobody can foretell.
fn too_many_at_once(asked: &Asked<'_>, (limit, running): (u32, u32)) -> Failure {
    let message = format!(
        "Rate limit reached for {} in organization org-sim on concurrent requests: Limit {limit}, \
         Used {running}, Requested 1.",
        asked.model.id
    );
    Failure::limited("concurrency", &message, None)
}

/// A request that no wait would let in.
fn too_large(asked: &Asked<'_>, limit: u32) -> Failure {
    let message = format!(
        "Request too large for {} in organization org-sim on tokens per min (TPM): Limit {limit}, \
         Requested {}. The input or output tokens must be reduced in order to run successfully.",
        asked.model.id, asked.tokens
    );
    Failure { retry: Some(false), ..Failure::limited("tokens", &message, None) }
}

/// A refusal that a scenario demands, of a limit that nobody has reached.
pub(super) fn scripted(asked: &Asked<'_>, (kind, wait): (Option<&str>, Duration)) -> Failure {
    match kind {
        Some("concurrency") => too_many_at_once(asked, (1, 1)),
        Some("tokens") => {
            limited(asked, ("tokens", "tokens per min (TPM)", 200_000, 199_850), wait)
        }
        _ => limited(asked, ("requests", "requests per min (RPM)", 5_000, 5_000), wait),
    }
}

fn usd(nano: u64) -> f64 {
    nano as f64 / 1e9
}

/// A duration as Go prints it, to the millisecond rounded up: `108ms`, `1.5s`, `6m0s`, `1h2m3s`.
pub(super) fn go_duration(duration: Duration) -> String {
    let ms = duration.as_nanos().div_ceil(1_000_000);
    if ms == 0 {
        return "0s".to_owned();
    }
    if ms < 1_000 {
        return format!("{ms}ms");
    }
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, rest) = (ms / 1_000 % 60, ms % 1_000);
    let seconds = match rest {
        0 => format!("{seconds}s"),
        _ => format!("{}s", format!("{seconds}.{rest:03}").trim_end_matches('0')),
    };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::catalog::MODELS;
    use super::*;

    const START: Timestamp = Timestamp::EPOCH;

    fn asked(tokens: u32) -> Asked<'static> {
        Asked { key: "sk-a", model: &MODELS[0], tokens, factor: 1_000 }
    }

    #[test]
    fn durations_are_written_as_go_prints_them() {
        let printed = |ms| go_duration(Duration::from_millis(ms));
        assert_eq!([0, 12, 999, 1_000].map(printed), ["0s", "12ms", "999ms", "1s"]);
        assert_eq!([1_500, 61_200, 360_000].map(printed), ["1.5s", "1m1.2s", "6m0s"]);
        assert_eq!(printed(3_723_004), "1h2m3.004s");
        assert_eq!(go_duration(Duration::from_nanos(1)), "1ms", "who waits it is let in");
    }

    proptest! {
        /// Two buckets in whole nanoseconds, written without the rulebook.
        #[test]
        fn who_is_let_in_is_what_two_buckets_let_in(
            steps in prop::collection::vec((0_u64..4_000, 1_u32..900), 1..200),
            burst_s in 1_u64..=60,
        ) {
            let (rpm, tpm) = (60_u32, 6_000_u32);
            let burst = Duration::from_secs(burst_s);
            let limits = Limits { rpm: Some(rpm), tpm: Some(tpm), burst, ..Limits::default() };
            let mut admission = Admission::new(limits);
            // A request is worth 1 s of 60 s, a token 10 ms: what is used, in nanoseconds.
            let (second, token) = (1_000_000_000_u64, 10_000_000_u64);
            let (mut requests, mut tokens, mut now) = (0_u64, 0_u64, START);
            for (pause_ms, cost) in steps {
                let pause = Duration::from_millis(pause_ms);
                now = now.plus(pause);
                requests = requests.saturating_sub(pause.as_nanos() as u64);
                tokens = tokens.saturating_sub(pause.as_nanos() as u64);
                let fits = requests + second <= burst_s * second
                    && tokens + u64::from(cost) * token <= 60 * second;
                let (standing, admitted) = admission.admit(&asked(cost), now);
                prop_assert_eq!(admitted.is_ok(), fits);
                if fits {
                    requests += second;
                    tokens += u64::from(cost) * token;
                } else {
                    let failure = admitted.unwrap_err();
                    let of_requests = (requests + second).saturating_sub(burst_s * second);
                    let of_tokens =
                        (tokens + u64::from(cost) * token).saturating_sub(60 * second);
                    let wait = if of_requests > 0 { of_requests } else { of_tokens };
                    prop_assert_eq!(failure.wait, Some(Duration::from_nanos(wait)));
                }
                let left = standing.tokens.unwrap().left;
                prop_assert_eq!(u64::from(left), (60 * second - tokens) / token);
                let left = standing.requests.unwrap().left;
                prop_assert_eq!(u64::from(left), (burst_s * second - requests) / second);
            }
        }
    }

    #[test]
    fn a_factor_changes_room_and_pace() {
        let limits = Limits { rpm: Some(60), tpm: None, ..Limits::default() };
        let mut admission = Admission::new(limits);
        let mut admitted = |factor, ms| {
            let asked = Asked { factor, ..asked(1) };
            let now = START.plus(Duration::from_millis(ms));
            let one = || admission.admit(&asked, now).1.is_ok();
            std::iter::repeat_with(one).take(100).filter(|ok| *ok).count()
        };
        assert_eq!(admitted(500, 0), 30);
        assert_eq!(admitted(500, 10_000), 5, "10 s of 30 a minute");
        assert_eq!(admitted(1_000, 20_000), 10);
        assert_eq!(admitted(0, 120_000), 1, "nothing falls below one");
    }

    #[test]
    fn a_request_that_never_fits_is_told_so() {
        let limits = Limits { tpm: Some(1_000), ..Limits::default() };
        let mut admission = Admission::new(limits);
        let failure = admission.admit(&asked(1_001), START).1.unwrap_err();
        assert!(failure.message.starts_with("Request too large for gpt-4o-mini"));
        assert_eq!((failure.wait, failure.retry), (None, Some(false)));
        assert!(admission.admit(&asked(1_000), START).1.is_ok());
    }

    #[test]
    fn keys_beyond_the_most_forget_those_who_rest() {
        let mut admission = Admission::new(Limits::none());
        for i in 0..MAX_KEYS + 5 {
            let key = format!("sk-{i}");
            let asked = Asked { key: &key, ..asked(1) };
            assert!(admission.admit(&asked, START).1.is_ok());
            admission.leave(&key);
        }
        assert!(admission.keys.len() <= MAX_KEYS);
    }
}
