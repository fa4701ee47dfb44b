//! From the tail to the shelf: months that are over.
//!
//! Run it once a day. A month is moved [`SETTLED_AFTER`] its end, when no replay and no rewinding
//! of the journal can touch its bars again. Bars that were imported late are merged into the file
//! of their period, which gets a new generation.

use std::time::Duration;

use finstage_model::{Interval, Timestamp};

use super::generation::{Change, Swept};
use super::import::{News, add, file_of, has_whole_micros, same_period};
use super::period::Period;
use super::shelf::{History, Series};
use crate::Error;
use crate::records::TailPart;

/// How long after its end a month is moved: longer than a day's journal can be replayed.
pub const SETTLED_AFTER: Duration = Duration::from_secs(2 * 86_400);

/// What [`History::compact`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Files written.
    pub files: u64,
    /// Bars moved to them.
    pub bars: u64,
    /// Bars of the tail that the shelf had already, the same.
    pub duplicates: u64,
    /// Bars of the tail of which the shelf had another: that one stays.
    pub revisions: u64,
    /// What earlier runs had left behind.
    pub swept: Swept,
}

impl History {
    /// Moves the bars of closed months from the tail to Parquet files, and removes what killed
    /// writers left. Killed at any point and run again, no bar is lost, doubled or replaced.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`; `Stale` when other writers were
    /// faster [`super::WRITE_ATTEMPTS`] times. What was moved until then stays moved.
    pub fn compact(&self, now: Timestamp) -> Result<Compacted, Error> {
        let until = Interval::Mo1.open_of(now.minus(SETTLED_AFTER));
        let mut done = Compacted { swept: self.sweep()?, ..Compacted::default() };
        for (symbol, id) in self.records.series()? {
            let series = Series { id, dir: self.series_dir(&symbol, id.interval) };
            let moved = self.contended(|| self.compact_series(&series, until))?;
            done.files += moved.files;
            done.bars += moved.bars;
            done.duplicates += moved.duplicates;
            done.revisions += moved.revisions;
        }
        Ok(done)
    }

    fn compact_series(&self, series: &Series, until: Timestamp) -> Result<Compacted, Error> {
        let interval = series.id.interval;
        let part = TailPart::Between(Timestamp::MIN, until);
        let (periods, tail) = self.records.shelf(series.id, part)?;
        let mut done = Compacted::default();
        let mut changes = Vec::new();
        for tail in tail.chunk_by(|a, b| same_period(interval, a, b)) {
            // No file can hold them; the tail can.
            if tail.iter().any(|bar| !has_whole_micros(bar.open_time)) {
                continue;
            }
            let period = Period::of(interval, tail[0].open_time);
            let base = file_of(&periods, period);
            let mut merged = match &base {
                Some(file) => self.read_file(series, file)?,
                None => Vec::new(),
            };
            let new = News::of(tail, &[&merged]);
            done.duplicates += new.duplicates;
            done.revisions += new.revisions;
            done.bars += new.bars.len() as u64;
            let is_new = !new.bars.is_empty();
            add(&mut merged, new.bars);
            let range = period.range();
            changes.push(Change {
                period,
                base,
                bars: is_new.then_some(merged),
                tail_range: range.start..range.end.min(until),
                tail: tail.to_vec(),
                moves_tail: true,
            });
        }
        done.files = self.put(series, changes)?;
        Ok(done)
    }
}
