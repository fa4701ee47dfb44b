//! Exponential moving average: each value moves it by the fraction 2 / (n + 1).
//!
//! ```text
//! EMA(n)[n-1] = (x[0] + ... + x[n-1]) / n                               the seed
//! EMA(n)[i]   = EMA[i-1] + (x[i] - EMA[i-1]) * w,  w = 2 / (n + 1)      from i = n on
//! ```
//!
//! Every second value is worked out from the one two bars before, which is the same number and halves
//! the time that each step waits for the last:
//!
//! ```text
//! EMA(n)[i]   = EMA[i-2] + (x[i-1] - EMA[i-2]) * w * (1-w) + (x[i] - EMA[i-2]) * w
//! ```
//!
//! Seeded with the simple mean of the first n values, as TA-Lib does it. The seed is gathered as a
//! running mean, which is exact while the market stands still: an EMA of equal prices *is* that
//! price, so two of them never cross by rounding alone.
//!
//! Warm-up n. Memory 10.5 n ([`ema_memory`]): the remaining weight of older values is
//! (1 - 2 / (n + 1))^(10.5 n) <= 8e-10 for every n.

use crate::lockstep::{Paired, lockstep};
use crate::series::{checked_period, column_of_runs, is_usable};
use crate::spec::{Param, Spec, scalar};
use crate::{Field, Indicator, MAX_PERIOD};

/// The exponential average with the weight 2 / (`period` + 1).
#[derive(Debug, Clone)]
pub struct Ema {
    period: usize,
    seen: usize,
    /// The mean of what was seen while `seen < period`; the average before `pending` afterwards.
    value: f64,
    /// The last input, if it is the first of two.
    pending: Option<f64>,
}

impl Ema {
    /// An average with the weight 2 / (`period` + 1).
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { period: checked_period(period, 1), seen: 0, value: 0.0, pending: None }
    }
}

impl Paired for Ema {
    fn takes_pairs(&self) -> bool {
        self.seen == self.period && self.pending.is_none()
    }

    #[inline(always)]
    fn pair(&mut self, [first, second]: [f64; 2]) -> [f64; 2] {
        debug_assert!(self.takes_pairs(), "invariant: a pair begins after a pair");
        let weight = weight(self.period);
        let (of_first, of_second) = (first - self.value, second - self.value);
        let between = self.value + of_first * weight;
        self.value += of_first * (weight * (1.0 - weight)) + of_second * weight;
        [between, self.value]
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
        if self.seen < self.period {
            self.seen += 1;
            self.value += (input - self.value) / self.seen as f64;
            return (self.seen == self.period).then_some(self.value);
        }
        Some(match self.pending.take() {
            Some(first) => self.pair([first, input])[1],
            None => {
                self.pending = Some(input);
                self.value + (input - self.value) * weight(self.period)
            }
        })
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
    checked_period(period, 1);
    column_of_runs(input, period, out, |values, out| {
        let (seed, rest) = values.split_at(period);
        let mut average = Ema::new(period);
        for &value in seed {
            average.update(value);
        }
        out[period - 1] = average.value;
        let (pairs, last) = rest.as_chunks::<2>();
        let (outs, last_out) = out[period..].as_chunks_mut::<2>();
        for (out, &pair) in outs.iter_mut().zip(pairs) {
            *out = average.pair(pair);
        }
        if let (Some(out), Some(&value)) = (last_out.first_mut(), last.first()) {
            *out = average.update(value).unwrap_or(f64::NAN);
        }
    });
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
    fused: Some(|sets, bars, out| lockstep(Ema::new, (sets, bars), out)),
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
