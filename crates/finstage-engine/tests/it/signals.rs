//! Signals, verdicts and alerts.

use finstage_engine::{AlertRules, harness};
use finstage_model::{
    Alert, AlertKind, Interval, Output, Payload, Ruling, Said, Signal, SignalId, StrategyId,
};

use crate::stage::{Stage, at, series, strategy, symbol};
use crate::strategies::{CHATTER, CROSS};

#[test]
fn the_harness_draws_what_a_user_would_see() {
    harness::check(
        &CROSS,
        &[("n", 2.0)],
        "close: 10 10 10 12 14 14 9 8 8 9
         fires:  .  .  .  L  .  S . . . L",
    );
    harness::check(&CHATTER, &[("warmup", 3.0)], "close: 1 2 3 4\n fires: . . LS LS");
}

#[test]
#[should_panic = "cross fires otherwise than drawn:
close    10 10 10 12
expected  .  .  L  .
said      .  .  .  L
                ^  ^"]
fn the_harness_shows_where_it_differs() {
    let fixture = "close: 10 10 10 12\n fires: . . L .";
    harness::check(&CROSS, &[("n", 2.0)], fixture);
}

#[test]
fn rows_that_are_not_drawn_follow_from_the_close() {
    let signals = harness::signals(
        &CHATTER,
        &[],
        "interval: 1h
         open:  10 12
         high:  13 12
         close: 11 11
         volume: 5 7",
    );
    assert_eq!(signals.len(), 4);
    assert_eq!(signals[2].interval, Interval::H1);
    assert_eq!(signals[2].open_time.to_string(), "2024-01-01T01:00:00Z");
}

fn the_signal(outputs: &[Output]) -> Signal {
    let mut signals = outputs.iter().filter_map(|output| match output {
        Output::Signal(signal) => Some(**signal),
        _ => None,
    });
    signals.next_back().expect("a signal")
}

fn the_alert(outputs: &[Output]) -> Alert {
    let mut alerts = outputs.iter().filter_map(|output| match output {
        Output::Alert(alert) => Some((**alert).clone()),
        _ => None,
    });
    alerts.next_back().expect("an alert")
}

/// Three closes of 10 and one of 13, a minute each.
const RISE: &str = "12:00:30 trade 10\n 12:01:30 trade 10\n 12:02:30 trade 10
    12:03:30 trade 13\n 12:04:00 trade 13";

#[test]
fn a_bar_is_followed_by_its_signals_each_with_verdict_and_alert() {
    let mut settings = series("1m trades, 5m rolled 1m");
    settings.strategies = vec![
        strategy("cross", Some(("n", 2.0)), Interval::M1),
        strategy("chatter", Some(("warmup", 4.0)), Interval::M1),
        strategy("cross", None, Interval::H4),
    ];
    let mut stage = Stage::new(&settings);
    stage.expect(
        RISE,
        "bar 1m 12:00 10 10 10 10 1
         bar 1m 12:01 10 10 10 10 1
         bar 1m 12:02 10 10 10 10 1
         bar 1m 12:03 13 13 13 13 1
         signal 1m 12:03 long
         verdict unproven no_evidence
         alert not_verified: close crossed SMA(2) (close 13, mean 11.5)
         signal 1m 12:03 long
         verdict unproven no_evidence
         alert not_verified: a bar closed
         signal 1m 12:03 short
         verdict unproven no_evidence
         alert not_verified: a bar closed",
    );
    let signals = stage.outputs.iter().filter_map(|output| match output {
        Output::Signal(signal) => Some(signal),
        _ => None,
    });
    for signal in signals {
        let planned = &stage.engine.strategies()[usize::from(signal.strategy.0)];
        let (symbol, open) = (symbol(), signal.open_time);
        let id = SignalId::of(&planned.canonical, &symbol, Interval::M1, open, signal.direction);
        assert_eq!(signal.id, id);
        assert_eq!((signal.at, signal.price), (at("12:04"), "13".parse().unwrap()));
    }
    let names: Vec<&str> =
        stage.engine.strategies().iter().map(|planned| planned.canonical.as_str()).collect();
    assert_eq!(names, ["cross(n=2)", "chatter(warmup=4)", "cross(n=3)"]);
    assert_eq!(stage.engine.counters().signals, 3);
}

#[test]
fn the_first_firing_of_a_direction_counts_and_no_number_is_zero() {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("chatter", None, Interval::M1)];
    let mut stage = Stage::new(&settings);
    stage.play("12:00:30 trade 10\n 12:01:00 trade 10");
    assert_eq!(stage.engine.counters().signals, 2);
    let signal = the_signal(&stage.outputs);
    assert_eq!(signal.strength.to_bits(), 0.0f64.to_bits());
    assert_eq!(signal.strategy, StrategyId(0));
}

#[test]
fn a_strategy_serves_the_instruments_that_it_names() {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("chatter", None, Interval::M1)];
    settings.strategies[0].symbols = vec!["x:B".parse().unwrap()];
    let mut stage = Stage::new(&settings);
    stage.expect("12:00:30 trade 10\n 12:01:00 trade 10", "bar 1m 12:00 10 10 10 10 1");
}

#[test]
fn a_neighbour_is_seen_up_to_what_closed_before() {
    let mut settings = series("1m venue, 5m venue");
    settings.strategies = vec![strategy("reader", None, Interval::M1)];
    let orders = [
        "12:05:00 bar 5m 12:00 1 7 1 7 5\n 12:05:01 bar 1m 12:04 7 7 7 7 1",
        "12:05:00 bar 1m 12:04 7 7 7 7 1\n 12:05:01 bar 5m 12:00 1 7 1 7 5",
    ];
    for order in orders {
        let mut stage = Stage::new(&settings);
        let said = stage.play(order).join("\n");
        assert!(said.contains("looked at 5m (seen 0, last 0)"), "{said}");
        let said = stage.play("12:06:00 bar 1m 12:05 8 8 8 8 1").join("\n");
        assert!(said.contains("looked at 5m (seen 1, last 7)"), "{said}");
    }
    let mut stage = Stage::new(&settings);
    for n in 0..9 {
        let (hour, minute) = (13 + n / 12, 5 * (n % 12));
        stage.play(&format!("{}:59:59 bar 5m {hour}:{minute:02} 1 7 1 {} 5", hour + 1, n % 7 + 1));
    }
    let said = stage.play("16:00:00 bar 1m 15:30 8 8 8 8 1").join("\n");
    assert!(said.contains("(seen 2, last 2)"), "no more than the depth: {said}");
}

#[test]
fn a_silent_feed_withholds_until_it_is_up_again() {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("cross", Some(("n", 2.0)), Interval::M1)];
    let stale = Stage::new(&settings).play(&format!("12:00:00 stale\n{RISE}")).join("\n");
    assert!(stale.contains("verdict withheld stale_feed\nalert data:"), "{stale}");
    let up = Stage::new(&settings).play(&format!("12:00:00 stale\n12:00:01 up\n{RISE}")).join("\n");
    assert!(up.contains("verdict unproven no_evidence"), "{up}");
}

#[test]
fn a_gap_withholds_until_trades_have_filled_the_warm_up_again() {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("chatter", Some(("warmup", 2.0)), Interval::M1)];
    let mut stage = Stage::new(&settings);
    let verdicts = |said: Vec<String>| {
        let mut lines: Vec<String> =
            said.into_iter().filter(|line| line.starts_with("verdict")).collect();
        lines.dedup();
        lines.join(", ")
    };
    let said = stage.play(
        "12:00:30 trade 10\n 12:01:30 trade 10\n 12:02:30 trade 10
         12:02:40 gap 12:02:10 12:02:20\n 12:02:41 repaired 12:02:00 12:03:00\n 12:02:42 up",
    );
    assert_eq!(verdicts(said), "verdict unproven no_evidence");
    let said = stage.play("12:03:30 trade 10\n 12:04:00 trade 10");
    assert_eq!(verdicts(said), "verdict withheld gap", "bars 12:02 and 12:03 both rest on it");
    let said = stage.play("12:05:00 trade 10");
    assert_eq!(verdicts(said), "verdict unproven no_evidence");
}

#[test]
fn the_first_bar_after_connecting_has_only_a_part_of_its_trades_and_is_not_believed() {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("chatter", None, Interval::M1)];
    let mut stage = Stage::new(&settings);
    let said = stage.play("12:00:20 up\n 12:00:30 trade 10\n 12:01:30 trade 10").join("\n");
    assert!(said.contains("verdict withheld gap"), "{said}");
    let said = stage.play("12:02:30 trade 10").join("\n");
    assert!(said.contains("verdict unproven no_evidence"), "{said}");
}

#[test]
fn a_gap_in_venue_bars_withholds_until_it_is_repaired() {
    let mut settings = series("1m venue, 5m rolled 1m");
    settings.strategies = vec![strategy("chatter", None, Interval::M5)];
    let mut stage = Stage::new(&settings);
    let said = stage.play(
        "12:02:01 gap 12:00:30 12:01:30
         12:05:00 bar 1m 12:04 10 10 10 10 1",
    );
    assert!(said.contains(&"verdict withheld gap".to_owned()), "{said:?}");
    let said = stage.play(
        "12:05:01 gap 12:05:30 12:06:30
         12:06:40 repaired 12:05:30 12:06:30
         12:10:00 bar 1m 12:09 10 10 10 10 1",
    );
    assert!(said.contains(&"verdict unproven no_evidence".to_owned()), "{said:?}");
}

#[test]
fn an_alert_is_complete_in_itself() {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("cross", Some(("n", 2.0)), Interval::M1)];
    settings.alerts = AlertRules { send_unproven: true, ..AlertRules::default() };
    let mut stage = Stage::new(&settings);
    stage.play(RISE.rsplit_once('\n').unwrap().0);
    stage.play("12:04:12.5 tick");
    let alert = the_alert(&stage.outputs);
    assert_eq!(alert.rule, "cross(n=2)");
    assert_eq!(alert.currency.as_deref(), Some("USD"));
    assert_eq!((alert.at, alert.said_at), (at("12:04"), at("12:04:12.5")));
    assert_eq!(alert.data_age_ms, 12_500, "the close of the bar is the newest known");
    let AlertKind::Signal { signal, ruling, .. } = alert.kind else { panic!("{alert:?}") };
    assert_eq!(signal, the_signal(&stage.outputs).id);
    assert!(matches!(ruling, Ruling::Unproven { .. }));
}

#[test]
fn alerts_keep_their_distance_and_what_was_said_before_counts() {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("chatter", None, Interval::M1)];
    settings.alerts = AlertRules {
        send_unproven: true,
        cooldown_ms: 120_000,
        per_hour: 2,
        ..AlertRules::default()
    };
    let script = "12:00:30 trade 10\n 12:01:30 trade 10\n 12:02:30 trade 10\n 12:03:30 trade 10
        12:04:30 trade 10\n 12:05:30 trade 10\n 12:06:00 trade 10";
    let alerts = |stage: &mut Stage| -> Vec<String> {
        let said = stage.play(script).into_iter().filter(|line| line.starts_with("alert"));
        said.map(|line| line.split([' ', ':']).nth(1).unwrap().to_owned()).collect()
    };
    let mut stage = Stage::new(&settings);
    let first = alerts(&mut stage);
    let c = "cooldown";
    let b = "hourly_budget";
    assert_eq!(first, ["send", c, c, c, "send", c, c, c, b, b, b, b]);

    // A new engine that knows what was said decides as the first did.
    let mut again = Stage::new(&settings);
    for output in &stage.outputs {
        if let Output::Alert(alert) = output
            && alert.decision == finstage_model::Decision::Send
        {
            let Alert { id, symbol, rule, said_at, .. } = (**alert).clone();
            again.apply(at("12:00"), Payload::Said(Box::new(Said { id, symbol, rule, said_at })));
        }
    }
    assert_eq!(alerts(&mut again).iter().filter(|decision| *decision == "send").count(), 2);
    assert_eq!(
        again.outputs.iter().map(crate::stage::line).collect::<Vec<_>>()[..4],
        stage.outputs.iter().map(crate::stage::line).collect::<Vec<_>>()[..4],
    );
}
