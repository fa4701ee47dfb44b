//! Fast stochastic: where the close lies in the range of the last n bars, 0 to 100, and its average.
//!
//! George Lane, 1950s; *Lane\'s Stochastics*, Technical Analysis of Stocks & Commodities, 1984.
//!
//! ```text
//! fastk = 100 * (close - LL) / (HH - LL)     LL, HH: lowest low, highest high of fastk_period bars
//! fastd = average of fastk over fastd_period
//! ```
//!
//! The present bar counts. Where the range is nothing fastk is 0, as in TA-Lib; ask
//! [`StochValue::range`] before reading that as "oversold". %K(14) with %D = SMA(3) is
//! `STOCHF(14, 3)`; `STOCH` (see `stoch.rs`) smooths %K as well.
//!
//! Warm-up: fastk_period, and that of the average less one. Both lines are said from the moment at
//! which the second exists. Memory: the warm-up, unless an average is exponential.

use crate::average::Average;
use crate::rolling::RollingRange;
use crate::series::checked_period;
use crate::spec::{Param, Spec, drive, stream};
use crate::{AverageKind, BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Place of the close in its recent range, and the average of that.
#[derive(Debug, Clone)]
pub struct StochFast {
    range: RollingRange,
    average: Average,
}

impl StochFast {
    /// %K over `period` bars, and %D as an average of `average.0` values of it.
    ///
    /// # Panics
    /// `invariant:` unless the periods are between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize, average: (usize, AverageKind)) -> Self {
        Self {
            range: RollingRange::new(checked_period(period, 1)),
            average: Average::new(average.0, average.1),
        }
    }
}

impl Indicator for StochFast {
    type Input = HighLowClose;
    type Output = StochValue;

    fn warmup(&self) -> usize {
        self.range.period() + self.average.warmup() - 1
    }

    fn memory(&self) -> usize {
        self.range.period() + self.average.memory() - 1
    }

    fn update(&mut self, bar: HighLowClose) -> Option<StochValue> {
        if !bar.is_usable() {
            self.range.clear();
            self.average.clear();
            return None;
        }
        let (k, range) = place_in_range(&mut self.range, bar)?;
        Some(StochValue { k, d: self.average.push(k)?, range })
    }
}

/// What a stochastic says about a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StochValue {
    /// %K, 0 to 100.
    pub k: f64,
    /// %D, its average.
    pub d: f64,
    /// Highest high less lowest low, in the unit of the input; 0 where %K means nothing.
    pub range: f64,
}

impl StochValue {
    pub(super) fn lines(self) -> [f64; 2] {
        [self.k, self.d]
    }
}

/// Takes the next bar: 0 to 100 for the place of its close in the range, and the range.
pub(super) fn place_in_range(range: &mut RollingRange, bar: HighLowClose) -> Option<(f64, f64)> {
    let (highest, lowest) = range.push(bar.high, bar.low)?;
    let range = highest - lowest;
    let place = if range > 0.0 { 100.0 * ((bar.close - lowest) / range) } else { 0.0 };
    Some((place, range))
}

fn of(params: &[f64]) -> StochFast {
    StochFast::new(params[0] as usize, (params[1] as usize, AverageKind::of(params[2])))
}

pub(super) const SPEC: Spec = Spec {
    name: "STOCHF",
    describes: "Fast stochastic: place of the close in the range of fastk_period bars, and its average",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[
        Param::whole("fastk_period", 5, (1, MAX_PERIOD as u32)),
        Param::whole("fastd_period", 3, (1, MAX_PERIOD as u32)),
        AverageKind::param("fastd_matype"),
    ],
    outputs: &["fastk", "fastd"],
    undefined: None,
    build: |params| stream(of(params), BarInput::range, StochValue::lines),
    column: |params, bars, out| {
        drive(of(params), bars, BarInput::range, StochValue::lines, out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(high: f64, low: f64, close: f64) -> HighLowClose {
        HighLowClose { high, low, close }
    }

    #[test]
    fn the_place_of_the_close_in_the_range_and_its_mean() {
        let mut stochastic = StochFast::new(2, (2, AverageKind::Simple));
        let bars = [bar(12.0, 8.0, 9.0), bar(11.0, 9.0, 10.0), bar(13.0, 9.0, 13.0)];
        let said = bars.map(|bar| stochastic.update(bar));
        assert_eq!(said, [None, None, Some(StochValue { k: 100.0, d: 75.0, range: 4.0 })]);
        assert_eq!(stochastic.warmup(), 3);
    }

    #[test]
    fn without_a_range_there_is_nothing_to_be_placed_in() {
        let mut stochastic = StochFast::new(3, (1, AverageKind::Simple));
        let said: Vec<_> = (0..5).map(|_| stochastic.update(bar(0.1, 0.1, 0.1))).collect();
        assert_eq!(said[2..], [Some(StochValue { k: 0.0, d: 0.0, range: 0.0 }); 3]);
    }

    #[test]
    fn a_break_begins_anew() {
        let mut stochastic = StochFast::new(2, (1, AverageKind::Simple));
        let bars =
            [bar(2.0, 1.0, 1.5), bar(2.0, f64::NAN, 1.5), bar(3.0, 2.0, 2.0), bar(4.0, 2.0, 3.0)];
        let said = bars.map(|bar| stochastic.update(bar).map(|value| value.k));
        assert_eq!(said, [None, None, None, Some(50.0)]);
    }
}
