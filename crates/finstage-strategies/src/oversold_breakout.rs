//! The index was oversold a moment ago, and now the price crosses its average: a reversal confirmed.
//!
//! *Idea.* "Oversold" alone catches falling knives; the reversal is believed once the price has taken back
//! its average while the exhaustion is still fresh. *Source.* Waiting for the price to confirm the index:
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978, and John Murphy, *Technical
//! Analysis of the Financial Markets*, 1999, chapter 10.
//!
//! *Condition.* `oversold_breakout`: RSI(rsi) <= level on this bar or one of the `within` before it;
//! previous close <= previous SMA(period) and close > SMA(period). `overbought_breakdown`: RSI >= level,
//! and the close crosses below. *Strength.* Distance of the close from the SMA, in percent of the SMA.
//! *Warm-up.* The longer of rsi + 1 and period + 1. *Memory.* That of the RSI and `within` bars.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Indicator, Rsi, Sma};

use crate::cross::{Crossing, Edge, Side, Since, percent};

pub(crate) const OVERSOLD: Entry = Entry {
    name: "oversold_breakout",
    direction: Side::Above.with_the_move(),
    describes: "the close crosses above the SMA(period) at most within bars after the RSI(rsi) was at the level or below: a rise is expected",
    korean: "RSI({rsi})이 {level} 이하였던 뒤 {within}봉 이내에 종가가 SMA({period})을 위로 돌파",
    params: &[PERIOD, RSI, ParamSpec::number("level", 30.0, (0.0, 50.0), "RSI, 0 to 50"), WITHIN],
    check: |_| Ok(()),
    words: |params| words(params, "above", "below"),
    build: |params| Box::new(ReversalBreakout::new(params, Side::Above)),
};

pub(crate) const OVERBOUGHT: Entry = Entry {
    name: "overbought_breakdown",
    direction: Side::Below.with_the_move(),
    describes: "the close crosses below the SMA(period) at most within bars after the RSI(rsi) was at the level or above: a fall is expected",
    korean: "RSI({rsi})이 {level} 이상이었던 뒤 {within}봉 이내에 종가가 SMA({period})을 아래로 돌파",
    params: &[
        PERIOD,
        RSI,
        ParamSpec::number("level", 70.0, (50.0, 100.0), "RSI, 50 to 100"),
        WITHIN,
    ],
    check: |_| Ok(()),
    words: |params| words(params, "below", "above"),
    build: |params| Box::new(ReversalBreakout::new(params, Side::Below)),
};

const PERIOD: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 20, "bars in the average of closes") };
const RSI: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("rsi", 14, "moves in the averages of the RSI") };
const WITHIN: ParamSpec = ParamSpec::period("within", 10, "bars for which the level is remembered");

fn words(params: &Params, side: &str, extreme: &str) -> String {
    let (period, rsi) = (params.get("period"), params.get("rsi"));
    let (level, within) = (params.get("level"), params.get("within"));
    format!(
        "close crossed {side} SMA({period}) within {within} bars of RSI({rsi}) at {level} or {extreme}"
    )
}

#[derive(Debug)]
struct ReversalBreakout {
    side: Side,
    level: f64,
    within: usize,
    rsi: Rsi,
    average: Sma,
    crossing: Crossing,
    extreme: Since,
}

impl ReversalBreakout {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            side,
            level: params.get("level"),
            within: params.period("within"),
            rsi: Rsi::new(params.period("rsi")),
            average: Sma::new(params.period("period")),
            crossing: Crossing::new(side, Edge::Passes),
            extreme: Since::default(),
        }
    }
}

impl Strategy for ReversalBreakout {
    fn warmup(&self) -> usize {
        self.rsi.warmup().max(self.average.warmup() + 1)
    }

    fn memory(&self) -> usize {
        self.warmup().max(self.rsi.memory() + self.within)
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let (average, rsi) = (self.average.update(close), self.rsi.update(close));
        let is_extreme = rsi.is_some_and(|rsi| self.side.beyond(rsi - self.level) <= 0.0);
        let is_fresh = self.extreme.step(is_extreme).is_some_and(|bars| bars <= self.within);
        let Some(average) = average else { return };
        let crosses = self.crossing.step(close - average) == Some(true);
        if let Some(rsi) = rsi
            && crosses
            && is_fresh
        {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - average, average),
                facts: Facts::new(&[("close", close), ("sma", average), ("rsi", rsi)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 3] = [("period", 3.0), ("rsi", 2.0), ("within", 2.0)];

    #[test]
    fn a_fresh_exhaustion_and_the_average_taken_back() {
        // The index is 0 until the fourth bar.
        check(
            &OVERSOLD,
            &SHORT,
            "
            close: 10 9 8 7 9 11
            fires:  . . . . L  .
            ",
        );
        check(
            &OVERBOUGHT,
            &SHORT,
            "
            close: 10 11 12 13 11 9
            fires:  .  .  .  .  S .
            ",
        );
    }

    #[test]
    fn an_old_exhaustion_is_forgotten() {
        // The index leaves 30 after the fourth bar, and the average is taken back three bars later.
        let closes = "close: 10 9 8 7 7.5 7 7.4 8";
        let fresh = [SHORT[0], SHORT[1], ("within", 9.0)];
        let fires = |params: &[(&str, f64)]| signals(&OVERSOLD, params, closes).len();
        assert_eq!(fires(&fresh), 1);
        assert_eq!(fires(&[SHORT[0], SHORT[1], ("within", 1.0), ("level", 5.0)]), 0);
    }

    #[test]
    fn strength_is_the_distance_from_the_average() {
        let [signal] = signals(&OVERSOLD, &SHORT, "close: 10 9 8 7 12")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 3.0 / 9.0 * 100.0);
    }
}
