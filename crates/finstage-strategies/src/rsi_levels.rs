//! The relative strength index reaches a level: overbought, oversold, or the middle.
//!
//! *Idea.* Where nearly all recent moves went one way, the other way is due; where the balance tips
//! over the middle, the trend turns. *Source.* J. Welles Wilder, *New Concepts in Technical Trading
//! Systems*, 1978 (70 and 30, 14 bars, his own smoothing); the middle line: Constance Brown,
//! *Technical Analysis for the Trading Professional*, 1999.
//!
//! *Condition.* Upwards (`rsi_overbought` at 70, `rsi_bullish` at 50): previous RSI < level and RSI >=
//! level. Downwards (`rsi_oversold` at 30, `rsi_bearish` at 50): previous RSI > level and RSI <=
//! level. The first pair expects the opposite of the move, the second pair its continuation.
//! *Strength.* Points beyond the level. *Warm-up.* period + 2 bars: period moves for the first RSI,
//! and the previous RSI. *Memory.* Wilder's average of n is an exponential one of 2n - 1: 10.5 (2n - 1)
//! moves, and the bars around them.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{Indicator, Rsi};

use crate::cross::{Crossing, Edge, Side};

pub(crate) const OVERBOUGHT: Entry = Entry {
    name: "rsi_overbought",
    direction: Direction::Short,
    describes: "the RSI(period) rises to the level or above: overbought, a fall is expected",
    korean: "RSI({period})이 {level} 이상으로 상승 (과매수)",
    params: &[PERIOD, ParamSpec::number("level", 70.0, (50.0, 100.0), "RSI, 50 to 100")],
    check: |_| Ok(()),
    words: |params| words(params, params.get("level"), "rose", "above"),
    build: |params| {
        let side = Side::Above;
        Box::new(RsiLevel::new(params, params.get("level"), side, side.against_the_move()))
    },
};

pub(crate) const OVERSOLD: Entry = Entry {
    name: "rsi_oversold",
    direction: Direction::Long,
    describes: "the RSI(period) falls to the level or below: oversold, a rise is expected",
    korean: "RSI({period})이 {level} 이하로 하락 (과매도)",
    params: &[PERIOD, ParamSpec::number("level", 30.0, (0.0, 50.0), "RSI, 0 to 50")],
    check: |_| Ok(()),
    words: |params| words(params, params.get("level"), "fell", "below"),
    build: |params| {
        let side = Side::Below;
        Box::new(RsiLevel::new(params, params.get("level"), side, side.against_the_move()))
    },
};

pub(crate) const BULLISH: Entry = Entry {
    name: "rsi_bullish",
    direction: Direction::Long,
    describes: "the RSI(period) rises to 50 or above: gains outweigh losses, a rise is expected",
    korean: "RSI({period})이 50 이상으로 상승",
    params: &[PERIOD],
    check: |_| Ok(()),
    words: |params| words(params, MIDDLE, "rose", "above"),
    build: |params| Box::new(RsiLevel::new(params, MIDDLE, Side::Above, Direction::Long)),
};

pub(crate) const BEARISH: Entry = Entry {
    name: "rsi_bearish",
    direction: Direction::Short,
    describes: "the RSI(period) falls to 50 or below: losses outweigh gains, a fall is expected",
    korean: "RSI({period})이 50 이하로 하락",
    params: &[PERIOD],
    check: |_| Ok(()),
    words: |params| words(params, MIDDLE, "fell", "below"),
    build: |params| Box::new(RsiLevel::new(params, MIDDLE, Side::Below, Direction::Short)),
};

/// Where gains and losses balance.
const MIDDLE: f64 = 50.0;

// The index over one move knows only 0, 50 and 100.
const PERIOD: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 14, "moves in Wilder's averages") };

fn words(params: &Params, level: f64, verb: &str, side: &str) -> String {
    format!("RSI({}) {verb} to {level} or {side}", params.get("period"))
}

#[derive(Debug)]
struct RsiLevel {
    direction: Direction,
    level: f64,
    rsi: Rsi,
    previous: f64,
    crossing: Crossing,
}

impl RsiLevel {
    fn new(params: &Params, level: f64, side: Side, direction: Direction) -> Self {
        Self {
            direction,
            level,
            rsi: Rsi::new(params.period("period")),
            previous: MIDDLE,
            crossing: Crossing::new(side, Edge::Reaches),
        }
    }
}

impl Strategy for RsiLevel {
    fn warmup(&self) -> usize {
        self.rsi.warmup() + 1
    }

    fn memory(&self) -> usize {
        self.rsi.memory() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let Some(rsi) = self.rsi.update(bar.close.to_f64()) else { return };
        let previous = std::mem::replace(&mut self.previous, rsi);
        let gap = rsi - self.level;
        if self.crossing.step(gap) == Some(true) {
            out.push(Firing {
                direction: self.direction,
                strength: gap.abs(),
                facts: Facts::new(&[("rsi", rsi), ("previous_rsi", previous)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 1] = [("period", 2.0)];

    #[test]
    fn overbought_fires_when_the_index_reaches_the_level() {
        // RSI from the third bar: 50, 83.3, 90
        check(
            &OVERBOUGHT,
            &SHORT,
            "
            close: 10 9 10 12 13
            fires:  . .  .  S  .
            ",
        );
    }

    #[test]
    fn oversold_fires_when_the_index_reaches_the_level() {
        // RSI from the third bar: 50, 16.7, 10
        check(
            &OVERSOLD,
            &SHORT,
            "
            close: 10 11 10 8 7
            fires:  .  .  . L .
            ",
        );
    }

    #[test]
    fn the_middle_counts_when_it_is_reached_and_not_when_it_is_left() {
        // RSI from the third bar: 50, 25, 50, 75
        check(
            &BULLISH,
            &SHORT,
            "
            close: 10 11 10 9 9.5 10
            fires:  .  .  . .  L   .
            ",
        );
        // RSI from the third bar: 50, 75, 50, 25
        check(
            &BEARISH,
            &SHORT,
            "
            close: 10 9 10 11 10.5 10
            fires:  . .  .  .   S   .
            ",
        );
    }

    #[test]
    fn the_first_index_has_no_previous_one() {
        check(
            &OVERSOLD,
            &SHORT,
            "
            close: 10 9 8 7
            fires:  . . . .
            ",
        );
    }

    #[test]
    fn a_market_that_stands_still_is_neither_strong_nor_weak() {
        for entry in [&OVERBOUGHT, &OVERSOLD, &BULLISH, &BEARISH] {
            check(
                entry,
                &SHORT,
                "
                close: 10 10 10 10 10 10
                fires:  .  .  .  .  .  .
                ",
            );
        }
    }

    #[test]
    fn strength_is_the_distance_beyond_the_level() {
        let params = [("period", 2.0), ("level", 75.0)];
        let [signal] = signals(&OVERBOUGHT, &params, "close: 10 9 10 12")[..] else {
            panic!("one signal");
        };
        let rsi = 100.0 * (1.25 / 1.5);
        assert_eq!(signal.facts, Facts::new(&[("rsi", rsi), ("previous_rsi", 50.0)]));
        assert_eq!(signal.strength, rsi - 75.0);
    }
}
