//! Minutes in which a service was there, and in which it was ready: what availability is computed of.

use finstage_model::{Day, Timestamp};
use rusqlite::params;

use super::Records;
use super::db::Durability;
use crate::Error;

/// The most days that are read.
const MAX_DAYS: i64 = 3_660;

/// What a service noted of itself on one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UptimeDay {
    /// The day.
    pub day: Day,
    /// Minutes in which it ran.
    pub alive: u32,
    /// Minutes in which it was ready.
    pub ready: u32,
    /// The first minute that it noted, from 0.
    pub first: u32,
}

impl Records {
    /// Notes that the service runs in the minute of `at`, and whether it is ready; once a minute counts, and
    /// a minute that was ready once stays so.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn note_uptime(&self, at: Timestamp, is_ready: bool) -> Result<(), Error> {
        let minute = at.since(at.day().start()).as_secs() / 60;
        self.0.write("noting the uptime in", Durability::Derived, |tx| {
            let sql = "INSERT INTO uptime VALUES (?1, 1, ?3, ?2, ?2, ?3)
                ON CONFLICT DO UPDATE SET
                    alive = alive + (?2 > last),
                    ready = ready + CASE WHEN ?2 > last THEN ?3 ELSE max(?3 - is_ready, 0) END,
                    is_ready = CASE WHEN ?2 > last THEN ?3 ELSE max(?3, is_ready) END,
                    last = max(last, ?2)";
            let values = params![at.day().days(), minute as i64, i64::from(is_ready)];
            tx.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
    }

    /// What was noted since `day`, oldest first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn uptime_since(&self, day: Day) -> Result<Vec<UptimeDay>, Error> {
        self.0.read("reading the uptime in", |tx| {
            let sql =
                "SELECT day, alive, ready, first FROM uptime WHERE day >= ? ORDER BY day LIMIT ?";
            let mut query = tx.prepare_cached(sql)?;
            let row = |row: &rusqlite::Row<'_>| {
                let day = Day::from_days(row.get(0)?);
                Ok(UptimeDay { day, alive: row.get(1)?, ready: row.get(2)?, first: row.get(3)? })
            };
            let days: rusqlite::Result<Vec<UptimeDay>> =
                query.query_map(params![day.days(), MAX_DAYS], row)?.collect();
            Ok(days?)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_minute_counts_once_and_is_ready_when_it_was_so_once() {
        let records = Records::open_in_memory().unwrap();
        let start = Day::from_days(20_000).start();
        let at = |seconds| start.plus(Duration::from_secs(seconds));
        for (second, is_ready) in
            [(120, false), (130, true), (150, false), (180, false), (310, true), (311, true)]
        {
            records.note_uptime(at(second), is_ready).unwrap();
        }
        let days = records.uptime_since(Day::from_days(19_999)).unwrap();
        assert_eq!(days, [UptimeDay { day: start.day(), alive: 3, ready: 2, first: 2 }]);
    }
}
