//! Parameters chosen on earlier data only, fold by fold: the figures of the choices.
//!
//! ```text
//! |---------- train ----------|purge|embargo|---- fold 1 ----|
//! |------------------ train -----------------|purge|embargo|---- fold 2 ----|
//! ```
//! Dates are those of all bars of the scope. A bar belongs to the train part of a fold when the exit of
//! a position that it opens lies at least a horizon before the fold. On the train part each set of
//! parameters is an event study as any other; the one with the greatest t of its net edge is chosen,
//! of equals the first in the grid. What it then says in the fold are the events that are judged.

use finstage_model::{ClaimKind, Direction, Horizon, Timestamp};
use finstage_quant::stats::event_study::{Claim, Scope};
use finstage_quant::stats::inference::{Estimate, mean_block};
use finstage_quant::stats::overfitting::Cut;
use finstage_quant::stats::sharpe::{Alike, Trials};
use serde::Serialize;

use super::measure::{Ask, Figures, Ground, Work};
use super::parallel::in_parallel;
use super::plan::ScopePlan;
use super::{LEAST_CHOICE, Plan, Tried};
use crate::Error;
use crate::study::{Heard, Rule};
use crate::walk_forward::Folds;

/// Blocks into which series are cut to see how often the best set is overfitted.
const BLOCKS: usize = 16;
/// Series that are in the memory at a time.
const SERIES_AT_ONCE: usize = 64;

/// A search that is judged by what it chose.
#[derive(Debug)]
pub(super) struct Walk {
    /// In the order of the grid.
    pub(super) sets: Vec<Rule>,
    /// Its own row of the ledger.
    pub(super) tried: Tried,
}

/// What was chosen for one hypothesis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Walked {
    pub(super) folds: Vec<Choice>,
    /// How alike all sets are, and how often the best is overfitted.
    pub(super) all: Option<(Trials, Option<f64>)>,
}

/// The parameters of one hypothesis, fold by fold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chosen {
    /// The strategy with its grid, as its card has it.
    pub strategy: String,
    /// Name of the group of instruments.
    pub scope: String,
    /// The horizon.
    pub horizon: Horizon,
    /// The claim.
    pub claim: ClaimKind,
    /// In the order of time.
    pub folds: Vec<Choice>,
}

/// The parameters of one fold, chosen before it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The first date of the fold.
    pub from: Timestamp,
    /// Its last date.
    pub until: Timestamp,
    /// The strategy with the parameters; `None` where no set had enough occasions before.
    pub strategy: Option<String>,
    /// Its t on the train part.
    pub t: Option<f64>,
    /// Its separate occasions there.
    pub occasions: usize,
    /// Its events in the fold.
    pub events: usize,
}

/// A set that is the best on a train part.
#[derive(Debug, Clone, Copy)]
struct Best {
    set: usize,
    t: f64,
    occasions: usize,
}

/// A scope at one horizon, cut to folds.
struct Stage<'a> {
    plan: &'a Plan,
    walk: &'a Walk,
    scope: &'a ScopePlan,
    heard: &'a [Heard],
    /// The horizon in bars.
    bars: usize,
    ground: Ground,
    /// All dates of the scope.
    dates: Vec<Timestamp>,
    /// By member: the place of each bar among them.
    places: Vec<Vec<usize>>,
    /// The first date of each fold, and the end.
    starts: Vec<usize>,
    /// By set, then by member: events on eligible bars.
    events: Vec<Vec<Vec<usize>>>,
    steps: &'a [Vec<f64>],
}

impl Plan {
    /// All dates of a scope, and the first of each fold for positions held so many bars, with the end.
    ///
    /// # Errors
    /// When there are too few.
    pub(super) fn folds(
        &self,
        scope: &ScopePlan,
        bars: usize,
    ) -> Result<(Vec<Timestamp>, Vec<usize>), Error> {
        let times = |&member: &usize| self.instruments[member].times.iter().copied();
        let mut dates: Vec<Timestamp> = scope.members.iter().flat_map(times).collect();
        dates.sort();
        dates.dedup();
        let starts = Folds { horizon: bars, ..Folds::default() }.starts(dates.len())?;
        Ok((dates, starts))
    }

    /// The figures of the hypotheses of a walk with one scope.
    pub(super) fn walked(
        &self,
        walk: &Walk,
        work: &Work,
        heard: &[Heard],
    ) -> Result<Vec<(usize, Figures)>, Error> {
        let scope = &self.scopes[work.scope];
        let steps: Vec<Vec<f64>> =
            scope.members.iter().map(|&place| self.instruments[place].steps()).collect();
        let mut all = Vec::new();
        for (number, &(_, bars)) in scope.horizons.iter().enumerate() {
            let ground = self.ground(scope, work.start, bars);
            let stage = Stage::new((self, walk, scope), heard, (ground, bars), &steps)?;
            for &place in &work.hypotheses {
                if self.hypotheses[place].horizon == number {
                    all.push((place, stage.figures(place)));
                }
            }
        }
        Ok(all)
    }
}

impl<'a> Stage<'a> {
    fn new(
        (plan, walk, scope): (&'a Plan, &'a Walk, &'a ScopePlan),
        heard: &'a [Heard],
        (ground, bars): (Ground, usize),
        steps: &'a [Vec<f64>],
    ) -> Result<Self, Error> {
        let (dates, starts) = plan.folds(scope, bars)?;
        let place = |time: &Timestamp| dates.partition_point(|date| date < time);
        let times = |&member: &usize| plan.instruments[member].times.iter();
        let places = scope.members.iter().map(|member| times(member).map(place).collect());
        let places = places.collect();
        let events = (0..walk.sets.len()).map(|set| ground.events(scope, heard, set)).collect();
        Ok(Self { plan, walk, scope, heard, bars, ground, dates, places, starts, events, steps })
    }

    fn figures(&self, place: usize) -> Figures {
        let hypothesis = &self.plan.hypotheses[place];
        let rule = &self.plan.rules[hypothesis.rule];
        let claim = match hypothesis.claim {
            ClaimKind::Direction => Claim::Direction(rule.direction),
            ClaimKind::Size => Claim::Size,
        };
        let folds = self.starts.len() - 1;
        let best: Vec<Option<Best>> = (0..folds).map(|fold| self.choose(fold, claim)).collect();
        let events = self.chosen_events(&best);
        let ask = Ask {
            hypothesis,
            scope: self.scope,
            bars: self.bars,
            events: &events,
            steps: self.steps,
        };
        // The search has a row of its own, whatever is claimed.
        let claims = &self.plan.options.claims;
        let is_first = claims.first() == Some(&hypothesis.claim);
        let is_asked = is_first || hypothesis.claim == ClaimKind::Direction;
        let heard = || self.scope.members.iter().map(|&member| &self.heard[member]);
        let figures = Figures {
            mean_block: mean_block(self.bars),
            missing_share: self.ground.missing_share,
            repaints: heard().any(|heard| heard.repaints.contains(&true)),
            walked: Some(Walked {
                folds: best
                    .iter()
                    .enumerate()
                    .map(|(fold, best)| self.choice(fold, best, &events))
                    .collect(),
                all: is_asked.then(|| self.together(&ask, rule.direction)),
            }),
            ..Figures::default()
        };
        // Only folds count, for what is usual as well.
        let ground = Ground {
            returns: self.ground.returns.clone(),
            eligible: self.eligible(|bar, _| bar >= self.starts[0]),
            missing_share: self.ground.missing_share,
        };
        let members = ground.members(self.plan, self.scope);
        match Scope::new(&members, self.bars) {
            None => figures,
            Some(study) => self.plan.figures(&ask, &study, figures),
        }
    }

    /// The eligible bars whose date, and the date of their exit, are as wanted.
    fn eligible(&self, wanted: impl Fn(usize, usize) -> bool) -> Vec<Vec<bool>> {
        let of = |(eligible, places): (&Vec<bool>, &Vec<usize>)| {
            let is_wanted = |(bar, &is_eligible): (usize, &bool)| {
                let exit = places.get(bar + 1 + self.bars);
                is_eligible && exit.is_some_and(|&exit| wanted(places[bar], exit))
            };
            eligible.iter().enumerate().map(is_wanted).collect()
        };
        self.ground.eligible.iter().zip(&self.places).map(of).collect()
    }

    /// The best set on the train part of a fold.
    fn choose(&self, fold: usize, claim: Claim) -> Option<Best> {
        let start = self.starts[fold];
        let train = Ground {
            returns: self.ground.returns.clone(),
            eligible: self.eligible(|_, exit| exit + self.bars <= start),
            missing_share: 0.0,
        };
        let members = train.members(self.plan, self.scope);
        let scope = Scope::new(&members, self.bars)?;
        let sets: Vec<usize> = (0..self.walk.sets.len()).collect();
        let score = |&set: &usize| {
            let events: Vec<&[usize]> = self.events[set].iter().map(Vec::as_slice).collect();
            let study = scope.study(claim, &events).filter(|study| study.n_eff >= LEAST_CHOICE)?;
            let estimate = Estimate::of(&study, self.plan.options.cost, mean_block(self.bars))?;
            Some(Best { set, t: estimate.t, occasions: study.n_eff })
        };
        let scored = in_parallel(self.plan.options.threads, &sets, score);
        scored.into_iter().flatten().reduce(|best, one| if one.t > best.t { one } else { best })
    }

    /// By member: what the chosen sets say, each in its fold.
    fn chosen_events(&self, best: &[Option<Best>]) -> Vec<Vec<usize>> {
        let of = |member: usize| {
            let said =
                best.iter().enumerate().filter_map(|(fold, best)| Some((fold, (*best)?.set)));
            said.flat_map(|(fold, set)| self.within(fold, set, member)).collect()
        };
        (0..self.scope.members.len()).map(of).collect()
    }

    fn within(&self, fold: usize, set: usize, member: usize) -> impl Iterator<Item = usize> + '_ {
        let (dates, places) = (self.starts[fold]..self.starts[fold + 1], &self.places[member]);
        let events = self.events[set][member].iter().copied();
        events.filter(move |&bar| dates.contains(&places[bar]))
    }

    fn choice(&self, fold: usize, best: &Option<Best>, events: &[Vec<usize>]) -> Choice {
        let dates = self.starts[fold]..self.starts[fold + 1];
        let inside = |(events, places): (&Vec<usize>, &Vec<usize>)| {
            events.iter().filter(|&&bar| dates.contains(&places[bar])).count()
        };
        Choice {
            from: self.dates[dates.start],
            until: self.dates[dates.end - 1],
            strategy: best.map(|best| self.walk.sets[best.set].canonical.clone()),
            t: best.map(|best| best.t),
            occasions: best.map_or(0, |best| best.occasions),
            events: events.iter().zip(&self.places).map(inside).sum(),
        }
    }

    /// How alike the sets are over all rows, and how often the best of them is overfitted: by the
    /// returns of acting on every event.
    fn together(&self, ask: &Ask<'_>, direction: Direction) -> (Trials, Option<f64>) {
        let members = self.ground.members(self.plan, self.scope);
        let dates =
            Scope::new(&members, self.bars).map_or_else(Vec::new, |all| all.dates().to_vec());
        let terms = self.plan.terms(direction, self.bars);
        let series = |&set: &usize| {
            let events: Vec<&[usize]> = self.events[set].iter().map(Vec::as_slice).collect();
            self.plan.acting(ask, &terms, (&dates, &events))
        };
        let sets: Vec<usize> = (0..self.walk.sets.len()).collect();
        let (mut alike, mut cut) = (Alike::new(dates.len()), Cut::new(dates.len(), BLOCKS));
        for some in sets.chunks(SERIES_AT_ONCE) {
            for one in in_parallel(self.plan.options.threads, some, series) {
                alike.add(&one);
                if let Some(cut) = &mut cut {
                    cut.add(&one);
                }
            }
        }
        let pbo = cut.and_then(Cut::overfitting).map(|said| said.probability);
        (alike.trials().unwrap_or(Trials::ONE), pbo)
    }
}
