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
//! never dissolves in rounding. Moves come in groups of four (see `wilder`); the averages before a group
//! are held until it has a move.
//!
//! Warm-up n + 1 (n moves need n + 1 values). Memory 10.5 (2n - 1) + 1: Wilder's average of n is
//! the exponential average of 2n - 1. It counts against moves of like size: what was before a
//! market stood still is never outweighed by nothing.

use std::hint::black_box;

use crate::blocks::{BLOCK, Many, columns};
use crate::series::{checked_period, is_usable};
use crate::spec::{Param, Spec, scalar};
use crate::wilder::{LEAST, Weights, is_nothing};
use crate::{Field, Indicator, MAX_PERIOD, ema_memory};

/// Wilder's relative strength index.
#[derive(Debug, Clone)]
pub struct Rsi {
    period: usize,
    previous: Option<f64>,
    moves: usize,
    weights: Weights,
    /// Means of the first moves, the averages before the group afterwards.
    averages: Averages,
    group: Group,
}

impl Rsi {
    /// An index over `period` moves.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        let weights = Weights::of(checked_period(period, 1));
        let (averages, group) = (Averages::default(), Group::default());
        Self { period, previous: None, moves: 0, weights, averages, group }
    }

    /// The averages with the next move, once it is warm.
    #[inline]
    fn step(&mut self, (up, down): (f64, f64)) -> Averages {
        let answer = self.group.averages(&self.weights, self.averages, (up, down));
        if self.group.nth == 4 {
            (self.group.nth, self.group.ups, self.group.downs) = (0, [0.0; 4], [0.0; 4]);
            self.averages = answer.closed();
            return self.averages;
        }
        answer
    }

    /// Takes moves one by one.
    #[inline(never)]
    fn steps(&mut self, (ups, downs): (&mut [f64], &mut [f64])) {
        for (up, down) in ups.iter_mut().zip(downs) {
            let averages = self.step((*up, *down));
            (*up, *down) = (averages.up, averages.down);
        }
    }

    /// Makes averages of moves, in their places.
    #[inline(always)]
    fn smooth(&mut self, (ups, downs): (&mut [f64], &mut [f64])) {
        let single = ups.len().min((4 - self.group.nth) % 4);
        let (ups_before, ups) = ups.split_at_mut(single);
        let (downs_before, downs) = downs.split_at_mut(single);
        let (up_groups, ups_after) = ups.as_chunks_mut::<4>();
        let (down_groups, downs_after) = downs.as_chunks_mut::<4>();
        self.steps((ups_before, downs_before));
        // Each last average once more, apart: see `Wilder::many`.
        let (weights, last) = (self.weights, black_box(self.weights));
        let Averages { mut up, mut down } = self.averages;
        for (ups, downs) in up_groups.iter_mut().zip(down_groups) {
            let held = up + down <= LEAST;
            let averages = (weights.group(up, ups), weights.group(down, downs));
            let next = (last.last(up, ups), last.last(down, downs));
            if held && [*ups, *downs] == [[0.0; 4]; 2] {
                Averages { up, down } = Averages { up, down }.closed();
                (*ups, *downs) = ([up; 4], [down; 4]);
            } else if held | is_nothing(next.0) | is_nothing(next.1) {
                self.averages = Averages { up, down };
                self.steps((ups, downs));
                Averages { up, down } = self.averages;
            } else {
                (*ups, *downs) = averages;
                (up, down) = next;
            }
        }
        self.averages = Averages { up, down };
        self.steps((ups_after, downs_after));
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
        let moved = split(input - self.previous.replace(input)?);
        if self.moves == self.period {
            return Some(self.step(moved).share());
        }
        self.moves += 1;
        self.averages.gather(moved, self.moves as f64);
        (self.moves == self.period).then(|| self.averages.share())
    }
}

impl Many<1, 1> for Rsi {
    fn is_warm(&self) -> bool {
        self.moves == self.period
    }

    #[inline(always)]
    fn many(&mut self, [inputs]: [&[f64]; 1], [out]: [&mut [f64]; 1]) {
        let (Some(before), Some(&last)) = (self.previous, inputs.last()) else { return };
        let mut downs = [0.0; BLOCK];
        let downs = &mut downs[..inputs.len()];
        (out[0], downs[0]) = split(inputs[0] - before);
        let places = out[1..].iter_mut().zip(&mut downs[1..]);
        for ((up, down), pair) in places.zip(inputs.windows(2)) {
            (*up, *down) = split(pair[1] - pair[0]);
        }
        self.smooth((out, downs));
        for (out, &down) in out.iter_mut().zip(&*downs) {
            *out = Averages { up: *out, down }.share();
        }
        self.previous = Some(last);
    }

    fn input([input]: [f64; 1]) -> f64 {
        input
    }

    fn lines(output: f64) -> [f64; 1] {
        [output]
    }
}

/// The moves of a group that were seen.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    nth: usize,
    /// What they add to each average.
    ups: [f64; 4],
    downs: [f64; 4],
    /// Whether the averages before it are held, as it has no move.
    held: bool,
}

impl Group {
    /// The averages with the next move; `before` the group they were that.
    #[inline(always)]
    fn averages(
        &mut self,
        weights: &Weights,
        before: Averages,
        (up, down): (f64, f64),
    ) -> Averages {
        if self.nth == 0 {
            self.held = before.up + before.down <= LEAST;
        }
        if self.held {
            self.held = up + down == 0.0;
        }
        let averages = Averages {
            up: weights.average(before.up, &mut self.ups, (self.nth, up)),
            down: weights.average(before.down, &mut self.downs, (self.nth, down)),
        };
        self.nth += 1;
        if self.held { before } else { averages }
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
    fn gather(&mut self, (up, down): (f64, f64), nth: f64) {
        self.up += (up - self.up) / nth;
        self.down += (down - self.down) / nth;
    }

    /// At the end of a group: without what is nothing beside the other one, and slow to work with.
    fn closed(self) -> Self {
        let nothing = |average| if is_nothing(average) { 0.0 } else { average };
        Self { up: nothing(self.up), down: nothing(self.down) }
    }

    #[inline(always)]
    fn share(self) -> f64 {
        let all = self.up + self.down;
        let share = 100.0 * (self.up / all);
        if all > 0.0 { share } else { 50.0 }
    }
}

/// A move as upward and downward amount, one of them zero.
#[inline(always)]
fn split(change: f64) -> (f64, f64) {
    (if change > 0.0 { change } else { 0.0 }, if change < 0.0 { -change } else { 0.0 })
}

/// Column form of [`Rsi`]: as many places as `input`, NaN where there is no answer.
///
/// # Panics
/// As [`Rsi::new`].
pub fn rsi(input: &[f64], period: usize, out: &mut Vec<f64>) {
    columns(Rsi::new(period), [input], [out]);
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
