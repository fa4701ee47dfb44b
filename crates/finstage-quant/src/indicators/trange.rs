//! True range: how far a bar went, counted from the close before it.
//!
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978.
//!
//! ```text
//! TRANGE[i] = max(high, previous close) - min(low, previous close)      from i = 1 on
//! ```
//!
//! Warm-up 2, memory 2.

use crate::spec::{Spec, drive, stream};
use crate::{BarInput, Field, HighLowClose, Indicator};

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

    pub(super) fn previous_close(&self) -> Option<f64> {
        self.previous_close
    }

    /// Goes on after a usable bar that somebody else looked at.
    pub(super) fn follow(&mut self, close: f64) {
        self.previous_close = Some(close);
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

/// The range of a bar that follows the close `before`.
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
    column: |_, bars, out| {
        drive(TrueRange::new(), bars, BarInput::range, |value| [value], out);
    },
    fused: None,
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
