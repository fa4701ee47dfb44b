//! Williams' %R: where the close lies in the range of the last n bars, -100 (lowest) to 0 (highest).
//!
//! Larry Williams, *How I Made One Million Dollars Last Year Trading Commodities*, 1973.
//!
//! ```text
//! WILLR(n) = -100 * (HH - close) / (HH - LL)       LL, HH: lowest low, highest high of n bars
//! ```
//!
//! The present bar counts. 0 where the range is nothing, as in TA-Lib. Warm-up n, memory n.

use crate::rolling::RollingRange;
use crate::series::checked_period;
use crate::spec::{Param, Spec, drive, stream};
use crate::{BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Williams' %R.
#[derive(Debug, Clone)]
pub struct WilliamsR {
    range: RollingRange,
}

impl WilliamsR {
    /// An oscillator over `period` bars.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { range: RollingRange::new(checked_period(period, 1)) }
    }
}

impl Indicator for WilliamsR {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.range.period()
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        if !bar.is_usable() {
            self.range.clear();
            return None;
        }
        let (highest, lowest) = self.range.push(bar.high, bar.low)?;
        let range = highest - lowest;
        Some(if range > 0.0 { -100.0 * ((highest - bar.close) / range) } else { 0.0 })
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "WILLR",
    describes: "Williams' %R: place of the close in the range of timeperiod bars, -100 to 0",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(WilliamsR::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| {
        drive(WilliamsR::new(params[0] as usize), bars, BarInput::range, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_from_the_highest() {
        let mut oscillator = WilliamsR::new(2);
        let bars = [(12.0, 8.0, 9.0), (11.0, 9.0, 10.0), (10.0, 10.0, 10.0), (10.0, 10.0, 10.0)];
        let said =
            bars.map(|(high, low, close)| oscillator.update(HighLowClose { high, low, close }));
        assert_eq!(said, [None, Some(-50.0), Some(-50.0), Some(0.0)]);
    }
}
