//! What each type of task does in a service. The pieces are those that commands use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use finstage_engine::{EngineSettings, SinkError, StrategySpec};
use finstage_model::{Clock, Event, Interval, Output, Symbol};
use finstage_research::evidence::{Groups, Ledger, Options, Plan};
use finstage_research::study::Instrument;
use finstage_store::Journal;
use finstage_store::history::History;
use finstage_store::records::{Records, TaskKeep};
use finstage_strategies::CATALOG;
use serde_json::json;

use super::backtest;
use super::kinds::{Nothing, OfDay, Series};
use super::registry::{Fault, Given, Registry, Ticket};
use crate::backfill::{Filler, Span};
use crate::check::{Listener, replay};
use crate::config::settings::FeedSettings;
use crate::drift::{announce, message, mute_drifted};
use crate::live::{Names, Safe};
use crate::news::stored;
use crate::report::job::Job as ReportJob;
use crate::report::{hourly, provenance};
use crate::track::{self, Reach};
use crate::upkeep::prune::{self, Kept, Policy};
use crate::venues::Doors;
use crate::{evidence, generate, wiring};

/// Cost as a fraction a side.
const COST: f64 = 0.001;
/// One thread: the service goes on meanwhile.
const THREADS: usize = 1;

/// What a service's tasks work on.
#[derive(Debug, Clone)]
pub struct Means {
    /// What was said.
    pub records: Records,
    /// All bars.
    pub history: History,
    /// What happened.
    pub journal: Journal,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How far the journal is on disk.
    pub safe: Safe,
    /// Who is told.
    pub notifiers: Vec<String>,
    /// What the engine is told.
    pub engine: EngineSettings,
    /// What is watched.
    pub feeds: Vec<FeedSettings>,
    /// The daily report.
    pub report: ReportJob,
    /// The data folder.
    pub dir: PathBuf,
    /// How long things are kept.
    pub retention: Policy,
}

/// All types of tasks, as this service does them.
#[must_use]
pub fn registry(means: &Means, doors: &Doors) -> Registry {
    let filler = Filler::new(means.history.clone(), doors, Arc::clone(&means.clock));
    let fetching = Arc::new((filler, means.clone()));
    let on = |work: fn(&Means, &Ticket) -> Given| {
        let means = means.clone();
        move |Nothing {}, ticket: &Ticket| work(&means, ticket)
    };
    let (judging, checking, trying) = (means.clone(), means.clone(), means.clone());
    compacting(Registry::default(), means.history.clone(), Arc::clone(&means.clock))
        .blocking("outcomes", on(outcomes))
        .blocking("report", on(report))
        .blocking("hourly", on(hourly))
        .blocking("retention", on(retention))
        .waiting("backfill", move |series: Series, ticket| {
            let fetching = Arc::clone(&fetching);
            async move { backfill(&fetching.0, &fetching.1, (series, ticket)).await }
        })
        .blocking("verify", move |series: Series, ticket| verify(&judging, &series, ticket))
        .blocking("backtest", move |asked, ticket| backtest::run(&trying, &asked, ticket))
        .blocking("replay_check", move |day, ticket| replay_check(&checking, day, ticket))
}

/// Closed months of bars move to files.
#[must_use]
pub fn compacting(registry: Registry, history: History, clock: Arc<dyn Clock>) -> Registry {
    registry.blocking("compact", move |Nothing {}, ticket| {
        let done = history.compact(clock.now(), &|| !ticket.is_called_off())?;
        for path in &done.swept.unknown {
            tracing::warn!("{}: not written by finstage: left alone, not read", path.display());
        }
        if done.revisions > 0 {
            tracing::warn!(
                "history: {} bars came twice and differ; the first of each stays",
                done.revisions
            );
        }
        Ok(json!({
            "bars": done.bars, "files": done.files, "revisions": done.revisions,
            "removed": done.swept.removed,
        }))
    })
}

fn outcomes(means: &Means, ticket: &Ticket) -> Given {
    let now = means.clock.now();
    let reach = Reach { position: means.safe.position(), time: now.minus(track::SETTLING) };
    let done = track::update(&means.records, &means.history, reach)?;
    ticket.tell(0.9, "looking for drift");
    let muted = mute_drifted(&means.records)?;
    announce(&means.records, &means.notifiers, now)?;
    muted.iter().for_each(|card| tracing::warn!("{}", message(card).join("; ")));
    Ok(json!({"signals": done.signals, "outcomes": done.outcomes, "muted": muted.len()}))
}

fn report(means: &Means, _: &Ticket) -> Given {
    let said = means.report.step(means.clock.now(), means.safe.position())?;
    if let Some(day) = said {
        tracing::info!("the report of {day} is on its way");
    }
    Ok(json!({"date": said.map(|day| day.to_string())}))
}

fn hourly(means: &Means, _: &Ticket) -> Given {
    let (now, report) = (means.clock.now(), &means.report);
    let asked = hourly::Asked {
        now,
        zone: &report.zone,
        watched: &report.watched,
        provenance: provenance(&means.records)?,
    };
    let status = hourly::gather(&means.history, &asked)?;
    let notice = hourly::notice(&status, report.language);
    let queued = means.records.announce(&notice, &means.notifiers)?;
    Ok(json!({"instruments": status.instruments_total, "queued": queued}))
}

fn retention(means: &Means, _: &Ticket) -> Given {
    let now = means.clock.now();
    let tasks = means.records.task_prune(now, TaskKeep::default())?;
    let kept = Kept { dir: &means.dir, records: &means.records, journal: &means.journal };
    let pruned = prune::prune(kept, &means.retention, now, prune::Mode::Forget)?;
    let mut told = json!({"done": tasks.done, "dead": tasks.dead});
    pruned.iter().filter(|one| one.count > 0).for_each(|one| told[one.what] = json!(one.count));
    Ok(told)
}

/// The series that a task is about: those that are named, of the watched ones where none is.
fn asked(feeds: &[FeedSettings], series: &Series, usual: &[Interval]) -> Vec<(Symbol, Interval)> {
    let mut all = Vec::new();
    for feed in feeds {
        for symbol in &feed.symbols {
            if !series.symbols.is_empty() && !series.symbols.contains(symbol) {
                continue;
            }
            let own = if usual.is_empty() { feed.venue_intervals.as_slice() } else { usual };
            let intervals: Vec<Interval> =
                series.interval.map_or_else(|| own.to_vec(), |only| vec![only]);
            all.extend(intervals.into_iter().map(|interval| (symbol.clone(), interval)));
        }
    }
    all
}

async fn backfill(filler: &Filler, means: &Means, (series, ticket): (Series, Ticket)) -> Given {
    let all = asked(&means.feeds, &series, &[]);
    if let Some(unknown) = series.symbols.iter().find(|one| all.iter().all(|(s, _)| s != *one)) {
        let why =
            format!("{unknown} is not watched: `finstage backfill --symbols {unknown}` fetches it");
        return Err(Fault::lasting(why));
    }
    let (mut written, mut found, mut filled, mut refused) = (0, 0, 0, Vec::new());
    let mut with_factors = BTreeSet::new();
    for (at, (symbol, interval)) in all.iter().enumerate() {
        ticket.tell(at as f64 / all.len() as f64, format!("{symbol} {interval}"));
        means.records.put_instrument(&wiring::describe(symbol))?;
        let one = filler.series(symbol, *interval, Span::default()).await?;
        written += one.written;
        found += one.gaps_found;
        filled += one.gaps_filled;
        let mut why = one.refused;
        if why.is_none() && with_factors.insert(symbol) {
            why = filler.factors(symbol).await?.err();
        }
        refused.extend(why.map(|why| format!("{symbol} {interval}: {why}")));
    }
    Ok(json!({
        "series": all.len(), "written": written, "gaps_found": found, "gaps_filled": filled,
        "refused": refused,
    }))
}

/// Strategies that are judged together: on bars of a length, of these instruments or of all.
pub(super) type Together = BTreeMap<(Interval, Vec<Symbol>), Vec<StrategySpec>>;

pub(super) fn together(strategies: &[StrategySpec]) -> Together {
    let mut groups = Together::new();
    for spec in strategies {
        let mut symbols = spec.symbols.clone();
        symbols.sort();
        groups.entry((spec.interval, symbols)).or_default().push(spec.clone());
    }
    groups
}

pub(super) fn verify(means: &Means, series: &Series, ticket: &Ticket) -> Given {
    let groups = together(&means.engine.strategies);
    let (count, mut all) = (groups.len(), Judged::default());
    mute_drifted(&means.records)?;
    for (at, ((interval, own), specs)) in groups.into_iter().enumerate() {
        if series.interval.is_some_and(|only| only != interval) {
            continue;
        }
        if ticket.is_called_off() {
            return Err(Fault::passing("called off"));
        }
        ticket.tell(at as f64 / count as f64, format!("bars of {interval}"));
        let mut asked = asked(&means.feeds, series, &[interval]);
        asked.retain(|(symbol, _)| own.is_empty() || own.contains(symbol));
        let mut instruments = Vec::new();
        for (symbol, _) in asked {
            if ticket.is_called_off() {
                return Err(Fault::passing("called off"));
            }
            instruments.extend(heard(means, (&symbol, interval), &specs)?);
        }
        if !instruments.is_empty() {
            all.judge(means, (specs, interval), instruments)?;
        }
    }
    Ok(json!({"judged": all.judged, "new_cards": all.new, "stay": all.stay}))
}

/// A series as the strategies heard it: its bars are let go, so that never more than one series of them is held.
fn heard(
    means: &Means,
    (symbol, interval): (&Symbol, Interval),
    specs: &[StrategySpec],
) -> Result<Option<Instrument>, Fault> {
    let Some(mut one) = evidence::series(&means.history, symbol, interval)? else {
        return Ok(None);
    };
    if generate::hears_news(specs) {
        one = one.with_news(stored::about(&means.records, symbol)?);
        tracing::info!("{}", stored::said(symbol, one.bars(), one.news()));
    }
    one.heard_by(specs, CATALOG).map(Some).map_err(Fault::lasting)
}

/// What came of a verification.
#[derive(Default)]
struct Judged {
    judged: usize,
    new: usize,
    stay: usize,
}

impl Judged {
    fn judge(
        &mut self,
        means: &Means,
        (specs, interval): (Vec<StrategySpec>, Interval),
        instruments: Vec<Instrument>,
    ) -> Result<(), Fault> {
        let options = Options {
            horizons: evidence::usual_horizons(interval).to_vec(),
            cost: COST,
            threads: THREADS,
            code_version: crate::VERSION.to_owned(),
            ..Options::default()
        };
        let plan = Plan::new(instruments, &Groups::Pooled, (specs, CATALOG), options);
        let plan = plan.map_err(Fault::lasting)?;
        let now = means.clock.now();
        let trials = evidence::trials(&means.records, now)?;
        let found = evidence::verify(&means.records, plan, &Ledger::of_store(&trials), now)?;
        let kept = evidence::keep(&means.records, &found)?;
        self.judged += found.rows.len();
        self.new += kept.new;
        self.stay += kept.stay;
        Ok(())
    }
}

/// Ends a replay that is called off.
struct Watching<'a>(&'a Ticket);

impl Listener for Watching<'_> {
    fn heard(&mut self, _: &Names, _: &Event, _: &[Output]) -> Result<(), SinkError> {
        match self.0.is_called_off() {
            true => Err(SinkError("called off".into())),
            false => Ok(()),
        }
    }
}

fn replay_check(means: &Means, day: OfDay, ticket: &Ticket) -> Given {
    let day = day.date.unwrap_or_else(|| means.clock.now().day().previous());
    if !means.journal.days()?.contains(&day) {
        return Ok(json!({"date": day.to_string(), "runs": 0, "match": null}));
    }
    let runs = means.journal.runs(day)?;
    let mut events = 0;
    for (at, number) in runs.iter().enumerate() {
        ticket.tell(at as f64 / runs.len() as f64, format!("{day} run {number}"));
        let watching = &mut Watching(ticket);
        let run = replay(&means.journal, Some(&means.records), (day, *number), watching)?;
        events += run.events;
        if run.matches != Some(true) {
            let why = run.difference.unwrap_or_default();
            return Err(Fault::lasting(format!(
                "{day} run {number} is not what was said then: {why}; `finstage replay --check --date {day}` says more"
            )));
        }
    }
    Ok(json!({"date": day.to_string(), "runs": runs.len(), "events": events, "match": true}))
}
