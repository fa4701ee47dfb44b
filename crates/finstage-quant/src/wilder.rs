//! Wilder's smoothing: each value moves the average by 1/n of itself.
//!
//! ```text
//! first    mean of the first n values
//! then     average * (n-1)/n + value * 1/n
//! ```
//!
//! Every second average is worked out from the one two values before (both values enter with their
//! shares), which halves the time that each step waits for the last.
//!
//! It is the exponential average of 2n - 1 with a simple mean as seed. Amounts that go on at zero
//! make it shrink for ever; below [`LEAST`] it is 0, because numbers near the least double are
//! tens of times slower to work with, and such an average means zero anyway.

use crate::ema_memory;
use crate::series::checked_period;

/// Where an average stops shrinking.
pub(crate) const LEAST: f64 = 1e-200;

/// Wilder's average of amounts (not negative).
#[derive(Debug, Clone)]
pub(crate) struct Wilder {
    period: usize,
    seen: usize,
    /// The mean of what was seen while `seen < period`; the average before `pending` afterwards.
    value: f64,
    /// The last value, if it is the first of two.
    pending: Option<f64>,
}

impl Wilder {
    pub(crate) fn new(period: usize) -> Self {
        Self { period: checked_period(period, 1), seen: 0, value: 0.0, pending: None }
    }

    pub(crate) fn warmup(&self) -> usize {
        self.period
    }

    pub(crate) fn memory(&self) -> usize {
        wilder_memory(self.period)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.period);
    }

    pub(crate) fn is_warm(&self) -> bool {
        self.seen == self.period
    }

    /// The average, once there is one.
    pub(crate) fn value(&self) -> Option<f64> {
        let (keep, take) = shares(self.period);
        let value = self.pending.map_or(self.value, |first| self.value * keep + first * take);
        self.is_warm().then_some(value)
    }

    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        if self.seen < self.period {
            self.seen += 1;
            self.value += (value - self.value) / self.seen as f64;
        } else if let Some(first) = self.pending.take() {
            self.pair([first, value]);
        } else {
            self.pending = Some(value);
        }
        self.value()
    }

    /// Whether it is warm and stands where a pair begins.
    pub(crate) fn takes_pairs(&self) -> bool {
        self.is_warm() && self.pending.is_none()
    }

    /// Takes the two next values; both averages.
    #[inline(always)]
    pub(crate) fn pair(&mut self, [first, second]: [f64; 2]) -> [f64; 2] {
        let (keep, take) = shares(self.period);
        let between = self.value * keep + first * take;
        self.value = self.value * (keep * keep) + (first * (take * keep) + second * take);
        if self.value < LEAST {
            self.value = 0.0;
        }
        [between, self.value]
    }
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
