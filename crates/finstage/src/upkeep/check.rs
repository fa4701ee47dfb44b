//! Whether everything in a data folder is as it was written. Reads only, also beside a running service.

use std::path::Path;

use finstage_store::journal::{Journal, JournalOptions};
use finstage_store::records::ChainCheck;
use finstage_store::{DiskFiles, ErrorKind, Files as _, Records};
use serde::Serialize;

use super::{HISTORY, JOURNAL, RECORDS};
use crate::exit::Result;
use crate::folder::{self, HEADS};
use crate::wiring;

/// What was found of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name.
    pub part: &'static str,
    /// Whether it is as it was written.
    pub ok: bool,
    /// What was looked at, in words.
    pub detail: String,
    /// What is wrong.
    pub faults: Vec<String>,
    /// What belongs to nothing; left alone.
    pub orphans: Vec<String>,
}

impl Part {
    fn new(part: &'static str, detail: String, faults: Vec<String>) -> Self {
        Self { part, ok: faults.is_empty(), detail, faults, orphans: Vec::new() }
    }
}

/// Looks at every part of the data folder `dir`.
///
/// # Errors
/// Exit 2 when there are no records, exit 6 when the folder cannot be read; what is damaged is no error but
/// the result.
pub fn check(dir: &Path) -> Result<Vec<Part>> {
    let opened = wiring::read_records(dir);
    let records = match opened {
        Ok(records) => records,
        Err(failure) if failure.exit == crate::exit::Exit::Usage => return Err(failure),
        // Whole, as far as one can say, but of an older finstage; or gone, which the words say.
        Err(failure) if is_older(dir)? || !dir.join(RECORDS).exists() => return Err(failure),
        Err(failure) => {
            let detail = "cannot be opened".to_owned();
            return Ok(vec![Part::new("records", detail, vec![failure.to_string()]), folder(dir)?]);
        }
    };
    let journal = Journal::open(wiring::disk(), dir.join(JOURNAL), JournalOptions::default());
    let mut parts = vec![of_records(&records)];
    parts.push(ledger("trials", records.check_trials()));
    parts.push(ledger("track", records.check_track()));
    parts.push(of_journal(&journal, &records, dir)?);
    parts.push(of_history(&records, dir));
    parts.push(folder(dir)?);
    Ok(parts)
}

/// Everything that [`check`] finds wrong, each with its part in front. Beside a service that moves files while
/// they are looked at, what a second look does not find is none.
#[must_use]
pub fn faults(dir: &Path) -> Vec<String> {
    let look = || match check(dir) {
        Err(failure) => vec![format!("it cannot be checked: {failure}")],
        Ok(parts) => {
            let named = |part: Part| {
                part.faults.into_iter().map(move |fault| format!("{}: {fault}", part.part))
            };
            parts.into_iter().flat_map(named).collect()
        }
    };
    let mut faults = look();
    if !faults.is_empty() {
        let again = look();
        faults.retain(|fault| again.contains(fault));
    }
    faults
}

/// Whether the records wait for an upgrade.
fn is_older(dir: &Path) -> Result<bool> {
    let path = dir.join(RECORDS);
    Ok(path.exists()
        && Records::open_read_only(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound))
}

fn of_records(records: &Records) -> Part {
    let faults = records.faults().unwrap_or_else(|error| vec![error.to_string()]);
    let counted = |counts: usize| format!("{counts} instruments; every page, index and reference");
    let detail = records.instruments().map_or(0, |all| all.len());
    Part::new("records", counted(detail), faults)
}

fn ledger(part: &'static str, check: Result<ChainCheck, finstage_store::Error>) -> Part {
    match check {
        Err(error) => Part::new(part, "cannot be read".to_owned(), vec![error.to_string()]),
        Ok(check) => {
            let head = check.head.get(..12).unwrap_or("none");
            let detail = format!("{} entries, head {head}", check.entries);
            let fault = check.fault.map(|(number, why)| format!("entry {number}: {why}"));
            Part::new(part, detail, fault.into_iter().collect())
        }
    }
}

fn of_journal(journal: &Journal, records: &Records, dir: &Path) -> Result<Part> {
    let (mut runs, mut events, mut faults) = (0_u64, 0_u64, Vec::new());
    let days = journal.days()?;
    let mut batch = Vec::new();
    for day in &days {
        for number in journal.runs(*day)? {
            runs += 1;
            // Before the journal is read: a service at work goes on with both meanwhile.
            let said = records.last_position(*day, number)?;
            let mut read = || -> Result<_, finstage_store::Error> {
                let mut reader = journal.reader(*day, number)?;
                while reader.next_batch(&mut batch)?.is_some() {
                    events += batch.len() as u64;
                }
                Ok(reader.position())
            };
            let end = match read() {
                Ok(end) => end,
                Err(error) => {
                    faults.push(error.to_string());
                    continue;
                }
            };
            if let Some(said) = said.filter(|said| *said > end) {
                faults.push(format!(
                    "{day} run {number} ends at {end}, but something was said up to {said}"
                ));
            }
        }
    }
    let mut orphans = Vec::new();
    for name in DiskFiles.list(&dir.join(JOURNAL))? {
        let is_ours = name == "reserve" || days.iter().any(|day| day.to_string() == name);
        if !is_ours {
            orphans.push(format!("{JOURNAL}/{name}"));
        }
    }
    let counted =
        |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let detail = format!(
        "{}, {}, {}",
        counted(days.len() as u64, "day"),
        counted(runs, "run"),
        counted(events, "event")
    );
    Ok(Part { orphans, ..Part::new("journal", detail, faults) })
}

fn of_history(records: &Records, dir: &Path) -> Part {
    match wiring::history(dir, records).check() {
        Err(error) => Part::new("history", "cannot be read".to_owned(), vec![error.to_string()]),
        Ok(found) => {
            let detail = format!("{} files, {} bars", found.files, found.bars);
            let orphans = found.orphans.iter().map(|path| path.display().to_string()).collect();
            Part { orphans, ..Part::new("history", detail, found.faults) }
        }
    }
}

/// What lies in the data folder and belongs to nothing.
fn folder(dir: &Path) -> Result<Part> {
    let known = [
        RECORDS,
        JOURNAL,
        HISTORY,
        "lock",
        "token",
        "limits",
        "answers.db",
        "metrics",
        "stats",
        folder::KIND,
        HEADS[0],
        HEADS[1],
    ];
    let is_known = |name: &String| {
        let stem = name.strip_suffix("-wal").or(name.strip_suffix("-shm")).unwrap_or(name);
        known.contains(&stem)
            || name.starts_with("records.db.bak-")
            || name.ends_with(".toml")
            || name.contains(".log")
    };
    let names = DiskFiles.list(dir)?;
    let detail = format!("{} names", names.len());
    let orphans = names.into_iter().filter(|name| !is_known(name)).collect();
    Ok(Part { orphans, ..Part::new("folder", detail, Vec::new()) })
}
