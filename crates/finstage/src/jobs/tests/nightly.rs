//! The nightly verification of a service.

use finstage_engine::{EngineSettings, StrategySpec};
use finstage_model::{Bar, Card, Interval, Symbol};
use finstage_research::evidence::{Groups, Ledger, Options, Plan};
use finstage_research::study::Instrument;
use finstage_research::worlds::{Noise, world};
use finstage_strategies::CATALOG;

use super::*;
use crate::config::settings::FeedSettings;
use crate::evidence;

const SYMBOLS: [&str; 3] = ["binance:BTCUSDT", "binance:ETHUSDT", "binance:SOLUSDT"];

/// Bars of noise, other ones for each market.
fn bars(interval: Interval, market: u64, count: usize) -> Vec<Bar> {
    let length = interval.nominal().as_secs() as i64;
    let at = |place: usize| Timestamp::from_secs(place as i64 * length);
    let all = world(Noise::Normal, market, count).into_iter().enumerate();
    all.map(|(place, bar)| Bar { interval, open_time: at(place), ..bar }).collect()
}

fn spec(name: &str, interval: Interval) -> StrategySpec {
    StrategySpec {
        name: name.to_owned(),
        params: Vec::new(),
        interval,
        symbols: Vec::new(),
        when: None,
    }
}

/// A service with strategies on bars of 15 minutes and of a day.
fn service(dir: &std::path::Path) -> Means {
    let (short, long) = (Interval::M15, Interval::D1);
    let strategies = vec![
        spec("ma_breakout_up", short),
        spec("rsi_oversold", short),
        spec("ma_breakout_up", long),
    ];
    let mut means = super::means(dir, EngineSettings { strategies, ..EngineSettings::default() });
    for (market, name) in (0..).zip(SYMBOLS) {
        let symbol: Symbol = name.parse().unwrap();
        means.records.put_instrument(&crate::wiring::describe(&symbol)).unwrap();
        for (interval, count) in [(short, 1_500 + market as usize), (long, 400)] {
            means.history.import(&symbol, interval, &bars(interval, market, count)).unwrap();
        }
    }
    let symbols = SYMBOLS.map(|name| name.parse().unwrap()).to_vec();
    means.feeds = vec![FeedSettings {
        venue: "binance".to_owned(),
        symbols,
        venue_intervals: vec![short, long],
        rest: None,
        ws: None,
    }];
    means
}

fn cards(means: &Means) -> Vec<Card> {
    let rows = means.records.cards_since(0).unwrap().into_iter();
    let mut cards: Vec<Card> = rows.map(|row| row.card).collect();
    cards.sort_by_key(Card::hypothesis);
    cards
}

#[test]
fn a_night_judges_at_horizons_that_suit_the_bars() {
    let dir = tempfile::tempdir().unwrap();
    let means = service(dir.path());
    work::verify(&means, &Default::default(), &Ticket::new()).unwrap();
    let horizons = |interval| {
        let cards = cards(&means).into_iter().filter(|card| card.interval == interval);
        let all: std::collections::BTreeSet<_> = cards.map(|card| card.horizon).collect();
        all.into_iter().map(|horizon| horizon.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(horizons(Interval::M15), ["1h", "4h", "1d"]);
    assert_eq!(horizons(Interval::D1), ["1d", "1w", "1mo"]);
}

#[test]
fn a_night_that_lets_bars_go_says_what_all_bars_at_once_say() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (night, by_hand) = (service(one.path()), service(other.path()));
    work::verify(&night, &Default::default(), &Ticket::new()).unwrap();
    let now = by_hand.clock.now();
    // The same, as `finstage verify --symbols` does it.
    for ((interval, _), specs) in work::together(&by_hand.engine.strategies) {
        let series = |name: &str| {
            evidence::series(&by_hand.history, &name.parse().unwrap(), interval).unwrap().unwrap()
        };
        let all: Vec<Instrument> = SYMBOLS.map(series).to_vec();
        let horizons = evidence::usual_horizons(interval).to_vec();
        let options =
            Options { horizons, code_version: crate::VERSION.to_owned(), ..Options::default() };
        let plan = Plan::new(all, &Groups::Pooled, (specs, CATALOG), options).unwrap();
        let trials = evidence::trials(&by_hand.records, now).unwrap();
        let ledger = Ledger::of_store(&trials);
        let found = evidence::verify(&by_hand.records, plan, &ledger, now).unwrap();
        evidence::keep(&by_hand.records, &found).unwrap();
    }
    let (night, by_hand) = (cards(&night), cards(&by_hand));
    let has_q = |card: &Card| card.q_value.is_some_and(|q| q > 0.0 && q < 1.0);
    assert!(night.iter().any(has_q), "there is a q");
    assert_eq!(night, by_hand);
    assert_eq!(night.len(), 3 * 3 * 2, "strategy, horizon, claim");
}
