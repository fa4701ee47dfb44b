//! A fast moving average crosses a slow one: the golden cross and the dead cross.
//!
//! *Idea.* When the mean price of the last weeks overtakes that of the last months, the trend has
//! turned. *Source.* Double crossover of Richard Donchian, 1960s; John Murphy, *Technical Analysis of
//! the Financial Markets*, 1999, chapter 9. The 50 and 200 days are the classic pair.
//!
//! *Condition.* Golden: previous fast <= previous slow and fast > slow. Dead: previous fast >=
//! previous slow and fast < slow. Both are simple means, each rounded once, so a tie is a tie.
//! *Strength.* Distance of the averages, in percent of the slow one. *Warm-up.* slow + 1 bars;
//! nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{Indicator, Sma};

use crate::cross::{Crossing, Edge, Side, percent};

pub(crate) const GOLDEN: Entry = Entry {
    name: "golden_cross",
    direction: Direction::Long,
    describes: "the SMA(fast) crosses above the SMA(slow): a rise is expected",
    korean: "SMA({fast})이 SMA({slow})을 위로 돌파 (골든크로스)",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "above"),
    build: |params| Box::new(AverageCross::new(params, Side::Above)),
};

pub(crate) const DEAD: Entry = Entry {
    name: "dead_cross",
    direction: Direction::Short,
    describes: "the SMA(fast) crosses below the SMA(slow): a fall is expected",
    korean: "SMA({fast})이 SMA({slow})을 아래로 돌파 (데드크로스)",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "below"),
    build: |params| Box::new(AverageCross::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::period("fast", 50, "bars in the fast average"),
    ParamSpec::period("slow", 200, "bars in the slow average"),
];

fn words(params: &Params, side: &str) -> String {
    format!("SMA({}) crossed {side} SMA({})", params.get("fast"), params.get("slow"))
}

/// Refuses a fast average that is not faster; the crosses of moving averages share it.
pub(crate) fn fast_is_faster(params: &Params) -> Result<(), &'static str> {
    if params.get("fast") < params.get("slow") {
        Ok(())
    } else {
        Err("fast must be less than slow")
    }
}

#[derive(Debug)]
struct AverageCross {
    direction: Direction,
    fast: Sma,
    slow: Sma,
    crossing: Crossing,
}

impl AverageCross {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            direction: side.with_the_move(),
            fast: Sma::new(params.period("fast")),
            slow: Sma::new(params.period("slow")),
            crossing: Crossing::new(side, Edge::Passes),
        }
    }
}

impl Strategy for AverageCross {
    fn warmup(&self) -> usize {
        self.slow.warmup() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let (Some(fast), Some(slow)) = (self.fast.update(close), self.slow.update(close)) else {
            return;
        };
        let gap = fast - slow;
        if self.crossing.step(gap) == Some(true) {
            out.push(Firing {
                direction: self.direction,
                strength: percent(gap, slow),
                facts: Facts::new(&[("fast", fast), ("slow", slow)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 2] = [("fast", 2.0), ("slow", 3.0)];

    #[test]
    fn golden_cross_fires_once_and_only_on_the_crossing_bar() {
        check(
            &GOLDEN,
            &SHORT,
            "
            close: 10 10 10 12 14 14
            fires:  .  .  .  L  .  .
            ",
        );
    }

    #[test]
    fn dead_cross_fires_once_and_only_on_the_crossing_bar() {
        check(
            &DEAD,
            &SHORT,
            "
            close: 10 10 10 8 6 6
            fires:  .  .  . S . .
            ",
        );
    }

    #[test]
    fn a_tie_is_not_yet_a_cross() {
        // The averages are equal on the fifth bar.
        check(
            &GOLDEN,
            &SHORT,
            "
            close: 12 11 10 10 10 12
            fires:  .  .  .  .  .  L
            ",
        );
        check(
            &GOLDEN,
            &SHORT,
            "
            close: 12 11 10 10 10 9
            fires:  .  .  .  .  . .
            ",
        );
    }

    #[test]
    fn a_cross_before_the_warm_up_is_not_known() {
        check(
            &GOLDEN,
            &SHORT,
            "
            close: 10 10 13 14
            fires:  .  .  .  .
            ",
        );
    }

    #[test]
    fn strength_is_the_distance_in_percent_of_the_slow_average() {
        let [signal] = signals(&GOLDEN, &SHORT, "close: 10 10 10 13")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.facts, Facts::new(&[("fast", 11.5), ("slow", 11.0)]));
        assert_eq!(signal.strength, 0.5 / 11.0 * 100.0);
    }
}
