//! Average directional movement index: how strong a trend is, 0 to 100, whichever way it goes.
//!
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978.
//!
//! ```text
//! ADX(n)[2n-1] = mean of the first n DX(n)                              see `dx.rs`
//! ADX(n)[i]    = (ADX[i-1] * (n-1) + DX[i]) / n                         from i = 2n on
//! ```
//!
//! A bar at which DX has no value (no movement at all so far) counts as 0 in the first mean and
//! changes nothing later, as in TA-Lib. Warm-up 2n. Memory: two of Wilder's averages one after the other.

use crate::directional::Directional;
use crate::spec::{Param, Spec, drive, stream};
use crate::wilder::Wilder;
use crate::{BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// The average directional movement index.
#[derive(Debug, Clone)]
pub struct Adx {
    movement: Directional,
    average: Wilder,
}

impl Adx {
    /// An index over `period` movements.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { movement: Directional::new(period), average: Wilder::new(period) }
    }
}

impl Indicator for Adx {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.movement.warmup() + self.average.warmup() - 1
    }

    fn memory(&self) -> usize {
        self.movement.memory() + self.average.memory()
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        if !bar.is_usable() {
            self.average.clear();
        }
        match self.movement.update(bar)?.dx() {
            None if self.average.is_warm() => self.average.value(),
            dx => self.average.push(dx.unwrap_or(0.0)),
        }
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "ADX",
    describes: "Average directional movement index: the strength of a trend, 0 to 100",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(Adx::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| {
        drive(Adx::new(params[0] as usize), bars, BarInput::range, |value| [value], out);
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
    fn the_mean_of_the_first_indices_and_then_each_pulls() {
        let mut index = Adx::new(2);
        let closes = [10.0, 11.0, 12.0, 10.5, 10.5];
        let said: Vec<_> = bars(&closes).iter().map(|&bar| index.update(bar)).collect();
        // sums up and down: 1.5 0, 0.75 1.5, then both halved: DX 100, 33.3, 33.3
        let third = 100.0 / 3.0;
        assert_eq!(said[..3], [None; 3]);
        assert!((said[3].unwrap() - (100.0 + third) / 2.0).abs() < 1e-9);
        assert!((said[4].unwrap() - (100.0 + 3.0 * third) / 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_market_that_stands_still_has_no_trend() {
        let mut index = Adx::new(3);
        let said: Vec<_> = bars(&[0.1; 9]).iter().map(|&bar| index.update(bar)).collect();
        assert_eq!(said[5..], [Some(0.0); 4]);
    }
}
