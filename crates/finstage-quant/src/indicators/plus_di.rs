//! Plus directional indicator: upward movement in percent of the true range (see `directional`).
//!
//! 0 to 100; 0 while the market stands still from the first. With a period of 1 it is the share of the bar
//! itself, as a fraction and not in percent, as in TA-Lib. Warm-up n + 1. Memory 10.5 (2n - 1) + 1.

use crate::directional::Directional;
use crate::spec::{Param, Spec, drive, stream};
use crate::{BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Smoothed upward movement in percent of the range.
#[derive(Debug, Clone)]
pub struct PlusDi {
    movement: Directional,
}

impl PlusDi {
    /// An indicator over `period` movements.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { movement: Directional::new(period) }
    }
}

impl Indicator for PlusDi {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.movement.warmup()
    }

    fn memory(&self) -> usize {
        self.movement.memory()
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        let share = self.movement.update(bar)?.plus_di();
        Some(if self.movement.period() == 1 { share / 100.0 } else { share })
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "PLUS_DI",
    describes: "Plus directional indicator: upward movement in percent of the range",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (1, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(PlusDi::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| {
        drive(PlusDi::new(params[0] as usize), bars, BarInput::range, |value| [value], out);
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
    fn upward_movement_in_percent_of_the_range() {
        let mut indicator = PlusDi::new(2);
        let closes = [10.0, 13.0, 12.0, 12.0];
        let said: Vec<_> = bars(&closes).iter().map(|&bar| indicator.update(bar)).collect();
        // movement 3, 0, 0 in ranges of 4, 2, 2: halved with each bar
        assert_eq!(said, [None, None, Some(37.5), Some(18.75)]);
    }

    #[test]
    fn a_market_that_stands_still_does_not_move() {
        let mut indicator = PlusDi::new(3);
        let still = HighLowClose { high: 0.1, low: 0.1, close: 0.1 };
        let said: Vec<_> = (0..9).map(|_| indicator.update(still)).collect();
        assert_eq!(said[3..], [Some(0.0); 6]);
    }
}
