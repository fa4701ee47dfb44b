//! What the last n numbers have in common: their mean, the highest, the lowest.

use crate::series::{LastValues, column_of_runs};
use crate::split_sum::{Grid, RollingSum, mean_of};
use crate::wide::{Block, wide};

/// The mean of the last n usable numbers, rounded once (see `exact_sum` and `split_sum`).
#[derive(Debug, Clone)]
pub(crate) struct RollingMean {
    last: LastValues,
    sum: RollingSum,
    /// Values after which it is worth looking for a faster sum.
    retry: usize,
}

impl RollingMean {
    pub(crate) fn new(period: usize) -> Self {
        let sum = RollingSum::of(std::iter::empty(), period);
        Self { last: LastValues::new(period), sum, retry: 0 }
    }

    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        let left = self.last.push(value);
        let mut fits = self.sum.roll(value, left);
        if matches!(self.sum, RollingSum::Exact(_)) {
            self.retry = self.retry.saturating_sub(1);
            fits = self.retry > 0;
        }
        if !fits {
            self.sum = RollingSum::of(self.last.iter(), self.period());
            self.retry = self.period();
        }
        self.last.is_full().then(|| self.sum.mean(self.last.period()))
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

/// Values that are worked on at once: few enough to stay in the nearest cache.
const BLOCK: usize = 4 * QUARTER;
const QUARTER: usize = 64;

/// The mean of the last `period` numbers at every place, NaN where there is none.
pub(crate) fn means(input: &[f64], period: usize, out: &mut Vec<f64>) {
    column_of_runs(input, period, out, |values, out| means_of_run(values, period, out));
}

fn means_of_run(values: &[f64], period: usize, out: &mut [f64]) {
    let mut sum = RollingSum::of(values[..period].iter().copied(), period);
    out[period - 1] = sum.mean(period);
    let (olds, outs) = (values.chunks(BLOCK), out[period..].chunks_mut(BLOCK));
    let mut place = period;
    for ((new, old), out) in values[period..].chunks(BLOCK).zip(olds).zip(outs) {
        let held = match &sum {
            RollingSum::Split { grid, .. } => wide(AllHeld(grid, new)),
            RollingSum::Exact(_) => false,
        };
        if !held {
            // Another grid, if there is one for all that the block needs.
            let needed = values[place - period..place + new.len()].iter().copied();
            let grid = Grid::spanning(needed, period);
            if grid.is_some() || matches!(sum, RollingSum::Split { .. }) {
                sum = RollingSum::over(grid, values[place - period..place].iter().copied());
            }
        }
        match &mut sum {
            RollingSum::Split { grid, high, low } => {
                let (sums, count) = ((*high, *low), period as f64);
                (*high, *low) = wide(RollBlock { grid, sums, new, old, count, out });
            }
            sum @ RollingSum::Exact(_) => {
                for ((&value, &left), out) in new.iter().zip(old).zip(out) {
                    sum.roll(value, Some(left));
                    *out = sum.mean(period);
                }
            }
        }
        place += new.len();
    }
}

/// Whether a grid holds all of a block.
struct AllHeld<'a>(&'a Grid, &'a [f64]);

impl Block for AllHeld<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        self.1.iter().fold(true, |held, &value| held & self.0.holds(value))
    }
}

/// The means while each of `new` comes and its partner of `old` goes; new sums at the end.
struct RollBlock<'a> {
    grid: &'a Grid,
    /// High and low parts of the sum before the block.
    sums: (f64, f64),
    new: &'a [f64],
    old: &'a [f64],
    count: f64,
    out: &'a mut [f64],
}

impl Block for RollBlock<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run(self) -> (f64, f64) {
        let (mut highs, mut lows) = ([0.0; BLOCK], [0.0; BLOCK]);
        let pairs = self.new.iter().zip(self.old);
        for ((high, low), (&new, &old)) in highs.iter_mut().zip(&mut lows).zip(pairs) {
            let (new, old) = (self.grid.parts(new), self.grid.parts(old));
            (*high, *low) = (new.0 - old.0, new.1 - old.1);
        }
        let quarters =
            (running_sums(&mut highs, self.sums.0), running_sums(&mut lows, self.sums.1));
        let share = self.count.recip();
        let parts = highs.chunks_exact(QUARTER).zip(lows.chunks_exact(QUARTER));
        for (nth, (out, (highs, lows))) in self.out.chunks_mut(QUARTER).zip(parts).enumerate() {
            let before = (quarters.0[nth], quarters.1[nth]);
            for (out, (&high, &low)) in out.iter_mut().zip(highs.iter().zip(lows)) {
                *out = mean_of(before.0 + high, before.1 + low, (self.count, share));
            }
        }
        (quarters.0[4], quarters.1[4])
    }
}

/// Makes running sums of each quarter of a block; what each of them begins with, and the total.
///
/// The sums are exact, so they may be taken in any order, and four short chains side by side take
/// the time of one.
#[inline(always)]
fn running_sums(values: &mut [f64; BLOCK], before: f64) -> [f64; 5] {
    let (front, back) = values.split_at_mut(2 * QUARTER);
    let ((first, second), (third, fourth)) =
        (front.split_at_mut(QUARTER), back.split_at_mut(QUARTER));
    let mut sums = [0.0; 4];
    for place in 0..QUARTER {
        for (sum, quarter) in
            sums.iter_mut().zip([&mut *first, &mut *second, &mut *third, &mut *fourth])
        {
            *sum += quarter[place];
            quarter[place] = *sum;
        }
    }
    let mut begins = [before; 5];
    for quarter in 0..4 {
        begins[quarter + 1] = begins[quarter] + sums[quarter];
    }
    begins
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
