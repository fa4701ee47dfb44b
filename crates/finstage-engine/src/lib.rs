//! The pure core: events in, outputs out, deterministic, infallible and single-threaded.
//!
//! This crate does no I/O, reads no clock, draws no random number and knows no venue and no
//! strategy: time arrives with the events, strategies with the catalogue. It does not judge what
//! is worth money; it says what follows from the events, the same in every run.
//!
//! Three types to read first: [`Engine`] (the state, with its one method `apply`), [`Strategy`]
//! (what a rule is) and [`EngineSettings`] (all that shapes what is said, besides the events).
//! [`run()`] is the one loop that drives an engine.
//!
//! ```
//! use finstage_engine::{Catalog, Engine, EngineSettings, Origin, SeriesSpec};
//! use finstage_model::*;
//!
//! let symbol: Symbol = "binance:BTCUSDT".parse().unwrap();
//! let series = SeriesSpec { symbol: symbol.clone(), interval: Interval::M1, origin: Origin::Trades };
//! let settings = EngineSettings { series: vec![series], ..EngineSettings::default() };
//! let mut engine = Engine::new(&settings, Catalog::default()).unwrap();
//!
//! let instrument = Instrument {
//!     id: InstrumentId(0),
//!     symbol,
//!     tick: None,
//!     lot: None,
//!     currency: None,
//!     category: Category::Crypto,
//! };
//! let mut outputs = Vec::new();
//! let mut apply = |at: &str, payload| {
//!     let event = Event::new(at.parse().unwrap(), payload);
//!     engine.apply(&event, &mut outputs);
//! };
//! apply("2026-01-05T12:00:00Z", Payload::Instrument(Box::new(instrument)));
//! let trade = Trade {
//!     id: TradeId(1),
//!     instrument: InstrumentId(0),
//!     ts_event: "2026-01-05T12:00:30Z".parse().unwrap(),
//!     price: "42850.1".parse().unwrap(),
//!     qty: "0.5".parse().unwrap(),
//!     aggressor: Aggressor::Buyer,
//! };
//! apply("2026-01-05T12:00:30.1Z", Payload::Trade(trade));
//! apply("2026-01-05T12:01:11Z", Payload::Tick);
//! let [Output::Bar(bar)] = &outputs[..] else { unreachable!() };
//! assert_eq!(bar.close.to_string(), "42850.1");
//! ```
#![forbid(unsafe_code)]

mod alerts;
mod bars;
mod desk;
mod engine;
mod filters;
pub mod harness;
mod market;
mod news;
mod outcomes;
mod plan;
mod rollup;
mod rule;
mod run;
mod settings;
mod shared;
mod strategy;
mod timeline;
mod verify;
mod watch;

pub use finstage_model::{WatchRule, WatchRuleError};

pub use alerts::{MAX_MUTES, MAX_REMEMBERED, MEMORY};
pub use engine::{Counters, Engine, MAX_INSTRUMENTS};
pub use news::{LONGEST_NEWS, MAX_HEARD, MOST_OF_ONE};
pub use outcomes::{Course, Question, Settlement, settle, trace, trace_bars};
pub use plan::{MAX_DEPTH, MAX_STRATEGIES, Planned, RECORD_DAYS, series_depths};
pub use rule::{Build, Catalog, Language, Rule};
pub use run::{Flow, RunError, RunSummary, Sink, SinkError, Source, SourceError, run};
pub use settings::{
    AlertFilters, AlertRules, EngineSettings, FeedTiming, MarketRule, Origin, SeriesSpec,
    StrategySpec, WatchSpec, When,
};
pub use strategy::{Context, Entry, Firing, ParamSpec, Params, Strategy, StrategyError, nearest};
pub use timeline::{MAX_AHEAD, MAX_LATENESS};
pub use verify::{MAX_CARDS, MAX_GAPS};
pub use watch::MAX_WATCHES;
