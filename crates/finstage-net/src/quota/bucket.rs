//! A server whose tokens come back steadily, seen as a level that drains.
//!
//! Requests that left spread out may arrive together, so the capacity is used up to what comes
//! back in the spread of the delay; the rate is used in full. Source: the generic cell rate
//! algorithm (ITU-T I.371) in its form as a leaky bucket.

/// The level of one bucket. Amounts are kept times the period, so that nothing is rounded.
#[derive(Debug)]
pub(super) struct Bucket {
    span: i128,
    /// Below zero where it has been empty for a while, down to what drains in the spread.
    level: i128,
    at: u64,
    spread: u64,
}

impl Bucket {
    /// An empty one that drains in `span` nanoseconds, where delays differ by up to `spread`.
    pub(super) fn new(span: u64, spread: u64) -> Self {
        Self { span: i128::from(span.max(1)), level: 0, at: 0, spread }
    }

    /// How unevenly requests travel, as it is known now.
    pub(super) const fn set_spread(&mut self, spread: u64) {
        self.spread = spread;
    }

    /// Drains up to `now`.
    pub(super) fn advance(&mut self, now: u64, limit: u64) {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let floor = -self.slack(limit);
        self.level = (self.level - i128::from(limit) * i128::from(passed)).max(floor);
    }

    /// What has not drained yet.
    pub(super) fn used(&self) -> u64 {
        u64::try_from((self.level.max(0) + self.span - 1) / self.span).unwrap_or(u64::MAX)
    }

    /// When `amount` fits under `limit` beside what is `pending`.
    pub(super) fn ready_at(&self, limit: u64, pending: u64, amount: u64) -> u64 {
        let room = i128::from(limit) * self.span - self.slack(limit);
        let wanted = (i128::from(pending) + i128::from(amount)) * self.span;
        let level = match wanted <= room {
            true => self.level.max(0),
            // More than the reserve leaves: the bucket has to have been empty for the rest.
            false => self.level,
        };
        // What is about to leave counts here too, or all that wait would find the bucket empty.
        let about_to_leave = i128::from(pending) * self.span;
        let over = (level + wanted - room).min(level + about_to_leave + self.slack(limit));
        if over <= 0 {
            return self.at;
        }
        let rate = i128::from(limit.max(1));
        let wait = (over + rate - 1) / rate;
        self.at.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    /// Charges what was sent now.
    pub(super) fn charge(&mut self, amount: u64) {
        if amount == 0 {
            return;
        }
        self.level = self.level.max(0) + i128::from(amount) * self.span;
    }

    /// Takes back; never below empty.
    pub(super) fn refund(&mut self, amount: u64) {
        self.level = (self.level - i128::from(amount) * self.span).max(self.level.min(0));
    }

    /// At least `used` is in it.
    pub(super) fn raise(&mut self, used: u64) {
        self.level = self.level.max(i128::from(used) * self.span);
    }

    /// What drains in the spread of the delay; never more than a quarter of the capacity.
    fn slack(&self, limit: u64) -> i128 {
        i128::from(limit) * i128::from(self.spread).min(self.span / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_steadily_and_a_reserve_stays() {
        let mut bucket = Bucket::new(1000, 100);
        bucket.advance(10_000, 50);
        assert_eq!(bucket.ready_at(50, 0, 45), 10_000);
        bucket.charge(45);
        assert_eq!(bucket.ready_at(50, 0, 1), 10_020, "one token in 20 ns");
        bucket.advance(10_020, 50);
        assert_eq!(bucket.used(), 44);
        bucket.refund(100);
        assert_eq!(bucket.used(), 0);
        assert_eq!(bucket.ready_at(50, 0, 45), 10_020, "a refund gives no more than the quota");
    }

    #[test]
    fn a_bucket_of_one_lets_one_go_however_many_wait() {
        let mut bucket = Bucket::new(1000, 100);
        bucket.advance(10_000, 1);
        assert_eq!(bucket.ready_at(1, 0, 1), 10_000);
        assert!(bucket.ready_at(1, 1, 1) > 10_000, "one is about to leave");
        assert!(bucket.ready_at(1, 44, 1) > bucket.ready_at(1, 1, 1));
    }

    #[test]
    fn the_largest_weight_waits_until_the_bucket_has_been_empty_for_the_spread() {
        let mut bucket = Bucket::new(1000, 100);
        bucket.advance(1000, 50);
        bucket.charge(10);
        assert_eq!(bucket.ready_at(50, 0, 50), 1000 + 200 + 100);
        bucket.advance(1300, 50);
        assert_eq!(bucket.ready_at(50, 0, 50), 1300);
        bucket.charge(50);
        assert_eq!(bucket.ready_at(50, 0, 1), 1300 + 120);
    }
}
