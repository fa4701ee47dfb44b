//! The Supertrend turns.
//!
//! *Idea.* A stop that follows the price at a few average true ranges is hit only by a move larger than
//! the market's noise: the trend has changed sides. *Source.* Olivier Seban's indicator of the 2000s, with
//! 10 bars and 3 ranges; the principle is the volatility stop of J. Welles Wilder, *New Concepts in
//! Technical Trading Systems*, 1978.
//!
//! *Condition.* Up: the trend was -1 on the bar before and is 1 on this one. Down: the other way round.
//! *Strength.* Distance of the close from the new stop, in percent of the stop. *Warm-up.* period + 2 bars, one more for a turn
//! upwards: the indicator begins upwards.
//! *Memory.* That of the average true range, and 500 bars for the stop itself: it forgets what was before
//! when it turns or is passed, which no number of bars makes certain; 500 without either were not seen.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Atr, HighLowClose, Indicator, Supertrend};

use crate::cross::{Onset, Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "supertrend_up",
    direction: Side::Above.with_the_move(),
    describes: "the Supertrend(period, multiplier) turns up: a rise is expected",
    korean: "슈퍼트렌드({period}, {multiplier})가 상승으로 전환",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "up"),
    build: |params| Box::new(SupertrendFlip::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "supertrend_down",
    direction: Side::Below.with_the_move(),
    describes: "the Supertrend(period, multiplier) turns down: a fall is expected",
    korean: "슈퍼트렌드({period}, {multiplier})가 하락으로 전환",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "down"),
    build: |params| Box::new(SupertrendFlip::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::period("period", 10, "bars in the average true range"),
    ParamSpec::number("multiplier", 3.0, (0.1, 100.0), "average true ranges to the stop"),
];

/// Bars after which a stop has turned, or was moved by a new extreme.
const STOP_MEMORY: usize = 500;

fn words(params: &Params, side: &str) -> String {
    format!("Supertrend({}, {}) turned {side}", params.get("period"), params.get("multiplier"))
}

#[derive(Debug)]
struct SupertrendFlip {
    side: Side,
    memory: usize,
    stop: Supertrend,
    onset: Onset,
}

impl SupertrendFlip {
    fn new(params: &Params, side: Side) -> Self {
        let period = params.period("period");
        Self {
            side,
            memory: Atr::new(period).memory() + STOP_MEMORY,
            stop: Supertrend::new(period, params.get("multiplier")),
            onset: Onset::default(),
        }
    }
}

impl Strategy for SupertrendFlip {
    fn warmup(&self) -> usize {
        // It begins upwards, and has to turn down before it can turn up.
        match self.side {
            Side::Above => self.stop.warmup() + 2,
            Side::Below => self.stop.warmup() + 1,
        }
    }

    fn memory(&self) -> usize {
        self.memory
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let value = self.stop.update(HighLowClose::from(bar));
        let on_side = value.map(|value| self.side.beyond(value.trend) > 0.0);
        if let Some(value) = value
            && self.onset.step(on_side)
        {
            let close = bar.close.to_f64();
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - value.line, value.line),
                facts: Facts::new(&[("close", close), ("supertrend", value.line)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 2] = [("period", 1.0), ("multiplier", 1.0)];
    // Stops 10 11 12 below, then 12.5 and 9 above, then 9 and 11 below.
    const CLOSES: &str = "close: 10 10 11 13 12.5 9 9 12 13";

    #[test]
    fn each_turn_fires_once() {
        check(&DOWN, &SHORT, "close: 10 10 11 13 11 9 9\nfires: . . . . . S .");
        check(&UP, &SHORT, "close: 10 10 11 13 11 9 9 14 15\nfires: . . . . . . . L .");
        assert!(signals(&UP, &SHORT, "close: 10 10 11 12 13 14 15").is_empty());
    }

    #[test]
    fn the_earliest_turns_are_on_the_last_bar_of_the_warm_up() {
        check(&DOWN, &SHORT, "close: 10 10 9\nfires: . . S");
        check(&UP, &SHORT, "close: 10 10 9 14\nfires: . . . L");
    }

    #[test]
    fn strength_is_the_distance_from_the_new_stop() {
        let [signal] = signals(&UP, &SHORT, CLOSES)[..] else { panic!("one signal") };
        assert_eq!(signal.facts, Facts::new(&[("close", 12.0), ("supertrend", 9.0)]));
        assert_eq!(signal.strength, 3.0 / 9.0 * 100.0);
    }
}
