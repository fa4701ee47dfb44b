//! A machine on which a service runs, is killed and runs again: a disk that keeps only what it
//! must, records that outlive a process, a clock, and people who receive messages.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use finstage::check::{RunReplay, Silence, replay};
use finstage::config::settings::Settings;
use finstage::day::{CLOSED, Feed, House, Renewal, Rim, engine_of};
use finstage::exit::{Failure, Result};
use finstage::live::{Freshness, JournalSource, Names, Observer, Safe, Voice};
use finstage::wiring;
use finstage_engine::{Sink, SinkError, run};
use finstage_model::{
    Alert, AlertId, Bar, Clock as _, Day, Decision, Event, InstrumentId, Interval, ManualClock,
    Output, Payload, Position, RunNumber, Timestamp,
};
use finstage_store::history::History;
use finstage_store::journal::{Journal, JournalOptions};
use finstage_store::records::{AlertRow, Batch, Filter, Item, Records, RunDigest, SignalRow};
use finstage_store::suite::{Fault, FaultyFiles, Rng};
use tempfile::TempDir;

use crate::script::Script;

/// Small segments, so that a day has many; a reserve that a few records fill.
const OPTIONS: JournalOptions = JournalOptions { segment_bytes: 4_000, reserve_bytes: 500 };
/// The channel that people read.
const CHANNEL: &str = "chat";
/// How long a message may be on its way.
const LEASE: Duration = Duration::from_secs(90);
/// The most events that come at once.
const BATCH_EVENTS: usize = 8;
/// How often the writer of the records may be asked whether it has written an alert.
const PATIENCE: usize = 10_000_000;

/// Where the records are.
#[derive(Debug)]
pub(crate) enum Shelf {
    /// In memory: what was committed stays whatever happens.
    Memory,
    /// In a file, opened anew by each process.
    File(TempDir),
}

/// What ends a process, once the feed has come to an event of the script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    /// The place in the script.
    pub(crate) at: usize,
    /// What happens then.
    pub(crate) how: How,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The disk fails at the operation after so many more.
    Disk(u64),
    /// The disk is full at the operation after so many more.
    Full(u64),
    /// Killed between events.
    Feed,
    /// Killed after so many more events were journaled and applied, before their batch is recorded.
    Applied(i64),
}

/// What of the dead process is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The machine runs on: all that was written is there.
    Kill,
    /// Power came back: what was not synced is gone, in part or whole, from the journal and, as
    /// far as they may, from the records.
    PowerCut,
}

/// What becomes of events that were received and that the journal lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// They are received again, so that lives can be compared with one that never ended.
    ToldAgain,
    /// They never come again, as trades do not.
    Forever,
}

/// How a life ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The feed ended.
    Done,
    /// The service gave up with these words.
    Failed(Failure),
    /// It was killed.
    Killed,
}

/// What goes through the stack when a process is killed.
struct Killed;

/// The machine.
pub(crate) struct Machine {
    pub(crate) script: Arc<Script>,
    pub(crate) disk: FaultyFiles,
    pub(crate) records: Records,
    pub(crate) journal: Journal,
    pub(crate) people: People,
    pub(crate) rng: Rng,
    pub(crate) settings: Settings,
    /// What becomes of events that the journal lost.
    pub(crate) lost: Lost,
    pub(crate) renewal: Renewal,
    /// How often it is looked for imports.
    pub(crate) imports: Option<Duration>,
    /// How long the journal's days are kept.
    pub(crate) keep: Option<Duration>,
    /// How often a thread syncs the journal; without, only segments and days are synced.
    pub(crate) fsync: Option<Duration>,
    /// Whether bars are moved to Parquet files before each life, as if their months were over.
    pub(crate) compacts: bool,
    shelf: Shelf,
    /// How many events of the script were received.
    handed_out: usize,
    clock: Arc<ManualClock>,
    killer: Arc<Killer>,
}

impl Machine {
    pub(crate) fn new(script: &Arc<Script>, seed: u64, shelf: Shelf) -> Self {
        let disk = FaultyFiles::new(seed);
        let root = PathBuf::from("/data/journal");
        let records = shelf.open();
        for (symbol, bars) in &script.past {
            records.put_instrument(&wiring::describe(symbol)).unwrap();
            records.import_bars(symbol, bars[0].interval, bars).unwrap();
        }
        Self {
            script: Arc::clone(script),
            journal: Journal::open(Arc::new(disk.clone()), root, OPTIONS),
            disk,
            records,
            people: People::default(),
            rng: Rng::new(!seed),
            settings: script.settings.clone(),
            lost: Lost::ToldAgain,
            handed_out: 0,
            renewal: Renewal::Daily,
            imports: Some(Duration::ZERO),
            keep: None,
            fsync: None,
            compacts: false,
            shelf,
            clock: Arc::new(ManualClock::new(Timestamp::MIN)),
            killer: Arc::default(),
        }
    }

    /// What another process imports just before that event of the script comes.
    pub(crate) fn import_at(&self, place: usize) {
        for import in self.script.imports.iter().filter(|import| import.place == place) {
            let interval = import.bars[0].interval;
            self.records.import_bars(&import.symbol, interval, &import.bars).unwrap();
        }
        let cards = self.script.cards.iter().filter(|(at, _)| *at == place);
        self.records.keep_cards(cards.map(|(_, card)| card)).unwrap();
    }

    /// The instruments whose past was told again, in the order of the journal.
    pub(crate) fn resets(&self) -> Vec<InstrumentId> {
        let reset = |event: Event| match event.payload {
            Payload::Reset(instrument) => Some(instrument),
            _ => None,
        };
        self.events().into_iter().filter_map(reset).collect()
    }

    /// Everything that the journal holds.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.runs().into_iter().flat_map(|run| self.events_of(run)).collect()
    }

    /// A process from its start to its end.
    pub(crate) fn live(&mut self, death: Option<Death>) -> End {
        let next = match self.lost {
            Lost::ToldAgain => self.next(),
            Lost::Forever => self.handed_out,
        };
        let wakes_at = self.script.events.get(next).or(self.script.events.last()).unwrap().ts_recv;
        self.clock.set(wakes_at);
        if self.compacts {
            let much_later = wakes_at.plus(Duration::from_secs(40 * 86_400));
            self.history().compact(much_later, &|| true).unwrap();
        }
        self.killer = Arc::default();
        let rim = Rim {
            clock: Arc::clone(&self.clock) as _,
            observer: Arc::clone(&self.killer) as _,
            safe: Safe::default(),
            fsync: self.fsync,
            notifiers: vec![CHANNEL.into()],
            max_age: self.settings.max_age,
            keep: self.keep,
            renewal: self.renewal,
            imports: self.imports,
            patience: Default::default(),
        };
        let house = House {
            journal: self.journal.clone(),
            records: self.records.clone(),
            history: self.history(),
            settings: self.settings.engine.clone(),
            instruments: wiring::instruments(&self.settings, &self.records).unwrap(),
            rim,
        };
        let safe = house.rim.safe.clone();
        let mut feed = ScriptFeed { safe, death, next, is_awake: false, machine: self };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if feed.death.is_some_and(|death| death.at < next) {
                feed.die();
            }
            house.run(&mut feed)
        }));
        self.killer.arm(None);
        match ended {
            Ok(Ok(())) => {
                self.people.read(&self.records, self.clock.now(), &house.rim.safe);
                End::Done
            }
            Ok(Err(failure)) => End::Failed(failure),
            Err(cause) if cause.is::<Killed>() => End::Killed,
            Err(cause) => resume_unwind(cause),
        }
    }

    /// The machine after a process died on it.
    pub(crate) fn restart(&mut self, after: After) {
        match after {
            After::Kill => self.disk.restart_process(),
            After::PowerCut => {
                self.disk.restart();
                self.forget_records();
            }
        }
        if let Shelf::File(_) = self.shelf {
            self.records = self.shelf.open();
        }
        self.audit();
    }

    /// All bars, wherever they lie.
    pub(crate) fn history(&self) -> History {
        let root = PathBuf::from("/data/history");
        History::open(Arc::new(self.disk.clone()), root, self.records.clone())
    }

    /// Every alert, whatever became of it.
    pub(crate) fn alerts(&self) -> Vec<AlertRow> {
        self.records.alerts(&Filter::newest(usize::MAX)).unwrap()
    }

    /// Everything that was said.
    pub(crate) fn said(&self, alerts: &[AlertRow]) -> Said {
        let mut signals = self.records.signals(&Filter::newest(usize::MAX)).unwrap();
        signals.iter_mut().for_each(|row| row.position = Position::START);
        let mut bars = Vec::new();
        for instrument in self.records.instruments().unwrap() {
            for interval in Interval::ALL {
                let all = Timestamp::MIN..Timestamp::MAX;
                bars.extend(self.history().bars(&instrument.symbol, interval, all).unwrap());
            }
        }
        let outbox = self.records.outbox_counts().unwrap();
        assert_eq!((outbox.failed, outbox.expired), (0, 0), "the messenger takes everything");
        Said {
            signals,
            alerts: alerts.iter().map(|row| row.alert.clone()).collect(),
            bars,
            messages: outbox.ready + outbox.sending + outbox.delivered,
        }
    }

    /// Sends every run through a new engine and compares with the records.
    pub(crate) fn replay_all(&self) -> Vec<RunReplay> {
        let one = |run| replay(&self.journal, Some(&self.records), run, &mut Silence).unwrap();
        self.runs().into_iter().map(one).collect()
    }

    /// Every event of the script in the order of the journal, preambles aside.
    pub(crate) fn journaled(&self) -> Vec<usize> {
        let mut places = Vec::new();
        for run in self.runs() {
            let events = self.events_of(run);
            let preamble = self.journal.reader(run.0, run.1).unwrap().header().events as usize;
            places.extend(events[preamble..].iter().filter_map(|e| self.script.place_of(e)));
        }
        places
    }

    /// The place of the first event that the journal does not hold.
    fn next(&self) -> usize {
        let newest_first = self.runs().into_iter().rev();
        let mut last = newest_first.filter_map(|run| {
            self.events_of(run).iter().filter_map(|e| self.script.place_of(e)).max()
        });
        last.next().map_or(0, |place| place + 1)
    }

    fn runs(&self) -> Vec<(Day, RunNumber)> {
        let days = self.journal.days().unwrap().into_iter();
        days.flat_map(|day| self.journal.runs(day).unwrap().into_iter().map(move |run| (day, run)))
            .collect()
    }

    fn events_of(&self, (day, run): (Day, RunNumber)) -> Vec<Event> {
        finstage_store::suite::journal::read_all(&self.journal, day, run).unwrap()
    }

    /// The end of the journal.
    fn end(&self) -> Position {
        let last = self.runs().pop();
        last.map_or(Position::START, |(day, run)| {
            Position::new(day, run, self.events_of((day, run)).len() as u64)
        })
    }

    /// Nothing was told to people that follows from an event which is lost now.
    fn audit(&self) {
        let end = self.end();
        for row in self.alerts() {
            let is_told = self.people.told.contains_key(&row.alert.id);
            assert!(!is_told || row.position <= end, "told and lost: {:?} after {end}", row.alert);
        }
    }

    /// A process that came back holds nothing that follows from events which are lost: the journal
    /// ends at `end` and is safe so far.
    fn check_not_ahead(&self, end: Position) {
        let signals = self.records.signals(&Filter::newest(1)).unwrap();
        let newest = signals.iter().map(|row| row.position);
        let alerts = self.records.alerts(&Filter::newest(1)).unwrap();
        let newest = newest.chain(alerts.iter().map(|row| row.position)).max();
        assert!(
            newest.is_none_or(|newest| newest <= end),
            "{newest:?} follows nothing after {end}"
        );
    }

    /// What a power cut may take from a database: the newest transactions, back to the last one
    /// that was written to stay. Leases and ends of leases are such, and so is what a house writes
    /// when it closes a day.
    fn forget_records(&mut self) {
        let kept = self.people.kept.max(self.closed());
        let rows = self.alerts();
        let mut places: Vec<Position> = rows.iter().map(|row| row.position).collect();
        // What lies beyond the journal's end is taken back anyway.
        let end = self.end();
        places.retain(|place| (kept..=end).contains(place));
        places.sort_unstable();
        places.dedup();
        if places.is_empty() || self.rng.below(2) == 0 {
            return;
        }
        let until = places[self.rng.below(places.len())];
        for (day, number) in self.runs().into_iter().rev() {
            let start = Position::new(day, number, 0);
            let rewound = self.records.rewind(until.max(start)).unwrap();
            assert_eq!(
                rewound.inconsistent,
                Vec::<String>::new(),
                "the model of the disk is wrong"
            );
            if start < until {
                break;
            }
        }
        if let Some(digest) = self.digest_at(until) {
            self.records.apply(&Batch::new(until, digest)).unwrap();
        }
    }

    /// Up to where the house says that its records are safe from a power cut.
    fn closed(&self) -> Position {
        let Some(closed) = self.records.meta(CLOSED).unwrap() else { return Position::START };
        let (day, run) = closed.split_once('/').unwrap();
        Position::new(day.parse().unwrap(), run.parse().unwrap(), Position::MAX_SEQ)
    }

    /// What a run had said at a place of it, where the journal still goes so far.
    fn digest_at(&self, at: Position) -> Option<RunDigest> {
        let reader = self.journal.reader(at.day(), at.run()).ok()?;
        let mut engine = engine_of(&reader.header().origin.settings).unwrap();
        let mut ear = Ear { voice: Voice::new(), at, there: None };
        run(&mut JournalSource(reader), &mut engine, &mut ear).unwrap();
        ear.there
    }
}

impl Shelf {
    pub(crate) fn file() -> Self {
        Self::File(TempDir::new().unwrap())
    }

    fn open(&self) -> Records {
        match self {
            Self::Memory => Records::open_in_memory().unwrap(),
            Self::File(dir) => Records::open(&dir.path().join("records.db")).unwrap(),
        }
    }
}

/// Everything that a service said, whatever the places in the journal, in one fixed order.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) signals: Vec<SignalRow>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) bars: Vec<Bar>,
    /// How many messages were to be sent.
    pub(crate) messages: u64,
}

impl Said {
    /// Compares with what was found instead, to the last bit.
    pub(crate) fn check(&self, found: &Self, context: &str) {
        let pairs = self.signals.iter().zip(&found.signals);
        let is_same = self.signals.len() == found.signals.len()
            && pairs.into_iter().all(|(one, other)| is_exactly(one, other))
            && (&self.alerts, &self.bars) == (&found.alerts, &found.bars);
        if !is_same {
            let (expected, found) = (self.lines(), found.lines());
            let missing: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
            let new: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
            panic!("{context}: not said: {missing:#?}\nsaid instead: {new:#?}");
        }
        assert_eq!(self.messages, found.messages, "{context}: messages");
    }

    fn lines(&self) -> Vec<String> {
        let signals = self.signals.iter().map(exactly);
        let alerts = self.alerts.iter().map(|alert| format!("{alert:?}"));
        signals.chain(alerts).chain(self.bars.iter().map(|bar| format!("{bar:?}"))).collect()
    }
}

/// Whether both are the same to the last bit.
pub(crate) fn is_exactly(one: &SignalRow, other: &SignalRow) -> bool {
    let bits = |row: &SignalRow| {
        let facts = row.facts.iter().map(|(_, value)| value.to_bits());
        facts.chain([row.strength.to_bits()]).collect::<Vec<_>>()
    };
    one == other && bits(one) == bits(other)
}

/// A signal with the bits of its figures.
fn exactly(row: &SignalRow) -> String {
    let bits = row.facts.iter().map(|(_, value)| value).chain([&row.strength]);
    let bits: Vec<String> = bits.map(|value| format!("{:016x}", value.to_bits())).collect();
    format!("{row:?} {}", bits.join(" "))
}

/// What a run says up to a place.
struct Ear {
    voice: Voice,
    at: Position,
    there: Option<RunDigest>,
}

impl Sink for Ear {
    fn accept(&mut self, at: Position, _: &Event, outputs: &[Output]) -> Result<(), SinkError> {
        self.voice.add(outputs);
        if at.plus(1) == self.at {
            self.there = Some(self.voice.digest());
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Delivers the script, in batches of any size, and messages now and then.
struct ScriptFeed<'a> {
    machine: &'a mut Machine,
    safe: Safe,
    death: Option<Death>,
    next: usize,
    is_awake: bool,
}

impl Feed for ScriptFeed<'_> {
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        let script = Arc::clone(&self.machine.script);
        let next_import =
            script.imports.iter().map(|i| i.place).chain(script.cards.iter().map(|card| card.0));
        let next_import = next_import.filter(|at| *at > self.next);
        let left = next_import.min().unwrap_or(script.events.len()) - self.next;
        let mut count = left.min(1 + self.machine.rng.below(BATCH_EVENTS));
        if let Some(death) = self.death
            && death.at < self.next + count
        {
            count = death.at.saturating_sub(self.next) + 1;
            self.die();
        }
        if count == 0 {
            return false;
        }
        self.machine.import_at(self.next);
        if !std::mem::replace(&mut self.is_awake, true) {
            self.machine.check_not_ahead(self.safe.position());
        }
        let Machine { people, records, rng, clock, killer, .. } = &mut *self.machine;
        if rng.below(24) == 0 {
            // Else it would be chance what can be leased, and a seed would not repeat itself.
            people.wait_for(records, killer.newest());
            people.hear(records, clock.now(), &self.safe, rng.below(4) == 0);
        }
        events.extend_from_slice(&script.events[self.next..self.next + count]);
        self.next += count;
        self.machine.handed_out = self.next;
        self.machine.clock.set(script.events[self.next - 1].ts_recv);
        true
    }
}

impl ScriptFeed<'_> {
    /// Sets going what ends the process.
    fn die(&mut self) {
        match self.death.take().map(|death| death.how) {
            Some(How::Disk(after)) => self.machine.disk.fail_after(after, Fault::Crash),
            Some(How::Full(after)) => self.machine.disk.fail_after(after, Fault::Full),
            Some(How::Feed) => kill(),
            Some(How::Applied(events)) => self.machine.killer.arm(Some(events)),
            None => {}
        }
    }
}

/// Listens, and ends the process when so many events more were applied.
#[derive(Debug)]
struct Killer {
    left: AtomicI64,
    newest: Mutex<Option<AlertId>>,
}

impl Default for Killer {
    fn default() -> Self {
        Self { left: AtomicI64::new(i64::MAX), newest: Mutex::default() }
    }
}

impl Killer {
    fn arm(&self, after: Option<i64>) {
        self.left.store(after.unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The alert that was said last.
    fn newest(&self) -> Option<AlertId> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Killer {
    fn said(&self, _: &Names, _: &Event, outputs: &[Output], _: Freshness) {
        for output in outputs {
            if let Output::Alert(alert) = output {
                *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(alert.id);
            }
        }
        let is_armed = self.left.load(Ordering::Relaxed) != i64::MAX;
        if is_armed && self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            kill();
        }
    }
}

/// Unwinds without a word: a killed process says nothing.
fn kill() -> ! {
    resume_unwind(Box::new(Killed) as Box<dyn Any + Send>)
}

/// Those who receive alerts, from a messenger that may forget that it sent one.
#[derive(Debug)]
pub(crate) struct People {
    /// How often each alert came, and how often without a warning that it may be a repeat.
    pub(crate) told: BTreeMap<AlertId, (u32, u32)>,
    /// Up to here the records are safe from a power cut.
    kept: Position,
}

impl Default for People {
    fn default() -> Self {
        Self { told: BTreeMap::new(), kept: Position::START }
    }
}

impl People {
    /// Receives the next message, if one may leave the house.
    fn hear(&mut self, records: &Records, now: Timestamp, safe: &Safe, forget: bool) -> bool {
        let synced = safe.position();
        let Some(leased) = records.outbox_lease(CHANNEL, now, LEASE, synced).unwrap() else {
            return false;
        };
        let Item::Alert(alert) = &leased.item else { panic!("nobody announced a notice") };
        assert_eq!(alert.decision, Decision::Send);
        let (times, unwarned) = self.told.entry(alert.id).or_default();
        *times += 1;
        *unwarned += u32::from(!leased.possible_repeat);
        if !forget {
            records.outbox_delivered(leased.row, leased.fence, now, "receipt").unwrap();
        }
        let newest = records.alerts(&Filter::newest(1)).unwrap();
        self.kept = self.kept.max(newest[0].position);
        true
    }

    /// Waits until the records hold an alert that was said.
    fn wait_for(&self, records: &Records, alert: Option<AlertId>) {
        let Some(alert) = alert else { return };
        let is_there = || {
            let newest = records.alerts(&Filter::newest(8)).unwrap();
            newest.iter().any(|row| row.alert.id == alert)
        };
        for _ in 0..PATIENCE {
            if is_there() {
                return;
            }
            thread::yield_now();
        }
        panic!("alert {alert} was said and never recorded");
    }

    /// Receives all that waits.
    fn read(&mut self, records: &Records, now: Timestamp, safe: &Safe) {
        let now = now.plus(2 * LEASE);
        while self.hear(records, now, safe, false) {}
    }

    /// Every alert that was to be sent came, and a second time only with a warning.
    pub(crate) fn check(&self, rows: &[AlertRow], context: &str) {
        let due = rows.iter().filter(|row| row.alert.decision == Decision::Send);
        let mut due: Vec<AlertId> = due.map(|row| row.alert.id).collect();
        due.sort_unstable();
        let told: Vec<AlertId> = self.told.keys().copied().collect();
        assert!(!due.is_empty(), "{context}: nothing was to be sent");
        assert_eq!(told, due, "{context}: an alert was lost, or came from nowhere");
        let unwarned: Vec<_> = self.told.iter().filter(|(_, count)| count.1 != 1).collect();
        assert!(unwarned.is_empty(), "{context}: repeats without a warning: {unwarned:?}");
    }
}
