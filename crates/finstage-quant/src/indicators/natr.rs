//! Normalised average true range: the average true range in percent of the close.
//!
//! John Forman, *Cross-Market Evaluations With Normalized Average True Range*, Technical Analysis of
//! Stocks & Commodities, 2006.
//!
//! ```text
//! NATR(n) = 100 * ATR(n) / close
//! ```
//!
//! 0 where the close is 0, as in TA-Lib. Warm-up and memory are those of `ATR`.

use crate::series::finite;
use crate::spec::{Param, Spec, drive, stream};
use crate::{Atr, BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// The average true range in percent of the close.
#[derive(Debug, Clone)]
pub struct Natr {
    range: Atr,
}

impl Natr {
    /// An average over `period` ranges.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { range: Atr::new(period) }
    }
}

impl Indicator for Natr {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.range.warmup()
    }

    fn memory(&self) -> usize {
        self.range.memory()
    }

    /// `None` also where the quotient is beyond all doubles.
    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        let range = self.range.update(bar)?;
        if bar.close == 0.0 { Some(0.0) } else { finite(range / bar.close * 100.0) }
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "NATR",
    describes: "Average true range in percent of the close",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (1, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: Some("the close is nearly nothing beside the range"),
    build: |params| stream(Natr::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| {
        drive(Natr::new(params[0] as usize), bars, BarInput::range, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_in_percent_and_nothing_of_nothing() {
        let mut range = Natr::new(1);
        let said = [10.0, 8.0, 0.0, 1e-200].map(|close| {
            let high = if close == 1e-200 { 1e150 } else { close };
            range.update(HighLowClose { high, low: close, close })
        });
        assert_eq!(said, [None, Some(25.0), Some(0.0), None]);
    }
}
