//! Weighted moving average: the last value counts n times, the one before n - 1 times, and so on.
//!
//! ```text
//! WMA(n)[i] = (1 * x[i-n+1] + 2 * x[i-n+2] + ... + n * x[i]) / (n (n+1) / 2)
//! ```
//!
//! Taken anew from the n values, as their weighted distances from the oldest: n additions a bar, but
//! nothing older leaves a trace, and the average of equal prices is that price.
//!
//! Warm-up n, memory n.

use crate::series::{LastValues, checked_period, is_usable};
use crate::spec::{Param, Spec, drive, scalar};
use crate::{Field, Indicator, MAX_PERIOD};

/// The weighted mean of the last `period` values.
#[derive(Debug, Clone)]
pub struct Wma {
    last: LastValues,
    weights: f64,
}

impl Wma {
    /// An average over `period` values.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        let last = LastValues::new(checked_period(period, 1));
        Self { last, weights: (period * (period + 1) / 2) as f64 }
    }
}

impl Indicator for Wma {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.last.period()
    }

    fn update(&mut self, input: f64) -> Option<f64> {
        if !is_usable(input) {
            self.last.clear();
            return None;
        }
        self.last.push(input);
        if !self.last.is_full() {
            return None;
        }
        let (&oldest, values) = self.last.oldest_first().split_first()?;
        let (mut weight, mut sum) = (1.0, 0.0);
        for value in values {
            weight += 1.0;
            sum += weight * (value - oldest);
        }
        Some(oldest + sum / self.weights)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "WMA",
    describes: "Weighted moving average: the last of timeperiod closes counts most",
    inputs: &[Field::Close],
    params: &[Param::whole("timeperiod", 30, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| scalar(Wma::new(params[0] as usize)),
    column: |params, bars, out| {
        drive(Wma::new(params[0] as usize), bars, |bar| bar.close, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_counts_most() {
        let mut average = Wma::new(3);
        let said = [6.0, 0.0, 12.0, 6.0, f64::NAN, 1.0].map(|close| average.update(close));
        assert_eq!(said, [None, None, Some(7.0), Some(7.0), None, None]);
    }

    #[test]
    fn a_market_that_stands_still_has_its_price_as_average() {
        let mut average = Wma::new(7);
        let said: Vec<_> = (0..9).map(|_| average.update(0.1)).collect();
        assert_eq!(said[6..], [Some(0.1); 3]);
    }
}
