//! Relative strength index: the share of the upward moves in all moves, 0 to 100.
//!
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978. Wilder's own smoothing, not
//! Cutler's plain means and not an EMA of span n:
//!
//! ```text
//! move[i] = x[i] - x[i-1]
//! up[n]   = mean of the first n upward moves (0 for a downward one); down[n] likewise
//! up[i]   = (up[i-1] * (n-1) + max(move[i], 0)) / n                     from i = n+1 on
//! RSI(n)  = 100 * up / (up + down)
//! ```
//!
//! **Flat input.** Before any move the share is 0/0. The answer is 50, neither strong nor weak;
//! TA-Lib says 0 there, which reads as "oversold". After the last move the share stays what it was,
//! for ever: the averages shrink together, and from 1e-200 on they are held so that their ratio
//! never dissolves in rounding.
//!
//! Warm-up n + 1 (n moves need n + 1 values). Memory 10.5 (2n - 1) + 1: Wilder's average of n is
//! the exponential average of 2n - 1. It counts against moves of like size: what was before a
//! market stood still is never outweighed by nothing.

use crate::series::{checked_period, column_of_runs, is_usable};
use crate::spec::{Param, Spec, scalar};
use crate::wilder::{LEAST, is_nothing, shares};
use crate::{Field, Indicator, MAX_PERIOD, ema_memory};

/// Wilder's relative strength index.
#[derive(Debug, Clone)]
pub struct Rsi {
    period: usize,
    previous: Option<f64>,
    moves: usize,
    averages: Averages,
}

impl Rsi {
    /// An index over `period` moves.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        let period = checked_period(period, 1);
        Self { period, previous: None, moves: 0, averages: Averages::default() }
    }
}

impl Indicator for Rsi {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.period + 1
    }

    fn memory(&self) -> usize {
        ema_memory(2 * self.period - 1) + 1
    }

    fn update(&mut self, input: f64) -> Option<f64> {
        if !is_usable(input) {
            *self = Self::new(self.period);
            return None;
        }
        let change = input - self.previous.replace(input)?;
        if self.moves < self.period {
            self.moves += 1;
            self.averages.gather(change, self.moves as f64);
        } else {
            self.averages.smooth(change, shares(self.period));
        }
        (self.moves == self.period).then(|| self.averages.share())
    }
}

/// Mean upward and mean downward move, both as amounts.
#[derive(Debug, Clone, Copy, Default)]
struct Averages {
    up: f64,
    down: f64,
}

impl Averages {
    /// Takes the `nth` of the first moves into their plain mean.
    fn gather(&mut self, change: f64, nth: f64) {
        let (up, down) = split(change);
        self.up += (up - self.up) / nth;
        self.down += (down - self.down) / nth;
    }

    /// Wilder's smoothing with these shares.
    #[inline(always)]
    fn smooth(&mut self, change: f64, (keep, take): (f64, f64)) {
        let (up, down) = split(change);
        if up + down > 0.0 {
            self.up = self.up * keep + up * take;
            self.down = self.down * keep + down * take;
        } else {
            self.stand_still(keep);
        }
    }

    /// A bar without a move: both shrink, until they are held or one is nothing beside the other.
    fn stand_still(&mut self, keep: f64) {
        if self.up + self.down > LEAST {
            for average in [&mut self.up, &mut self.down] {
                *average = if is_nothing(*average) { 0.0 } else { *average * keep };
            }
        }
    }

    fn share(self) -> f64 {
        let all = self.up + self.down;
        if all > 0.0 { 100.0 * (self.up / all) } else { 50.0 }
    }
}

/// A move as upward and downward amount, one of them zero.
fn split(change: f64) -> (f64, f64) {
    (change.max(0.0), (0.0 - change).max(0.0))
}

/// Column form of [`Rsi`]: as many places as `input`, NaN where there is no answer.
///
/// # Panics
/// As [`Rsi::new`].
pub fn rsi(input: &[f64], period: usize, out: &mut Vec<f64>) {
    checked_period(period, 1);
    column_of_runs(input, period + 1, out, |values, out| {
        let mut averages = Averages::default();
        for (nth, pair) in (1u32..).zip(values[..=period].windows(2)) {
            averages.gather(pair[1] - pair[0], f64::from(nth));
        }
        out[period] = averages.share();
        let shares = shares(period);
        for (out, pair) in out[period + 1..].iter_mut().zip(values[period..].windows(2)) {
            averages.smooth(pair[1] - pair[0], shares);
            *out = averages.share();
        }
    });
}

pub(super) const SPEC: Spec = Spec {
    name: "RSI",
    describes: "Wilder's relative strength index, 0 to 100; 50 before any move",
    params: &[Param::whole("timeperiod", 14, (2, MAX_PERIOD as u32))],
    inputs: &[Field::Close],
    outputs: &["real"],
    undefined: None,
    build: |params| scalar(Rsi::new(params[0] as usize)),
    column: |params, bars, out| {
        rsi(bars.close, params[0] as usize, &mut out[0]);
    },
    // Side by side they are no faster: the division is the limit, not the waiting.
    fused: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn said(period: usize, closes: &[f64]) -> Vec<Option<f64>> {
        let mut index = Rsi::new(period);
        closes.iter().map(|&close| index.update(close)).collect()
    }

    #[test]
    fn the_share_of_upward_moves() {
        // up: 2 of (2, -2), then (1 * 1 + 4) / 2 = 2.5 against (1 * 1 + 0) / 2 = 0.5
        let expected = [None, None, Some(50.0), Some(100.0 * (2.5 / 3.0))];
        assert_eq!(said(2, &[10.0, 12.0, 10.0, 14.0]), expected);
    }

    #[test]
    fn only_up_is_a_hundred_and_only_down_is_nought() {
        let up: Vec<f64> = (0..50).map(|step| 10.0 + f64::from(step) * 0.1).collect();
        let down: Vec<f64> = up.iter().map(|close| -close).collect();
        assert!(said(14, &up)[14..].iter().all(|&rsi| rsi == Some(100.0)));
        assert!(said(14, &down)[14..].iter().all(|&rsi| rsi == Some(0.0)));
    }

    #[test]
    fn before_any_move_it_is_neither_strong_nor_weak() {
        assert!(said(14, &[5.0; 100])[14..].iter().all(|&rsi| rsi == Some(50.0)));
    }

    #[test]
    fn a_market_that_stands_still_keeps_its_strength() {
        let mut closes = vec![10.0, 12.0, 11.0, 13.0];
        let moved = said(3, &closes)[3].unwrap();
        closes.resize(30_000, 13.0);
        for rsi in &said(3, &closes)[3..] {
            assert!((rsi.unwrap() - moved).abs() < 1e-9, "{rsi:?}");
        }
    }

    #[test]
    fn a_break_forgets_the_previous_price() {
        let out = said(1, &[1.0, 2.0, f64::NAN, 1.0, 3.0]);
        assert_eq!(out, [None, Some(100.0), None, None, Some(100.0)]);
    }
}
