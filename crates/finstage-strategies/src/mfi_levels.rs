//! The money flow index reaches an extreme: overbought or oversold with volume.
//!
//! *Idea.* As the RSI, but each move counts with the money behind it: an exhaustion that many took part in.
//! *Source.* Gene Quong and Avrum Soudack, *Volume-Weighted RSI: Money Flow*, Technical Analysis of Stocks
//! & Commodities, 1989 (80 and 20, 14 bars).
//!
//! *Condition.* `mfi_oversold`: previous MFI > level and MFI <= level. `mfi_overbought`: previous MFI <
//! level and MFI >= level. *Strength.* Points beyond the level. *Warm-up.* period + 2 bars; nothing older
//! counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Direction, Facts};
use finstage_quant::{BarInput, Indicator, Mfi};

use crate::cross::{Crossing, Edge, Side};

pub(crate) const OVERSOLD: Entry = Entry {
    name: "mfi_oversold",
    direction: Direction::Long,
    describes: "the MFI(period) falls to the level or below: oversold, a rise is expected",
    korean: "MFI({period})가 {level} 이하로 하락 (과매도)",
    params: &[PERIOD, ParamSpec::number("level", 20.0, (0.0, 50.0), "MFI, 0 to 50")],
    check: |_| Ok(()),
    words: |params| words(params, "fell", "below"),
    build: |params| Box::new(MfiLevel::new(params, Side::Below)),
};

pub(crate) const OVERBOUGHT: Entry = Entry {
    name: "mfi_overbought",
    direction: Direction::Short,
    describes: "the MFI(period) rises to the level or above: overbought, a fall is expected",
    korean: "MFI({period})가 {level} 이상으로 상승 (과매수)",
    params: &[PERIOD, ParamSpec::number("level", 80.0, (50.0, 100.0), "MFI, 50 to 100")],
    check: |_| Ok(()),
    words: |params| words(params, "rose", "above"),
    build: |params| Box::new(MfiLevel::new(params, Side::Above)),
};

const PERIOD: ParamSpec =
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 14, "moves in the flow of money") };

fn words(params: &Params, verb: &str, side: &str) -> String {
    format!("MFI({}) {verb} to {} or {side}", params.get("period"), params.get("level"))
}

#[derive(Debug)]
struct MfiLevel {
    side: Side,
    level: f64,
    flow: Mfi,
    previous: f64,
    crossing: Crossing,
}

impl MfiLevel {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            side,
            level: params.get("level"),
            flow: Mfi::new(params.period("period")),
            previous: 50.0,
            crossing: Crossing::new(side, Edge::Reaches),
        }
    }
}

impl Strategy for MfiLevel {
    fn warmup(&self) -> usize {
        self.flow.warmup() + 1
    }

    fn memory(&self) -> usize {
        self.flow.memory() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let Some(flow) = self.flow.update(BarInput::from(bar).at_typical()) else { return };
        let previous = std::mem::replace(&mut self.previous, flow);
        if self.crossing.step(flow - self.level) == Some(true) {
            out.push(Firing {
                direction: self.side.against_the_move(),
                strength: self.side.beyond(flow - self.level),
                facts: Facts::new(&[("mfi", flow), ("previous_mfi", previous)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 1] = [("period", 2.0)];

    #[test]
    fn it_fires_when_the_index_reaches_the_level() {
        check(&OVERBOUGHT, &SHORT, "close: 10 9 10 12 13\nfires: . . . S .");
        check(&OVERSOLD, &SHORT, "close: 10 11 10 8 7\nfires: . . . L .");
    }

    #[test]
    fn a_move_counts_with_its_volume() {
        // 100 of gains and 9 of losses; with the volume of the loss 100 times as much, 10 and 90.
        let closes = "close: 9 10 9 10";
        let level = [("period", 2.0), ("level", 60.0)];
        check(&OVERBOUGHT, &level, &format!("{closes}\nvolume: 1 1 1 9\nfires: . . . S"));
        check(&OVERBOUGHT, &level, &format!("{closes}\nvolume: 1 1 100 9\nfires: . . . ."));
    }

    #[test]
    fn strength_is_in_points() {
        let [signal] = signals(&OVERBOUGHT, &SHORT, "close: 10 9 10 12")[..] else {
            panic!("one signal");
        };
        assert_eq!(signal.strength, 20.0);
        assert_eq!(signal.facts.iter().next().map(|fact| fact.value), Some(100.0));
    }
}
