//! From bytes to rows of cells: refuses what is no delimited text and knows every row's line.

use std::cell::Cell;
use std::io::{self, Chain, Cursor, Read};
use std::rc::Rc;

use ::csv::{ByteRecord, Reader, ReaderBuilder};

use super::error::{BarFileError, BarFileErrorKind, Fault};

/// The longest row; a quote that is never closed would otherwise swallow the file.
pub const MAX_ROW_BYTES: usize = 1 << 20;

/// Bytes looked at to tell text from other things, and read at a time later.
const CHUNK_BYTES: usize = 1 << 16;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The rows of a file that are not blank, each with its line.
pub(in crate::history) struct Rows<R> {
    name: String,
    reader: Reader<Lines<Chain<Cursor<Vec<u8>>, R>>>,
    /// Bytes handed to the reader since the last row.
    since_row: Rc<Cell<usize>>,
    /// The line behind the last row.
    next_line: u64,
}

impl<R: Read> Rows<R> {
    /// Looks at the beginning of `input` and refuses what cannot be a bar file.
    pub(in crate::history) fn open(name: &str, mut input: R) -> Result<Self, BarFileError> {
        let mut head = Vec::new();
        (&mut input)
            .take(CHUNK_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(|error| BarFileError::io(name, error))?;
        if head.starts_with(BOM) {
            head.drain(..BOM.len());
        }
        if let Some(fault) = not_text(&head) {
            return Err(BarFileError::at(BarFileErrorKind::NotBars, name, None, fault));
        }
        let separator = separator(&head);
        let since_row = Rc::new(Cell::new(0));
        let input = Cursor::new(head).chain(input);
        let lines = Lines { input, since_row: Rc::clone(&since_row), ended_line: true };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .buffer_capacity(CHUNK_BYTES)
            .from_reader(lines);
        Ok(Self { name: name.to_owned(), reader, since_row, next_line: 1 })
    }

    /// Reads the next row into `record` and gives its line; `None` at the end of the file.
    pub(in crate::history) fn next(
        &mut self,
        record: &mut ByteRecord,
    ) -> Result<Option<u64>, BarFileError> {
        loop {
            let read = self.reader.read_byte_record(record).map_err(|error| self.error(error))?;
            if !read {
                return Ok(None);
            }
            self.since_row.set(0);
            self.next_line = self.reader.position().line();
            if record.iter().any(|cell| !cell.trim_ascii().is_empty()) {
                return Ok(Some(self.line_of(record)));
            }
        }
    }

    /// The reader stands behind the row's line end; its own idea of where a row begins counts
    /// blank lines before the row to it.
    fn line_of(&self, record: &ByteRecord) -> u64 {
        let inside = record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.next_line.saturating_sub(1 + inside)
    }

    /// An error about the file's form, at `line` where one is to blame.
    pub(in crate::history) fn not_bars(&self, line: Option<u64>, fault: Fault) -> BarFileError {
        BarFileError::at(BarFileErrorKind::NotBars, &self.name, line, fault)
    }

    fn error(&self, error: ::csv::Error) -> BarFileError {
        match error.into_kind() {
            ::csv::ErrorKind::Io(_) if self.since_row.get() > MAX_ROW_BYTES => {
                let fault = Fault::new(
                    format!("a row of more than {MAX_ROW_BYTES} bytes"),
                    "look for a quote that is not closed",
                );
                self.not_bars(Some(self.next_line), fault)
            }
            ::csv::ErrorKind::Io(error) => BarFileError::io(&self.name, error),
            other => self
                .not_bars(Some(self.next_line), Fault::new(format!("{other:?}"), "check the row")),
        }
    }
}

/// Passes bytes on with every line ended by `\n` alone, the last one too, and ends in an error
/// when a row grows beyond its bound.
struct Lines<R> {
    input: R,
    since_row: Rc<Cell<usize>>,
    ended_line: bool,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row.get() > MAX_ROW_BYTES {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        loop {
            let read = self.input.read(buffer)?;
            if read == 0 {
                return Ok(self.end_last_line(buffer));
            }
            let kept = without_carriage_returns(&mut buffer[..read]);
            if kept > 0 {
                self.ended_line = buffer[kept - 1] == b'\n';
                self.since_row.set(self.since_row.get() + kept);
                return Ok(kept);
            }
        }
    }
}

impl<R> Lines<R> {
    fn end_last_line(&mut self, buffer: &mut [u8]) -> usize {
        if self.ended_line || buffer.is_empty() {
            return 0;
        }
        buffer[0] = b'\n';
        self.ended_line = true;
        1
    }
}

/// Moves the other bytes to the front and tells how many they are.
fn without_carriage_returns(bytes: &mut [u8]) -> usize {
    let Some(mut kept) = bytes.iter().position(|&byte| byte == b'\r') else {
        return bytes.len();
    };
    for at in kept + 1..bytes.len() {
        if bytes[at] != b'\r' {
            bytes[kept] = bytes[at];
            kept += 1;
        }
    }
    kept
}

/// Why the beginning of a file shows that it holds no delimited text.
fn not_text(head: &[u8]) -> Option<Fault> {
    const KNOWN: [(&[u8], &str, &str); 5] = [
        (b"\x1f\x8b", "gzip-compressed", "unpack it with gunzip first"),
        (b"PK\x03\x04", "a zip or spreadsheet file", "unpack it, or save it as CSV"),
        (b"PAR1", "a Parquet file", "give its path: Parquet cannot be read from a pipe"),
        (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
        (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
    ];
    if let Some((_, what, remedy)) = KNOWN.into_iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Some(Fault::new(what, remedy));
    }
    match head.trim_ascii_start().first() {
        None => Some(Fault::new("the file is empty", "write a header and one row per bar")),
        Some(b'<') => Some(Fault::new(
            "a web page, not bars",
            "download the file itself: the server answered with a page",
        )),
        Some(b'{' | b'[') => Some(Fault::new("JSON, not CSV", "convert it to CSV")),
        _ if head.contains(&0) => Some(Fault::new("binary data", "export it as CSV")),
        _ => None,
    }
}

/// The separator that the first line uses.
fn separator(head: &[u8]) -> u8 {
    let line = head.trim_ascii_start().split(|&byte| byte == b'\n').next().unwrap_or(head);
    if line.contains(&b',') {
        return b',';
    }
    [b';', b'\t'].into_iter().find(|separator| line.contains(separator)).unwrap_or(b',')
}
