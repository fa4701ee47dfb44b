//! The settings, checked and worked out once: which strategies there are, from where each series
//! is made, and how deep each must be.

use std::fmt;
use std::time::Duration;

use finstage_model::{Direction, Interval, StrategyId, Symbol, rule_name};

use crate::filters::{VOLUME_BARS, trend_depth};
use crate::{
    AlertFilters, Build, Catalog, EngineSettings, FeedTiming, MarketRule, Origin, Rule, SeriesSpec,
    Strategy, StrategyError, StrategySpec, WatchRule, WatchSpec,
};

/// The greatest number of strategies: a [`StrategyId`] is 16 bits wide.
pub const MAX_STRATEGIES: usize = u16::MAX as usize;

/// The greatest number of bars that a strategy can ask to be remembered.
pub const MAX_DEPTH: usize = 100_000;

/// The daily bars that a watch on the highest price asks for: twenty years of trading days.
pub const RECORD_DAYS: usize = 5_000;

/// The daily bars that a watch on the previous day asks for.
const PREVIOUS_DAYS: usize = 2;

/// One configured strategy with everything that does not depend on the instrument.
#[derive(Clone)]
pub struct Planned {
    /// Its dense number: the place in the settings.
    pub id: StrategyId,
    /// As [`Rule::canonical`].
    pub canonical: String,
    /// As [`Rule::family`].
    pub family: String,
    /// As [`Rule::direction`].
    pub direction: Direction,
    /// On bars of which length.
    pub interval: Interval,
    /// The rule in words with the parameters' values.
    pub words: String,
    /// Bars until it may speak.
    pub warmup: usize,
    /// Bars until older ones move nothing.
    pub memory: usize,
    /// The longer interval that it reads too, if any.
    pub longer: Option<Interval>,
    /// Whether it hears news.
    pub hears_news: bool,
    build: Build,
    symbols: Vec<Symbol>,
}

impl fmt::Debug for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, canonical, interval, .. } = self;
        write!(f, "Planned({}: {canonical} on {interval})", id.0)
    }
}

impl Planned {
    fn new(id: usize, spec: &StrategySpec, catalog: Catalog) -> Result<Self, StrategyError> {
        let Rule { canonical, family, direction, words, build, .. } = Rule::of(spec, catalog)?;
        let instance = build();
        Ok(Self {
            id: StrategyId(id as u16),
            canonical,
            family,
            direction,
            words,
            warmup: instance.warmup().clamp(1, MAX_DEPTH),
            memory: instance.memory().clamp(1, MAX_DEPTH),
            longer: instance.longer(spec.interval),
            hears_news: instance.hears_news(),
            build,
            interval: spec.interval,
            symbols: spec.symbols.clone(),
        })
    }

    /// Whether `text` is its name or its canonical text.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        text == self.canonical || text == rule_name(&self.canonical)
    }

    /// Whether it looks at that instrument.
    #[must_use]
    pub fn serves(&self, symbol: &Symbol) -> bool {
        self.symbols.is_empty() || self.symbols.contains(symbol)
    }

    /// A new instance, for one instrument.
    pub(crate) fn build(&self) -> Box<dyn Strategy> {
        (self.build)()
    }

    /// Whether both would say the same about some bar.
    fn repeats(&self, other: &Self) -> bool {
        let shared = other.symbols.is_empty() || other.symbols.iter().any(|s| self.serves(s));
        self.canonical == other.canonical && self.interval == other.interval && shared
    }
}

/// How one series of an instrument is made, and from which other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lineage {
    pub(crate) interval: Interval,
    pub(crate) maker: Maker,
    /// The place of the series at the start of the line.
    pub(crate) root: usize,
}

/// Where the bars of a series come from, as places in the list of an instrument's series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    Venue,
    Trades,
    Parts { of: usize },
}

/// The settings of an engine, checked.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) strategies: Vec<Planned>,
    series: Vec<SeriesSpec>,
    feeds: Vec<FeedTiming>,
    watches: Vec<WatchSpec>,
    cooldown_ms: u64,
    filters: AlertFilters,
}

impl Plan {
    pub(crate) fn new(settings: &EngineSettings, catalog: Catalog) -> Result<Self, StrategyError> {
        let count = settings.strategies.len();
        if count > MAX_STRATEGIES {
            let message = format!("{count} strategies are more than {MAX_STRATEGIES}");
            return Err(StrategyError::new(message));
        }
        let mut plan = Self {
            strategies: Vec::new(),
            series: settings.series.clone(),
            feeds: settings.feeds.clone(),
            watches: settings.watches.clone(),
            cooldown_ms: settings.alerts.cooldown_ms,
            filters: settings.alerts.filters.clone(),
        };
        plan.sort_series();
        plan.check_series()?;
        for (id, spec) in settings.strategies.iter().enumerate() {
            let planned = Planned::new(id, spec, catalog)?;
            if plan.strategies.iter().any(|other| planned.repeats(other)) {
                let (rule, interval) = (&planned.canonical, planned.interval);
                let message = format!("{rule} on {interval} bars is listed twice");
                return Err(StrategyError::new(message));
            }
            plan.strategies.push(planned);
        }
        plan.add_longer();
        Ok(plan)
    }

    /// Adds the longer series that strategies read and that can be rolled up from their own.
    fn add_longer(&mut self) {
        for planned in &self.strategies {
            let interval = planned.interval;
            let Some(longer) = planned.longer.filter(|longer| longer.is_made_of(interval)) else {
                continue;
            };
            let is_there = |symbol: &Symbol, interval| {
                self.series.iter().any(|s| s.symbol == *symbol && s.interval == interval)
            };
            let lacking = self.series.iter().filter(|spec| {
                let symbol = &spec.symbol;
                spec.interval == interval && planned.serves(symbol) && !is_there(symbol, longer)
            });
            let origin = Origin::Rolled(interval);
            let rolled =
                lacking.map(|spec| SeriesSpec { interval: longer, origin, ..spec.clone() });
            let rolled: Vec<SeriesSpec> = rolled.collect();
            self.series.extend(rolled);
        }
        self.sort_series();
    }

    fn sort_series(&mut self) {
        self.series.sort_by(|a, b| (&a.symbol, a.interval).cmp(&(&b.symbol, b.interval)));
    }

    fn check_series(&self) -> Result<(), StrategyError> {
        let refuse = |spec: &SeriesSpec, why: &str| {
            Err(StrategyError::new(format!("series {} {}: {why}", spec.symbol, spec.interval)))
        };
        for pair in self.series.windows(2) {
            if (&pair[0].symbol, pair[0].interval) == (&pair[1].symbol, pair[1].interval) {
                return refuse(&pair[0], "is listed twice: a series has one origin");
            }
        }
        for spec in &self.series {
            let Origin::Rolled(finer) = spec.origin else { continue };
            if !spec.interval.is_made_of(finer) {
                return refuse(spec, &format!("cannot be rolled up from {finer} bars"));
            }
            if !self.series_of(&spec.symbol).iter().any(|other| other.interval == finer) {
                return refuse(
                    spec,
                    &format!("is rolled up from {finer} bars, which do not exist"),
                );
            }
        }
        Ok(())
    }

    /// The series of one instrument, finest first.
    fn series_of(&self, symbol: &Symbol) -> &[SeriesSpec] {
        let start = self.series.partition_point(|spec| spec.symbol < *symbol);
        let length = self.series[start..].partition_point(|spec| spec.symbol == *symbol);
        &self.series[start..start + length]
    }

    /// How the series of one instrument are made, finest first. Series from trades are built once,
    /// at the finest interval, and rolled up from there.
    pub(crate) fn lineage(&self, symbol: &Symbol) -> Vec<Lineage> {
        let mut lines: Vec<Lineage> = Vec::new();
        for spec in self.series_of(symbol) {
            let interval = spec.interval;
            let parent = match spec.origin {
                Origin::Venue => None,
                Origin::Rolled(finer) => lines.iter().position(|line| line.interval == finer),
                Origin::Trades => lines.iter().position(|line| {
                    line.maker == Maker::Trades && interval.is_made_of(line.interval)
                }),
            };
            let (maker, root) = match (parent, spec.origin) {
                (Some(of), _) => (Maker::Parts { of }, lines[of].root),
                (None, Origin::Venue) => (Maker::Venue, lines.len()),
                (None, _) => (Maker::Trades, lines.len()),
            };
            lines.push(Lineage { interval, maker, root });
        }
        lines
    }

    /// The strategies that look at an instrument on bars of an interval.
    pub(crate) fn strategies_of<'a>(
        &'a self,
        symbol: &'a Symbol,
    ) -> impl Iterator<Item = &'a Planned> + 'a {
        let intervals = self.series_of(symbol);
        self.strategies.iter().filter(move |planned| {
            planned.serves(symbol) && intervals.iter().any(|s| s.interval == planned.interval)
        })
    }

    /// How many bars of each of its series an instrument's strategies and the filters of their
    /// alerts need. One depth for all, because a strategy may read its neighbours through
    /// [`crate::Context::series`].
    pub(crate) fn depth(&self, symbol: &Symbol) -> usize {
        let needed = self.strategies_of(symbol).map(|p| p.memory.max(p.warmup)).max();
        needed.map_or(1, |needed| needed.max(self.filtered(symbol)))
    }

    fn filtered(&self, symbol: &Symbol) -> usize {
        let volume = if self.filters.min_volume_ratio > 0.0 { VOLUME_BARS } else { 0 };
        let trend = match self.filters.market {
            MarketRule::Any => None,
            MarketRule::Agree => self.trend(symbol),
        };
        volume.max(trend.map_or(0, trend_depth))
    }

    /// The series of an instrument that shows where its market goes: the longest up to a day.
    pub(crate) fn trend(&self, symbol: &Symbol) -> Option<Interval> {
        let intervals = self.series_of(symbol).iter().map(|spec| spec.interval);
        intervals.filter(|interval| *interval <= Interval::D1).max()
    }

    pub(crate) fn timing(&self, symbol: &Symbol) -> FeedTiming {
        let known = self.feeds.iter().find(|timing| timing.venue == symbol.venue());
        known.cloned().unwrap_or_else(|| FeedTiming::ordered(symbol.venue()))
    }

    /// The watches of an instrument with their cooldowns.
    pub(crate) fn watches_of<'a>(
        &'a self,
        symbol: &'a Symbol,
    ) -> impl Iterator<Item = (WatchRule, Duration)> + 'a {
        self.watches.iter().filter(move |watch| watch.symbol == *symbol).map(|watch| {
            (watch.rule, Duration::from_millis(watch.cooldown_ms.unwrap_or(self.cooldown_ms)))
        })
    }

    fn watched_days(&self, symbol: &Symbol) -> usize {
        let days = self.watches_of(symbol).map(|(rule, _)| match rule {
            WatchRule::NewHigh | WatchRule::DropFromHigh(_) => RECORD_DAYS,
            _ => PREVIOUS_DAYS,
        });
        days.max().unwrap_or(0)
    }

    /// The depths of one instrument's series, finest first.
    fn depths(&self, symbol: &Symbol) -> Vec<(Interval, usize)> {
        let lines = self.lineage(symbol);
        let mut depths: Vec<_> =
            lines.iter().map(|line| (line.interval, self.depth(symbol))).collect();
        for line in &lines {
            if let Maker::Parts { of } = line.maker {
                let parts = ratio(line.interval, depths[of].0);
                depths[of].1 = depths[of].1.max(parts);
            }
        }
        let days = self.watched_days(symbol);
        let daily = depths.iter_mut().rev().find(|(interval, _)| *interval <= Interval::D1);
        if let Some((interval, depth)) = daily
            && days > 0
        {
            let bars = (days * ratio(Interval::D1, *interval)).min(RECORD_DAYS);
            *depth = (*depth).max(bars);
        }
        depths
    }
}

/// How many past bars each series needs in a preamble, so that an engine that starts says what one
/// that never stopped would say: what its instrument's strategies remember, the parts of every
/// open coarse bar, and the days that watches compare with.
///
/// Coarser series come first; given to the engine in this order, a strategy that reads a coarser
/// neighbour finds it there while it warms up.
///
/// # Errors
/// As [`crate::Engine::new`].
pub fn series_depths(
    settings: &EngineSettings,
    catalog: Catalog,
) -> Result<Vec<(Symbol, Interval, usize)>, StrategyError> {
    let plan = Plan::new(settings, catalog)?;
    let mut symbols: Vec<&Symbol> = plan.series.iter().map(|spec| &spec.symbol).collect();
    symbols.dedup();
    let mut all = Vec::new();
    for symbol in symbols {
        let depths = plan.depths(symbol).into_iter().rev();
        all.extend(depths.map(|(interval, depth)| (symbol.clone(), interval, depth)));
    }
    Ok(all)
}

/// The most bars of `finer` that one bar of `coarse` can hold.
fn ratio(coarse: Interval, finer: Interval) -> usize {
    let longest = match coarse {
        Interval::Mo1 => Duration::from_secs(31 * 86_400),
        _ => coarse.nominal(),
    };
    longest.as_secs().div_ceil(finer.nominal().as_secs()) as usize
}
