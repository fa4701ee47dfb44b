//! The market goes quiet, then breaks out of its quiet range: the volatility squeeze.
//!
//! *Idea.* Volatility comes in turns: after unusual quiet a large move is due, and the side on which the
//! range is left first is taken for its direction. *Source.* John Bollinger, *Bollinger on Bollinger
//! Bands*, 2001 (the squeeze); John Carter, *Mastering the Trade*, 2005 (Bollinger bands inside a Keltner
//! channel of the same period, 2 deviations and 1.5 average true ranges).
//!
//! *Condition.* Up: on one of the `within` bars before this one both Bollinger bands (period, width; sample
//! deviation) lay inside the Keltner channel (period, range); previous close <= previous upper band and
//! close > upper band. Down: the lower band, from above. *Strength.* Distance of the close beyond the
//! band, in percent of the band. *Warm-up.* period + 2 bars: the channel needs one move more than the
//! bands, and the bar before. *Memory.* That of the channel's averages, and `within` bars.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Bollinger, BollingerParams, Deviation, HighLowClose, Indicator, Keltner};

use crate::cross::{Crossing, Edge, Side, Since, percent};

pub(crate) const UP: Entry = Entry {
    name: "squeeze_break_up",
    direction: Side::Above.with_the_move(),
    describes: "the close breaks above the upper Bollinger band (period, width) at most within bars after the bands lay inside the Keltner channel (period, range): a rise is expected",
    korean: "밴드가 켈트너 채널({period}, {range}) 안으로 수축한 뒤 {within}봉 이내에 종가가 볼린저 밴드({period}, {width}) 상단을 돌파",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "above the upper"),
    build: |params| Box::new(SqueezeBreak::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "squeeze_break_down",
    direction: Side::Below.with_the_move(),
    describes: "the close breaks below the lower Bollinger band (period, width) at most within bars after the bands lay inside the Keltner channel (period, range): a fall is expected",
    korean: "밴드가 켈트너 채널({period}, {range}) 안으로 수축한 뒤 {within}봉 이내에 종가가 볼린저 밴드({period}, {width}) 하단을 이탈",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "below the lower"),
    build: |params| Box::new(SqueezeBreak::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 20, "bars in bands and channel") },
    ParamSpec::number("width", 2.0, (0.1, 10.0), "deviations from the mean to each band"),
    ParamSpec::number("range", 1.5, (0.1, 10.0), "average true ranges to each side of the channel"),
    ParamSpec::period("within", 5, "bars for which a squeeze is remembered"),
];

fn words(params: &Params, band: &str) -> String {
    let (period, width) = (params.get("period"), params.get("width"));
    let (range, within) = (params.get("range"), params.get("within"));
    format!(
        "close broke {band} Bollinger band ({period}, {width}) within {within} bars of a squeeze inside the Keltner channel ({period}, {range})"
    )
}

#[derive(Debug)]
struct SqueezeBreak {
    side: Side,
    within: usize,
    bollinger: Bollinger,
    keltner: Keltner,
    crossing: Crossing,
    squeeze: Since,
}

impl SqueezeBreak {
    fn new(params: &Params, side: Side) -> Self {
        let (period, width) = (params.period("period"), params.get("width"));
        let deviation = Deviation::Sample;
        Self {
            side,
            within: params.period("within"),
            bollinger: Bollinger::new(BollingerParams {
                period,
                up: width,
                down: width,
                deviation,
            }),
            keltner: Keltner::new(period, period, params.get("range")),
            crossing: Crossing::new(side, Edge::Passes),
            squeeze: Since::default(),
        }
    }
}

impl Strategy for SqueezeBreak {
    fn warmup(&self) -> usize {
        self.bollinger.warmup().max(self.keltner.warmup()) + 1
    }

    fn memory(&self) -> usize {
        self.keltner.memory() + self.within
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let bands = self.bollinger.update(close);
        let channel = self.keltner.update(HighLowClose::from(bar));
        let (Some(bands), Some(channel)) = (bands, channel) else { return };
        let band = match self.side {
            Side::Above => bands.upper,
            Side::Below => bands.lower,
        };
        let breaks = self.crossing.step(close - band) == Some(true);
        let is_squeezed = bands.upper < channel.upper && bands.lower > channel.lower;
        // A squeeze on this bar is none before it.
        let mut before = self.squeeze.clone();
        let was_squeezed = before.step(false).is_some_and(|bars| bars <= self.within);
        self.squeeze.step(is_squeezed);
        if breaks && was_squeezed {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - band, band),
                facts: Facts::new(&[
                    ("close", close),
                    ("upper", bands.upper),
                    ("lower", bands.lower),
                    ("middle", bands.middle),
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
        [("period", 3.0), ("width", 1.0), ("range", 1.5), ("within", 2.0)];

    // Closes stand still while the bars are wide: bands of no width inside a wide channel.
    const QUIET: &str = "
        high:  12 12 12 12 12 16 17
        low:    8  8  8  8  8  8 12";

    #[test]
    fn a_break_after_a_squeeze_goes_with_the_move() {
        let bars = format!("{QUIET}\nclose: 10 10 10 10 10 16 17");
        check(&UP, &SHORT, &format!("{bars}\nfires: . . . . . L ."));
        check(&DOWN, &SHORT, &format!("{bars}\nfires: . . . . . . ."));
        let bars = "
            high:  12 12 12 12 12 12 8
            low:    8  8  8  8  8  4 3
            close: 10 10 10 10 10  4 3
            fires:  .  .  .  .  .  S .";
        check(&DOWN, &SHORT, bars);
    }

    #[test]
    fn without_a_squeeze_a_break_is_none_of_this_strategy() {
        // Bars as narrow as their closes: the bands of a moving price are wider than the channel.
        check(
            &UP,
            &[("period", 3.0), ("width", 2.0), ("range", 0.5), ("within", 1.0)],
            "
            close: 10 14 10 14 10 14 30
            fires:  .  .  .  .  .  .  .
            ",
        );
    }

    #[test]
    fn a_squeeze_is_remembered_for_so_many_bars() {
        // Four bars up and down, as wide as the bands, between the quiet and the break.
        let bars = "
            high:  12 12 12 12 12 4 9 5 9 16
            low:    8  8  8  8  8 4 9 5 9 16
            close: 10 10 10 10 10 4 9 5 9 16";
        let with = |within: f64| [SHORT[0], SHORT[1], ("range", 0.3), ("within", within)];
        let fires = signals(&UP, &with(9.0), bars).len();
        assert_eq!(fires, 1, "remembered");
        assert!(signals(&UP, &with(1.0), bars).is_empty(), "forgotten");
    }

    #[test]
    fn strength_is_the_distance_beyond_the_band() {
        let bars = format!("{QUIET}\nclose: 10 10 10 10 10 16 17");
        let [signal] = signals(&UP, &SHORT, &bars)[..] else { panic!("one signal") };
        let upper = 12.0 + 12f64.sqrt();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(signal.strength, (16.0 - upper) / upper * 100.0), "{signal:?}");
    }
}
