//! The figures of every hypothesis: events, excess, error, draws.

use std::collections::BTreeMap;

use finstage_model::{ClaimKind, Direction, Timestamp};
use finstage_quant::stats::bootstrap::{
    DRAWS, Draws, MORE_DRAWS, PrefixSums, Tail, exceedances_together, t_stars_together,
};
use finstage_quant::stats::event_study::{Claim, Member, Scope, Study};
use finstage_quant::stats::inference::{Estimate, ascending, mean_block};
use finstage_quant::stats::long_run::block_lengths;
use finstage_quant::stats::moments::Moments;
use finstage_quant::stats::positions::{Terms, Traded, position_returns};
use finstage_quant::stats::proportion::Interval;

use super::Plan;
use super::parallel::in_parallel;
use super::plan::{Hypothesis, ScopePlan};
use super::walk::Walked;
use crate::Error;
use crate::study::{Heard, Instrument, Rule};

/// Numbers of the series that are measured together, about: they share draws, and fill the memory (16 MB).
pub(super) const NUMBERS_AT_ONCE: usize = 1 << 21;
/// The most columns of one piece of work, about: its draws are made once.
const COLUMNS_AT_ONCE: usize = 128;
/// The fewest, where there is not enough for several pieces for each thread.
const LEAST_COLUMNS: usize = 16;
/// Pieces for each thread, so that none waits long for another.
const PIECES: usize = 4;

/// The figures of all hypotheses of a plan, in its order.
#[derive(Debug)]
pub struct Measured {
    pub(super) plan: Plan,
    pub(super) figures: Vec<Figures>,
}

/// What one hypothesis came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    /// First and last date with an eligible bar.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// `None` without an event. Its ψ is dropped once the draws are done.
    pub(super) study: Option<Study>,
    pub(super) estimate: Option<Estimate>,
    pub(super) mean_block: f64,
    pub(super) automatic_block: Option<f64>,
    pub(super) tail: Option<Tail>,
    pub(super) net: Option<Interval>,
    /// Of the daily returns of acting on every event; for directions.
    pub(super) acting: Option<Moments>,
    /// Share of bars left out for a gap in their window.
    pub(super) missing_share: f64,
    pub(super) repaints: bool,
    /// What was chosen, where parameters are.
    pub(super) walked: Option<Walked>,
}

impl Plan {
    /// Computes the figures of every hypothesis.
    ///
    /// # Errors
    /// When the engine refuses bars for their times.
    pub fn measure(self) -> Result<Measured, Error> {
        let threads = self.options.threads;
        let hear = |instrument: &Instrument| instrument.hear(&self.specs, self.catalog);
        let heard: Vec<Heard> = in_parallel(threads, &self.instruments, hear)
            .into_iter()
            .collect::<Result<_, Error>>()?;
        let mut figures = vec![Figures::default(); self.hypotheses.len()];
        let all = self.work();
        for batch in all.chunk_by(|one, next| one.batch == next.batch) {
            let done = match &self.walk {
                None => in_parallel(threads, batch, |work| Ok(self.studies(work, &heard))),
                Some(walk) => batch.iter().map(|work| self.walked(walk, work, &heard)).collect(),
            };
            let mut of_batch = Vec::new();
            for (place, figure) in
                done.into_iter().collect::<Result<Vec<_>, Error>>()?.into_iter().flatten()
            {
                figures[place] = figure;
                of_batch.push(place);
            }
            of_batch.sort_unstable();
            self.draw(&of_batch, &mut figures);
            for place in of_batch {
                if let Some(study) = &mut figures[place].study {
                    study.psi = Vec::new();
                }
            }
        }
        Ok(Measured { plan: self, figures })
    }

    /// The hypotheses with the same scope and start, which share their eligible bars, in batches whose series
    /// have about so many numbers together. Those of a search stay together: its sets are heard once.
    fn work(&self) -> Vec<Work> {
        let mut shared: BTreeMap<(usize, Start), Vec<usize>> = BTreeMap::new();
        for (place, hypothesis) in self.hypotheses.iter().enumerate() {
            let start = Start::of(&self.rules[hypothesis.rule]);
            shared.entry((hypothesis.scope, start)).or_default().push(place);
        }
        let (mut all, mut batch, mut numbers) = (Vec::new(), 0, 0);
        for ((scope, start), hypotheses) in shared {
            let of = |&member: &usize| self.instruments[member].times.len();
            let dates = self.scopes[scope].members.iter().map(of).max().unwrap_or(1);
            let at_once = match self.walk {
                None => (self.numbers_at_once / dates).max(1),
                Some(_) => hypotheses.len(),
            };
            for some in hypotheses.chunks(at_once) {
                if numbers > 0 && numbers + some.len() * dates > self.numbers_at_once {
                    (batch, numbers) = (batch + 1, 0);
                }
                numbers += some.len() * dates;
                all.push(Work { scope, start, hypotheses: some.to_vec(), batch });
            }
        }
        all
    }

    fn studies(&self, work: &Work, heard: &[Heard]) -> Vec<(usize, Figures)> {
        let scope = &self.scopes[work.scope];
        let steps: Vec<Vec<f64>> =
            scope.members.iter().map(|&place| self.instruments[place].steps()).collect();
        let mut all = Vec::new();
        let asks =
            |number| work.hypotheses.iter().any(|&place| self.hypotheses[place].horizon == number);
        for (number, &(_, bars)) in scope.horizons.iter().enumerate().filter(|(n, _)| asks(*n)) {
            let ground = self.ground(scope, work.start, bars);
            let members: Vec<Member<'_>> = ground.members(self, scope);
            let study = Scope::new(&members, bars);
            for &place in &work.hypotheses {
                let hypothesis = &self.hypotheses[place];
                if hypothesis.horizon != number {
                    continue;
                }
                let figures = Figures {
                    mean_block: mean_block(bars),
                    missing_share: ground.missing_share,
                    repaints: scope.members.iter().any(|&m| heard[m].repaints[hypothesis.rule]),
                    ..Figures::default()
                };
                let figures = match &study {
                    None => figures,
                    Some(study) => {
                        let events = ground.events(scope, heard, hypothesis.rule);
                        let ask = Ask { hypothesis, scope, bars, events: &events, steps: &steps };
                        self.figures(&ask, study, figures)
                    }
                };
                all.push((place, figures));
            }
        }
        all
    }

    pub(super) fn figures(&self, ask: &Ask<'_>, scope: &Scope<'_>, figures: Figures) -> Figures {
        let direction = self.rules[ask.hypothesis.rule].direction;
        let claim = match ask.hypothesis.claim {
            ClaimKind::Direction => Claim::Direction(direction),
            ClaimKind::Size => Claim::Size,
        };
        let dates = scope.dates();
        let span = dates.first().zip(dates.last()).map(|(first, last)| (*first, *last));
        let events: Vec<&[usize]> = ask.events.iter().map(Vec::as_slice).collect();
        let Some(study) = scope.study(claim, &events) else { return Figures { span, ..figures } };
        let acting = (ask.hypothesis.claim == ClaimKind::Direction).then(|| {
            let terms = self.terms(direction, ask.bars);
            Moments::of(&self.acting(ask, &terms, (dates, &events)))
        });
        Figures {
            span,
            estimate: Estimate::of(&study, self.options.cost, figures.mean_block),
            automatic_block: block_lengths(&study.psi).map(|lengths| lengths.stationary),
            acting: acting.flatten(),
            study: Some(study),
            ..figures
        }
    }

    pub(super) fn terms(&self, direction: Direction, horizon: usize) -> Terms {
        Terms { horizon, sign: direction.sign(), cost: self.options.cost }
    }

    /// The daily returns of acting on these events of the members.
    pub(super) fn acting(
        &self,
        ask: &Ask<'_>,
        terms: &Terms,
        (dates, events): (&[Timestamp], &[&[usize]]),
    ) -> Vec<f64> {
        let members = ask.scope.members.iter().zip(ask.steps).zip(events);
        let traded: Vec<Traded<'_>> = members
            .map(|((&place, steps), events)| Traded {
                times: &self.instruments[place].times,
                steps,
                events,
            })
            .collect();
        position_returns(dates, &traded, terms)
    }

    /// Draws for all hypotheses of a batch that have a standard error.
    fn draw(&self, places: &[usize], figures: &mut [Figures]) {
        // Blocks of the same mean length share what is random about a draw; the same dates, all of it.
        let mut lengths: BTreeMap<u64, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for &place in places {
            let Figures { study: Some(study), estimate: Some(_), mean_block, .. } = &figures[place]
            else {
                continue;
            };
            let dates = lengths.entry(mean_block.to_bits()).or_default();
            dates.entry(study.psi.len()).or_default().push(place);
        }
        let threads = self.options.threads.max(1);
        let at_once = (places.len() / (PIECES * threads)).clamp(LEAST_COLUMNS, COLUMNS_AT_ONCE);
        let mut pieces: Vec<Vec<Vec<usize>>> = Vec::new();
        for dates in lengths.into_values() {
            let mut piece: Vec<Vec<usize>> = Vec::new();
            let samples = dates.iter().flat_map(|(&length, all)| {
                let fit = self.numbers_at_once / length.max(1);
                all.chunks(at_once.min(fit.max(LEAST_COLUMNS)))
            });
            for sample in samples {
                if piece.iter().map(Vec::len).sum::<usize>() + sample.len() > at_once {
                    pieces.extend((!piece.is_empty()).then(|| std::mem::take(&mut piece)));
                }
                piece.push(sample.to_vec());
            }
            pieces.push(piece);
        }
        let seed = self.options.seed;
        let known = &*figures;
        let done = in_parallel(self.options.threads, &pieces, |piece| drawn(piece, known, seed));
        for (place, tail, net) in done.into_iter().flatten() {
            figures[place].tail = Some(tail);
            figures[place].net = net;
        }
    }

    pub(super) fn ground(&self, scope: &ScopePlan, start: Start, bars: usize) -> Ground {
        let mut ground = Ground::default();
        let (mut left, mut counted) = (0, 0);
        for &place in &scope.members {
            let instrument = &self.instruments[place];
            let heard = if start.hears_news { instrument.hears_from() } else { 0 };
            let (eligible, without_gap) = instrument.eligible(start.warmup.max(heard), bars);
            left += without_gap;
            counted += eligible.iter().filter(|&&is_eligible| is_eligible).count();
            ground.returns.push(instrument.returns(bars));
            ground.eligible.push(eligible);
        }
        ground.missing_share = if left == 0 { 0.0 } else { left as f64 / (left + counted) as f64 };
        ground
    }
}

/// From when on a rule is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Start {
    warmup: usize,
    /// Not before the first news.
    hears_news: bool,
}

impl Start {
    const fn of(rule: &Rule) -> Self {
        Self { warmup: rule.warmup, hears_news: rule.hears_news }
    }
}

/// Hypotheses that share a scope and a start.
pub(super) struct Work {
    pub(super) scope: usize,
    pub(super) start: Start,
    pub(super) hypotheses: Vec<usize>,
    /// Those of a batch are drawn together.
    batch: usize,
}

/// One hypothesis with what it is asked of.
pub(super) struct Ask<'a> {
    pub(super) hypothesis: &'a Hypothesis,
    pub(super) scope: &'a ScopePlan,
    pub(super) bars: usize,
    pub(super) events: &'a [Vec<usize>],
    pub(super) steps: &'a [Vec<f64>],
}

/// Returns and eligible bars of a scope at one start and horizon, by member.
#[derive(Default)]
pub(super) struct Ground {
    pub(super) returns: Vec<Vec<f64>>,
    pub(super) eligible: Vec<Vec<bool>>,
    pub(super) missing_share: f64,
}

impl Ground {
    pub(super) fn members<'a>(&'a self, plan: &'a Plan, scope: &ScopePlan) -> Vec<Member<'a>> {
        let member = |(number, &place): (usize, &usize)| Member {
            name: plan.instruments[place].symbol.as_str(),
            times: &plan.instruments[place].times,
            returns: &self.returns[number],
            eligible: &self.eligible[number],
            volatility: &plan.instruments[place].volatility,
        };
        scope.members.iter().enumerate().map(member).collect()
    }

    /// The events on eligible bars.
    pub(super) fn events(
        &self,
        scope: &ScopePlan,
        heard: &[Heard],
        rule: usize,
    ) -> Vec<Vec<usize>> {
        let of = |(number, &place): (usize, &usize)| {
            let events = heard[place].events[rule].iter().copied();
            events.filter(|&bar| self.eligible[number][bar]).collect()
        };
        scope.members.iter().enumerate().map(of).collect()
    }
}

/// Tail and interval of some hypotheses with the same blocks, those with the same dates together.
fn drawn(
    piece: &[Vec<usize>],
    figures: &[Figures],
    seed: u64,
) -> Vec<(usize, Tail, Option<Interval>)> {
    let samples: Vec<Sample> =
        piece.iter().filter_map(|places| Sample::new(places, figures, seed)).collect();
    let together: Vec<_> = samples.iter().map(|one| (&one.draws, &one.sums)).collect();
    let stars = t_stars_together(&together, 0..DRAWS);
    let mut done: Vec<Vec<(usize, Tail, Option<Interval>)>> = Vec::with_capacity(samples.len());
    for (sample, stars) in samples.iter().zip(&stars) {
        let of = |(number, (place, estimate)): (usize, &(usize, Estimate))| {
            let column = stars.column(number);
            let interval = estimate.interval(&ascending(column));
            (*place, Tail::of(column, estimate.t), interval)
        };
        done.push(sample.columns.iter().enumerate().map(of).collect());
    }
    draw_more(&samples, &mut done);
    done.into_iter().flatten().collect()
}

/// Goes on for the hypotheses that had few exceedances.
fn draw_more(samples: &[Sample], done: &mut [Vec<(usize, Tail, Option<Interval>)>]) {
    let mut few = Vec::new();
    for (number, (sample, done)) in samples.iter().zip(&*done).enumerate() {
        let columns: Vec<usize> =
            (0..done.len()).filter(|&column| done[column].1.needs_more()).collect();
        let thresholds: Vec<f64> =
            columns.iter().map(|&column| sample.columns[column].1.t).collect();
        if let Some(sums) = sample.sums.pick(&columns) {
            few.push((number, columns, sums, thresholds));
        }
    }
    let together: Vec<_> =
        few.iter().map(|(number, _, sums, _)| (&samples[*number].draws, sums)).collect();
    let thresholds: Vec<&[f64]> = few.iter().map(|(.., all)| all.as_slice()).collect();
    let counts = exceedances_together(&together, &thresholds, DRAWS..MORE_DRAWS);
    for ((number, columns, ..), counts) in few.iter().zip(counts) {
        for (&column, count) in columns.iter().zip(counts) {
            let tail = &mut done[*number][column].1;
            *tail = tail.and(count, MORE_DRAWS - DRAWS);
        }
    }
}

/// Hypotheses with the same dates and blocks.
struct Sample {
    columns: Vec<(usize, Estimate)>,
    sums: PrefixSums,
    draws: Draws,
}

impl Sample {
    fn new(places: &[usize], figures: &[Figures], seed: u64) -> Option<Self> {
        let mut columns = Vec::with_capacity(places.len());
        let mut psi: Vec<&[f64]> = Vec::with_capacity(places.len());
        for &place in places {
            if let Figures { study: Some(study), estimate: Some(estimate), .. } = &figures[place] {
                columns.push((place, *estimate));
                psi.push(&study.psi);
            }
        }
        let sums = PrefixSums::new(&psi)?;
        let draws = Draws::new(sums.dates(), figures[columns[0].0].mean_block, seed)?;
        Some(Self { columns, sums, draws })
    }
}
