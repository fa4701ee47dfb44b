//! The ledger of trials: everything that was tried on data, once for each hypothesis and data.

use finstage_model::{Timestamp, Trial};
use rusqlite::{Transaction, params};
use serde::Deserialize;

use super::Records;
use super::chain::{Appended, ChainCheck, Head, Ledger};
use super::db::Trouble;
use crate::Error;

/// The greatest number of rows that are read.
pub const MAX_TRIALS: u64 = 1_000_000;

const LEDGER: Ledger = Ledger { table: "trials", head_file: "trials.head", max_rows: MAX_TRIALS };

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

/// What is hashed, less the number.
#[derive(Debug, Deserialize)]
struct Body {
    previous: String,
    #[serde(flatten)]
    trial: Trial,
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
        LEDGER.add(&self.0, |tx, last| {
            let mut added = 0;
            for trial in trials {
                added += u64::from(append(tx, trial, last, now)?);
            }
            Ok(added)
        })
    }

    /// The end of the chain as it stands; it is not followed.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn trials_head(&self) -> Result<Head, Error> {
        self.0.read("reading the trials in", |tx| LEDGER.last_row(tx))
    }

    /// Follows the chain from its first row and compares its end with the second place.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`. A broken chain is no error but the result.
    pub fn check_trials(&self) -> Result<ChainCheck, Error> {
        LEDGER.check(&self.0)
    }
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
    let row = last.seal(trial)?;
    let values = params![
        row.number as i64,
        trial.hypothesis,
        trial.data_hash,
        row.text,
        row.hash,
        now.nanos()
    ];
    tx.prepare_cached("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)")?.execute(values)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use finstage_model::{ClaimKind, Interval, TrialKind};
    use rusqlite::Connection;

    use super::super::chain::{read_head, sha256};
    use super::*;
    use crate::ErrorKind;

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
        let file = dir.path().join(LEDGER.head_file);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(fault(&records).0, 3);
        std::fs::write(&file, text.replace("\"entries\":3", "\"entries\":2")).unwrap();
        assert_eq!(fault(&records), (2, "trials.head has another hash".to_owned()));
    }

    #[test]
    fn a_crash_between_rows_and_file_is_healed_by_the_next_trial() {
        let (dir, records) = three();
        let file = dir.path().join(LEDGER.head_file);
        let behind = std::fs::read(&file).unwrap();
        records.add_trials(&[trial("d", "d")], now()).unwrap();
        std::fs::write(&file, behind).unwrap();
        assert_eq!(records.check_trials().unwrap().fault, None);
        let said = records.add_trials(&[], now()).unwrap();
        let head = read_head(&file).unwrap().unwrap();
        assert_eq!((head.entries, head.head), (4, said.head));
    }
}
