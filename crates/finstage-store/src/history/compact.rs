//! From the tail to the shelf: months that are over, and of a running month the days that are, where they are many.
//!
//! Run it once a day, and after imports. A month or day is moved [`SETTLED_AFTER`] its end, when no replay and no
//! rewinding of the journal can touch its bars again. Bars of a month that has a file are merged into it, and it gets a
//! new generation: a series of minutes is written anew each day, one of hours at the end of its month only.

use std::ops::Range;
use std::time::Duration;

use finstage_model::{Interval, Symbol, Timestamp};

use super::generation::{Change, Swept};
use super::import::{News, add, file_of, has_whole_micros};
use super::period::Period;
use super::shelf::{History, Series};
use crate::Error;
use crate::records::TailPart;

/// How long after its end a month is moved: longer than a day's journal can be replayed.
pub const SETTLED_AFTER: Duration = Duration::from_secs(2 * 86_400);
/// Days of a running month are moved when they have so many bars: less than a day of minutes, and worth a file. With
/// [`SETTLED_AFTER`] it bounds the tail of a series, whatever the day of the month.
pub const DAYS_MIN_BARS: usize = 1_000;

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

impl Compacted {
    fn add(&mut self, more: &Self) {
        self.files += more.files;
        self.bars += more.bars;
        self.duplicates += more.duplicates;
        self.revisions += more.revisions;
    }
}

/// Up to where bars may be moved.
#[derive(Debug, Clone, Copy)]
struct Settled {
    months: Timestamp,
    days: Timestamp,
}

impl Settled {
    fn by(now: Timestamp) -> Self {
        let settled = now.minus(SETTLED_AFTER);
        Self { months: Interval::Mo1.open_of(settled), days: Interval::D1.open_of(settled) }
    }
}

impl History {
    /// Moves the bars of closed months, and of closed days where they are [`DAYS_MIN_BARS`], from the tail to Parquet
    /// files, and removes what killed writers left. Killed at any point and run again, no bar is lost, doubled or replaced.
    ///
    /// Other writers of the database wait for one month of one series at most. Between two of them
    /// `goes_on` is asked; when it says no, the rest stays for the next run.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`; `Stale` when other writers were
    /// faster [`super::WRITE_ATTEMPTS`] times. What was moved until then stays moved.
    pub fn compact(&self, now: Timestamp, goes_on: &dyn Fn() -> bool) -> Result<Compacted, Error> {
        let mut done = Compacted { swept: self.sweep()?, ..Compacted::default() };
        for (symbol, id) in self.records.series()? {
            let series = Series { id, dir: self.series_dir(&symbol, id.interval) };
            done.add(&self.move_closed(&series, now, goes_on)?);
        }
        Ok(done)
    }

    /// As [`History::compact`] for one series.
    ///
    /// # Errors
    /// As [`History::compact`].
    pub fn compact_series(
        &self,
        symbol: &Symbol,
        interval: Interval,
        now: Timestamp,
    ) -> Result<Compacted, Error> {
        let mut done = Compacted::default();
        if let Some(series) = self.series_of(symbol, interval)? {
            self.sweep_series(&series, &mut done.swept)?;
            done.add(&self.move_closed(&series, now, &|| true)?);
        }
        Ok(done)
    }

    /// Month by month, so that no transaction is longer than a month.
    fn move_closed(
        &self,
        series: &Series,
        now: Timestamp,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Compacted, Error> {
        let until = Settled::by(now);
        let mut done = Compacted::default();
        let (_, extent) = self.records.tail_extent(series.id)?;
        let Some(Range { start: mut at, end: last }) = extent else { return Ok(done) };
        while at <= last && at < until.days && goes_on() {
            let period = Period::of(series.id.interval, at);
            done.add(&self.contended(|| self.compact_period(series, period, until))?);
            at = period.range().end;
        }
        Ok(done)
    }

    fn compact_period(
        &self,
        series: &Series,
        period: Period,
        until: Settled,
    ) -> Result<Compacted, Error> {
        let range = period.range();
        let mut tail_range = range.start..range.end.min(until.days);
        let part = TailPart::Between(tail_range.start, tail_range.end);
        let (periods, mut tail) = self.records.shelf(series.id, part)?;
        if tail.len() < DAYS_MIN_BARS {
            tail_range.end = range.end.min(until.months);
            tail.retain(|bar| bar.open_time < tail_range.end);
        }
        // Finer stamps: no file can hold them; the tail can.
        if tail.is_empty() || tail.iter().any(|bar| !has_whole_micros(bar.open_time)) {
            return Ok(Compacted::default());
        }
        let base = file_of(&periods, period);
        let mut merged = match &base {
            Some(file) => self.read_file(series, file)?,
            None => Vec::new(),
        };
        let new = News::of(&tail, &[&merged]);
        let bars = new.bars.len() as u64;
        add(&mut merged, new.bars);
        let change = Change {
            period,
            base,
            bars: (bars > 0).then_some(merged),
            tail_range,
            tail,
            moves_tail: true,
        };
        Ok(Compacted {
            files: self.put(series, vec![change])?,
            bars,
            duplicates: new.duplicates,
            revisions: new.revisions,
            swept: Swept::default(),
        })
    }
}
