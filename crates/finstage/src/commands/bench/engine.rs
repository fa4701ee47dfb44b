//! The engine itself: trades in, bars and signals out, no disk and no network.

use std::time::Duration;

use finstage_engine::{Engine, EngineSettings, FeedTiming, Origin, SeriesSpec, StrategySpec};
use finstage_model::{
    Aggressor, Category, Event, Instrument, InstrumentId, Interval, Payload, Price, Qty, Symbol,
    Timestamp, Trade, TradeId,
};
use finstage_strategies::CATALOG;

use super::Session;
use super::stopwatch::{ns_each, took};
use super::walk::Numbers;
use crate::exit::{Failure, Result};

/// Milliseconds between two trades.
const PACE_MS: u64 = 100;
/// The first of them.
const START: i64 = 1_767_571_200;

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let symbol: Symbol = "bench:WALK".parse().map_err(Failure::usage)?;
    let settings = settings(&symbol);
    let events = trades(session.bars());
    let (mut least, mut bars) = (Duration::MAX, 0);
    for _ in 0..session.rounds() {
        let mut engine = Engine::new(&settings, CATALOG).map_err(Failure::usage)?;
        let mut outputs = Vec::new();
        engine.apply(&announcement(&symbol), &mut outputs);
        outputs.clear();
        let (time, said) = took(|| {
            let mut said = 0;
            for event in &events {
                engine.apply(event, &mut outputs);
                said += outputs.len();
                outputs.clear();
            }
            said
        });
        (least, bars) = (least.min(time), said);
    }
    let ns = ns_each(least, events.len());
    session.row("engine.ns_per_trade".into(), ns, "ns");
    session.row("engine.trades_per_s".into(), 1e9 / ns, "trades/s");
    session.row(
        "engine.outputs".into(),
        f64::from(u32::try_from(bars).unwrap_or(u32::MAX)),
        "outputs",
    );
    Ok(())
}

/// Minute bars of trades, hours and days rolled from them, and a strategy on the minutes.
fn settings(symbol: &Symbol) -> EngineSettings {
    let series = |interval, origin| SeriesSpec { symbol: symbol.clone(), interval, origin };
    let strategy = StrategySpec {
        name: "golden_cross".into(),
        params: Vec::new(),
        interval: Interval::M1,
        symbols: Vec::new(),
        when: None,
    };
    EngineSettings {
        series: vec![
            series(Interval::M1, Origin::Trades),
            series(Interval::H1, Origin::Rolled(Interval::M1)),
            series(Interval::D1, Origin::Rolled(Interval::H1)),
        ],
        feeds: vec![FeedTiming::ordered("bench")],
        strategies: vec![strategy],
        ..EngineSettings::default()
    }
}

fn announcement(symbol: &Symbol) -> Event {
    let payload = Payload::Instrument(Box::new(Instrument {
        id: InstrumentId(0),
        symbol: symbol.clone(),
        tick: None,
        lot: None,
        currency: None,
        category: Category::Other,
    }));
    Event::new(Timestamp::from_secs(START), payload)
}

/// A walk in steps of a hundredth, ten trades a second.
fn trades(count: usize) -> Vec<Event> {
    let mut numbers = Numbers::new(7);
    let mut cents = 1_000_000;
    let start = Timestamp::from_secs(START);
    (0..count as u64)
        .map(|nth| {
            cents = (cents + numbers.below(21) - 10).max(1);
            let ts_event = start.plus(Duration::from_millis(PACE_MS * nth));
            let trade = Trade {
                id: TradeId(nth.into()),
                instrument: InstrumentId(0),
                ts_event,
                price: Price::from_nanos(cents * 10_000_000),
                qty: Qty::from_nanos(1_000_000_000),
                aggressor: Aggressor::Unknown,
            };
            Event::new(ts_event.plus(Duration::from_millis(5)), Payload::Trade(trade))
        })
        .collect()
}
