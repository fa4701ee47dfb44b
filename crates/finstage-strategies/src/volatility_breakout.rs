//! The bar moves further from its open than half of yesterday's range: Larry Williams's volatility breakout.
//!
//! *Idea.* Most days stay within what yesterday was like; one that does not has a reason, and goes on.
//! *Source.* Larry Williams, *Long-Term Secrets to Short-Term Trading*, 1999, chapter 4.
//!
//! *Condition.* Up: close > open + factor × (previous high - previous low). Down: close < open - factor ×
//! that range. A previous bar without range says nothing. Each bar stands for itself: no edge is asked for.
//! *Strength.* Distance of the close beyond the level, in percent of the level. *Warm-up.* 2 bars; nothing
//! older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};

use crate::cross::{Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "volatility_breakout_up",
    direction: Side::Above.with_the_move(),
    describes: "the close is above the open by more than factor times the range of the bar before: a rise is expected",
    korean: "종가가 시가보다 직전 봉 변동폭의 {factor}배 넘게 높음 (변동성 돌파)",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "above"),
    build: |params| Box::new(VolatilityBreakout::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "volatility_breakout_down",
    direction: Side::Below.with_the_move(),
    describes: "the close is below the open by more than factor times the range of the bar before: a fall is expected",
    korean: "종가가 시가보다 직전 봉 변동폭의 {factor}배 넘게 낮음 (변동성 이탈)",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "below"),
    build: |params| Box::new(VolatilityBreakout::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] =
    &[ParamSpec::number("factor", 0.5, (0.01, 100.0), "times of the previous range")];

fn words(params: &Params, side: &str) -> String {
    let factor = params.get("factor");
    format!("close {side} the open by more than {factor} times the previous range")
}

#[derive(Debug)]
struct VolatilityBreakout {
    side: Side,
    factor: f64,
    /// High less low of the bar before.
    range: Option<f64>,
}

impl VolatilityBreakout {
    fn new(params: &Params, side: Side) -> Self {
        Self { side, factor: params.get("factor"), range: None }
    }
}

impl Strategy for VolatilityBreakout {
    fn warmup(&self) -> usize {
        2
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let (open, close) = (bar.open.to_f64(), bar.close.to_f64());
        let range = self.range.replace(bar.high.to_f64() - bar.low.to_f64());
        let Some(range) = range.filter(|range| *range > 0.0) else { return };
        let level = match self.side {
            Side::Above => open + self.factor * range,
            Side::Below => open - self.factor * range,
        };
        if self.side.beyond(close - level) > 0.0 {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - level, level),
                facts: Facts::new(&[("close", close), ("level", level), ("range", range)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    #[test]
    fn a_bar_that_goes_further_than_half_the_range_before_fires() {
        check(
            &UP,
            &[],
            "
            high:  12 12 14 18
            low:    8 10 11 14
            open:  10 10 12 14
            close: 10 12 14 17
            fires:  .  .  L  L
            ",
        );
        check(
            &DOWN,
            &[],
            "
            high:  12 10 9 6
            low:    8  8 6 3
            open:  10 10 9 6
            close: 10  8 6 3
            fires:  .  . S S
            ",
        );
    }

    #[test]
    fn after_a_bar_without_range_nothing_is_said() {
        check(&UP, &[], "open: 10 10 10\nclose: 10 12 10\nfires: . . .");
        check(&DOWN, &[], "open: 10 10 10\nclose: 10 10 8\nfires: . . .");
    }

    #[test]
    fn strength_is_the_distance_beyond_the_level() {
        let [signal] = signals(&UP, &[], "high: 12 13\nlow: 8 10\nopen: 10 10\nclose: 10 13")[..]
        else {
            panic!("one signal");
        };
        assert_eq!(signal.facts, Facts::new(&[("close", 13.0), ("level", 12.0), ("range", 4.0)]));
        assert_eq!(signal.strength, 1.0 / 12.0 * 100.0);
    }
}
