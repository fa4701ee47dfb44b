//! One engine that never stops and many that live for a day say the same.

use finstage_engine::{AlertFilters, AlertRules, EngineSettings, series_depths};
use finstage_model::{Alert, AlertKind, Event, Interval, Output, Past, Payload, Timestamp};
use proptest::prelude::*;

use crate::stage::{A, Stage, series, strategy, trade};
use crate::strategies::TOYS;

fn settings() -> EngineSettings {
    let mut settings = series("1m trades, 5m rolled 1m, 1h rolled 5m, 4h trades");
    settings.strategies = vec![
        strategy("cross", Some(("n", 3.0)), Interval::M1),
        strategy("cross", Some(("n", 2.0)), Interval::M5),
        strategy("cross", Some(("n", 2.0)), Interval::H1),
        strategy("cross", Some(("n", 2.0)), Interval::H4),
        strategy("reader", Some(("memory", 7.0)), Interval::M1),
    ];
    // Every alert is decided by the filters alone, which look at bars from before midnight.
    let filters = AlertFilters { min_volume_ratio: 0.9, ..AlertFilters::default() };
    settings.alerts =
        AlertRules { send_unproven: true, cooldown_ms: 0, per_hour: u32::MAX, filters };
    settings
}

/// Trades in order, received a little later, with a tick every minute.
fn events(steps: &[(u16, u8)], start: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    let mut ts_event = start;
    for &(seconds, price) in steps {
        let next = ts_event.plus(std::time::Duration::from_secs(u64::from(seconds)));
        for minute in (ts_event.secs() / 60 + 1)..=(next.secs() / 60) {
            events.push(Event::new(Timestamp::from_secs(60 * minute), Payload::Tick));
        }
        ts_event = next;
        let ts_recv = ts_event.plus(std::time::Duration::from_millis(200));
        let price = (100 + i32::from(price)).to_string();
        events.push(Event::new(ts_recv, Payload::Trade(trade(ts_event, &price))));
    }
    events.sort_by_key(|event| event.ts_recv);
    events
}

fn preamble(said: &[Output], midnight: Timestamp, settings: &EngineSettings) -> Vec<Payload> {
    let mut payloads = Vec::new();
    for (_, interval, depth) in series_depths(settings, TOYS).unwrap() {
        let bars: Vec<_> = said
            .iter()
            .filter_map(|output| match output {
                Output::Bar(bar) if bar.interval == interval => Some(*bar),
                _ => None,
            })
            .filter(|bar| bar.close_time() <= midnight)
            .collect();
        let bars = bars[bars.len().saturating_sub(depth)..].to_vec();
        payloads.push(Payload::Past(Box::new(Past { instrument: A, interval, bars })));
    }
    payloads
}

fn bytes(outputs: impl IntoIterator<Item = Output>) -> Vec<u8> {
    let mut bytes = Vec::new();
    outputs.into_iter().for_each(|output| output.canonical(&mut bytes));
    bytes
}

/// Bars, signals and alerts of what opened at or after the moment.
fn since(outputs: &[Output], moment: Timestamp) -> Vec<Output> {
    let kept = outputs.iter().filter(|output| match output {
        Output::Bar(bar) => bar.open_time >= moment,
        Output::Signal(signal) => signal.open_time >= moment,
        // A bar that closes at midnight is of before.
        Output::Alert(alert) => alert.at > moment && is_later_bar(alert, moment),
        _ => false,
    });
    kept.cloned().collect()
}

/// Whether the bar of an alert opened at or after the moment.
fn is_later_bar(alert: &Alert, moment: Timestamp) -> bool {
    match alert.kind {
        AlertKind::Signal { interval, .. } => alert.at.minus(interval.nominal()) >= moment,
        AlertKind::Watch { .. } => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_new_day_with_its_preamble_says_what_an_engine_that_never_stopped_says(
        steps in prop::collection::vec((1u16..2_000, 0u8..20), 150..400),
    ) {
        let settings = settings();
        let midnight: Timestamp = "2026-01-06".parse().unwrap();
        let start = "2026-01-04T20:00:00Z".parse().unwrap();
        let events = events(&steps, start);
        let mut whole = Stage::new(&settings);
        for event in &events {
            whole.apply(event.ts_recv, event.payload.clone());
        }
        let mut split = Stage::new(&settings);
        for payload in preamble(&whole.outputs, midnight, &settings) {
            split.apply(midnight, payload);
        }
        prop_assert!(split.outputs.is_empty());
        for event in events.iter().filter(|event| event.ts_recv >= midnight) {
            split.apply(event.ts_recv, event.payload.clone());
        }
        prop_assert_eq!(
            bytes(since(&split.outputs, midnight)),
            bytes(since(&whole.outputs, midnight))
        );
    }

    #[test]
    fn the_same_events_say_the_same_bytes(
        steps in prop::collection::vec((0u16..300, 0u8..20), 1..200),
    ) {
        let run = || {
            let mut stage = Stage::new(&settings());
            for event in events(&steps, "2026-01-05".parse().unwrap()) {
                stage.apply(event.ts_recv, event.payload);
            }
            bytes(stage.outputs)
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn the_midnight_property_is_about_something() {
    let steps: Vec<(u16, u8)> = (0..400u16).map(|i| (600, (i * 7 % 20) as u8)).collect();
    let mut stage = Stage::new(&settings());
    for event in events(&steps, "2026-01-04T20:00:00Z".parse().unwrap()) {
        stage.apply(event.ts_recv, event.payload);
    }
    let kept = since(&stage.outputs, "2026-01-06".parse().unwrap());
    for interval in [Interval::M1, Interval::M5, Interval::H1, Interval::H4] {
        let spoke = kept.iter().any(|o| matches!(o, Output::Signal(s) if s.interval == interval));
        assert!(spoke, "{interval}");
    }
}
