//! Much volume carries a move, or hardly any volume is traded.
//!
//! *Idea.* A move on which many act is believed more than one that happens in silence. *Source.*
//! Richard Wyckoff's effort and result, 1930s; Gervais, Kaniel and Mingelgrin, *The High-Volume
//! Return Premium*, Journal of Finance, 2001. The volume ratio is the volume of the bar in times of
//! the mean of the last `period` bars, the bar itself included; where that mean is zero there is no
//! ratio and nothing is said.
//!
//! *Condition.* `volume_breakout_up`: ratio >= `ratio` and the close more than `change` percent above
//! the previous one; `volume_breakout_down`: more than `change` percent below. `low_volume`: ratio <=
//! `ratio`, a state that may last for bars. *Strength.* Times of the mean by which the volume is
//! beyond the ratio. *Warm-up.* period bars (2 at least); nothing older counts.
//!
//! **The direction of `low_volume`.** Silence says nothing about where a price goes. A strategy has to
//! claim a direction so that it can be judged, so the one that markets drift to is declared: long.
//! Whoever watches it learns that the market is quiet; whether "long" is worth anything is for its
//! evidence card, and "unproven" is what is to be expected.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{Indicator, VolumeRatio};

use crate::cross::Side;

pub(crate) const UP: Entry = Entry {
    name: "volume_breakout_up",
    direction: Side::Above.with_the_move(),
    describes: "the volume is at least ratio times its mean over period bars and the close rose by more than change percent: a rise is expected to go on",
    korean: "거래량이 {period}봉 평균의 {ratio}배 이상이면서 종가가 {change} % 넘게 상승",
    params: &[PERIOD, SURGE, CHANGE],
    check: |_| Ok(()),
    words: |params| breakout_words(params, "rose"),
    build: |params| Box::new(VolumeBreakout::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "volume_breakout_down",
    direction: Side::Below.with_the_move(),
    describes: "the volume is at least ratio times its mean over period bars and the close fell by more than change percent: a fall is expected to go on",
    korean: "거래량이 {period}봉 평균의 {ratio}배 이상이면서 종가가 {change} % 넘게 하락",
    params: &[PERIOD, SURGE, CHANGE],
    check: |_| Ok(()),
    words: |params| breakout_words(params, "fell"),
    build: |params| Box::new(VolumeBreakout::new(params, Side::Below)),
};

pub(crate) const LOW: Entry = Entry {
    name: "low_volume",
    direction: Direction::Long,
    describes: "the volume is at most ratio times its mean over period bars; no direction follows from that, and it is judged as if a rise is expected",
    korean: "거래량이 {period}봉 평균의 {ratio}배 이하 (방향은 말하지 않음)",
    params: &[
        PERIOD,
        ParamSpec::number("ratio", 0.5, (0.0, 1.0), "times of the mean volume, at most"),
    ],
    check: |_| Ok(()),
    words: |params| {
        let (ratio, period) = (params.get("ratio"), params.get("period"));
        format!("volume at most {ratio} times its mean over {period} bars")
    },
    build: |params| {
        let volume = VolumeRatio::new(params.period("period"));
        Box::new(LowVolume { volume, ratio: params.get("ratio") })
    },
};

// The volume of one bar is always its own mean.
const PERIOD: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 20, "bars in the mean volume") };
const SURGE: ParamSpec =
    ParamSpec::number("ratio", 2.0, (1.0, 1_000.0), "times of the mean volume, at least");
const CHANGE: ParamSpec = ParamSpec::number(
    "change",
    1.0,
    (0.0, 1_000.0),
    "change of the close that must be exceeded, in percent",
);

fn breakout_words(params: &Params, verb: &str) -> String {
    let (ratio, period) = (params.get("ratio"), params.get("period"));
    let change = params.get("change");
    format!("close {verb} by more than {change}% on {ratio} times the mean volume of {period} bars")
}

#[derive(Debug)]
struct VolumeBreakout {
    side: Side,
    ratio: f64,
    change: f64,
    volume: VolumeRatio,
    previous: Option<f64>,
}

impl VolumeBreakout {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            side,
            ratio: params.get("ratio"),
            change: params.get("change"),
            volume: VolumeRatio::new(params.period("period")),
            previous: None,
        }
    }
}

impl Strategy for VolumeBreakout {
    fn warmup(&self) -> usize {
        self.volume.warmup()
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let ratio = self.volume.update(bar.volume.to_f64());
        let previous = self.previous.replace(close);
        let (Some(ratio), Some(previous)) = (ratio, previous) else { return };
        let change = (close - previous) / previous.abs() * 100.0;
        let moved = match self.side {
            Side::Above => change,
            Side::Below => -change,
        };
        // Of nothing there is no percentage: the change is infinite or not a number.
        if ratio >= self.ratio && moved > self.change && moved.is_finite() {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: ratio - self.ratio,
                facts: Facts::new(&[("volume_ratio", ratio), ("change", change)]),
            });
        }
    }
}

#[derive(Debug)]
struct LowVolume {
    volume: VolumeRatio,
    ratio: f64,
}

impl Strategy for LowVolume {
    fn warmup(&self) -> usize {
        self.volume.warmup()
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let Some(ratio) = self.volume.update(bar.volume.to_f64()) else { return };
        if ratio <= self.ratio {
            out.push(Firing {
                direction: LOW.direction,
                strength: self.ratio - ratio,
                facts: Facts::new(&[("volume_ratio", ratio)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 2] = [("period", 4.0), ("ratio", 2.0)];

    #[test]
    fn a_move_on_twice_the_usual_volume_breaks_out() {
        // The mean of 1 1 1 3 is 1.5: ratio 2; that of 1 1 1 2.9 is more than half of 2.9.
        let bars = |volume: &str| format!("close: 100 100 100 102 104\nvolume: 1 1 1 {volume} 1");
        check(&UP, &SHORT, &format!("{}\nfires: . . . L .", bars("3")));
        check(&UP, &SHORT, &format!("{}\nfires: . . . . .", bars("2.9")));
        check(&DOWN, &SHORT, &format!("{}\nfires: . . . . .", bars("3")));
    }

    #[test]
    fn the_change_must_be_exceeded() {
        let bars = |close: &str| format!("close: 100 100 100 {close}\nvolume: 1 1 1 9");
        check(&UP, &SHORT, &format!("{}\nfires: . . . .", bars("101")));
        check(&UP, &SHORT, &format!("{}\nfires: . . . L", bars("101.01")));
        check(&DOWN, &SHORT, &format!("{}\nfires: . . . .", bars("99")));
        check(&DOWN, &SHORT, &format!("{}\nfires: . . . S", bars("98.99")));
    }

    #[test]
    fn low_volume_lasts_as_long_as_it_is_low() {
        let params = [("period", 3.0)];
        check(
            &LOW,
            &params,
            "
            close:  10 10 10 10 10 10 10
            volume:  7  7  2  1  0  0  0
            fires:   .  .  L  L  L  L  .
            ",
        );
    }

    #[test]
    fn without_any_volume_nothing_is_said() {
        let bars = "close: 10 20 10 20 10 20\nvolume: 0 0 0 0 0 0\nfires: . . . . . .";
        for entry in [&UP, &DOWN, &LOW] {
            check(entry, &[("period", 3.0)], bars);
        }
    }

    #[test]
    fn a_change_from_nothing_has_no_percentage() {
        check(&UP, &[("period", 2.0), ("ratio", 1.0)], "close: 0 5\nvolume: 1 9\nfires: . .");
    }

    #[test]
    fn strength_is_in_times_of_the_mean() {
        let [signal] = signals(&DOWN, &SHORT, "close: 100 100 100 98\nvolume: 1 1 1 5")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 0.5);
        assert_eq!(signal.facts, Facts::new(&[("volume_ratio", 2.5), ("change", -2.0)]));
        let [signal] = signals(&LOW, &[("period", 2.0)], "close: 9 9\nvolume: 3 1")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 0.0);
        assert_eq!(signal.facts, Facts::new(&[("volume_ratio", 0.5)]));
    }
}
