//! True range: how far a bar went, counted from the close before it.
//!
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978.
//!
//! ```text
//! TRANGE[i] = max(high, previous close) - min(low, previous close)      from i = 1 on
//! ```
//!
//! Warm-up 2, memory 2.

use crate::blocks::{Many, columns};
use crate::spec::{Spec, stream};
use crate::{BarColumns, BarInput, Field, HighLowClose, Indicator};

/// The true range of each bar.
#[derive(Debug, Clone, Default)]
pub struct TrueRange {
    previous_close: Option<f64>,
}

impl TrueRange {
    /// No bar seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Many<3, 1> for TrueRange {
    fn is_warm(&self) -> bool {
        self.previous_close.is_some()
    }

    #[inline(always)]
    fn many(&mut self, [highs, lows, closes]: [&[f64]; 3], [out]: [&mut [f64]; 1]) {
        let (Some(before), Some(&last)) = (self.previous_close, closes.last()) else { return };
        let first = HighLowClose { high: highs[0], low: lows[0], close: closes[0] };
        out[0] = true_range(first, before);
        let bars = highs[1..].iter().zip(&lows[1..]).zip(closes.windows(2));
        for (out, ((&high, &low), pair)) in out[1..].iter_mut().zip(bars) {
            *out = true_range(HighLowClose { high, low, close: pair[1] }, pair[0]);
        }
        self.previous_close = Some(last);
    }

    fn input([high, low, close]: [f64; 3]) -> HighLowClose {
        HighLowClose { high, low, close }
    }

    fn lines(output: f64) -> [f64; 1] {
        [output]
    }
}

impl Indicator for TrueRange {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        2
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        if !bar.is_usable() {
            self.previous_close = None;
            return None;
        }
        let before = self.previous_close.replace(bar.close)?;
        Some(true_range(bar, before))
    }
}

/// Column form of [`TrueRange`]: as many places as there are bars, NaN where there is no answer.
fn true_ranges(bars: &BarColumns<'_>, out: &mut Vec<f64>) {
    columns(TrueRange::new(), [bars.high, bars.low, bars.close], [out]);
    out.resize(bars.len(), f64::NAN);
}

/// The range of a bar that follows the close `before`.
#[inline(always)]
pub(crate) fn true_range(bar: HighLowClose, before: f64) -> f64 {
    let high = if before > bar.high { before } else { bar.high };
    let low = if before < bar.low { before } else { bar.low };
    high - low
}

pub(super) const SPEC: Spec = Spec {
    name: "TRANGE",
    describes: "True range: high less low, the previous close included",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[],
    outputs: &["real"],
    undefined: None,
    build: |_| stream(TrueRange::new(), BarInput::range, |value| [value]),
    column: |_, bars, out| true_ranges(bars, &mut out[0]),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts() {
        let mut range = TrueRange::new();
        let bars = [(3.0, 1.0, 2.0), (6.0, 5.0, 5.0), (4.0, 3.0, 3.0), (5.0, 2.0, 4.0)];
        let said = bars.map(|(high, low, close)| range.update(HighLowClose { high, low, close }));
        assert_eq!(said, [None, Some(4.0), Some(2.0), Some(3.0)]);
    }
}
