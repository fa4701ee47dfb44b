use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Latencies, Slice};

/// Who hears how a test goes while it runs: a screen, a line every few seconds, nobody (`()`).
pub trait Listener: Send {
    /// Called some four times a second, by the thread that gathers; what takes long here makes the
    /// next call later, and no request.
    fn heard(&mut self, now: &Snapshot<'_>);
}

impl Listener for () {
    fn heard(&mut self, _: &Snapshot<'_>) {}
}

/// How far a test is.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// Since its start.
    pub elapsed: Duration,
    /// How long it will take, where that is known.
    pub planned: Option<Duration>,
    /// Sent and not answered yet, or connections that are open.
    pub in_flight: u64,
    /// The whole seconds so far, the last one young.
    pub slices: &'a [Slice],
    /// From when each was due, of the whole test.
    pub latency: &'a Latencies,
}

/// Ends a test early: it stops sending, waits for what is under way within its timeout, and reports.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that nobody has pulled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Pulls it; again is no harm.
    pub fn pull(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was pulled.
    #[must_use]
    pub fn is_pulled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
