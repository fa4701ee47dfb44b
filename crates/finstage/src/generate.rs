//! Signals of a bar file: the same engine as everywhere, without a journal.

use finstage_engine::{
    AlertRules, Engine, EngineSettings, Entry, Origin, Rule, SeriesSpec, StrategySpec, When,
};
use finstage_model::{
    Bar, Call, Event, Instrument, InstrumentId, Interval, Output, Payload, Ruling, Signal,
};
use finstage_strategies::CATALOG;

use crate::exit::{Failure, Result};

/// A signal with the two things that its dense numbers stand for.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The signal.
    pub signal: Signal,
    /// The strategy with parameters, canonical.
    pub strategy: String,
    /// What the verifier said.
    pub ruling: Ruling,
}

/// The name of a condition that was given without one.
const UNNAMED: &str = "when";

/// The strategies that `calls` name and the conditions of `own`, or the whole catalogue with its
/// defaults where there are none (but what hears news, which bars alone are silent to), on `interval`.
///
/// # Errors
/// Exit 2 naming an unknown strategy or parameter, a value without a name, or the place of what is
/// wrong in a condition.
pub fn strategies(calls: &[Call], own: &[When], interval: Interval) -> Result<Vec<StrategySpec>> {
    let spec = |name: &str, params, when| StrategySpec {
        name: name.to_owned(),
        params,
        interval,
        symbols: Vec::new(),
        when,
    };
    if calls.is_empty() && own.is_empty() {
        let on_bars = CATALOG.iter().filter(|entry| !entry.hears_news());
        return Ok(on_bars.map(|entry| spec(entry.name, Vec::new(), None)).collect());
    }
    let mut specs = Vec::new();
    for call in calls {
        let entry = Entry::find(CATALOG, &call.name).map_err(Failure::usage)?;
        let mut params = Vec::new();
        for (i, (name, value)) in call.args.iter().enumerate() {
            let by_place = || entry.params.get(i).map(|param| param.name.to_owned());
            let name = name.clone().or_else(by_place).ok_or_else(|| {
                let takes = entry.params.len();
                Failure::usage(format!("{call}: {} takes {takes} parameters", entry.name))
            })?;
            params.push((name, *value));
        }
        entry.params(&params).map_err(Failure::usage)?;
        specs.push(spec(entry.name, params, None));
    }
    for when in own {
        let spec = spec(UNNAMED, Vec::new(), Some(when.clone()));
        Rule::of(&spec, CATALOG).map_err(Failure::usage)?;
        specs.push(spec);
    }
    Ok(specs)
}

/// The conditions of `configured` that `calls` name, on `interval`, and the calls that name none of them.
#[must_use]
pub fn of_ones_own(
    calls: &[Call],
    configured: &[StrategySpec],
    interval: Interval,
) -> (Vec<StrategySpec>, Vec<Call>) {
    let mut others = Vec::new();
    let own = |call: &Call| {
        let is_it = |spec: &&StrategySpec| spec.when.is_some() && spec.name == call.name;
        configured.iter().find(is_it).filter(|_| call.args.is_empty())
    };
    let mut specs = Vec::new();
    for call in calls {
        match own(call) {
            Some(spec) => {
                specs.push(StrategySpec { interval, symbols: Vec::new(), ..spec.clone() });
            }
            None => others.push(call.clone()),
        }
    }
    (specs, others)
}

/// The strategies of the catalogue that hear news, with their defaults, on `interval`.
#[must_use]
pub fn hearing(interval: Interval) -> Vec<StrategySpec> {
    let (params, symbols) = (Vec::new(), Vec::new());
    let spec = |entry: &'static Entry| {
        let (name, params, symbols) = (entry.name.to_owned(), params.clone(), symbols.clone());
        StrategySpec { name, params, interval, symbols, when: None }
    };
    CATALOG.iter().filter(|entry| entry.hears_news()).map(spec).collect()
}

/// Whether any of these strategies hears news.
#[must_use]
pub fn hears_news(specs: &[StrategySpec]) -> bool {
    let entry = |spec: &StrategySpec| match spec.when {
        Some(_) => None,
        None => Entry::find(CATALOG, &spec.name).ok(),
    };
    specs.iter().filter_map(entry).any(Entry::hears_news)
}

/// What the engine says on `bars`, oldest first.
///
/// # Errors
/// Exit 2 when a strategy is named twice.
pub fn signals(
    bars: &[Bar],
    instrument: &Instrument,
    specs: Vec<StrategySpec>,
) -> Result<Vec<Generated>> {
    let Some(interval) = bars.first().map(|bar| bar.interval) else { return Ok(Vec::new()) };
    let symbol = instrument.symbol.clone();
    let settings = EngineSettings {
        strategies: specs,
        series: vec![SeriesSpec { symbol, interval, origin: Origin::Venue }],
        alerts: AlertRules { per_hour: 0, ..AlertRules::default() },
        ..EngineSettings::default()
    };
    let mut engine = Engine::new(&settings, CATALOG).map_err(Failure::usage)?;
    let id = InstrumentId(0);
    let announced = Instrument { id, ..instrument.clone() };
    let first = Event::new(bars[0].open_time, Payload::Instrument(Box::new(announced)));
    let mut outputs = Vec::new();
    engine.apply(&first, &mut outputs);
    let mut said = Vec::new();
    for bar in bars {
        outputs.clear();
        let bar = Bar { instrument: id, ..*bar };
        engine.apply(&Event::new(bar.close_time(), Payload::Bar(bar)), &mut outputs);
        let mut rest = outputs.iter().peekable();
        while let Some(output) = rest.next() {
            if let (Output::Signal(signal), Some(Output::Verdict(verdict))) = (output, rest.peek())
            {
                let planned = &engine.strategies()[usize::from(signal.strategy.0)];
                let strategy = planned.canonical.clone();
                said.push(Generated { signal: **signal, strategy, ruling: verdict.ruling });
            }
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use finstage_model::text::read_bars;

    use super::*;
    use crate::wiring::describe;

    #[test]
    fn a_bar_file_speaks_with_the_engines_voice() {
        let rows: String = (0..40)
            .map(|i| {
                let close = if i < 30 { 100 - i } else { 200 + i };
                format!("2026-01-05T00:{i:02} {close} {close} {close} {close} 1\n")
            })
            .collect();
        let table = read_bars(&format!("1m file:x\n{rows}"), InstrumentId(9)).unwrap();
        let calls = ["ma_breakout_up(20)".parse().unwrap()];
        let specs = strategies(&calls, &[], table.interval).unwrap();
        let said = signals(&table.bars, &describe(&table.symbol), specs).unwrap();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].strategy, "ma_breakout_up(period=20)");
        assert_eq!(said[0].signal.open_time.to_string(), "2026-01-05T00:30:00Z");
    }
}
