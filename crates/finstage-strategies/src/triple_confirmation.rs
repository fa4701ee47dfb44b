//! Price, momentum and volume agree: the triple confirmation.
//!
//! *Idea.* A move is believed when three independent witnesses tell the same story at the same time: the
//! price left its average, gains outweigh losses, and more than usual is traded. *Source.* Confirmation
//! by several indicators: John Murphy, *Technical Analysis of the Financial Markets*, 1999, chapters 9,
//! 10 and 7; the levels are the customary ones.
//!
//! *Condition.* Up: close > SMA(period), RSI(rsi) > 50 and volume > its mean of `volume` bars, all three
//! on this bar and not all three on the bar before. Down: close < SMA and RSI < 50, volume as above.
//! Where the mean volume is zero there is no ratio: nothing is said of that bar and the next.
//! *Strength.* Distance of the close from the SMA, in percent of the SMA. *Warm-up.* The longest of
//! period, rsi + 1 and volume, plus 1. *Memory.* That of the RSI: 10.5 (2 rsi - 1) moves.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Indicator, Rsi, Sma, VolumeRatio};

use crate::cross::{Onset, Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "triple_confirmation_up",
    direction: Side::Above.with_the_move(),
    describes: "close over SMA(period), RSI(rsi) over 50 and volume over its mean of volume bars become true together: a rise is expected",
    korean: "종가가 SMA({period}) 위, RSI({rsi})이 50 초과, 거래량이 {volume}봉 평균 초과: 세 조건이 함께 성립",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "above"),
    build: |params| Box::new(TripleConfirmation::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "triple_confirmation_down",
    direction: Side::Below.with_the_move(),
    describes: "close under SMA(period), RSI(rsi) under 50 and volume over its mean of volume bars become true together: a fall is expected",
    korean: "종가가 SMA({period}) 아래, RSI({rsi})이 50 미만, 거래량이 {volume}봉 평균 초과: 세 조건이 함께 성립",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "below"),
    build: |params| Box::new(TripleConfirmation::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 20, "bars in the average of closes") },
    ParamSpec { min: 2.0, ..ParamSpec::period("rsi", 14, "moves in the averages of the RSI") },
    ParamSpec { min: 2.0, ..ParamSpec::period("volume", 20, "bars in the mean volume") },
];

/// Where gains and losses balance.
const MIDDLE: f64 = 50.0;

fn words(params: &Params, side: &str) -> String {
    let (period, rsi, volume) = (params.get("period"), params.get("rsi"), params.get("volume"));
    format!(
        "close {side} SMA({period}), RSI({rsi}) {side} 50 and volume above its mean of {volume} bars"
    )
}

#[derive(Debug)]
struct TripleConfirmation {
    side: Side,
    average: Sma,
    rsi: Rsi,
    volume: VolumeRatio,
    onset: Onset,
}

impl TripleConfirmation {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            side,
            average: Sma::new(params.period("period")),
            rsi: Rsi::new(params.period("rsi")),
            volume: VolumeRatio::new(params.period("volume")),
            onset: Onset::default(),
        }
    }
}

impl Strategy for TripleConfirmation {
    fn warmup(&self) -> usize {
        self.average.warmup().max(self.rsi.warmup()).max(self.volume.warmup()) + 1
    }

    fn memory(&self) -> usize {
        self.warmup().max(self.rsi.memory() + 1)
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let (average, rsi) = (self.average.update(close), self.rsi.update(close));
        let ratio = self.volume.update(bar.volume.to_f64());
        let (Some(average), Some(rsi), Some(ratio)) = (average, rsi, ratio) else {
            self.onset.step(None);
            return;
        };
        let beyond = |gap| self.side.beyond(gap) > 0.0;
        let holds = beyond(close - average) && beyond(rsi - MIDDLE) && ratio > 1.0;
        if self.onset.step(Some(holds)) {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - average, average),
                facts: Facts::new(&[
                    ("close", close),
                    ("sma", average),
                    ("rsi", rsi),
                    ("volume_ratio", ratio),
                ]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 3] = [("period", 2.0), ("rsi", 2.0), ("volume", 2.0)];

    #[test]
    fn it_fires_when_the_last_of_the_three_joins_and_once() {
        // Close and RSI stand above from the fourth bar on; the volume joins on the fifth.
        check(
            &UP,
            &SHORT,
            "
            close:  10 9 8 12 13 14
            volume:  3 3 3  1  2  3
            fires:   . . .  .  L  .
            ",
        );
        check(
            &DOWN,
            &SHORT,
            "
            close:  10 11 12 8 7 6
            volume:  3  3  3 1 2 3
            fires:   .  .  . . S .
            ",
        );
    }

    #[test]
    fn without_volume_nothing_is_confirmed() {
        check(
            &UP,
            &SHORT,
            "
            close:  10 9 8 12 13 14
            volume:  1 1 1  1  1  1
            fires:   . . .  .  .  .
            ",
        );
        check(
            &UP,
            &SHORT,
            "
            close:  10 9 8 12 13 14
            volume:  0 0 0  0  0  5
            fires:   . . .  .  .  .
            ",
        );
    }

    #[test]
    fn strength_is_the_distance_from_the_average() {
        let bars = "close: 10 9 8 12\nvolume: 1 1 1 3";
        let [signal] = signals(&UP, &SHORT, bars)[..] else { panic!("one signal") };
        assert_eq!(signal.strength, 20.0);
        // Wilder over two moves: gains 0 then (0 + 4) / 2, losses 1 then (1 + 0) / 2.
        let facts = [("close", 12.0), ("sma", 10.0), ("rsi", 80.0), ("volume_ratio", 1.5)];
        assert_eq!(signal.facts, Facts::new(&facts));
    }
}
