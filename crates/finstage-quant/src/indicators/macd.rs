//! Moving average convergence divergence: a fast EMA less a slow one, and an EMA of that.
//!
//! Gerald Appel, *The Moving Average Convergence-Divergence Method*, 1979; the histogram is Thomas
//! Aspray's (1986). Aligned as TA-Lib does it, so that both averages begin together:
//!
//! ```text
//! slow    EMA(slow) from x[0];            first value at i = slow-1
//! fast    EMA(fast) from x[slow-fast];    first value at i = slow-1 too
//! macd    fast - slow
//! signal  EMA(signal) of macd;            first value at i = slow+signal-2
//! hist    macd - signal
//! ```
//!
//! All three are said from the moment at which the signal line exists. A fast period above the slow
//! one trades places with it, as in TA-Lib. A market that stands still has exactly 0, 0 and 0.
//!
//! Warm-up slow + signal - 1. Memory: that of the slow EMA and then that of the signal EMA.

use crate::blocks::{Many, columns, each};
use crate::indicators::ema::Weights;
use crate::series::{checked_period, is_usable};
use crate::spec::{Param, Spec, stream};
use crate::{Ema, Field, Indicator, MAX_PERIOD};

/// Difference of two exponential averages and its own average.
#[derive(Debug, Clone)]
pub struct Macd {
    params: MacdParams,
    fast: Ema,
    slow: Ema,
    signal: Ema,
    /// Inputs that the fast average still has to leave out.
    skip: usize,
}

impl Macd {
    /// An indicator of these periods.
    ///
    /// # Panics
    /// `invariant:` unless each period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(params: MacdParams) -> Self {
        let params = params.ordered();
        Self {
            params,
            fast: Ema::new(params.fast),
            slow: Ema::new(params.slow),
            signal: Ema::new(params.signal),
            skip: params.slow - params.fast,
        }
    }
}

/// Groups by which the signal line follows the two averages in a block. Three averages side by side
/// wait for their own last values only, not for each other.
const LEAD: usize = 4;

impl Macd {
    /// Takes inputs one by one into the two averages, once they are warm.
    fn differences(&mut self, inputs: &[f64], out: &mut [f64]) {
        for (out, &input) in out.iter_mut().zip(inputs) {
            *out = self.fast.step(input) - self.slow.step(input);
        }
    }
}

impl Many<1, 3> for Macd {
    fn is_warm(&self) -> bool {
        self.signal.is_warm()
    }

    #[inline(always)]
    fn many(&mut self, [inputs]: [&[f64]; 1], [macd, signal, histogram]: [&mut [f64]; 3]) {
        // Both averages began on the same bar, and so do their groups.
        let mut place = self.fast.until_group(inputs.len());
        self.differences(&inputs[..place], &mut macd[..place]);
        let (groups, after) = inputs[place..].as_chunks::<4>();
        let (lead, groups) = groups.split_at(LEAD.min(groups.len()));
        let ((fasts, fast), (slows, slow)) = (self.fast.groups(), self.slow.groups());
        let mut values = (fast, slow);
        let weights = (fasts, slows);
        for group in lead {
            macd[place..place + 4].copy_from_slice(&difference(&weights, &mut values, group));
            place += 4;
        }
        let mut follows = self.signal.until_group(place);
        self.signal.steps(&macd[..follows], &mut signal[..follows]);
        let (signals, mut value) = self.signal.groups();
        for group in groups {
            macd[place..place + 4].copy_from_slice(&difference(&weights, &mut values, group));
            place += 4;
            if let Some(group) = macd[follows..].first_chunk() {
                let answers = signals.group(value, group);
                signal[follows..follows + 4].copy_from_slice(&answers);
                value = answers[3];
            }
            follows += 4;
        }
        self.signal.follow(value);
        self.fast.follow(values.0);
        self.slow.follow(values.1);
        self.differences(after, &mut macd[place..]);
        self.signal.many([&macd[follows..]], [&mut signal[follows..]]);
        for ((histogram, macd), signal) in histogram.iter_mut().zip(macd).zip(signal) {
            *histogram = *macd - *signal;
        }
    }

    fn input([input]: [f64; 1]) -> f64 {
        input
    }

    fn lines(output: MacdValue) -> [f64; 3] {
        [output.macd, output.signal, output.histogram]
    }
}

impl Indicator for Macd {
    type Input = f64;
    type Output = MacdValue;

    fn warmup(&self) -> usize {
        self.slow.warmup() + self.signal.warmup() - 1
    }

    fn memory(&self) -> usize {
        self.slow.memory() + self.signal.memory()
    }

    fn update(&mut self, input: f64) -> Option<MacdValue> {
        if !is_usable(input) {
            *self = Self::new(self.params);
            return None;
        }
        let fast = if self.skip > 0 {
            self.skip -= 1;
            None
        } else {
            self.fast.update(input)
        };
        let slow = self.slow.update(input)?;
        let macd = fast? - slow;
        let signal = self.signal.update(macd)?;
        Some(MacdValue::of(macd, signal))
    }
}

/// The next group of both averages, the slow ones taken from the fast ones.
#[inline(always)]
fn difference(
    weights: &(Weights, Weights),
    values: &mut (f64, f64),
    inputs: &[f64; 4],
) -> [f64; 4] {
    let (fast, slow) = (weights.0.group(values.0, inputs), weights.1.group(values.1, inputs));
    *values = (fast[3], slow[3]);
    [fast[0] - slow[0], fast[1] - slow[1], fast[2] - slow[2], fast[3] - slow[3]]
}

/// The three periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacdParams {
    /// Period of the fast average.
    pub fast: usize,
    /// Period of the slow average.
    pub slow: usize,
    /// Period of the signal line.
    pub signal: usize,
}

impl MacdParams {
    fn ordered(self) -> Self {
        let fast = checked_period(self.fast.min(self.slow), 1);
        let slow = checked_period(self.fast.max(self.slow), 1);
        Self { fast, slow, signal: checked_period(self.signal, 1) }
    }
}

/// What [`Macd`] says about a bar, in the unit of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MacdValue {
    /// Fast average less slow average.
    pub macd: f64,
    /// The average of `macd`.
    pub signal: f64,
    /// `macd` less `signal`.
    pub histogram: f64,
}

impl MacdValue {
    fn of(macd: f64, signal: f64) -> Self {
        Self { macd, signal, histogram: macd - signal }
    }
}

/// Column form of [`MacdValue`].
#[derive(Debug, Clone, Default)]
pub struct MacdColumns {
    /// Fast average less slow average.
    pub macd: Vec<f64>,
    /// The average of `macd`.
    pub signal: Vec<f64>,
    /// `macd` less `signal`.
    pub histogram: Vec<f64>,
}

/// Column form of [`Macd`]: as many places as `input`, NaN where there is no answer.
///
/// # Panics
/// As [`Macd::new`].
pub fn macd(input: &[f64], params: MacdParams, out: &mut MacdColumns) {
    columns(Macd::new(params), [input], [&mut out.macd, &mut out.signal, &mut out.histogram]);
}

fn params_of(values: &[f64]) -> MacdParams {
    MacdParams { fast: values[0] as usize, slow: values[1] as usize, signal: values[2] as usize }
}

pub(super) const SPEC: Spec = Spec {
    name: "MACD",
    describes: "Fast less slow exponential average, its signal line and their difference",
    params: &[
        Param::whole("fastperiod", 12, (2, MAX_PERIOD as u32)),
        Param::whole("slowperiod", 26, (2, MAX_PERIOD as u32)),
        Param::whole("signalperiod", 9, (1, MAX_PERIOD as u32)),
    ],
    inputs: &[Field::Close],
    outputs: &["macd", "macdsignal", "macdhist"],
    undefined: None,
    build: |params| stream(Macd::new(params_of(params)), |bar| bar.close, Macd::lines),
    column: |params, bars, out| {
        columns(Macd::new(params_of(params)), [bars.close], each(out));
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_averages_begin_on_the_same_bar() {
        let mut macd = Macd::new(MacdParams { fast: 2, slow: 3, signal: 2 });
        assert_eq!(macd.warmup(), 4);
        let said = [3.0, 6.0, 9.0, 12.0].map(|close| macd.update(close));
        // slow: 6 then 9; fast from the second close: 7.5 then 10.5
        let value = MacdValue { macd: 1.5, signal: 1.5, histogram: 0.0 };
        assert_eq!(said, [None, None, None, Some(value)]);
    }

    #[test]
    fn a_market_that_stands_still_has_no_difference() {
        let mut macd = Macd::new(MacdParams { fast: 12, slow: 26, signal: 9 });
        let still = MacdValue { macd: 0.0, signal: 0.0, histogram: 0.0 };
        for step in 1..300 {
            assert_eq!(macd.update(1234.56), (step >= 34).then_some(still), "{step}");
        }
    }

    #[test]
    fn periods_in_the_wrong_order_trade_places() {
        let said = |fast, slow| {
            let mut macd = Macd::new(MacdParams { fast, slow, signal: 3 });
            (1..40).map(|step| macd.update(f64::from(step * step))).collect::<Vec<_>>()
        };
        assert_eq!(said(5, 12), said(12, 5));
    }

    #[test]
    fn a_break_begins_anew() {
        let mut macd = Macd::new(MacdParams { fast: 1, slow: 2, signal: 1 });
        let said = [1.0, 2.0, f64::NAN, 2.0, 1.0].map(|close| macd.update(close).is_some());
        assert_eq!(said, [false, true, false, false, true]);
    }
}
