//! Positions from the signals of catalogue strategies, said by the real engine.
//!
//! A strategy claims a direction and is silent about the end, so an end has to be named. The claim
//! is taken as it is: a strategy that expects a rise opens a long position, one that expects a fall
//! opens a short one.

use finstage_engine::{
    Catalog, Engine, EngineSettings, Entry, Origin, Params, SeriesSpec, StrategySpec,
};
use finstage_model::{
    Bar, Call, Category, Event, Instrument, Interval, Output, Payload, Symbol, Timestamp,
};

use super::arguments::{named, refuse};
use super::targets::Wants;
use super::{Plan, Target};
use crate::series::check_bars;
use crate::{Error, ErrorKind};

/// Opens on the signals of one strategy and ends as [`Exit`] says.
///
/// On every close, in this order: a signal of the exit strategy ends the position (or turns it, see
/// [`OnExit`]); else a signal of the entry strategy opens one, if there is none on that side or the
/// present one is due; else a position that is due ends. Further signals of the entry strategy
/// change nothing, and do not prolong the hold.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRule {
    /// The strategy that opens.
    pub entry: Call,
    /// What ends it.
    pub exit: Exit,
}

/// What ends a position that a signal opened. With neither strategy nor hold, the counterpart of
/// the entry strategy in [`PAIRS`] ends it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exit {
    /// A strategy of the opposite direction, whose signal ends the position.
    pub strategy: Option<Call>,
    /// Bars from the decision to open until the decision to end.
    pub hold: Option<usize>,
    /// What follows a signal of the exit strategy.
    pub then: OnExit,
}

/// What follows a signal of the exit strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExit {
    /// Nothing is held.
    #[default]
    Flat,
    /// The position of the other side: long and short by turns.
    Reverse,
}

/// Strategies that are each other's end, either way round. The exit takes over parameters that
/// both declare with the same default.
pub const PAIRS: &[(&str, &str)] = &[
    ("golden_cross", "dead_cross"),
    ("ma_breakout_up", "ma_breakout_down"),
    ("rsi_oversold", "rsi_overbought"),
    ("rsi_bullish", "rsi_bearish"),
    ("bb_break_upper", "bb_break_lower"),
    ("bb_touch_lower", "bb_touch_upper"),
    ("macd_bullish_cross", "macd_bearish_cross"),
    ("macd_zero_cross_up", "macd_zero_cross_down"),
];

/// The greatest hold, in bars.
const MAX_HOLD: usize = 100_000;

impl SignalRule {
    /// The targets of this rule on bars of one series.
    ///
    /// # Errors
    /// When a strategy is unknown, its parameters make no sense, no exit is named and none is
    /// known, or the bars are not one series.
    pub fn plan(&self, catalog: Catalog, bars: &[Bar]) -> Result<Plan, Error> {
        let entry = Rule::of_call(&self.entry, catalog)?;
        let exit = self.exit_rule(&entry, catalog)?;
        if let Some(hold) = self.exit.hold
            && !(1..=MAX_HOLD).contains(&hold)
        {
            return Err(refuse(&self.entry, &format!("hold = {hold} is not 1 to {MAX_HOLD} bars")));
        }
        check_bars(bars)?;
        let rules: Vec<&Rule> = std::iter::once(&entry).chain(&exit).collect();
        let said = listen(&rules, catalog, bars)?;
        let targets = self.positions(entry.entry.direction.sign(), &said);
        Ok(Plan {
            targets,
            canonical: self.canonical(&entry, exit.as_ref()),
            words: self.words(&entry, exit.as_ref()),
        })
    }

    /// The exit strategy: the one named, or the counterpart where nothing else ends the position.
    fn exit_rule(&self, entry: &Rule, catalog: Catalog) -> Result<Option<Rule>, Error> {
        let name = entry.entry.name;
        let rule = match (&self.exit.strategy, self.exit.hold) {
            (Some(call), _) => Rule::of_call(call, catalog)?,
            (None, Some(_)) => return Ok(None),
            (None, None) => {
                let pair = PAIRS.iter().find(|pair| pair.0 == name || pair.1 == name);
                let Some(&(one, other)) = pair else {
                    let why = "say when it ends: an exit strategy, or a number of bars to hold";
                    return Err(refuse(&self.entry, why));
                };
                Rule::of_counterpart(entry, if one == name { other } else { one }, catalog)?
            }
        };
        if rule.entry.direction == entry.entry.direction {
            let (exit, direction) = (rule.entry.name, rule.entry.direction);
            let why = format!("{exit} cannot end it: it is {direction} as well");
            return Err(refuse(&self.entry, &why));
        }
        Ok(Some(rule))
    }

    fn positions(&self, sign: f64, said: &[Said]) -> Vec<Target> {
        let after_exit = match self.exit.then {
            OnExit::Flat => 0.0,
            OnExit::Reverse => -sign,
        };
        let mut wants = Wants::default();
        let (mut want, mut since) = (0.0, 0);
        for (bar, said) in said.iter().enumerate() {
            let is_due = want != 0.0 && self.exit.hold.is_some_and(|hold| bar >= since + hold);
            let next = if said.exit {
                after_exit
            } else if said.entry {
                sign
            } else if is_due {
                0.0
            } else {
                continue;
            };
            if next != want || is_due {
                (want, since) = (next, bar);
                wants.state(bar, want);
            }
        }
        wants.into_targets()
    }

    fn canonical(&self, entry: &Rule, exit: Option<&Rule>) -> String {
        let mut text = entry.canonical();
        if let Some(exit) = exit {
            let verb = if self.exit.then == OnExit::Reverse { "reverse" } else { "exit" };
            text.push_str(&format!(" {verb} {}", exit.canonical()));
        }
        if let Some(hold) = self.exit.hold {
            text.push_str(&format!(" hold {hold}"));
        }
        text
    }

    fn words(&self, entry: &Rule, exit: Option<&Rule>) -> String {
        let direction = entry.entry.direction;
        let mut text = format!("{direction} on the signal \"{}\"", entry.words());
        if let Some(exit) = exit {
            let then = match self.exit.then {
                OnExit::Flat => "flat",
                OnExit::Reverse => exit.entry.direction.as_str(),
            };
            text.push_str(&format!(", {then} on the signal \"{}\"", exit.words()));
        }
        if let Some(hold) = self.exit.hold {
            text.push_str(&format!(", flat after {hold} bars"));
        }
        text
    }
}

/// A strategy with checked parameters.
struct Rule {
    entry: &'static Entry,
    given: Vec<(String, f64)>,
    params: Params,
}

impl Rule {
    fn new(entry: &'static Entry, given: Vec<(String, f64)>) -> Result<Self, Error> {
        let params = entry.params(&given)?;
        Ok(Self { entry, given, params })
    }

    fn of_call(call: &Call, catalog: Catalog) -> Result<Self, Error> {
        let entry = Entry::find(catalog, &call.name)?;
        Self::new(entry, named(call, entry.params)?)
    }

    fn of_counterpart(of: &Self, name: &str, catalog: Catalog) -> Result<Self, Error> {
        let entry = Entry::find(catalog, name)?;
        let is_shared = |name: &str| {
            let default = |entry: &Entry| {
                entry.params.iter().find(|spec| spec.name == name).map(|spec| spec.default)
            };
            default(entry).is_some() && default(entry) == default(of.entry)
        };
        Self::new(entry, of.given.iter().filter(|(name, _)| is_shared(name)).cloned().collect())
    }

    fn canonical(&self) -> String {
        self.entry.canonical(&self.params)
    }

    fn words(&self) -> String {
        (self.entry.words)(&self.params)
    }
}

/// What was said on one bar.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    entry: bool,
    exit: bool,
}

/// Shows the bars to an engine with these strategies: the first opens, the second ends.
fn listen(rules: &[&Rule], catalog: Catalog, bars: &[Bar]) -> Result<Vec<Said>, Error> {
    let mut said = vec![Said::default(); bars.len()];
    let Some(first) = bars.first() else { return Ok(said) };
    let symbol: Symbol = "backtest:A".parse().expect("invariant: it has the form venue:SYMBOL");
    let mut engine = Engine::new(&settings(rules, &symbol, first.interval), catalog)?;
    let (id, category) = (first.instrument, Category::Other);
    let instrument = Instrument { id, symbol, tick: None, lot: None, currency: None, category };
    let mut outputs = Vec::new();
    let mut apply = |ts_recv: Timestamp, payload: Payload, outputs: &mut Vec<Output>| {
        outputs.clear();
        engine.apply(&Event { ts_recv, payload }, outputs);
    };
    apply(first.open_time, Payload::Instrument(Box::new(instrument)), &mut outputs);
    for (bar, said) in bars.iter().zip(&mut said) {
        apply(bar.close_time(), Payload::Bar(*bar), &mut outputs);
        for output in &outputs {
            match output {
                Output::Signal(signal) if signal.strategy.0 == 0 => said.entry = true,
                Output::Signal(_) => said.exit = true,
                _ => {}
            }
        }
    }
    let (heard, given) = (engine.counters().bars, bars.len() as u64);
    if heard != given {
        let why =
            format!("{} of {given} bars cannot be: their times are implausible", given - heard);
        return Err(Error::new(ErrorKind::Bars, why));
    }
    Ok(said)
}

fn settings(rules: &[&Rule], symbol: &Symbol, interval: Interval) -> EngineSettings {
    let strategy = |rule: &&Rule| StrategySpec {
        name: rule.entry.name.to_owned(),
        params: rule.given.clone(),
        interval,
        symbols: Vec::new(),
    };
    EngineSettings {
        strategies: rules.iter().map(strategy).collect(),
        series: vec![SeriesSpec { symbol: symbol.clone(), interval, origin: Origin::Venue }],
        ..EngineSettings::default()
    }
}

#[cfg(test)]
mod tests;
