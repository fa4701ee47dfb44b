//! Records made anew: what can be read of the damaged ones, what the journal tells again, and the files of
//! the shelf. What comes from nowhere else is said.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finstage_engine::run;
use finstage_model::{
    Clock, Day, Document, DocumentId, Instrument, InstrumentId, Payload, Position, RunNumber,
    Timestamp,
};
use finstage_store::history::Adopted;
use finstage_store::journal::{Journal, JournalOptions};
use finstage_store::records::{
    ChainCheck, DocumentRow, Filter, Records, RecordsWriter, Salvaged, StoreKind,
};
use finstage_store::{ErrorKind, FolderLock};
use serde::Serialize;

use super::{JOURNAL, RECORDS, beside, remove, sync_names};
use crate::day::{Renewal, Rim, engine_of, run_failed};
use crate::exit::{Exit, Failure, Result};
use crate::folder::{self, HEADS};
use crate::live::{JournalSource, LiveSink, NoObserver, RunStart, Safe};
use crate::wiring;

/// Batches that may wait for the records.
const QUEUE_BATCHES: usize = 64;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Where the records lie that were there.
    pub old: Option<PathBuf>,
    /// Rows that came over from them, by table.
    pub salvaged: BTreeMap<String, u64>,
    /// Tables that could not be read to their end, and why.
    pub broken_off: BTreeMap<String, String>,
    /// Runs of the journal that were applied again.
    pub runs: u64,
    /// Signals that are there now.
    pub signals: usize,
    /// Files of the shelf that count again.
    pub files: u64,
    /// What is gone for good, in words.
    pub lost: Vec<String>,
}

/// Makes the records of the data folder `dir` anew. The damaged ones stay beside them under another name.
///
/// # Errors
/// Exit 2 when there is nothing to make records of, or nothing says which world they are about and `world` is
/// not given; exit 6 when a service runs, when the journal is damaged, or when the disk fails; the folder is
/// then as it was.
pub fn rebuild(dir: &Path, world: Option<StoreKind>, clock: &Arc<dyn Clock>) -> Result<Rebuilt> {
    let path = dir.join(RECORDS);
    if !path.exists() && folder::refuse_without_records(dir).is_ok() {
        let why = format!(
            "{}: neither records nor a journal: name the folder with --data-dir",
            dir.display()
        );
        return Err(Failure::usage(why));
    }
    let _lock = FolderLock::acquire(dir)?;
    let new = dir.join("records.rebuilding");
    remove(&new)?;
    // A folder of its own: the second places of the ledgers stay with the old ones until the end.
    fs::create_dir(&new)?;
    let done = make(dir, (&path, &new), (world, clock));
    if done.is_err() {
        let _ = remove(&new);
    }
    done
}

fn make(
    dir: &Path,
    (path, new): (&Path, &Path),
    (world, clock): (Option<StoreKind>, &Arc<dyn Clock>),
) -> Result<Rebuilt> {
    let records = Records::open(&new.join(RECORDS))?;
    let salvaged = match path.exists() {
        true => records.salvage(path).unwrap_or_else(|error| {
            let fault = Some(error.to_string());
            vec![Salvaged { table: "all".to_owned(), rows: 0, fault }]
        }),
        false => Vec::new(),
    };
    let journal = Journal::open(wiring::disk(), dir.join(JOURNAL), JournalOptions::default());
    settle_kind(dir, &records, world)?;
    restore_told(&records, &journal, clock.now())?;
    let runs = apply_again(&records, &journal, clock)?;
    let Adopted { files, refused, .. } = wiring::history(dir, &records).adopt()?;
    let mut lost: Vec<String> = refused
        .iter()
        .map(|path| {
            format!("{} cannot be read: its bars are gone; backfill fetches them", path.display())
        })
        .collect();
    lost.extend(what_is_gone(&salvaged, path.exists()));
    lost.extend(ledgers(dir, new, &records)?);
    let signals = records.signals(&Filter::newest(usize::MAX >> 1))?.len();
    records.vacuum()?;
    drop(records);
    let old = put_in_place(path, new)?;
    let told = |table: &Salvaged| (table.table.clone(), table.rows);
    let fault = |table: &Salvaged| Some((table.table.clone(), table.fault.clone()?));
    Ok(Rebuilt {
        old,
        salvaged: salvaged.iter().map(told).collect(),
        broken_off: salvaged.iter().filter_map(fault).collect(),
        runs,
        signals,
        files,
        lost,
    })
}

/// Says which world the new records are about: as the old ones did, as the folder does, or as one was told.
fn settle_kind(dir: &Path, records: &Records, told: Option<StoreKind>) -> Result<()> {
    let kind = match (records.meta("kind")?.as_deref(), folder::kind(dir)?) {
        (Some(_), _) => return Ok(()),
        (None, said) => said.or(told),
    };
    let Some(kind) = kind else {
        let why = format!(
            "{}: nothing left says whether this is a demo's: add --kind real or --kind demo",
            dir.display()
        );
        return Err(Failure::usage(why));
    };
    records.claim_kind(kind)?;
    Ok(())
}

/// What the journals were told and no run of the engine says again: instruments, news and mutes.
fn restore_told(records: &Records, journal: &Journal, now: Timestamp) -> Result<()> {
    let mut all: BTreeMap<InstrumentId, Instrument> = BTreeMap::new();
    let mut news: BTreeMap<DocumentId, DocumentRow> = BTreeMap::new();
    let mut batch = Vec::new();
    each_run(journal, &mut |day, number| {
        let mut reader = journal.reader(day, number)?;
        let mut position = 0;
        let preamble = reader.header().events;
        while reader.next_batch(&mut batch)?.is_some() {
            for event in batch.drain(..) {
                position += 1;
                match event.payload {
                    Payload::Instrument(one) if position <= preamble => {
                        all.insert(one.id, *one);
                    }
                    Payload::Document(one) => {
                        news.entry(one.id).or_insert_with(|| heard(*one, event.ts_recv));
                    }
                    Payload::Insight(one) => {
                        if let Some(row) = news.get_mut(&one.document) {
                            row.insight.get_or_insert(*one);
                        }
                    }
                    Payload::Mute(mute) => records.mute(&mute, now)?,
                    _ => {}
                }
            }
        }
        // What was read in the others may lie in the next run.
        let read: Vec<_> = news.extract_if(.., |_, row| row.insight.is_some()).collect();
        records.documents_add(&read.into_iter().map(|(_, row)| row).collect::<Vec<_>>())?;
        Ok(())
    })?;
    records.documents_add(&news.into_values().collect::<Vec<_>>())?;
    for one in all.values() {
        records.restore_instrument(one)?;
    }
    Ok(())
}

/// A document of the journal as a row.
fn heard(document: Document, seen_at: Timestamp) -> DocumentRow {
    DocumentRow { document, seen_at, sources: 1, translated: None, story: None, insight: None }
}

fn each_run(journal: &Journal, work: &mut dyn FnMut(Day, RunNumber) -> Result<()>) -> Result<()> {
    for day in journal.days()? {
        for number in journal.runs(day)? {
            work(day, number)?;
        }
    }
    Ok(())
}

/// Says everything again that the journal tells. Alerts are recorded as expired and sent to nobody.
fn apply_again(records: &Records, journal: &Journal, clock: &Arc<dyn Clock>) -> Result<u64> {
    let rim = Rim {
        clock: Arc::clone(clock),
        observer: Arc::new(NoObserver),
        safe: Safe::default(),
        fsync: None,
        notifiers: Vec::new(),
        max_age: Duration::ZERO,
        keep: None,
        renewal: Renewal::Daily,
        imports: None,
        patience: Default::default(),
    };
    let writer = RecordsWriter::start(records.clone(), QUEUE_BATCHES)?;
    let mut runs = 0;
    each_run(journal, &mut |day, number| {
        let reader = journal.reader(day, number)?;
        let header = reader.header().clone();
        let mut engine = engine_of(&header.origin.settings)?;
        let start = RunStart {
            start: Position::new(day, number, 0),
            preamble_events: header.events,
            known: None,
            day_end: day.end(),
        };
        let mut sink = LiveSink::new(&rim, &writer, &engine, start);
        run(&mut JournalSource(reader), &mut engine, &mut sink).map_err(run_failed)?;
        sink.finish().map_err(|e| Failure::new(Exit::Store, e.0))?;
        runs += 1;
        Ok(())
    })?;
    writer.drain()?;
    Ok(runs)
}

/// What no journal tells.
fn what_is_gone(salvaged: &[Salvaged], was_there: bool) -> Vec<String> {
    const ONLY_HERE: [(&str, &str); 15] = [
        ("trials", "the ledger of what was tried"),
        ("track", "the track record before the days of the journal"),
        ("cards", "evidence cards: `finstage verify` judges anew"),
        ("watches", "watches that were added beside the configuration"),
        ("listings", "instruments that were added by name"),
        ("notices", "reports that were sent"),
        ("spend", "what questions to models cost"),
        ("bars_tail", "imported bars of the current month: import or backfill them again"),
        ("mutes", "what was muted before the days of the journal: it speaks again"),
        ("documents", "news before the days of the journal, and translations"),
        ("tasks", "tasks with their results"),
        ("schedules", "when jobs ran last: those of the night may run again"),
        ("uptime", "how long the service was there"),
        ("meta", "how far chats, digests and statistics had come"),
        ("history_factors", "factors of splits and dividends: backfill fetches them"),
    ];
    let words = |(table, words): &(&str, &str)| {
        let is_broken =
            |one: &&Salvaged| [*table, "all"].contains(&&*one.table) && one.fault.is_some();
        let broken = salvaged.iter().find(is_broken);
        if was_there && broken.is_none() {
            return None;
        }
        let part = if broken.is_some_and(|one| one.rows > 0) { "part of" } else { "all of" };
        Some(format!("{part} {table}: {words}"))
    };
    ONLY_HERE.iter().filter_map(words).collect()
}

/// Holds the ledgers against their second places. A place that names more than is left goes aside: the next
/// entry would be refused for ever.
fn ledgers(dir: &Path, new: &Path, records: &Records) -> Result<Vec<String>> {
    let mut lost = Vec::new();
    for name in HEADS {
        match fs::copy(dir.join(name), new.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let checks: [(&str, Result<ChainCheck, finstage_store::Error>); 2] =
        [(HEADS[0], records.check_trials()), (HEADS[1], records.check_track())];
    for (name, check) in checks {
        let fault = match check {
            Ok(ChainCheck { fault: None, .. }) => continue,
            Ok(ChainCheck { fault: Some((number, why)), .. }) => format!("entry {number}: {why}"),
            Err(error) if error.kind() == ErrorKind::Corrupt => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let aside = format!("{name}.before-rebuild");
        match fs::rename(dir.join(name), dir.join(&aside)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        rename_head(new, (dir, name), records)?;
        lost.push(format!(
            "the chain behind {name} is not whole ({fault}); what named its end is now {aside}, and a restored backup is better"
        ));
    }
    Ok(lost)
}

/// Writes where the chain ends now, if what is left of it is a chain.
fn rename_head(new: &Path, (dir, name): (&Path, &str), records: &Records) -> Result<()> {
    match fs::remove_file(new.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let (end, check) = match name == HEADS[0] {
        // Nothing is added; the end is written.
        true => (records.add_trials(&[], Timestamp::EPOCH), records.check_trials()),
        false => (records.track_outcomes(&[], &[]), records.check_track()),
    };
    if end.is_ok_and(|end| end.entries > 0) && check.is_ok_and(|check| check.fault.is_none()) {
        fs::copy(new.join(name), dir.join(name))?;
    }
    Ok(())
}

/// The new records take the place of the old ones, which stay under another name.
fn put_in_place(path: &Path, new: &Path) -> Result<Option<PathBuf>> {
    let mut number = 1;
    let aside = loop {
        let aside = beside(path, &format!(".damaged-{number}"));
        if !aside.exists() {
            break aside;
        }
        number += 1;
    };
    for ending in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, ending), beside(&aside, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    fs::rename(new.join(RECORDS), path)?;
    remove(new)?;
    sync_names(path)?;
    Ok(aside.exists().then_some(aside))
}
