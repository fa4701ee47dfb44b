//! One rule with every combination of a grid of parameters, over the same bars under the same terms.
//!
//! Each combination goes through the very code of a single run ([`crate::backtest::run`]), so its
//! numbers are those of the single run to the last bit. The time is saved elsewhere: what depends on
//! one parameter is computed once and shared by all combinations with it, a combination only looks
//! for its events, memory is used again, and all cores work. The result is the same for any number
//! of threads.
//!
//! The best of many combinations looks good by luck alone: that is what [`mod@crate::walk_forward`]
//! is for.
//!
//! ```
//! # use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Timestamp};
//! use finstage_research::backtest::{Exit, Options};
//! use finstage_research::sweep::{Grid, Sweep, Work};
//!
//! # let bar = |day: i64| {
//! #     let price = Price::from_nanos((100 + day * day % 13) * 1_000_000_000);
//! #     Bar {
//! #         instrument: InstrumentId(0),
//! #         interval: Interval::D1,
//! #         open_time: Timestamp::from_secs(day * 86_400),
//! #         open: price,
//! #         high: price,
//! #         low: price,
//! #         close: price,
//! #         volume: Qty::ZERO,
//! #         trades: 0,
//! #     }
//! # };
//! # let bars: Vec<Bar> = (0..100).map(bar).collect();
//! let grid = Grid::new(vec!["fast=2..4".parse()?, "slow=3..5".parse()?])?;
//! let sweep = Sweep::new(&"sma_cross".parse().unwrap(), Exit::default(), finstage_engine::Catalog::default(), grid)?;
//! let rows = sweep.run(&bars, &Options::default(), &Work::default())?;
//! assert_eq!((rows.len(), sweep.skipped()), (6, 3));
//! assert_eq!(sweep.rule(rows[0].place).to_string(), "sma_cross(fast=2,slow=3)");
//! # Ok::<(), finstage_research::Error>(())
//! ```

mod grid;
mod heatmap;
mod jobs;
mod likeness;

use finstage_engine::{Catalog, ParamSpec};
use finstage_model::{Bar, Call, IdHasher};
use finstage_quant::stats::sharpe::Trials;

use self::jobs::Look;
use crate::backtest::{Exit, Keep, Maker, Options, Plan, SignalRule, Stats, Target, Trade};
use crate::{Error, ErrorKind, News};

pub use grid::{Axis, Grid, MAX_AXES, MAX_COMBINATIONS};
pub use heatmap::{Heatmap, MAX_CELLS, heatmap};
pub use jobs::Work;
pub(crate) use likeness::Likeness;

/// One rule, and the combinations of its parameters that make sense.
#[derive(Debug, Clone)]
pub struct Sweep {
    grid: Grid,
    /// The rule with the parameters that the grid does not change, by name.
    rule: Call,
    exit: Exit,
    catalog: Catalog,
    made_by: MadeBy,
    /// What was read about the instrument.
    news: News,
    /// Places in the grid.
    sensible: Vec<u32>,
}

/// Who states the targets.
#[derive(Debug, Clone)]
enum MadeBy {
    /// A rule of this crate: its parameters, and the place of each axis among them.
    Maker { maker: &'static Maker, values: Vec<f64>, axes: Vec<usize> },
    /// A strategy of the catalogue.
    Signals,
}

/// A combination that was run, and all that came of it.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// Its place in the grid.
    pub place: usize,
    /// What was wanted.
    pub targets: &'a [Target],
    /// The numbers about it.
    pub stats: &'a Stats,
    /// Cash plus the value of what is held at every close.
    pub equity: &'a [f64],
    /// Every trade, in the order of their exits.
    pub trades: &'a [Trade],
    /// Orders of no units, or dearer than the free cash.
    pub refused_orders: usize,
}

/// The numbers about one combination, named as in [`Stats`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Its place in the grid.
    pub place: usize,
    /// Equity of the last bar.
    pub final_equity: f64,
    /// 100 × (final equity / cash at the start − 1).
    pub return_pct: f64,
    /// [`Stats::sharpe_bar_sqrt252`].
    pub sharpe: Option<f64>,
    /// Zero or negative.
    pub max_drawdown_pct: f64,
    /// Number of trades.
    pub trades: usize,
}

/// All rows of a sweep, and what they are together.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// In the order of the grid.
    pub rows: Vec<Row>,
    /// How alike the combinations are and how their Sharpe ratios differ (per bar, of the excess over
    /// the mean step): what the best of them owes to luck.
    pub trials: Trials,
}

impl Found {
    /// Hash of the rows.
    #[must_use]
    pub fn digest(&self) -> String {
        let row = |hash: IdHasher, row: &Row| {
            let figures = [row.final_equity, row.sharpe.unwrap_or(f64::NAN), row.max_drawdown_pct];
            let hash = hash.bytes(&(row.place as u64).to_le_bytes());
            let hash = hash.bytes(&(row.trades as u64).to_le_bytes());
            figures.iter().fold(hash, |hash, figure| hash.bytes(&figure.to_bits().to_le_bytes()))
        };
        format!("{:032x}", self.rows.iter().fold(IdHasher::new(), row).finish())
    }
}

/// Rows by their Sharpe ratio, the greatest first; those without one last, of equals the first in
/// the grid first.
#[must_use]
pub fn ranked(rows: &[Row]) -> Vec<&Row> {
    let mut ranked: Vec<&Row> = rows.iter().collect();
    let key = |row: &Row| row.sharpe.unwrap_or(f64::NEG_INFINITY);
    ranked.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.place.cmp(&b.place)));
    ranked
}

impl Row {
    /// The numbers about a trial.
    #[must_use]
    pub fn of(trial: &Trial<'_>) -> Self {
        Self {
            place: trial.place,
            final_equity: trial.stats.final_equity,
            return_pct: trial.stats.return_pct,
            sharpe: trial.stats.sharpe_bar_sqrt252,
            max_drawdown_pct: trial.stats.max_drawdown_pct,
            trades: trial.stats.trades,
        }
    }
}

impl Sweep {
    /// The combinations of `grid` for a rule of [`crate::backtest::MAKERS`] or a strategy of the
    /// catalogue; `rule` may fix parameters that the grid does not name, `exit` is as in
    /// [`Plan::of_rule`].
    ///
    /// # Errors
    /// When the rule is unknown, the grid names a parameter that it does not have or a value out of
    /// bounds, or no combination makes sense.
    pub fn new(rule: &Call, exit: Exit, catalog: Catalog, grid: Grid) -> Result<Self, Error> {
        let maker = Maker::find(&rule.name);
        let specs = match (maker, catalog.iter().find(|entry| entry.name == rule.name)) {
            (Some(maker), _) => maker.params,
            (None, Some(entry)) => entry.params,
            (None, None) => return Err(unfit(rule, exit, catalog)),
        };
        let fixed = crate::backtest::named(rule, specs)?;
        for axis in grid.axes() {
            check_axis(axis, &rule.name, specs, &fixed)?;
        }
        let made_by = match maker {
            Some(_) if exit != Exit::default() => return Err(unfit(rule, exit, catalog)),
            Some(maker) => MadeBy::Maker {
                maker,
                values: maker.fill(rule)?,
                axes: grid.axes().iter().filter_map(|axis| place_of(&axis.name, specs)).collect(),
            },
            None => MadeBy::Signals,
        };
        let args = fixed.into_iter().map(|(name, value)| (Some(name), value)).collect();
        let rule = Call { name: rule.name.clone(), args };
        let (news, sensible) = (News::default(), Vec::new());
        let mut sweep = Self { grid, rule, exit, catalog, made_by, news, sensible };
        sweep.find_sensible()?;
        Ok(sweep)
    }

    fn find_sensible(&mut self) -> Result<(), Error> {
        let (mut sensible, mut values, mut first_fault) = (Vec::new(), Vec::new(), None);
        for place in 0..self.grid.combinations() {
            let fault = match &self.made_by {
                MadeBy::Maker { maker, .. } => {
                    self.read(place, &mut values);
                    maker.check(&values).err().map(str::to_owned)
                }
                MadeBy::Signals => self.plan(place, &[]).err().map(|error| error.to_string()),
            };
            match fault {
                None => sensible.push(place as u32),
                Some(fault) => first_fault = first_fault.or(Some(fault)),
            }
        }
        if sensible.is_empty() {
            let why = first_fault.unwrap_or_default();
            let why = format!("no combination of the grid can be run: {why}");
            return Err(Error::new(ErrorKind::Grid, why));
        }
        self.sensible = sensible;
        Ok(())
    }

    /// Whether its strategy, or what ends its positions, hears news.
    #[must_use]
    pub fn hears_news(&self) -> bool {
        match self.made_by {
            MadeBy::Maker { .. } => false,
            MadeBy::Signals => {
                let place = self.sensible.first().map_or(0, |&place| place as usize);
                SignalRule { entry: self.rule(place), exit: self.exit.clone() }
                    .hears_news(self.catalog)
            }
        }
    }

    /// The same on bars about whose instrument this was read.
    #[must_use]
    pub fn with_news(self, news: News) -> Self {
        Self { news, ..self }
    }

    /// The grid.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// How many combinations make sense and are run.
    #[must_use]
    pub fn combinations(&self) -> usize {
        self.sensible.len()
    }

    /// How many combinations make no sense (fast ≥ slow) and are left out.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.grid.combinations() - self.sensible.len()
    }

    /// The rule with the parameters of the combination at `place`.
    #[must_use]
    pub fn rule(&self, place: usize) -> Call {
        let mut call = self.rule.clone();
        let values = self.grid.values(place);
        let pairs = self.grid.axes().iter().zip(values);
        call.args.extend(pairs.map(|(axis, value)| (Some(axis.name.clone()), value)));
        call
    }

    /// Places in the grid of the combinations that make sense.
    pub fn places(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.sensible.iter().map(|&place| place as usize)
    }

    /// Where the rule is from.
    pub(crate) const fn catalog(&self) -> Catalog {
        self.catalog
    }

    /// Name of the rule, and how it ends where that was asked for.
    #[must_use]
    pub fn idea(&self) -> String {
        format!("{}{}", self.rule.name, self.exit.asked())
    }

    /// The name of the rule: what its trials are counted by.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.rule.name
    }

    /// All values that are tried, and what is not the default besides: the same text for the same
    /// combinations however they were typed, `fast=5..20:5 slow=50..200:10`.
    #[must_use]
    pub fn grid_text(&self) -> String {
        let axes = self.grid.axes().iter().map(|axis| (axis.name.clone(), axis.to_string()));
        let specs = match Maker::find(&self.rule.name) {
            Some(maker) => maker.params,
            None => self
                .catalog
                .iter()
                .find(|entry| entry.name == self.rule.name)
                .map_or(&[][..], |entry| entry.params),
        };
        let is_default = |name: &str, value: f64| {
            specs.iter().any(|spec| spec.name == name && spec.default == value)
        };
        let given = self.rule.args.iter().filter_map(|(name, value)| {
            let name = name.as_ref().filter(|name| !is_default(name, *value))?;
            Some((name.clone(), format!("{name}={value}")))
        });
        let mut all: Vec<(String, String)> = axes.chain(given).collect();
        all.sort();
        all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
    }

    /// The rule with its parameters: `sma_cross(short=0)`, of the grid only the names.
    #[must_use]
    pub fn rule_text(&self) -> String {
        let axes: Vec<&str> = self.grid.axes().iter().map(|axis| axis.name.as_str()).collect();
        format!("{} by {}", self.rule, axes.join(" and "))
    }

    /// What the combination at `place` wants on these bars.
    ///
    /// # Errors
    /// As [`Plan::of_rule`].
    pub fn plan(&self, place: usize, bars: &[Bar]) -> Result<Plan, Error> {
        let (rule, exit) = (self.rule(place), self.exit.clone());
        match self.made_by {
            MadeBy::Maker { .. } => Plan::of_rule(&rule, exit, self.catalog, bars),
            MadeBy::Signals => {
                let rule = SignalRule { entry: rule, exit };
                rule.plan_with_news(self.catalog, bars, &self.news)
            }
        }
    }

    /// Runs every combination that makes sense; rows are in the order of the grid.
    ///
    /// # Errors
    /// When the bars are none or not one series, or an option makes no sense.
    pub fn run(&self, bars: &[Bar], options: &Options, work: &Work<'_>) -> Result<Vec<Row>, Error> {
        jobs::run(self, bars, options, work, Look { keep: Keep::Recent, at: &Row::of })
    }

    /// As [`Sweep::run`], with what the ledger of trials wants to know of a search.
    ///
    /// # Errors
    /// As [`Sweep::run`].
    pub fn search(&self, bars: &[Bar], options: &Options, work: &Work<'_>) -> Result<Found, Error> {
        let likeness = Likeness::new(bars, options.commission);
        let at = |trial: &Trial<'_>| (Row::of(trial), likeness.add(trial.trades));
        let all = jobs::run(self, bars, options, work, Look { keep: Keep::Recent, at: &at })?;
        let (rows, ratios): (Vec<Row>, Vec<Option<f64>>) = all.into_iter().unzip();
        Ok(Found { rows, trials: likeness.trials(&ratios) })
    }

    /// As [`Sweep::run`], with what `look` makes of each trial instead of a row.
    ///
    /// # Errors
    /// As [`Sweep::run`].
    pub fn map<T: Send>(
        &self,
        bars: &[Bar],
        options: &Options,
        work: &Work<'_>,
        look: &(dyn Fn(&Trial<'_>) -> T + Sync),
    ) -> Result<Vec<T>, Error> {
        jobs::run(self, bars, options, work, Look { keep: Keep::All, at: look })
    }

    /// All parameters of the combination at `place`, in the order in which a maker declares them.
    fn read(&self, place: usize, into: &mut Vec<f64>) {
        self.grid.read(place, into);
        if let MadeBy::Maker { values, axes, .. } = &self.made_by {
            let mut all: [f64; MAX_AXES] = [0.0; MAX_AXES];
            let chosen = into.len();
            all[..chosen].copy_from_slice(into);
            into.clear();
            into.extend_from_slice(values);
            for (axis, value) in axes.iter().zip(&all[..chosen]) {
                into[*axis] = *value;
            }
        }
    }
}

fn place_of(name: &str, specs: &[ParamSpec]) -> Option<usize> {
    specs.iter().position(|spec| spec.name == name)
}

/// Why a plan cannot be made of the rule: it says which name was meant.
fn unfit(rule: &Call, exit: Exit, catalog: Catalog) -> Error {
    let why = || Error::new(ErrorKind::Strategy, format!("{}: it cannot be swept", rule.name));
    Plan::of_rule(rule, exit, catalog, &[]).err().unwrap_or_else(why)
}

/// Refuses what the rule cannot take, whatever the other parameters.
fn check_axis(
    axis: &Axis,
    rule: &str,
    specs: &[ParamSpec],
    fixed: &[(String, f64)],
) -> Result<(), Error> {
    let Axis { name, values } = axis;
    let refuse = |why: String| Err(Error::new(ErrorKind::Grid, format!("grid \"{name}\": {why}")));
    let Some(place) = place_of(name, specs) else {
        let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
        return refuse(format!("{rule} has no such parameter; it has {}", known.join(", ")));
    };
    if let Some((_, value)) = fixed.iter().find(|(fixed, _)| fixed == name) {
        return refuse(format!("{rule} is given {name} = {value} as well; leave one of them out"));
    }
    let ParamSpec { min, max, whole, .. } = specs[place];
    if let Some(value) = values.iter().find(|value| !(min..=max).contains(*value)) {
        return refuse(format!("{value} is not between {min} and {max}"));
    }
    match values.iter().find(|value| whole && value.fract() != 0.0) {
        Some(value) => refuse(format!("{value} is not a whole number; take whole steps")),
        None => Ok(()),
    }
}
