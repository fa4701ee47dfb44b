use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::message::clean;

/// The most characters of the last error that are kept.
pub const MAX_ERROR_CHARS: usize = 300;

/// Upper ends of the histogram of attempts, in seconds.
pub const SEND_SECONDS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// How long attempts took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendTimes {
    /// How many ended within each of [`SEND_SECONDS`], and how many later.
    pub within: [u64; SEND_SECONDS.len() + 1],
    /// All together.
    pub total: Duration,
}

/// What a dispatcher has done since it began; read while it runs.
#[derive(Debug, Default)]
pub struct Stats {
    delivered: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
    expired: AtomicU64,
    times: Mutex<SendTimes>,
    last_error: Mutex<Option<String>>,
    disabled: Mutex<Option<String>>,
}

impl Stats {
    /// Alerts that arrived.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Attempts that ended with "later".
    #[must_use]
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Alerts that were given up: dead letters.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Alerts that were too old to send.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    /// How long attempts took, whatever came of them.
    #[must_use]
    pub fn times(&self) -> SendTimes {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest thing that went wrong, without secrets.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the channel sends nothing any more and what to do about it; `None` while it works.
    #[must_use]
    pub fn disabled(&self) -> Option<String> {
        self.disabled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count_time(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = SEND_SECONDS.iter().position(|end| seconds <= *end);
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.within[place.unwrap_or(SEND_SECONDS.len())] += 1;
        times.total += took;
    }

    pub(crate) fn count_delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_retried(&self, reason: &str) {
        self.retried.fetch_add(1, Ordering::Relaxed);
        self.note_error(reason);
    }

    pub(crate) fn count_failed(&self, reason: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.note_error(reason);
    }

    pub(crate) fn count_expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_error(&self, reason: &str) {
        let text = clean(reason, MAX_ERROR_CHARS);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    pub(crate) fn disable(&self, reason: &str) {
        let text = clean(reason, MAX_ERROR_CHARS);
        *self.disabled.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}
