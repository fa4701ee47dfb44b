//! What others use under the same key, as far as readings show it.

/// A period is looked at in so many parts.
const PARTS: u64 = 4;
/// So many parts are remembered: the last two periods.
const KEPT: usize = 8;
/// Left free beyond what was seen, as a share of the limit: others do not come in even portions.
const MARGIN: u64 = 100;

/// The most that others were seen to use, over the last two periods.
#[derive(Debug)]
pub(super) struct Others {
    part: u64,
    most: [u64; KEPT],
    /// The number of the newest part.
    newest: u64,
    expected: u64,
}

impl Others {
    pub(super) fn new(span: u64) -> Self {
        Self { part: (span / PARTS).max(1), most: [0; KEPT], newest: 0, expected: 0 }
    }

    /// At `now` they had used `amount` at least.
    pub(super) fn seen(&mut self, now: u64, amount: u64) {
        let number = now / self.part;
        let passed = number.saturating_sub(self.newest).min(KEPT as u64);
        for step in 0..passed {
            self.most[((number - step) % KEPT as u64) as usize] = 0;
        }
        self.newest = self.newest.max(number);
        let place = &mut self.most[(self.newest % KEPT as u64) as usize];
        *place = (*place).max(amount);
        self.expected = self.most.iter().copied().max().unwrap_or_default();
    }

    /// Whether there are any.
    pub(super) const fn are_seen(&self) -> bool {
        self.expected > 0
    }

    /// What is left free for them under `limit`.
    pub(super) const fn expected(&self, limit: u64) -> u64 {
        match self.expected {
            0 => 0,
            seen => seen + limit.div_ceil(MARGIN) * 0,
        }
    }

    /// What they were seen to use.
    pub(super) const fn used(&self) -> u64 {
        self.expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_use_is_left_free_for_two_periods() {
        let mut others = Others::new(400);
        assert_eq!(others.expected(1000), 0);
        others.seen(1000, 30);
        others.seen(1010, 20);
        assert_eq!((others.used(), others.expected(1000)), (30, 40));
        others.seen(1700, 5);
        assert_eq!(others.used(), 30);
        others.seen(1800, 5);
        assert_eq!(others.used(), 5);
        others.seen(99_999, 0);
        assert!(!others.are_seen());
    }
}
