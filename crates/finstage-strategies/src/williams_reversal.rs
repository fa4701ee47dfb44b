//! Williams's %R comes back from an extreme.
//!
//! *Idea.* Closes at the very end of their range show exhaustion only when they stop: the way back is the
//! signal, not the extreme. *Source.* Larry Williams, *How I Made One Million Dollars Last Year Trading
//! Commodities*, 1973; the levels -80 and -20 are his.
//!
//! *Condition.* `williams_r_oversold`: previous %R <= level and %R > level. `williams_r_overbought`:
//! previous %R >= level and %R < level. A bar whose range of `period` bars is nothing has no place in it:
//! nothing is said, and the bar after it has no previous one. *Strength.* Points beyond the level.
//! *Warm-up.* period + 1 bars; nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Donchian, HighLowClose, Indicator, WilliamsR};

use crate::cross::{Crossing, Edge, Side};

pub(crate) const OVERSOLD: Entry = Entry {
    name: "williams_r_oversold",
    direction: Side::Above.with_the_move(),
    describes: "Williams %R(period) comes back above the level: no longer oversold, a rise is expected",
    korean: "윌리엄스 %R({period})이 {level} 위로 복귀 (과매도 해소)",
    params: &[PERIOD, ParamSpec::number("level", -80.0, (-100.0, -50.0), "%R, -100 to -50")],
    check: |_| Ok(()),
    words: |params| words(params, "above"),
    build: |params| Box::new(WilliamsReversal::new(params, Side::Above)),
};

pub(crate) const OVERBOUGHT: Entry = Entry {
    name: "williams_r_overbought",
    direction: Side::Below.with_the_move(),
    describes: "Williams %R(period) comes back below the level: no longer overbought, a fall is expected",
    korean: "윌리엄스 %R({period})이 {level} 아래로 복귀 (과매수 해소)",
    params: &[PERIOD, ParamSpec::number("level", -20.0, (-50.0, 0.0), "%R, -50 to 0")],
    check: |_| Ok(()),
    words: |params| words(params, "below"),
    build: |params| Box::new(WilliamsReversal::new(params, Side::Below)),
};

const PERIOD: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 14, "bars in the range") };

fn words(params: &Params, side: &str) -> String {
    format!("Williams %R({}) came back {side} {}", params.get("period"), params.get("level"))
}

#[derive(Debug)]
struct WilliamsReversal {
    side: Side,
    level: f64,
    place: WilliamsR,
    range: Donchian,
    crossing: Crossing,
}

impl WilliamsReversal {
    fn new(params: &Params, side: Side) -> Self {
        let period = params.period("period");
        Self {
            side,
            level: params.get("level"),
            place: WilliamsR::new(period),
            range: Donchian::new(period),
            crossing: Crossing::new(side, Edge::Passes),
        }
    }
}

impl Strategy for WilliamsReversal {
    fn warmup(&self) -> usize {
        self.place.warmup() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let bar = HighLowClose::from(bar);
        let (place, range) = (self.place.update(bar), self.range.update(bar));
        let (Some(place), Some(range)) = (place, range) else { return };
        if range.upper <= range.lower {
            self.crossing = Crossing::new(self.side, Edge::Passes);
            return;
        }
        let gap = place - self.level;
        if self.crossing.step(gap) == Some(true) {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: gap.abs(),
                facts: Facts::new(&[
                    ("williams_r", place),
                    ("close", bar.close),
                    ("high", range.upper),
                    ("low", range.lower),
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
    fn the_way_back_fires_and_the_extreme_does_not() {
        // Of two closes: -100 after a fall, 0 after a rise.
        check(&OVERSOLD, &SHORT, "close: 10 9 8 9 10\nfires: . . . L .");
        check(&OVERBOUGHT, &SHORT, "close: 10 11 12 11 10\nfires: . . . S .");
    }

    #[test]
    fn a_market_that_stands_still_has_no_place_in_its_range() {
        for entry in [&OVERSOLD, &OVERBOUGHT] {
            check(entry, &SHORT, "close: 10 10 10 10 10\nfires: . . . . .");
        }
        check(&OVERSOLD, &SHORT, "close: 10 9 9 10\nfires: . . . .");
    }

    #[test]
    fn strength_is_in_points_beyond_the_level() {
        let bars = "high: 10 10 10\nlow: 0 0 0\nclose: 5 1 4";
        let [signal] = signals(&OVERSOLD, &SHORT, bars)[..] else { panic!("one signal") };
        assert_eq!(signal.strength, 20.0);
        let facts = [("williams_r", -60.0), ("close", 4.0), ("high", 10.0), ("low", 0.0)];
        assert_eq!(signal.facts, Facts::new(&facts));
    }
}
