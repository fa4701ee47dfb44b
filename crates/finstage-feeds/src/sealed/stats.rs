use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use finstage_model::Timestamp;

/// What became of the frames of a sealed stream, readable from any thread. Counters only grow.
#[derive(Debug, Default)]
pub struct SealedStats {
    pub(super) opened: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) replayed: AtomicU64,
    pub(super) slow: AtomicU64,
    refused_ns: AtomicI64,
    is_on_fallback: AtomicBool,
}

/// The counters of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SealedSnapshot {
    /// Envelopes opened.
    pub opened: u64,
    /// Envelopes refused as none of ours, or not any more.
    pub failed: u64,
    /// Envelopes refused because they came before.
    pub replayed: u64,
    /// Envelopes that took longer than [`super::SealedOptions::slow`], refused ones included.
    pub slow: u64,
    /// When an envelope was refused last.
    pub refused_at: Option<Timestamp>,
    /// Whether the stream comes from the fallback.
    pub is_on_fallback: bool,
}

impl SealedStats {
    /// The counters as they are now.
    #[must_use]
    pub fn snapshot(&self) -> SealedSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refused_ns = self.refused_ns.load(Ordering::Relaxed);
        SealedSnapshot {
            opened: read(&self.opened),
            failed: read(&self.failed),
            replayed: read(&self.replayed),
            slow: read(&self.slow),
            refused_at: (refused_ns != 0).then(|| Timestamp::from_nanos(refused_ns)),
            is_on_fallback: self.is_on_fallback.load(Ordering::Relaxed),
        }
    }

    pub(super) fn refused_at(&self, now: Timestamp) {
        self.refused_ns.store(now.nanos(), Ordering::Relaxed);
    }

    /// Where the stream comes from; where it came from before.
    pub(super) fn set_on_fallback(&self, is: bool) -> bool {
        self.is_on_fallback.swap(is, Ordering::Relaxed)
    }
}
