//! The stochastic stands high or low, or crosses its own average.
//!
//! *Idea.* In a rise closes come near the top of their recent range; when nearly all of them do, the
//! move is old, and when the place of the close turns against its average, it has ended. *Source.*
//! George Lane, *Lane's Stochastics*, Technical Analysis of Stocks & Commodities, 1984 (80 and 20).
//! %K is the place of the close in the range of the last `period` bars, the present one included,
//! 0 to 100; %D is the mean of the last `average` %K. No smoothing of %K ("fast" stochastic).
//!
//! *Condition.* `stochastic_overbought`: %K and %D both >= level; `stochastic_oversold`: both <=
//! level. States, not edges: they last as long as they are true. `stochastic_bullish_cross`: previous %K
//! <= previous %D and %K > %D; `stochastic_bearish_cross`: >= and <. Bars whose range is nothing have no
//! place in it: nothing is said of them, and the bar after them has no previous one. *Strength.*
//! Points: of the nearer line beyond the level, or between the lines. *Warm-up.* period + average
//! - 1 bars, one more for a cross; nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{AverageKind, HighLowClose, Indicator, StochFast, StochValue};

use crate::cross::{Crossing, Edge, Side};

pub(crate) const OVERBOUGHT: Entry = Entry {
    name: "stochastic_overbought",
    direction: Direction::Short,
    describes: "%K(period) and its mean %D(average) are at the level or above: overbought, a fall is expected",
    korean: "스토캐스틱 %K({period})와 %D({average})가 {level} 이상 (과매수)",
    params: &[
        PERIOD,
        AVERAGE,
        ParamSpec::number("level", 80.0, (50.0, 100.0), "%K and %D, 50 to 100"),
    ],
    check: |_| Ok(()),
    words: |params| level_words(params, "above"),
    build: |params| Box::new(StochasticLevel::new(params, Side::Above)),
};

pub(crate) const OVERSOLD: Entry = Entry {
    name: "stochastic_oversold",
    direction: Direction::Long,
    describes: "%K(period) and its mean %D(average) are at the level or below: oversold, a rise is expected",
    korean: "스토캐스틱 %K({period})와 %D({average})가 {level} 이하 (과매도)",
    params: &[PERIOD, AVERAGE, ParamSpec::number("level", 20.0, (0.0, 50.0), "%K and %D, 0 to 50")],
    check: |_| Ok(()),
    words: |params| level_words(params, "below"),
    build: |params| Box::new(StochasticLevel::new(params, Side::Below)),
};

pub(crate) const BULLISH: Entry = Entry {
    name: "stochastic_bullish_cross",
    direction: Direction::Long,
    describes: "%K(period) crosses above its mean %D(average): a rise is expected",
    korean: "스토캐스틱 %K({period})가 %D({average})를 위로 돌파",
    params: &[PERIOD, AVERAGE],
    check: average_is_one,
    words: |params| format!("{} crossed above its %D", words(params)),
    build: |params| Box::new(StochasticCross::new(params, Side::Above)),
};

pub(crate) const BEARISH: Entry = Entry {
    name: "stochastic_bearish_cross",
    direction: Direction::Short,
    describes: "%K(period) crosses below its mean %D(average): a fall is expected",
    korean: "스토캐스틱 %K({period})가 %D({average})를 아래로 돌파",
    params: &[PERIOD, AVERAGE],
    check: average_is_one,
    words: |params| format!("{} crossed below its %D", words(params)),
    build: |params| Box::new(StochasticCross::new(params, Side::Below)),
};

// The close of one bar alone may still lie anywhere in its range, but two bars are the least that
// say anything about a move.
const PERIOD: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 14, "bars in the range of %K") };
const AVERAGE: ParamSpec = ParamSpec::period("average", 3, "values of %K in %D");

/// Refuses an average of one value: a line never crosses itself.
fn average_is_one(params: &Params) -> Result<(), &'static str> {
    if params.get("average") > 1.0 { Ok(()) } else { Err("average must be at least 2 for a cross") }
}

fn words(params: &Params) -> String {
    format!("stochastic %K({}, {})", params.get("period"), params.get("average"))
}

fn level_words(params: &Params, side: &str) -> String {
    format!("{} and %D at {} or {side}", words(params), params.get("level"))
}

fn stochastic(params: &Params) -> StochFast {
    StochFast::new(params.period("period"), (params.period("average"), AverageKind::Simple))
}

fn facts(value: &StochValue) -> Facts {
    Facts::new(&[("k", value.k), ("d", value.d)])
}

#[derive(Debug)]
struct StochasticLevel {
    side: Side,
    level: f64,
    stochastic: StochFast,
}

impl StochasticLevel {
    fn new(params: &Params, side: Side) -> Self {
        Self { side, level: params.get("level"), stochastic: stochastic(params) }
    }
}

impl Strategy for StochasticLevel {
    fn warmup(&self) -> usize {
        self.stochastic.warmup()
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let Some(value) = self.stochastic.update(HighLowClose::from(bar)) else { return };
        let beyond = match self.side {
            Side::Above => value.k.min(value.d) - self.level,
            Side::Below => self.level - value.k.max(value.d),
        };
        if beyond >= 0.0 && value.range > 0.0 {
            out.push(Firing {
                direction: self.side.against_the_move(),
                strength: beyond,
                facts: facts(&value),
            });
        }
    }
}

#[derive(Debug)]
struct StochasticCross {
    side: Side,
    stochastic: StochFast,
    crossing: Crossing,
}

impl StochasticCross {
    fn new(params: &Params, side: Side) -> Self {
        let crossing = Crossing::new(side, Edge::Passes);
        Self { side, stochastic: stochastic(params), crossing }
    }
}

impl Strategy for StochasticCross {
    fn warmup(&self) -> usize {
        self.stochastic.warmup() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let Some(value) = self.stochastic.update(HighLowClose::from(bar)) else { return };
        if value.range <= 0.0 {
            self.crossing = Crossing::new(self.side, Edge::Passes);
            return;
        }
        let gap = value.k - value.d;
        if self.crossing.step(gap) == Some(true) {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: gap.abs(),
                facts: facts(&value),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    // Of closes alone. The range of two bars places each close at 100 after a rise and at 0 after a
    // fall.
    const SHORT: [(&str, f64); 2] = [("period", 2.0), ("average", 2.0)];

    #[test]
    fn overbought_lasts_as_long_as_both_lines_are_high() {
        check(
            &OVERBOUGHT,
            &SHORT,
            "
            close: 10 9 10 11 12 11 12 13
            fires:  . .  .  S  S  .  .  S
            ",
        );
    }

    #[test]
    fn oversold_lasts_as_long_as_both_lines_are_low() {
        check(
            &OVERSOLD,
            &SHORT,
            "
            close: 10 11 10 9 8 9 8 7
            fires:  .  .  . L L . . L
            ",
        );
    }

    #[test]
    fn the_range_is_that_of_highs_and_lows_and_the_level_counts() {
        // %K of the last bars: 80 and 80; of the whole range 10 to 20
        let bars = "
            high:  20 20 20
            low:   10 10 10
            close: 18 18 18
            ";
        check(&OVERBOUGHT, &SHORT, &format!("{bars}\nfires: . . S"));
        let higher = [("period", 2.0), ("average", 2.0), ("level", 80.5)];
        check(&OVERBOUGHT, &higher, &format!("{bars}\nfires: . . ."));
    }

    #[test]
    fn a_cross_fires_on_its_bar_alone() {
        // %K from the second bar: 0 0 100 100 0 0; %D from the third: 0 50 100 50 0
        let closes = "close: 10 9 8 9 10 9 8";
        check(&BULLISH, &SHORT, &format!("{closes}\nfires: . . . L . . ."));
        check(&BEARISH, &SHORT, &format!("{closes}\nfires: . . . . . S ."));
    }

    #[test]
    fn a_market_that_stands_still_has_no_place_in_its_range() {
        for entry in [&OVERBOUGHT, &OVERSOLD, &BULLISH, &BEARISH] {
            check(
                entry,
                &SHORT,
                "
                close: 0.1 0.1 0.1 0.1 0.1 0.1 0.1
                fires:  .   .   .   .   .   .   .
                ",
            );
        }
        // %K after a rise is 100; the pause of no range is no fall of %K, and after it nothing is
        // known of the bar before.
        for entry in [&BULLISH, &BEARISH] {
            check(
                entry,
                &SHORT,
                "
                close: 9 10 11 12 12 12 13
                fires: .  .  .  .  .  .  .
                ",
            );
        }
    }

    #[test]
    fn strength_is_in_points() {
        let [signal] = signals(&OVERBOUGHT, &SHORT, "close: 10 9 10 11")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 20.0);
        assert_eq!(signal.facts, Facts::new(&[("k", 100.0), ("d", 100.0)]));
        let [signal] = signals(&BULLISH, &SHORT, "close: 10 9 8 9")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 50.0);
        assert_eq!(signal.facts, Facts::new(&[("k", 100.0), ("d", 50.0)]));
    }
}
