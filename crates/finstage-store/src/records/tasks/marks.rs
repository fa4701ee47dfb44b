//! How far each schedule came.

use finstage_model::Timestamp;
use rusqlite::{Transaction, params};

use crate::Error;
use crate::records::Records;
use crate::records::db::Trouble;

/// How far a schedule came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The schedule.
    pub name: String,
    /// The occurrence that was last submitted, or passed over.
    pub last_at: Timestamp,
}

impl Records {
    /// How far the schedules came, by name.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn schedule_marks(&self) -> Result<Vec<Mark>, Error> {
        self.0.read("reading schedules in", |tx| {
            let mut query =
                tx.prepare_cached("SELECT name, last_at FROM schedules ORDER BY name")?;
            let mut rows = query.query(())?;
            let mut marks = Vec::new();
            while let Some(row) = rows.next()? {
                let last_at = Timestamp::from_nanos(row.get(1)?);
                marks.push(Mark { name: row.get(0)?, last_at });
            }
            Ok(marks)
        })
    }

    /// When a task of each type last ended well, as far as that is kept.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn task_types_done(&self) -> Result<Vec<(String, Timestamp)>, Error> {
        self.0.read("reading when jobs ran in", |tx| {
            let sql = "SELECT kind, max(finished_at) FROM tasks WHERE state = 'done' GROUP BY kind";
            let mut query = tx.prepare_cached(sql)?;
            let rows =
                query.query_map((), |row| Ok((row.get(0)?, Timestamp::from_nanos(row.get(1)?))))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Notes how far a schedule came.
pub(super) fn set(tx: &Transaction<'_>, mark: &Mark) -> Result<(), Trouble> {
    let values = params![mark.name, mark.last_at.nanos()];
    let sql = "UPDATE schedules SET last_at = ?2 WHERE name = ?1";
    if tx.prepare_cached(sql)?.execute(values)? == 0 {
        tx.prepare_cached("INSERT INTO schedules (name, last_at) VALUES (?, ?)")?
            .execute(values)?;
    }
    Ok(())
}
