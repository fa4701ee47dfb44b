//! Wilder's directional movement: what `ADX`, `DX`, `PLUS_DI` and `MINUS_DI` share.
//!
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978.
//!
//! ```text
//! up[i]   = high[i] - high[i-1]        down[i] = low[i-1] - low[i]
//! +DM[i]  = up if up > down and up > 0, else 0
//! -DM[i]  = down if down > up and down > 0, else 0
//! sums    of +DM, -DM and TRANGE: the first n - 1 added up, then sum * (n-1)/n + value
//! ```
//!
//! First said with the nth movement, as in TA-Lib (which takes a range below 1e-14 for none; here only
//! 0 is none, since such prices exist). In a market that stands still the three sums
//! shrink together; at 1e-200 they are held, so that their ratios stay what they were.

use crate::HighLowClose;
use crate::indicators::trange::true_range;
use crate::series::checked_period;
use crate::wilder::{LEAST, is_nothing, shares, wilder_memory};

/// The smoothed sums of movements.
#[derive(Debug, Clone)]
pub(crate) struct Directional {
    period: usize,
    previous: Option<HighLowClose>,
    moves: usize,
    sums: Movement,
}

/// Upward and downward movement, and the true range around them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Movement {
    plus: f64,
    minus: f64,
    range: f64,
}

impl Directional {
    pub(crate) fn new(period: usize) -> Self {
        let period = checked_period(period, 1);
        Self { period, previous: None, moves: 0, sums: Movement::default() }
    }

    pub(crate) fn period(&self) -> usize {
        self.period
    }

    pub(crate) fn warmup(&self) -> usize {
        self.period + 1
    }

    pub(crate) fn memory(&self) -> usize {
        wilder_memory(self.period) + 1
    }

    pub(crate) fn update(&mut self, bar: HighLowClose) -> Option<Movement> {
        if !bar.is_usable() {
            *self = Self::new(self.period);
            return None;
        }
        let new = Movement::between(self.previous.replace(bar)?, bar);
        self.moves = self.period.min(self.moves + 1);
        let sums = &mut self.sums;
        let keep = if self.moves < self.period { 1.0 } else { shares(self.period).0 };
        if new.range > 0.0 || sums.range > LEAST {
            sums.plus = sums.plus * keep + new.plus;
            sums.minus = sums.minus * keep + new.minus;
            sums.range = sums.range * keep + new.range;
            for sum in [&mut sums.plus, &mut sums.minus] {
                if is_nothing(*sum) {
                    *sum = 0.0;
                }
            }
        }
        (self.moves == self.period).then_some(*sums)
    }
}

impl Movement {
    fn between(before: HighLowClose, bar: HighLowClose) -> Self {
        let (up, down) = (bar.high - before.high, before.low - bar.low);
        let plus = if up > down && up > 0.0 { up } else { 0.0 };
        let minus = if down > up && down > 0.0 { down } else { 0.0 };
        Self { plus, minus, range: true_range(bar, before.close) }
    }

    /// Upward movement in percent of the range; 0 of none.
    pub(crate) fn plus_di(self) -> f64 {
        percent(self.plus, self.range)
    }

    /// Downward movement in percent of the range; 0 of none.
    pub(crate) fn minus_di(self) -> f64 {
        percent(self.minus, self.range)
    }

    /// How far one direction outweighs the other, 0 to 100; `None` without any movement.
    pub(crate) fn dx(self) -> Option<f64> {
        let all = self.plus + self.minus;
        (all > 0.0).then(|| 100.0 * ((self.plus - self.minus).abs() / all))
    }
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * (part / whole) } else { 0.0 }
}
