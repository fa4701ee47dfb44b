//! The price leaves its Keltner channel.
//!
//! *Idea.* A close further from the average than the market's usual range shows strength that lasts:
//! follow it. The opposite claim to a break of a Bollinger band, which is taken for exhaustion. *Source.*
//! Chester Keltner, *How to Make Money in Commodities*, 1960; Linda Raschke's channel of the 1980s.
//!
//! *Condition.* Up: previous close <= previous upper line and close > upper line. Down: previous close >=
//! previous lower line and close < lower line. *Strength.* Distance of the close beyond the line, in percent
//! of the line. *Warm-up.* The longer of period and range + 1, plus 1. *Memory.* That of the averages.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{HighLowClose, Indicator, Keltner};

use crate::cross::{Crossing, Edge, Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "keltner_breakout_up",
    direction: Side::Above.with_the_move(),
    describes: "the close crosses above the upper line of the Keltner channel (period, range, width): a rise is expected",
    korean: "종가가 켈트너 채널({period}, {range}, {width}) 상단을 돌파",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "above the upper"),
    build: |params| Box::new(KeltnerBreakout::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "keltner_breakout_down",
    direction: Side::Below.with_the_move(),
    describes: "the close crosses below the lower line of the Keltner channel (period, range, width): a fall is expected",
    korean: "종가가 켈트너 채널({period}, {range}, {width}) 하단을 이탈",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "below the lower"),
    build: |params| Box::new(KeltnerBreakout::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 20, "bars in the exponential average") },
    ParamSpec::period("range", 10, "bars in the average true range"),
    ParamSpec::number("width", 2.0, (0.1, 100.0), "average true ranges to each line"),
];

fn words(params: &Params, line: &str) -> String {
    let (period, range) = (params.get("period"), params.get("range"));
    let width = params.get("width");
    format!("close crossed {line} line of the Keltner channel ({period}, {range}, {width})")
}

#[derive(Debug)]
struct KeltnerBreakout {
    side: Side,
    channel: Keltner,
    crossing: Crossing,
}

impl KeltnerBreakout {
    fn new(params: &Params, side: Side) -> Self {
        let (period, range) = (params.period("period"), params.period("range"));
        let channel = Keltner::new(period, range, params.get("width"));
        Self { side, channel, crossing: Crossing::new(side, Edge::Passes) }
    }
}

impl Strategy for KeltnerBreakout {
    fn warmup(&self) -> usize {
        self.channel.warmup() + 1
    }

    fn memory(&self) -> usize {
        self.channel.memory() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let Some(lines) = self.channel.update(HighLowClose::from(bar)) else { return };
        let line = match self.side {
            Side::Above => lines.upper,
            Side::Below => lines.lower,
        };
        let close = bar.close.to_f64();
        if self.crossing.step(close - line) == Some(true) {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - line, line),
                facts: Facts::new(&[
                    ("close", close),
                    ("upper", lines.upper),
                    ("middle", lines.middle),
                    ("lower", lines.lower),
                ]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 3] = [("period", 2.0), ("range", 2.0), ("width", 0.5)];

    #[test]
    fn a_break_goes_with_the_move_and_fires_once() {
        check(
            &UP,
            &SHORT,
            "
            close: 10 11 10 11 20 30
            fires:  .  .  .  .  L  .
            ",
        );
        check(
            &DOWN,
            &SHORT,
            "
            close: 30 29 30 29 20 10
            fires:  .  .  .  .  S  .
            ",
        );
    }

    #[test]
    fn a_market_that_stands_still_has_no_channel_to_leave() {
        for entry in [&UP, &DOWN] {
            check(entry, &SHORT, "close: 0.1 0.1 0.1 0.1 0.1 0.1\nfires: . . . . . .");
        }
    }

    #[test]
    fn strength_is_the_distance_beyond_the_line() {
        let [signal] = signals(&UP, &SHORT, "close: 10 10 10 13")[..] else { panic!("one signal") };
        // Average 10 + 2/3 of 3, range half of 3, half a range to the line.
        assert!((signal.strength - 0.25 / 12.75 * 100.0).abs() < 1e-9, "{signal:?}");
    }
}
