//! The price breaks through a Bollinger band, or comes near one.
//!
//! *Idea.* A price two deviations from its mean is stretched, and springs back. *Source.* John
//! Bollinger, *Bollinger on Bollinger Bands*, 2001; reading a tag of a band as a reversal is the
//! older "envelope" use he describes and warns of, so it has to be proven like everything else.
//! Bands are the mean of `period` closes and `width` *sample* deviations (divisor n - 1) around it.
//!
//! *Condition.* Break: previous close <= previous upper band and close > upper band (lower: >= and
//! <). Touch: the close is within `within` percent of the band, on either side of it, on a bar that is
//! no break of it; a state, so it may last for bars. Bands of no width (every close equal) are no
//! bands: nothing touches them. *Direction.* Always against the move: the upper band is bearish, the
//! lower one bullish. *Strength.* Break: distance of the close beyond the band, in percent of the
//! band. Touch: percentage points by which the close is nearer than `within`. *Warm-up.* period + 1
//! bars (whether it is a break takes the previous band); nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{Bands, Bollinger, BollingerParams, Deviation, Indicator};

use crate::cross::{Crossing, Edge, Side, percent};

pub(crate) const BREAK_UPPER: Entry = Entry {
    name: "bb_break_upper",
    direction: Direction::Short,
    describes: "the close breaks above the upper Bollinger band (period, width): stretched, a fall is expected",
    korean: "종가가 볼린저 밴드({period}, {width}) 상단을 돌파",
    params: &[PERIOD, WIDTH],
    check: |_| Ok(()),
    words: |params| format!("close broke above the upper {}", band_words(params)),
    build: |params| Box::new(BandBreak(BandWatch::new(params, Side::Above))),
};

pub(crate) const BREAK_LOWER: Entry = Entry {
    name: "bb_break_lower",
    direction: Direction::Long,
    describes: "the close breaks below the lower Bollinger band (period, width): stretched, a rise is expected",
    korean: "종가가 볼린저 밴드({period}, {width}) 하단을 이탈",
    params: &[PERIOD, WIDTH],
    check: |_| Ok(()),
    words: |params| format!("close broke below the lower {}", band_words(params)),
    build: |params| Box::new(BandBreak(BandWatch::new(params, Side::Below))),
};

pub(crate) const TOUCH_UPPER: Entry = Entry {
    name: "bb_touch_upper",
    direction: Direction::Short,
    describes: "the close is within (within) percent of the upper Bollinger band (period, width) without breaking it: a fall is expected",
    korean: "종가가 볼린저 밴드({period}, {width}) 상단에 {within} % 이내로 접근, 돌파는 없음",
    params: &[PERIOD, WIDTH, WITHIN],
    check: |_| Ok(()),
    words: |params| touch_words(params, "upper"),
    build: |params| Box::new(BandTouch::new(params, Side::Above)),
};

pub(crate) const TOUCH_LOWER: Entry = Entry {
    name: "bb_touch_lower",
    direction: Direction::Long,
    describes: "the close is within (within) percent of the lower Bollinger band (period, width) without breaking it: a rise is expected",
    korean: "종가가 볼린저 밴드({period}, {width}) 하단에 {within} % 이내로 접근, 이탈은 없음",
    params: &[PERIOD, WIDTH, WITHIN],
    check: |_| Ok(()),
    words: |params| touch_words(params, "lower"),
    build: |params| Box::new(BandTouch::new(params, Side::Below)),
};

// One close has no deviation.
const PERIOD: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 20, "bars in mean and deviation") };
const WIDTH: ParamSpec =
    ParamSpec::number("width", 2.0, (0.1, 10.0), "deviations from the mean to each band");
const WITHIN: ParamSpec = ParamSpec::number(
    "within",
    1.0,
    (0.0, 100.0),
    "how near counts as a touch, in percent of the band",
);

fn band_words(params: &Params) -> String {
    format!("Bollinger band ({}, {})", params.get("period"), params.get("width"))
}

fn touch_words(params: &Params, which: &str) -> String {
    format!("close within {}% of the {which} {}", params.get("within"), band_words(params))
}

#[derive(Debug)]
struct BandBreak(BandWatch);

impl Strategy for BandBreak {
    fn warmup(&self) -> usize {
        self.0.warmup()
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        if let Some(seen) = self.0.look(close)
            && seen.breaks
        {
            out.push(self.0.firing(close, &seen, seen.distance));
        }
    }
}

#[derive(Debug)]
struct BandTouch {
    watch: BandWatch,
    within: f64,
}

impl BandTouch {
    fn new(params: &Params, side: Side) -> Self {
        Self { watch: BandWatch::new(params, side), within: params.get("within") }
    }
}

impl Strategy for BandTouch {
    fn warmup(&self) -> usize {
        self.watch.warmup()
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        if let Some(seen) = self.watch.look(close)
            && !seen.breaks
            && seen.distance <= self.within
            && seen.bands.lower < seen.bands.upper
        {
            out.push(self.watch.firing(close, &seen, self.within - seen.distance));
        }
    }
}

/// What both strategies know about one of the bands.
#[derive(Debug)]
struct BandWatch {
    side: Side,
    bollinger: Bollinger,
    crossing: Crossing,
}

/// A bar beside the band.
struct Seen {
    bands: Bands,
    breaks: bool,
    /// Of the close from the band, in percent of the band.
    distance: f64,
}

impl BandWatch {
    fn new(params: &Params, side: Side) -> Self {
        let width = params.get("width");
        let bollinger = Bollinger::new(BollingerParams {
            period: params.period("period"),
            up: width,
            down: width,
            deviation: Deviation::Sample,
        });
        Self { side, bollinger, crossing: Crossing::new(side, Edge::Passes) }
    }

    fn warmup(&self) -> usize {
        self.bollinger.warmup() + 1
    }

    fn look(&mut self, close: f64) -> Option<Seen> {
        let bands = self.bollinger.update(close)?;
        let band = match self.side {
            Side::Above => bands.upper,
            Side::Below => bands.lower,
        };
        let breaks = self.crossing.step(close - band)?;
        Some(Seen { bands, breaks, distance: percent(close - band, band) })
    }

    fn firing(&self, close: f64, seen: &Seen, strength: f64) -> Firing {
        let Bands { upper, middle, lower } = seen.bands;
        Firing {
            direction: self.side.against_the_move(),
            strength,
            facts: Facts::new(&[
                ("close", close),
                ("upper", upper),
                ("middle", middle),
                ("lower", lower),
            ]),
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const NARROW: [(&str, f64); 2] = [("period", 3.0), ("width", 1.0)];

    #[test]
    fn a_break_of_a_band_expects_the_way_back() {
        check(
            &BREAK_UPPER,
            &NARROW,
            "
            close: 10 10 10 13 14 10
            fires:  .  .  .  S  .  .
            ",
        );
        check(
            &BREAK_LOWER,
            &NARROW,
            "
            close: 10 10 10 7 6 10
            fires:  .  .  . L .  .
            ",
        );
    }

    #[test]
    fn a_touch_is_near_the_band_and_no_break_of_it() {
        // The last bar lies 0.8% beyond the band: near it, but broken through.
        let bars = "close: 100 101 100 101 110";
        check(&TOUCH_UPPER, &NARROW, &format!("{bars}\nfires: . . . S ."));
        check(&BREAK_UPPER, &NARROW, &format!("{bars}\nfires: . . . . S"));
        let bars = "close: 100 99 100 99 90";
        check(&TOUCH_LOWER, &NARROW, &format!("{bars}\nfires: . . . L ."));
        check(&BREAK_LOWER, &NARROW, &format!("{bars}\nfires: . . . . L"));
    }

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        // Upper band of 10 10 13: 12.8 with the deviation of a population, 13.3 with a sample's.
        check(
            &BREAK_UPPER,
            &[("period", 3.0), ("width", 1.3)],
            "
            close: 10 10 10 13
            fires:  .  .  .  .
            ",
        );
    }

    #[test]
    fn a_market_that_stands_still_has_no_bands_to_touch() {
        for entry in [&BREAK_UPPER, &BREAK_LOWER, &TOUCH_UPPER, &TOUCH_LOWER] {
            check(
                entry,
                &NARROW,
                "
                close: 0.1 0.1 0.1 0.1 0.1 0.1
                fires:  .   .   .   .   .   .
                ",
            );
        }
    }

    #[test]
    fn strength_of_a_break_is_the_distance_beyond_the_band() {
        let [signal] = signals(&BREAK_UPPER, &NARROW, "close: 10 10 10 13")[..] else {
            panic!("one signal");
        };
        let (upper, lower) = (11.0 + 3f64.sqrt(), 11.0 - 3f64.sqrt());
        let facts = [("close", 13.0), ("upper", upper), ("middle", 11.0), ("lower", lower)];
        assert_eq!(signal.facts, Facts::new(&facts));
        assert_eq!(signal.strength, (13.0 - upper) / upper * 100.0);
    }

    #[test]
    fn strength_of_a_touch_is_what_is_left_of_the_allowance() {
        let [signal] = signals(&TOUCH_UPPER, &NARROW, "close: 100 101 100 101")[..] else {
            panic!("one signal");
        };
        let upper = 302.0 / 3.0 + 3f64.sqrt().recip();
        assert!(
            (signal.strength - (1.0 - (upper / 101.0 - 1.0) * 101.0 / upper * 100.0)).abs() < 1e-9
        );
    }
}
