//! What others use under the same key, as far as readings show it.

/// Two windows are looked at in so many parts.
const PARTS: u64 = 8;
/// Left free beyond what was seen, as a share of the limit: others do not come in even portions.
const MARGIN: u64 = 256;
/// Of what is on the way such a part looks like theirs at one time and not at another.
const UNCLEAR: u64 = 2;

/// The most that others were seen to use, over the last two windows.
#[derive(Debug)]
pub(super) struct Others {
    span: u64,
    part: u64,
    /// The most that was seen in each part.
    most: [u64; PARTS as usize],
    /// The number of the newest part, and of the first for which all that is looked at was seen
    /// in the usual way: at the beginning much leaves at once.
    newest: u64,
    steady_from: u64,
    /// What was seen last, and when.
    last: (u64, u64),
    /// The most of all parts, and the least of what each part reached.
    used: u64,
    least: u64,
    /// How unevenly requests travel.
    spread: u64,
    trusts_parts: bool,
}

impl Others {
    pub(super) fn new(span: u64) -> Self {
        let part = (span / PARTS * 2).max(1);
        let most = [0; PARTS as usize];
        Self {
            span,
            part,
            most,
            newest: 0,
            steady_from: u64::MAX,
            last: (0, 0),
            used: 0,
            least: 0,
            spread: 0,
            trusts_parts: false,
        }
    }

    /// At `now` they had used `amount` at least.
    pub(super) fn seen(&mut self, now: u64, amount: u64) {
        let number = now / self.part;
        let passed = number.saturating_sub(self.newest).min(PARTS);
        for step in 0..passed {
            let part = ((number - step) % PARTS) as usize;
            self.most[part] = 0;
        }
        self.newest = self.newest.max(number);
        self.steady_from = self.steady_from.min(number + PARTS);
        self.last = (now, amount);
        let part = (self.newest % PARTS) as usize;
        self.most[part] = self.most[part].max(amount);
        if passed > 0 || amount > self.least {
            self.used = self.most.iter().copied().max().unwrap_or_default();
            // The newest part has only begun.
            let whole = (0..PARTS as usize).filter(|place| *place != part && self.most[*place] > 0);
            self.least = whole.map(|place| self.most[place]).min().unwrap_or(self.used);
        }
    }

    /// How unevenly requests travel.
    pub(super) const fn set_spread(&mut self, spread: u64) {
        self.spread = spread;
    }

    /// Each part holds many readings: what others reach in it is seen.
    pub(super) const fn trust_parts(&mut self) {
        self.trusts_parts = true;
    }

    /// Whether there are any.
    pub(super) const fn are_seen(&self) -> bool {
        self.used > 0
    }

    /// Whether what they use of a window changes by more than a request of theirs does, and than is not
    /// told from what is on the way.
    pub(super) fn vary(&self, limit: u64) -> bool {
        let on_the_way = u128::from(limit) * u128::from(self.spread) / u128::from(self.span.max(1));
        let unclear = u64::try_from(on_the_way).unwrap_or(limit).div_ceil(UNCLEAR);
        let same = limit.div_ceil(MARGIN) * 2 + unclear;
        self.newest >= self.steady_from && self.used > self.least + same
    }

    /// What is left free for them under `limit`.
    pub(super) fn expected(&self, limit: u64) -> u64 {
        if self.used == 0 {
            return 0;
        }
        let margin = limit.div_ceil(MARGIN);
        let beyond = match self.trusts_parts && self.newest >= self.steady_from {
            true => self.least,
            false => self.used,
        };
        // What was reached in each part is exceeded by one more request of theirs, not the most of all.
        self.used.max(beyond + margin) + self.usual(self.spread)
    }

    /// What they use in `time`.
    fn usual(&self, time: u64) -> u64 {
        let part = u128::from(self.used) * u128::from(time.min(self.span));
        u64::try_from(part / u128::from(self.span.max(1))).unwrap_or(self.used)
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
        assert_eq!((others.used(), others.expected(1000)), (30, 34));
        others.seen(1700, 5);
        assert_eq!(others.used(), 30);
        others.seen(1800, 5);
        assert_eq!(others.used(), 5);
        others.seen(99_999, 0);
        assert!(!others.are_seen());
    }

    #[test]
    fn what_comes_while_a_request_travels_is_left_free_as_well() {
        let mut others = Others::new(400);
        others.seen(1000, 40);
        others.set_spread(20);
        assert_eq!(others.expected(1000), 40 + 2 + 4);
    }
}
