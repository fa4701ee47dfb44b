use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use finstage_model::{InstrumentId, Timestamp};

use crate::sealed::{SealedSnapshot, SealedStats};

/// The most stretches of lost trades that are remembered; the oldest are forgotten first, and stay
/// counted.
pub const MAX_LOST_STRETCHES: usize = 256;

/// What a session or a poller has counted so far, readable from any thread. Counters only grow.
#[derive(Debug, Default)]
pub struct SessionStats {
    pub(crate) frames: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) decode_errors: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) repairs: AtomicU64,
    pub(crate) revisions: AtomicU64,
    pub(crate) trades_filled: AtomicU64,
    pub(crate) trades_late: AtomicU64,
    trades_lost: AtomicU64,
    pub(crate) overlaps: AtomicU64,
    pub(crate) stalls: AtomicU64,
    pub(crate) gaps_open: AtomicU64,
    pub(crate) trades_missing: AtomicU64,
    lost: Mutex<VecDeque<LostTrades>>,
    sealed: OnceLock<Arc<SealedStats>>,
    last_frame_ns: AtomicI64,
    state: AtomicU8,
}

/// The counters of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSnapshot {
    /// What the connection is doing.
    pub state: LinkState,
    /// Frames received, pings and pongs included.
    pub frames: u64,
    /// Events sent on.
    pub events: u64,
    /// Frames that were not understood.
    pub decode_errors: u64,
    /// Trades and bars dropped because they were seen before.
    pub duplicates: u64,
    /// Connections begun after the first.
    pub reconnects: u64,
    /// Losses reported, each for one instrument.
    pub gaps: u64,
    /// Losses made good.
    pub repairs: u64,
    /// Bars that the venue told again with other numbers after they had been handed on.
    pub revisions: u64,
    /// Trades that the stream lost and the archive gave.
    pub trades_filled: u64,
    /// Trades handed on after younger ones.
    pub trades_late: u64,
    /// Trades that nobody could give; which ones says [`SessionStats::lost_trades`].
    pub trades_lost: u64,
    /// Connections replaced while the one before still spoke.
    pub overlaps: u64,
    /// Silences taken for a stall.
    pub stalls: u64,
    /// Losses told and not yet made good or given up, at this moment.
    pub gaps_open: u64,
    /// Trades known to be missing, at this moment.
    pub trades_missing: u64,
    /// When the last frame came.
    pub last_frame_at: Option<Timestamp>,
    /// What became of sealed frames; `None` where the stream is a plain one.
    pub sealed: Option<SealedSnapshot>,
}

/// Trades of an instrument that the stream lost and that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostTrades {
    /// Whose.
    pub instrument: InstrumentId,
    /// Their ids.
    pub ids: RangeInclusive<u128>,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LinkState {
    /// Connecting or subscribing.
    Connecting,
    /// Receiving.
    Up,
    /// Silent for longer than normal.
    Stale,
    /// Waiting before the next attempt.
    BackingOff,
    /// Ended.
    Stopped,
}

impl SessionStats {
    /// The counters as they are now.
    #[must_use]
    pub fn snapshot(&self) -> SessionSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let last_frame_ns = self.last_frame_ns.load(Ordering::Relaxed);
        SessionSnapshot {
            state: match self.state.load(Ordering::Relaxed) {
                1 => LinkState::Up,
                2 => LinkState::Stale,
                3 => LinkState::BackingOff,
                4 => LinkState::Stopped,
                _ => LinkState::Connecting,
            },
            frames: read(&self.frames),
            events: read(&self.events),
            decode_errors: read(&self.decode_errors),
            duplicates: read(&self.duplicates),
            reconnects: read(&self.reconnects),
            gaps: read(&self.gaps),
            repairs: read(&self.repairs),
            revisions: read(&self.revisions),
            trades_filled: read(&self.trades_filled),
            trades_late: read(&self.trades_late),
            trades_lost: read(&self.trades_lost),
            overlaps: read(&self.overlaps),
            stalls: read(&self.stalls),
            gaps_open: read(&self.gaps_open),
            trades_missing: read(&self.trades_missing),
            last_frame_at: (last_frame_ns != 0).then(|| Timestamp::from_nanos(last_frame_ns)),
            sealed: self.sealed.get().map(|sealed| sealed.snapshot()),
        }
    }

    /// The trades that could not be had, oldest loss first, at most [`MAX_LOST_STRETCHES`].
    #[must_use]
    pub fn lost_trades(&self) -> Vec<LostTrades> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.iter().cloned().collect()
    }

    pub(crate) fn lose(&self, instrument: InstrumentId, ids: RangeInclusive<u128>) {
        let count = u64::try_from(ids.end() - ids.start()).unwrap_or(u64::MAX).saturating_add(1);
        Self::add(&self.trades_lost, count);
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.len() == MAX_LOST_STRETCHES {
            lost.pop_front();
        }
        lost.push_back(LostTrades { instrument, ids });
    }

    /// Adds the counters of a sealed stream; those of the first one stay.
    pub(crate) fn set_sealed(&self, sealed: &Arc<SealedStats>) {
        let _ = self.sealed.set(Arc::clone(sealed));
    }

    pub(crate) fn set(gauge: &AtomicU64, to: u64) {
        gauge.store(to, Ordering::Relaxed);
    }

    pub(crate) fn set_state(&self, state: LinkState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn frame_at(&self, ts_recv: Timestamp) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.last_frame_ns.store(ts_recv.nanos(), Ordering::Relaxed);
    }

    /// Adds to a counter and returns its new value.
    pub(crate) fn add(counter: &AtomicU64, by: u64) -> u64 {
        counter.fetch_add(by, Ordering::Relaxed) + by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_back_as_it_was_set() {
        let stats = SessionStats::default();
        assert_eq!(stats.snapshot().last_frame_at, None);
        for state in [
            LinkState::Connecting,
            LinkState::Up,
            LinkState::Stale,
            LinkState::BackingOff,
            LinkState::Stopped,
        ] {
            stats.set_state(state);
            assert_eq!(stats.snapshot().state, state);
        }
    }
}
