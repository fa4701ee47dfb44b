//! Supertrend: a stop that follows the price at some average true ranges and changes sides when it is hit.
//!
//! Olivier Seban's indicator of the 2000s, as TA-Lib has it:
//!
//! ```text
//! center = (high + low) / 2          distance = multiplier * ATR(timeperiod)
//! upper  = center + distance, but never above the one before, unless the previous close was
//! lower  = center - distance, but never below the one before, unless the previous close was
//! trend  = 1 at first; turns to -1 when the close falls below lower, to 1 when it rises above upper
//! line   = lower in a trend of 1, upper in a trend of -1
//! ```
//!
//! While the market stands still the line is the price and the trend stays. Warm-up timeperiod + 1.
//! Memory: [`FOREVER`](crate::FOREVER): the stop moves one way only, so no number of bars bounds how
//! long an old price can hold it; in practice it forgets with each turn.

use crate::spec::{Param, Spec, drive, stream};
use crate::{Atr, BarInput, FOREVER, Field, HighLowClose, Indicator, MAX_PERIOD};

/// A trailing stop that turns.
#[derive(Debug, Clone)]
pub struct Supertrend {
    range: Atr,
    multiplier: f64,
    previous: Option<State>,
}

/// What the next bar builds on.
#[derive(Debug, Clone, Copy)]
struct State {
    upper: f64,
    lower: f64,
    close: f64,
    rising: bool,
}

impl Supertrend {
    /// A stop at `multiplier` average true ranges of `period`.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize, multiplier: f64) -> Self {
        Self { range: Atr::new(period), multiplier, previous: None }
    }
}

impl Indicator for Supertrend {
    type Input = HighLowClose;
    type Output = SupertrendValue;

    fn warmup(&self) -> usize {
        self.range.warmup()
    }

    fn memory(&self) -> usize {
        FOREVER
    }

    fn update(&mut self, bar: HighLowClose) -> Option<SupertrendValue> {
        let Some(range) = self.range.update(bar) else {
            self.previous = None;
            return None;
        };
        let (center, distance) = ((bar.high + bar.low) / 2.0, self.multiplier * range);
        let (mut upper, mut lower, mut rising) = (center + distance, center - distance, true);
        if let Some(before) = self.previous {
            if upper > before.upper && before.close <= before.upper {
                upper = before.upper;
            }
            if lower < before.lower && before.close >= before.lower {
                lower = before.lower;
            }
            rising = if before.rising { bar.close >= lower } else { bar.close > upper };
        }
        self.previous = Some(State { upper, lower, close: bar.close, rising });
        let (line, trend) = if rising { (lower, 1.0) } else { (upper, -1.0) };
        Some(SupertrendValue { line, trend })
    }
}

/// What [`Supertrend`] says about a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SupertrendValue {
    /// The stop, in the unit of the input.
    pub line: f64,
    /// 1 while it lies below the price, -1 while it lies above.
    pub trend: f64,
}

pub(super) const SPEC: Spec = Spec {
    name: "SUPERTREND",
    describes: "Supertrend: a trailing stop some average true ranges away, and the trend 1 or -1",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[
        Param::whole("timeperiod", 10, (1, MAX_PERIOD as u32)),
        Param::number("multiplier", 3.0, (0.0, 1_000.0)),
    ],
    outputs: &["supertrend", "trend"],
    undefined: None,
    build: |params| {
        stream(Supertrend::new(params[0] as usize, params[1]), BarInput::range, |value| {
            [value.line, value.trend]
        })
    },
    column: |params, bars, out| {
        drive(
            Supertrend::new(params[0] as usize, params[1]),
            bars,
            BarInput::range,
            |value| [value.line, value.trend],
            out,
        );
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stop_follows_one_way_and_turns_when_it_is_hit() {
        let mut stop = Supertrend::new(1, 1.0);
        let said: Vec<_> = [10.0, 11.0, 13.0, 12.5, 9.0, 9.0]
            .map(|close| stop.update(HighLowClose { high: close, low: close, close }))
            .iter()
            .map(|value| value.map(|value| (value.line, value.trend)))
            .collect();
        let expected = [(10.0, 1.0), (11.0, 1.0), (12.0, 1.0), (12.5, -1.0), (9.0, -1.0)];
        assert_eq!(said[0], None);
        assert_eq!(said[1..], expected.map(Some));
    }
}
