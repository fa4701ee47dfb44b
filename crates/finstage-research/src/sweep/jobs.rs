//! Combinations shared out among threads, those with common columns together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use finstage_model::Bar;

use super::{MadeBy, Sweep, Trial};
use crate::backtest::{Account, Column, Fused, Keep, Options, Target, Wants, run_in};
use crate::{BarSeries, Error, ErrorKind};

/// Bytes of columns that one thread holds at a time, if a pair needs no more.
const COLUMN_BYTES: usize = 128 << 20;
/// Most values of a parameter whose columns are held at a time: enough that columns cost little
/// beside the runs that share them, few enough for the cache.
const MAX_EDGE: usize = 32;
/// Most combinations of one job, so that progress is told and no thread is left with most of it.
const MAX_JOB: usize = 1_024;

/// How the work is done; it does not change the result.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// Threads that work; 0 counts as 1.
    pub threads: usize,
    /// Told, from any thread, how many more combinations are done.
    pub on_done: &'a (dyn Fn(usize) + Sync),
}

impl Default for Work<'_> {
    /// One thread, silent.
    fn default() -> Self {
        Self { threads: 1, on_done: &|_| {} }
    }
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// What is made of a trial.
pub(super) struct Look<'a, T> {
    /// What of its equity that needs.
    pub(super) keep: Keep,
    pub(super) at: &'a (dyn Fn(&Trial<'_>) -> T + Sync),
}

/// What every job needs.
struct Ground<'a, T> {
    sweep: &'a Sweep,
    bars: &'a [Bar],
    series: BarSeries,
    options: &'a Options,
    fused: Option<Box<dyn Fused + 'a>>,
    look: Look<'a, T>,
}

/// What a thread works with.
struct Bench {
    account: Account,
    wants: Wants,
    values: Vec<f64>,
    columns: [Columns; 2],
}

pub(super) fn run<T: Send>(
    sweep: &Sweep,
    bars: &[Bar],
    options: &Options,
    work: &Work<'_>,
    look: Look<'_, T>,
) -> Result<Vec<T>, Error> {
    options.check()?;
    let series = BarSeries::new(bars)?;
    if series.is_empty() {
        return Err(Error::new(ErrorKind::Bars, "a sweep needs at least one bar"));
    }
    let fused = match &sweep.made_by {
        MadeBy::Maker { maker, .. } => Some(maker.fused(bars)),
        MadeBy::Signals => None,
    };
    let ground = Ground { sweep, bars, series, options, fused, look };
    let order = ground.order();
    let jobs = ground.jobs(&order);
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::with_capacity(order.len()), None));
    let labour = || {
        let account = Account::keeping(ground.look.keep);
        let (wants, values, columns) = Default::default();
        let mut bench = Bench { account, wants, values, columns };
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = ground.job(job, &mut bench);
            let count = job.len();
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            match found {
                Ok(found) => done.0.extend(found),
                Err(error) => {
                    next.store(jobs.len(), Ordering::Relaxed);
                    done.1 = Some(error);
                }
            }
            drop(done);
            (work.on_done)(count);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..work.threads.clamp(1, jobs.len()) {
            scope.spawn(labour);
        }
        labour();
    });
    let (mut found, failed) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = failed {
        return Err(error);
    }
    found.sort_unstable_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

/// A combination: the columns it needs as a number that those who share them have in common, and
/// its place in the grid.
type Placed = (u64, u32);

impl<T> Ground<'_, T> {
    /// All combinations, neighbours in columns together.
    fn order(&self) -> Vec<Placed> {
        let places = &self.sweep.sensible;
        let Some(fused) = &self.fused else {
            return places.iter().map(|&place| (0, place)).collect();
        };
        let edge = (COLUMN_BYTES / 2 / (8 * self.bars.len())).clamp(1, MAX_EDGE);
        let mut values = Vec::new();
        let mut keys_of = |place: u32| {
            self.sweep.read(place as usize, &mut values);
            fused.keys(&values)
        };
        let mut distinct = [Vec::new(), Vec::new()];
        for &place in places {
            for (distinct, key) in distinct.iter_mut().zip(keys_of(place)) {
                // Neighbours in the grid mostly have the key in common.
                if distinct.last() != Some(&key) {
                    distinct.push(key);
                }
            }
        }
        for distinct in &mut distinct {
            distinct.sort_unstable();
            distinct.dedup();
        }
        let rank = |which: usize, key: usize| {
            (distinct[which].partition_point(|known| *known < key) / edge) as u64
        };
        let placed = |&place: &u32| {
            let [first, second] = keys_of(place);
            (rank(0, first) << 32 | rank(1, second), place)
        };
        let mut order: Vec<Placed> = places.iter().map(placed).collect();
        order.sort_unstable();
        order
    }

    /// The order cut into jobs.
    fn jobs<'o>(&self, order: &'o [Placed]) -> Vec<&'o [Placed]> {
        let most = if self.fused.is_some() { MAX_JOB } else { 1 };
        order.chunk_by(|a, b| a.0 == b.0).flat_map(|tile| tile.chunks(most)).collect()
    }

    fn job(&self, job: &[Placed], bench: &mut Bench) -> Result<Vec<(u32, T)>, Error> {
        let Some(fused) = &self.fused else {
            let mut found = Vec::with_capacity(job.len());
            for &(_, place) in job {
                let plan = self.sweep.plan(place as usize, self.bars)?;
                found.push((place, self.trial(place, &plan.targets, &mut bench.account)));
            }
            return Ok(found);
        };
        let Bench { account, wants, values, columns } = bench;
        self.fill(&**fused, job, values, columns);
        let run = |&(_, place): &Placed| {
            self.sweep.read(place as usize, values);
            let keys = fused.keys(values);
            wants.clear();
            fused.state([columns[0].of(keys[0]), columns[1].of(keys[1])], values, wants);
            (place, self.trial(place, wants.targets(), account))
        };
        Ok(job.iter().map(run).collect())
    }

    /// Computes the columns that the combinations of a job need.
    fn fill(
        &self,
        fused: &dyn Fused,
        job: &[Placed],
        values: &mut Vec<f64>,
        columns: &mut [Columns; 2],
    ) {
        for columns in &mut *columns {
            columns.keys.clear();
        }
        for &(_, place) in job {
            self.sweep.read(place as usize, values);
            for (columns, key) in columns.iter_mut().zip(fused.keys(values)) {
                columns.keys.push(key);
            }
        }
        for (place, Columns { keys, columns }) in columns.iter_mut().enumerate() {
            keys.sort_unstable();
            keys.dedup();
            columns.resize_with(keys.len().max(columns.len()), Column::default);
            for (&key, column) in keys.iter().zip(columns) {
                fused.column(place, key, column);
            }
        }
    }

    fn trial(&self, place: u32, targets: &[Target], account: &mut Account) -> T {
        let (stats, refused_orders) = run_in(account, &self.series, targets, self.options);
        (self.look.at)(&Trial {
            place: place as usize,
            targets,
            stats: &stats,
            equity: account.equity(),
            trades: account.trades(),
            refused_orders,
        })
    }
}

/// Columns by their key, ascending; those beyond the keys are memory to be used again.
#[derive(Default)]
struct Columns {
    keys: Vec<usize>,
    columns: Vec<Column>,
}

impl Columns {
    fn of(&self, key: usize) -> &Column {
        &self.columns[self.keys.partition_point(|known| *known < key)]
    }
}
