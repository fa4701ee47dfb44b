//! What was charged, by the moment at which it stops counting: a ring of short slots.
//!
//! An exact log of 61,000 requests in five minutes would have to keep and search them all. Slots
//! of a thousandth of the period keep a sum each, in constant memory, and are late by at most one
//! slot, which is the safe side.

/// Slots of a period, at least; at most twice as many, since a slot is a power of two.
const SLOTS: u64 = 1024;

/// Amounts by the moment at which they stop counting. Nanoseconds throughout.
#[derive(Debug)]
pub(super) struct Wheel {
    /// The length of a slot is two to this power: a shift is cheaper than a division.
    shift: u32,
    slots: Box<[u64]>,
    /// A bit for each slot that is not empty.
    full: Box<[u64]>,
    /// The last slot that has been emptied.
    tick: u64,
    sum: u64,
}

impl Wheel {
    /// For amounts that stop counting at most `horizon` after now, in a period of `span`.
    pub(super) fn new(span: u64, horizon: u64) -> Self {
        let shift = (span / SLOTS).max(1).ilog2();
        let count = ((horizon >> shift) + 4).next_power_of_two().max(64);
        Self {
            shift,
            slots: vec![0; count as usize].into(),
            full: vec![0; (count / 64) as usize].into(),
            tick: 0,
            sum: 0,
        }
    }

    /// All that counts.
    pub(super) const fn sum(&self) -> u64 {
        self.sum
    }

    /// Lets go of everything that has stopped counting by `now`.
    pub(super) fn advance(&mut self, now: u64) {
        let target = now >> self.shift;
        if target <= self.tick {
            return;
        }
        while self.sum > 0
            && let Some(next) = self.next_full(self.tick)
            && next <= target
        {
            self.tick = next;
            let index = self.index(next);
            self.sum -= self.slots[index];
            self.slots[index] = 0;
            self.mark(index);
        }
        self.tick = target;
    }

    /// Adds what stops counting at `end`; gives the slot, or 0 where that is past already.
    pub(super) fn add(&mut self, end: u64, amount: u64) -> u64 {
        let slot = (end.saturating_add((1 << self.shift) - 1)) >> self.shift;
        if slot <= self.tick || amount == 0 {
            return 0;
        }
        // Beyond the ring there is no slot: the last one is as late as the horizon asked for.
        let slot = slot.min(self.tick + self.slots.len() as u64 - 1);
        let index = self.index(slot);
        self.slots[index] += amount;
        self.full[index / 64] |= 1 << (index % 64);
        self.sum += amount;
        slot
    }

    /// Takes back what was added to `slot`, unless it has stopped counting.
    pub(super) fn remove(&mut self, slot: u64, amount: u64) {
        if slot <= self.tick {
            return;
        }
        let index = self.index(slot);
        // Never more than the slot holds: a refund cannot raise anything above the quota.
        let amount = amount.min(self.slots[index]);
        self.slots[index] -= amount;
        self.sum -= amount;
        self.mark(index);
    }

    /// The moment by which at least `need` has stopped counting; `None` where there is not so much.
    pub(super) fn freed_at(&self, need: u64) -> Option<u64> {
        if need > self.sum {
            return None;
        }
        let (mut freed, mut tick) = (0, self.tick);
        while freed < need {
            tick = self.next_full(tick)?;
            freed += self.slots[self.index(tick)];
        }
        Some(tick << self.shift)
    }

    const fn index(&self, tick: u64) -> usize {
        (tick & (self.slots.len() as u64 - 1)) as usize
    }

    /// Keeps the bit of a slot true.
    fn mark(&mut self, index: usize) {
        if self.slots[index] == 0 {
            self.full[index / 64] &= !(1 << (index % 64));
        }
    }

    /// The first slot after `tick` that is not empty.
    fn next_full(&self, tick: u64) -> Option<u64> {
        let words = self.full.len();
        let start = self.index(tick + 1);
        let mut word = start / 64;
        let mut bits = self.full[word] & (u64::MAX << (start % 64));
        for _ in 0..=words {
            if bits != 0 {
                let index = (word * 64) as u64 + u64::from(bits.trailing_zeros());
                let ahead = index.wrapping_sub(start as u64) & (self.slots.len() as u64 - 1);
                return Some(tick + 1 + ahead);
            }
            word = (word + 1) % words;
            bits = self.full[word];
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    proptest! {
        #[test]
        fn the_wheel_is_a_log_that_is_late_by_at_most_a_slot(
            steps in proptest::collection::vec((0u64..SECOND / 4, 1u64..50, any::<bool>()), 1..200),
        ) {
            let mut wheel = Wheel::new(SECOND, SECOND * 5 / 4);
            let slot = 1u64 << wheel.shift;
            let mut log: Vec<(u64, u64)> = Vec::new();
            let mut now = 7 * SECOND;
            for (pause, amount, taken_back) in steps {
                now += pause;
                wheel.advance(now);
                let place = wheel.add(now + SECOND, amount);
                if taken_back {
                    wheel.remove(place, amount);
                } else {
                    log.push((now + SECOND, amount));
                }
                let counted = |late: u64| -> u64 {
                    log.iter().filter(|(end, _)| end + late > now).map(|(_, amount)| amount).sum()
                };
                prop_assert!(counted(0) <= wheel.sum());
                prop_assert!(wheel.sum() <= counted(slot));
                if let Some(at) = wheel.freed_at(amount) {
                    let gone: u64 =
                        log.iter().filter(|(end, _)| *end > now && *end <= at).map(|(_, a)| a).sum();
                    prop_assert!(gone + (wheel.sum() - counted(0)) >= amount);
                }
            }
        }
    }

    #[test]
    fn after_a_long_silence_nothing_counts() {
        let mut wheel = Wheel::new(SECOND, SECOND * 2);
        wheel.advance(SECOND);
        assert!(wheel.add(2 * SECOND, 5) > 0);
        wheel.advance(900 * SECOND);
        assert_eq!(wheel.sum(), 0);
        assert_eq!(wheel.freed_at(1), None);
        assert_eq!(wheel.add(800 * SECOND, 5), 0, "past already");
    }
}
