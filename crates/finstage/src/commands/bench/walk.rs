//! Bars to measure with: a walk of prices that is the same in every run.

use std::time::Duration;

use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Timestamp};

/// The smallest step of a price, in nano units: a hundredth.
const CENT: i64 = 10_000_000;

/// Numbers that look random: Knuth's linear congruence of MMIX, upper half.
#[derive(Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A whole number from 0 to below `end`.
    pub(super) fn below(&mut self, end: u32) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (((self.0 >> 32) * u64::from(end)) >> 32) as i64
    }
}

/// So many bars from the beginning of 2004 on, without holes.
pub(super) fn bars(interval: Interval, count: usize) -> Vec<Bar> {
    let mut numbers = Numbers::new(2_004);
    let mut open_time = Timestamp::from_secs(1_072_915_200);
    let mut cents = 10_000;
    let price = |cents: i64| Price::from_nanos(cents * CENT);
    let mut bar = |_| {
        let open = cents;
        // Up to one percent, and never below ten.
        cents = (open + open * (numbers.below(2_001) - 1_000) / 100_000).max(1_000);
        let (above, below) = (numbers.below(50), numbers.below(50));
        let bar = Bar {
            instrument: InstrumentId(0),
            interval,
            open_time,
            open: price(open),
            high: price(open.max(cents) + above),
            low: price(open.min(cents) - below),
            close: price(cents),
            volume: Qty::from_nanos(numbers.below(1_000_000) as u128 * CENT as u128),
            trades: 0,
        };
        open_time = open_time.plus(interval.nominal().max(Duration::from_secs(1)));
        bar
    };
    (0..count).map(&mut bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_the_same_every_time_and_made_of_sound_bars() {
        let walk = bars(Interval::M1, 20_000);
        assert_eq!(walk, bars(Interval::M1, 20_000));
        assert!(walk.iter().all(|bar| bar.fault().is_none()));
        assert!(walk.windows(2).all(|pair| pair[0].close_time() == pair[1].open_time));
        let rises = walk.iter().filter(|bar| bar.close > bar.open).count();
        assert!((9_000..11_000).contains(&rises), "{rises}");
    }
}
