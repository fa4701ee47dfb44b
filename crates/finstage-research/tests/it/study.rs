//! A study of history and the outcome of a signal are the same return.

use finstage_engine::{Question, Settlement, settle};
use finstage_model::{
    Bar, Calendar, Direction, Horizon, Interval, Price, SignalId, Span, Timestamp,
};
use finstage_quant::stats::event_study::{Claim, Member, Scope};
use finstage_quant::stats::inference::{Estimate, mean_block};
use finstage_research::study::{Adjustment, Instrument};
use finstage_research::worlds::{Noise, world};

fn days(count: usize) -> Vec<Bar> {
    world(Noise::Normal, 17, count)
}

fn instrument(bars: &[Bar]) -> Instrument {
    Instrument::new("x:A".parse().unwrap(), bars, &|_| Adjustment::NONE).unwrap()
}

/// The return that a follow-up job settles for a signal on each bar.
fn settled(bars: &[Bar], horizon: Horizon, calendar: &Calendar) -> Vec<Option<f64>> {
    let ask = |bar: &Bar| Question {
        signal: SignalId(1),
        direction: Direction::Short,
        open_time: bar.open_time,
        horizon,
    };
    let answer = |bar: &Bar| match settle(&ask(bar), bars, calendar) {
        Settlement::Settled(outcome) => Some(outcome.ret),
        _ => None,
    };
    bars.iter().map(answer).collect()
}

fn same_returns(bars: &[Bar], calendar: &Calendar) {
    let one = instrument(bars);
    for horizon in Horizon::ALL {
        let Some(length) = one.pace().bars(horizon) else {
            assert!(settled(bars, horizon, calendar).iter().all(Option::is_none));
            continue;
        };
        let (eligible, _) = one.eligible(3, length);
        let returns = one.returns(length);
        let settled = settled(bars, horizon, calendar);
        assert!(eligible.iter().any(|&is_eligible| is_eligible), "{horizon}");
        for place in 0..bars.len() {
            // The same to the last bit, and there for the same bars.
            let studied = Some(returns[place]).filter(|value| value.is_finite());
            assert_eq!(studied, settled[place], "{horizon} {place}");
            let reaches = place >= 3 && place + 2 + length <= bars.len();
            assert_eq!(eligible[place], reaches, "{horizon} {place}");
        }
    }
}

#[test]
fn a_study_and_a_follow_up_give_the_same_return() {
    let bars = days(120);
    let span = Span { open: bars[0].open_time, close: bars[119].close_time() };
    same_returns(&bars, &Calendar::sessions(vec![span]).unwrap());
    let always: Vec<Bar> = (0..)
        .zip(&bars)
        .map(|(day, bar)| Bar { open_time: Timestamp::from_secs(day * 86_400), ..*bar })
        .collect();
    same_returns(&always, &Calendar::always());
    let hours: Vec<Bar> = (0..)
        .zip(days(1_200))
        .map(|(hour, bar)| Bar {
            open_time: Timestamp::from_secs(hour * 3_600),
            interval: Interval::H1,
            ..bar
        })
        .collect();
    same_returns(&hours, &Calendar::always());
}

#[test]
fn a_split_is_no_return() {
    let bars = days(60);
    let split_on = bars[30].open_time.day();
    let tenth = |price: Price| Price::from_nanos(price.nanos() / 10);
    let raw: Vec<Bar> = bars
        .iter()
        .map(|bar| match bar.open_time.day() < split_on {
            true => *bar,
            false => Bar {
                open: tenth(bar.open),
                high: tenth(bar.high),
                low: tenth(bar.low),
                close: tenth(bar.close),
                ..*bar
            },
        })
        .collect();
    let adjust = |day| match day < split_on {
        true => Adjustment { price: 0.1, split: 0.1 },
        false => Adjustment::NONE,
    };
    let adjusted = Instrument::new("x:A".parse().unwrap(), &raw, &adjust).unwrap();
    let (said, wanted) = (adjusted.returns(5), instrument(&bars).returns(5));
    for (said, wanted) in said.iter().zip(&wanted).filter(|(_, wanted)| wanted.is_finite()) {
        assert!((said - wanted).abs() < 1e-9, "{said} {wanted}");
    }
    // Ten times the shares were traded for each of before.
    assert_eq!(adjusted.bars()[0].volume.nanos(), 10 * bars[0].volume.nanos());
}

#[test]
fn a_hole_in_the_data_takes_out_the_bars_whose_windows_hold_it() {
    let mut bars = days(100);
    bars.drain(40..55);
    let one = instrument(&bars);
    let (eligible, left_out) = one.eligible(10, 5);
    let out: Vec<usize> = (10..bars.len() - 6).filter(|&place| !eligible[place]).collect();
    // The hole lies before bar 40: no window may begin before and end at or after it.
    assert_eq!(out, (34..40).collect::<Vec<_>>());
    assert_eq!(left_out, 6);
}

#[test]
fn where_opens_repeat_the_close_before_closes_are_traded() {
    let mut bars = days(520);
    let year = |bar: &Bar| bar.open_time.day().civil().0;
    let first = year(&bars[0]);
    for place in 1..bars.len() {
        if year(&bars[place]) == first {
            let before = bars[place - 1].close;
            let bar = &mut bars[place];
            bar.open = before;
            (bar.high, bar.low) = (bar.high.max(before), bar.low.min(before));
        }
    }
    let one = instrument(&bars);
    assert_eq!(one.years_at_close(), [first]);
    let price = |bar: &Bar| if year(bar) == first { bar.close } else { bar.open };
    let returns = one.returns(5);
    for place in 0..bars.len() - 6 {
        let wanted = price(&bars[place + 6]).to_f64() / price(&bars[place + 1]).to_f64() - 1.0;
        assert_eq!(returns[place], wanted, "{place}");
    }
}

#[test]
fn a_market_that_rises_for_everybody_proves_no_skill() {
    const HORIZON: usize = 5;
    let bars = days(2_000);
    let times: Vec<Timestamp> = bars.iter().map(|bar| bar.open_time).collect();
    let events: Vec<usize> = (25..1_990).step_by(13).collect();
    let eligible: Vec<bool> = (0..2_000).map(|bar| (20..=1_993).contains(&bar)).collect();
    let estimate = |drift: f64| {
        let mut level = 1.0;
        let mut opens = Vec::new();
        for bar in &bars {
            opens.push(bar.open.to_f64() * level);
            level *= 1.0 + drift;
        }
        let after =
            |bar: usize| opens.get(bar + 1 + HORIZON).map(|exit| exit / opens[bar + 1] - 1.0);
        let returns: Vec<f64> = (0..2_000).map(|bar| after(bar).unwrap_or(f64::NAN)).collect();
        let member = Member {
            name: "a",
            times: &times,
            returns: &returns,
            eligible: &eligible,
            volatility: &[],
        };
        let scope = [member];
        let scope = Scope::new(&scope, HORIZON).unwrap();
        let study = scope.study(Claim::Direction(Direction::Long), &[&events]).unwrap();
        (study.base_return, Estimate::of(&study, 0.0, mean_block(HORIZON)).unwrap().t)
    };
    let (base, t) = estimate(0.0);
    let (risen, same) = estimate(0.002);
    assert!(risen > base + 0.009, "{base} {risen}");
    assert!((same / t - 1.0).abs() < 1e-9, "{t} {same}");
}
