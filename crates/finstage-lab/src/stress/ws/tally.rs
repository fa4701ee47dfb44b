//! What the connections of one thread counted since it was last asked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::opening::Took;
use crate::stress::Latencies;

/// Counts since the last report; adding two gives the counts of both.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Connections that were due, and attempts.
    pub(super) due: u64,
    pub(super) tried: u64,
    pub(super) opened: u64,
    pub(super) failed: u64,
    pub(super) rate_limited: u64,
    pub(super) reconnects: u64,
    pub(super) received: u64,
    pub(super) bytes: u64,
    pub(super) unread: u64,
    pub(super) missed: u64,
    pub(super) repeated: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) retry_after_s: Option<f64>,
    /// The first 418 or 403.
    pub(super) is_banned: bool,
    pub(super) latency: Latencies,
    pub(super) opening: Opening,
    /// How late the thread itself was.
    pub(super) lag: Latencies,
}

/// How long opening took, and its parts.
#[derive(Debug, Default)]
pub(super) struct Opening {
    pub(super) whole: Latencies,
    pub(super) connect: Latencies,
    pub(super) tls: Latencies,
    pub(super) upgrade: Latencies,
}

impl Opening {
    pub(super) fn record(&mut self, took: Took) {
        let Took { connect, tls, upgrade } = took;
        self.connect.record(connect);
        self.upgrade.record(upgrade);
        if let Some(tls) = tls {
            self.tls.record(tls);
        }
        self.whole.record(connect + tls.unwrap_or(Duration::ZERO) + upgrade);
    }
}

impl Tally {
    pub(super) fn error(&mut self, name: String) {
        *self.errors.entry(name).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.due += other.due;
        self.tried += other.tried;
        self.opened += other.opened;
        self.failed += other.failed;
        self.rate_limited += other.rate_limited;
        self.reconnects += other.reconnects;
        self.received += other.received;
        self.bytes += other.bytes;
        self.unread += other.unread;
        self.missed += other.missed;
        self.repeated += other.repeated;
        for (name, count) in &other.errors {
            *self.errors.entry(name.clone()).or_default() += count;
        }
        let longest = self.retry_after_s.into_iter().chain(other.retry_after_s);
        self.retry_after_s = longest.reduce(f64::max);
        self.is_banned |= other.is_banned;
        self.latency.add(&other.latency);
        self.lag.add(&other.lag);
        for (all, one) in [
            (&mut self.opening.whole, &other.opening.whole),
            (&mut self.opening.connect, &other.opening.connect),
            (&mut self.opening.tls, &other.opening.tls),
            (&mut self.opening.upgrade, &other.opening.upgrade),
        ] {
            all.add(one);
        }
    }
}
