//! Source and sink of a running service: events are written before they are applied, and what the
//! engine says goes to the records with the position it follows from.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finstage_engine::{Engine, Flow, Sink, SinkError, Source, SourceError};
use finstage_feeds::registry;
use finstage_model::{
    Decision, Event, IdHasher, InstrumentId, Output, Payload, Position, Symbol, Timestamp,
};
use finstage_store::journal::{Reader, Space, Synced, Writer};
use finstage_store::records::{Batch, NewAlert, NewSignal, RecordsWriter, Route, RunDigest};

use crate::day::{Feed, Rim};
use crate::patience::Patience;

/// Most events that are journaled and applied together.
pub const BATCH_MAX_EVENTS: usize = 4_096;
/// Most events that the records may lag behind the journal while nothing is said.
const SILENT_MAX_EVENTS: u64 = 16_384;

/// Every so many batches one tries to set the journal's reserve aside again.
pub const REFILL_EVERY_BATCHES: u32 = 64;
/// A tick that is dated so much before what was received already shows that the clock was ahead.
pub const BACK_MIN: Duration = Duration::from_secs(60);

/// Is told what happens, as it happens; must not block.
pub trait Observer: Send + Sync + fmt::Debug {
    /// An event was applied and the engine said `outputs`.
    fn said(&self, names: &Names, event: &Event, outputs: &[Output], freshness: Freshness);
}

/// Whether something is said for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is new.
    New,
    /// It was said before; the journal is read again.
    Again,
}

/// Nobody listens.
#[derive(Debug)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn said(&self, _: &Names, _: &Event, _: &[Output], _: Freshness) {}
}

/// The texts behind dense ids of one run.
#[derive(Debug, Clone, Default)]
pub struct Names {
    symbols: Vec<Option<Symbol>>,
    strategies: Vec<String>,
}

impl Names {
    /// The strategies of an engine; instruments are learnt from their events.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let strategies = engine.strategies().iter().map(|planned| planned.canonical.clone());
        Self { symbols: Vec::new(), strategies: strategies.collect() }
    }

    /// Learns an instrument from its event.
    pub fn learn(&mut self, event: &Event) {
        if let Payload::Instrument(instrument) = &event.payload {
            let place = instrument.id.index();
            if place >= self.symbols.len() {
                self.symbols.resize(place + 1, None);
            }
            self.symbols[place] = Some(instrument.symbol.clone());
        }
    }

    /// The symbol of an instrument that was announced.
    #[must_use]
    pub fn symbol(&self, id: InstrumentId) -> Option<&Symbol> {
        self.symbols.get(id.index())?.as_ref()
    }

    /// The canonical text of a strategy.
    #[must_use]
    pub fn strategy(&self, id: finstage_model::StrategyId) -> &str {
        self.strategies.get(usize::from(id.0)).map_or("", String::as_str)
    }
}

/// How far the journal is safe on disk, whichever day is being written. Dispatchers ask it.
#[derive(Debug, Clone, Default)]
pub struct Safe(Arc<Mutex<Option<Synced>>>);

impl Safe {
    /// Everything before this position is safe.
    #[must_use]
    pub fn position(&self) -> Position {
        let synced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        synced.as_ref().map_or(Position::START, Synced::get)
    }

    /// From now on this journal counts.
    pub fn follow(&self, synced: Synced) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(synced);
    }
}

/// A run of the journal, from its preamble to its end.
#[derive(Debug)]
pub struct JournalSource(pub Reader);

impl Source for JournalSource {
    fn next_batch(&mut self, batch: &mut Vec<Event>) -> Result<Flow, SourceError> {
        match self.0.next_batch(batch) {
            Ok(Some(first)) => Ok(Flow::More(first)),
            Ok(None) => Ok(Flow::End),
            Err(error) => Err(SourceError(Box::new(error))),
        }
    }
}

/// New events: journaled first, then handed over, until the day's engine is to be renewed.
pub struct LiveSource<'a> {
    /// The day's journal.
    pub writer: Writer,
    /// Where events come from.
    pub feed: &'a mut dyn Feed,
    /// What was received and belongs to the next day.
    pub pending: &'a mut Vec<Event>,
    /// The first tick at or after this moment is the day's last event.
    pub renew_at: Timestamp,
    /// When the newest of what the engine knows was received.
    pub newest: Timestamp,
    /// Batches since one tried to set the journal's reserve aside again.
    pub since_refill: u32,
    /// How the source ended.
    pub ended: Ended,
    /// Whether a full disk is waited for.
    pub patience: &'a Patience,
}

/// How a live source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has not.
    No,
    /// The next day begins.
    Day,
    /// The clock was ahead and is right again: what is received now belongs to another run.
    Back,
    /// The feed ended.
    Feed,
}

impl fmt::Debug for LiveSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSource")
            .field("writer", &self.writer)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Source for LiveSource<'_> {
    fn next_batch(&mut self, batch: &mut Vec<Event>) -> Result<Flow, SourceError> {
        if self.ended != Ended::No {
            return Ok(Flow::End);
        }
        batch.append(self.pending);
        while batch.is_empty() {
            if !self.feed.next(batch) {
                self.ended = Ended::Feed;
                return Ok(Flow::End);
            }
        }
        self.end_run(batch);
        if batch.is_empty() {
            return Ok(Flow::End);
        }
        let writer = &mut self.writer;
        let first = self
            .patience
            .outlast("writing the journal", || writer.append(batch))
            .map_err(|e| SourceError(Box::new(e)))?;
        self.refill();
        Ok(Flow::More(first))
    }
}

impl LiveSource<'_> {
    /// Puts aside what belongs to another run, if the run ends with this batch.
    fn end_run(&mut self, batch: &mut Vec<Event>) {
        let is_tick = |e: &Event| e.payload == Payload::Tick;
        let renews = |e: &Event| is_tick(e) && e.ts_recv >= self.renew_at;
        let is_early = |e: &Event| e.ts_recv.plus(BACK_MIN) < self.newest;
        let day = batch.iter().position(renews);
        let back = batch.iter().position(|e| is_tick(e) && is_early(e));
        if let Some(tick) = back.filter(|tick| day.is_none_or(|last| *tick <= last)) {
            // What came with it under the right clock is not late in the next run.
            let first = batch.iter().position(is_early).unwrap_or(tick);
            *self.pending = batch.split_off(first);
            self.ended = Ended::Back;
        } else if let Some(last) = day {
            *self.pending = batch.split_off(last + 1);
            self.ended = Ended::Day;
        }
        let newest = batch.iter().map(|event| event.ts_recv).max();
        self.newest = self.newest.max(newest.unwrap_or(self.newest));
    }

    /// Sets the reserve aside again where it was given up and time for a try has come.
    fn refill(&mut self) {
        if self.writer.space() == Space::Plenty {
            return;
        }
        // Each try writes as much as fits: not at every batch.
        self.since_refill += 1;
        if self.since_refill >= REFILL_EVERY_BATCHES {
            self.since_refill = 0;
            if let Ok(()) = self.writer.refill_reserve() {
                tracing::info!("the journal has its reserve again");
            }
        }
    }
}

/// Everything an engine said in one run, as one number: the FNV-1a of the canonical bytes.
#[derive(Debug, Clone)]
pub struct Voice {
    events: u64,
    outputs: u64,
    hash: IdHasher,
    bytes: Vec<u8>,
}

impl Voice {
    /// Nothing was said yet.
    #[must_use]
    pub fn new() -> Self {
        Self { events: 0, outputs: 0, hash: IdHasher::new(), bytes: Vec::new() }
    }

    /// Adds what was said about one event.
    pub fn add(&mut self, outputs: &[Output]) {
        self.events += 1;
        self.outputs += outputs.len() as u64;
        self.bytes.clear();
        for output in outputs {
            output.canonical(&mut self.bytes);
        }
        if !self.bytes.is_empty() {
            self.hash = std::mem::take(&mut self.hash).bytes(&self.bytes);
        }
    }

    /// The counts and the hash.
    #[must_use]
    pub fn digest(&self) -> RunDigest {
        RunDigest { events: self.events, outputs: self.outputs, digest: self.hash.clone().finish() }
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes what the engine of one run says: to the records, to the observer, and, for what was
/// received after midnight, to the next day's preamble.
#[derive(Debug)]
pub struct LiveSink<'a> {
    rim: &'a Rim,
    writer: &'a RecordsWriter,
    names: Names,
    voice: Voice,
    /// What the records hold of this run already, and what was said up to there.
    known: Option<(Position, RunDigest)>,
    preamble_events: u64,
    day_end: Timestamp,
    after_midnight: Vec<Event>,
    batch: Batch,
    submitted: Position,
}

impl<'a> LiveSink<'a> {
    /// A sink for the run whose engine is given; `known` is what the records hold of it.
    #[must_use]
    pub fn new(rim: &'a Rim, writer: &'a RecordsWriter, engine: &Engine, run: RunStart) -> Self {
        Self {
            rim,
            writer,
            names: Names::of(engine),
            voice: Voice::new(),
            known: run.known,
            preamble_events: run.preamble_events,
            day_end: run.day_end,
            after_midnight: Vec::new(),
            batch: Batch::new(run.start, RunDigest::default()),
            submitted: run.start,
        }
    }

    /// What was received after the day's end.
    #[must_use]
    pub fn into_after_midnight(self) -> Vec<Event> {
        self.after_midnight
    }

    fn is_known(&self, end: Position) -> bool {
        self.known.is_some_and(|(known, _)| end <= known)
    }

    /// Compares with what was said before a restart, at the very place where that ended.
    fn compare(&self, end: Position) {
        if let Some((_, said)) = self.known.filter(|(known, _)| *known == end)
            && said != self.voice.digest()
        {
            tracing::error!(
                "{end}: the engine says something else than before the restart; `finstage replay --check` tells where"
            );
        }
    }

    fn collect(&mut self, output: &Output) {
        match output {
            Output::Bar(bar) => self.batch.bars.push(*bar),
            Output::Signal(signal) => {
                if let Some(symbol) = self.names.symbol(signal.instrument).cloned() {
                    let strategy = self.names.strategy(signal.strategy).to_owned();
                    self.batch.signals.push(NewSignal { signal: **signal, symbol, strategy });
                }
            }
            Output::Verdict(verdict) => self.batch.verdicts.push(*verdict),
            Output::Alert(alert) => {
                // That quotes are late at their source is said in the alert and makes none too old.
                let late = registry::quote_delay_s(&alert.symbol).unwrap_or(0);
                let known_at = alert.at.plus(Duration::from_secs(late.into()));
                let age = self.rim.clock.now().since(known_at);
                let expired = alert.decision == Decision::Send && age > self.rim.max_age;
                let route = if expired {
                    Route::Expired
                } else {
                    Route::Notify(self.rim.notifiers.clone())
                };
                self.batch.alerts.push(NewAlert { alert: (**alert).clone(), route });
            }
        }
    }
}

/// Where a sink begins.
#[derive(Debug, Clone, Copy)]
pub struct RunStart {
    /// Its first position.
    pub start: Position,
    /// How many of its events are the preamble: they were received, and spoken of, before.
    pub preamble_events: u64,
    /// What the records hold of this run.
    pub known: Option<(Position, RunDigest)>,
    /// The first moment of the next day.
    pub day_end: Timestamp,
}

impl Sink for LiveSink<'_> {
    fn accept(&mut self, at: Position, event: &Event, outputs: &[Output]) -> Result<(), SinkError> {
        self.names.learn(event);
        self.voice.add(outputs);
        let end = at.plus(1);
        // What was imported, verified or added is among what the next preamble begins with.
        let is_stored = matches!(
            event.payload,
            Payload::Past(_)
                | Payload::Reset(_)
                | Payload::Card(_)
                | Payload::Watch(_)
                | Payload::Mute(_)
                | Payload::Document(_)
                | Payload::Insight(_)
        );
        if !is_stored && (!self.after_midnight.is_empty() || event.ts_recv >= self.day_end) {
            self.after_midnight.push(event.clone());
        }
        let known = self.is_known(end);
        if known {
            self.compare(end);
        } else {
            outputs.iter().for_each(|output| self.collect(output));
        }
        self.batch.position = end;
        let again = known || at.seq() < self.preamble_events;
        let freshness = if again { Freshness::Again } else { Freshness::New };
        self.rim.observer.said(&self.names, event, outputs, freshness);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        // Without anything said, the position may lag: what lies between is derived again.
        let recent = self.batch.position < self.submitted.plus(SILENT_MAX_EVENTS);
        let silent = recent && self.says_nothing();
        if silent || self.is_known(self.batch.position) {
            return Ok(());
        }
        self.submit()
    }
}

impl LiveSink<'_> {
    /// Hands over what is left, so that the records know how far the run got.
    ///
    /// # Errors
    /// When the records cannot be written.
    pub fn finish(&mut self) -> Result<(), SinkError> {
        if self.batch.position == self.submitted || self.is_known(self.batch.position) {
            return Ok(());
        }
        self.submit()
    }

    fn submit(&mut self) -> Result<(), SinkError> {
        self.batch.run_digest = self.voice.digest();
        self.submitted = self.batch.position;
        let (writer, batch) = (self.writer, &mut self.batch);
        let submit = || writer.submit(batch);
        self.rim.patience.outlast("writing the records", submit).map_err(|e| SinkError(Box::new(e)))
    }

    fn says_nothing(&self) -> bool {
        let Batch { bars, signals, verdicts, alerts, .. } = &self.batch;
        bars.is_empty() && signals.is_empty() && verdicts.is_empty() && alerts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use finstage_store::journal::{Journal, JournalOptions, Origin};
    use finstage_store::suite::journal::events;
    use finstage_store::suite::{Fault, FaultyFiles};

    use super::*;

    /// Brings two events at a time.
    struct Pairs(u64);

    impl Feed for Pairs {
        fn next(&mut self, batch: &mut Vec<Event>) -> bool {
            batch.extend(events(self.0, self.0 + 2));
            self.0 += 2;
            true
        }
    }

    #[test]
    fn the_reserve_comes_back_after_so_many_batches_whatever_their_size() {
        let disk = FaultyFiles::new(1);
        let options = JournalOptions { reserve_bytes: 500, ..JournalOptions::default() };
        let journal = Journal::open(Arc::new(disk.clone()), PathBuf::from("/journal"), options);
        let day = "2026-11-28".parse().unwrap();
        // One event before: no batch of two ends at an even number.
        let run = journal.create_run(day, &Origin::new("1", "{}"), &events(0, 1)).unwrap();
        let mut source = LiveSource {
            writer: journal.writer(day, run).unwrap(),
            feed: &mut Pairs(1),
            pending: &mut Vec::new(),
            renew_at: Timestamp::MAX,
            newest: Timestamp::MIN,
            since_refill: 0,
            ended: Ended::No,
            patience: &Patience::default(),
        };
        disk.fail_after(0, Fault::Full);
        source.next_batch(&mut Vec::new()).unwrap();
        assert_eq!(source.writer.space(), Space::Reserve, "its last words were written");
        disk.free();
        for batch in 2..=REFILL_EVERY_BATCHES {
            assert_eq!(source.writer.space(), Space::Reserve, "batch {batch}");
            source.next_batch(&mut Vec::new()).unwrap();
        }
        assert_eq!(source.writer.space(), Space::Plenty);
    }
}
