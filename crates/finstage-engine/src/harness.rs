//! Tests of strategies as a drawing: rows of prices, and below them what the strategy says.
//!
//! ```text
//! close: 10 10 10 12 14 14
//! fires:  .  .  .  L  .  .
//! ```
//! Rows are `open`, `high`, `low`, `close` and `volume`; a missing open is the close, a missing
//! high or low the end of the body, a missing volume 1. `fires` has `.` for nothing, `L` and `S`
//! for the directions, `LS` for both. `news` has the impact of what was read a second before the close,
//! or `.`. `interval: 1h` makes the bars other than daily. The bars go
//! through a whole [`Engine`], so what is drawn is what a user would see.

use std::time::Duration;

use finstage_model::{
    Bar, Category, Direction, DocumentId, Event, Insight, Instrument, InstrumentId, Interval,
    Output, Payload, Price, Qty, Signal, Symbol, Timestamp,
};

use crate::{Catalog, Engine, EngineSettings, Entry, Origin, SeriesSpec, StrategySpec, When};

/// Asserts that the strategy fires on the bars of the fixture where its `fires` row says.
///
/// # Panics
/// When it fires otherwise, showing both rows; and when the fixture cannot be read or the
/// parameters are refused.
#[track_caller]
pub fn check(entry: &'static Entry, params: &[(&str, f64)], fixture: &str) {
    compare(&Voice::of_entry(entry, params), fixture);
}

/// As [`check`], of a user's own condition in the catalogue's language.
///
/// # Panics
/// As [`check`]; and when the condition is refused.
#[track_caller]
pub fn check_when(catalog: Catalog, when: &When, fixture: &str) {
    compare(&Voice::of_when(catalog, when), fixture);
}

#[track_caller]
fn compare(voice: &Voice, fixture: &str) {
    let fixture = Fixture::read(fixture);
    let expected = fixture.fires.as_ref().expect("the fixture has a row \"fires\"");
    let mut said = vec![String::new(); fixture.bars.len()];
    for signal in run(voice, &fixture) {
        let place = fixture.bars.iter().position(|bar| bar.open_time == signal.open_time);
        let said = &mut said[place.expect("a signal stands on a bar of the fixture")];
        match signal.direction {
            Direction::Long => said.insert(0, 'L'),
            Direction::Short => said.push('S'),
        }
    }
    let said: Vec<&str> =
        said.iter().map(|said| if said.is_empty() { "." } else { said.as_str() }).collect();
    if said != *expected {
        panic!("{}", difference(&voice.spec.name, &fixture, &said));
    }
}

/// The signals that the strategy says on the bars of the fixture, for tests of strength and facts.
///
/// # Panics
/// When the fixture cannot be read or the parameters are refused.
#[must_use]
#[track_caller]
pub fn signals(entry: &'static Entry, params: &[(&str, f64)], fixture: &str) -> Vec<Signal> {
    run(&Voice::of_entry(entry, params), &Fixture::read(fixture))
}

/// As [`signals`], of a user's own condition in the catalogue's language.
///
/// # Panics
/// When the fixture cannot be read or the condition is refused.
#[must_use]
#[track_caller]
pub fn signals_when(catalog: Catalog, when: &When, fixture: &str) -> Vec<Signal> {
    run(&Voice::of_when(catalog, when), &Fixture::read(fixture))
}

/// Who speaks on the bars of a fixture.
struct Voice {
    catalog: Catalog,
    spec: StrategySpec,
}

impl Voice {
    fn of_entry(entry: &'static Entry, params: &[(&str, f64)]) -> Self {
        let params = params.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        let catalog = Catalog::new(std::slice::from_ref(entry));
        Self { catalog, spec: Self::spec(entry.name, params, None) }
    }

    fn of_when(catalog: Catalog, when: &When) -> Self {
        Self { catalog, spec: Self::spec("mine", Vec::new(), Some(when.clone())) }
    }

    /// The interval is the fixture's.
    fn spec(name: &str, params: Vec<(String, f64)>, when: Option<When>) -> StrategySpec {
        let (name, interval) = (name.to_owned(), Interval::D1);
        StrategySpec { name, params, interval, symbols: Vec::new(), when }
    }
}

/// A drawing, read.
struct Fixture {
    bars: Vec<Bar>,
    /// Impact of what was read a second before each bar closed.
    news: Vec<Option<f64>>,
    fires: Option<Vec<String>>,
}

impl Fixture {
    #[track_caller]
    fn read(text: &str) -> Self {
        let mut rows: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, cells) =
                line.split_once(':').unwrap_or_else(|| panic!("no row name: {line}"));
            let known = ["open", "high", "low", "close", "volume", "fires", "interval", "news"];
            assert!(known.contains(&name), "\"{name}\" is no row; there are {}", known.join(" "));
            rows.push((name, cells.split_whitespace().collect()));
        }
        let row = |name: &str| rows.iter().find(|row| row.0 == name).map(|row| &row.1);
        let interval = row("interval").map_or(Interval::D1, |cells| {
            cells.concat().parse().unwrap_or_else(|why| panic!("row interval: {why}"))
        });
        let count = row("close").expect("the fixture has a row \"close\"").len();
        for (name, cells) in &rows {
            let fits = *name == "interval" || cells.len() == count;
            assert!(fits, "row {name} has {} cells, row close {count}", cells.len());
        }
        let cell = |name: &str, place: usize| row(name).map(|cells| cells[place]);
        let fires = row("fires").map(|cells| cells.iter().map(|&cell| cell.to_owned()).collect());
        let mut open_time = interval.open_of("2024-01-01".parse().expect("a day"));
        let mut bars = Vec::with_capacity(count);
        for place in 0..count {
            bars.push(bar(interval, open_time, |name| cell(name, place)));
            open_time = interval.close_of(open_time);
        }
        let impact =
            |&cell: &&str| (cell != ".").then(|| cell.parse().expect("row news: a number"));
        let news = row("news").map(|cells| cells.iter().map(impact).collect()).unwrap_or_default();
        Self { bars, news, fires }
    }
}

#[track_caller]
fn bar<'a>(
    interval: Interval,
    open_time: Timestamp,
    cell: impl Fn(&str) -> Option<&'a str>,
) -> Bar {
    let price = |name: &str| -> Option<Price> {
        cell(name)
            .map(|text| text.parse().unwrap_or_else(|why| panic!("row {name}: {text}: {why}")))
    };
    let close = price("close").expect("every fixture has a row \"close\"");
    let open = price("open").unwrap_or(close);
    let volume = cell("volume").unwrap_or("1");
    let bar = Bar {
        instrument: InstrumentId(0),
        interval,
        open_time,
        open,
        high: price("high").unwrap_or(open.max(close)),
        low: price("low").unwrap_or(open.min(close)),
        close,
        volume: volume.parse::<Qty>().unwrap_or_else(|why| panic!("row volume: {volume}: {why}")),
        trades: 0,
    };
    assert_eq!(bar.fault(), None, "bar of {open_time}");
    bar
}

#[track_caller]
fn run(voice: &Voice, fixture: &Fixture) -> Vec<Signal> {
    let Some(first) = fixture.bars.first() else { return Vec::new() };
    let symbol: Symbol = "fixture:A".parse().expect("a symbol");
    let interval = first.interval;
    let settings = EngineSettings {
        strategies: vec![StrategySpec { interval, ..voice.spec.clone() }],
        series: vec![SeriesSpec { symbol: symbol.clone(), interval, origin: Origin::Venue }],
        ..EngineSettings::default()
    };
    let mut engine = Engine::new(&settings, voice.catalog)
        .unwrap_or_else(|why| panic!("the strategy cannot be built: {why}"));
    let (id, category) = (InstrumentId(0), Category::Other);
    let name = symbol.clone();
    let instrument =
        Instrument { id, symbol: name, tick: None, lot: None, currency: None, category };
    let mut outputs = Vec::new();
    let mut apply = |ts_recv, payload| engine.apply(&Event::new(ts_recv, payload), &mut outputs);
    apply(first.open_time, Payload::Instrument(Box::new(instrument)));
    let mut news = fixture.news.iter();
    for bar in &fixture.bars {
        if let Some(&Some(impact)) = news.next() {
            let known_at = bar.close_time().minus(Duration::from_secs(1));
            let document = DocumentId(known_at.nanos().unsigned_abs().into());
            let (by, symbols) = ("fixture".to_owned(), vec![symbol.clone()]);
            let insight =
                Insight { document, known_at, by, symbols, score: impact, impact, confidence: 1.0 };
            apply(known_at, Payload::Insight(Box::new(insight)));
        }
        apply(bar.close_time(), Payload::Bar(*bar));
    }
    let signals = outputs.into_iter().filter_map(|output| match output {
        Output::Signal(signal) => Some(*signal),
        _ => None,
    });
    signals.collect()
}

/// Both rows under the closes, column by column, and the columns that differ marked.
fn difference(name: &str, fixture: &Fixture, said: &[&str]) -> String {
    let empty = Vec::new();
    let expected = fixture.fires.as_ref().unwrap_or(&empty);
    let mut rows = ["close   ", "expected", "said    ", "        "].map(str::to_owned);
    for ((bar, expected), said) in fixture.bars.iter().zip(expected).zip(said) {
        let mark = if expected == said { "" } else { "^" };
        let close = bar.close.to_string();
        let width = close.len().max(expected.len()).max(said.len());
        for (row, cell) in rows.iter_mut().zip([close.as_str(), expected, said, mark]) {
            row.push_str(&format!(" {cell:>width$}"));
        }
    }
    format!(
        "{name} fires otherwise than drawn:\n{}",
        rows.map(|r| r.trim_end().to_owned()).join("\n")
    )
}
