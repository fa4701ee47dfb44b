//! A stand-in with the interface of the limiter: it lets everything through at once, and keeps only
//! what a server said about resting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{Class, Cost, QuotaSnapshot, Reading, Rule};

/// How a [`Limiter`] works.
#[derive(Debug, Clone, Default)]
pub struct LimiterOptions {}

/// Lets requests through as the rules of a server allow.
#[derive(Debug, Clone)]
pub struct Limiter {
    blocked_until: Arc<Mutex<Option<Instant>>>,
}

/// The right to send one request.
#[derive(Debug)]
pub struct Permit;

/// What an answer says about what a request cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settlement<'a> {
    /// What the answer says about the limits.
    pub readings: &'a [Reading],
    /// Whether it was refused for a limit.
    pub refused: Option<Refusal>,
    /// What it did cost, where that is known only now.
    pub actual: &'a [Cost],
}

/// A refusal for a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The wait that the server names.
    pub retry_after: Option<Duration>,
    /// Whether everything is shut out until then.
    pub banned: bool,
}

/// A limiter at one moment.
#[derive(Debug, Clone, Default)]
pub struct LimiterSnapshot {
    /// Each limit.
    pub quotas: Vec<QuotaSnapshot>,
    /// Requests that wait.
    pub waiting: u64,
    /// Their mean wait.
    pub mean_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// Requests let through.
    pub admitted: u64,
    /// How long nothing is sent.
    pub blocked_for: Option<Duration>,
}

impl Limiter {
    /// One for these rules.
    #[must_use]
    pub fn new(_name: &str, _rules: &[Rule], _options: LimiterOptions) -> Self {
        Self { blocked_until: Arc::default() }
    }

    /// Waits for its turn.
    pub async fn acquire(&self, costs: &[Cost], class: Class) -> Permit {
        while let Err(wait) = self.try_acquire(costs, class) {
            sleep_until(Instant::now() + wait).await;
        }
        Permit
    }

    /// The permit, or the wait for it.
    ///
    /// # Errors
    /// The time until it may be asked for again.
    pub fn try_acquire(&self, _costs: &[Cost], _class: Class) -> Result<Permit, Duration> {
        self.blocked_for().map_or(Ok(Permit), Err)
    }

    /// Sends nothing for a while.
    pub fn block(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut blocked = self.blocked_until.lock().unwrap_or_else(PoisonError::into_inner);
        *blocked = Some(blocked.map_or(until, |before| before.max(until)));
    }

    /// How long nothing is sent.
    #[must_use]
    pub fn blocked_for(&self) -> Option<Duration> {
        let until = (*self.blocked_until.lock().unwrap_or_else(PoisonError::into_inner))?;
        until.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
    }

    /// Its figures.
    #[must_use]
    pub fn snapshot(&self) -> LimiterSnapshot {
        LimiterSnapshot { blocked_for: self.blocked_for(), ..LimiterSnapshot::default() }
    }
}

impl Permit {
    /// The request has left.
    pub fn sent(&mut self) {}

    /// The request was answered.
    pub fn answered(self, answer: &Settlement<'_>) {
        let _ = answer;
    }
}
