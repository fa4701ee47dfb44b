//! Slow stochastic: the fast one (see `stochf.rs`) with its %K smoothed before %D is taken of it.
//!
//! ```text
//! fastk = 100 * (close - LL) / (HH - LL)     LL, HH: lowest low, highest high of fastk_period bars
//! slowk = average of fastk over slowk_period
//! slowd = average of slowk over slowd_period
//! ```
//!
//! %K(14) with %D = SMA(3) is slowk_period = 1; the "full" stochastic 14, 3, 3 is
//! `STOCH(14, 3, 0, 3, 0)`. A range of nothing counts as 0, as in TA-Lib.
//!
//! Warm-up: fastk_period, and those of the averages less one each. Memory: the warm-up, unless an
//! average is exponential.

use crate::average::Average;
use crate::indicators::stochf::{StochValue, place_in_range};
use crate::rolling::RollingRange;
use crate::series::checked_period;
use crate::spec::{Param, Spec, drive, stream};
use crate::{AverageKind, BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Smoothed place of the close in its recent range, and the average of that.
#[derive(Debug, Clone)]
pub struct Stoch {
    range: RollingRange,
    slow_k: Average,
    slow_d: Average,
}

impl Stoch {
    /// A stochastic of this kind.
    ///
    /// # Panics
    /// `invariant:` unless each period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(params: StochParams) -> Self {
        Self {
            range: RollingRange::new(checked_period(params.period, 1)),
            slow_k: Average::new(params.slow_k.0, params.slow_k.1),
            slow_d: Average::new(params.slow_d.0, params.slow_d.1),
        }
    }
}

impl Indicator for Stoch {
    type Input = HighLowClose;
    type Output = StochValue;

    fn warmup(&self) -> usize {
        self.range.period() + self.slow_k.warmup() + self.slow_d.warmup() - 2
    }

    fn memory(&self) -> usize {
        self.range.period() + self.slow_k.memory() + self.slow_d.memory() - 2
    }

    fn update(&mut self, bar: HighLowClose) -> Option<StochValue> {
        if !bar.is_usable() {
            self.range.clear();
            self.slow_k.clear();
            self.slow_d.clear();
            return None;
        }
        let (fast, range) = place_in_range(&mut self.range, bar)?;
        let k = self.slow_k.push(fast)?;
        Some(StochValue { k, d: self.slow_d.push(k)?, range })
    }
}

/// What kind of slow stochastic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StochParams {
    /// Bars in the range.
    pub period: usize,
    /// Period and kind of the average that makes %K.
    pub slow_k: (usize, AverageKind),
    /// Period and kind of the average that makes %D.
    pub slow_d: (usize, AverageKind),
}

fn of(params: &[f64]) -> Stoch {
    Stoch::new(StochParams {
        period: params[0] as usize,
        slow_k: (params[1] as usize, AverageKind::of(params[2])),
        slow_d: (params[3] as usize, AverageKind::of(params[4])),
    })
}

pub(super) const SPEC: Spec = Spec {
    name: "STOCH",
    describes: "Slow stochastic: smoothed place of the close in the range of fastk_period bars, and its average",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[
        Param::whole("fastk_period", 5, (1, MAX_PERIOD as u32)),
        Param::whole("slowk_period", 3, (1, MAX_PERIOD as u32)),
        AverageKind::param("slowk_matype"),
        Param::whole("slowd_period", 3, (1, MAX_PERIOD as u32)),
        AverageKind::param("slowd_matype"),
    ],
    outputs: &["slowk", "slowd"],
    undefined: None,
    build: |params| stream(of(params), BarInput::range, StochValue::lines),
    column: |params, bars, out| {
        drive(of(params), bars, BarInput::range, StochValue::lines, out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StochFast;

    #[test]
    fn a_slow_line_over_one_value_is_the_fast_one() {
        let simple = AverageKind::Simple;
        let mut slow =
            Stoch::new(StochParams { period: 4, slow_k: (1, simple), slow_d: (3, simple) });
        let mut fast = StochFast::new(4, (3, simple));
        assert_eq!(slow.warmup(), fast.warmup());
        for step in 0..50u32 {
            let close = f64::from(step * 7 % 11);
            let bar = HighLowClose { high: close + 1.0, low: close - 2.0, close };
            assert_eq!(slow.update(bar), fast.update(bar));
        }
    }
}
