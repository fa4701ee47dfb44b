//! Rules on price alone.

use finstage_engine::{EngineSettings, WatchSpec};
use finstage_model::{Interval, MuteNotice, Output, Past, Payload, WatchNotice};

use crate::stage::{A, Stage, at, bar, series, symbol};

/// Watches with a cooldown of an hour, over one-minute trades and the venue's daily bars.
fn watching(rules: &str) -> EngineSettings {
    let mut settings = series("1m trades, 1d venue");
    let watch = |rule: &str| WatchSpec {
        symbol: symbol(),
        rule: rule.parse().unwrap(),
        cooldown_ms: Some(3_600_000),
    };
    settings.watches = rules.split(' ').map(watch).collect();
    settings
}

/// A stage that knows two days: highs 110 and 105, yesterday's low 95, its close 100.
fn stage(rules: &str) -> Stage {
    let mut stage = Stage::new(&watching(rules));
    let row = |text: &str| bar(&text.split(' ').collect::<Vec<_>>());
    let bars = vec![
        row("1d 2026-01-03T00:00 90 110 80 90 1"),
        row("1d 2026-01-04T00:00 100 105 95 100 1"),
    ];
    let past = Past { instrument: A, interval: Interval::D1, bars };
    stage.apply(at("00:00"), Payload::Past(Box::new(past)));
    stage
}

#[track_caller]
fn expect(stage: &mut Stage, script: &str, expected: &str) {
    let said: Vec<String> =
        stage.play(script).into_iter().filter(|line| line.starts_with("watch")).collect();
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(said, expected, "\nsaid:\n{}", said.join("\n"));
}

#[test]
fn thresholds_are_exact_at_their_edges() {
    expect(
        &mut stage("rise=3% drop=3%"),
        "12:00 trade 102.999999999\n 12:01 trade 103\n 12:02 trade 97.000000001\n 12:03 trade 97",
        "watch rise=3% 103 base 100 at 12:01: send
         watch drop=3% 97 base 100 at 12:03: send",
    );
}

#[test]
fn a_rule_that_stays_true_alerts_again_after_its_cooldown() {
    expect(
        &mut stage("rise=3%"),
        "12:00 trade 103\n 12:00:30 trade 104\n 12:30 trade 105\n 12:59:59 trade 105\n 13:00 trade 105",
        "watch rise=3% 103 base 100 at 12:00: send
         watch rise=3% 105 base 100 at 13:00: send",
    );
}

#[test]
fn a_rule_that_comes_true_again_within_its_cooldown_is_recorded_and_not_sent() {
    expect(
        &mut stage("rise=3%"),
        "12:00:00 trade 103
         12:00:10 trade 102
         12:00:20 trade 103      # the same minute
         12:01:00 trade 102
         12:01:10 trade 103",
        "watch rise=3% 103 base 100 at 12:00: send
         watch rise=3% 103 base 100 at 12:01:10: cooldown",
    );
}

#[test]
fn a_new_high_is_above_every_price_known_and_alerts_once_an_hour() {
    expect(
        &mut stage("new_high"),
        "12:00 trade 109
         12:01 trade 110         # equals the record
         12:02 trade 111
         12:03 trade 112
         13:01:59 trade 113
         13:02 trade 113         # not higher
         13:03 trade 113.5",
        "watch new_high 111 base 110 at 12:02: send
         watch new_high 113.5 base 113 at 13:03: send",
    );
}

#[test]
fn a_drop_from_the_high_counts_todays_prices_too() {
    expect(
        &mut stage("drop_from_high=10%"),
        "12:00 trade 105\n 12:01 trade 200\n 12:02 trade 180.1\n 12:03 trade 180",
        "watch drop_from_high=10% 180 base 200 at 12:03: send",
    );
}

#[test]
fn the_previous_days_range_is_broken_beyond_its_ends() {
    expect(
        &mut stage("prev_high prev_low"),
        "12:00 trade 105\n 12:01 trade 105.1\n 12:02 trade 95\n 12:03 trade 94.9",
        "watch prev_high 105.1 base 105 at 12:01: send
         watch prev_low 94.9 base 95 at 12:03: send",
    );
}

#[test]
fn a_price_is_crossed_from_the_other_side() {
    let script = "12:00 trade 101\n 12:01 trade 100\n 12:02 trade 100.5\n 14:00 trade 101
        14:01 trade 99";
    expect(
        &mut Stage::new(&watching("above=100 below=100")),
        script,
        "watch above=100 100.5 base 100 at 12:02: send
         watch below=100 99 base 100 at 14:01: send",
    );
    // Stored bars end at 100, so that 101 is a crossing.
    expect(
        &mut stage("above=100"),
        script,
        "watch above=100 101 base 100 at 12:00: send
         watch above=100 100.5 base 100 at 12:02: cooldown",
    );
}

#[test]
fn without_daily_bars_the_days_are_those_of_the_prices() {
    let mut settings = watching("rise=3% prev_low new_high");
    settings.series.truncate(1);
    expect(
        &mut Stage::new(&settings),
        "2026-01-04T12:00:00 trade 100
         2026-01-04T13:00:00 trade 90
         2026-01-04T23:59:00 trade 95
         00:00:01 trade 97.9
         00:01 trade 97.85
         00:02 trade 89
         00:03 trade 100.5",
        "watch rise=3% 97.9 base 95 at 00:00:01: send
         watch prev_low 89 base 90 at 00:02: send
         watch rise=3% 100.5 base 95 at 00:03: cooldown
         watch new_high 100.5 base 100 at 00:03: send",
    );
}

#[test]
fn where_no_trades_come_closed_bars_are_the_prices() {
    let mut settings = watching("rise=3% new_high");
    settings.series.remove(0);
    let mut stage = Stage::new(&settings);
    expect(
        &mut stage,
        "2026-01-04T00:00:00 bar 1d 2026-01-03T00:00 90 110 80 90 1
         00:00 bar 1d 2026-01-04T00:00 90 105 85 92.7 1
         2026-01-06T00:00:00 bar 1d 2026-01-05T00:00 100 120 85 115 1",
        "watch rise=3% 92.7 base 90 at 00:00: send
         watch rise=3% 115 base 92.7 at 2026-01-06T00:00: send
         watch new_high 115 base 110 at 2026-01-06T00:00: send",
    );
}

#[test]
fn a_watch_is_a_fact_in_words() {
    let mut stage = stage("rise=3%");
    stage.play("12:00:30 trade 103.456 at 12:00:29");
    let Some(Output::Alert(alert)) = stage.outputs.last() else { panic!("an alert") };
    assert_eq!(alert.words, "3.46% above the previous day's close 100");
    assert_eq!(alert.data_age_ms, 1_000);
    assert_eq!(alert.id, finstage_model::AlertId::of_watch("rise=3%", &symbol(), at("12:00")));
}

fn notice(rule: &str, is_on: bool) -> Payload {
    let rule = rule.parse().unwrap();
    Payload::Watch(Box::new(WatchNotice { symbol: symbol(), rule, cooldown_ms: 180_000, is_on }))
}

#[test]
fn a_watch_that_is_added_speaks_from_then_on_and_is_silent_when_it_is_taken_out() {
    let mut stage = stage("prev_low");
    expect(&mut stage, "12:00 trade 103", "");
    stage.apply(at("12:00:30"), notice("rise=3%", true));
    stage.apply(at("12:00:30"), notice("rise=3%", true));
    expect(
        &mut stage,
        "12:01 trade 103\n 12:02 trade 104\n 12:04 trade 104",
        "watch rise=3% 103 base 100 at 12:01: send
         watch rise=3% 104 base 100 at 12:04: send",
    );
    stage.apply(at("12:05"), notice("rise=3%", false));
    stage.apply(at("12:05"), notice("prev_low", false));
    expect(
        &mut stage,
        "12:10 trade 105\n 12:11 trade 94",
        "watch prev_low 94 base 95 at 12:11: send",
    );
}

#[test]
fn a_watch_on_an_instrument_that_is_not_watched_is_counted_and_nothing_else() {
    let mut stage = stage("prev_low");
    let Payload::Watch(mut unknown) = notice("rise=3%", true) else { unreachable!() };
    unknown.symbol = "x:NONE".parse().unwrap();
    stage.apply(at("12:00"), Payload::Watch(unknown));
    assert_eq!(stage.engine.counters().unused_watches, 1);
}

#[test]
fn what_is_muted_is_recorded_and_not_sent_until_its_time_is_over() {
    for what in ["rise=3%", "rise", symbol().as_str()] {
        let mut stage = stage("rise=3% prev_low");
        let mute = |what: &str, until: &str| {
            Payload::Mute(Box::new(MuteNotice { what: what.into(), until: at(until) }))
        };
        stage.apply(at("12:00"), mute(what, "14:00"));
        stage.apply(at("12:00"), mute("another", "15:00"));
        expect(
            &mut stage,
            "12:01 trade 103\n 14:00 trade 103",
            "watch rise=3% 103 base 100 at 12:01: muted
             watch rise=3% 103 base 100 at 14:00: send",
        );
        stage.apply(at("15:00"), mute(what, "20:00"));
        stage.apply(at("15:01"), mute(what, "15:01"));
        expect(&mut stage, "15:02 trade 104", "watch rise=3% 104 base 100 at 15:02: send");
    }
}
