//! Bars of a file piece by piece: for those who need each bar once and may not keep a file of any
//! length in memory.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ::csv::ByteRecord;
use finstage_model::{Bar, Interval};

use super::csv::{
    BarFile, BarFileError, BarFileErrorKind, Layout, MAX_ROWS, ReadOptions, Reading, Rows,
    SAMPLE_ROWS, Zone,
};
use super::foreign::{self, BATCH_ROWS, Batches};

/// Rows read before a piece is handed over.
const PIECE_ROWS: usize = 8_192;

/// The most bars of a piece: those that waited for the interval come with the first.
pub const MAX_PIECE_BARS: usize = SAMPLE_ROWS
    + match PIECE_ROWS > BATCH_ROWS {
        true => PIECE_ROWS,
        false => BATCH_ROWS,
    };

/// Reads a bar file in pieces, with the same rules, errors and notes as
/// [`super::read_bar_file`]; memory does not grow with the file.
///
/// ```
/// use finstage_store::history::{BarStream, ReadOptions};
///
/// let text = "date,open,high,low,close\n2024-01-02,1,2,1,2\n2024-01-03,2,2,1,1\n2024-01-04,1,1,1,1\n";
/// let mut stream = BarStream::of_text("x.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
/// let (mut piece, mut count) = (Vec::new(), 0);
/// while stream.read(&mut piece).unwrap() {
///     count += piece.len();
/// }
/// assert_eq!(count, 3);
/// assert_eq!(stream.finish().unwrap().rows_read, 3);
/// ```
pub struct BarStream<'a> {
    source: Source<'a>,
    reading: Reading,
    ended: bool,
}

enum Source<'a> {
    Text { rows: Rows<Box<dyn Read + 'a>>, layout: Layout, record: ByteRecord },
    Parquet(Batches),
}

impl<'a> BarStream<'a> {
    /// The bars of the file at `path`, delimited text or Parquet.
    ///
    /// # Errors
    /// There is no such file, or its beginning shows that it holds no bars.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, BarFileError> {
        let name = path.display().to_string();
        let io = |error| BarFileError::io(&name, error);
        let mut file = File::open(path).map_err(io)?;
        if foreign::is_parquet(&mut file).map_err(io)? {
            let (batches, reading) = Batches::open(&name, file, options)?;
            return Ok(Self { source: Source::Parquet(batches), reading, ended: false });
        }
        Self::of_text(&name, file, options)
    }

    /// The bars of delimited text from any source of bytes; errors call it `name`.
    ///
    /// # Errors
    /// The beginning shows that it holds no bars.
    pub fn of_text(
        name: &str,
        input: impl Read + 'a,
        options: &ReadOptions,
    ) -> Result<Self, BarFileError> {
        let zone = Zone::find(options.tz.as_deref())
            .map_err(|fault| BarFileError::at(BarFileErrorKind::Zone, name, None, fault))?;
        let mut rows = Rows::open(name, Box::new(input) as Box<dyn Read + 'a>)?;
        let layout = Layout::detect(&mut rows)?;
        let reading = Reading::new(name, options, zone, layout.notes());
        let source = Source::Text { rows, layout, record: ByteRecord::new() };
        Ok(Self { source, reading, ended: false })
    }

    /// Puts the next bars into `piece`, whose former content goes: at most [`MAX_PIECE_BARS`],
    /// possibly none. False, and an empty piece, when there are no more.
    ///
    /// # Errors
    /// As [`super::read_bar_file`]. The bars before the bad row have been handed over.
    pub fn read(&mut self, piece: &mut Vec<Bar>) -> Result<bool, BarFileError> {
        piece.clear();
        if self.ended {
            return Ok(false);
        }
        std::mem::swap(piece, &mut self.reading.bars);
        let read = self.read_on();
        std::mem::swap(piece, &mut self.reading.bars);
        read.map(|()| true)
    }

    /// The interval of the bars; `None` before the first piece that has some.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        self.reading.interval()
    }

    /// What there is to say about the file, once all of it was read; without the bars.
    ///
    /// # Errors
    /// As [`BarStream::read`], of the rows that were not read yet.
    pub fn finish(mut self) -> Result<BarFile, BarFileError> {
        let mut rest = Vec::new();
        while self.read(&mut rest)? {}
        Ok(self.reading.report())
    }

    /// All bars at once.
    pub(super) fn whole(mut self) -> Result<BarFile, BarFileError> {
        self.reading.max_rows = MAX_ROWS;
        while !self.ended {
            self.read_on()?;
        }
        Ok(self.reading.report())
    }

    /// Reads a piece's worth of rows, or the end.
    fn read_on(&mut self) -> Result<(), BarFileError> {
        let reading = &mut self.reading;
        let more = match &mut self.source {
            Source::Parquet(batches) => batches.read(reading)?,
            Source::Text { rows, layout, record } => read_rows(rows, layout, record, reading)?,
        };
        if !more {
            self.ended = true;
            reading.end()?;
        }
        Ok(())
    }
}

fn read_rows(
    rows: &mut Rows<Box<dyn Read + '_>>,
    layout: &mut Layout,
    record: &mut ByteRecord,
    reading: &mut Reading,
) -> Result<bool, BarFileError> {
    if let Some((line, record)) = layout.first_row.take() {
        let row = layout.row(line, &record, &mut reading.zone, &mut reading.numbers);
        reading.take(line, row)?;
    }
    for _ in 0..PIECE_ROWS {
        let Some(line) = rows.next(record)? else { return Ok(false) };
        let row = layout.row(line, record, &mut reading.zone, &mut reading.numbers);
        reading.take(line, row)?;
    }
    Ok(true)
}

impl fmt::Debug for BarStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::history::{read_bars, write_parquet};

    /// Minute bars that are made while they are read.
    struct Endless {
        rows: u64,
        row: u64,
        pending: Vec<u8>,
    }

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.pending.is_empty() && self.row < self.rows {
                let price = 100 + self.row % 7;
                let line = format!("{},{price},{price},{price},{price},1\n", 60 * self.row);
                self.pending = line.into_bytes();
                self.row += 1;
            }
            let read = self.pending.len().min(buffer.len());
            buffer[..read].copy_from_slice(&self.pending[..read]);
            self.pending.drain(..read);
            Ok(read)
        }
    }

    fn minutes(rows: u64) -> Endless {
        let header = b"timestamp,open,high,low,close,volume\n".to_vec();
        // From 1973 on, whole numbers are Unix seconds.
        let first = 1_700_000_040 / 60;
        Endless { rows: first + rows, row: first, pending: header }
    }

    #[test]
    fn no_more_bars_are_held_however_long_the_file_is() {
        const ROWS: usize = 300_000;
        let options = ReadOptions::default();
        let mut stream = BarStream::of_text("-", minutes(ROWS as u64), &options).unwrap();
        let (mut piece, mut total, mut last) = (Vec::new(), 0, None);
        while stream.read(&mut piece).unwrap() {
            assert!(piece.capacity() <= 2 * MAX_PIECE_BARS, "{}", piece.capacity());
            assert!(stream.reading.bars.capacity() <= 2 * MAX_PIECE_BARS);
            assert!(stream.reading.sample.capacity() <= SAMPLE_ROWS);
            assert!(piece.iter().all(|bar| last.replace(bar.open_time) < Some(bar.open_time)));
            total += piece.len();
        }
        assert_eq!(total, ROWS);
        assert_eq!(stream.interval(), Some(Interval::M1));
        assert_eq!(stream.finish().unwrap().rows_read, ROWS as u64);
    }

    #[test]
    fn pieces_add_up_to_the_file_and_say_the_same_of_it() {
        let options =
            ReadOptions { now: Some("2024-01-01".parse().unwrap()), ..Default::default() };
        for rows in [3, 4_095, 4_097, 20_000, 80_000] {
            let whole = read_bars("-", minutes(rows), &options).unwrap();
            assert_eq!(rows == 80_000, whole.notes.iter().any(|note| note.contains("not closed")));
            let mut stream = BarStream::of_text("-", minutes(rows), &options).unwrap();
            let (mut piece, mut bars) = (Vec::new(), Vec::new());
            while stream.read(&mut piece).unwrap() {
                bars.extend_from_slice(&piece);
            }
            assert_eq!(BarFile { bars, ..stream.finish().unwrap() }, whole);
        }
    }

    #[test]
    fn a_parquet_file_comes_in_pieces_too() {
        let bars = read_bars("-", minutes(30_000), &ReadOptions::default()).unwrap().bars;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bars.parquet");
        write_parquet(&bars, &mut File::create(&path).unwrap()).unwrap();
        let mut stream = BarStream::open(&path, &ReadOptions::default()).unwrap();
        let (mut piece, mut read) = (Vec::new(), Vec::new());
        while stream.read(&mut piece).unwrap() {
            assert!(piece.len() <= MAX_PIECE_BARS);
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, bars);
    }

    #[test]
    fn a_bad_row_ends_the_stream_with_its_line_after_the_bars_before_it() {
        let bad = "1999-13-01,1,1,1,1,1\n".as_bytes();
        let input = minutes(20_000).chain(bad);
        let mut stream = BarStream::of_text("x.csv", input, &ReadOptions::default()).unwrap();
        let (mut piece, mut total) = (Vec::new(), 0);
        let error = loop {
            match stream.read(&mut piece) {
                Ok(_) => total += piece.len(),
                Err(error) => break error,
            }
        };
        assert_eq!((error.line(), total), (Some(20_002), 16_384));
        assert!(error.to_string().starts_with("x.csv:20002: stamp"), "{error}");
    }
}
