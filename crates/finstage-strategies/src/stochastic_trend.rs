//! The stochastic turns out of a pullback, in the direction of the trend.
//!
//! *Idea.* Lane's oscillator errs where there is a trend: only its signals that go with the trend are
//! taken. *Source.* George Lane, *Lane's Stochastics*, 1984; Alexander Elder, *Trading for a Living*, 1993
//! (the second screen: an oscillator against the tide, bought when it turns).
//!
//! *Condition.* Up: close > SMA(trend); previous %K <= previous %D and %K > %D, with %D <= level. Down:
//! close < SMA(trend); >= and <, with %D >= 100 - level. Fast stochastic, as in `stochastic_bullish_cross`;
//! a bar whose range is nothing has no place in it, and the bar after it has no previous one. *Strength.*
//! Points between the lines. *Warm-up.* The longer of period + average and trend; nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{AverageKind, HighLowClose, Indicator, Sma, StochFast};

use crate::cross::{Crossing, Edge, Side};

pub(crate) const UP: Entry = Entry {
    name: "stochastic_trend_up",
    direction: Side::Above.with_the_move(),
    describes: "%K(period) crosses above its mean %D(average) at the level or below while the close is above the SMA(trend): a rise is expected",
    korean: "종가가 SMA({trend}) 위인 가운데 %K({period})가 {level} 이하에서 %D({average})를 위로 돌파",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "above"),
    build: |params| Box::new(StochasticTrend::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "stochastic_trend_down",
    direction: Side::Below.with_the_move(),
    describes: "%K(period) crosses below its mean %D(average) at 100 less the level or above while the close is below the SMA(trend): a fall is expected",
    korean: "종가가 SMA({trend}) 아래인 가운데 %K({period})가 (100 − {level}) 이상에서 %D({average})를 아래로 돌파",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "below"),
    build: |params| Box::new(StochasticTrend::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 14, "bars in the range of %K") },
    ParamSpec { min: 2.0, ..ParamSpec::period("average", 3, "values of %K in %D") },
    ParamSpec::number("level", 30.0, (0.0, 50.0), "how deep %D must be, in points from the end"),
    ParamSpec { min: 2.0, ..ParamSpec::period("trend", 50, "bars in the average of closes") },
];

fn words(params: &Params, side: &str) -> String {
    let (period, average) = (params.get("period"), params.get("average"));
    let (level, trend) = (params.get("level"), params.get("trend"));
    format!(
        "stochastic %K({period}, {average}) crossed {side} its %D within {level} points of the end, close {side} SMA({trend})"
    )
}

#[derive(Debug)]
struct StochasticTrend {
    side: Side,
    level: f64,
    stochastic: StochFast,
    average: Sma,
    crossing: Crossing,
}

impl StochasticTrend {
    fn new(params: &Params, side: Side) -> Self {
        let average = (params.period("average"), AverageKind::Simple);
        Self {
            side,
            level: params.get("level"),
            stochastic: StochFast::new(params.period("period"), average),
            average: Sma::new(params.period("trend")),
            crossing: Crossing::new(side, Edge::Passes),
        }
    }
}

impl Strategy for StochasticTrend {
    fn warmup(&self) -> usize {
        self.average.warmup().max(self.stochastic.warmup() + 1)
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let average = self.average.update(close);
        let Some(value) = self.stochastic.update(HighLowClose::from(bar)) else { return };
        if value.range <= 0.0 {
            self.crossing = Crossing::new(self.side, Edge::Passes);
            return;
        }
        let gap = value.k - value.d;
        let crosses = self.crossing.step(gap) == Some(true);
        let depth = match self.side {
            Side::Above => value.d,
            Side::Below => 100.0 - value.d,
        };
        if let Some(average) = average
            && crosses
            && depth <= self.level
            && self.side.beyond(close - average) > 0.0
        {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: gap.abs(),
                facts: Facts::new(&[
                    ("k", value.k),
                    ("d", value.d),
                    ("close", close),
                    ("sma", average),
                ]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 4] =
        [("period", 2.0), ("average", 2.0), ("level", 50.0), ("trend", 6.0)];
    // %K of the last bars: 0 0 and, of the range 15 to 16 after that, 100.
    const PULLBACK: &str = "close: 10 12 14 16 18 17 16 17";

    #[test]
    fn a_turn_with_the_trend_fires() {
        check(&UP, &SHORT, &format!("{PULLBACK}\nfires: . . . . . . . L"));
        let mirrored = "close: 20 18 16 14 12 13 14 13";
        check(&DOWN, &SHORT, &format!("{mirrored}\nfires: . . . . . . . S"));
    }

    #[test]
    fn a_turn_against_the_trend_or_too_early_does_not() {
        check(&UP, &SHORT, "close: 30 28 26 24 22 20 18 19\nfires: . . . . . . . .");
        let deep = [SHORT[0], SHORT[1], ("level", 40.0), SHORT[3]];
        check(&UP, &deep, &format!("{PULLBACK}\nfires: . . . . . . . ."));
    }

    #[test]
    fn strength_is_in_points() {
        let [signal] = signals(&UP, &SHORT, PULLBACK)[..] else { panic!("one signal") };
        assert_eq!(signal.strength, 50.0);
    }
}
