//! Momentum: the close less the one n bars before.
//!
//! ```text
//! MOM(n)[i] = x[i] - x[i-n]                         from i = n on
//! ```
//!
//! Warm-up n + 1, memory n + 1.

use crate::series::{LastValues, checked_period, is_usable};
use crate::spec::{Param, Spec, drive, scalar};
use crate::{Field, Indicator, MAX_PERIOD};

/// Momentum: the value less the one so many bars before.
#[derive(Debug, Clone)]
pub struct Momentum {
    last: LastValues,
}

impl Momentum {
    /// A comparison with the value `period` inputs before.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { last: LastValues::new(checked_period(period, 1)) }
    }
}

impl Indicator for Momentum {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.last.period() + 1
    }

    fn update(&mut self, input: f64) -> Option<f64> {
        if !is_usable(input) {
            self.last.clear();
            return None;
        }
        let before = self.last.push(input)?;
        Some(input - before)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "MOM",
    describes: "Momentum: the close less the one timeperiod bars before",
    inputs: &[Field::Close],
    params: &[Param::whole("timeperiod", 10, (1, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| scalar(Momentum::new(params[0] as usize)),
    column: |params, bars, out| {
        drive(Momentum::new(params[0] as usize), bars, |bar| bar.close, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_against_the_one_before_it() {
        let mut change = Momentum::new(2);
        let said = [1.0, 4.0, 4.0, 0.0, 8.0, 5.0, f64::NAN].map(|close| change.update(close));
        assert_eq!(said, [None, None, Some(3.0), Some(-4.0), Some(4.0), Some(5.0), None]);
    }
}
