//! `finstage track-record`

pub(crate) mod stats;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use finstage_store::journal::JournalOptions;
use finstage_store::records::{ChainCheck, Records};
use finstage_store::{ErrorKind, FolderLock, Journal};
use serde_json::json;

use super::bars::to_file;
use super::{data_dir, load_without_channels, print_json, print_line, say};
use crate::cli::{Global, TrackRecord};
use crate::exit::{Exit, Failure, Result};
use crate::track::{audit, line, update_at_rest};
use crate::wiring;

/// Entries that are read at once.
const PAGE: usize = 10_000;

pub(super) fn run(global: &Global, args: &TrackRecord) -> Result<Exit> {
    match args {
        TrackRecord::Export { output } => export(global, output.as_deref()),
        TrackRecord::Verify { file, head } => verify(global, file, head.as_deref()),
        TrackRecord::Stats => {
            let dir = data_dir(global, &load_without_channels(global)?);
            let records = up_to_date(global, &dir)?;
            stats::show(global, &records, &wiring::history(&dir, &records))?;
            Ok(Exit::Done)
        }
    }
}

fn export(global: &Global, output: Option<&Path>) -> Result<Exit> {
    let dir = data_dir(global, &load_without_channels(global)?);
    let records = up_to_date(global, &dir)?;
    let check = records.check_track()?;
    if let Some((row, why)) = &check.fault {
        let message =
            format!("the track record is not whole: row {row}: {why}: put a backup in its place");
        return Err(Failure::new(Exit::CheckFailed, message));
    }
    let ChainCheck { entries, head, .. } = &check;
    let last = json!({"entries": entries, "head": head, "ok": true});
    let Some(path) = output else {
        each(&records, *entries, &mut |line| print_line(line))?;
        print_line(&last.to_string())?;
        return Ok(Exit::Done);
    };
    // Whatever else than the file goes wrong is said as it is.
    let mut trouble = None;
    to_file(path, |out| {
        let written = each(&records, *entries, &mut |line| Ok(writeln!(out, "{line}")?));
        trouble = written.err();
        writeln!(out, "{last}")
    })?;
    if let Some(trouble) = trouble {
        std::fs::remove_file(path)?;
        return Err(trouble);
    }
    if global.json {
        let file = path.display().to_string();
        print_json(&json!({"entries": entries, "head": head, "ok": true, "file": file}))?;
    } else {
        print_line(&format!("{entries} entries, head {head}"))?;
    }
    Ok(Exit::Done)
}

/// The records with everything in the track record that can be, as far as nobody else holds them.
pub(super) fn up_to_date(global: &Global, dir: &Path) -> Result<Records> {
    let reading = wiring::read_records(dir);
    if matches!(&reading, Err(failure) if failure.exit == Exit::Usage) {
        return reading;
    }
    let lock = match FolderLock::acquire(dir) {
        Ok(lock) => lock,
        Err(held) if held.kind() == ErrorKind::Held => {
            say(global, format_args!("a running service adds to the track record once an hour"));
            return reading;
        }
        Err(error) => return Err(error.into()),
    };
    let records = Records::open(&dir.join("records.db"))?;
    let history = wiring::history(dir, &records);
    let journal = Journal::open(wiring::disk(), dir.join("journal"), JournalOptions::default());
    update_at_rest(&records, &history, &journal)?;
    drop(lock);
    Ok(records)
}

/// The lines of the first `entries` entries.
fn each(records: &Records, entries: u64, take: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    let mut after = 0;
    while after < entries {
        let rows = records.track(after, PAGE)?;
        for row in rows.iter().filter(|row| row.number <= entries) {
            take(&line(row))?;
        }
        let Some(last) = rows.last() else { break };
        after = last.number;
    }
    Ok(())
}

fn verify(global: &Global, file: &Path, head: Option<&str>) -> Result<Exit> {
    let is_stdin = file.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { file.display().to_string() };
    let mut lines: Box<dyn BufRead> = match is_stdin {
        true => Box::new(io::stdin().lock()),
        false => {
            let opened = File::open(file);
            let opened = opened.map_err(|e| Failure::usage(format!("reading {name}: {e}")))?;
            Box::new(BufReader::new(opened))
        }
    };
    let done =
        audit(&mut lines, head).map_err(|e| Failure::usage(format!("reading {name}: {e}")))?;
    if global.json {
        let fault = done.fault.as_ref().map(|(line, why)| json!({"line": line, "why": why}));
        let ok = done.fault.is_none();
        print_json(&json!({"entries": done.entries, "head": done.head, "ok": ok, "fault": fault}))?;
    } else if done.fault.is_none() {
        print_line(&format!("ok: {} entries, head {}", done.entries, done.head))?;
    }
    match &done.fault {
        None => Ok(Exit::Done),
        Some((line, why)) => {
            let message = format!("{name} line {line}: {why}: get the file from its source again");
            Err(Failure::new(Exit::CheckFailed, message))
        }
    }
}
