//! Events, as the engine says them.

use finstage_engine::{Catalog, Engine, EngineSettings, Origin, SeriesSpec, StrategySpec};
use finstage_model::{
    Bar, Category, Direction, Event, Instrument as Announced, Interval, Output, Payload, Symbol,
};

use super::Instrument;
use crate::news::Telling;
use crate::{Error, ErrorKind};

/// A strategy that is to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Name with every parameter.
    pub canonical: String,
    /// The idea without its numbers.
    pub family_key: String,
    /// Its declared direction.
    pub direction: Direction,
    /// The rule in words.
    pub words: String,
    /// Bars until it may speak.
    pub warmup: usize,
    /// Whether it hears news: it is then judged from the first bar on that can hear any.
    pub hears_news: bool,
}

/// What the engine said about one series: bar indices for each rule, ascending.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// By rule.
    pub events: Vec<Vec<usize>>,
    /// Whether each rule said otherwise about the first half of the bars when it knew no more.
    pub repaints: Vec<bool>,
}

/// The rules that `specs` name, in their order. The interval of a spec is that of the bars.
///
/// # Errors
/// When a strategy is unknown, named twice, or has parameters that make no sense.
pub fn rules(
    specs: &[StrategySpec],
    catalog: Catalog,
    interval: Interval,
) -> Result<Vec<Rule>, Error> {
    let engine = Engine::new(&settings(specs, &any_symbol(), interval), catalog)?;
    let rule = |planned: &finstage_engine::Planned| Rule {
        canonical: planned.canonical.clone(),
        family_key: planned.family.clone(),
        direction: planned.direction,
        words: planned.words.clone(),
        warmup: planned.warmup,
        hears_news: planned.hears_news,
    };
    Ok(engine.strategies().iter().map(rule).collect())
}

/// Lets an engine with these strategies hear the series, and once more its first half alone.
///
/// # Errors
/// When a strategy cannot be built, or the engine refuses bars for their times.
pub fn listen(
    specs: &[StrategySpec],
    catalog: Catalog,
    instrument: &Instrument,
) -> Result<Heard, Error> {
    let bars = instrument.bars();
    let events = said(specs, catalog, instrument, bars)?;
    let half = bars.len() / 2;
    let early = said(specs, catalog, instrument, &bars[..half])?;
    let differs = |(whole, early): (&Vec<usize>, &Vec<usize>)| {
        let known = whole.partition_point(|&bar| bar < half);
        whole[..known] != early[..]
    };
    let repaints = events.iter().zip(&early).map(differs).collect();
    Ok(Heard { events, repaints })
}

fn said(
    specs: &[StrategySpec],
    catalog: Catalog,
    instrument: &Instrument,
    bars: &[Bar],
) -> Result<Vec<Vec<usize>>, Error> {
    let mut events = vec![Vec::new(); specs.len()];
    let Some(first) = bars.first() else { return Ok(events) };
    let symbol = instrument.symbol().clone();
    let mut engine = Engine::new(&settings(specs, &symbol, first.interval), catalog)?;
    let mut telling = Telling::new(&instrument.news, bars, instrument.symbol());
    let directions: Vec<Direction> =
        engine.strategies().iter().map(|planned| planned.direction).collect();
    let mut heard = 0;
    let mut outputs = Vec::new();
    let (id, category) = (first.instrument, Category::Other);
    let announced = Announced { id, symbol, tick: None, lot: None, currency: None, category };
    let payload = Payload::Instrument(Box::new(announced));
    engine.apply(&Event::new(first.open_time, payload), &mut outputs);
    for (place, bar) in bars.iter().enumerate() {
        for heard in telling.until(bar.close_time()) {
            engine.apply(&heard, &mut outputs);
        }
        outputs.clear();
        let event = Event::new(bar.close_time(), Payload::Bar(*bar));
        engine.apply(&event, &mut outputs);
        for output in &outputs {
            if let Output::Bar(closed) = output {
                // Longer bars are made of these for strategies that read them.
                heard += usize::from(closed.interval == bar.interval);
            }
            let Output::Signal(signal) = output else { continue };
            let strategy = usize::from(signal.strategy.0);
            // A rule is judged by the direction that it declares.
            if signal.direction == directions[strategy] {
                events[strategy].push(place);
            }
        }
    }
    let given = bars.len();
    if heard != given {
        let (symbol, refused) = (instrument.symbol(), given - heard);
        let why =
            format!("{symbol}: {refused} of {given} bars cannot be: their times are implausible");
        return Err(Error::new(ErrorKind::Bars, why));
    }
    Ok(events)
}

fn settings(specs: &[StrategySpec], symbol: &Symbol, interval: Interval) -> EngineSettings {
    let spec = |spec: &StrategySpec| StrategySpec { interval, symbols: Vec::new(), ..spec.clone() };
    EngineSettings {
        strategies: specs.iter().map(spec).collect(),
        series: vec![SeriesSpec { symbol: symbol.clone(), interval, origin: Origin::Venue }],
        ..EngineSettings::default()
    }
}

fn any_symbol() -> Symbol {
    "study:A".parse().expect("invariant: it has the form venue:SYMBOL")
}
