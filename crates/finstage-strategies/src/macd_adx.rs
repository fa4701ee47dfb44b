//! A MACD cross in a market that has a trend.
//!
//! *Idea.* Crosses of averages lose in markets that go nowhere; the directional index tells whether there
//! is a trend to follow. *Source.* Gerald Appel's MACD, 1979, filtered by the ADX of J. Welles Wilder, *New
//! Concepts in Technical Trading Systems*, 1978; 25 is the customary least.
//!
//! *Condition.* Bullish: previous MACD <= previous signal line and MACD > signal line, and ADX(adx) >=
//! level on this bar. Bearish: >= and <. The ADX has no direction: it says that there is a trend, the
//! cross says which. *Strength.* Distance of the MACD from its signal line, in percent of the close.
//! *Warm-up.* The longer of slow + signal and 2 adx. *Memory.* The longer one of MACD and ADX.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Adx, HighLowClose, Indicator, Macd, MacdParams};

use crate::cross::{Crossing, Edge, Side, percent};
use crate::golden_cross::fast_is_faster;

pub(crate) const BULLISH: Entry = Entry {
    name: "macd_adx_bullish",
    direction: Side::Above.with_the_move(),
    describes: "the MACD(fast, slow) crosses above its signal line EMA(signal) while the ADX(adx) is at the level or above: a rise is expected",
    korean: "ADX({adx})가 {level} 이상인 가운데 MACD({fast}, {slow}, {signal})가 시그널선을 위로 돌파",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "above"),
    build: |params| Box::new(MacdInTrend::new(params, Side::Above)),
};

pub(crate) const BEARISH: Entry = Entry {
    name: "macd_adx_bearish",
    direction: Side::Below.with_the_move(),
    describes: "the MACD(fast, slow) crosses below its signal line EMA(signal) while the ADX(adx) is at the level or above: a fall is expected",
    korean: "ADX({adx})가 {level} 이상인 가운데 MACD({fast}, {slow}, {signal})가 시그널선을 아래로 돌파",
    params: PARAMS,
    check: fast_is_faster,
    words: |params| words(params, "below"),
    build: |params| Box::new(MacdInTrend::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::period("fast", 12, "bars of the fast exponential average"),
    ParamSpec::period("slow", 26, "bars of the slow exponential average"),
    ParamSpec::period("signal", 9, "bars of the signal line"),
    ParamSpec { min: 2.0, ..ParamSpec::period("adx", 14, "bars in the directional averages") },
    ParamSpec::number("level", 25.0, (0.0, 100.0), "ADX, at least"),
];

fn words(params: &Params, side: &str) -> String {
    let (fast, slow, signal) = (params.get("fast"), params.get("slow"), params.get("signal"));
    let (adx, level) = (params.get("adx"), params.get("level"));
    format!(
        "MACD({fast}, {slow}, {signal}) crossed {side} its signal line with ADX({adx}) at {level} or above"
    )
}

#[derive(Debug)]
struct MacdInTrend {
    side: Side,
    level: f64,
    macd: Macd,
    adx: Adx,
    crossing: Crossing,
}

impl MacdInTrend {
    fn new(params: &Params, side: Side) -> Self {
        let macd = Macd::new(MacdParams {
            fast: params.period("fast"),
            slow: params.period("slow"),
            signal: params.period("signal"),
        });
        Self {
            side,
            level: params.get("level"),
            macd,
            adx: Adx::new(params.period("adx")),
            crossing: Crossing::new(side, Edge::Passes),
        }
    }
}

impl Strategy for MacdInTrend {
    fn warmup(&self) -> usize {
        self.adx.warmup().max(self.macd.warmup() + 1)
    }

    fn memory(&self) -> usize {
        self.adx.memory().max(self.macd.memory() + 1)
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let adx = self.adx.update(HighLowClose::from(bar));
        let Some(value) = self.macd.update(close) else { return };
        let gap = value.macd - value.signal;
        let crosses = self.crossing.step(gap) == Some(true);
        if let Some(adx) = adx
            && crosses
            && adx >= self.level
        {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(gap, close),
                facts: Facts::new(&[("macd", value.macd), ("signal", value.signal), ("adx", adx)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 4] = [("fast", 1.0), ("slow", 2.0), ("signal", 2.0), ("adx", 2.0)];
    // Down, ever faster, and up again; the MACD turns above its line with the first rise.
    const CLOSES: &str = "close: 40 39 37 34 30 25 29 33";

    #[test]
    fn a_cross_counts_where_the_index_says_trend() {
        let with = |level: f64| [SHORT[0], SHORT[1], SHORT[2], SHORT[3], ("level", level)];
        check(&BULLISH, &with(25.0), &format!("{CLOSES}\nfires: . . . . . . L ."));
        check(&BULLISH, &with(99.0), &format!("{CLOSES}\nfires: . . . . . . . ."));
        let mirrored = "close: 10 11 13 16 20 25 21 17";
        check(&BEARISH, &with(25.0), &format!("{mirrored}\nfires: . . . . . . S ."));
        check(&BEARISH, &with(99.0), &format!("{mirrored}\nfires: . . . . . . . ."));
    }

    #[test]
    fn it_shows_what_it_rests_on() {
        let [signal] = signals(&BULLISH, &SHORT, CLOSES)[..] else { panic!("one signal") };
        let names: Vec<_> = signal.facts.iter().map(|fact| fact.name.to_string()).collect();
        assert_eq!(names, ["macd", "signal", "adx"]);
        let value = |place: usize| signal.facts.iter().nth(place).map_or(0.0, |fact| fact.value);
        assert_eq!(signal.strength, (value(0) - value(1)).abs() / 29.0 * 100.0);
        assert!(value(2) >= 25.0);
    }
}
