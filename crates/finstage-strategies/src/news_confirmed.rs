//! A break of an average that the news agrees with.
//!
//! *Idea.* A move that has a reason people can read goes on longer than one without. *Source.* Paul
//! Tetlock, *Giving Content to Investor Sentiment*, 2007, found words of the press before prices, small
//! and partly undone within days; whether it holds here is measured, `finstage news lift`.
//!
//! *Condition.* `news_confirmed_up`: previous close <= previous SMA(period), close > SMA(period), and the
//! tone of the instrument's news of the last `hours`, as it was known at the close, is at least `least`.
//! `news_confirmed_down`: >= and <, and the tone is at most -`least`. An insight moves the tone by
//! a quarter at most. *Strength.* Distance from the average, in percent. *Warm-up.* `period` + 1 bars;
//! nothing older counts. Without news it says nothing.

use std::time::Duration;

use finstage_engine::{Context, Entry, Firing, ParamSpec, Params, Strategy};
use finstage_model::{Bar, Facts};
use finstage_quant::{Indicator, Sma};

use crate::cross::{Crossing, Edge, Side, percent};

pub(crate) const UP: Entry = Entry {
    name: "news_confirmed_up",
    direction: Side::Above.with_the_move(),
    describes: "the close crosses above the SMA(period) and the tone of the news of hours hours is at least least: a rise is expected",
    korean: "종가가 SMA({period})을 위로 돌파, 최근 {hours}시간 뉴스 논조 {least} 이상",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "above", "at least "),
    build: |params| Box::new(NewsConfirmed::new(params, Side::Above)),
};

pub(crate) const DOWN: Entry = Entry {
    name: "news_confirmed_down",
    direction: Side::Below.with_the_move(),
    describes: "the close crosses below the SMA(period) and the tone of the news of hours hours is at most -least: a fall is expected",
    korean: "종가가 SMA({period})을 아래로 돌파, 최근 {hours}시간 뉴스 논조 -{least} 이하",
    params: PARAMS,
    check: |_| Ok(()),
    words: |params| words(params, "below", "at most -"),
    build: |params| Box::new(NewsConfirmed::new(params, Side::Below)),
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::period("period", 20, "bars in the average"),
    ParamSpec {
        whole: true,
        ..ParamSpec::number("hours", 24.0, (1.0, 168.0), "hours after which news is forgotten")
    },
    ParamSpec::number("least", 0.1, (0.01, 1.0), "least tone of the news, from 0 to 1"),
];

fn words(params: &Params, side: &str, bound: &str) -> String {
    let (period, hours, least) = (params.get("period"), params.get("hours"), params.get("least"));
    format!("close crossed {side} SMA({period}), the tone of {hours} h of news {bound}{least}")
}

#[derive(Debug)]
struct NewsConfirmed {
    side: Side,
    memory: Duration,
    least: f64,
    average: Sma,
    crossing: Crossing,
}

impl NewsConfirmed {
    fn new(params: &Params, side: Side) -> Self {
        Self {
            side,
            memory: Duration::from_secs(params.period("hours") as u64 * 3_600),
            least: params.get("least"),
            average: Sma::new(params.period("period")),
            crossing: Crossing::new(side, Edge::Passes),
        }
    }
}

impl Strategy for NewsConfirmed {
    fn warmup(&self) -> usize {
        self.average.warmup() + 1
    }

    fn hears_news(&self) -> bool {
        true
    }

    fn on_bar(&mut self, bar: &Bar, ctx: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        let Some(average) = self.average.update(close) else { return };
        if self.crossing.step(close - average) != Some(true) {
            return;
        }
        let tone = ctx.news(self.memory);
        if self.side.beyond(tone) >= self.least {
            out.push(Firing {
                direction: self.side.with_the_move(),
                strength: percent(close - average, average),
                facts: Facts::new(&[("close", close), ("average", average), ("news", tone)]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use finstage_engine::harness::check;

    use super::*;

    const SHORT: [(&str, f64); 2] = [("period", 2.0), ("hours", 24.0)];

    #[test]
    fn a_break_needs_news_of_its_own_direction() {
        let bars = "close: 10 10 10 12 12";
        for (news, fires) in [
            (". . . 0.9 .", ". . . L ."),
            (". . . -0.9 .", ". . . . ."),
            (". . . . .", ". . . . ."),
            // Too weak, and too late.
            (". . . 0.3 .", ". . . . ."),
            (". . . . 0.9", ". . . . ."),
            // A day old: forgotten.
            (". . 0.9 . .", ". . . . ."),
        ] {
            check(&UP, &SHORT, &format!("{bars}\nnews: {news}\nfires: {fires}"));
        }
        let bars = "close: 10 10 10 8 8";
        check(&DOWN, &SHORT, &format!("{bars}\nnews: . . . -0.9 .\nfires: . . . S ."));
        check(&DOWN, &SHORT, &format!("{bars}\nnews: . . . 0.9 .\nfires: . . . . ."));
    }
}
