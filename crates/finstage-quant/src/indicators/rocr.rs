//! Rate of change as a ratio over n bars.
//!
//! ```text
//! ROCR(n)[i] = x[i] / x[i-n]                         from i = n on
//! ```
//!
//! 0 where the earlier value is 0, as in TA-Lib. Warm-up n + 1, memory n + 1.

use crate::indicators::roc::ratio;
use crate::series::{LastValues, checked_period, is_usable};
use crate::spec::{Param, Spec, drive, scalar};
use crate::{Field, Indicator, MAX_PERIOD};

/// Rate of change as a ratio over so many bars.
#[derive(Debug, Clone)]
pub struct Rocr {
    last: LastValues,
}

impl Rocr {
    /// A comparison with the value `period` inputs before.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { last: LastValues::new(checked_period(period, 1)) }
    }
}

impl Indicator for Rocr {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.last.period() + 1
    }

    /// `None` also where the quotient is beyond all doubles.
    fn update(&mut self, input: f64) -> Option<f64> {
        if !is_usable(input) {
            self.last.clear();
            return None;
        }
        let before = self.last.push(input)?;
        ratio(input, before)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "ROCR",
    describes: "Rate of change as a ratio over timeperiod bars",
    inputs: &[Field::Close],
    params: &[Param::whole("timeperiod", 10, (1, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: Some("the quotient is beyond all doubles"),
    build: |params| scalar(Rocr::new(params[0] as usize)),
    column: |params, bars, out| {
        drive(Rocr::new(params[0] as usize), bars, |bar| bar.close, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_against_the_one_before_it() {
        let mut change = Rocr::new(2);
        let said = [1.0, 4.0, 4.0, 0.0, 8.0, 5.0, f64::NAN].map(|close| change.update(close));
        assert_eq!(said, [None, None, Some(4.0), Some(0.0), Some(2.0), Some(0.0), None]);
    }
}
