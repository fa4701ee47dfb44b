//! The MACD crosses its signal line, or zero.
//!
//! *Idea.* The distance between a fast and a slow average is the speed of the trend; its turn comes
//! before the turn of the price, its change of sign confirms it. *Source.* Gerald Appel, *The Moving
//! Average Convergence-Divergence Method*, 1979, and *Technical Analysis: Power Tools for Active
//! Investors*, 2005. The periods 12, 26 and 9 are his.
//!
//! *Condition.* Bullish: previous MACD <= previous signal line and MACD > signal line; bearish: >=
//! and <. Zero up: previous MACD <= 0 and MACD > 0; zero down: >= and <. The MACD is said from the bar
//! on which the signal line exists, for all four. *Strength.* Distance of the MACD from the line it
//! crossed, in percent of the close. *Warm-up.* slow + signal bars: slow + signal - 1 for the first
//! value, and the previous one. *Memory.* Exponential averages never quite forget: 10.5 slow for the
//! slow average and then 10.5 signal for the signal line.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{Indicator, Macd, MacdParams};

use crate::cross::{Crossing, Edge, Side, percent};
use crate::golden_cross::fast_is_faster;

pub(crate) const BULLISH: Entry = Entry {
    name: "macd_bullish_cross",
    direction: Direction::Long,
    describes: "the MACD(fast, slow) crosses above its signal line EMA(signal): a rise is expected",
    korean: "MACD({fast}, {slow}, {signal})가 시그널선을 위로 돌파",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "above its signal line"),
    build: |params| Box::new(MacdCross::new(params, Line::Signal, Side::Above)),
};

pub(crate) const BEARISH: Entry = Entry {
    name: "macd_bearish_cross",
    direction: Direction::Short,
    describes: "the MACD(fast, slow) crosses below its signal line EMA(signal): a fall is expected",
    korean: "MACD({fast}, {slow}, {signal})가 시그널선을 아래로 돌파",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "below its signal line"),
    build: |params| Box::new(MacdCross::new(params, Line::Signal, Side::Below)),
};

pub(crate) const ZERO_UP: Entry = Entry {
    name: "macd_zero_cross_up",
    direction: Direction::Long,
    describes: "the MACD(fast, slow, signal) crosses above zero: a rise is expected",
    korean: "MACD({fast}, {slow}, {signal})가 0선을 위로 돌파",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "above zero"),
    build: |params| Box::new(MacdCross::new(params, Line::Zero, Side::Above)),
};

pub(crate) const ZERO_DOWN: Entry = Entry {
    name: "macd_zero_cross_down",
    direction: Direction::Short,
    describes: "the MACD(fast, slow, signal) crosses below zero: a fall is expected",
    korean: "MACD({fast}, {slow}, {signal})가 0선을 아래로 돌파",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "below zero"),
    build: |params| Box::new(MacdCross::new(params, Line::Zero, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::period("fast", 12, "bars of the fast exponential average"),
    ParamSpec::period("slow", 26, "bars of the slow exponential average"),
    ParamSpec::period("signal", 9, "bars of the signal line"),
];

fn words(params: &Params, line: &str) -> String {
    let (fast, slow, signal) = (params.get("fast"), params.get("slow"), params.get("signal"));
    format!("MACD({fast}, {slow}, {signal}) crossed {line}")
}

/// What the MACD crosses.
#[derive(Debug, Clone, Copy)]
enum Line {
    Signal,
    Zero,
}

#[derive(Debug)]
struct MacdCross {
    direction: Direction,
    line: Line,
    macd: Macd,
    crossing: Crossing,
}

impl MacdCross {
    fn new(params: &Params, line: Line, side: Side) -> Self {
        let macd = Macd::new(MacdParams {
            fast: params.period("fast"),
            slow: params.period("slow"),
            signal: params.period("signal"),
        });
        let crossing = Crossing::new(side, Edge::Passes);
        Self { direction: side.with_the_move(), line, macd, crossing }
    }
}

impl Strategy for MacdCross {
    fn warmup(&self) -> usize {
        self.macd.warmup() + 1
    }

    fn memory(&self) -> usize {
        self.macd.memory() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let Some(value) = self.macd.update(close) else { return };
        let gap = match self.line {
            Line::Signal => value.histogram,
            Line::Zero => value.macd,
        };
        if self.crossing.step(gap) == Some(true) {
            out.push(Firing {
                direction: self.direction,
                strength: percent(gap, close),
                facts: Facts::new(&[("macd", value.macd), ("signal", value.signal)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    // With the closes 10 10 10 12 12 9 the MACD is 0, 0, 2/3, 2/9, -25/27 from the second bar on,
    // its signal line 0, 4/9, 8/27, -14/27 from the third.
    const SHORT: [(&str, f64); 3] = [("fast", 1.0), ("slow", 2.0), ("signal", 2.0)];

    #[test]
    fn each_cross_fires_on_its_bar_alone() {
        for (entry, fires) in [
            (&BULLISH, ". . . L . ."),
            (&BEARISH, ". . . . S ."),
            (&ZERO_UP, ". . . L . ."),
            (&ZERO_DOWN, ". . . . . S"),
        ] {
            check(entry, &SHORT, &format!("close: 10 10 10 12 12 9\nfires: {fires}"));
        }
    }

    #[test]
    fn above_zero_from_the_first_is_no_cross() {
        for entry in [&BULLISH, &ZERO_UP] {
            check(
                entry,
                &SHORT,
                "
                close: 10 11 13 16 20
                fires:  .  .  .  .  .
                ",
            );
        }
    }

    #[test]
    fn a_market_that_stands_still_never_crosses() {
        for entry in [&BULLISH, &BEARISH, &ZERO_UP, &ZERO_DOWN] {
            check(
                entry,
                &[("fast", 2.0), ("slow", 3.0), ("signal", 2.0)],
                "
                close: 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1
                fires:  .   .   .   .   .   .   .   .   .
                ",
            );
        }
    }

    #[test]
    fn strength_is_the_distance_in_percent_of_the_close() {
        let [signal] = signals(&ZERO_DOWN, &SHORT, "close: 10 10 10 12 12 9")[..] else {
            panic!("one signal");
        };
        assert!((signal.strength - 25.0 / 27.0 / 9.0 * 100.0).abs() < 1e-12);
        let [macd, line] = signal.facts.iter().collect::<Vec<_>>()[..] else { panic!("two facts") };
        assert_eq!((macd.name.as_str(), line.name.as_str()), ("macd", "signal"));
        assert!((macd.value + 25.0 / 27.0).abs() < 1e-12);
        assert!((line.value + 14.0 / 27.0).abs() < 1e-12);
    }
}
