//! Marks of imports: which series got bars that no event brought.
//!
//! An import writes beside a running service, whose engine knows bars from events alone. So every
//! import numbers the series that it added bars to, in the transaction that adds them, and a
//! service asks now and then what is newer than the newest number it has seen. One row a series:
//! a thousand imports leave as many marks as they touched series.

use finstage_model::{InstrumentId, Interval};
use rusqlite::{Connection, params};

use super::db::Trouble;
use super::{Records, SeriesId, parse};
use crate::Error;

/// A series that an import has added bars to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The length of the bars.
    pub interval: Interval,
    /// Greater than that of every import before.
    pub number: i64,
}

impl Records {
    /// The series that imports have added bars to since the mark `number`, in the order of their
    /// newest marks; from 0 all that ever were.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn touched_since(&self, number: i64) -> Result<Vec<Touched>, Error> {
        self.0.read("looking for imports in", |tx| {
            let sql = "SELECT instrument, interval, number FROM touched
                WHERE number > ? ORDER BY number";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query([number])?;
            let mut touched = Vec::new();
            while let Some(row) = rows.next()? {
                touched.push(Touched {
                    instrument: InstrumentId(row.get("instrument")?),
                    interval: parse(row, "interval")?,
                    number: row.get("number")?,
                });
            }
            Ok(touched)
        })
    }
}

/// Marks a series in the transaction that adds bars to it.
pub(super) fn touch(tx: &Connection, series: SeriesId) -> Result<(), Trouble> {
    let sql = "INSERT INTO touched
        SELECT ?1, ?2, coalesce(max(number), 0) + 1 FROM touched WHERE true
        ON CONFLICT (instrument, interval) DO UPDATE SET number = excluded.number";
    let key = params![series.instrument.0, series.interval.as_str()];
    tx.prepare_cached(sql)?.execute(key)?;
    Ok(())
}
