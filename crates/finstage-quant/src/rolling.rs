//! What the last n numbers have in common: their mean, the highest, the lowest.

use crate::blocks::BLOCK;
use crate::roll::roll;
use crate::series::{LastValues, is_usable};
use crate::split_sum::{Divisor, RollingSum};

/// The mean of the last n usable numbers, rounded once (see `exact_sum` and `split_sum`).
#[derive(Debug, Clone)]
pub(crate) struct RollingMean {
    last: LastValues,
    sum: RollingSum,
    divisor: Divisor,
    /// Values after which it is worth looking for a faster sum.
    retry: usize,
}

impl RollingMean {
    pub(crate) fn new(period: usize) -> Self {
        let sum = RollingSum::of(std::iter::empty(), period);
        Self { last: LastValues::new(period), sum, divisor: Divisor::new(period), retry: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        let left = self.last.push(value);
        if !self.sum.roll(value, left) || matches!(self.sum, RollingSum::Exact(_)) {
            self.look_for_a_grid();
        }
        self.last.is_full().then(|| self.sum.mean(&self.divisor))
    }

    /// After a value that the sum did not take in, and every n values while it is the slow one.
    #[cold]
    fn look_for_a_grid(&mut self) {
        if matches!(self.sum, RollingSum::Exact(_)) {
            self.retry = self.retry.saturating_sub(1);
            if self.retry > 0 {
                return;
            }
        }
        self.sum = RollingSum::of(self.last.iter(), self.period());
        self.retry = self.period();
    }

    pub(crate) fn last(&self) -> &LastValues {
        &self.last
    }

    pub(crate) fn period(&self) -> usize {
        self.last.period()
    }

    pub(crate) fn clear(&mut self) {
        self.last.clear();
        self.sum = RollingSum::of(std::iter::empty(), self.last.period());
        self.retry = 0;
    }
}

/// The mean of the last `period` numbers at every place, NaN where there is none. Stretches of at
/// most a block, all with means or all without, are shown to `then` while they are near: the place
/// of the first one, and the means.
pub(crate) fn means(
    input: &[f64],
    period: usize,
    out: &mut Vec<f64>,
    mut then: impl FnMut(usize, &[f64]),
) {
    out.resize(input.len(), f64::NAN);
    let mut mean = RollingMean::new(period);
    let mut place = 0;
    while place < input.len() {
        // Blocks, while sums are exact and all numbers fit.
        if let RollingSum::Split { grid, high, low } = &mut mean.sum
            && mean.last.is_full()
        {
            let begin = place;
            while place < input.len() {
                let block = place..input.len().min(place + BLOCK);
                let out = &mut out[block.clone()];
                let old = &input[place - period..block.end - period];
                let numbers = (&input[block.clone()], old);
                let (count, sums) = roll((grid, &mean.divisor), (*high, *low), numbers, out);
                (*high, *low) = sums;
                if count > 0 {
                    then(place, &out[..count]);
                }
                place += count;
                if place < block.end {
                    break;
                }
            }
            if place > begin {
                mean.last.refill(&input[place - period..place]);
            }
        }
        // The one that did not fit, and all that come before blocks are possible.
        while place < input.len() {
            if is_usable(input[place]) {
                out[place] = mean.push(input[place]).unwrap_or(f64::NAN);
            } else {
                mean.clear();
                out[place] = f64::NAN;
            }
            then(place, &out[place..=place]);
            place += 1;
            if mean.last.is_full() && matches!(mean.sum, RollingSum::Split { .. }) {
                break;
            }
        }
    }
}

/// The highest of the last n numbers, in constant time on average.
///
/// Kept are only the numbers that may still become the highest: each is greater than all that came
/// after it. (Daniel Lemire, *Streaming maximum-minimum filter using no more than three comparisons
/// per element*, 2006.)
#[derive(Debug, Clone)]
pub(crate) struct Highest {
    /// Candidates with the number of their arrival, a ring.
    candidates: Box<[(u64, f64)]>,
    first: usize,
    count: usize,
    seen: u64,
}

impl Highest {
    pub(crate) fn new(period: usize) -> Self {
        let candidates = vec![(0, 0.0); period].into_boxed_slice();
        Self { candidates, first: 0, count: 0, seen: 0 }
    }

    /// Takes the next number; the highest of the last n once there are so many.
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        let period = self.candidates.len();
        while self.count > 0 && self.candidates[self.place(self.count - 1)].1 <= value {
            self.count -= 1;
        }
        if self.count > 0 && self.candidates[self.first].0 + period as u64 <= self.seen {
            self.first = self.place(1);
            self.count -= 1;
        }
        let place = self.place(self.count);
        self.candidates[place] = (self.seen, value);
        self.count += 1;
        self.seen += 1;
        (self.seen >= period as u64).then(|| self.candidates[self.first].1)
    }

    pub(crate) fn clear(&mut self) {
        (self.first, self.count, self.seen) = (0, 0, 0);
    }

    fn place(&self, nth: usize) -> usize {
        let place = self.first + nth;
        if place >= self.candidates.len() { place - self.candidates.len() } else { place }
    }
}

/// Highest high and lowest low of the last n bars.
#[derive(Debug, Clone)]
pub(crate) struct RollingRange {
    highest: Highest,
    /// Of the lows with the opposite sign.
    lowest: Highest,
}

impl RollingRange {
    pub(crate) fn new(period: usize) -> Self {
        Self { highest: Highest::new(period), lowest: Highest::new(period) }
    }

    /// Takes the next bar; highest and lowest of the last n once there are so many.
    pub(crate) fn push(&mut self, high: f64, low: f64) -> Option<(f64, f64)> {
        let (highest, lowest) = (self.highest.push(high), self.lowest.push(-low));
        Some((highest?, -lowest?))
    }

    pub(crate) fn period(&self) -> usize {
        self.highest.candidates.len()
    }

    pub(crate) fn clear(&mut self) {
        self.highest.clear();
        self.lowest.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_highest_leaves_after_its_time() {
        let mut highest = Highest::new(3);
        let said: Vec<_> =
            [5.0, 1.0, 2.0, 3.0, 3.0, 0.0, 0.0, 0.0].map(|value| highest.push(value)).into();
        let expected = [5.0, 3.0, 3.0, 3.0, 3.0, 0.0].map(Some);
        assert_eq!(said[..2], [None, None]);
        assert_eq!(said[2..], expected);
        highest.clear();
        assert_eq!(highest.push(9.0), None);
    }

    proptest! {
        #[test]
        fn highest_and_lowest_are_those_of_a_plain_search(
            bars in prop::collection::vec((-9i8..9, 0i8..5), 1..200),
            period in 1usize..12,
        ) {
            let bars: Vec<(f64, f64)> =
                bars.iter().map(|&(low, more)| (f64::from(low + more), f64::from(low))).collect();
            let mut range = RollingRange::new(period);
            for (place, &(high, low)) in bars.iter().enumerate() {
                let said = range.push(high, low);
                let expected = (place + 1).checked_sub(period).map(|start| {
                    let recent = &bars[start..=place];
                    let high = recent.iter().map(|bar| bar.0).fold(f64::MIN, f64::max);
                    (high, recent.iter().map(|bar| bar.1).fold(f64::MAX, f64::min))
                });
                prop_assert_eq!(said, expected);
            }
        }
    }
}
