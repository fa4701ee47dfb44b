//! One engine a day: opening a day's journal, going on after a crash, and midnight.
//!
//! A recursive indicator remembers where it began, so "the last N bars, then live" never equals a
//! process that ran on. Hence every UTC day starts anew: a *preamble* (instruments, stored bars as
//! deep as the strategies remember, evidence cards, alerts that cooldowns and budgets still count, what was
//! received since 00:00) is written whole or not at all, and a new engine is run through it. A
//! restart reads the day's folder from its start: it is in exactly the state of a process that
//! never stopped.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use finstage_engine::{
    Engine, EngineSettings, LONGEST_NEWS, Planned, RunError, WatchSpec, run, series_depths,
};
use finstage_model::{
    Bar, CardNotice, Clock, Day, Event, Insight, Instrument, Interval, Past, Payload, Position,
    RunNumber, Symbol, Timestamp, WatchNotice,
};
use finstage_store::history::History;
use finstage_store::journal::{FORMAT, Journal, Origin, SyncThread};
use finstage_store::records::{
    AddedWatch, DocumentPage, DocumentRow, Records, RecordsWriter, RunDigest,
};
use finstage_strategies::CATALOG;

use crate::exit::{Exit, Failure, Result};
use crate::live::{Ended, JournalSource, LiveSink, LiveSource, Observer, RunStart, Safe};
use crate::patience::Patience;
use crate::rewarm::Imports;

/// How long after 00:00 the day's engine is renewed, so that bars that close at midnight are
/// closed and said by the engine that saw them.
pub const RENEWAL_DELAY: Duration = Duration::from_secs(60);
/// How far back alerts count for cooldowns and budgets; farther where a cooldown is longer.
const SAID_SPAN: Duration = Duration::from_secs(24 * 3600);
/// The most documents among which a new day looks for what its instruments are named in.
const MAX_INSIGHTS: usize = 50_000;
/// Batches that may wait for the records before the engine waits for them.
const WRITER_QUEUE_BATCHES: usize = 64;
/// The key of the records' meta table that holds the last run whose journal is not read again.
pub const CLOSED: &str = "closed";

/// Canonical strategies, each with the length of its bars.
pub(crate) type Rules = BTreeSet<(String, Interval)>;

/// Where new events come from.
pub trait Feed {
    /// Waits for events and appends them; `false` means that there will be no more.
    fn next(&mut self, events: &mut Vec<Event>) -> bool;
}

/// Everything that keeps a service's memory, and the rules it runs by.
#[derive(Debug, Clone)]
pub struct House {
    /// What happened.
    pub journal: Journal,
    /// What was said.
    pub records: Records,
    /// All bars, those of the records among them.
    pub history: History,
    /// What the engine is told.
    pub settings: EngineSettings,
    /// What is watched, with ids of this store.
    pub instruments: Vec<Instrument>,
    /// The rules of the rim.
    pub rim: Rim,
}

/// The rules of the rim: what the engine must not know.
#[derive(Debug, Clone)]
pub struct Rim {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told what was said.
    pub observer: Arc<dyn Observer>,
    /// How far the journal is safe on disk.
    pub safe: Safe,
    /// How often the journal is synced; `None` leaves it to the system.
    pub fsync: Option<Duration>,
    /// The channels that each alert goes to.
    pub notifiers: Vec<String>,
    /// An older alert is recorded as expired.
    pub max_age: Duration,
    /// How long whole days are kept; `None` keeps all.
    pub keep: Option<Duration>,
    /// Whether each day gets a new engine.
    pub renewal: Renewal,
    /// How often one looks for bars that another process imported; `None` where none can.
    pub imports: Option<Duration>,
    /// Whether a full disk and held records are waited for.
    pub patience: Patience,
}

/// Whether each day gets a new engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// As the product does.
    Daily,
    /// Never: exists so that a test can show that it would be noticed.
    Never,
}

/// The day whose engine applies what is received at `at`.
#[must_use]
pub fn engine_day(at: Timestamp) -> Day {
    at.minus(RENEWAL_DELAY).day()
}

/// The last run of a journal.
///
/// # Errors
/// When the journal cannot be read.
pub fn last_run(
    journal: &Journal,
) -> std::result::Result<Option<(Day, RunNumber)>, finstage_store::Error> {
    for day in journal.days()?.into_iter().rev() {
        if let Some(run) = journal.runs(day)?.pop() {
            return Ok(Some((day, run)));
        }
    }
    Ok(None)
}

/// A run of a day that is ready to be read and written.
#[derive(Debug, Clone, Copy)]
struct Stage {
    day: Day,
    run: RunNumber,
}

/// What opens a new run.
struct Opening {
    day: Day,
    /// When the preamble is dated: bars that closed by then are its past.
    at: Timestamp,
    /// What was received since 00:00.
    events: Vec<Event>,
    past: PastUntil,
}

/// Which bars are the past of a new run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PastUntil {
    /// Those that had closed by then.
    Closed,
    /// Those that had opened by then: a clock that was ahead closed them, and what was said of them is not said again.
    Opened,
}

impl House {
    /// Runs the service: goes on where the journal ends, then applies what `feed` brings, day by
    /// day, until it ends. Everything said is in the records when this returns.
    ///
    /// # Errors
    /// When journal or records break; what was committed before stays, and the next start goes on
    /// from there.
    pub fn run(&self, feed: &mut dyn Feed) -> Result<()> {
        let writer = RecordsWriter::start(self.records.clone(), WRITER_QUEUE_BATCHES)?;
        let mut stage = self.resume(&writer)?;
        let mut pending = Vec::new();
        loop {
            let (ended, events) = self.live(stage, &writer, feed, &mut pending)?;
            stage = match ended {
                Ended::No | Ended::Feed => break,
                Ended::Day => {
                    let last = events.last().map(|event| event.ts_recv);
                    let day = engine_day(last.unwrap_or_else(|| self.rim.clock.now()));
                    self.forget(day)?;
                    self.open(Opening { day, at: day.start(), events, past: PastUntil::Closed })?
                }
                Ended::Back => {
                    let first = pending.first().map(|event| event.ts_recv);
                    let at = first.unwrap_or_else(|| self.rim.clock.now());
                    tracing::warn!(
                        "the clock was ahead and shows {at} again: a new run of {} begins; bars that it closed too early stay as they are",
                        stage.day
                    );
                    // Positions only grow: it stays in the folder of the day that had begun.
                    self.open(Opening {
                        day: stage.day,
                        at,
                        events: Vec::new(),
                        past: PastUntil::Opened,
                    })?
                }
            };
        }
        self.drain(&writer)?;
        Ok(())
    }

    /// The last run of the journal.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_run(&self) -> Result<Option<(Day, RunNumber)>> {
        Ok(last_run(&self.journal)?)
    }

    /// The last run of the journal, after the records were brought back to what it holds: a power
    /// cut may have taken its end. What was on its way to people when the last process ended is
    /// free again.
    fn recover(&self) -> Result<Option<(Day, RunNumber)>> {
        let last = self.last_run()?;
        if let Some((day, run)) = last
            && self.rim.safe.position() == Position::START
        {
            let journal = self.journal.writer(day, run)?;
            self.records.rewind(journal.end())?;
            self.records.outbox_reclaim()?;
            // From here on alerts may leave; nobody leased one before.
            self.rim.safe.follow(journal.synced());
        }
        Ok(last)
    }

    /// Decides where to go on: in the last run, or in a new one after the last was finished.
    fn resume(&self, writer: &RecordsWriter) -> Result<Stage> {
        let now = self.rim.clock.now();
        let today = engine_day(now);
        let Some((day, run)) = self.recover()? else {
            return self.open(Opening {
                day: today,
                at: now,
                events: Vec::new(),
                past: PastUntil::Closed,
            });
        };
        let reader = self.journal.reader(day, run)?;
        let header = reader.header();
        if day >= today && header.format == FORMAT && header.origin == self.origin()? {
            return Ok(Stage { day, run });
        }
        let engine = engine_of(&header.origin.settings)?;
        let events = self.again(Stage { day, run }, writer, engine)?.1;
        self.drain(writer)?;
        if day >= today {
            // Other settings or another version: what was received today was said by another voice.
            return self.open(Opening {
                day,
                at: now,
                events: Vec::new(),
                past: PastUntil::Closed,
            });
        }
        // With events of today the story goes on at 00:00, as it does in a process that never
        // stopped; without, everything known until now is the past.
        let at = if events.is_empty() { now } else { today.start() };
        self.open(Opening { day: today, at, events, past: PastUntil::Closed })
    }

    /// Applies what the run's journal holds; returns the engine and what came after midnight.
    fn again(
        &self,
        stage: Stage,
        writer: &RecordsWriter,
        mut engine: Engine,
    ) -> Result<(Engine, Vec<Event>)> {
        let reader = self.journal.reader(stage.day, stage.run)?;
        let mut sink = self.sink(stage, writer, &engine, reader.header().events)?;
        let mut source = JournalSource(reader);
        run(&mut source, &mut engine, &mut sink).map_err(run_failed)?;
        sink.finish().map_err(|e| run_failed(RunError::Sink(e.0)))?;
        Ok((engine, sink.into_after_midnight()))
    }

    /// Runs a day: its journal first, then the feed. Returns how it ended, and what the next day begins with.
    fn live(
        &self,
        stage: Stage,
        writer: &RecordsWriter,
        feed: &mut dyn Feed,
        pending: &mut Vec<Event>,
    ) -> Result<(Ended, Vec<Event>)> {
        let reader = self.journal.reader(stage.day, stage.run)?;
        let mut engine = engine_of(&reader.header().origin.settings)?;
        let mut sink = self.sink(stage, writer, &engine, reader.header().events)?;
        let imports = Imports::new(self, writer)?;
        run(&mut JournalSource(reader), &mut engine, &mut imports.heard(&mut sink))
            .map_err(run_failed)?;
        let journal = self.journal.writer(stage.day, stage.run)?;
        self.rim.safe.follow(journal.synced());
        let syncing = self.rim.fsync.map(|every| SyncThread::start(&journal, every)).transpose()?;
        let renew_at = match self.rim.renewal {
            Renewal::Daily => stage.day.end().plus(RENEWAL_DELAY),
            Renewal::Never => Timestamp::MAX,
        };
        let feed = &mut imports.beside(feed);
        let mut source = LiveSource {
            writer: journal,
            feed,
            pending,
            renew_at,
            newest: engine.now(),
            since_refill: 0,
            ended: Ended::No,
            patience: &self.rim.patience,
        };
        run(&mut source, &mut engine, &mut imports.heard(&mut sink)).map_err(run_failed)?;
        sink.finish().map_err(|e| run_failed(RunError::Sink(e.0)))?;
        let ended = source.ended;
        source.writer.sync()?;
        drop(syncing);
        // Drained: the preamble reads bars and alerts that were said until now.
        self.drain(writer)?;
        Ok((ended, sink.into_after_midnight()))
    }

    fn sink<'a>(
        &'a self,
        stage: Stage,
        writer: &'a RecordsWriter,
        engine: &Engine,
        preamble_events: u64,
    ) -> Result<LiveSink<'a>> {
        let Stage { day, run } = stage;
        let known = said(&self.records, day, run)?;
        let start = RunStart {
            start: Position::new(day, run, 0),
            preamble_events,
            known,
            day_end: day.end(),
        };
        Ok(LiveSink::new(&self.rim, writer, engine, start))
    }

    /// Opens a new run: its preamble is on disk when this returns.
    fn open(&self, opening: Opening) -> Result<Stage> {
        let Opening { day, at, events, past } = opening;
        let mut preamble = Vec::new();
        let mut say = |payload| preamble.push(Event::new(at, payload));
        for instrument in &self.instruments {
            say(Payload::Instrument(Box::new(instrument.clone())));
        }
        for watch in self.added_watches()? {
            say(Payload::Watch(Box::new(watch)));
        }
        for mute in self.records.mutes(at)? {
            say(Payload::Mute(Box::new(mute)));
        }
        for insight in self.insights(at)? {
            say(Payload::Insight(Box::new(insight)));
        }
        let depths = series_depths(&self.settings, CATALOG).map_err(Failure::usage)?;
        for (symbol, interval, depth) in depths {
            let Some(instrument) = self.instruments.iter().find(|i| i.symbol == symbol) else {
                continue;
            };
            let watched = self.watched_depth(&symbol)?.filter(|(of, _)| *of == interval);
            let depth = depth.max(watched.map_or(0, |(_, depth)| depth));
            let until = match past {
                PastUntil::Closed => at,
                PastUntil::Opened => interval.close_of(interval.open_of(at)),
            };
            let bars = self.past(instrument, interval, until, depth)?;
            if !bars.is_empty() {
                say(Payload::Past(Box::new(Past { instrument: instrument.id, interval, bars })));
            }
        }
        for card in self.cards_since(0, &self.rules()?)?.0 {
            say(Payload::Card(Box::new(card)));
        }
        let span = SAID_SPAN.max(self.settings.longest_cooldown());
        for said in self.records.said_since(at.minus(span))? {
            say(Payload::Said(Box::new(said)));
        }
        preamble.extend(events.into_iter().filter(|event| event.ts_recv >= day.start()));
        self.close()?;
        let origin = self.origin()?;
        let create = || self.journal.create_run(day, &origin, &preamble);
        let run = self.rim.patience.outlast("opening a day of the journal", create)?;
        Ok(Stage { day, run })
    }

    /// The newest stored bars of a series that had closed by `until`, oldest first: what an
    /// engine is warmed with.
    pub(crate) fn past(
        &self,
        instrument: &Instrument,
        interval: Interval,
        until: Timestamp,
        depth: usize,
    ) -> Result<Vec<Bar>> {
        Ok(self.history.last_bars(&instrument.symbol, interval, until, depth)?)
    }

    /// What was read of late about instruments that are watched, the oldest first: its moment says
    /// from when on it counts, so that hearing it again changes nothing.
    fn insights(&self, now: Timestamp) -> Result<Vec<Insight>> {
        let (since, limit) = (Some(now.minus(LONGEST_NEWS)), MAX_INSIGHTS);
        let rows = self.records.document_page(&DocumentPage {
            since,
            limit,
            ..DocumentPage::default()
        })?;
        let is_own = |symbol: &Symbol| self.instruments.iter().any(|own| own.symbol == *symbol);
        let is_first = |row: &DocumentRow| row.story.is_none();
        let insights = rows.into_iter().rev().filter(is_first).filter_map(|row| row.insight);
        Ok(insights.filter(|read| read.symbols.iter().any(is_own)).collect())
    }

    /// The watches that were added beside the settings, of instruments that are watched.
    pub(crate) fn added_watches(&self) -> Result<Vec<WatchNotice>> {
        let rows = self.records.watches_added()?;
        let is_own = |row: &AddedWatch| self.instruments.iter().any(|i| i.symbol == row.symbol);
        let notice = |row: AddedWatch| {
            let AddedWatch { symbol, rule, cooldown_ms, .. } = row;
            WatchNotice { symbol, rule, cooldown_ms, is_on: true }
        };
        Ok(rows.into_iter().filter(is_own).map(notice).collect())
    }

    /// The series that tells added watches of an instrument its days, and how deep; `None` where
    /// none needs any.
    pub(crate) fn watched_depth(&self, symbol: &Symbol) -> Result<Option<(Interval, usize)>> {
        let added = self.added_watches()?.into_iter().filter(|watch| watch.symbol == *symbol);
        let watches: Vec<WatchSpec> = added
            .map(|watch| WatchSpec { symbol: watch.symbol, rule: watch.rule, cooldown_ms: None })
            .collect();
        if watches.is_empty() {
            return Ok(None);
        }
        let settings = EngineSettings { watches, strategies: Vec::new(), ..self.settings.clone() };
        let depths = series_depths(&settings, CATALOG).map_err(Failure::usage)?;
        let own = depths.into_iter().filter(|(of, ..)| of == symbol);
        let daily = own.filter(|(_, interval, _)| *interval <= Interval::D1);
        Ok(daily
            .max_by_key(|(_, interval, _)| *interval)
            .map(|(_, interval, depth)| (interval, depth)))
    }

    /// What the house runs: strategies, each with the length of its bars.
    pub(crate) fn rules(&self) -> Result<Rules> {
        let engine = Engine::new(&self.settings, CATALOG).map_err(Failure::usage)?;
        let rule = |planned: &Planned| (planned.canonical.clone(), planned.interval);
        Ok(engine.strategies().iter().map(rule).collect())
    }

    /// The evidence cards that were put in force since the verification `number` and that are about
    /// what the house runs, with the number of the newest verification.
    pub(crate) fn cards_since(&self, number: i64, rules: &Rules) -> Result<(Vec<CardNotice>, i64)> {
        let rows = self.records.cards_since(number)?;
        let newest = rows.last().map_or(number, |row| row.number);
        let is_own = |card: &CardNotice| {
            let is_member = |i: &Instrument| card.members.binary_search(&i.symbol).is_ok();
            rules.contains(&(card.strategy.clone(), card.interval))
                && self.instruments.iter().any(is_member)
        };
        let notices = rows.iter().map(|row| CardNotice::of(&row.card));
        Ok((notices.filter(is_own).collect(), newest))
    }

    /// Waits until everything that was said is in the records.
    pub(crate) fn drain(&self, writer: &RecordsWriter) -> Result<()> {
        Ok(self.rim.patience.outlast("writing the records", || writer.drain())?)
    }

    /// Makes what earlier runs said safe from a power cut: from the next run on nobody derives it
    /// from their journals again. A note is safe when it is written, and so is all before it.
    fn close(&self) -> Result<()> {
        if let Some((day, run)) = self.last_run()? {
            let close = || self.records.set_meta(CLOSED, &format!("{day}/{run}"));
            self.rim.patience.outlast("closing a run", close)?;
        }
        Ok(())
    }

    /// Which version speaks, with which settings.
    fn origin(&self) -> Result<Origin> {
        let settings = serde_json::to_string(&self.settings)
            .map_err(|e| Failure::usage(format!("engine settings: {e}")))?;
        Ok(Origin::new(crate::VERSION, settings))
    }

    /// Removes whole days that are older than they are kept.
    fn forget(&self, today: Day) -> Result<()> {
        if let Some(keep) = self.rim.keep {
            let first = today.start().minus(keep).day();
            for day in self.journal.remove_before(first)? {
                tracing::info!("{day} left the journal");
            }
        }
        Ok(())
    }

    /// The newest stored close of a series, as far as the journal knows it too: what comes after
    /// it is to be fetched.
    ///
    /// # Errors
    /// When the records or the Parquet files cannot be read.
    pub fn stored_until(&self, symbol: &Symbol, interval: Interval) -> Result<Option<Timestamp>> {
        self.recover()?;
        let newest = self.history.last_bars(symbol, interval, Timestamp::MAX, 1)?;
        Ok(newest.first().map(Bar::close_time))
    }
}

/// The engine that a run's header describes.
///
/// # Errors
/// When the settings are of another version or name a strategy that this one does not know.
pub fn engine_of(settings: &str) -> Result<Engine> {
    let unknown = |why: String| {
        Failure::new(
            Exit::Store,
            format!("a run of the journal cannot be read by this version: {why}"),
        )
    };
    let settings: EngineSettings =
        serde_json::from_str(settings).map_err(|e| unknown(e.to_string()))?;
    Engine::new(&settings, CATALOG).map_err(|e| unknown(e.to_string()))
}

/// What the records hold of a run, and up to where.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn said(
    records: &Records,
    day: Day,
    run: RunNumber,
) -> Result<Option<(Position, RunDigest)>> {
    let row = records.runs_of(day)?.into_iter().find(|row| row.run == run);
    Ok(row.map(|row| (row.position, row.digest)))
}

/// The failure behind a broken run, with the store's own kind where it is one.
pub(crate) fn run_failed(error: RunError) -> Failure {
    let text = error.to_string();
    let (RunError::Source(cause) | RunError::Sink(cause)) = error;
    match cause.downcast::<finstage_store::Error>() {
        Ok(error) => Failure::from(*error),
        Err(_) => Failure::new(Exit::Store, text),
    }
}
