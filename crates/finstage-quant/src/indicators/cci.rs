//! Commodity channel index: how far the price is from its mean, in times of the usual distance.
//!
//! Donald Lambert, *Commodity Channel Index*, Commodities, 1980. His factor 0.015 puts most values
//! between -100 and 100.
//!
//! ```text
//! CCI(n) = (typical - mean) / (0.015 * deviation)      typical = (high + low + close) / 3
//! mean, deviation: of the last n typical prices; mean absolute distance from their mean
//! ```
//!
//! 0 where the deviation is nothing, as in TA-Lib; the mean is exact, so a market that stands still
//! has exactly that. n additions a bar. Warm-up n, memory n.

use crate::rolling::RollingMean;
use crate::series::checked_period;
use crate::spec::{Param, Spec, drive, stream};
use crate::{BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Lambert's factor.
const USUAL: f64 = 0.015;

/// The commodity channel index.
#[derive(Debug, Clone)]
pub struct Cci {
    mean: RollingMean,
}

impl Cci {
    /// An index over `period` bars.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { mean: RollingMean::new(checked_period(period, 1)) }
    }
}

impl Indicator for Cci {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.mean.period()
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        if !bar.is_usable() {
            self.mean.clear();
            return None;
        }
        let typical = bar.typical();
        let mean = self.mean.push(typical)?;
        let mut distances = 0.0;
        for &value in self.mean.last().oldest_first() {
            distances += (value - mean).abs();
        }
        let deviation = distances / self.mean.period() as f64;
        Some(if deviation > 0.0 { (typical - mean) / deviation / USUAL } else { 0.0 })
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "CCI",
    describes: "Commodity channel index: distance from the mean in times of the usual distance",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(Cci::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| {
        drive(Cci::new(params[0] as usize), bars, BarInput::range, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_in_times_of_the_usual_one() {
        let mut index = Cci::new(3);
        let said = [1.0, 2.0, 6.0, 6.0, 6.0]
            .map(|price| index.update(HighLowClose { high: price, low: price, close: price }));
        // distances from the mean 3: 2 1 3
        assert_eq!(said[..2], [None; 2]);
        assert!((said[2].unwrap() - 100.0).abs() < 1e-9);
        assert_eq!(said[4], Some(0.0));
    }
}
