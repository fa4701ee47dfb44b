//! Keltner channel: an exponential average, and so many average true ranges around it.
//!
//! Chester Keltner, *How to Make Money in Commodities*, 1960, in the form that Linda Raschke gave it
//! in the 1980s; as TA-Lib has it:
//!
//! ```text
//! middle = EMA(timeperiod) of (high + low + close) / 3
//! upper  = middle + nbdev * ATR(atrperiod)          lower = middle - nbdev * ATR(atrperiod)
//! ```
//!
//! Both begin so late that they are first said on the same bar, as in TA-Lib (and in `MACD`).
//!
//! Warm-up: the greater of timeperiod and atrperiod + 1. Memory: the greater one of EMA and ATR. While the market stands
//! still the bands have no width.

use crate::spec::{Param, Spec, drive, stream};
use crate::{Atr, Bands, BarInput, Ema, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Keltner's channel.
#[derive(Debug, Clone)]
pub struct Keltner {
    middle: Ema,
    range: Atr,
    width: f64,
    /// Usable bars since the start or the last break, up to the warm-up.
    seen: usize,
}

impl Keltner {
    /// A channel around an average over `period`, `width` average true ranges of `range_period` to
    /// each side.
    ///
    /// # Panics
    /// `invariant:` unless both periods are between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize, range_period: usize, width: f64) -> Self {
        Self { middle: Ema::new(period), range: Atr::new(range_period), width, seen: 0 }
    }
}

impl Indicator for Keltner {
    type Input = HighLowClose;
    type Output = Bands;

    fn warmup(&self) -> usize {
        self.middle.warmup().max(self.range.warmup())
    }

    fn memory(&self) -> usize {
        self.middle.memory().max(self.range.memory())
    }

    fn update(&mut self, bar: HighLowClose) -> Option<Bands> {
        if !bar.is_usable() {
            self.seen = 0;
            self.middle.update(f64::NAN);
            self.range.update(bar);
            return None;
        }
        // Each waits until its own warm-up ends with the common one.
        let warmup = self.warmup();
        self.seen = warmup.min(self.seen + 1);
        let begins = |own: usize| self.seen + own > warmup;
        let middle = begins(self.middle.warmup()).then_some(bar.typical());
        let range = begins(self.range.warmup()).then_some(bar);
        let middle = middle.and_then(|typical| self.middle.update(typical));
        let range = range.and_then(|bar| self.range.update(bar));
        let (middle, distance) = (middle?, self.width * range?);
        Some(Bands { upper: middle + distance, middle, lower: middle - distance })
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "KC",
    describes: "Keltner channel: exponential average of typical prices and average true ranges around it",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[
        Param::whole("timeperiod", 20, (2, MAX_PERIOD as u32)),
        Param::whole("atrperiod", 10, (1, MAX_PERIOD as u32)),
        Param::number("nbdev", 2.0, (0.0, 1_000.0)),
    ],
    outputs: &["upperband", "middleband", "lowerband"],
    undefined: None,
    build: |params| {
        stream(
            Keltner::new(params[0] as usize, params[1] as usize, params[2]),
            BarInput::range,
            Bands::lines,
        )
    },
    column: |params, bars, out| {
        drive(
            Keltner::new(params[0] as usize, params[1] as usize, params[2]),
            bars,
            BarInput::range,
            Bands::lines,
            out,
        );
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bands_are_ranges_around_an_average() {
        let mut channel = Keltner::new(2, 1, 2.0);
        let bar = |close: f64| HighLowClose { high: close + 1.0, low: close - 1.0, close };
        let said = [10.0, 12.0].map(|close| channel.update(bar(close)));
        assert_eq!(said, [None, Some(Bands { upper: 17.0, middle: 11.0, lower: 5.0 })]);
        let nan = HighLowClose { high: f64::NAN, ..bar(12.0) };
        assert_eq!([nan, bar(12.0)].map(|bar| channel.update(bar)), [None, None]);
    }

    #[test]
    fn a_market_that_stands_still_has_no_width() {
        let mut channel = Keltner::new(3, 2, 2.0);
        let still = HighLowClose { high: 0.5, low: 0.5, close: 0.5 };
        let last = (0..9).map(|_| channel.update(still)).last().flatten();
        assert_eq!(last, Some(Bands { upper: 0.5, middle: 0.5, lower: 0.5 }));
    }
}
