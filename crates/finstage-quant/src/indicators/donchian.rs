//! Donchian channel: highest high and lowest low of the last n bars, and the middle of the two.
//!
//! Richard Donchian's four-week rule, 1950s; Curtis Faith, *Way of the Turtle*, 2007.
//!
//! The present bar counts, as in TA-Lib: the close of a bar never lies outside the channel of that
//! bar. A breakout is a close beyond the channel *of the bar before*.
//!
//! Warm-up n, memory n.

use crate::rolling::RollingRange;
use crate::series::checked_period;
use crate::spec::{Param, Spec, drive, stream};
use crate::{Bands, BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Highest high and lowest low of the last bars.
#[derive(Debug, Clone)]
pub struct Donchian {
    range: RollingRange,
}

impl Donchian {
    /// A channel of `period` bars.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { range: RollingRange::new(checked_period(period, 1)) }
    }
}

impl Indicator for Donchian {
    /// The close is not read.
    type Input = HighLowClose;
    type Output = Bands;

    fn warmup(&self) -> usize {
        self.range.period()
    }

    fn update(&mut self, bar: HighLowClose) -> Option<Bands> {
        if !(HighLowClose { close: bar.high, ..bar }.is_usable()) {
            self.range.clear();
            return None;
        }
        let (upper, lower) = self.range.push(bar.high, bar.low)?;
        Some(Bands { upper, middle: (upper + lower) / 2.0, lower })
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "DONCHIAN",
    describes: "Donchian channel: highest high and lowest low of timeperiod bars, the present one included",
    inputs: &[Field::High, Field::Low],
    params: &[Param::whole("timeperiod", 20, (2, MAX_PERIOD as u32))],
    outputs: &["upperband", "middleband", "lowerband"],
    undefined: None,
    build: |params| stream(Donchian::new(params[0] as usize), BarInput::range, Bands::lines),
    column: |params, bars, out| {
        drive(Donchian::new(params[0] as usize), bars, BarInput::range, Bands::lines, out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_bar_counts() {
        let mut channel = Donchian::new(2);
        let said = [(12.0, 8.0), (11.0, 10.0), (15.0, 9.0), (10.0, f64::NAN), (10.0, 9.0)]
            .map(|(high, low)| channel.update(HighLowClose { high, low, close: f64::NAN }));
        let first = Bands { upper: 12.0, middle: 10.0, lower: 8.0 };
        let second = Bands { upper: 15.0, middle: 12.0, lower: 9.0 };
        assert_eq!(said, [None, Some(first), Some(second), None, None]);
    }
}
