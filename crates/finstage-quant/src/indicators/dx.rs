//! Directional movement index: how far one direction outweighs the other, 0 to 100 (see
//! `directional`).
//!
//! ```text
//! DX = 100 * |+DM - -DM| / (+DM + -DM)          the smoothed sums of n
//! ```
//!
//! Where there is no movement at all it stays what it was, 0 at first, as in TA-Lib. Warm-up n + 1.
//! Memory 10.5 (2n - 1) + 1, counted against movements of like size.

use crate::directional::Directional;
use crate::spec::{Param, Spec, drive, stream};
use crate::{BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// The directional movement index.
#[derive(Debug, Clone)]
pub struct Dx {
    movement: Directional,
    previous: f64,
}

impl Dx {
    /// An index over `period` movements.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { movement: Directional::new(period), previous: 0.0 }
    }
}

impl Indicator for Dx {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.movement.warmup()
    }

    fn memory(&self) -> usize {
        self.movement.memory()
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        if !bar.is_usable() {
            self.previous = 0.0;
        }
        self.previous = self.movement.update(bar)?.dx().unwrap_or(self.previous);
        Some(self.previous)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "DX",
    describes: "Directional movement index: how far one direction outweighs the other, 0 to 100",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(Dx::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| {
        drive(Dx::new(params[0] as usize), bars, BarInput::range, |value| [value], out);
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
    fn one_direction_alone_is_a_hundred_and_none_is_nought() {
        let mut index = Dx::new(2);
        let closes = [10.0, 10.0, 10.0, 11.0, 9.5];
        let said: Vec<_> = bars(&closes).iter().map(|&bar| index.update(bar)).collect();
        // sums in the end: 0.5 up, 1.5 down
        assert_eq!(said, [None, None, Some(0.0), Some(100.0), Some(50.0)]);
    }
}
