//! A golden or a dead cross on much volume.
//!
//! *Idea.* A turn of the trend on which many act is believed more than one that happens by itself. *Source.*
//! The double crossover of Richard Donchian, 1960s, with the confirmation by volume of John Murphy,
//! *Technical Analysis of the Financial Markets*, 1999, chapters 7 and 9.
//!
//! *Condition.* `golden_cross_volume`: previous SMA(fast) <= previous SMA(slow) and SMA(fast) > SMA(slow),
//! and the volume of this bar is at least `ratio` times the mean of `volume` bars, this one included.
//! `dead_cross_volume`: >= and <. Where the mean volume is zero nothing is said. *Strength.* Distance of
//! the averages, in percent of the slow one. *Warm-up.* slow + 1 bars, or `volume` where that is more;
//! nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Indicator, Sma, VolumeRatio};

use crate::cross::{Crossing, Edge, Side, percent};
use crate::golden_cross::fast_is_faster;

pub(crate) const GOLDEN: Entry = Entry {
    name: "golden_cross_volume",
    direction: Side::Above.with_the_move(),
    describes: "the SMA(fast) crosses above the SMA(slow) on at least ratio times the mean volume of volume bars: a rise is expected",
    korean: "SMA({fast})이 SMA({slow})을 위로 돌파, 거래량은 {volume}봉 평균의 {ratio}배 이상",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "above"),
    build: |params| Box::new(CrossOnVolume::new(params, Side::Above)),
};

pub(crate) const DEAD: Entry = Entry {
    name: "dead_cross_volume",
    direction: Side::Below.with_the_move(),
    describes: "the SMA(fast) crosses below the SMA(slow) on at least ratio times the mean volume of volume bars: a fall is expected",
    korean: "SMA({fast})이 SMA({slow})을 아래로 돌파, 거래량은 {volume}봉 평균의 {ratio}배 이상",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "below"),
    build: |params| Box::new(CrossOnVolume::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::period("fast", 50, "bars in the fast average"),
    ParamSpec::period("slow", 200, "bars in the slow average"),
    ParamSpec { min: 2.0, ..ParamSpec::period("volume", 20, "bars in the mean volume") },
    ParamSpec::number("ratio", 1.5, (1.0, 1_000.0), "times of the mean volume, at least"),
];

fn words(params: &Params, side: &str) -> String {
    let (fast, slow) = (params.get("fast"), params.get("slow"));
    let (ratio, volume) = (params.get("ratio"), params.get("volume"));
    format!(
        "SMA({fast}) crossed {side} SMA({slow}) on {ratio} times the mean volume of {volume} bars"
    )
}

#[derive(Debug)]
struct CrossOnVolume {
    side: Side,
    ratio: f64,
    fast: Sma,
    slow: Sma,
    volume: VolumeRatio,
    crossing: Crossing,
}

impl CrossOnVolume {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            side,
            ratio: params.get("ratio"),
            fast: Sma::new(params.period("fast")),
            slow: Sma::new(params.period("slow")),
            volume: VolumeRatio::new(params.period("volume")),
            crossing: Crossing::new(side, Edge::Passes),
        }
    }
}

impl Strategy for CrossOnVolume {
    fn warmup(&self) -> usize {
        self.volume.warmup().max(self.slow.warmup() + 1)
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let ratio = self.volume.update(bar.volume.to_f64());
        let (Some(fast), Some(slow)) = (self.fast.update(close), self.slow.update(close)) else {
            return;
        };
        let crosses = self.crossing.step(fast - slow) == Some(true);
        if let Some(ratio) = ratio
            && crosses
            && ratio >= self.ratio
        {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(fast - slow, slow),
                facts: Facts::new(&[("fast", fast), ("slow", slow), ("volume_ratio", ratio)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 3] = [("fast", 2.0), ("slow", 3.0), ("volume", 2.0)];

    #[test]
    fn only_a_cross_on_volume_counts() {
        let bars = "close: 10 10 10 12 14 14";
        check(&GOLDEN, &SHORT, &format!("{bars}\nvolume: 1 1 1 3 1 1\nfires: . . . L . ."));
        check(&GOLDEN, &SHORT, &format!("{bars}\nvolume: 1 1 1 2 9 1\nfires: . . . . . ."));
        let bars = "close: 10 10 10 8 6 6";
        check(&DEAD, &SHORT, &format!("{bars}\nvolume: 1 1 1 3 1 1\nfires: . . . S . ."));
        check(&GOLDEN, &SHORT, &format!("{bars}\nvolume: 1 1 1 3 1 1\nfires: . . . . . ."));
    }

    #[test]
    fn a_market_without_volume_says_nothing() {
        check(&GOLDEN, &SHORT, "close: 10 10 10 12\nvolume: 0 0 0 0\nfires: . . . .");
    }

    #[test]
    fn strength_is_the_distance_of_the_averages() {
        let [signal] = signals(&GOLDEN, &SHORT, "close: 10 10 10 13\nvolume: 1 1 1 3")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 0.5 / 11.0 * 100.0);
        let facts = [("fast", 11.5), ("slow", 11.0), ("volume_ratio", 1.5)];
        assert_eq!(signal.facts, Facts::new(&facts));
    }
}
