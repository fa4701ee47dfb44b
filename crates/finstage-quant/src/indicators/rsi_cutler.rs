//! Cutler's relative strength index: the share of the upward moves in the last n moves, 0 to 100.
//!
//! ```text
//! RSI_CUTLER(n)[i] = 100 * up / (up + down)                             from i = n on
//! up, down           the sums of the last n upward and downward moves
//! ```
//!
//! Plain means in place of Wilder's smoothing (`RSI`, see `rsi.rs`): the answer rests on n + 1 closes and nothing
//! else, so it does not depend on where a series begins. Charts that say "RSI" mean Wilder's; the two differ by several
//! points. *Source.* Cutler's variant as told in Colby, *The Encyclopedia of Technical Market
//! Indicators*, 2003.
//!
//! **Flat input.** Without any move the share is 0/0, and the answer 50, as for `RSI`.
//!
//! Warm-up n + 1, memory n + 1. The sums are exact (see `exact_sum`).

use crate::rolling::RollingMean;
use crate::series::{checked_period, is_usable};
use crate::spec::{Param, Spec, drive, stream};
use crate::{Field, Indicator, MAX_PERIOD};

/// Cutler's relative strength index.
#[derive(Debug, Clone)]
pub struct CutlerRsi {
    previous: Option<f64>,
    up: RollingMean,
    down: RollingMean,
}

impl CutlerRsi {
    /// An index over `period` moves.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        let period = checked_period(period, 1);
        Self { previous: None, up: RollingMean::new(period), down: RollingMean::new(period) }
    }
}

impl Indicator for CutlerRsi {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.up.period() + 1
    }

    fn update(&mut self, input: f64) -> Option<f64> {
        if !is_usable(input) {
            self.previous = None;
            self.up.clear();
            self.down.clear();
            return None;
        }
        let change = input - self.previous.replace(input)?;
        let up = self.up.push(change.max(0.0));
        let down = self.down.push((-change).max(0.0));
        let (up, down) = (up?, down?);
        let all = up + down;
        Some(if all > 0.0 { 100.0 * (up / all) } else { 50.0 })
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "RSI_CUTLER",
    describes: "Cutler's relative strength index: plain means of the last timeperiod moves; 50 without any",
    inputs: &[Field::Close],
    params: &[Param::whole("timeperiod", 14, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(CutlerRsi::new(params[0] as usize), |bar| bar.close, |value| [value]),
    column: |params, bars, out| {
        drive(CutlerRsi::new(params[0] as usize), bars, |bar| bar.close, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn said(closes: &[f64]) -> Vec<Option<f64>> {
        let mut index = CutlerRsi::new(2);
        closes.iter().map(|&close| index.update(close)).collect()
    }

    #[test]
    fn the_share_of_the_last_moves_alone() {
        // moves +2 -2 +6 +2: the first has left after the third
        let expected = [None, None, Some(50.0), Some(75.0), Some(100.0)];
        assert_eq!(said(&[10.0, 12.0, 10.0, 16.0, 18.0]), expected);
    }

    #[test]
    fn a_market_that_stands_still_is_neither_strong_nor_weak() {
        let mut closes = vec![10.0, 12.0, 11.5];
        closes.resize(10, 11.5);
        assert_eq!(said(&closes)[4..], [Some(50.0); 6]);
    }

    #[test]
    fn a_break_forgets_the_previous_price() {
        let out = said(&[1.0, 2.0, f64::NAN, 2.0, 1.0, 0.5]);
        assert_eq!(out, [None, None, None, None, None, Some(0.0)]);
    }
}
