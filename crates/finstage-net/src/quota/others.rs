//! What others use under the same key, as far as readings show it.

/// Two windows are looked at in so many parts.
const PARTS: u64 = 8;
/// Left free beyond what was seen, as a share of the limit: others do not come in even portions.
const MARGIN: u64 = 128;

/// The most that others were seen to use, over the last two windows.
#[derive(Debug)]
pub(super) struct Others {
    span: u64,
    part: u64,
    /// The most that was seen, and the longest time without a look, in each part.
    most: [(u64, u64); PARTS as usize],
    /// The number of the newest part.
    newest: u64,
    seen_at: Option<u64>,
    /// The most of all parts.
    used: u64,
    gap: u64,
    /// What may come unseen, as a time.
    unseen: u64,
}

impl Others {
    pub(super) fn new(span: u64) -> Self {
        let part = (span / PARTS * 2).max(1);
        let most = [(0, 0); PARTS as usize];
        Self { span, part, most, newest: 0, seen_at: None, used: 0, gap: 0, unseen: 0 }
    }

    /// At `now` they had used `amount` at least.
    pub(super) fn seen(&mut self, now: u64, amount: u64) {
        let number = now / self.part;
        let passed = number.saturating_sub(self.newest).min(PARTS);
        for step in 0..passed {
            self.most[((number - step) % PARTS) as usize] = (0, 0);
        }
        self.newest = self.newest.max(number);
        let gap = self.seen_at.map_or(0, |at| now.saturating_sub(at)).min(self.span);
        self.seen_at = Some(now);
        let place = &mut self.most[(self.newest % PARTS) as usize];
        *place = (place.0.max(amount), place.1.max(gap));
        if passed > 0 || amount > self.used || gap > self.gap {
            self.used = self.most.iter().map(|(amount, _)| *amount).max().unwrap_or_default();
            self.gap = self.most.iter().map(|(_, gap)| *gap).max().unwrap_or_default();
        }
    }

    /// How unevenly requests travel; `is_fixed` where windows begin anew and the last look at one
    /// was before its end.
    pub(super) fn set_unseen(&mut self, spread: u64, is_fixed: bool) {
        self.unseen = spread.saturating_add(if is_fixed { self.gap } else { 0 }).min(self.span);
    }

    /// Whether there are any.
    pub(super) const fn are_seen(&self) -> bool {
        self.used > 0
    }

    /// What is left free for them under `limit`.
    pub(super) fn expected(&self, limit: u64) -> u64 {
        if self.used == 0 {
            return 0;
        }
        let unseen = u128::from(self.used) * u128::from(self.unseen) / u128::from(self.span.max(1));
        self.used + u64::try_from(unseen).unwrap_or(limit) + limit.div_ceil(MARGIN)
    }

    /// What they were seen to use.
    pub(super) const fn used(&self) -> u64 {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_use_is_left_free_for_two_windows() {
        let mut others = Others::new(400);
        assert_eq!(others.expected(1000), 0);
        others.seen(1000, 30);
        others.seen(1010, 20);
        assert_eq!((others.used(), others.expected(1000)), (30, 38));
        others.seen(1700, 5);
        assert_eq!(others.used(), 30);
        others.seen(1800, 5);
        assert_eq!(others.used(), 5);
        others.seen(99_999, 0);
        assert!(!others.are_seen());
    }

    #[test]
    fn what_comes_between_two_looks_is_left_free_as_well() {
        let mut others = Others::new(400);
        others.seen(1000, 40);
        others.seen(1040, 40);
        others.set_unseen(20, false);
        assert_eq!(others.expected(1000), 40 + 2 + 8);
        others.set_unseen(20, true);
        assert_eq!(others.expected(1000), 40 + 6 + 8);
    }
}
