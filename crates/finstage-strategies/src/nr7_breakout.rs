//! The bar after the narrowest of seven leaves its range: NR7.
//!
//! *Idea.* The narrowest day of a week is a pause before a move; the side on which its range is left tells
//! which. *Source.* Toby Crabel, *Day Trading with Short Term Price Patterns and Opening Range Breakout*, 1990.
//!
//! *Condition.* The range (high less low) of the bar before is less than that of each of the `period` - 1
//! bars before it. Up: close > its high. Down: close < its low. *Strength.* Distance of the close beyond
//! that high or low, in percent of it. *Warm-up.* period + 1 bars; nothing older counts.

use std::collections::VecDeque;

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};

use crate::cross::{Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "nr7_breakout_up",
    direction: Side::Above.with_the_move(),
    describes: "the close is above the high of the bar before, the narrowest of period bars: a rise is expected",
    korean: "직전 봉이 {period}봉 중 가장 좁고, 종가가 그 고가를 돌파",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| {
        format!("close above the high of the narrowest of {} bars", params.get("period"))
    },
    build: |params| Box::new(NarrowBreakout::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "nr7_breakout_down",
    direction: Side::Below.with_the_move(),
    describes: "the close is below the low of the bar before, the narrowest of period bars: a fall is expected",
    korean: "직전 봉이 {period}봉 중 가장 좁고, 종가가 그 저가를 이탈",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| {
        format!("close below the low of the narrowest of {} bars", params.get("period"))
    },
    build: |params| Box::new(NarrowBreakout::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[ParamSpec {
    min: 2.0,
    ..ParamSpec::period("period", 7, "bars of which one is the narrowest; also 4")
}];

#[derive(Debug)]
struct NarrowBreakout {
    side: Side,
    period: usize,
    /// High and low of the last bars, oldest first, at most `period`.
    last: VecDeque<(f64, f64)>,
}

impl NarrowBreakout {
    fn new(params: &Params, side: Side) -> Self {
        let period = params.period("period");
        Self { side, period, last: VecDeque::with_capacity(period) }
    }

    /// The newest of the last bars, if all are known and it is the narrowest.
    fn narrowest(&self) -> Option<(f64, f64)> {
        let newest = *self.last.back().filter(|_| self.last.len() == self.period)?;
        let range = |bar: (f64, f64)| bar.0 - bar.1;
        let mut others = self.last.iter().take(self.period - 1);
        others.all(|&other| range(newest) < range(other)).then_some(newest)
    }
}

impl Strategy for NarrowBreakout {
    fn warmup(&self) -> usize {
        self.period + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let narrowest = self.narrowest();
        if self.last.len() == self.period {
            self.last.pop_front();
        }
        self.last.push_back((bar.high.to_f64(), bar.low.to_f64()));
        let Some((high, low)) = narrowest else { return };
        let edge = match self.side {
            Side::Above => high,
            Side::Below => low,
        };
        let close = bar.close.to_f64();
        if self.side.beyond(close - edge) > 0.0 {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - edge, edge),
                facts: Facts::new(&[("close", close), ("high", high), ("low", low)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 1] = [("period", 3.0)];

    #[test]
    fn the_bar_after_the_narrowest_leaves_its_range() {
        let bars = "
            high:  12 12 11 14
            low:    8  9 10 10";
        check(&UP, &SHORT, &format!("{bars}\nclose: 10 10 10 13\nfires: . . . L"));
        check(&DOWN, &SHORT, &format!("{bars}\nclose: 10 10 10 13\nfires: . . . ."));
        let bars = "
            high:  12 12 11 11
            low:    8  9 10  6";
        check(&DOWN, &SHORT, &format!("{bars}\nclose: 10 10 10 7\nfires: . . . S"));
    }

    #[test]
    fn as_narrow_as_another_is_not_the_narrowest() {
        check(
            &UP,
            &SHORT,
            "
            high:  12 11 11 14
            low:    8 10 10 10
            close: 10 10 10 13
            fires:  .  .  .  .
            ",
        );
    }

    #[test]
    fn strength_is_the_distance_beyond_the_range() {
        let bars = "high: 12 12 10 14\nlow: 8 9 9 9\nclose: 10 10 10 11";
        let [signal] = signals(&UP, &SHORT, bars)[..] else { panic!("one signal") };
        assert_eq!(signal.strength, 10.0);
        assert_eq!(signal.facts, Facts::new(&[("close", 11.0), ("high", 10.0), ("low", 9.0)]));
    }
}
