//! Average true range: Wilder's average of how far bars go.
//!
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978.
//!
//! ```text
//! ATR(n)[n] = mean of TRANGE[1..=n]
//! ATR(n)[i] = (ATR[i-1] * (n-1) + TRANGE[i]) / n                        from i = n+1 on
//! ```
//!
//! 0 while the market stands still from the first; after a last move it shrinks to 0 (see `wilder`). Warm-up n + 1. Memory 10.5 (2n - 1) + 1.

use crate::blocks::{BLOCK, Many, columns};
use crate::indicators::trange::TrueRange;
use crate::spec::{Param, Spec, stream};
use crate::wilder::Wilder;
use crate::{BarColumns, BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Wilder's average of the true range.
#[derive(Debug, Clone)]
pub struct Atr {
    range: TrueRange,
    average: Wilder,
}

impl Atr {
    /// An average over `period` ranges.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { range: TrueRange::new(), average: Wilder::new(period) }
    }
}

impl Many<3, 1> for Atr {
    fn is_warm(&self) -> bool {
        self.average.is_warm()
    }

    #[inline(always)]
    fn many(&mut self, inputs: [&[f64]; 3], [out]: [&mut [f64]; 1]) {
        let mut ranges = [0.0; BLOCK];
        let ranges = &mut ranges[..out.len()];
        self.range.many(inputs, [&mut *ranges]);
        self.average.many(ranges, out);
    }

    fn input([high, low, close]: [f64; 3]) -> HighLowClose {
        HighLowClose { high, low, close }
    }

    fn lines(output: f64) -> [f64; 1] {
        [output]
    }
}

impl Indicator for Atr {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.average.warmup() + 1
    }

    fn memory(&self) -> usize {
        self.average.memory() + 1
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        if !bar.is_usable() {
            self.average.clear();
        }
        self.average.push(self.range.update(bar)?)
    }
}

/// Column form of [`Atr`]: as many places as there are bars, NaN where there is no answer.
///
/// # Panics
/// As [`Atr::new`].
pub fn atr(bars: &BarColumns<'_>, period: usize, out: &mut Vec<f64>) {
    columns(Atr::new(period), [bars.high, bars.low, bars.close], [out]);
    out.resize(bars.len(), f64::NAN);
}

pub(super) const SPEC: Spec = Spec {
    name: "ATR",
    describes: "Average true range: Wilder's average of timeperiod true ranges",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (1, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(Atr::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| atr(bars, params[0] as usize, &mut out[0]),
};

#[cfg(test)]
mod tests {
    use super::*;

    fn said(closes: &[f64]) -> Vec<Option<f64>> {
        let mut range = Atr::new(2);
        closes
            .iter()
            .map(|&close| range.update(HighLowClose { high: close, low: close, close }))
            .collect()
    }

    #[test]
    fn a_mean_first_and_then_each_range_pulls() {
        let expected = [None, None, Some(3.0), Some(4.0), Some(2.0)];
        assert_eq!(said(&[10.0, 12.0, 8.0, 13.0, 13.0]), expected);
    }

    #[test]
    fn a_break_begins_anew_and_a_still_market_has_no_range() {
        assert_eq!(said(&[1.0, 2.0, f64::NAN, 5.0, 5.0, 5.0])[3..], [None, None, Some(0.0)]);
    }
}
