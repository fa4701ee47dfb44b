//! What time it is for the engine. There is no clock: time is the greatest moment of receipt among
//! the events applied, and each instrument's watermark says up to where its stream is complete.

use std::time::Duration;

use finstage_model::Timestamp;

use crate::FeedTiming;

/// How much later than engine time an event may claim to have happened. Beyond it lies a wrong
/// unit or a broken clock, and believing it would close every bar of the day at once.
pub const MAX_AHEAD: Duration = Duration::from_secs(3_600);

/// The greatest lateness taken into account; it bounds the number of bars open at a time.
pub const MAX_LATENESS: Duration = Duration::from_secs(3_600);

// 1700-01-01 and 2200-01-01: far enough from the ends of the range that calendar arithmetic on
// what lies between cannot overflow.
const EARLIEST: Timestamp = Timestamp::from_secs(-8_520_336_000);
const LATEST: Timestamp = Timestamp::from_secs(7_258_118_400);

/// Engine time.
#[derive(Debug)]
pub(crate) struct Timeline {
    now: Timestamp,
}

impl Timeline {
    pub(crate) const fn new() -> Self {
        Self { now: Timestamp::MIN }
    }

    /// Takes note of an event's moment of receipt; a wall clock that jumps back changes nothing.
    pub(crate) fn advance(&mut self, ts_recv: Timestamp) {
        self.now = self.now.max(ts_recv);
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether something received by now can have happened at `at`.
    pub(crate) fn is_plausible(&self, at: Timestamp) -> bool {
        is_datable(at) && at <= self.now.plus(MAX_AHEAD)
    }
}

/// Whether `at` lies in the centuries that the engine calculates with.
pub(crate) fn is_datable(at: Timestamp) -> bool {
    (EARLIEST..=LATEST).contains(&at)
}

/// The watermark of one instrument's trades.
#[derive(Debug)]
pub(crate) struct Pace {
    lateness: Duration,
    silence: Duration,
    newest: Timestamp,
}

impl Pace {
    pub(crate) fn new(timing: &FeedTiming) -> Self {
        let FeedTiming { lateness_ms, delay_ms, grace_ms, .. } = timing;
        Self {
            lateness: Duration::from_millis(*lateness_ms).min(MAX_LATENESS),
            silence: Duration::from_millis(delay_ms.saturating_add(*grace_ms)),
            newest: Timestamp::MIN,
        }
    }

    /// Takes note of a trade; says whether none before it was newer.
    pub(crate) fn on_trade(&mut self, ts_event: Timestamp) -> bool {
        let in_order = ts_event >= self.newest;
        self.newest = self.newest.max(ts_event);
        in_order
    }

    /// Up to where a silent stream counts as complete at engine time `now`.
    pub(crate) fn silent_until(&self, now: Timestamp) -> Timestamp {
        now.minus(self.silence)
    }

    /// Up to where the trades count as complete.
    pub(crate) fn watermark(&self, now: Timestamp) -> Timestamp {
        self.newest.minus(self.lateness).max(self.silent_until(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_time_never_goes_back() {
        let mut timeline = Timeline::new();
        timeline.advance(Timestamp::from_secs(10));
        timeline.advance(Timestamp::from_secs(7));
        assert_eq!(timeline.now(), Timestamp::from_secs(10));
    }

    #[test]
    fn what_cannot_have_happened_yet_is_implausible() {
        let mut timeline = Timeline::new();
        timeline.advance(Timestamp::from_secs(0));
        assert!(timeline.is_plausible(Timestamp::from_secs(3_600)));
        assert!(!timeline.is_plausible(Timestamp::from_secs(3_601)));
        timeline.advance(Timestamp::MAX);
        assert!(!timeline.is_plausible(Timestamp::MAX));
        assert!(!timeline.is_plausible(Timestamp::MIN));
        assert_eq!(EARLIEST.to_string(), "1700-01-01T00:00:00Z");
        assert_eq!(LATEST.to_string(), "2200-01-01T00:00:00Z");
    }

    #[test]
    fn the_watermark_follows_the_trades_and_in_silence_the_time() {
        let timing = FeedTiming { lateness_ms: 2_000, ..FeedTiming::ordered("x") };
        let mut pace = Pace::new(&timing);
        assert!(pace.on_trade(Timestamp::from_secs(100)));
        assert!(!pace.on_trade(Timestamp::from_secs(99)));
        assert_eq!(pace.watermark(Timestamp::from_secs(100)), Timestamp::from_secs(98));
        assert_eq!(pace.watermark(Timestamp::from_secs(120)), Timestamp::from_secs(109));
    }
}
