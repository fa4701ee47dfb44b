//! Double exponential moving average: an average with its lag taken off.
//!
//! Patrick Mulloy, *Smoothing Data with Faster Moving Averages*, Technical Analysis of Stocks &
//! Commodities, 1994.
//!
//! ```text
//! DEMA(n) = 2 * EMA - EMA(EMA)                        EMA of n, see `ema.rs`
//! ```
//!
//! A market that stands still has its price as average, exactly.
//!
//! Warm-up 2n - 1. Memory: that of both averages, one after the other.

use crate::series::is_usable;
use crate::spec::{Param, Spec, drive, scalar};
use crate::{Ema, Field, Indicator, MAX_PERIOD};

/// The double exponential average.
#[derive(Debug, Clone)]
pub struct Dema {
    averages: [Ema; 2],
}

impl Dema {
    /// An average made of exponential ones of `period`.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { averages: std::array::from_fn(|_| Ema::new(period)) }
    }
}

impl Indicator for Dema {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        2 * self.averages[0].warmup() - 1
    }

    fn memory(&self) -> usize {
        2 * self.averages[0].memory()
    }

    fn update(&mut self, input: f64) -> Option<f64> {
        if !is_usable(input) {
            for average in &mut self.averages {
                average.update(input);
            }
            return None;
        }
        let first = self.averages[0].update(input)?;
        let second = self.averages[1].update(first)?;
        Some(first + (first - second))
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "DEMA",
    describes: "Double exponential moving average: twice the average less its own average",
    inputs: &[Field::Close],
    params: &[Param::whole("timeperiod", 30, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| scalar(Dema::new(params[0] as usize)),
    column: |params, bars, out| {
        drive(Dema::new(params[0] as usize), bars, |bar| bar.close, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_followed_without_lag() {
        let mut average = Dema::new(5);
        let mut last = None;
        for step in 0..400 {
            last = average.update(f64::from(step));
        }
        assert!((last.unwrap() - 399.0).abs() < 1e-9);
    }

    #[test]
    fn a_market_that_stands_still_has_its_price_as_average() {
        let mut average = Dema::new(4);
        for step in 1..50 {
            assert_eq!(average.update(0.1), (step >= average.warmup()).then_some(0.1));
        }
        assert_eq!(average.update(f64::NAN), None);
        assert_eq!(average.update(0.1), None);
    }
}
