//! Wilder's smoothing: each value moves the average by 1/n of itself.
//!
//! ```text
//! first    mean of the first n values
//! then     average * (n-1)/n + value * 1/n
//! ```
//!
//! After the first the values come in groups of four. All averages of a group are worked out from the
//! last one before it (k = (n-1)/n, t = 1/n), which leaves one step in four that has to wait for
//! another:
//!
//! ```text
//! average * k^j + (x[1] * t k^(j-1) + ... + x[j] * t)                   j = 1, 2, 3, 4
//! ```
//!
//! It is the exponential average of 2n - 1 with a simple mean as seed. Amounts that go on at zero
//! make it shrink for ever; below [`LEAST`] it is 0, because numbers near the least double are
//! tens of times slower to work with, and such an average means zero anyway.

use std::hint::black_box;

use crate::ema_memory;
use crate::series::checked_period;

/// Where an average stops shrinking.
pub(crate) const LEAST: f64 = 1e-200;

/// What the values of a group weigh in its averages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights {
    /// (n-1)/n to the powers 1 to 4: what is kept of the average before the group.
    keeps: [f64; 4],
    /// In each average, of the first, second, third and fourth value: 0 where it comes later, which
    /// changes nothing, as no value is negative.
    takes: [[f64; 4]; 4],
}

impl Weights {
    pub(crate) fn of(period: usize) -> Self {
        let (keep, take) = shares(checked_period(period, 1));
        let (mut keeps, mut takes) = ([keep; 4], [take; 4]);
        for nth in 1..4 {
            keeps[nth] = keeps[nth - 1] * keep;
            takes[nth] = takes[nth - 1] * keep;
        }
        let [one, two, three, four] = takes;
        let takes = [
            [one, two, three, four],
            [0.0, one, two, three],
            [0.0, 0.0, one, two],
            [0.0, 0.0, 0.0, one],
        ];
        Self { keeps, takes }
    }

    /// The average with the `nth` value of a group (0 to 3) that follows `before`. Gathered is what
    /// the values of the group up to this one add to each average; 0 before the first.
    #[inline(always)]
    pub(crate) fn average(
        &self,
        before: f64,
        gathered: &mut [f64; 4],
        (nth, value): (usize, f64),
    ) -> f64 {
        for (gathered, take) in gathered.iter_mut().zip(&self.takes[nth & 3]) {
            *gathered += value * take;
        }
        before * self.keeps[nth & 3] + gathered[nth & 3]
    }

    /// All averages of a group.
    #[inline(always)]
    pub(crate) fn group(&self, before: f64, values: &[f64; 4]) -> [f64; 4] {
        [
            self.nth_of_group(0, before, values),
            self.nth_of_group(1, before, values),
            self.nth_of_group(2, before, values),
            self.nth_of_group(3, before, values),
        ]
    }

    /// The last average of a group.
    #[inline(always)]
    pub(crate) fn last(&self, before: f64, values: &[f64; 4]) -> f64 {
        self.nth_of_group(3, before, values)
    }

    #[inline(always)]
    fn nth_of_group(&self, nth: usize, before: f64, values: &[f64; 4]) -> f64 {
        let ([first, second, third, fourth], takes) = (*values, &self.takes);
        let gathered = ((first * takes[0][nth] + second * takes[1][nth]) + third * takes[2][nth])
            + fourth * takes[3][nth];
        before * self.keeps[nth] + gathered
    }
}

/// Wilder's average of amounts (not negative).
#[derive(Debug, Clone)]
pub(crate) struct Wilder {
    period: usize,
    seen: usize,
    weights: Weights,
    /// The mean of what was seen while `seen < period`; the average before the group afterwards.
    value: f64,
    /// The values of the group that were seen, 0 to 3, and what they add.
    nth: usize,
    gathered: [f64; 4],
    latest: f64,
}

impl Wilder {
    pub(crate) fn new(period: usize) -> Self {
        let (value, gathered, latest) = (0.0, [0.0; 4], 0.0);
        Self { period, seen: 0, weights: Weights::of(period), value, nth: 0, gathered, latest }
    }

    pub(crate) fn warmup(&self) -> usize {
        self.period
    }

    pub(crate) fn memory(&self) -> usize {
        wilder_memory(self.period)
    }

    pub(crate) fn clear(&mut self) {
        (self.seen, self.value, self.nth, self.gathered) = (0, 0.0, 0, [0.0; 4]);
    }

    pub(crate) fn is_warm(&self) -> bool {
        self.seen == self.period
    }

    /// The average, once there is one.
    pub(crate) fn value(&self) -> Option<f64> {
        self.is_warm().then_some(self.latest)
    }

    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        if self.is_warm() {
            return Some(self.step(value));
        }
        self.seen += 1;
        self.value += (value - self.value) / self.seen as f64;
        self.latest = self.value;
        self.value()
    }

    /// The next average, once it is warm.
    #[inline]
    fn step(&mut self, value: f64) -> f64 {
        self.latest = self.weights.average(self.value, &mut self.gathered, (self.nth, value));
        self.nth += 1;
        if self.nth == 4 {
            self.close(self.latest);
        }
        self.latest
    }

    /// Ends a group with its last average.
    #[inline(always)]
    fn close(&mut self, last: f64) {
        (self.nth, self.gathered) = (0, [0.0; 4]);
        self.value = if last < LEAST { 0.0 } else { last };
        self.latest = self.value;
    }

    /// Takes values one by one.
    #[inline(never)]
    fn steps(&mut self, values: &[f64], out: &mut [f64]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = self.step(value);
        }
    }

    /// Takes values once it is warm; all averages.
    #[inline(always)]
    pub(crate) fn many(&mut self, values: &[f64], out: &mut [f64]) {
        let single = values.len().min((4 - self.nth) % 4);
        let (before, values) = values.split_at(single);
        let (groups, after) = values.as_chunks::<4>();
        let (out_before, out) = out.split_at_mut(single);
        let (out_groups, out_after) = out.as_chunks_mut::<4>();
        self.steps(before, out_before);
        // The last average of a group once more, apart from the other three: the next group waits for
        // that number only, and not until four of them are taken asunder. The compiler would see that
        // it is the same one.
        let (weights, last) = (self.weights, black_box(self.weights));
        let mut value = self.value;
        for (out, group) in out_groups.iter_mut().zip(groups) {
            *out = weights.group(value, group);
            value = last.last(value, group);
            if (value < LEAST) & (value > 0.0) {
                value = nothing();
                out[3] = value;
            }
        }
        if let Some(last) = out_groups.last() {
            self.close(last[3]);
        }
        self.steps(after, out_after);
    }
}

/// 0, off the way that is mostly taken: asking costs nothing there, choosing would.
#[cold]
#[inline(never)]
fn nothing() -> f64 {
    0.0
}

/// Whether an average has become so little that it is nothing beside one that is held at [`LEAST`],
/// and slow to work with.
#[inline(always)]
pub(crate) fn is_nothing(average: f64) -> bool {
    (average < 1e-300) & (average > 0.0)
}

/// What is kept of an average of `period`, and what a new value adds: (n-1)/n and 1/n.
pub(crate) fn shares(period: usize) -> (f64, f64) {
    let period = period as f64;
    ((period - 1.0) / period, period.recip())
}

/// Values after which Wilder's average has forgotten what was before.
pub(crate) fn wilder_memory(period: usize) -> usize {
    ema_memory(2 * period - 1)
}
