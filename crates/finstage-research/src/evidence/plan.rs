//! Which hypotheses there are.

use std::collections::{BTreeMap, BTreeSet};

use finstage_engine::{Catalog, StrategySpec};
use finstage_model::{ClaimKind, Horizon, Interval, Symbol, Timestamp, Trial};

use super::measure::NUMBERS_AT_ONCE;
use super::walk::Walk;
use super::{Ground, MAX_SETS, Options, Tried};
use crate::backtest::Maker;
use crate::study::{Instrument, Pace, Rule, rules};
use crate::sweep::Sweep;
use crate::{Error, ErrorKind};

/// How instruments are put together.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Groups {
    /// All of them in one scope; series of other lengths or hours in scopes of their own.
    #[default]
    Pooled,
    /// Each in a scope of its own.
    Each,
    /// Scopes with names.
    Named(Vec<(String, Vec<Symbol>)>),
}

/// All hypotheses of one run, before anything is computed.
#[derive(Debug)]
pub struct Plan {
    pub(super) instruments: Vec<Instrument>,
    pub(super) scopes: Vec<ScopePlan>,
    pub(super) specs: Vec<StrategySpec>,
    pub(super) catalog: Catalog,
    pub(super) rules: Vec<Rule>,
    pub(super) options: Options,
    pub(super) hypotheses: Vec<Hypothesis>,
    /// Where parameters are chosen on earlier data: the rules to choose from, and their trial. There is
    /// then one rule, which stands for the choice.
    pub(super) walk: Option<Walk>,
    /// A bound of memory, on which no figure depends.
    pub(super) numbers_at_once: usize,
}

/// A group of instruments with the same pace.
#[derive(Debug)]
pub(super) struct ScopePlan {
    pub(super) name: String,
    /// Places among the instruments, in the order of symbols.
    pub(super) members: Vec<usize>,
    /// What the ledger calls its data.
    pub(super) ground: Ground,
    /// What it calls them for a strategy that hears news.
    pub(super) hearing: Ground,
    /// Horizons that are at least one bar, with their bars.
    pub(super) horizons: Vec<(Horizon, usize)>,
    /// When the last bar of all was over: nothing was known earlier.
    pub(super) ended: Timestamp,
}

impl ScopePlan {
    /// The data of a rule.
    pub(super) const fn ground_of(&self, rule: &Rule) -> &Ground {
        if rule.hears_news { &self.hearing } else { &self.ground }
    }
}

/// Strategy × scope × horizon × claim, as places in the plan.
#[derive(Debug, Clone)]
pub(super) struct Hypothesis {
    pub(super) scope: usize,
    pub(super) rule: usize,
    /// Place among the horizons of the scope.
    pub(super) horizon: usize,
    pub(super) claim: ClaimKind,
    pub(super) hash: String,
}

impl Plan {
    /// The hypotheses of these strategies on these instruments.
    ///
    /// # Errors
    /// When there is no instrument, one is there twice, a strategy cannot be built, an option is out
    /// of bounds, or a named scope lacks an instrument or mixes series of different hours.
    pub fn new(
        mut instruments: Vec<Instrument>,
        groups: &Groups,
        (specs, catalog): (Vec<StrategySpec>, Catalog),
        options: Options,
    ) -> Result<Self, Error> {
        check(&options)?;
        instruments.sort_by(|a, b| (&a.symbol, a.interval()).cmp(&(&b.symbol, b.interval())));
        for pair in instruments.windows(2) {
            if (&pair[0].symbol, pair[0].interval()) == (&pair[1].symbol, pair[1].interval()) {
                let why = format!("{} {} is there twice", pair[0].symbol, pair[0].interval());
                return Err(Error::new(ErrorKind::Bars, why));
            }
        }
        let Some(first) = instruments.first() else {
            return Err(Error::new(ErrorKind::Bars, "evidence needs at least one series"));
        };
        let rules = rules(&specs, catalog, first.interval())?;
        let mut scopes = scopes(&instruments, groups, &options)?;
        scopes.sort_by(|a, b| a.name.cmp(&b.name));
        let mut plan = Self {
            instruments,
            scopes,
            specs,
            catalog,
            rules,
            options,
            hypotheses: Vec::new(),
            walk: None,
            numbers_at_once: NUMBERS_AT_ONCE,
        };
        plan.hypotheses = plan.list();
        Ok(plan)
    }

    /// The hypotheses of one strategy whose parameters are chosen on earlier data: on the train part
    /// before each fold of the rest, by the greatest t of the net edge at the horizon that is judged
    /// ([`crate::walk_forward::Folds`] as they are by default; purged of trades that reach into the fold, and as many
    /// bars again). Only the folds count.
    ///
    /// # Errors
    /// As [`Plan::new`]; when the rule of the search is none of the catalogue, or has more than
    /// [`MAX_SETS`] combinations; when there are too few bars for the folds.
    pub fn walk_forward(
        instruments: Vec<Instrument>,
        groups: &Groups,
        sweep: &Sweep,
        options: Options,
    ) -> Result<Self, Error> {
        let specs = sets(sweep)?;
        let mut plan = Self::new(instruments, groups, (specs, sweep.catalog()), options)?;
        let sets = std::mem::take(&mut plan.rules);
        let warmup = sets.iter().map(|set| set.warmup).max().unwrap_or(0);
        let (name, grid) = (sweep.family(), sweep.grid_text());
        plan.rules = vec![Rule {
            canonical: format!("{name} walk-forward {grid}"),
            words: format!("{name} with parameters chosen on earlier data only, out of {grid}"),
            warmup,
            ..sets[0].clone()
        }];
        plan.walk = Some(Walk { sets, tried: Tried::chosen(sweep) });
        for scope in &plan.scopes {
            for &(_, bars) in &scope.horizons {
                plan.folds(scope, bars)?;
            }
        }
        plan.hypotheses = plan.list();
        Ok(plan)
    }

    /// Hypothesis, data and number of combinations of every search that measuring adds to the ledger,
    /// unless it is there.
    #[must_use]
    pub fn searches(&self) -> Vec<(String, &str, u64)> {
        let Some(Walk { tried, .. }) = &self.walk else { return Vec::new() };
        let grounds = self.scopes.iter().map(|scope| scope.ground_of(&self.rules[0]));
        grounds.map(|at| (tried.hypothesis(at), at.data_hash.as_str(), tried.count())).collect()
    }

    fn list(&self) -> Vec<Hypothesis> {
        let mut all = Vec::new();
        for (scope, group) in self.scopes.iter().enumerate() {
            for (rule, said) in self.rules.iter().enumerate() {
                for (horizon, (named, _)) in group.horizons.iter().enumerate() {
                    for &claim in &self.options.claims {
                        let asked = format!("{named} {claim}");
                        let (rule_text, interval) = (&said.canonical, group.ground.interval);
                        let hash = Trial::hypothesis_of(
                            rule_text,
                            &group.ground.members,
                            interval,
                            &asked,
                        );
                        all.push(Hypothesis { scope, rule, horizon, claim, hash });
                    }
                }
            }
        }
        all
    }

    /// Hypothesis and data of every trial that measuring adds to the ledger, unless it is there.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        let data = |hypothesis: &Hypothesis| {
            let rule = &self.rules[hypothesis.rule];
            self.scopes[hypothesis.scope].ground_of(rule).data_hash.as_str()
        };
        self.hypotheses.iter().map(move |hypothesis| (hypothesis.hash.as_str(), data(hypothesis)))
    }

    /// Horizons of the options that are shorter than one bar of some series, with the length of
    /// those bars: they have no row there.
    #[must_use]
    pub fn too_short(&self) -> Vec<(Horizon, Interval)> {
        let mut found = BTreeSet::new();
        for scope in &self.scopes {
            for &horizon in &self.options.horizons {
                if scope.horizons.iter().all(|(has, _)| *has != horizon) {
                    found.insert((horizon, scope.ground.interval));
                }
            }
        }
        found.into_iter().collect()
    }

    /// The strategies, in the order given.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// The combinations of a search as strategies.
fn sets(sweep: &Sweep) -> Result<Vec<StrategySpec>, Error> {
    if let Some(maker) = Maker::find(sweep.family()) {
        let (name, signals) = (maker.name, maker.signals.join(" or "));
        let why = format!("{name} states positions and says no signals to judge: take {signals}");
        return Err(Error::new(ErrorKind::Strategy, why));
    }
    let count = sweep.combinations();
    if count > MAX_SETS {
        let why = format!(
            "grid of {count} combinations: evidence chooses from at most {MAX_SETS}; take greater steps"
        );
        return Err(Error::new(ErrorKind::Grid, why));
    }
    let spec = |place: usize| {
        let rule = sweep.rule(place);
        let params = rule.args.into_iter().filter_map(|(name, value)| Some((name?, value)));
        let (params, symbols) = (params.collect(), Vec::new());
        StrategySpec { name: rule.name, params, interval: Interval::D1, symbols, when: None }
    };
    Ok(sweep.places().map(spec).collect())
}

fn check(options: &Options) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::new(ErrorKind::Options, why));
    if !(0.0..0.5).contains(&options.cost) {
        return refuse(format!("cost = {} is not a fraction from 0 to 0.5", options.cost));
    }
    if !(options.fdr > 0.0 && options.fdr < 1.0) {
        return refuse(format!("fdr = {} is not between 0 and 1", options.fdr));
    }
    if options.horizons.is_empty() || options.claims.is_empty() {
        return refuse("no horizon or no claim is asked for".to_owned());
    }
    Ok(())
}

/// What series of a scope must share: bars, and how many of them make each horizon.
type Class = (Interval, Vec<Option<usize>>);

fn class(pace: &Pace, options: &Options) -> Class {
    (pace.interval, options.horizons.iter().map(|horizon| pace.bars(*horizon)).collect())
}

fn scopes(
    instruments: &[Instrument],
    groups: &Groups,
    options: &Options,
) -> Result<Vec<ScopePlan>, Error> {
    let every = 0..instruments.len();
    let single = |place: usize| instruments[place].symbol.to_string();
    let named: Vec<(String, Vec<usize>)> = match groups {
        Groups::Each => every.map(|place| (single(place), vec![place])).collect(),
        Groups::Pooled => {
            let mut classes: BTreeMap<Class, Vec<usize>> = BTreeMap::new();
            for place in every {
                classes.entry(class(&instruments[place].pace, options)).or_default().push(place);
            }
            let count = classes.len();
            let name = |(number, ((interval, _), members)): (usize, (Class, Vec<usize>))| {
                let name = match (members.as_slice(), count) {
                    (&[only], _) => single(only),
                    (_, 1) => "all".to_owned(),
                    _ => format!("all {interval} ({})", number + 1),
                };
                (name, members)
            };
            classes.into_iter().enumerate().map(name).collect()
        }
        Groups::Named(groups) => groups
            .iter()
            .map(|(name, symbols)| Ok((name.clone(), places(instruments, name, symbols, options)?)))
            .collect::<Result<_, Error>>()?,
    };
    let mut seen = BTreeSet::new();
    for (name, _) in &named {
        if !seen.insert(name.as_str()) && *groups != Groups::Each {
            let why = format!("two groups have the name \"{name}\": rename one");
            return Err(Error::new(ErrorKind::Options, why));
        }
    }
    Ok(named
        .into_iter()
        .map(|(name, members)| scope(instruments, name, members, options))
        .collect())
}

fn places(
    instruments: &[Instrument],
    name: &str,
    symbols: &[Symbol],
    options: &Options,
) -> Result<Vec<usize>, Error> {
    let refuse = |why: String| Error::new(ErrorKind::Options, format!("group {name}: {why}"));
    let mut members = BTreeSet::new();
    for symbol in symbols {
        let found = instruments.iter().position(|instrument| instrument.symbol == *symbol);
        members.insert(found.ok_or_else(|| refuse(format!("{symbol} is not among the inputs")))?);
    }
    let members: Vec<usize> = members.into_iter().collect();
    let Some(&first) = members.first() else { return Err(refuse("it is empty".to_owned())) };
    let wanted = class(&instruments[first].pace, options);
    match members.iter().find(|&&place| class(&instruments[place].pace, options) != wanted) {
        None => Ok(members),
        Some(&other) => {
            let (one, other) = (&instruments[first].symbol, &instruments[other].symbol);
            Err(refuse(format!("{one} and {other} have other bars or trading hours: part them")))
        }
    }
}

fn scope(
    instruments: &[Instrument],
    name: String,
    members: Vec<usize>,
    options: &Options,
) -> ScopePlan {
    let of = |place: &usize| &instruments[*place];
    let all: Vec<&Instrument> = members.iter().map(of).collect();
    let ground = Ground::of(&all);
    let pace = of(&members[0]).pace;
    let with_bars = |&horizon: &Horizon| Some((horizon, pace.bars(horizon)?));
    ScopePlan {
        name,
        hearing: ground.clone().hearing(&all),
        ground,
        horizons: options.horizons.iter().filter_map(with_bars).collect(),
        ended: all.iter().map(|one| one.ended).max().unwrap_or(Timestamp::EPOCH),
        members,
    }
}
