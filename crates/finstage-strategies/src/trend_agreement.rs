//! A cross on these bars agrees with the trend of longer ones.
//!
//! *Idea.* The tide is seen on a longer interval than the wave: only waves that go with it are taken.
//! *Source.* Alexander Elder's triple screen, *Trading for a Living*, 1993 (each screen about five times as
//! long as the next).
//!
//! *Condition.* Up: previous close <= previous SMA(period) and close > SMA(period); and the newest closed
//! bar of the longer interval closed above the SMA(longer) of that interval. Down: >= and <, and below. A
//! longer bar counts from the first bar that closes after it. *The longer interval* is the shortest one
//! at least four times as long: 1m 5m, 5m 30m, 15m 1h, 30m 4h, 1h 4h, 4h 1d, 1d 1w, 1w 1mo; the engine
//! rolls its bars up where there are none. Monthly bars have no longer ones: nothing is said of them, nor
//! before `longer` longer bars are known, nor while the last one is late. *Strength.* Distance of the close from its SMA, in percent.
//! *Warm-up.* period + 1 bars. *Memory.* `longer` + 1 longer bars, of at most eight bars each.

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts, Interval, Timestamp};
use finstage_quant::{Indicator, Sma, sma};

use crate::cross::{Crossing, Edge, Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "trend_agreement_up",
    direction: Side::Above.with_the_move(),
    describes: "the close crosses above the SMA(period) while the longer interval closed above its SMA(longer): a rise is expected",
    korean: "종가가 SMA({period})을 위로 돌파, 더 긴 봉에서도 SMA({longer}) 위",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "above"),
    build: |params| Box::new(TrendAgreement::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "trend_agreement_down",
    direction: Side::Below.with_the_move(),
    describes: "the close crosses below the SMA(period) while the longer interval closed below its SMA(longer): a fall is expected",
    korean: "종가가 SMA({period})을 아래로 돌파, 더 긴 봉에서도 SMA({longer}) 아래",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "below"),
    build: |params| Box::new(TrendAgreement::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec { min: 2.0, ..ParamSpec::period("period", 20, "bars in the average of closes") },
    ParamSpec {
        min: 2.0,
        max: 500.0,
        ..ParamSpec::period("longer", 10, "longer bars in the average of their closes")
    },
];

/// The most bars in one of the longer bars: half hours in four hours.
const PARTS: usize = 8;

fn words(params: &Params, side: &str) -> String {
    let (period, longer) = (params.get("period"), params.get("longer"));
    format!("close crossed {side} SMA({period}) with the longer interval {side} its SMA({longer})")
}

#[derive(Debug)]
struct TrendAgreement {
    side: Side,
    longer: usize,
    average: Sma,
    crossing: Crossing,
    /// Open times of the longer bar that this one is part of, and of the one before it of which a
    /// part was seen.
    slot: Option<Timestamp>,
    before: Option<Timestamp>,
    /// Closes of the longer bars and their averages, kept for their room.
    closes: Vec<f64>,
    averages: Vec<f64>,
}

impl TrendAgreement {
    fn new(params: &Params, side: Side) -> Self {
        let longer = params.period("longer");
        Self {
            side,
            longer,
            average: Sma::new(params.period("period")),
            crossing: Crossing::new(side, Edge::Passes),
            slot: None,
            before: None,
            closes: Vec::with_capacity(longer),
            averages: Vec::with_capacity(longer),
        }
    }

    /// Close and average of the newest longer bar, once enough of them are known. A venue may send a
    /// longer bar late: what was said in its place would rest on an older one, so nothing is said.
    fn trend(&mut self, bars: &[Bar]) -> Option<(f64, f64)> {
        if bars.last()?.open_time != self.before? {
            return None;
        }
        let newest = &bars[bars.len().checked_sub(self.longer)?..];
        self.closes.clear();
        self.closes.extend(newest.iter().map(|bar| bar.close.to_f64()));
        sma(&self.closes, self.longer, &mut self.averages);
        Some((*self.closes.last()?, *self.averages.last()?))
    }
}

impl Strategy for TrendAgreement {
    fn warmup(&self) -> usize {
        self.average.warmup() + 1
    }

    fn memory(&self) -> usize {
        self.warmup().max((self.longer + 1) * PARTS)
    }

    fn longer(&self, interval: Interval) -> Option<Interval> {
        let is_longer = |longer: &Interval| {
            longer.is_made_of(interval) && longer.nominal() >= 4 * interval.nominal()
        };
        // Months are not made of weeks, and are shown to them all the same where there are some.
        let fallback = (interval == Interval::W1).then_some(Interval::Mo1);
        Interval::ALL.into_iter().find(is_longer).or(fallback)
    }

    fn on_bar(&mut self, bar: &Bar, ctx: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let longer = self.longer(bar.interval);
        let slot = longer.map(|longer| longer.open_of(bar.open_time));
        if slot != self.slot {
            self.before = std::mem::replace(&mut self.slot, slot);
        }
        let Some(average) = self.average.update(close) else { return };
        if self.crossing.step(close - average) != Some(true) {
            return;
        }
        let Some(longer) = longer else { return };
        let Some((last, trend)) = self.trend(ctx.series(longer)) else { return };
        if self.side.beyond(last - trend) > 0.0 {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - average, average),
                facts: Facts::new(&[
                    ("close", close),
                    ("sma", average),
                    ("longer_close", last),
                    ("longer_sma", trend),
                ]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::{check, signals};

    use super::*;

    const SHORT: [(&str, f64); 2] = [("period", 2.0), ("longer", 2.0)];

    // Six bars of an hour in one of four: the harness begins at midnight, so they end after 4, 8, 12.
    const RISING: &str = "
        interval: 1h
        close: 10 10 10 10 12 12 12 12 11 13 14";

    #[test]
    fn a_cross_with_the_tide_fires() {
        // The four-hour bars close at 10 and 12; the cross on the tenth bar goes up.
        check(&UP, &SHORT, &format!("{RISING}\nfires: . . . . . . . . . L ."));
        let falling = "interval: 1h\nclose: 12 12 12 12 10 10 10 10 11 9 8";
        check(&DOWN, &SHORT, &format!("{falling}\nfires: . . . . . . . . . S ."));
    }

    #[test]
    fn a_cross_against_the_tide_does_not() {
        let closes = "interval: 1h\nclose: 14 14 14 14 12 12 12 12 11 13 14";
        check(&UP, &SHORT, &format!("{closes}\nfires: . . . . . . . . . . ."));
        check(&DOWN, &SHORT, &format!("{RISING}\nfires: . . . . . . . . . . ."));
    }

    #[test]
    fn a_longer_bar_that_closes_with_this_one_is_not_known_yet() {
        // The second four-hour bar closes at 9, together with the eighth bar, on which the cross falls.
        let closes = "interval: 1h\nclose: 10 10 10 10 10 10 9 12";
        check(&UP, &SHORT, &format!("{closes}\nfires: . . . . . . . ."));
        let closes = "interval: 1h\nclose: 10 10 10 10 12 12 12 12 9 9 9 14";
        // Known on the twelfth bar: 10 and 12, not the 14 of its own four hours.
        let [signal] = signals(&UP, &SHORT, closes)[..] else { panic!("one signal") };
        let facts = [("close", 14.0), ("sma", 11.5), ("longer_close", 12.0), ("longer_sma", 11.0)];
        assert_eq!(signal.facts, Facts::new(&facts));
        assert_eq!(signal.strength, 2.5 / 11.5 * 100.0);
    }

    #[test]
    fn bars_without_a_longer_interval_are_silent() {
        let months = "interval: 1mo\nclose: 10 10 10 10 12 12 12 12 11 13 14";
        check(&UP, &SHORT, &format!("{months}\nfires: . . . . . . . . . . ."));
        // Weeks do not make months, and here are none.
        let weeks = "interval: 1w\nclose: 10 10 10 10 12 12 12 12 11 13 14";
        check(&UP, &SHORT, &format!("{weeks}\nfires: . . . . . . . . . . ."));
    }

    #[test]
    fn each_interval_has_its_longer_one() {
        let entry = UP;
        let params = entry.params(&[]).unwrap_or_else(|why| panic!("{why}"));
        let strategy = (entry.build)(&params);
        let pairs: Vec<String> = Interval::ALL
            .into_iter()
            .filter_map(|of| Some(format!("{of} {}", strategy.longer(of)?)))
            .collect();
        let expected = ["1m 5m", "5m 30m", "15m 1h", "30m 4h", "1h 4h", "4h 1d", "1d 1w", "1w 1mo"];
        assert_eq!(pairs, expected);
    }
}
