//! The price leaves the range of the last weeks: the Donchian breakout of the turtles.
//!
//! *Idea.* Every large trend makes new highs; whoever buys each of them is in every one of these. *Source.*
//! Richard Donchian's four-week rule, 1950s; Richard Dennis's turtles, in Curtis Faith, *Way of the
//! Turtle*, 2007 (20 days, "System 1").
//!
//! *Condition.* Up: close > highest high of the `period` bars before this one, and the previous close did
//! not leave its own range so. Down: close < lowest low. *Strength.* Distance of the close beyond the range,
//! in percent of its edge. *Warm-up.* period + 2 bars; nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Bands, Donchian, HighLowClose, Indicator};

use crate::cross::{Crossing, Edge, Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "donchian_breakout_up",
    direction: Side::Above.with_the_move(),
    describes: "the close rises above the highest high of the period bars before: a rise is expected",
    korean: "종가가 직전 {period}봉의 최고가를 돌파",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| {
        format!("close above the highest high of the last {} bars", params.get("period"))
    },
    build: |params| Box::new(DonchianBreakout::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "donchian_breakout_down",
    direction: Side::Below.with_the_move(),
    describes: "the close falls below the lowest low of the period bars before: a fall is expected",
    korean: "종가가 직전 {period}봉의 최저가를 이탈",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| format!("close below the lowest low of the last {} bars", params.get("period")),
    build: |params| Box::new(DonchianBreakout::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[ParamSpec::period("period", 20, "bars in the range; also 55")];

#[derive(Debug)]
struct DonchianBreakout {
    side: Side,
    channel: Donchian,
    /// The range as it was on the bar before.
    before: Option<Bands>,
    crossing: Crossing,
}

impl DonchianBreakout {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            side,
            channel: Donchian::new(params.period("period")),
            before: None,
            crossing: Crossing::new(side, Edge::Passes),
        }
    }
}

impl Strategy for DonchianBreakout {
    fn warmup(&self) -> usize {
        self.channel.warmup() + 2
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let next = self.channel.update(HighLowClose::from(bar));
        let Some(range) = std::mem::replace(&mut self.before, next) else { return };
        let edge = match self.side {
            Side::Above => range.upper,
            Side::Below => range.lower,
        };
        let close = bar.close.to_f64();
        if self.crossing.step(close - edge) == Some(true) {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - edge, edge),
                facts: Facts::new(&[
                    ("close", close),
                    ("upper", range.upper),
                    ("lower", range.lower),
                ]),
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
    fn the_first_close_beyond_the_range_before_it_fires() {
        check(
            &UP,
            &SHORT,
            "
            high:  11 12 12 12 14 16 16 16 17
            close: 10 11 11 11 13 15 14 13 17
            fires:  .  .  .  .  L  .  .  .  L
            ",
        );
        check(
            &DOWN,
            &SHORT,
            "
            low:    9  8  8  8 6 4
            close: 10  9  9  9 7 5
            fires:  .  .  .  . S .
            ",
        );
    }

    #[test]
    fn a_high_that_is_only_reached_is_not_left() {
        check(&UP, &SHORT, "close: 10 12 11 11 12 12\nfires: . . . . L .");
        check(&UP, &SHORT, "close: 10 12 12 12 12 12\nfires: . . . . . .");
    }

    #[test]
    fn strength_is_the_distance_beyond_the_range() {
        let [signal] = signals(&UP, &SHORT, "close: 10 8 10 9 11")[..] else {
            panic!("one signal")
        };
        assert_eq!(signal.facts, Facts::new(&[("close", 11.0), ("upper", 10.0), ("lower", 9.0)]));
        assert_eq!(signal.strength, 10.0);
    }
}
