//! The ledger of trials: append-only, each row chained to the one before by its SHA-256.
//!
//! A row that is changed, left out or put in between breaks the chain. The last rows could be cut off
//! without breaking it, so their number and the last hash are kept in a second place, the file
//! `trials.head` beside the database. Whoever changes both is noticed only by a copy of the head
//! elsewhere, which is why it is printed with every result.
//!
//! The rows are committed before the file is written. After a crash between the two the file is
//! behind: it then names a row of the chain, and the next trial mends it.

use std::path::{Path, PathBuf};

use finstage_model::{Timestamp, Trial};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Records;
use super::db::{Durability, Trouble};
use crate::{DiskFiles, Error, ErrorKind, Files, OpenMode};

/// The greatest number of rows that are read.
pub const MAX_TRIALS: u64 = 1_000_000;
/// The name of the second place, in the folder of the database.
const HEAD_FILE: &str = "trials.head";
/// The largest file that can be a head.
const MAX_HEAD_BYTES: usize = 4_096;

/// A trial with its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRow {
    /// From 1, without gaps.
    pub number: u64,
    /// The trial.
    pub trial: Trial,
    /// Hash of the row before; empty for the first.
    pub previous: String,
    /// Hash of this row.
    pub hash: String,
    /// When it was written; not part of the chain.
    pub recorded_at: Timestamp,
}

/// What was added to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Rows that were not there yet.
    pub added: u64,
    /// Rows now.
    pub entries: u64,
    /// Hash of the last row; empty without one.
    pub head: String,
}

/// Whether the ledger is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialsCheck {
    /// Rows that are there.
    pub entries: u64,
    /// Hash of the last row; empty without one.
    pub head: String,
    /// The first row that is not as it was written, or not there, and why; `None` when all is well.
    pub fault: Option<(u64, String)>,
}

/// What is hashed.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    number: u64,
    previous: String,
    #[serde(flatten)]
    trial: Trial,
}

/// The content of the second place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Head {
    entries: u64,
    head: String,
}

impl Records {
    /// All trials, oldest first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn trials(&self) -> Result<Vec<TrialRow>, Error> {
        self.0.read("reading the trials in", |tx| {
            let mut query = tx.prepare_cached(
                "SELECT number, body, hash, recorded_ns FROM trials ORDER BY number LIMIT ?",
            )?;
            let mut rows = query.query([MAX_TRIALS as i64])?;
            let mut trials = Vec::new();
            while let Some(row) = rows.next()? {
                let (number, text): (i64, String) = (row.get(0)?, row.get(1)?);
                let body: Body = serde_json::from_str(&text)
                    .map_err(|e| Trouble::BadRow(format!("row {number} of the trials: {e}")))?;
                trials.push(TrialRow {
                    number: number.unsigned_abs(),
                    trial: body.trial,
                    previous: body.previous,
                    hash: row.get(2)?,
                    recorded_at: Timestamp::from_nanos(row.get(3)?),
                });
            }
            Ok(trials)
        })
    }

    /// Adds trials in the order given; one whose hypothesis and data are there already is the same
    /// trial and adds nothing. `now` is only noted.
    ///
    /// # Errors
    /// `Corrupt` when rows are missing at the end, so that no later one hides it; as every writing
    /// call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn add_trials(&self, trials: &[Trial], now: Timestamp) -> Result<Appended, Error> {
        let place = self.head_place();
        let known = place.as_deref().map(read_head).transpose()?.flatten();
        let appended = self.0.write("adding trials to", Durability::Kept, |tx| {
            let mut last = last_row(tx)?;
            if let Some(known) = &known
                && known.entries > last.entries
            {
                let first = last.entries + 1;
                return Err(Trouble::BadRow(format!(
                    "row {first} of the trials is missing: put a backup in its place"
                )));
            }
            let mut added = 0;
            for trial in trials {
                added += u64::from(append(tx, trial, &mut last, now)?);
            }
            Ok(Appended { added, entries: last.entries, head: last.head })
        })?;
        if let Some(place) = place {
            let head = Head { entries: appended.entries, head: appended.head.clone() };
            if known.as_ref() != Some(&head) && (head.entries > 0 || known.is_some()) {
                write_head(&place, &head)?;
            }
        }
        Ok(appended)
    }

    /// Follows the chain from its first row and compares its end with the second place.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`. A broken chain is no error but the result.
    pub fn check_trials(&self) -> Result<TrialsCheck, Error> {
        let place = self.head_place();
        let known = place.as_deref().map(read_head).transpose()?;
        let (check, hashes) = self.0.read("reading the trials in", chain)?;
        let fault = match (&check.fault, known) {
            (Some(_), _) | (None, None) => check.fault.clone(),
            (None, Some(None)) if check.entries == 0 => None,
            (None, Some(None)) => {
                Some((check.entries, format!("the file {HEAD_FILE} that names it is missing")))
            }
            (None, Some(Some(known))) if known.entries > check.entries => {
                Some((check.entries + 1, "it is missing".to_owned()))
            }
            // A file that is behind after a crash still names a row of the chain.
            (None, Some(Some(known))) => {
                let place = usize::try_from(known.entries).unwrap_or(usize::MAX);
                let named = place.checked_sub(1).map(|place| hashes[place].as_str());
                (named.unwrap_or("") != known.head)
                    .then(|| (known.entries.max(1), format!("{HEAD_FILE} has another hash")))
            }
        };
        Ok(TrialsCheck { fault, ..check })
    }

    /// The file of the second place; none for a database in memory.
    fn head_place(&self) -> Option<PathBuf> {
        self.0.path().map(|path| path.with_file_name(HEAD_FILE))
    }
}

fn last_row(tx: &Connection) -> Result<Head, Trouble> {
    let sql = "SELECT number, hash FROM trials ORDER BY number DESC LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Head { entries: row.get::<_, i64>(0)?.unsigned_abs(), head: row.get(1)? })
    };
    Ok(tx.query_row(sql, (), row).optional()?.unwrap_or_default())
}

/// Adds one row after `last`; false when the trial is there.
fn append(
    tx: &Transaction<'_>,
    trial: &Trial,
    last: &mut Head,
    now: Timestamp,
) -> Result<bool, Trouble> {
    let sql = "SELECT 1 FROM trials WHERE hypothesis = ? AND data_hash = ?";
    let known = tx.prepare_cached(sql)?.exists(params![trial.hypothesis, trial.data_hash])?;
    if known {
        return Ok(false);
    }
    let number = last.entries + 1;
    let body = Body { number, previous: last.head.clone(), trial: trial.clone() };
    // Keys of a `Value` are sorted: this text is the canonical form.
    let text = serde_json::to_value(&body)
        .map_err(|e| Trouble::BadRow(format!("a trial that cannot be written: {e}")))?
        .to_string();
    let hash = sha256(&text);
    let row = params![number as i64, trial.hypothesis, trial.data_hash, text, hash, now.nanos()];
    tx.prepare_cached("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)")?.execute(row)?;
    *last = Head { entries: number, head: hash };
    Ok(true)
}

/// Follows the chain; gives the hashes of its rows as well.
fn chain(tx: &Connection) -> Result<(TrialsCheck, Vec<String>), Trouble> {
    let mut query = tx.prepare("SELECT number, body, hash FROM trials ORDER BY number LIMIT ?")?;
    let mut rows = query.query([MAX_TRIALS as i64])?;
    let mut hashes: Vec<String> = Vec::new();
    let mut fault = None;
    while let Some(row) = rows.next()? {
        let (number, text, hash): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let wanted = hashes.len() as u64 + 1;
        let before = hashes.last().map_or("", String::as_str);
        if fault.is_none() {
            fault = flaw(number.unsigned_abs(), &text, &hash, (wanted, before));
        }
        hashes.push(hash);
    }
    let head = hashes.last().cloned().unwrap_or_default();
    Ok((TrialsCheck { entries: hashes.len() as u64, head, fault }, hashes))
}

/// What is wrong with a row, and the number that is to be named.
fn flaw(
    number: u64,
    text: &str,
    hash: &str,
    (wanted, before): (u64, &str),
) -> Option<(u64, String)> {
    if number != wanted {
        return Some((wanted, "it is missing".to_owned()));
    }
    if sha256(text) != hash {
        return Some((number, "it was changed: its hash is another".to_owned()));
    }
    match serde_json::from_str::<Body>(text) {
        Ok(body) if body.number == number && body.previous == before => None,
        Ok(_) => Some((number, "it does not follow the row before it".to_owned())),
        Err(e) => Some((number, format!("it cannot be read: {e}"))),
    }
}

fn sha256(text: &str) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    hex
}

/// The content of the second place; `None` when there is none.
fn read_head(path: &Path) -> Result<Option<Head>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("reading", path, error)),
    };
    let head = (text.len() <= MAX_HEAD_BYTES).then(|| serde_json::from_str(&text).ok()).flatten();
    let message = || format!("{} is damaged: put a backup in its place", path.display());
    head.map(Some).ok_or_else(|| Error::new(ErrorKind::Corrupt, message()))
}

/// Writes the second place, whole and durable or not at all.
fn write_head(path: &Path, head: &Head) -> Result<(), Error> {
    let text = serde_json::to_string(head)
        .map_err(|e| Error::new(ErrorKind::Io, format!("writing {}: {e}", path.display())))?;
    let unfinished = path.with_extension("head.tmp");
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let write = || {
        let file = DiskFiles.open(&unfinished, OpenMode::Create)?;
        file.append(format!("{text}\n").as_bytes())?;
        file.sync()?;
        DiskFiles.rename(&unfinished, path)?;
        DiskFiles.sync_dir(folder.unwrap_or_else(|| Path::new(".")))
    };
    write().map_err(|e| Error::io("writing", path, e))
}

#[cfg(test)]
mod tests {
    use finstage_model::{ClaimKind, Interval, TrialKind};

    use super::*;

    fn trial(hypothesis: &str, data_hash: &str) -> Trial {
        Trial {
            kind: TrialKind::Verify,
            hypothesis: hypothesis.to_owned(),
            family_key: "x".to_owned(),
            strategy: "x(p=1)".to_owned(),
            scope: "all".to_owned(),
            interval: Interval::D1,
            horizon: Some("1w".parse().unwrap()),
            claim: Some(ClaimKind::Direction),
            data_hash: data_hash.to_owned(),
            from: Timestamp::from_secs(0),
            to: Timestamp::from_secs(86_400),
            code_version: "0".to_owned(),
            count: 1,
            search: None,
            n_eff: Some(31),
            p: Some(0.125),
            look: 1,
            share: 0.6,
            verdict: None,
            result: "r".to_owned(),
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_secs(1)
    }

    fn three() -> (tempfile::TempDir, Records) {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(&dir.path().join("records.db")).unwrap();
        let trials = ["a", "b", "c"].map(|name| trial(name, "d"));
        let said = records.add_trials(&trials, now()).unwrap();
        assert_eq!((said.added, said.entries), (3, 3));
        (dir, records)
    }

    fn alter(dir: &tempfile::TempDir, sql: &str) {
        Connection::open(dir.path().join("records.db")).unwrap().execute_batch(sql).unwrap();
    }

    fn fault(records: &Records) -> (u64, String) {
        records.check_trials().unwrap().fault.unwrap()
    }

    #[test]
    fn a_repeated_trial_counts_once_and_other_data_anew() {
        let (_dir, records) = three();
        let before = records.check_trials().unwrap();
        let again = records.add_trials(&[trial("b", "d"), trial("b", "d")], now()).unwrap();
        assert_eq!((again.added, &again.head), (0, &before.head));
        let more = records.add_trials(&[trial("b", "other")], now()).unwrap();
        assert_eq!((more.added, more.entries), (1, 4));
        let rows = records.trials().unwrap();
        assert_eq!(rows[3].previous, before.head);
        assert_eq!(rows[3].trial, trial("b", "other"));
        assert_eq!(records.check_trials().unwrap().fault, None);
    }

    #[test]
    fn the_hash_is_sha_256_of_the_canonical_row() {
        assert_eq!(
            sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let (dir, _records) = three();
        let connection = Connection::open(dir.path().join("records.db")).unwrap();
        let sql = "SELECT body FROM trials WHERE number = 1";
        let body: String = connection.query_row(sql, (), |row| row.get(0)).unwrap();
        assert!(
            body.starts_with(r#"{"claim":"direction","code_version":"0","count":1,"#),
            "{body}"
        );
        assert!(body.contains(r#""number":1,"p":0.125,"previous":"","result":"r""#), "{body}");
    }

    #[test]
    fn a_changed_row_is_named() {
        let (dir, records) = three();
        alter(&dir, "UPDATE trials SET body = replace(body, '0.125', '0.5') WHERE number = 2");
        assert_eq!(fault(&records), (2, "it was changed: its hash is another".to_owned()));
    }

    #[test]
    fn a_row_taken_from_the_middle_is_named() {
        let (dir, records) = three();
        alter(&dir, "DELETE FROM trials WHERE number = 2");
        assert_eq!(fault(&records), (2, "it is missing".to_owned()));
        alter(&dir, "UPDATE trials SET number = 2 WHERE number = 3");
        assert_eq!(fault(&records), (2, "it does not follow the row before it".to_owned()));
    }

    #[test]
    fn a_row_taken_from_the_end_is_noticed_and_cannot_be_covered() {
        let (dir, records) = three();
        alter(&dir, "DELETE FROM trials WHERE number = 3");
        assert_eq!(fault(&records), (3, "it is missing".to_owned()));
        let refused = records.add_trials(&[trial("z", "d")], now()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        assert!(refused.to_string().contains("row 3 of the trials is missing"), "{refused}");
    }

    #[test]
    fn a_second_place_that_is_gone_or_altered_is_noticed() {
        let (dir, records) = three();
        let file = dir.path().join(HEAD_FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(fault(&records).0, 3);
        std::fs::write(&file, text.replace("\"entries\":3", "\"entries\":2")).unwrap();
        assert_eq!(fault(&records), (2, "trials.head has another hash".to_owned()));
    }

    #[test]
    fn a_crash_between_rows_and_file_is_healed_by_the_next_trial() {
        let (dir, records) = three();
        let file = dir.path().join(HEAD_FILE);
        let behind = std::fs::read(&file).unwrap();
        records.add_trials(&[trial("d", "d")], now()).unwrap();
        std::fs::write(&file, behind).unwrap();
        assert_eq!(records.check_trials().unwrap().fault, None);
        let said = records.add_trials(&[], now()).unwrap();
        let head = read_head(&file).unwrap().unwrap();
        assert_eq!((head.entries, head.head), (4, said.head));
    }
}
