//! What a strategy is: a rule that looks at closed bars and makes signals.

use std::fmt;
use std::time::Duration;

use finstage_model::{Bar, Direction, Facts, Interval};

use crate::Catalog;
use crate::market::Market;

/// A rule that emits signals on closed bars of one instrument.
///
/// An instance serves one instrument and one interval and owns its indicators as fields. It cannot
/// tell live data from history: it sees bars in the order of their close and nothing else.
pub trait Strategy: Send + fmt::Debug {
    /// Bars until it may speak: no signal before this many bars were seen, the present one
    /// included.
    fn warmup(&self) -> usize;

    /// Bars until older ones move nothing by 1e-9; the next day's engine is warmed with as many.
    /// An average over n bars forgets after n, a recursive one (EMA of n) after 10.5 n.
    fn memory(&self) -> usize {
        self.warmup()
    }

    /// The longer interval that it reads besides its own `interval`, if any. Where an instrument has
    /// no such bars and they can be made of its own, the engine rolls them up.
    fn longer(&self, interval: Interval) -> Option<Interval> {
        let _ = interval;
        None
    }

    /// Whether it asks [`Context::news`]: what does not say so hears none, and documents are read from a
    /// store for those only that do.
    fn hears_news(&self) -> bool {
        false
    }

    /// Looks at one closed bar, in order, without gaps or repeats. At most one [`Firing`] a bar
    /// and direction is kept: the first.
    fn on_bar(&mut self, bar: &Bar, ctx: &Context<'_>, out: &mut Vec<Firing>);
}

/// What a strategy says about a bar; the engine makes a signal of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Firing {
    /// Where the price is expected to go.
    pub direction: Direction,
    /// How far the condition was exceeded, in the strategy's documented unit.
    pub strength: f64,
    /// The numbers it rests on.
    pub facts: Facts,
}

/// What a strategy may look at besides its own bar.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub(crate) market: &'a Market,
    pub(crate) bar: &'a Bar,
    pub(crate) hears_news: bool,
}

impl Context<'_> {
    /// Closed bars of the same instrument at another interval, oldest first, ending before this
    /// bar's close time: whether a neighbour's bar came first cannot matter. Empty when the engine
    /// does not keep that series.
    #[must_use]
    pub fn series(&self, interval: Interval) -> &[Bar] {
        self.market.bars_until(self.bar.instrument, interval, self.bar.close_time())
    }

    /// The tone of the news about the instrument that was known when this bar closed, from -1 to 1;
    /// 0 where there is none, and for a strategy that does not say [`Strategy::hears_news`]. An insight counts with its impact, at most [`crate::MOST_OF_ONE`], and
    /// less the older it is: after `memory`, at most [`crate::LONGEST_NEWS`], not at all.
    #[must_use]
    pub fn news(&self, memory: Duration) -> f64 {
        let news = self.market.news(self.bar.instrument).filter(|_| self.hears_news);
        news.map_or(0.0, |news| news.score(self.bar.close_time(), memory))
    }
}

/// One parameter of a strategy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamSpec {
    /// Its name in configuration and ids.
    pub name: &'static str,
    /// Its value where the user says nothing.
    pub default: f64,
    /// The least value allowed.
    pub min: f64,
    /// The greatest value allowed.
    pub max: f64,
    /// Whether only whole numbers make sense.
    pub whole: bool,
    /// What it means, with its unit.
    pub describes: &'static str,
}

impl ParamSpec {
    /// A number of bars: whole, 1 to 5,000.
    #[must_use]
    pub const fn period(name: &'static str, default: u32, describes: &'static str) -> Self {
        Self { name, default: default as f64, min: 1.0, max: 5_000.0, whole: true, describes }
    }

    /// A real number between two bounds.
    #[must_use]
    pub const fn number(
        name: &'static str,
        default: f64,
        (min, max): (f64, f64),
        describes: &'static str,
    ) -> Self {
        Self { name, default, min, max, whole: false, describes }
    }
}

/// Checked parameters of one strategy, in the order of its [`Entry::params`].
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    names: &'static [ParamSpec],
    values: Vec<f64>,
}

impl Params {
    /// The value of a parameter.
    ///
    /// # Panics
    /// `invariant:` when the entry does not declare `name`; a catalogue test builds every entry.
    #[must_use]
    pub fn get(&self, name: &str) -> f64 {
        let place = self.names.iter().position(|spec| spec.name == name);
        self.values[place.unwrap_or_else(|| panic!("invariant: parameter {name} is not declared"))]
    }

    /// The value of a whole parameter.
    ///
    /// # Panics
    /// As [`Params::get`].
    #[must_use]
    pub fn period(&self, name: &str) -> usize {
        self.get(name) as usize
    }
}

/// One line of the catalogue: everything known about a strategy before it is built.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name: `golden_cross`.
    pub name: &'static str,
    /// Where it expects the price to go. To claim the opposite, declare another entry.
    pub direction: Direction,
    /// One sentence for people, parameters by name: "the SMA(fast) crosses above the SMA(slow)".
    pub describes: &'static str,
    /// The rule in Korean, parameters in braces: "SMA({fast})이 SMA({slow})을 위로 돌파".
    pub korean: &'static str,
    /// Its parameters.
    pub params: &'static [ParamSpec],
    /// Refuses combinations that make no sense (`fast >= slow`); `Ok` otherwise.
    pub check: fn(&Params) -> Result<(), &'static str>,
    /// The rule in words with the parameters' values filled in: "SMA(50) crossed above SMA(200)".
    pub words: fn(&Params) -> String,
    /// Builds an instance for one instrument.
    pub build: fn(&Params) -> Box<dyn Strategy>,
}

/// Why a strategy of the configuration cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyError(String);

impl StrategyError {
    /// An error of this one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for StrategyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StrategyError {}

impl Entry {
    /// The entry of that name.
    ///
    /// # Errors
    /// Names the nearest entry when there is none of that name.
    pub fn find(catalog: Catalog, name: &str) -> Result<&'static Entry, StrategyError> {
        catalog.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let names = catalog.iter().map(|entry| entry.name);
            StrategyError(match nearest(name, names) {
                Some(near) => format!("no strategy \"{name}\"; did you mean \"{near}\"?"),
                None => format!("no strategy \"{name}\""),
            })
        })
    }

    /// Checks given values against the declared parameters and fills in defaults.
    ///
    /// # Errors
    /// Names an unknown parameter, a value out of bounds, or a combination that makes no sense.
    pub fn params(&self, given: &[(String, f64)]) -> Result<Params, StrategyError> {
        let refuse = |why: String| Err(StrategyError(format!("{}: {why}", self.name)));
        for (name, _) in given {
            if !self.params.iter().any(|spec| spec.name == name) {
                let known: Vec<&str> = self.params.iter().map(|spec| spec.name).collect();
                return refuse(format!("no parameter \"{name}\"; it has {}", known.join(", ")));
            }
        }
        let mut values = Vec::with_capacity(self.params.len());
        for spec in self.params {
            let value =
                given.iter().find(|(name, _)| name == spec.name).map_or(spec.default, |(_, v)| *v);
            if !(spec.min..=spec.max).contains(&value) {
                let (name, min, max) = (spec.name, spec.min, spec.max);
                return refuse(format!("{name} = {value} is not between {min} and {max}"));
            }
            if spec.whole && value.fract() != 0.0 {
                return refuse(format!("{} = {value} is not a whole number", spec.name));
            }
            values.push(value);
        }
        let params = Params { names: self.params, values };
        match (self.check)(&params) {
            Ok(()) => Ok(params),
            Err(why) => refuse(why.to_owned()),
        }
    }

    /// Whether its strategy hears news: on bars alone it says nothing, and trying it there would only be
    /// counted.
    #[must_use]
    pub fn hears_news(&self) -> bool {
        self.params(&[]).is_ok_and(|defaults| (self.build)(&defaults).hears_news())
    }

    /// The rule in Korean, with the parameters' values filled in.
    #[must_use]
    pub fn korean_words(&self, params: &Params) -> String {
        self.params.iter().fold(self.korean.to_owned(), |words, spec| {
            words.replace(&format!("{{{}}}", spec.name), &params.get(spec.name).to_string())
        })
    }

    /// Name with every parameter in declared order, the form that ids hash:
    /// `golden_cross(fast=50,slow=200)`.
    #[must_use]
    pub fn canonical(&self, params: &Params) -> String {
        let pairs = self.params.iter().zip(&params.values);
        let text: Vec<String> =
            pairs.map(|(spec, value)| format!("{}={value}", spec.name)).collect();
        format!("{}({})", self.name, text.join(","))
    }
}

/// The name with the least edit distance to what was typed, if it is near enough to be a slip.
///
/// ```
/// let known = ["golden_cross", "rsi_levels"];
/// assert_eq!(finstage_engine::nearest("golden_cros", known.into_iter()), Some("golden_cross"));
/// assert_eq!(finstage_engine::nearest("macd", known.into_iter()), None);
/// ```
pub fn nearest<N: AsRef<str> + Ord>(typed: &str, names: impl Iterator<Item = N>) -> Option<N> {
    let best = names.map(|name| (strsim::levenshtein(typed, name.as_ref()), name)).min()?;
    (best.0 <= typed.len().max(3) / 3 + 1).then_some(best.1)
}
