//! The whole catalogue, driven through the engine as a user's bars are.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the whole binary is a test")]

mod history;
mod longer;
mod own;

use finstage_engine::{Engine, EngineSettings, Entry, Origin, SeriesSpec, StrategySpec};
use finstage_model::{
    Bar, Category, DocumentId, Event, Insight, Instrument, InstrumentId, Interval, Output, Payload,
    Price, Qty, Signal, Symbol, Timestamp,
};
use finstage_strategies::CATALOG;

/// A closing price with the open time and the volume of its day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Close {
    day: Timestamp,
    /// The open; high and low lie `wick` beyond both.
    open: Price,
    price: Price,
    wick: Price,
    volume: Qty,
}

/// What the strategy says about these days.
pub fn signals(name: &str, params: &[(&str, f64)], closes: &[Close]) -> Vec<Signal> {
    let strategy = StrategySpec {
        name: name.to_owned(),
        params: params.iter().map(|&(name, value)| (name.to_owned(), value)).collect(),
        interval: Interval::D1,
        symbols: Vec::new(),
        when: None,
    };
    said(strategy, closes)
}

/// What a strategy of the settings says about these days.
pub fn said(strategy: StrategySpec, closes: &[Close]) -> Vec<Signal> {
    let symbol: Symbol = "fixture:A".parse().unwrap();
    let (id, interval) = (InstrumentId(0), Interval::D1);
    let settings = EngineSettings {
        strategies: vec![strategy],
        series: vec![SeriesSpec { symbol: symbol.clone(), interval, origin: Origin::Venue }],
        ..EngineSettings::default()
    };
    let mut engine = Engine::new(&settings, CATALOG).unwrap();
    let category = Category::Other;
    let name = symbol.clone();
    let instrument =
        Instrument { id, symbol: name, tick: None, lot: None, currency: None, category };
    let mut outputs = Vec::new();
    let mut apply = |ts_recv, payload| engine.apply(&Event::new(ts_recv, payload), &mut outputs);
    apply(closes[0].day, Payload::Instrument(Box::new(instrument)));
    for &Close { day, open, price, wick, volume } in closes {
        let (close, trades, wick) = (price, 0, wick.nanos());
        let high = Price::from_nanos(open.max(close).nanos() + wick);
        let low = Price::from_nanos(open.min(close).nanos() - wick);
        let bar = Bar {
            instrument: id,
            interval,
            open_time: day,
            open,
            high,
            low,
            close,
            volume,
            trades,
        };
        // News of the day's own tone: a rule that waits for it has its moments too.
        let (known_at, impact) = (bar.close_time(), if close >= open { 1.0 } else { -1.0 });
        let insight = Insight {
            document: DocumentId(known_at.nanos().unsigned_abs().into()),
            known_at,
            by: "test".to_owned(),
            symbols: vec![symbol.clone()],
            score: impact,
            impact,
            confidence: 1.0,
        };
        apply(known_at, Payload::Insight(Box::new(insight)));
        apply(bar.close_time(), Payload::Bar(bar));
    }
    let said = outputs.into_iter().filter_map(|output| match output {
        Output::Signal(signal) => Some(*signal),
        _ => None,
    });
    said.collect()
}

/// Days enough for the rarest rule of the catalogue.
const DAYS: usize = 6_000;

/// Waves of many lengths with some noise, so that every rule has its moments; the same in every run.
fn waves(days: usize) -> Vec<Close> {
    let mut state = 1u64;
    let mut day: Timestamp = "2000-01-01".parse().unwrap();
    let mut closes = Vec::with_capacity(days);
    let price_of = |price: f64| Price::from_f64_rounded(price, 4).unwrap();
    let mut open = price_of(100.0);
    for step in 0..days {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (state >> 33) as f64 / (1u64 << 31) as f64 - 0.5;
        let step = step as f64;
        let price = 100.0 + 12.0 * (step / 30.0).sin() + 5.0 * (step / 7.0).sin() + 3.0 * noise;
        // One bar in six is a busy one.
        let units = if state >> 20 & 0xfff < 683 { 600 } else { 20 + (state >> 40 & 0x7f) };
        let volume = Qty::from_nanos(u128::from(units) * 1_000_000_000);
        let (price, wick) = (price_of(price), price_of((state >> 52) as f64 / 2_000.0));
        closes.push(Close { day, open, price, wick, volume });
        open = price;
        day = Interval::D1.close_of(day);
    }
    closes
}

fn shape(entry: &Entry) -> (usize, usize) {
    let strategy = (entry.build)(&entry.params(&[]).unwrap());
    (strategy.warmup(), strategy.memory())
}

/// Whether it waits for longer bars too, of which no number of its own makes sure.
fn reads_longer(entry: &Entry) -> bool {
    (entry.build)(&entry.params(&[]).unwrap()).longer(Interval::D1).is_some()
}

fn place(closes: &[Close], signal: &Signal) -> usize {
    closes.iter().position(|close| close.day == signal.open_time).unwrap()
}

#[test]
fn every_strategy_speaks_after_its_warm_up_in_its_direction_and_in_finite_numbers() {
    let closes = waves(DAYS);
    for entry in CATALOG {
        let said = signals(entry.name, &[], &closes);
        assert!(said.len() >= 5, "{} said {} signals", entry.name, said.len());
        for signal in &said {
            assert!(place(&closes, signal) + 1 >= shape(entry).0, "{}: too early", entry.name);
            assert_eq!(signal.direction, entry.direction, "{}", entry.name);
            assert!(signal.strength.is_finite() && signal.strength >= 0.0, "{}", entry.name);
            assert!(signal.facts.iter().all(|fact| fact.value.is_finite()), "{}", entry.name);
        }
        assert_eq!(said, signals(entry.name, &[], &closes), "{} is not deterministic", entry.name);
    }
}

/// The bar of a signal is cut out with just enough bars before it: the warm-up is exact if the
/// signal is still there, and gone with one bar less.
#[test]
fn no_warm_up_is_a_bar_too_long_or_too_short() {
    let closes = waves(DAYS);
    // A stop of three ranges is not hit within a bar or two in these waves; its own tests
    // draw it.
    let is_seen = |entry: &&Entry| !reads_longer(entry) && !entry.name.starts_with("supertrend");
    for entry in CATALOG.iter().filter(is_seen) {
        let (warmup, memory) = shape(entry);
        let mut heard = 0;
        for signal in signals(entry.name, &[], &closes) {
            let end = place(&closes, &signal) + 1;
            let short = signals(entry.name, &[], &closes[end + 1 - warmup..end]);
            assert_eq!(short, [], "{}: spoke on bar {}", entry.name, warmup - 1);
            let enough = signals(entry.name, &[], &closes[end - warmup..end]);
            heard += enough.len();
            // What is made of a fixed number of bars, or forgets within it, needs no others; a
            // recursive average rounds otherwise where it begins elsewhere.
            if memory == warmup {
                compare(entry, &[signal], &enough, 1e-12);
            }
        }
        assert!(heard > 0, "{}: never spoke on bar {warmup}", entry.name);
    }
}

#[test]
fn what_is_older_than_the_memory_moves_no_fact_by_a_billionth() {
    const SHAKEN: usize = 300;
    for entry in CATALOG {
        let (warmup, memory) = shape(entry);
        let closes = waves(SHAKEN + memory + DAYS);
        let mut shaken = closes.clone();
        for (step, close) in shaken[..SHAKEN].iter_mut().enumerate() {
            let price = close.price.to_f64() * (1.0 + ((step * 7 % 13) as f64 - 6.0) / 300.0);
            close.price = Price::from_f64_rounded(price, 4).unwrap();
        }
        let recent = |closes: &[Close]| {
            let mut said = signals(entry.name, &[], closes);
            said.retain(|signal| place(closes, signal) >= SHAKEN + memory);
            said
        };
        let (calm, moved) = (recent(&closes), recent(&shaken));
        assert!(calm.len() >= 2, "{}: {} signals compared", entry.name, calm.len());
        compare(entry, &calm, &moved, if memory == warmup { 0.0 } else { 1e-9 });
    }
}

/// As the next day's engine is warmed: with so many bars, and none before them.
#[test]
fn started_as_deep_as_its_memory_a_strategy_says_what_it_said_all_along() {
    let closes = waves(DAYS);
    for entry in CATALOG {
        let memory = shape(entry).1;
        for signal in signals(entry.name, &[], &closes) {
            let end = place(&closes, &signal) + 1;
            let Some(start) = end.checked_sub(memory) else { continue };
            let mut anew = signals(entry.name, &[], &closes[start..end]);
            anew.retain(|other| other.open_time == signal.open_time);
            compare(entry, &[signal], &anew, 1e-8);
        }
    }
}

/// Panics unless both say the same of the same bars, each fact to `tolerance` of itself.
fn compare(entry: &Entry, calm: &[Signal], moved: &[Signal], tolerance: f64) {
    let days = |said: &[Signal]| said.iter().map(|signal| signal.open_time).collect::<Vec<_>>();
    assert_eq!(days(calm), days(moved), "{}", entry.name);
    for (a, b) in calm.iter().zip(moved) {
        for (a, b) in a.facts.iter().zip(b.facts.iter()) {
            let off = (a.value - b.value).abs();
            assert!(off <= tolerance * a.value.abs(), "{}: {a:?}, {b:?}", entry.name);
        }
    }
}
