//! Simple moving average: the mean of the last n values.
//!
//! ```text
//! SMA(n)[i] = (x[i-n+1] + ... + x[i]) / n        from i = n-1 on
//! ```
//!
//! The mean is rounded once (see `exact_sum`): two averages whose true values are equal compare
//! equal, a market that stands still has its price as average, and nothing older than n values
//! leaves a trace. That matters to crosses, which ask `<=` and `>`.
//!
//! Warm-up n, memory n. A break (see [`Indicator`]) lasts until n usable values follow it.

use crate::rolling::{RollingMean, means};
use crate::series::{checked_period, is_usable};
use crate::spec::{Param, Spec, scalar};
use crate::{Field, Indicator, MAX_PERIOD};

/// The mean of the last `period` values.
#[derive(Debug, Clone)]
pub struct Sma {
    mean: RollingMean,
}

impl Sma {
    /// An average over `period` values.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { mean: RollingMean::new(checked_period(period, 1)) }
    }
}

impl Indicator for Sma {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.mean.period()
    }

    fn update(&mut self, input: f64) -> Option<f64> {
        if !is_usable(input) {
            self.mean.clear();
            return None;
        }
        self.mean.push(input)
    }
}

/// Column form of [`Sma`]: as many places as `input`, NaN where there is no answer.
///
/// # Panics
/// As [`Sma::new`].
pub fn sma(input: &[f64], period: usize, out: &mut Vec<f64>) {
    checked_period(period, 1);
    means(input, period, out, |_, _| {});
}

pub(super) const SPEC: Spec = Spec {
    name: "SMA",
    describes: "Simple moving average: the mean of the last timeperiod closes",
    params: &[Param::whole("timeperiod", 30, (1, MAX_PERIOD as u32))],
    inputs: &[Field::Close],
    outputs: &["real"],
    undefined: None,
    build: |params| scalar(Sma::new(params[0] as usize)),
    column: |params, bars, out| {
        sma(bars.close, params[0] as usize, &mut out[0]);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn column(input: &[f64], period: usize) -> Vec<f64> {
        let mut out = vec![7.0];
        sma(input, period, &mut out);
        out
    }

    #[test]
    fn the_mean_of_the_last_three() {
        let out = column(&[1.0, 2.0, 6.0, 4.0, 2.0], 3);
        assert!(out[..2].iter().all(|value| value.is_nan()));
        assert_eq!(out[2..], [3.0, 4.0, 4.0]);
        assert_eq!(column(&[1.0, 2.0], 1), [1.0, 2.0]);
    }

    #[test]
    fn a_nan_is_felt_until_it_leaves() {
        let mut average = Sma::new(2);
        let said = [1.0, 3.0, f64::NAN, 5.0, 7.0].map(|close| average.update(close));
        assert_eq!(said, [None, Some(2.0), None, None, Some(6.0)]);
    }

    #[test]
    fn averages_of_different_periods_agree_exactly_while_the_market_stands_still() {
        for price in [0.1, 1234.56, 1e-9, 42_850.123_456_789] {
            let (mut fast, mut slow) = (Sma::new(20), Sma::new(50));
            for step in 0..200 {
                let (fast, slow) = (fast.update(price), slow.update(price));
                if step >= 50 {
                    assert_eq!((fast, slow), (Some(price), Some(price)));
                }
            }
        }
    }

    #[test]
    fn a_giant_leaves_no_trace() {
        let mut average = Sma::new(3);
        for close in [1e150, 0.1, 0.2] {
            average.update(close);
        }
        assert_eq!(average.update(0.3), Some(0.2));
    }

    #[test]
    #[should_panic(expected = "invariant: period 0 is not between 1 and 100000")]
    fn a_period_of_nothing_is_refused() {
        let _ = Sma::new(0);
    }
}
