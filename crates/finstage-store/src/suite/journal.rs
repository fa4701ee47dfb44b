//! The contract of the journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finstage_model::{
    Aggressor, Day, Event, InstrumentId, Payload, Position, Price, Qty, RunNumber, Timestamp,
    Trade, TradeId,
};

use super::{Fault, FaultyFiles, Rng};
use crate::files::Files;
use crate::{Error, ErrorKind, Journal, JournalOptions, Origin, Writer};

/// The day of all runs of the suite: 2026-11-21.
pub const DAY: Day = Day::from_days(20_778);

/// Small segments, so that a few dozen events fill several.
const OPTIONS: JournalOptions = JournalOptions { segment_bytes: 600, reserve_bytes: 256 };

/// Event `n` of an endless story: trades, and a tick now and then.
#[must_use]
pub fn event(n: u64) -> Event {
    let ts_recv = Timestamp::from_nanos(DAY.start().nanos() + n as i64 * 1_000_003);
    if n.is_multiple_of(5) {
        return Event::new(ts_recv, Payload::Tick);
    }
    let payload = Payload::Trade(Trade {
        id: TradeId::from(n),
        instrument: InstrumentId((n % 7) as u32),
        ts_event: Timestamp::from_nanos(ts_recv.nanos() - 250_000),
        price: Price::from_nanos(42_850_100_000_000 + n as i64 * 10_000_000),
        qty: Qty::from_nanos(1_000_000 + u128::from(n)),
        aggressor: if n.is_multiple_of(2) { Aggressor::Buyer } else { Aggressor::Seller },
    });
    Event::new(ts_recv, payload)
}

/// Events `from` up to, not including, `to` of the story.
#[must_use]
pub fn events(from: u64, to: u64) -> Vec<Event> {
    (from..to).map(event).collect()
}

/// Everything a reader gives of a run, its positions checked to follow each other.
///
/// # Errors
/// Those of the reader.
///
/// # Panics
/// When positions do not follow each other.
pub fn read_all(journal: &Journal, day: Day, run: RunNumber) -> Result<Vec<Event>, Error> {
    let mut reader = journal.reader(day, run)?;
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while let Some(first) = reader.next_batch(&mut batch)? {
        assert_eq!(first, Position::new(day, run, all.len() as u64), "positions follow each other");
        assert!(!batch.is_empty(), "a batch has events");
        all.append(&mut batch);
    }
    Ok(all)
}

/// What holds on every disk, in the folder `root` that does not exist yet.
///
/// # Panics
/// When it does not.
pub fn check(files: &Arc<dyn Files>, root: &Path) {
    const WORKS: &str = "an operation on a sound disk";
    let journal = Journal::open(Arc::clone(files), root.join("journal"), OPTIONS);
    assert_eq!(journal.days().expect(WORKS), []);
    let missing = journal.reader(DAY, 1).map(drop).map_err(|e| e.kind());
    assert_eq!(missing, Err(ErrorKind::NotFound), "a run that does not exist");

    let origin = Origin::new("0.0.0 (suite)", r#"{"strategies":[]}"#);
    let run = journal.create_run(DAY, &origin, &events(0, 7)).expect(WORKS);
    assert_eq!((run, journal.runs(DAY).expect(WORKS)), (1, vec![1]));
    assert_eq!(read_all(&journal, DAY, run).expect(WORKS), events(0, 7), "the preamble alone");

    let mut writer = journal.writer(DAY, run).expect(WORKS);
    assert_eq!(writer.end(), Position::new(DAY, run, 7), "the preamble is counted first");
    assert_eq!(writer.append(&[]).expect(WORKS), writer.end());
    for n in (7..90).step_by(3) {
        let first = writer.append(&events(n, n + 3)).expect(WORKS);
        assert_eq!(first, Position::new(DAY, run, n));
    }
    assert!(writer.synced().get() < writer.end(), "an append is not yet a sync");
    writer.sync().expect(WORKS);
    assert_eq!(writer.synced().get(), writer.end());
    let mut reader = journal.reader(DAY, run).expect(WORKS);
    assert_eq!(reader.header().origin, origin);
    assert_eq!((reader.header().day, reader.header().run, reader.header().events), (DAY, run, 7));
    assert_eq!(
        read_all(&journal, DAY, run).expect(WORKS),
        events(0, 91),
        "preamble, then segments"
    );

    let mut batch = Vec::new();
    while reader.next_batch(&mut batch).expect(WORKS).is_some() {}
    assert_eq!(reader.position(), writer.end());
    for n in 91..140 {
        writer.append(&events(n, n + 1)).expect(WORKS);
        let more = reader.next_batch(&mut batch).expect(WORKS);
        assert_eq!(more, Some(Position::new(DAY, run, n)), "a reader follows a writer");
        assert_eq!(batch, events(n, n + 1));
    }
    drop(writer);
    let mut writer = journal.writer(DAY, run).expect(WORKS);
    assert_eq!(writer.end(), Position::new(DAY, run, 140), "a run is continued where it ended");
    assert_eq!(writer.synced().get(), writer.end(), "what is there at opening is durable");
    writer.append(&events(140, 150)).expect(WORKS);
    assert_eq!(read_all(&journal, DAY, run).expect(WORKS), events(0, 150));

    let second = journal.create_run(DAY, &origin, &[]).expect(WORKS);
    assert_eq!((second, journal.runs(DAY).expect(WORKS)), (2, vec![1, 2]));
    journal.create_run(DAY.next(), &origin, &[]).expect(WORKS);
    assert_eq!(journal.days().expect(WORKS), [DAY, DAY.next()]);
    assert_eq!(journal.remove_before(DAY.next()).expect(WORKS), [DAY]);
    assert_eq!(journal.days().expect(WORKS), [DAY.next()], "whole days are removed");
}

/// One seeded life with up to four power cuts or killed processes, at any operation of creating,
/// writing, rolling and recovering.
///
/// # Panics
/// When a synced event is lost, an unsynced one is lost elsewhere than at the end, a preamble is
/// half there, or a run cannot be continued.
pub fn survive_crashes(seed: u64) {
    let disk = FaultyFiles::new(seed);
    let mut rng = Rng::new(!seed);
    let mut life = Life::new(disk.clone());
    for crash in 0..4 {
        disk.fail_after(rng.below(60) as u64, Fault::Crash);
        let survived = life.go_on(&mut rng).is_ok();
        assert!(!survived || !disk.has_crashed(), "seed {seed}: a crash went unnoticed");
        match rng.below(4) {
            0 => disk.restart_process(),
            _ => disk.restart(),
        }
        life.check(&format!("seed {seed}, crash {crash}"));
    }
}

/// What a process knows that was told "done".
struct Life {
    journal: Journal,
    /// The run, once its creation was acknowledged.
    run: Option<RunNumber>,
    /// How many events of the story were handed to the writer, acknowledged or not.
    offered: u64,
    /// How many are durable for certain.
    durable: u64,
}

impl Life {
    const PREAMBLE: u64 = 9;

    fn new(disk: FaultyFiles) -> Self {
        let journal = Journal::open(Arc::new(disk), PathBuf::from("/data/journal"), OPTIONS);
        Self { journal, run: None, offered: 0, durable: 0 }
    }

    fn go_on(&mut self, rng: &mut Rng) -> Result<(), Error> {
        let run = match self.run {
            Some(run) => run,
            None => self.begin()?,
        };
        let mut writer = self.journal.writer(DAY, run)?;
        self.durable = writer.end().seq();
        self.offered = self.durable;
        for _ in 0..200 {
            let count = 1 + rng.below(6) as u64;
            let from = self.offered;
            self.offered += count;
            writer.append(&events(from, from + count))?;
            if rng.below(3) == 0 {
                writer.sync()?;
            }
            self.durable = self.durable.max(writer.synced().get().seq());
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<RunNumber, Error> {
        // A run whose creation was not acknowledged may exist; then it is whole.
        let run = match self.journal.runs(DAY)?.last() {
            Some(&run) => run,
            None => {
                let origin = Origin::new("suite", "{}");
                self.journal.create_run(DAY, &origin, &events(0, Self::PREAMBLE))?
            }
        };
        self.run = Some(run);
        self.durable = Self::PREAMBLE;
        Ok(run)
    }

    fn check(&self, context: &str) {
        let runs = self.journal.runs(DAY).expect("the disk works again");
        assert!(self.run.is_none_or(|run| runs == [run]), "{context}: the run is gone: {runs:?}");
        for run in runs {
            let read = read_all(&self.journal, DAY, run)
                .unwrap_or_else(|error| panic!("{context}: {error:?}"));
            let count = read.len() as u64;
            assert!(count >= Self::PREAMBLE, "{context}: half a preamble");
            assert!(count >= self.durable, "{context}: {count} of {} durable events", self.durable);
            assert!(count <= self.offered.max(Self::PREAMBLE), "{context}: events of nobody");
            assert_eq!(read, events(0, count), "{context}: lost elsewhere than at the end");
        }
    }
}

/// One seeded life on a disk that is full now and then: what was acknowledged stays, what was
/// refused is not there, and work goes on when there is space.
///
/// # Panics
/// When that does not hold.
pub fn survive_a_full_disk(seed: u64) {
    const ROOM: &str = "there is space";
    let disk = FaultyFiles::new(seed);
    let mut rng = Rng::new(!seed);
    let root = PathBuf::from("/data/journal");
    let journal = Journal::open(Arc::new(disk.clone()), root, OPTIONS);
    let run = journal.create_run(DAY, &Origin::new("suite", "{}"), &[]).expect(ROOM);
    let mut writer = journal.writer(DAY, run).expect(ROOM);
    let mut next = 0;
    for round in 0..5 {
        disk.fail_after(rng.below(20) as u64, Fault::Full);
        let refused = write_until_full(&mut writer, &mut next, &mut rng);
        assert_eq!(refused.kind(), ErrorKind::Full, "seed {seed}: {refused:?}");
        assert_eq!(writer.space(), crate::journal::Space::Reserve, "the reserve went first");
        assert_eq!(writer.end().seq(), next, "seed {seed}, round {round}: nothing by halves");
        disk.free();
        writer.refill_reserve().expect(ROOM);
        writer.append(&events(next, next + 1)).expect(ROOM);
        next += 1;
    }
    writer.sync().expect(ROOM);
    disk.restart();
    let read = read_all(&journal, DAY, run).expect("a full disk damages nothing");
    assert_eq!(read, events(0, next), "seed {seed}");
}

fn write_until_full(writer: &mut Writer, next: &mut u64, rng: &mut Rng) -> Error {
    loop {
        let count = 1 + rng.below(6) as u64;
        match writer.append(&events(*next, *next + count)) {
            Ok(_) => *next += count,
            Err(error) => return error,
        }
    }
}
