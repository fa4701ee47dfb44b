//! Reads bars from delimited text: our own form and those of yfinance, TradingView and Binance.
//!
//! The file runs through in one pass: `input` makes clean lines of bytes, `layout` finds the
//! columns from the header, `stamp` and `number` read cells, `label` infers the interval from the
//! first rows and turns stamps into open times. Memory is the bars themselves, or a piece of them
//! at a time where the reader is a [`super::BarStream`].
//!
//! **Numbers** are exact. A price with more than nine decimals (yfinance prints binary floats) is
//! rounded to the ninth and a note says how many were.
//!
//! **Stamps** are dates, RFC 3339, the same without a zone, or Unix seconds, milli-, micro- or
//! nanoseconds by their size. A stamp without a zone is read in `tz`, else in UTC. Where a zone's
//! clock jumps, jiff's *compatible* rule holds: a local time that occurs twice is the earlier one,
//! a local time that does not exist is moved forward by the jump; rows that meet there are refused
//! as repeats, and the remedy is to write the offset.
//!
//! **Labels.** Bars of a day and longer are labelled by the calendar date as written in the stamp
//! (the date in `tz` for Unix stamps and `Z`), at midnight UTC; weeks by their Monday where the
//! file's weeks begin on Mondays; months by their first day, also where the file names months by
//! their last.
//!
//! **Bad rows** end the reading with their line, or are dropped and counted
//! ([`ReadOptions::lenient`]). A last row that lies inside the bar before it is the venue's bar still
//! forming: it is left out, with a note.

mod error;
mod input;
mod label;
mod layout;
mod number;
mod stamp;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;

use finstage_model::{Bar, InstrumentId, Interval, Timestamp};

pub use error::{BarFileError, BarFileErrorKind};
pub use input::MAX_ROW_BYTES;

pub(super) use error::{Fault, quoted};
pub(super) use input::Rows;
pub(super) use label::RawRow;
pub(super) use layout::{Layout, STAMP_NAMES};
pub(super) use number::{Numbers, count, lossy as lossy_cell};
pub(super) use stamp::{Stamp, Zone};

use super::stream::BarStream;
use label::Labeller;

/// The most rows one file may have: at 80 bytes a bar, 4 GB of memory.
pub const MAX_ROWS: u64 = 50_000_000;

/// Rejected rows kept with their reason; further ones are counted only.
const MAX_REJECTED_KEPT: usize = 100;

/// Rows looked at before the interval is decided.
pub(super) const SAMPLE_ROWS: usize = 4_096;

/// How a bar file is to be read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Stamped on every bar.
    pub instrument: InstrumentId,
    /// The interval; `None` infers it from the stamps.
    pub interval: Option<Interval>,
    /// IANA name of the zone of stamps without one (`America/New_York`); `None` is UTC.
    pub tz: Option<String>,
    /// Drop and count rows that cannot be used; otherwise the first one is an error.
    pub lenient: bool,
    /// The present moment: bars at the end of the file that close later are still forming and are
    /// left out. `None` takes every bar as closed.
    pub now: Option<Timestamp>,
}

impl ReadOptions {
    /// Strict, interval inferred, UTC, every bar taken as closed.
    #[must_use]
    pub const fn new(instrument: InstrumentId) -> Self {
        Self { instrument, interval: None, tz: None, lenient: false, now: None }
    }
}

impl Default for ReadOptions {
    /// As [`ReadOptions::new`] for instrument 0: for callers that number their instruments later.
    fn default() -> Self {
        Self::new(InstrumentId(0))
    }
}

/// What a bar file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarFile {
    /// The bars, ascending, one per open time.
    pub bars: Vec<Bar>,
    /// Their interval, as given or inferred.
    pub interval: Interval,
    /// Rows of data in the file, used or not.
    pub rows_read: u64,
    /// Rows that said the same as the row before them.
    pub duplicates: u64,
    /// Rows that were dropped because they could not be used.
    pub rejected_count: u64,
    /// Line and reason of the first hundred of them.
    pub rejected: Vec<(u64, String)>,
    /// What was assumed or changed, in words for people, one sentence each.
    pub notes: Vec<String>,
}

/// Reads the bars of the file at `path`, delimited text or Parquet.
///
/// * A stamp without a zone is local time of [`ReadOptions::tz`]. Of a local time that occurs twice
///   the earlier is meant; one that a clock jumped over is moved forward by the jump.
/// * Bars of a day and longer open at midnight UTC of the calendar date that the stamp names, weeks
///   on their Monday where the file's weeks begin on Mondays, months on their first day, also where
///   the file names months by their last.
/// * Numbers with more than nine decimals are rounded to nine. What was assumed or changed stands
///   in [`BarFile::notes`].
///
/// # Errors
/// Says file, line, what is wrong, and what to do; see [`BarFileErrorKind`].
pub fn read_bar_file(path: &Path, options: &ReadOptions) -> Result<BarFile, BarFileError> {
    BarStream::open(path, options)?.whole()
}

/// Reads bars from any source of bytes; errors call it `name`.
///
/// # Errors
/// As [`read_bar_file`].
///
/// # Examples
/// ```
/// use finstage_model::InstrumentId;
/// use finstage_store::history::{ReadOptions, read_bars};
///
/// let text = "date,open,high,low,close\n2024-01-02,1,2,1,2\n2024-01-03,2,2,1,1\n2024-01-04,1,1,1,1\n";
/// let file = read_bars("x.csv", text.as_bytes(), &ReadOptions::new(InstrumentId(0))).unwrap();
/// assert_eq!(file.bars.len(), 3);
/// assert_eq!(file.interval.to_string(), "1d");
/// ```
pub fn read_bars(
    name: &str,
    input: impl Read,
    options: &ReadOptions,
) -> Result<BarFile, BarFileError> {
    BarStream::of_text(name, input, options)?.whole()
}

/// The state of one pass over a file.
pub(super) struct Reading {
    name: String,
    options: ReadOptions,
    pub(super) zone: Zone,
    pub(super) numbers: Numbers,
    /// The last row that was in order.
    previous: Option<RawRow>,
    /// Rows that wait for the interval to be decided.
    pub(super) sample: Vec<RawRow>,
    labeller: Option<Labeller>,
    /// A row inside the bar before it: forgiven if it is the last of the file.
    overlapping: Option<(u64, Fault)>,
    /// The last bar that was made.
    last: Option<Bar>,
    /// Bars at the end that were still forming at the present moment.
    open_bars: u64,
    /// Bars that nobody has taken yet.
    pub(super) bars: Vec<Bar>,
    /// The most rows, where all bars are kept.
    pub(super) max_rows: u64,
    rows_read: u64,
    duplicates: u64,
    rejected_count: u64,
    rejected: Vec<(u64, String)>,
    notes: Vec<String>,
}

impl Reading {
    pub(super) fn new(name: &str, options: &ReadOptions, zone: Zone, notes: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            options: options.clone(),
            zone,
            notes,
            numbers: Numbers::default(),
            previous: None,
            sample: Vec::new(),
            labeller: None,
            overlapping: None,
            last: None,
            open_bars: 0,
            bars: Vec::new(),
            max_rows: u64::MAX,
            rows_read: 0,
            duplicates: 0,
            rejected_count: 0,
            rejected: Vec::new(),
        }
    }

    /// The interval, once it is decided.
    pub(super) fn interval(&self) -> Option<Interval> {
        self.labeller.as_ref().map(Labeller::interval)
    }

    /// Takes the next row, or what is wrong with it.
    pub(super) fn take(
        &mut self,
        line: u64,
        row: Result<RawRow, Fault>,
    ) -> Result<(), BarFileError> {
        self.rows_read += 1;
        if self.rows_read > self.max_rows {
            let fault = Fault::new(format!("more than {} rows", self.max_rows), "split the file");
            return Err(self.error(BarFileErrorKind::NotBars, Some(line), fault));
        }
        match row.and_then(|row| self.in_order(row)) {
            Ok(None) => Ok(()),
            Ok(Some(row)) => self.place(row),
            Err(fault) => self.reject(line, fault),
        }
    }

    /// The row if it comes after the one before; `None` for its exact repetition.
    fn in_order(&mut self, row: RawRow) -> Result<Option<RawRow>, Fault> {
        if let Some(previous) = self.previous {
            if row.same_bar(&previous) {
                self.duplicates += 1;
                return Ok(None);
            }
            previous.precedes(&row, self.rows_read == 2)?;
        }
        self.previous = Some(row);
        Ok(Some(row))
    }

    /// Makes a bar of a row, or keeps it until the interval is known.
    fn place(&mut self, row: RawRow) -> Result<(), BarFileError> {
        if self.labeller.is_none() {
            self.sample.push(row);
            return if self.sample.len() < SAMPLE_ROWS { Ok(()) } else { self.settle() };
        }
        self.label(row)
    }

    /// Decides the interval and makes bars of the rows that waited for it.
    fn settle(&mut self) -> Result<(), BarFileError> {
        let sample = std::mem::take(&mut self.sample);
        let labeller = Labeller::decide(self.options.interval, &sample)
            .map_err(|fault| self.error(BarFileErrorKind::Interval, None, fault))?;
        self.labeller = Some(labeller);
        sample.into_iter().try_for_each(|row| self.label(row))
    }

    fn label(&mut self, row: RawRow) -> Result<(), BarFileError> {
        if let Some((line, fault)) = self.overlapping.take() {
            self.reject(line, fault)?;
        }
        let labeller = self.labeller.as_mut().expect("settle() decided it before any label");
        let bar = labeller.bar(&row, self.options.instrument);
        if let Some(fault) = self.last.as_ref().and_then(|last| labeller.overlap(last, &bar)) {
            self.overlapping = Some((row.line, fault));
            return Ok(());
        }
        self.last = Some(bar);
        if self.options.now.is_some_and(|now| bar.close_time() > now) {
            self.open_bars += 1;
        } else {
            self.bars.push(bar);
        }
        Ok(())
    }

    /// Takes the end of the file; further bars may come of it.
    pub(super) fn end(&mut self) -> Result<(), BarFileError> {
        if self.previous.is_none() {
            let what = match self.rejected.first() {
                Some((line, reason)) => format!("no row could be used; line {line}: {reason}"),
                None => "no rows below the header".to_owned(),
            };
            let fault = Fault::new(what, "one row per bar is needed");
            return Err(self.error(BarFileErrorKind::NotBars, None, fault));
        }
        if self.labeller.is_none() {
            self.settle()?;
        }
        Ok(())
    }

    /// What there is to say after [`Reading::end`]. The bars are those that nobody took.
    pub(super) fn report(mut self) -> BarFile {
        let labeller = self.labeller.take().expect("end() decided it");
        if let Some((line, _)) = self.overlapping.take() {
            self.notes.push(format!(
                "the last row (line {line}) lies inside the bar before it: a bar still forming, left out"
            ));
        }
        if let (Some(now), 1..) = (self.options.now, self.open_bars) {
            let open = self.open_bars;
            self.notes.push(format!("{open} bars at the end had not closed by {now}: left out"));
        }
        labeller.notes(&self.zone, &mut self.notes);
        self.numbers.notes(&mut self.notes);
        if self.duplicates > 0 {
            self.notes.push(format!("{} repeated rows were read once", self.duplicates));
        }
        BarFile {
            bars: self.bars,
            interval: labeller.interval(),
            rows_read: self.rows_read,
            duplicates: self.duplicates,
            rejected_count: self.rejected_count,
            rejected: self.rejected,
            notes: self.notes,
        }
    }

    fn reject(&mut self, line: u64, fault: Fault) -> Result<(), BarFileError> {
        if !self.options.lenient {
            return Err(self.error(BarFileErrorKind::BadRow, Some(line), fault));
        }
        self.rejected_count += 1;
        if self.rejected.len() < MAX_REJECTED_KEPT {
            self.rejected.push((line, fault.what));
        }
        Ok(())
    }

    fn error(&self, kind: BarFileErrorKind, line: Option<u64>, fault: Fault) -> BarFileError {
        BarFileError::at(kind, &self.name, line, fault)
    }
}
