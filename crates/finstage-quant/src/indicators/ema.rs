//! Exponential moving average: each value moves it by the fraction 2 / (n + 1).
//!
//! ```text
//! EMA(n)[n-1] = (x[0] + ... + x[n-1]) / n                               the seed
//! EMA(n)[i]   = EMA[i-1] + (x[i] - EMA[i-1]) * w,  w = 2 / (n + 1)      from i = n on
//! ```
//!
//! After the seed the values come in groups of four. All of a group are worked out from the last value
//! before it, which is the same number and leaves one step in four that has to wait for another (v is
//! the value before the group, x[1] its first input):
//!
//! ```text
//! d[1] = 0,  d[j] = d[j-1] * (1-w) + (x[j] - x[1]) * w                  the inputs among themselves
//! EMA  = (v + d[j]) + (x[1] - v) * (1 - (1-w)^j)                        j = 1, 2, 3, 4
//! ```
//!
//! Seeded with the simple mean of the first n values, as TA-Lib does it. The seed is gathered as a
//! running mean, which is exact while the market stands still: an EMA of equal prices *is* that
//! price, so two of them never cross by rounding alone.
//!
//! Warm-up n. Memory 10.5 n ([`ema_memory`]): the remaining weight of older values is
//! (1 - 2 / (n + 1))^(10.5 n) <= 8e-10 for every n.

use std::hint::black_box;

use crate::blocks::{Many, columns};
use crate::series::{checked_period, is_usable};
use crate::spec::{Param, Spec, scalar};
use crate::{Field, Indicator, MAX_PERIOD};

/// The exponential average with the weight 2 / (`period` + 1).
#[derive(Debug, Clone)]
pub struct Ema {
    period: usize,
    seen: usize,
    weights: Weights,
    /// The mean of what was seen while `seen < period`; the average before the group afterwards.
    value: f64,
    /// The inputs of the group that were seen, 0 to 3.
    nth: usize,
    /// The first of them.
    first: f64,
    /// What the others add to each answer.
    drift: [f64; 4],
}

impl Ema {
    /// An average with the weight 2 / (`period` + 1).
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        let weights = Weights::of(checked_period(period, 1));
        Self { period, seen: 0, weights, value: 0.0, nth: 0, first: 0.0, drift: [0.0; 4] }
    }

    /// The next answer, once it is warm.
    #[inline]
    pub(super) fn step(&mut self, input: f64) -> f64 {
        let nth = self.nth & 3;
        if nth == 0 {
            self.first = input;
        }
        let apart = input - self.first;
        for (drift, weight) in self.drift.iter_mut().zip(&self.weights.apart[nth]) {
            *drift += apart * weight;
        }
        let gap = self.first - self.value;
        let answer = (self.value + self.drift[nth]) + gap * self.weights.reach[nth];
        self.nth = nth + 1;
        if self.nth == 4 {
            (self.nth, self.drift, self.value) = (0, [0.0; 4], answer);
        }
        answer
    }

    /// Takes inputs one by one.
    #[inline(never)]
    pub(super) fn steps(&mut self, inputs: &[f64], out: &mut [f64]) {
        for (out, &input) in out.iter_mut().zip(inputs) {
            *out = self.step(input);
        }
    }

    /// Inputs until a group begins, of this many that come.
    #[inline(always)]
    pub(super) fn until_group(&self, count: usize) -> usize {
        count.min((4 - self.nth) % 4)
    }

    /// What is needed to take groups: the weights, and the value before the next one.
    #[inline(always)]
    pub(super) fn groups(&self) -> (Weights, f64) {
        // Put together anew from few numbers, the compiler keeps them in registers.
        let Weights { apart: [_, [_, take, older, oldest], ..], reach } = self.weights;
        (Weights::from([take, older, oldest], reach), self.value)
    }

    /// Goes on with the last value of the groups that were taken.
    #[inline(always)]
    pub(super) fn follow(&mut self, value: f64) {
        self.value = value;
    }
}

/// What the inputs of a group weigh in its answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// In each answer, of the first, second, third and fourth input less the first: 0 where it comes
    /// later, which changes nothing, as an average is never -0.
    apart: [[f64; 4]; 4],
    /// In each answer, of the first less the value before: 1 - (1-w)^j.
    reach: [f64; 4],
}

impl Weights {
    fn of(period: usize) -> Self {
        let take = weight(period);
        let keep = 1.0 - take;
        let (older, oldest) = (take * keep, take * keep * keep);
        let reach = [take, take + older, take + older + oldest];
        let reach = [reach[0], reach[1], reach[2], reach[2] + oldest * keep];
        Self::from([take, older, oldest], reach)
    }

    #[inline(always)]
    fn from([take, older, oldest]: [f64; 3], reach: [f64; 4]) -> Self {
        let apart = [
            [0.0, 0.0, 0.0, 0.0],
            [0.0, take, older, oldest],
            [0.0, 0.0, take, older],
            [0.0, 0.0, 0.0, take],
        ];
        Self { apart, reach }
    }

    /// All answers of a group.
    #[inline(always)]
    pub(super) fn group(&self, value: f64, inputs: &[f64; 4]) -> [f64; 4] {
        [
            self.nth_of_group(0, value, inputs),
            self.nth_of_group(1, value, inputs),
            self.nth_of_group(2, value, inputs),
            self.nth_of_group(3, value, inputs),
        ]
    }

    /// The last answer of a group.
    #[inline(always)]
    fn last(&self, value: f64, inputs: &[f64; 4]) -> f64 {
        self.nth_of_group(3, value, inputs)
    }

    #[inline(always)]
    fn nth_of_group(&self, nth: usize, value: f64, inputs: &[f64; 4]) -> f64 {
        let [first, second, third, fourth] = *inputs;
        let [_, seconds, thirds, fourths] = &self.apart;
        let drift = ((second - first) * seconds[nth] + (third - first) * thirds[nth])
            + (fourth - first) * fourths[nth];
        (value + drift) + (first - value) * self.reach[nth]
    }
}

impl Many<1, 1> for Ema {
    fn is_warm(&self) -> bool {
        self.seen == self.period
    }

    #[inline(always)]
    fn many(&mut self, [inputs]: [&[f64]; 1], [out]: [&mut [f64]; 1]) {
        let single = self.until_group(inputs.len());
        let (before, inputs) = inputs.split_at(single);
        let (groups, after) = inputs.as_chunks::<4>();
        let (out_before, out) = out.split_at_mut(single);
        let (out_groups, out_after) = out.as_chunks_mut::<4>();
        self.steps(before, out_before);
        let (weights, mut value) = self.groups();
        // The last answer of a group once more, apart from the other three: the next group waits for
        // that number only, and not until four of them are taken asunder. The compiler would see that
        // it is the same one.
        let last = black_box(self.weights);
        for (out, group) in out_groups.iter_mut().zip(groups) {
            *out = weights.group(value, group);
            value = last.last(value, group);
        }
        self.follow(value);
        self.steps(after, out_after);
    }

    fn input([input]: [f64; 1]) -> f64 {
        input
    }

    fn lines(output: f64) -> [f64; 1] {
        [output]
    }
}

impl Indicator for Ema {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.period
    }

    fn memory(&self) -> usize {
        ema_memory(self.period)
    }

    fn update(&mut self, input: f64) -> Option<f64> {
        if !is_usable(input) {
            *self = Self::new(self.period);
            return None;
        }
        if self.seen == self.period {
            return Some(self.step(input));
        }
        self.seen += 1;
        self.value += (input - self.value) / self.seen as f64;
        (self.seen == self.period).then_some(self.value)
    }
}

/// Bars after which an exponential average of `period` has forgotten what was before: 10.5 n,
/// and 1 for n = 1, which knows the last value only.
#[must_use]
pub const fn ema_memory(period: usize) -> usize {
    if period <= 1 { 1 } else { (period * 21).div_ceil(2) }
}

fn weight(period: usize) -> f64 {
    2.0 / (period as f64 + 1.0)
}

/// Column form of [`Ema`]: as many places as `input`, NaN where there is no answer.
///
/// # Panics
/// As [`Ema::new`].
pub fn ema(input: &[f64], period: usize, out: &mut Vec<f64>) {
    columns(Ema::new(period), [input], [out]);
}

pub(super) const SPEC: Spec = Spec {
    name: "EMA",
    describes: "Exponential moving average, seeded with the mean of the first timeperiod closes",
    params: &[Param::whole("timeperiod", 30, (1, MAX_PERIOD as u32))],
    inputs: &[Field::Close],
    outputs: &["real"],
    undefined: None,
    build: |params| scalar(Ema::new(params[0] as usize)),
    column: |params, bars, out| {
        ema(bars.close, params[0] as usize, &mut out[0]);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_a_mean_and_then_each_value_pulls() {
        let mut average = Ema::new(3);
        let said = [1.0, 2.0, 6.0, 5.0, 4.0].map(|close| average.update(close));
        assert_eq!(said, [None, None, Some(3.0), Some(4.0), Some(4.0)]);
    }

    #[test]
    fn a_break_begins_a_new_seed() {
        let mut average = Ema::new(2);
        let said = [1.0, 3.0, f64::INFINITY, 5.0, 7.0].map(|close| average.update(close));
        assert_eq!(said, [None, Some(2.0), None, None, Some(6.0)]);
    }

    #[test]
    fn a_market_that_stands_still_has_its_price_as_average() {
        let mut average = Ema::new(26);
        for step in 1..500 {
            let said = average.update(1234.56);
            assert_eq!(said, (step >= 26).then_some(1234.56));
        }
    }

    #[test]
    fn after_its_memory_a_value_weighs_less_than_a_billionth() {
        for period in (1..300).chain([5_000, MAX_PERIOD]) {
            let left = (1.0 - weight(period)).powi(ema_memory(period) as i32);
            assert!(left < 1e-9, "{period}: {left}");
        }
    }
}
