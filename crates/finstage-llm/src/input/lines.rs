//! Lines of a file, one at a time, of a length that is bounded.

use std::io::{BufRead, Read};

use super::{MAX_LINE_BYTES, Place};
use crate::Error;

/// What some editors put in front of a text to say that it is UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads lines and counts them.
#[derive(Debug)]
pub(super) struct Lines<R> {
    read: R,
    place: Place,
    line: Vec<u8>,
    /// Whether `line` was looked at and is to be read again.
    is_pending: bool,
    /// Whether nothing behind can be read: what stands behind a line without end is part of it.
    is_broken: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(read: R, name: String) -> Self {
        Self {
            read,
            place: Place { name, line: 0 },
            line: Vec::new(),
            is_pending: false,
            is_broken: false,
        }
    }

    /// Where the line stands that was read last.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// The next line that is not blank, without its end; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<&str>, Error> {
        if !std::mem::take(&mut self.is_pending) && !self.advance()? {
            return Ok(None);
        }
        let end = self.line.trim_ascii_end().len();
        match std::str::from_utf8(&self.line[..end]) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.place.not_utf8()),
        }
    }

    /// The first byte of the next line that is not blank, which stays to be read.
    pub(super) fn peek(&mut self) -> Result<Option<&[u8]>, Error> {
        if !self.is_pending {
            self.is_pending = self.advance()?;
        }
        Ok(self.is_pending.then_some(self.line.trim_ascii()))
    }

    /// Everything that was not read yet, the line that was only looked at included.
    pub(super) fn into_pieces(self) -> Pieces<R> {
        let line = self.place.line - u64::from(self.is_pending);
        let first = if self.is_pending { self.line } else { Vec::new() };
        let (used, left, is_at_line_end) = (0, MAX_LINE_BYTES, true);
        Pieces { first, used, read: self.read, line, left, is_at_line_end }
    }

    fn advance(&mut self) -> Result<bool, Error> {
        loop {
            self.line.clear();
            if self.is_broken {
                return Ok(false);
            }
            let most = MAX_LINE_BYTES as u64 + 1;
            let read = self.read.by_ref().take(most).read_until(b'\n', &mut self.line);
            let read = read.map_err(|e| {
                self.is_broken = true;
                self.place.unreadable(e)
            })?;
            if read == 0 {
                return Ok(false);
            }
            self.place.line += 1;
            if self.line.len() > MAX_LINE_BYTES {
                self.is_broken = true;
                return Err(self.place.too_long());
            }
            if self.place.line == 1 && self.line.starts_with(MARK) {
                self.line.drain(..MARK.len());
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }
}

/// The same bytes for a reader that has its own idea of a record: it is given one line or less at a time, so
/// that what it has not asked for yet is not counted yet.
#[derive(Debug)]
pub(super) struct Pieces<R> {
    first: Vec<u8>,
    used: usize,
    read: R,
    line: u64,
    /// So many bytes may still be read for the present record.
    left: usize,
    is_at_line_end: bool,
}

impl<R> Pieces<R> {
    /// The number of lines that were read to their end.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Whether no part of a further line was read.
    pub(super) const fn is_at_line_end(&self) -> bool {
        self.is_at_line_end
    }

    /// A new record begins.
    pub(super) const fn begin(&mut self) {
        self.left = MAX_LINE_BYTES;
    }

    /// Whether the present record is longer than is read.
    pub(super) const fn is_too_long(&self) -> bool {
        self.left == 0
    }
}

impl<R: BufRead> Read for Pieces<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let (from, is_first) = match self.used < self.first.len() {
            true => (&self.first[self.used..], true),
            false => (self.read.fill_buf()?, false),
        };
        let most = from.len().min(into.len()).min(self.left);
        let piece = &from[..most];
        let piece = piece.iter().position(|&b| b == b'\n').map_or(piece, |end| &piece[..=end]);
        into[..piece.len()].copy_from_slice(piece);
        let (len, ends) = (piece.len(), piece.ends_with(b"\n"));
        match is_first {
            true => self.used += len,
            false => self.read.consume(len),
        }
        self.line += u64::from(ends);
        self.left -= len;
        if len > 0 {
            self.is_at_line_end = ends;
        }
        Ok(len)
    }
}
