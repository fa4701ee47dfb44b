//! When the next send is allowed.
//!
//! A service that is asked too fast first delays and then refuses, and each call during a refusal
//! makes it longer. So the sender keeps the published limits by itself: a least gap between two
//! sends and at most so many in any window. When the service still says "wait", nothing leaves
//! until the wait is over.
//!
//! The pacer has no clock: moments are durations since its owner began, on a clock that never
//! goes back.

use std::collections::VecDeque;
use std::time::Duration;

/// How fast a service may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// The least time between two sends.
    pub gap: Duration,
    /// At most so many sends in any span of this length.
    pub window: Option<(u16, Duration)>,
}

impl Pace {
    /// No limit, for channels that never leave this machine.
    pub const UNLIMITED: Self = Self { gap: Duration::ZERO, window: None };
}

/// Decides when the next send is allowed.
///
/// ```
/// use std::time::Duration;
/// use finstage_notify::{Pace, Pacer};
///
/// let second = Duration::from_secs(1);
/// let mut pacer = Pacer::new(Pace { gap: second, window: None });
/// assert_eq!(pacer.ready_at(), Duration::ZERO);
/// pacer.sent(10 * second);
/// assert_eq!(pacer.ready_at(), 11 * second);
/// pacer.rest_until(40 * second); // "retry after 30"
/// assert_eq!(pacer.ready_at(), 40 * second);
/// ```
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    /// The last sends, oldest first: as many as the window counts, at least one.
    sends: VecDeque<Duration>,
    rest_until: Duration,
}

impl Pacer {
    /// A pacer that has not sent anything yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, sends: VecDeque::new(), rest_until: Duration::ZERO }
    }

    /// The moment from which the next send is allowed; it may lie in the past.
    #[must_use]
    pub fn ready_at(&self) -> Duration {
        let after_last = self.sends.back().map_or(Duration::ZERO, |&last| last + self.pace.gap);
        let after_window = match self.pace.window {
            Some((most, span)) if self.sends.len() >= usize::from(most.max(1)) => {
                self.sends[self.sends.len() - usize::from(most.max(1))] + span
            }
            _ => Duration::ZERO,
        };
        after_last.max(after_window).max(self.rest_until)
    }

    /// Notes a send, by the moment it *ended*: on a slow line the service sees it last.
    pub fn sent(&mut self, at: Duration) {
        let kept = self.pace.window.map_or(1, |(most, _)| usize::from(most.max(1)));
        while self.sends.len() >= kept {
            self.sends.pop_front();
        }
        self.sends.push_back(at);
    }

    /// Forbids every send before `until`. A shorter rest never ends a longer one.
    pub fn rest_until(&mut self, until: Duration) {
        self.rest_until = self.rest_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_twenty_first_message_to_a_group_waits_for_the_minute() {
        let mut pacer =
            Pacer::new(Pace { gap: SECOND, window: Some((20, Duration::from_secs(60))) });
        for n in 0..20 {
            assert_eq!(pacer.ready_at(), SECOND * n);
            pacer.sent(SECOND * n);
        }
        assert_eq!(pacer.ready_at(), SECOND * 60);
        pacer.sent(SECOND * 60);
        assert_eq!(pacer.ready_at(), SECOND * 61);
    }

    #[test]
    fn a_shorter_rest_never_ends_a_longer_one() {
        let mut pacer = Pacer::new(Pace::UNLIMITED);
        pacer.rest_until(SECOND * 30);
        pacer.rest_until(SECOND * 5);
        assert_eq!(pacer.ready_at(), SECOND * 30);
    }

    proptest! {
        #[test]
        fn no_two_sends_are_closer_than_the_limits(
            waits_ms in prop::collection::vec(0u64..4_000, 1..120),
            gap_ms in 0u64..2_000, most in 1u16..25, span_ms in 1u64..90_000,
        ) {
            let (gap, span) = (Duration::from_millis(gap_ms), Duration::from_millis(span_ms));
            let mut pacer = Pacer::new(Pace { gap, window: Some((most, span)) });
            let (mut now, mut sends) = (Duration::ZERO, Vec::new());
            for wait in waits_ms {
                now = (now + Duration::from_millis(wait)).max(pacer.ready_at());
                pacer.sent(now);
                sends.push(now);
            }
            for pair in sends.windows(2) {
                prop_assert!(pair[1] - pair[0] >= gap);
            }
            for run in sends.windows(usize::from(most) + 1) {
                prop_assert!(run[usize::from(most)] - run[0] >= span);
            }
        }
    }
}
