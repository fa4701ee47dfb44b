//! What is refused before an engine begins, and how deep a preamble must be.

use finstage_engine::{
    Engine, EngineSettings, Origin, SeriesSpec, WatchRule, WatchSpec, series_depths,
};
use finstage_model::Interval;

use crate::stage::{series, strategy, symbol};
use crate::strategies::TOYS;

#[track_caller]
fn refused(settings: &EngineSettings) -> String {
    Engine::new(settings, TOYS).expect_err("settings that make no sense").to_string()
}

#[test]
fn a_strategy_that_makes_no_sense_is_refused_with_its_reason() {
    let with = |name, param| {
        let mut settings = series("1m trades");
        settings.strategies = vec![strategy(name, param, Interval::M1)];
        settings
    };
    assert_eq!(refused(&with("crss", None)), "no strategy \"crss\"; did you mean \"cross\"?");
    assert_eq!(refused(&with("cross", Some(("m", 1.0)))), "cross: no parameter \"m\"; it has n");
    assert_eq!(refused(&with("cross", Some(("n", 1.0)))), "cross: n must be at least 2");
    assert_eq!(refused(&with("cross", Some(("n", 2.5)))), "cross: n = 2.5 is not a whole number");
    assert!(refused(&with("cross", Some(("n", f64::NAN)))).contains("is not between"));
}

#[test]
fn the_same_strategy_is_not_listed_twice_for_an_instrument() {
    let mut settings = series("1m trades");
    settings.strategies = vec![
        strategy("cross", None, Interval::M1),
        strategy("cross", Some(("n", 3.0)), Interval::M1),
    ];
    assert_eq!(refused(&settings), "cross(n=3) on 1m bars is listed twice");
    settings.strategies[0].symbols = vec![symbol()];
    assert_eq!(refused(&settings), "cross(n=3) on 1m bars is listed twice");
    settings.strategies[1].symbols = vec!["x:B".parse().unwrap()];
    assert!(Engine::new(&settings, TOYS).is_ok());
}

#[test]
fn more_strategies_than_ids_are_refused() {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("cross", None, Interval::M1); 65_536];
    assert_eq!(refused(&settings), "65536 strategies are more than 65535");
}

#[test]
fn a_series_that_cannot_be_made_is_refused() {
    let mut settings = series("1m trades, 5m rolled 1m");
    settings.series[1].origin = Origin::Rolled(Interval::H1);
    assert_eq!(refused(&settings), "series x:A 5m: cannot be rolled up from 1h bars");
    assert_eq!(
        refused(&series("1h rolled 5m, 1m trades")),
        "series x:A 1h: is rolled up from 5m bars, which do not exist"
    );
    assert_eq!(
        refused(&series("1m trades, 1m venue")),
        "series x:A 1m: is listed twice: a series has one origin"
    );
}

fn depths(settings: &EngineSettings) -> Vec<String> {
    let depths = series_depths(settings, TOYS).unwrap();
    depths.iter().map(|(symbol, interval, depth)| format!("{symbol} {interval} {depth}")).collect()
}

#[test]
fn a_preamble_is_as_deep_as_memory_and_open_bars_ask_coarsest_first() {
    let mut settings = series("1m trades, 5m rolled 1m, 1h rolled 5m, 1d venue, 1mo rolled 1d");
    assert_eq!(depths(&settings), ["x:A 1mo 1", "x:A 1d 31", "x:A 1h 1", "x:A 5m 12", "x:A 1m 5"]);
    settings.strategies = vec![
        strategy("reader", Some(("memory", 20.0)), Interval::H1),
        strategy("cross", None, Interval::M1),
        strategy("reader", Some(("memory", 999.0)), Interval::W1),
    ];
    assert_eq!(
        depths(&settings),
        ["x:A 1mo 20", "x:A 1d 31", "x:A 1h 20", "x:A 5m 20", "x:A 1m 20"]
    );
}

#[test]
fn watches_ask_for_days() {
    let watch = |rule: &str| WatchSpec {
        symbol: symbol(),
        rule: rule.parse::<WatchRule>().unwrap(),
        cooldown_ms: None,
    };
    let mut settings = series("1m trades, 1d venue");
    settings.series.push(SeriesSpec {
        symbol: "x:B".parse().unwrap(),
        interval: Interval::D1,
        origin: Origin::Venue,
    });
    settings.watches = vec![watch("rise=3%")];
    assert_eq!(depths(&settings), ["x:A 1d 2", "x:A 1m 1", "x:B 1d 1"]);
    settings.watches.push(watch("new_high"));
    assert_eq!(depths(&settings), ["x:A 1d 5000", "x:A 1m 1", "x:B 1d 1"]);
    let mut settings = series("1m trades, 1h rolled 1m, 1w venue");
    settings.watches = vec![watch("prev_low")];
    assert_eq!(depths(&settings), ["x:A 1w 1", "x:A 1h 48", "x:A 1m 60"]);
}
