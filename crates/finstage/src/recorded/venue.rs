//! A recording as a source of events: the clock jumps to each frame, as in a simulated day.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use finstage_feeds::recording::{Playback, PlaybackCounts};
use finstage_model::{Clock as _, Event, ManualClock, Timestamp};

use super::Complain;
use crate::day::Feed;
use crate::live::BATCH_MAX_EVENTS;
use crate::virtual_time::tick;

/// A recording on its way to the engine.
pub struct RecordedVenue {
    playback: Playback,
    clock: Arc<ManualClock>,
    complain: Complain,
    stop: Arc<AtomicBool>,
    /// When the last thing happened.
    last: Timestamp,
}

impl RecordedVenue {
    /// Plays from where `clock` stands, until `stop` turns true. What cannot be read is told to
    /// `complain`.
    #[must_use]
    pub fn new(
        playback: Playback,
        clock: Arc<ManualClock>,
        (complain, stop): (Complain, Arc<AtomicBool>),
    ) -> Self {
        let last = clock.now();
        Self { playback, clock, complain, stop, last }
    }

    /// What became of the frames.
    #[must_use]
    pub const fn counts(&self) -> &PlaybackCounts {
        self.playback.counts()
    }

    /// When the last thing happened.
    #[must_use]
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// Tells what could not be read and was not told yet.
    pub(super) fn complain_rest(&mut self) {
        for words in self.playback.take_complaints() {
            (self.complain)(&words);
        }
    }
}

impl Feed for RecordedVenue {
    /// A batch ends where time passes, so that the clock is right for what is said about it.
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        while events.len() < BATCH_MAX_EVENTS {
            let Some(at) = self.playback.next_at() else { return !events.is_empty() };
            if at.secs() > self.last.secs() {
                if !events.is_empty() {
                    return true;
                }
                tick(self.last, at, events);
                self.last = at;
                if let Some(tick) = events.last() {
                    self.clock.set(tick.ts_recv);
                }
                return true;
            }
            self.last = at;
            self.clock.set(at);
            self.playback.advance(events);
            self.complain_rest();
        }
        true
    }
}

impl fmt::Debug for RecordedVenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedVenue")
            .field("playback", &self.playback)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
