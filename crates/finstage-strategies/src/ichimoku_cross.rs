//! The turning line crosses the base line beyond the cloud: the strong Ichimoku signal.
//!
//! *Idea.* The middle of the last days overtakes that of the last weeks, and the price has already left the
//! cloud, where buyers and sellers of the last months are even. *Source.* Goichi Hosoda, 1969; Manesh
//! Patel, *Trading with Ichimoku Clouds*, 2010 (a cross above the cloud is the strong kind).
//!
//! *Condition.* Bullish: previous tenkan <= previous kijun and tenkan > kijun, and close > both edges of
//! the cloud over this bar. Bearish: >= and <, and close < both edges. The cloud over a bar was known
//! `displacement` bars before it. *Strength.* Distance of the close from the nearer edge of the cloud, in
//! percent of that edge. *Warm-up.* The longest period + displacement + 1 bars; nothing older counts.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{HighLowClose, Ichimoku, IchimokuParams, Indicator};

use crate::cross::{Crossing, Edge, Side, percent};

pub(crate) const BULLISH: Entry = Entry {
    name: "ichimoku_bullish",
    direction: Side::Above.with_the_move(),
    describes: "the middle of tenkan bars crosses above that of kijun bars while the close is above the cloud (senkou, displacement): a rise is expected",
    korean: "종가가 구름대({senkou}, {displacement}) 위인 가운데 전환선({tenkan})이 기준선({kijun})을 위로 돌파",
    params: PARAMS,
    check: tenkan_is_faster,
    words: |params| words(params, "above"),
    build: |params| Box::new(IchimokuCross::new(params, Side::Above)),
};

pub(crate) const BEARISH: Entry = Entry {
    name: "ichimoku_bearish",
    direction: Side::Below.with_the_move(),
    describes: "the middle of tenkan bars crosses below that of kijun bars while the close is below the cloud (senkou, displacement): a fall is expected",
    korean: "종가가 구름대({senkou}, {displacement}) 아래인 가운데 전환선({tenkan})이 기준선({kijun})을 아래로 돌파",
    params: PARAMS,
    check: tenkan_is_faster,
    words: |params| words(params, "below"),
    build: |params| Box::new(IchimokuCross::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::period("tenkan", 9, "bars of the turning line"),
    ParamSpec::period("kijun", 26, "bars of the base line"),
    ParamSpec::period("senkou", 52, "bars of the slow edge of the cloud"),
    ParamSpec::period("displacement", 26, "bars by which the cloud is drawn ahead"),
];

/// Refuses a turning line that is not faster than the base line.
fn tenkan_is_faster(params: &Params) -> Result<(), &'static str> {
    if params.get("tenkan") < params.get("kijun") {
        Ok(())
    } else {
        Err("tenkan must be less than kijun")
    }
}

fn words(params: &Params, side: &str) -> String {
    let (tenkan, kijun) = (params.get("tenkan"), params.get("kijun"));
    let (senkou, displacement) = (params.get("senkou"), params.get("displacement"));
    format!(
        "tenkan({tenkan}) crossed {side} kijun({kijun}) {side} the cloud ({senkou}, {displacement})"
    )
}

#[derive(Debug)]
struct IchimokuCross {
    side: Side,
    lines: Ichimoku,
    crossing: Crossing,
}

impl IchimokuCross {
    fn new(params: &Params, side: Side) -> Self {
        let lines = Ichimoku::new(IchimokuParams {
            tenkan: params.period("tenkan"),
            kijun: params.period("kijun"),
            senkou: params.period("senkou"),
            displacement: params.period("displacement"),
        });
        Self { side, lines, crossing: Crossing::new(side, Edge::Passes) }
    }
}

impl Strategy for IchimokuCross {
    fn warmup(&self) -> usize {
        self.lines.warmup() + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let Some(value) = self.lines.update(HighLowClose::from(bar)) else { return };
        let crosses = self.crossing.step(value.tenkan - value.kijun) == Some(true);
        let edge = match self.side {
            Side::Above => value.span_a.max(value.span_b),
            Side::Below => value.span_a.min(value.span_b),
        };
        let close = bar.close.to_f64();
        if crosses && self.side.beyond(close - edge) > 0.0 {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - edge, edge),
                facts: Facts::new(&[
                    ("tenkan", value.tenkan),
                    ("kijun", value.kijun),
                    ("close", close),
                    ("cloud", edge),
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
        [("tenkan", 1.0), ("kijun", 2.0), ("senkou", 3.0), ("displacement", 2.0)];

    #[test]
    fn a_cross_beyond_the_cloud_fires() {
        check(
            &BULLISH,
            &SHORT,
            "
            close: 10 11 12 12 11 13 14
            fires:  .  .  .  .  .  L  .
            ",
        );
        check(
            &BEARISH,
            &SHORT,
            "
            close: 14 13 12 12 13 11 10
            fires:  .  .  .  .  .  S  .
            ",
        );
    }

    #[test]
    fn a_cross_under_the_cloud_or_in_it_does_not() {
        check(
            &BULLISH,
            &SHORT,
            "
            close: 30 29 28 28 11 13 14
            fires:  .  .  .  .  .  .  .
            ",
        );
    }

    #[test]
    fn the_last_bars_do_not_move_the_cloud_over_this_one() {
        // The cloud over the last bar is that of the fourth: 12 and 11, whatever the fifth was.
        for fifth in ["11", "6"] {
            let closes = format!("close: 10 11 12 12 {fifth} 13");
            let [signal] = signals(&BULLISH, &SHORT, &closes)[..] else { panic!("one signal") };
            let cloud = signal.facts.iter().find(|fact| fact.name == "cloud").map(|f| f.value);
            assert_eq!(cloud, Some(12.0));
            assert_eq!(signal.strength, 1.0 / 12.0 * 100.0);
        }
    }
}
