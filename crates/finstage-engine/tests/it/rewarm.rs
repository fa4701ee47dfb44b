//! A past that is told again: `Reset` and then `Past` of every series.

use finstage_engine::{EngineSettings, WatchSpec};
use finstage_model::{
    Bar, Event, FeedKind, FeedStatus, InstrumentId, Interval, Output, Past, Payload, Symbol,
    Timestamp,
};

use crate::stage::{A, Stage, announce, at, bar, line, series, strategy, symbol};

const B: InstrumentId = InstrumentId(1);

/// Two instruments with the venue's minutes and five minutes made of them.
fn settings() -> EngineSettings {
    let mut settings = series("1m venue, 5m rolled 1m");
    let mut others = settings.series.clone();
    others.iter_mut().for_each(|spec| spec.symbol = other());
    settings.series.append(&mut others);
    settings.strategies = vec![
        strategy("cross", Some(("n", 3.0)), Interval::M1),
        strategy("cross", Some(("n", 2.0)), Interval::M5),
        strategy("reader", Some(("memory", 3.0)), Interval::M1),
    ];
    settings.alerts.send_unproven = true;
    settings.alerts.cooldown_ms = 0;
    settings.alerts.per_hour = 1_000;
    settings
}

fn other() -> Symbol {
    "x:B".parse().unwrap()
}

fn two() -> Stage {
    let mut stage = Stage::new(&settings());
    stage.apply(Timestamp::MIN, announce(B, other()));
    stage
}

/// A minute's bar; the prices go up and down, each instrument's in its own way.
fn minute(instrument: InstrumentId, n: i64) -> Bar {
    let wave = |n: i64| 100 + (n * (7 + i64::from(instrument.0)) % 13) - (n * 5 % 11);
    let (open, close) = (wave(n), wave(n + 1));
    let high = open.max(close) + 1;
    let row = format!("1m 12:00 {open} {high} {} {close} 2", open.min(close) - 1);
    let bar = bar(&row.split(' ').collect::<Vec<_>>());
    Bar {
        instrument,
        open_time: at("12:00").plus(std::time::Duration::from_secs(60) * n as u32),
        ..bar
    }
}

fn live(stage: &mut Stage, bar: Bar) {
    stage.apply(bar.close_time().plus(std::time::Duration::from_millis(200)), Payload::Bar(bar));
}

fn past(interval: Interval, bars: Vec<Bar>) -> Payload {
    Payload::Past(Box::new(Past { instrument: A, interval, bars }))
}

/// The five minutes made of those minutes, as far as they are whole.
fn fives(minutes: &[Bar]) -> Vec<Bar> {
    let whole = minutes.chunks_exact(5).map(|five| {
        let mut bar = Bar { interval: Interval::M5, ..five[0] };
        five[1..].iter().for_each(|b| bar.absorb(b.high, b.low, b.close, b.volume, b.trades));
        bar
    });
    whole.collect()
}

fn of(outputs: &[Output], instrument: InstrumentId) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mine = |output: &&Output| match output {
        Output::Bar(bar) => bar.instrument == instrument,
        Output::Signal(signal) => signal.instrument == instrument,
        Output::Alert(alert) => (alert.symbol == symbol()) == (instrument == A),
        Output::Verdict(_) => false,
    };
    outputs.iter().filter(mine).for_each(|output| output.canonical(&mut bytes));
    bytes
}

#[test]
fn after_a_reset_it_says_what_a_fresh_engine_with_that_past_says_and_of_others_what_it_would_have()
{
    let whole: Vec<Bar> = (0..42).map(|n| minute(A, n)).collect();
    let pasts = [past(Interval::M5, fives(&whole[..42])), past(Interval::M1, whole.clone())];
    let (mut reset, mut untouched, mut fresh) = (two(), two(), two());
    for n in 0..42 {
        for stage in [&mut reset, &mut untouched] {
            // Ten minutes of A are missing, and are imported later.
            if !(30..40).contains(&n) {
                live(stage, minute(A, n));
            }
            live(stage, minute(B, n));
        }
    }
    let then = at("12:42:01");
    let said = reset.outputs.len();
    reset.apply(then, Payload::Reset(A));
    for payload in &pasts {
        reset.apply(then, payload.clone());
        fresh.apply(then, payload.clone());
    }
    assert_eq!(reset.outputs.len(), said, "neither a reset nor a past says anything");
    assert!(fresh.outputs.is_empty());
    for n in 42..90 {
        live(&mut fresh, minute(A, n));
        for stage in [&mut reset, &mut untouched] {
            live(stage, minute(A, n));
            live(stage, minute(B, n));
        }
    }
    assert!(fresh.outputs.iter().filter(|o| matches!(o, Output::Signal(_))).count() > 20);
    assert!(of(&reset.outputs[said..], A) == of(&fresh.outputs, A), "as a fresh engine");
    assert!(of(&reset.outputs, B) == of(&untouched.outputs, B), "the other is untouched");
    assert!(of(&reset.outputs, A) != of(&untouched.outputs, A), "the missing bars matter");
}

#[test]
fn a_bar_that_was_said_before_a_reset_is_not_said_again() {
    let mut stage = two();
    (0..7).for_each(|n| live(&mut stage, minute(A, n)));
    stage.apply(at("12:07:01"), Payload::Reset(A));
    let said = stage.outputs.len();
    // Not even when nothing of its past is told.
    (0..7).for_each(|n| live(&mut stage, minute(A, n)));
    assert_eq!(stage.outputs.len(), said);
    assert_eq!(stage.engine.counters().out_of_order_bars, 7);
    live(&mut stage, minute(A, 7));
    assert!(matches!(stage.outputs[said], Output::Bar(bar) if bar == minute(A, 7)));
}

#[test]
fn strategies_are_silent_after_a_reset_until_they_are_warm() {
    let mut stage = two();
    (0..20).for_each(|n| live(&mut stage, minute(A, n)));
    stage.apply(at("12:20:01"), Payload::Reset(A));
    let said = stage.outputs.len();
    (20..22).for_each(|n| live(&mut stage, minute(A, n)));
    let signals = stage.outputs[said..].iter().filter(|output| match output {
        Output::Signal(signal) => stage.engine.strategies()[usize::from(signal.strategy.0)]
            .canonical
            .starts_with("cross("),
        _ => false,
    });
    assert_eq!(signals.count(), 0);
}

#[test]
fn cooldowns_budgets_and_the_health_of_the_feed_outlive_a_reset() {
    let mut settings = settings();
    settings.strategies.truncate(1);
    settings.alerts.cooldown_ms = 3_600_000;
    let play = |health: Option<FeedKind>| {
        let mut stage = Stage::new(&settings);
        (0..30).for_each(|n| live(&mut stage, minute(A, n)));
        if let Some(kind) = health {
            let status = FeedStatus { instrument: A, kind };
            stage.apply(at("12:30:00.5"), Payload::Feed(status));
        }
        let sent = stage.outputs.iter().map(line).filter(|l| l.starts_with("alert send")).count();
        assert_eq!(sent, 1);
        let said = stage.outputs.len();
        stage.apply(at("12:30:01"), Payload::Reset(A));
        stage.apply(at("12:30:01"), past(Interval::M1, (0..30).map(|n| minute(A, n)).collect()));
        (30..50).for_each(|n| live(&mut stage, minute(A, n)));
        stage.outputs[said..]
            .iter()
            .map(line)
            .filter(|l| l.starts_with("alert"))
            .collect::<Vec<_>>()
    };
    let cooled = play(None);
    assert!(
        cooled.len() > 3 && cooled.iter().all(|l| l.starts_with("alert cooldown")),
        "{cooled:?}"
    );
    let silent = play(Some(FeedKind::Stale));
    assert!(silent.iter().all(|l| l.starts_with("alert data")), "{silent:?}");
    let lost = play(Some(FeedKind::Gap { from: at("12:00"), to: at("12:50") }));
    assert!(lost.iter().all(|l| l.starts_with("alert data")), "{lost:?}");
}

#[test]
fn trades_of_the_open_bar_outlive_a_reset_and_a_late_one_still_reopens_nothing() {
    let mut stage = Stage::new(&series("1m trades, 5m rolled 1m"));
    stage.expect(
        "12:05:10 trade 10
         12:06:10 trade 12
         12:07:05 trade 99
         12:07:06 trade 98",
        "bar 1m 12:05 10 10 10 10 1
         bar 1m 12:06 12 12 12 12 1",
    );
    let row = |text: &str| bar(&text.split(' ').collect::<Vec<_>>());
    stage.apply(at("12:07:07"), Payload::Reset(A));
    stage.apply(at("12:07:07"), past(Interval::M5, vec![row("5m 12:00 1 2 1 2 9")]));
    let minutes = ["1m 12:04 2 2 2 2 1", "1m 12:05 10 10 10 10 1", "1m 12:06 12 12 12 12 1"];
    stage.apply(at("12:07:07"), past(Interval::M1, minutes.map(row).to_vec()));
    stage.expect(
        "12:07:08 trade 50 at 12:06:59
         12:07:09 trade 97
         12:10:00 trade 1",
        "bar 1m 12:07 99 99 97 97 3
         bar 5m 12:05 10 99 10 97 5",
    );
    assert_eq!(stage.engine.counters().late_trades, 1);
}

#[test]
fn a_watch_learns_yesterday_from_minutes_that_are_told_later() {
    let mut settings = series("1m trades");
    let watch = |rule: &str| WatchSpec {
        symbol: symbol(),
        rule: rule.parse().unwrap(),
        cooldown_ms: Some(0),
    };
    settings.watches = vec![watch("rise=3%"), watch("prev_low")];
    let mut stage = Stage::new(&settings);
    stage.expect("12:00 trade 110\n 12:00:01 trade 90", "");
    let row = |text: &str| bar(&text.split(' ').collect::<Vec<_>>());
    let minutes = [
        "1m 2026-01-03T23:59 1 1 1 1 1",
        "1m 2026-01-04T12:00 100 105 95 101 1",
        "1m 2026-01-04T23:59 101 101 99 100 1",
    ];
    stage.apply(at("12:00:02"), Payload::Reset(A));
    stage.apply(at("12:00:02"), past(Interval::M1, minutes.map(row).to_vec()));
    let said = stage.play("12:00:30 trade 103\n 12:00:40 trade 94");
    assert_eq!(
        said,
        [
            "watch rise=3% 103 base 100 at 12:00:30: send",
            "watch prev_low 94 base 95 at 12:00:40: send"
        ]
    );
}

#[test]
fn a_reset_of_an_instrument_that_was_not_announced_is_counted() {
    let mut stage = Stage::new(&series("1m venue"));
    let event = Event::new(at("12:00"), Payload::Reset(B));
    stage.engine.apply(&event, &mut stage.outputs);
    assert_eq!(stage.engine.counters().unknown_instruments, 1);
}
