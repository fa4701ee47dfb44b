//! Reading bars, wherever they lie.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use finstage_model::{Bar, Interval, Symbol, Timestamp};

use super::NO_TAIL;
use super::columns::{Adjust, BarColumns, micros_from};
use super::factors::Factors;
use super::parquet::{self, Fault};
use super::period::{FileName, folder};
use crate::files::{Files, OpenMode};
use crate::records::{FileRow, PeriodRow, Records, SeriesId, TailPart};
use crate::{Error, ErrorKind};

/// How often a reader begins again because a writer replaced a file between its two looks.
pub const READ_ATTEMPTS: u32 = 5;
/// The largest file of the shelf: far above a century of minutes.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// All stored bars: Parquet files for closed months and large imports, the SQLite tail for what is
/// newer, read as one.
///
/// Cheap to make and to clone; holds nothing in memory. Reading and writing may happen at once, in
/// any number of processes.
#[derive(Debug, Clone)]
pub struct History {
    pub(super) files: Arc<dyn Files>,
    pub(super) root: PathBuf,
    pub(super) records: Records,
    /// Folders whose names are known to be durable.
    pub(super) durable: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// A series and where its bars lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesSummary {
    /// Whose bars.
    pub symbol: Symbol,
    /// Of which length.
    pub interval: Interval,
    /// Bars in Parquet files.
    pub shelf_bars: u64,
    /// The files' size.
    pub shelf_bytes: u64,
    /// Bars in the tail.
    pub tail_bars: u64,
    /// Open time of the first bar.
    pub first: Timestamp,
    /// Open time of the last bar.
    pub last: Timestamp,
}

/// A series as writers and readers here pass it around.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) id: SeriesId,
    pub(super) dir: PathBuf,
}

impl History {
    /// The history in the folder `root`, whose manifest and tail are in `records`. Nothing is read
    /// or made before it is needed.
    #[must_use]
    pub fn open(files: Arc<dyn Files>, root: PathBuf, records: Records) -> Self {
        Self { files, root, records, durable: Arc::default() }
    }

    /// The records beside the files.
    #[must_use]
    pub const fn records(&self) -> &Records {
        &self.records
    }

    /// The bars of a series that open within `range`, oldest first, exact and raw; none where
    /// nothing is stored.
    ///
    /// # Errors
    /// `Corrupt` when a file is not what was written, `NotFound` when one is missing, `Held`, `Io`.
    pub fn bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        range: Range<Timestamp>,
    ) -> Result<Vec<Bar>, Error> {
        let Some(series) = self.series_of(symbol, interval)? else { return Ok(Vec::new()) };
        self.undisturbed(|| {
            let part = TailPart::Between(range.start, range.end);
            let (periods, tail) = self.records.shelf(series.id, part)?;
            let mut bars = Vec::new();
            for file in files_within(&periods, &range) {
                let mut read = self.read_file(&series, &file)?;
                read.retain(|bar| range.contains(&bar.open_time));
                bars.append(&mut read);
            }
            Ok(merge(bars, tail))
        })
    }

    /// The last `count` bars of a series that had closed by `until`, oldest first, exact and raw.
    ///
    /// # Errors
    /// As [`History::bars`].
    pub fn last_bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        until: Timestamp,
        count: usize,
    ) -> Result<Vec<Bar>, Error> {
        let Some(series) = self.series_of(symbol, interval)? else { return Ok(Vec::new()) };
        self.undisturbed(|| {
            let (periods, tail) = self.records.shelf(series.id, TailPart::Last(until, count))?;
            let mut shelf = Vec::new();
            for file in files_within(&periods, &(Timestamp::MIN..until)).rev() {
                // Whatever is among the last of both is among the last of its part.
                let is_enough = |bars: &[Bar]| bars.len() >= count;
                let is_newer = |bar: &Bar| bar.open_time > file.content.last;
                if is_enough(&shelf) || (is_enough(&tail) && tail.first().is_none_or(is_newer)) {
                    break;
                }
                let mut older = self.read_file(&series, &file)?;
                older.retain(|bar| bar.close_time() <= until);
                older.append(&mut shelf);
                shelf = older;
            }
            let mut bars = merge(shelf, tail);
            bars.drain(..bars.len().saturating_sub(count));
            Ok(bars)
        })
    }

    /// As [`History::bars`], as columns of doubles, raw or adjusted by the stored factors.
    ///
    /// # Errors
    /// As [`History::bars`].
    pub fn columns(
        &self,
        symbol: &Symbol,
        interval: Interval,
        range: Range<Timestamp>,
        adjust: Adjust,
    ) -> Result<BarColumns, Error> {
        let Some(series) = self.series_of(symbol, interval)? else {
            return Ok(BarColumns::default());
        };
        let mut columns = self.undisturbed(|| {
            let part = TailPart::Between(range.start, range.end);
            let (periods, tail) = self.records.shelf(series.id, part)?;
            let (from_us, to_us) = (micros_from(range.start), micros_from(range.end));
            let mut columns = BarColumns::default();
            let files: Vec<FileRow> = files_within(&periods, &range).collect();
            let bars: u64 = files.iter().map(|file| file.content.bars).sum();
            columns.reserve(usize::try_from(bars).unwrap_or(0) + tail.len());
            for file in files {
                let start = columns.len();
                let bytes = self.read_bytes(&series, &file)?;
                parquet::decode_columns(bytes, &mut columns)
                    .map_err(|fault| self.damaged(&series, &file, &fault))?;
                columns.trim(start, from_us, to_us);
            }
            columns.add_tail(&tail);
            Ok(columns)
        })?;
        if adjust == Adjust::Adjusted {
            columns.adjust(&Factors::of_rows(self.records.factors(series.id.instrument)?));
        }
        Ok(columns)
    }

    /// How many bars of a series [`History::bars`] may give, at most: it counts files and tail
    /// whole, and reads neither.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn bars_at_most(
        &self,
        symbol: &Symbol,
        interval: Interval,
        range: &Range<Timestamp>,
    ) -> Result<u64, Error> {
        let Some(series) = self.series_of(symbol, interval)? else { return Ok(0) };
        let (periods, _) = self.records.shelf(series.id, NO_TAIL)?;
        let (tail, _) = self.records.tail_extent(series.id)?;
        let shelf = files_within(&periods, range).map(|file| file.content.bars).sum::<u64>();
        Ok(shelf + tail)
    }

    /// The factors stored for an instrument; none where there are none.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn factors(&self, symbol: &Symbol) -> Result<Factors, Error> {
        let Some(instrument) = self.records.instrument(symbol)? else {
            return Ok(Factors::default());
        };
        Ok(Factors::of_rows(self.records.factors(instrument.id)?))
    }

    /// Every series that has bars, by symbol and interval.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn series(&self) -> Result<Vec<SeriesSummary>, Error> {
        let mut summaries = Vec::new();
        for (symbol, id) in self.records.series()? {
            let (periods, _) = self.records.shelf(id, NO_TAIL)?;
            let (tail_bars, tail) = self.records.tail_extent(id)?;
            let contents: Vec<_> = periods.iter().filter_map(|row| row.file).collect();
            let firsts = contents.iter().map(|file| file.content.first);
            let lasts = contents.iter().map(|file| file.content.last);
            let first = firsts.chain(tail.iter().map(|tail| tail.start)).min();
            let last = lasts.chain(tail.iter().map(|tail| tail.end)).max();
            let Some((first, last)) = first.zip(last) else { continue };
            summaries.push(SeriesSummary {
                symbol,
                interval: id.interval,
                shelf_bars: contents.iter().map(|file| file.content.bars).sum(),
                shelf_bytes: contents.iter().map(|file| file.content.bytes).sum(),
                tail_bars,
                first,
                last,
            });
        }
        Ok(summaries)
    }

    /// The folder that holds the Parquet files of a series, for other programs.
    #[must_use]
    pub fn series_dir(&self, symbol: &Symbol, interval: Interval) -> PathBuf {
        self.root.join(folder(symbol, interval))
    }

    /// The series of a symbol that is known.
    pub(super) fn series_of(
        &self,
        symbol: &Symbol,
        interval: Interval,
    ) -> Result<Option<Series>, Error> {
        let instrument = self.records.instrument(symbol)?;
        Ok(instrument.map(|instrument| Series {
            id: SeriesId { instrument: instrument.id, interval },
            dir: self.series_dir(symbol, interval),
        }))
    }

    /// Begins again when a file is gone: a writer has put another in its place.
    fn undisturbed<T>(&self, read: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            match read() {
                Err(error) if error.kind() == ErrorKind::NotFound && attempt < READ_ATTEMPTS => {
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    /// The bars of a file that counts.
    pub(super) fn read_file(&self, series: &Series, file: &FileRow) -> Result<Vec<Bar>, Error> {
        let bytes = self.read_bytes(series, file)?;
        parquet::decode(bytes, series.id).map_err(|fault| self.damaged(series, file, &fault))
    }

    /// The bytes of a file that counts, known to be those that were written.
    fn read_bytes(&self, series: &Series, file: &FileRow) -> Result<Vec<u8>, Error> {
        let path = path_of(&series.dir, FileName::new(file.period, file.generation));
        let failed = |e| Error::io("reading", &path, e);
        let opened = self.files.open(&path, OpenMode::Read).map_err(failed)?;
        let size = opened.size().map_err(failed)?;
        let is_whole = size == file.content.bytes && size <= MAX_FILE_BYTES;
        let mut bytes = vec![0; if is_whole { size as usize } else { 0 }];
        let read = opened.read_at(0, &mut bytes).map_err(failed)?;
        if is_whole && read == bytes.len() && crc32c::crc32c(&bytes) == file.content.checksum {
            return Ok(bytes);
        }
        Err(Error::corrupt(&path, "it is not what was written: put a backup in its place"))
    }

    fn damaged(&self, series: &Series, file: &FileRow, fault: &Fault) -> Error {
        let path = path_of(&series.dir, FileName::new(file.period, file.generation));
        Error::corrupt(&path, fault)
    }
}

pub(super) fn path_of(dir: &Path, name: FileName) -> PathBuf {
    dir.join(name.to_string())
}

/// The files that count and have bars in `range`, oldest first.
fn files_within(
    periods: &[PeriodRow],
    range: &Range<Timestamp>,
) -> impl DoubleEndedIterator<Item = FileRow> {
    periods
        .iter()
        .filter_map(|row| row.file)
        .filter(|file| file.content.last >= range.start && file.content.first < range.end)
}

/// Bars of the shelf and of the tail in order. Where both have a bar, that of the shelf was first.
fn merge(shelf: Vec<Bar>, tail: Vec<Bar>) -> Vec<Bar> {
    let (Some(newest), Some(first)) = (shelf.last(), tail.first()) else {
        return if shelf.is_empty() { tail } else { shelf };
    };
    if newest.open_time < first.open_time {
        return [shelf, tail].concat();
    }
    let mut bars = [shelf, tail].concat();
    // Stable: of two with one open time the shelf's stays in front.
    bars.sort_by_key(|bar| bar.open_time);
    bars.dedup_by_key(|bar| bar.open_time);
    bars
}
