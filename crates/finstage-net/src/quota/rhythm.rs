//! How others send under the same key: so much steadily, and so much more at once.
//!
//! The most that came in any time is what comes steadily in it, and a burst: an arrival curve of
//! two numbers (Cruz 1991, "A calculus for network delay"). Who sends regularly is a burst of one
//! request; who sends rarely and much at once, a larger one; neither has to be told apart.

/// What was seen is kept in so many blocks.
const BLOCKS: usize = 4;
/// Periods that a block covers.
const BLOCK: u64 = 2;
/// A rate is kept in parts of two to this power.
const FINE: u32 = 16;
/// A rate is taken to be higher than the mean by a part like this, so that a level always falls.
const ABOVE: u128 = 128;

/// The arrival curve of others, learned from what they were seen to send. Amounts of a burst are
/// kept times the period, so that nothing is rounded.
#[derive(Debug)]
pub(super) struct Rhythm {
    span: u64,
    blocks: [Block; BLOCKS],
    /// What came beyond the steady rate and was not made up for yet.
    level: u128,
    /// What they send in a period, and at once beyond that: of all blocks.
    rate: u64,
    burst: u128,
    is_known: bool,
    /// Since the last that came.
    since: Option<Since>,
    /// What they send at a time.
    one: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Since {
    time: u64,
    /// In part of it they were not seen.
    is_broken: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Block {
    time: u64,
    /// In so much of it they sent so much.
    seen: u64,
    amount: u64,
    times: u64,
    /// In so much time between one and the next, and so much with the next ones.
    between: u64,
    after: u64,
    /// The highest level.
    peak: u128,
}

impl Rhythm {
    /// For amounts in periods of `span`.
    pub(super) fn new(span: u64) -> Self {
        Self {
            span: span.max(1),
            blocks: [Block::default(); BLOCKS],
            level: 0,
            rate: 0,
            burst: 0,
            is_known: false,
            since: None,
            one: 0,
        }
    }

    /// They sent `amount` in `time`, or up to `late` later.
    pub(super) fn came(&mut self, time: u64, late: u64, amount: u64) {
        let came = u128::from(amount) * u128::from(self.span);
        // Whatever the order in which it came, it was no less at once than one of theirs, and than what
        // was not made up for in the time.
        let one = came.min(u128::from(self.one) * u128::from(self.span));
        let peak = (self.level + came).saturating_sub(self.steady(time + late)).max(one);
        self.level += came;
        self.pass(time);
        self.blocks[0].seen += time;
        if amount == 0 {
            return;
        }
        let since = self.since.replace(Since::default());
        let missed = since.map_or(0, |since| self.whole(since.time));
        let block = &mut self.blocks[0];
        block.amount += amount;
        block.times += 1;
        if let Some(since) = since {
            block.between += since.time;
            block.after += if since.is_broken { missed.max(amount) } else { amount };
        }
        match self.is_known {
            true => block.peak = block.peak.max(peak),
            // Without a rate all of it seems to come at once.
            false => self.level = came,
        }
        self.learn();
    }

    /// So much time passed in which they were not seen.
    pub(super) fn miss(&mut self, time: u64) {
        self.pass(time);
        if let Some(since) = &mut self.since {
            since.is_broken = true;
        }
    }

    fn pass(&mut self, time: u64) {
        let block = self.span.saturating_mul(BLOCK);
        if time >= block.saturating_mul(BLOCKS as u64) {
            self.blocks = [Block::default(); BLOCKS];
            self.learn();
        } else if self.blocks[0].time >= block {
            self.blocks.rotate_right(1);
            self.blocks[0] = Block::default();
            // What a wrong rate left behind goes with it.
            self.level /= 2;
            self.learn();
        }
        self.blocks[0].time += time;
        self.level = self.level.saturating_sub(self.steady(time));
        if let Some(since) = &mut self.since {
            since.time += time;
        }
    }

    fn learn(&mut self) {
        let sum = |figure: fn(&Block) -> u64| self.blocks.iter().map(figure).sum::<u64>();
        let rate = |amount: u64, time: u64| {
            ((u128::from(amount) * u128::from(self.span)) << FINE) / u128::from(time.max(1))
        };
        let (seen, amount) = (sum(|block| block.seen), sum(|block| block.amount));
        let one = amount / sum(|block| block.times).max(1);
        let mean = rate(amount, seen.max(self.span));
        // A window may hide the same request of theirs each time, or show it each time: what is from
        // one of theirs to the next tells more, unless they come in bursts.
        let doubt = u128::from(one) << FINE;
        let between = match sum(|block| block.between) {
            0 => mean,
            time => rate(sum(|block| block.after), time),
        };
        let rate = between.clamp(mean.saturating_sub(doubt), mean + doubt);
        self.rate = u64::try_from(rate + rate / ABOVE).unwrap_or(u64::MAX);
        let peak = self.blocks.iter().map(|block| block.peak).max().unwrap_or(0);
        self.burst = peak.max(u128::from(one) * u128::from(self.span));
        self.one = one;
        self.is_known |= seen >= self.span;
        self.is_known &= amount > 0;
    }

    /// Whether there are any, and they were seen for a while.
    pub(super) const fn is_known(&self) -> bool {
        self.is_known
    }

    /// The most that they send in `time`.
    pub(super) fn most_in(&self, time: u64) -> u64 {
        u64::try_from((self.burst + self.steady(time)) / u128::from(self.span)).unwrap_or(u64::MAX)
    }

    /// What they mostly send in `time`.
    pub(super) fn usual_in(&self, time: u64) -> u64 {
        u64::try_from(self.steady(time).div_ceil(u128::from(self.span))).unwrap_or(u64::MAX)
    }

    /// As many whole requests of theirs as come in `time`.
    fn whole(&self, time: u64) -> u64 {
        let one = u128::from(self.one.max(1)) * u128::from(self.span);
        let times = (self.steady(time) + one / 2) / one;
        u64::try_from(times).unwrap_or(u64::MAX).saturating_mul(self.one)
    }

    fn steady(&self, time: u64) -> u128 {
        (u128::from(self.rate) * u128::from(time)) >> FINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_steadily_is_a_rate_and_one_request() {
        let mut rhythm = Rhythm::new(1000);
        (0..60).for_each(|_| rhythm.came(100, 0, 3));
        assert!(rhythm.is_known());
        assert_eq!((rhythm.most_in(0), rhythm.most_in(1000)), (3, 33));
        assert_eq!(rhythm.usual_in(500), 16, "and a little more");
    }

    #[test]
    fn who_sends_much_at_once_is_a_burst() {
        let mut rhythm = Rhythm::new(1000);
        for _ in 0..20 {
            (0..9).for_each(|_| rhythm.came(100, 0, 0));
            rhythm.came(100, 0, 30);
        }
        assert_eq!((rhythm.most_in(0), rhythm.most_in(1000)), (30, 60));
    }

    #[test]
    fn what_windows_hide_each_time_is_counted_from_one_of_theirs_to_the_next() {
        let mut rhythm = Rhythm::new(1000);
        for _ in 0..20 {
            // Three in a window, of which the third comes where nothing is seen.
            rhythm.came(300, 0, 1);
            rhythm.came(333, 0, 1);
            rhythm.miss(367);
        }
        assert_eq!(rhythm.most_in(1000), 4, "and not three");
    }

    #[test]
    fn who_sends_no_more_is_forgotten() {
        let mut rhythm = Rhythm::new(1000);
        (0..60).for_each(|_| rhythm.came(100, 0, 3));
        (0..100).for_each(|_| rhythm.came(100, 0, 0));
        assert!(!rhythm.is_known());
        assert_eq!(rhythm.most_in(1000), 0);
        (0..60).for_each(|_| rhythm.came(100, 0, 3));
        rhythm.miss(1_000_000);
        assert!(!rhythm.is_known(), "nothing is known of them after a long time");
    }
}
