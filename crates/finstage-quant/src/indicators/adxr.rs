//! Average directional movement rating: the mean of today's `ADX` and the one of n - 1 bars before.
//!
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978. (n - 1 bars back, as TA-Lib
//! counts; Wilder's text says n.)
//!
//! Warm-up 3n - 1. Memory: that of `ADX`, and n - 1.

use crate::series::LastValues;
use crate::spec::{Param, Spec, drive, stream};
use crate::{Adx, BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// The average directional movement rating.
#[derive(Debug, Clone)]
pub struct Adxr {
    index: Adx,
    last: LastValues,
}

impl Adxr {
    /// A rating over `period` movements.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { index: Adx::new(period), last: LastValues::new(period) }
    }
}

impl Indicator for Adxr {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.index.warmup() + self.last.period() - 1
    }

    fn memory(&self) -> usize {
        self.index.memory() + self.last.period() - 1
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        let Some(index) = self.index.update(bar) else {
            self.last.clear();
            return None;
        };
        self.last.push(index);
        let before = self.last.oldest()?;
        Some((index + before) / 2.0)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "ADXR",
    describes: "Average directional movement rating: mean of the ADX and the one timeperiod - 1 bars before",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(Adxr::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| {
        drive(Adxr::new(params[0] as usize), bars, BarInput::range, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(closes: &[f64]) -> Vec<HighLowClose> {
        let bar = |&close: &f64| HighLowClose { high: close + 1.0, low: close - 1.0, close };
        closes.iter().map(bar).collect()
    }

    #[test]
    fn the_mean_of_two_indices() {
        let closes = [10.0, 11.0, 12.0, 10.5, 10.5, 14.0, 13.0];
        let (mut rating, mut index) = (Adxr::new(2), Adx::new(2));
        let ratings: Vec<_> = bars(&closes).iter().map(|&bar| rating.update(bar)).collect();
        let indices: Vec<_> = bars(&closes).iter().map(|&bar| index.update(bar)).collect();
        assert_eq!(ratings[..4], [None; 4]);
        for place in 4..closes.len() {
            let mean = (indices[place].unwrap() + indices[place - 1].unwrap()) / 2.0;
            assert_eq!(ratings[place], Some(mean));
        }
    }
}
