//! When the latest requests left: which of them may have overtaken which.

/// So many are remembered.
const LATEST: usize = 64;

/// The latest sends of one rule: when, and all that had been sent by then.
#[derive(Debug)]
pub(super) struct Sends {
    latest: [(u64, u64); LATEST],
    count: usize,
}

impl Default for Sends {
    fn default() -> Self {
        Self { latest: [(0, 0); LATEST], count: 0 }
    }
}

impl Sends {
    /// At `now` all that was ever sent is `charged`.
    pub(super) const fn add(&mut self, now: u64, charged: u64) {
        self.latest[self.count % LATEST] = (now, charged);
        self.count += 1;
    }

    /// The most that had been sent by `at`, of `charged` that has been now.
    pub(super) fn at_most(&self, at: u64, charged: u64) -> u64 {
        match self.last_by(at) {
            Some((_, sum)) => sum,
            // Before the oldest that is remembered there was less, if only that one.
            None if self.count > 0 => self.latest[self.count.saturating_sub(LATEST) % LATEST].1,
            None => charged,
        }
    }

    /// What had been sent by `at` for sure; `None` where that is forgotten.
    pub(super) fn at_least(&self, at: u64) -> Option<u64> {
        self.last_by(at).map(|(_, sum)| sum)
    }

    /// The last one that left by `at`, as far as is remembered.
    fn last_by(&self, at: u64) -> Option<(u64, u64)> {
        let oldest = self.count.saturating_sub(LATEST);
        let mut latest = (oldest..self.count).rev().map(|place| self.latest[place % LATEST]);
        latest.find(|(time, _)| *time <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_had_been_sent_by_a_moment_is_remembered_for_the_latest_sends() {
        let mut sends = Sends::default();
        assert_eq!(sends.at_most(5, 7), 7);
        (1..=100).for_each(|n| sends.add(n * 10, n * 2));
        assert_eq!(sends.at_most(995, 200), 198);
        assert_eq!(sends.at_most(1000, 200), 200);
        assert_eq!((sends.at_least(995), sends.at_least(5)), (Some(198), None));
        assert_eq!(sends.at_most(5, 200), 37 * 2, "forgotten");
    }
}
