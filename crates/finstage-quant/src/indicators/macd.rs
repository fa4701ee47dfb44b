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

use crate::lockstep::Paired;
use crate::series::{blank, checked_period, is_usable, runs};
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

impl Macd {
    /// Takes the two next usable inputs where it can ([`Macd::takes_pairs`]).
    #[inline(always)]
    fn pair(&mut self, inputs: [f64; 2]) -> [MacdValue; 2] {
        let (fast, slow) = (self.fast.pair(inputs), self.slow.pair(inputs));
        let macd = [fast[0] - slow[0], fast[1] - slow[1]];
        let signal = self.signal.pair(macd);
        [MacdValue::of(macd[0], signal[0]), MacdValue::of(macd[1], signal[1])]
    }

    fn takes_pairs(&self) -> bool {
        self.fast.takes_pairs() && self.slow.takes_pairs() && self.signal.takes_pairs()
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
    for column in [&mut out.macd, &mut out.signal, &mut out.histogram] {
        blank(column, input.len());
    }
    let mut indicator = Macd::new(params);
    for range in runs(input) {
        indicator.update(f64::NAN);
        let mut place = range.start;
        let mut put = |place: usize, value: MacdValue| {
            out.macd[place] = value.macd;
            out.signal[place] = value.signal;
            out.histogram[place] = value.histogram;
        };
        while place < range.end {
            if indicator.takes_pairs() {
                let (pairs, _) = input[place..range.end].as_chunks::<2>();
                for &pair in pairs {
                    let [first, second] = indicator.pair(pair);
                    put(place, first);
                    put(place + 1, second);
                    place += 2;
                }
            }
            if place < range.end {
                if let Some(value) = indicator.update(input[place]) {
                    put(place, value);
                }
                place += 1;
            }
        }
    }
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
    build: |params| {
        stream(
            Macd::new(params_of(params)),
            |bar| bar.close,
            |value| [value.macd, value.signal, value.histogram],
        )
    },
    column: |params, bars, out| {
        let mut columns = MacdColumns::default();
        macd(bars.close, params_of(params), &mut columns);
        out.swap_with_slice(&mut [columns.macd, columns.signal, columns.histogram]);
    },
    fused: None,
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
