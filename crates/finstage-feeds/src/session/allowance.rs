//! How many frames we may send on a connection, so that the venue never closes it for too many.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The venue's second, and what frames may be delayed on their way: two that we sent a second apart
/// may arrive nearer to each other.
const SECOND: Duration = Duration::from_millis(1_100);

/// A pong goes out by itself whenever the venue pings; one place is always left for it.
const LEFT_FOR_PONGS: usize = 1;

/// The frames of the last second on one connection.
#[derive(Debug)]
pub(super) struct Allowance {
    /// 0: as many as we like.
    per_second: usize,
    sent: VecDeque<Instant>,
}

impl Allowance {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: per_second as usize, sent: VecDeque::new() }
    }

    /// A frame has left, wanted or not.
    pub(super) fn charge(&mut self, now: Instant) {
        if self.per_second > 0 {
            self.sent.push_back(now);
            while self.sent.len() > self.per_second {
                self.sent.pop_front();
            }
        }
    }

    /// When the next frame may leave.
    pub(super) fn ready_at(&self, now: Instant) -> Instant {
        let most = self.per_second.saturating_sub(LEFT_FOR_PONGS).max(1);
        if self.per_second == 0 || self.sent.len() < most {
            return now;
        }
        now.max(self.sent[self.sent.len() - most] + SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_than_the_venue_allows_with_a_pong_at_any_moment() {
        let mut allowance = Allowance::new(5);
        let start = Instant::now();
        let (mut now, mut sent) = (start, Vec::new());
        while now < start + Duration::from_secs(60) {
            now = allowance.ready_at(now);
            allowance.charge(now);
            sent.push(now);
            // The venue pings every 20 s, in a moment of its own.
            if sent.len() % 73 == 0 {
                allowance.charge(now);
                sent.push(now);
            }
        }
        let most = |from: &Instant| {
            let second = *from..*from + Duration::from_secs(1);
            sent.iter().filter(|at| second.contains(at)).count()
        };
        assert!(sent.iter().map(most).max() <= Some(5));
        assert!(sent.len() > 200, "four in 1.1 s: {}", sent.len());
    }

    #[test]
    fn a_pong_after_four_frames_is_the_fifth_and_the_next_waits() {
        let mut allowance = Allowance::new(5);
        let now = Instant::now();
        for sent in 0..4 {
            assert_eq!(allowance.ready_at(now), now, "{sent}");
            allowance.charge(now);
        }
        assert_eq!(allowance.ready_at(now), now + SECOND);
        allowance.charge(now);
        assert_eq!(allowance.ready_at(now), now + SECOND);
    }

    #[test]
    fn a_venue_that_names_no_limit_has_none() {
        let mut allowance = Allowance::new(0);
        let now = Instant::now();
        (0..100).for_each(|_| allowance.charge(now));
        assert_eq!(allowance.ready_at(now), now);
    }
}
