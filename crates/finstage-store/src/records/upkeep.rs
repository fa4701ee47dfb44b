//! Care of the database file: a copy of one moment, what SQLite and our own rules find wrong in it, and
//! the space that forgotten rows leave.

use std::path::Path;

use finstage_model::{Direction, Interval, SignalId, Symbol, Timestamp};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::db::Trouble;
use super::{Records, parse};
use crate::{Error, ErrorKind};

/// The most faults that are told.
pub const MAX_FAULTS: usize = 100;

impl Records {
    /// Writes a copy of one moment to the new file `to`, while others read and write. It has no log of
    /// its own beside it and is on disk when this returns.
    ///
    /// # Errors
    /// `Refused` for a database in memory, `Held` when another process holds it wholly, `Full`, `Corrupt`
    /// or `Io`.
    pub fn copy_to(&self, to: &Path) -> Result<(), Error> {
        let Some(path) = self.0.path() else {
            return Err(Error::new(ErrorKind::Refused, "a database in memory has no copy on disk"));
        };
        let failed = |e| Error::sql("copying", path, e);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let from = Connection::open_with_flags(path, flags).map_err(failed)?;
        from.busy_timeout(super::BUSY_TIMEOUT).map_err(failed)?;
        let written = |e| Error::sql("writing", to, e);
        let mut copy = Connection::open(to).map_err(written)?;
        // All pages in one step: readers of the log keep their moment, and hold up no writer.
        let step = Backup::new(&from, &mut copy).and_then(|backup| backup.step(-1));
        if step.map_err(failed)? != StepResult::Done {
            let message =
                format!("copying {}: another process holds it; try again", path.display());
            return Err(Error::new(ErrorKind::Held, message));
        }
        copy.pragma_update(None, "journal_mode", "DELETE").map_err(written)?;
        copy.close().map_err(|(_, e)| written(e))?;
        std::fs::File::open(to).and_then(|f| f.sync_all()).map_err(|e| Error::io("syncing", to, e))
    }

    /// What is wrong with the database, in words; nothing when all is well. Every page, index, reference
    /// and signal is looked at.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn faults(&self) -> Result<Vec<String>, Error> {
        self.0.read("checking", |tx| {
            let mut faults = Vec::new();
            let sql = format!("PRAGMA integrity_check({MAX_FAULTS})");
            let mut query = tx.prepare(&sql)?;
            let mut rows = query.query(())?;
            while let Some(row) = rows.next()? {
                let said: String = row.get(0)?;
                if said != "ok" {
                    faults.push(said);
                }
            }
            let mut query = tx.prepare("PRAGMA foreign_key_check")?;
            let mut rows = query.query(())?;
            while let Some(row) = rows.next()? {
                let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
                faults.push(format!(
                    "a row of {table} refers to a row of {parent} that is not there"
                ));
            }
            misnamed_signals(tx, &mut faults)?;
            faults.truncate(MAX_FAULTS);
            Ok(faults)
        })
    }

    /// Gives space that no row needs any more back to the disk. Places of the stream stay as they are.
    /// Needs as much free disk as the database is large, and holds up writers meanwhile.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn vacuum(&self) -> Result<(), Error> {
        self.0.outside_transactions("vacuuming", |connection| {
            connection
                .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
                .map_err(Trouble::Sql)
        })
    }
}

/// An id follows from what a signal says: a row that was changed no longer has its own.
fn misnamed_signals(tx: &Connection, faults: &mut Vec<String>) -> Result<(), Trouble> {
    let sql = "SELECT id, strategy, symbol, interval, open_time, direction FROM signals";
    let mut query = tx.prepare(sql)?;
    let mut rows = query.query(())?;
    while let Some(row) = rows.next()? {
        let strategy: String = row.get("strategy")?;
        let (symbol, interval): (Symbol, Interval) =
            (parse(row, "symbol")?, parse(row, "interval")?);
        let word: String = row.get("direction")?;
        let direction = match word == Direction::Long.as_str() {
            true => Direction::Long,
            false => Direction::Short,
        };
        let open_time = Timestamp::from_nanos(row.get("open_time")?);
        let (id, own): (String, _) =
            (row.get("id")?, SignalId::of(&strategy, &symbol, interval, open_time, direction));
        if own.to_string() != id && faults.len() < MAX_FAULTS {
            faults.push(format!("signal {id} was changed: what it says has the id {own}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, Records};
    use super::*;
    use crate::suite::records::batch;

    #[test]
    fn a_copy_is_of_one_moment_and_needs_no_log_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(&dir.path().join("records.db")).unwrap();
        records.apply(&batch(1, 0, 12)).unwrap();
        let copies = tempfile::tempdir().unwrap();
        let path = copies.path().join("records.db");
        records.copy_to(&path).unwrap();
        records.apply(&batch(1, 12, 24)).unwrap();
        let names: Vec<_> = std::fs::read_dir(copies.path()).unwrap().collect();
        assert_eq!(names.len(), 1);
        let copy = Records::open(&path).unwrap();
        assert_eq!(copy.signals(&Filter::newest(99)).unwrap().len(), 4);
        assert_eq!(copy.faults().unwrap(), Vec::<String>::new());
        assert_eq!(
            copy.apply(&batch(1, 12, 24)).unwrap().signals,
            4,
            "the copy goes on as the first does"
        );
    }

    #[test]
    fn a_signal_that_was_changed_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.db");
        let records = Records::open(&path).unwrap();
        records.apply(&batch(1, 0, 12)).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute("UPDATE signals SET open_time = open_time + 1 WHERE number = 2", ()).unwrap();
        let faults = records.faults().unwrap();
        assert!(faults.len() == 1 && faults[0].contains("was changed"), "{faults:?}");
    }

    #[test]
    fn space_of_forgotten_rows_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.db");
        let records = Records::open(&path).unwrap();
        records.apply(&batch(1, 0, 4_000)).unwrap();
        records.vacuum().unwrap();
        let size = || std::fs::metadata(&path).unwrap().len();
        let before = size();
        Connection::open(&path).unwrap().execute("DELETE FROM signals", ()).unwrap();
        records.vacuum().unwrap();
        assert!(size() < before * 9 / 10, "{} of {before}", size());
    }
}
