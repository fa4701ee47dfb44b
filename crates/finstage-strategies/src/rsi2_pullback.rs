//! A short pullback in a long trend: the two-bar RSI of Connors.
//!
//! *Idea.* In a rising market a few bad days are an exaggeration, and mostly taken back within days.
//! *Source.* Larry Connors and Cesar Alvarez, *Short Term Trading Strategies That Work*, 2008 (RSI of 2
//! bars at 10 or below, above the average of 200 days).
//!
//! *Condition.* `rsi2_pullback`: close > SMA(trend), previous RSI(period) > level and RSI(period) <= level.
//! `rsi2_rally`: close < SMA(trend), previous RSI < level and RSI >= level. *Strength.* Points beyond the
//! level. *Warm-up.* The longer of trend and period + 2. *Memory.* That of the RSI: 10.5 (2 period - 1) moves,
//! or trend.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{Indicator, Rsi, Sma};

use crate::cross::{Crossing, Edge, Side};

pub(crate) const PULLBACK: Entry = Entry {
    name: "rsi2_pullback",
    direction: Direction::Long,
    describes: "the RSI(period) falls to the level or below while the close is above the SMA(trend): a pullback, a rise is expected",
    korean: "종가가 SMA({trend}) 위인 가운데 RSI({period})이 {level} 이하로 하락 (눌림목)",
    params: &[PERIOD, TREND, ParamSpec::number("level", 10.0, (0.0, 50.0), "RSI, 0 to 50")],
    check: |_| Ok(()),
    words: |params| words(params, "fell", "below", "above"),
    build: |params| Box::new(Pullback::new(params, Side::Below)),
};

pub(crate) const RALLY: Entry = Entry {
    name: "rsi2_rally",
    direction: Direction::Short,
    describes: "the RSI(period) rises to the level or above while the close is below the SMA(trend): a rally in a bear market, a fall is expected",
    korean: "종가가 SMA({trend}) 아래인 가운데 RSI({period})이 {level} 이상으로 상승 (약세장 반등)",
    params: &[PERIOD, TREND, ParamSpec::number("level", 90.0, (50.0, 100.0), "RSI, 50 to 100")],
    check: |_| Ok(()),
    words: |params| words(params, "rose", "above", "below"),
    build: |params| Box::new(Pullback::new(params, Side::Above)),
};

const PERIOD: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 2, "moves in the averages of the RSI") };
const TREND: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("trend", 200, "bars in the average of closes") };

fn words(params: &Params, verb: &str, side: &str, trend: &str) -> String {
    format!(
        "RSI({}) {verb} to {} or {side} with the close {trend} SMA({})",
        params.get("period"),
        params.get("level"),
        params.get("trend")
    )
}

#[derive(Debug)]
struct Pullback {
    /// Where the index must arrive; the trend stands on the other side.
    side: Side,
    level: f64,
    rsi: Rsi,
    average: Sma,
    crossing: Crossing,
}

impl Pullback {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            side,
            level: params.get("level"),
            rsi: Rsi::new(params.period("period")),
            average: Sma::new(params.period("trend")),
            crossing: Crossing::new(side, Edge::Reaches),
        }
    }
}

impl Strategy for Pullback {
    fn warmup(&self) -> usize {
        self.average.warmup().max(self.rsi.warmup() + 1)
    }

    fn memory(&self) -> usize {
        self.warmup().max(self.rsi.memory() + 1)
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let (average, rsi) = (self.average.update(close), self.rsi.update(close));
        let Some(rsi) = rsi else { return };
        let reaches = self.crossing.step(rsi - self.level) == Some(true);
        if let Some(average) = average
            && reaches
            && self.side.beyond(close - average) < 0.0
        {
            out.push(Firing {
                direction: self.side.against_the_move(),
                strength: self.side.beyond(rsi - self.level),
                facts: Facts::new(&[("rsi", rsi), ("close", close), ("sma", average)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const LOW: [(&str, f64); 2] = [("trend", 8.0), ("level", 40.0)];
    const HIGH: [(&str, f64); 2] = [("trend", 8.0), ("level", 60.0)];

    #[test]
    fn a_pullback_above_the_average_expects_the_rise_to_go_on() {
        check(
            &PULLBACK,
            &LOW,
            "
            close: 10 12 14 16 18 20 18 17
            fires:  .  .  .  .  .  .  .  L
            ",
        );
        check(
            &RALLY,
            &HIGH,
            "
            close: 20 18 16 14 12 10 12 13
            fires:  .  .  .  .  .  .  .  S
            ",
        );
    }

    #[test]
    fn below_the_average_it_is_no_pullback() {
        check(&PULLBACK, &LOW, "close: 10 12 14 16 18 20 5 4\nfires: . . . . . . . .");
        check(&RALLY, &HIGH, "close: 20 18 16 14 12 10 25 26\nfires: . . . . . . . .");
    }

    #[test]
    fn strength_is_in_points() {
        let [signal] = signals(&PULLBACK, &LOW, "close: 10 12 14 16 18 20 18 17")[..] else {
            panic!("one signal");
        };
        // Wilder over two moves: gains 2 1 0.5, losses 0 1 1.
        let rsi = 100.0 * (0.5 / 1.5);
        assert!((signal.strength - (40.0 - rsi)).abs() < 1e-9, "{signal:?}");
    }
}
