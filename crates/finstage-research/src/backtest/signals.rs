//! Positions from the signals of catalogue strategies, said by the real engine.
//!
//! A strategy claims a direction and is silent about the end, so an end has to be named. The claim
//! is taken as it is: a strategy that expects a rise opens a long position, one that expects a fall
//! opens a short one.

use finstage_engine::{
    Catalog, Engine, EngineSettings, Entry, Origin, Rule as Strategy, SeriesSpec, StrategySpec,
    When,
};
use finstage_model::{
    Bar, Call, Category, Direction, Event, Instrument, Interval, Output, Payload, Symbol,
};

use super::arguments::named;
use super::targets::Wants;
use super::{Plan, Target};
use crate::news::Telling;
use crate::series::check_bars;
use crate::{Error, ErrorKind, News};

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

/// What ends a position that a signal opened. With no strategy, condition or hold, the counterpart
/// of the entry strategy in [`PAIRS`] ends it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exit {
    /// A strategy of the opposite direction, whose signal ends the position.
    pub strategy: Option<Call>,
    /// A condition of the user's own that ends the position where it becomes true.
    pub when: Option<String>,
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
    ("triple_confirmation_up", "triple_confirmation_down"),
    ("trend_agreement_up", "trend_agreement_down"),
    ("squeeze_break_up", "squeeze_break_down"),
    ("golden_cross_volume", "dead_cross_volume"),
    ("news_confirmed_up", "news_confirmed_down"),
    ("oversold_breakout", "overbought_breakdown"),
    ("supertrend_up", "supertrend_down"),
    ("donchian_breakout_up", "donchian_breakout_down"),
    ("rsi2_pullback", "rsi2_rally"),
    ("macd_adx_bullish", "macd_adx_bearish"),
    ("ichimoku_bullish", "ichimoku_bearish"),
    ("volatility_breakout_up", "volatility_breakout_down"),
    ("keltner_breakout_up", "keltner_breakout_down"),
    ("stochastic_trend_up", "stochastic_trend_down"),
    ("mfi_oversold", "mfi_overbought"),
    ("williams_r_oversold", "williams_r_overbought"),
    ("nr7_breakout_up", "nr7_breakout_down"),
];

/// The greatest hold, in bars.
const MAX_HOLD: usize = 100_000;

/// The name of a condition that was given without one.
const UNNAMED: &str = "when";

impl SignalRule {
    /// The targets of this rule on bars of one series.
    ///
    /// # Errors
    /// When a strategy is unknown, its parameters make no sense, no exit is named and none is
    /// known, or the bars are not one series.
    pub fn plan(&self, catalog: Catalog, bars: &[Bar]) -> Result<Plan, Error> {
        self.plan_with_news(catalog, bars, &News::default())
    }

    /// Whether what opens or what ends hears news; `false` of a rule that cannot be run.
    #[must_use]
    pub fn hears_news(&self, catalog: Catalog) -> bool {
        let hears = |rule: &Rule| (rule.of.build)().hears_news();
        let Ok(entry) = Rule::of_call(&self.entry, catalog) else { return false };
        let exit = self.exit.rule(&entry, catalog);
        hears(&entry) || exit.is_ok_and(|exit| exit.as_ref().is_some_and(hears))
    }

    /// The same with what was read about the instrument: each insight is heard at the
    /// moment at which it was known, so that no bar that had closed before can tell of it.
    ///
    /// # Errors
    /// As [`SignalRule::plan`].
    pub fn plan_with_news(
        &self,
        catalog: Catalog,
        bars: &[Bar],
        news: &News,
    ) -> Result<Plan, Error> {
        self.exit.plan(&Rule::of_call(&self.entry, catalog)?, catalog, (bars, news))
    }
}

impl Exit {
    /// The targets of positions that a user's own condition opens.
    pub(super) fn plan_of(
        &self,
        when: &When,
        catalog: Catalog,
        bars: &[Bar],
    ) -> Result<Plan, Error> {
        self.plan(&Rule::of_when(when, catalog)?, catalog, (bars, &News::default()))
    }

    fn plan(
        &self,
        entry: &Rule,
        catalog: Catalog,
        (bars, news): (&[Bar], &News),
    ) -> Result<Plan, Error> {
        let exit = self.rule(entry, catalog)?;
        if let Some(hold) = self.hold
            && !(1..=MAX_HOLD).contains(&hold)
        {
            return Err(entry.refuse(&format!("hold = {hold} is not 1 to {MAX_HOLD} bars")));
        }
        check_bars(bars)?;
        let rules: Vec<&Rule> = std::iter::once(entry).chain(&exit).collect();
        let said = listen(&rules, catalog, (bars, news))?;
        let targets = self.positions(entry.of.direction.sign(), &said);
        Ok(Plan {
            targets,
            canonical: self.canonical(entry, exit.as_ref()),
            words: self.words(entry, exit.as_ref()),
            entry: entry.of.canonical.clone(),
            family: entry.of.family.clone(),
        })
    }

    /// The rule that ends it: the one given, or the counterpart where nothing else ends the position.
    fn rule(&self, entry: &Rule, catalog: Catalog) -> Result<Option<Rule>, Error> {
        let rule = match (&self.strategy, &self.when, self.hold) {
            (Some(_), Some(_), _) => {
                return Err(entry.refuse("it ends by a strategy or by a condition, not by both"));
            }
            (Some(call), None, _) => Rule::of_call(call, catalog)?,
            (None, Some(text), _) => {
                let direction = match entry.of.direction {
                    Direction::Long => Direction::Short,
                    Direction::Short => Direction::Long,
                };
                Rule::of_when(&When { direction, ..When::long(text) }, catalog)?
            }
            (None, None, Some(_)) => return Ok(None),
            (None, None, None) => {
                let name = entry.of.name.as_str();
                let pair = PAIRS.iter().find(|pair| pair.0 == name || pair.1 == name);
                let Some(&(one, other)) = pair.filter(|_| entry.spec.when.is_none()) else {
                    let why = "say when it ends: an exit strategy, or a number of bars to hold";
                    return Err(entry.refuse(why));
                };
                Rule::of_counterpart(entry, if one == name { other } else { one }, catalog)?
            }
        };
        if rule.of.direction == entry.of.direction {
            let (exit, direction) = (&rule.of.name, rule.of.direction);
            return Err(entry.refuse(&format!("{exit} cannot end it: it is {direction} as well")));
        }
        Ok(Some(rule))
    }

    fn positions(&self, sign: f64, said: &[Said]) -> Vec<Target> {
        let after_exit = match self.then {
            OnExit::Flat => 0.0,
            OnExit::Reverse => -sign,
        };
        let mut wants = Wants::default();
        let (mut want, mut since) = (0.0, 0);
        for (bar, said) in said.iter().enumerate() {
            let is_due = want != 0.0 && self.hold.is_some_and(|hold| bar >= since + hold);
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

    /// How it ends, as it was asked for; empty for the counterpart.
    pub(crate) fn asked(&self) -> String {
        let mut text = String::new();
        let verb = if self.then == OnExit::Reverse { "reverse" } else { "exit" };
        match (&self.strategy, &self.when) {
            (Some(call), _) => text.push_str(&format!(" {verb} {call}")),
            (_, Some(when)) => text.push_str(&format!(" {verb} when {when}")),
            _ if self.then == OnExit::Reverse => text.push_str(" reverse"),
            _ => {}
        }
        if let Some(hold) = self.hold {
            text.push_str(&format!(" hold {hold}"));
        }
        text
    }

    fn canonical(&self, entry: &Rule, exit: Option<&Rule>) -> String {
        let mut text = entry.of.canonical.clone();
        if let Some(exit) = exit {
            let verb = if self.then == OnExit::Reverse { "reverse" } else { "exit" };
            text.push_str(&format!(" {verb} {}", exit.of.canonical));
        }
        if let Some(hold) = self.hold {
            text.push_str(&format!(" hold {hold}"));
        }
        text
    }

    fn words(&self, entry: &Rule, exit: Option<&Rule>) -> String {
        let direction = entry.of.direction;
        let mut text = format!("{direction} on the signal \"{}\"", entry.of.words);
        if let Some(exit) = exit {
            let then = match self.then {
                OnExit::Flat => "flat",
                OnExit::Reverse => exit.of.direction.as_str(),
            };
            text.push_str(&format!(", {then} on the signal \"{}\"", exit.of.words));
        }
        if let Some(hold) = self.hold {
            text.push_str(&format!(", flat after {hold} bars"));
        }
        text
    }
}

/// A strategy with what the engine is told of it; the interval is that of the bars.
struct Rule {
    spec: StrategySpec,
    of: Strategy,
}

impl Rule {
    fn new(spec: StrategySpec, catalog: Catalog) -> Result<Self, Error> {
        let of = Strategy::of(&spec, catalog)?;
        Ok(Self { spec, of })
    }

    fn of_call(call: &Call, catalog: Catalog) -> Result<Self, Error> {
        let entry = Entry::find(catalog, &call.name)?;
        let params = named(call, entry.params)?;
        Self::new(spec(entry.name, params, None), catalog)
    }

    fn of_when(when: &When, catalog: Catalog) -> Result<Self, Error> {
        Self::new(spec(UNNAMED, Vec::new(), Some(when.clone())), catalog)
    }

    fn of_counterpart(of: &Self, name: &str, catalog: Catalog) -> Result<Self, Error> {
        let (entry, other) = (Entry::find(catalog, name)?, Entry::find(catalog, &of.of.name)?);
        let is_shared = |name: &str| {
            let default = |entry: &Entry| {
                entry.params.iter().find(|spec| spec.name == name).map(|spec| spec.default)
            };
            default(entry).is_some() && default(entry) == default(other)
        };
        let given = of.spec.params.iter().filter(|(name, _)| is_shared(name)).cloned();
        Self::new(spec(name, given.collect(), None), catalog)
    }

    fn refuse(&self, why: &str) -> Error {
        Error::new(ErrorKind::Strategy, format!("{}: {why}", self.of.name))
    }
}

fn spec(name: &str, params: Vec<(String, f64)>, when: Option<When>) -> StrategySpec {
    let (name, interval) = (name.to_owned(), Interval::D1);
    StrategySpec { name, params, interval, symbols: Vec::new(), when }
}

/// What was said on one bar.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    entry: bool,
    exit: bool,
}

/// Shows the bars, and the news between them, to an engine with these strategies: the first opens, the second ends.
fn listen(
    rules: &[&Rule],
    catalog: Catalog,
    (bars, news): (&[Bar], &News),
) -> Result<Vec<Said>, Error> {
    let mut said = vec![Said::default(); bars.len()];
    let Some(first) = bars.first() else { return Ok(said) };
    let symbol: Symbol = "backtest:A".parse().expect("invariant: it has the form venue:SYMBOL");
    let mut engine = Engine::new(&settings(rules, &symbol, first.interval), catalog)?;
    let (id, category) = (first.instrument, Category::Other);
    let mut telling = Telling::new(news, bars, &symbol);
    let name = symbol.clone();
    let instrument =
        Instrument { id, symbol: name, tick: None, lot: None, currency: None, category };
    // Longer bars that a strategy reads are said too.
    let mut heard = 0;
    let mut outputs = Vec::new();
    let mut apply = |event: Event, outputs: &mut Vec<Output>| {
        outputs.clear();
        engine.apply(&event, outputs);
    };
    let instrument = Payload::Instrument(Box::new(instrument));
    apply(Event::new(first.open_time, instrument), &mut outputs);
    for (bar, said) in bars.iter().zip(&mut said) {
        telling.until(bar.close_time()).for_each(|insight| apply(insight, &mut outputs));
        apply(Event::new(bar.close_time(), Payload::Bar(*bar)), &mut outputs);
        for output in &outputs {
            match output {
                Output::Signal(signal) if signal.strategy.0 == 0 => said.entry = true,
                Output::Signal(_) => said.exit = true,
                Output::Bar(bar) if bar.interval == first.interval => heard += 1,
                _ => {}
            }
        }
    }
    let given = bars.len();
    if heard != given {
        let why =
            format!("{} of {given} bars cannot be: their times are implausible", given - heard);
        return Err(Error::new(ErrorKind::Bars, why));
    }
    Ok(said)
}

fn settings(rules: &[&Rule], symbol: &Symbol, interval: Interval) -> EngineSettings {
    let strategy = |rule: &&Rule| StrategySpec { interval, ..rule.spec.clone() };
    EngineSettings {
        strategies: rules.iter().map(strategy).collect(),
        series: vec![SeriesSpec { symbol: symbol.clone(), interval, origin: Origin::Venue }],
        ..EngineSettings::default()
    }
}

#[cfg(test)]
mod tests;
