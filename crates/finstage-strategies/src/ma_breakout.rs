//! The price breaks out of its moving average.
//!
//! *Idea.* While the price is above its average the holders of that period are in profit, and trends
//! tend to last. *Source.* Richard Gartley, *Profits in the Stock Market*, 1935; tested by Brock,
//! Lakonishok and LeBaron, *Simple Technical Trading Rules and the Stochastic Properties of Stock
//! Returns*, 1992. Periods in common use: 20 (a month of days), 50 and 200.
//!
//! *Condition.* Up: previous close <= previous SMA and close > SMA. Down: previous close >= previous
//! SMA and close < SMA. *Strength.* Distance of the close from the SMA, in percent of the SMA.
//! *Warm-up.* period + 1 bars (the previous average is needed too); nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{Indicator, Sma};

use crate::cross::{Crossing, Edge, Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "ma_breakout_up",
    direction: Direction::Long,
    describes: "the close crosses above the SMA(period): a rise is expected to go on",
    korean: "종가가 SMA({period})을 위로 돌파",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| format!("close crossed above SMA({})", params.get("period")),
    build: |params| Box::new(MaBreakout::new(params.period("period"), Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "ma_breakout_down",
    direction: Direction::Short,
    describes: "the close crosses below the SMA(period): a fall is expected to go on",
    korean: "종가가 SMA({period})을 아래로 돌파",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| format!("close crossed below SMA({})", params.get("period")),
    build: |params| Box::new(MaBreakout::new(params.period("period"), Side::Below)),
};

// An average over one bar is its close, which never crosses itself.
const PARAMS: &[ParamSpec] = &[ParamSpec {
    min: 2.0,
    ..ParamSpec::period("period", 20, "bars in the average; also 50, 200")
}];

#[derive(Debug)]
struct MaBreakout {
    direction: Direction,
    average: Sma,
    crossing: Crossing,
}

impl MaBreakout {
    fn new(period: usize, side: Side) -> Self {
        Self {
            direction: side.with_the_move(),
            average: Sma::new(period),
            crossing: Crossing::new(side, Edge::Passes),
        }
    }
}

impl Strategy for MaBreakout {
    fn warmup(&self) -> usize {
        self.average.warmup() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let Some(average) = self.average.update(close) else { return };
        let gap = close - average;
        if self.crossing.step(gap) == Some(true) {
            out.push(Firing {
                direction: self.direction,
                strength: percent(gap, average),
                facts: Facts::new(&[("close", close), ("sma", average)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    #[test]
    fn it_fires_on_the_bar_that_leaves_the_average_upwards() {
        check(
            &UP,
            &[("period", 2.0)],
            "
            close: 10 10 12 13 11 12
            fires:  .  .  L  .  .  L
            ",
        );
    }

    #[test]
    fn it_fires_on_the_bar_that_leaves_the_average_downwards() {
        check(
            &DOWN,
            &[("period", 2.0)],
            "
            close: 10 10 8 7 9 8
            fires:  .  . S . . S
            ",
        );
    }

    #[test]
    fn above_the_average_from_the_first_is_no_breakout() {
        check(
            &UP,
            &[("period", 2.0)],
            "
            close: 9 12 14 16
            fires: .  .  .  .
            ",
        );
    }

    #[test]
    fn a_market_that_stands_still_never_breaks_out() {
        for entry in [&UP, &DOWN] {
            check(
                entry,
                &[("period", 3.0)],
                "
                close: 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1
                fires:  .   .   .   .   .   .   .   .
                ",
            );
        }
    }

    #[test]
    fn strength_is_the_distance_in_percent_of_the_average() {
        let [signal] = signals(&DOWN, &[("period", 3.0)], "close: 10 10 10 7")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 200.0 / 9.0);
        assert_eq!(signal.facts, Facts::new(&[("close", 7.0), ("sma", 9.0)]));
    }

    #[test]
    fn an_average_of_nothing_has_no_percentage() {
        let [signal] = signals(&UP, &[("period", 2.0)], "close: 0 -1 1")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 0.0);
    }
}
