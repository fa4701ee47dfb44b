//! What all requests to one server under one key share: its limits, its breaker, its retries, and
//! the figures that show them.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::Timestamp;

use crate::{Reading, Response, Rule, Sign, retry_after};

/// How a server is asked: what it allows and how it says no. A constant of each venue's file.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Its limits.
    pub rules: &'static [Rule],
    /// What an answer means.
    pub judge: fn(&Response, Timestamp) -> Sign,
    /// What an answer says about the limits.
    pub readings: fn(&Response) -> Vec<Reading>,
    /// How long to ask nothing after "too many requests" without a word about how long.
    pub block: Duration,
}

impl Terms {
    /// Terms of a server that names no limits and speaks plain HTTP.
    pub const PLAIN: Self = Self {
        rules: &[],
        judge: Sign::of_status,
        readings: |_| Vec::new(),
        block: Duration::from_secs(5),
    };
}

impl Sign {
    /// What a plain HTTP server means by its status.
    #[must_use]
    pub fn of_status(response: &Response, now: Timestamp) -> Self {
        let retry_after = retry_after(response, now);
        match response.status {
            429 => Self::Limited { retry_after },
            418 => Self::Banned { retry_after },
            401 => Self::Unauthorized,
            408 | 500.. => Self::Unavailable { retry_after },
            _ => Self::Fine,
        }
    }
}

/// The shared state towards one server and key. Cheap to clone; clones are the same state.
#[derive(Debug, Clone)]
pub struct Remote(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    terms: Terms,
}

impl Remote {
    /// The state towards a server that has not been asked yet.
    #[must_use]
    pub fn new(name: impl Into<String>, terms: Terms) -> Self {
        Self(Arc::new(Shared { name: name.into(), terms }))
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How it is asked.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.0.terms
    }

    /// Its figures of this moment.
    #[must_use]
    pub fn snapshot(&self) -> RemoteSnapshot {
        RemoteSnapshot { name: self.0.name.clone(), ..RemoteSnapshot::default() }
    }
}

/// The figures of a [`Remote`] at one moment. Counters only grow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RemoteSnapshot {
    /// What people call it.
    pub name: String,
    /// Each limit.
    pub quotas: Vec<QuotaSnapshot>,
    /// Whether requests are let through.
    pub breaker: BreakerState,
    /// How often the breaker opened.
    pub opens: u64,
    /// Until when nothing is sent, because the server said so.
    pub blocked_until: Option<Timestamp>,
    /// Requests sent, repetitions included.
    pub sent: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Answers that said "too many".
    pub refused: u64,
    /// Requests without a usable answer.
    pub failed: u64,
    /// Requests that are out.
    pub in_flight: u64,
    /// The most that may be out at once, as learned.
    pub concurrency: u64,
    /// Requests that wait for their turn.
    pub waiting: u64,
    /// The mean wait for a turn.
    pub mean_wait: Duration,
    /// The longest wait for a turn so far.
    pub longest_wait: Duration,
}

/// One limit at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaSnapshot {
    /// The rule's name.
    pub rule: &'static str,
    /// The limit as it is known now.
    pub limit: u64,
    /// The length of its window.
    pub window: Duration,
    /// What we know to be used, others with the same key included.
    pub used: u64,
    /// Of that, what others used.
    pub by_others: u64,
    /// The spread of the delay that is allowed for, as learned.
    pub guard: Duration,
}

/// Whether requests are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BreakerState {
    /// Yes.
    #[default]
    Closed,
    /// A few, to see whether the server is back.
    HalfOpen,
    /// No.
    Open,
}
