//! Lines of any input, each with its number, none longer than a bound.

use std::io::{self, BufRead, Read as _};

/// The longest line that is read, in bytes: a frame of 4 MiB whose every character is escaped.
pub(super) const LINE_MAX_BYTES: u64 = 32 << 20;

/// Reads one line after the other.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    number: u64,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A line with its end.
    Line,
    /// The last line, which has none: it may be whole, or cut.
    Last,
    /// A line beyond [`LINE_MAX_BYTES`]; it was passed over.
    TooLong,
    /// Nothing more.
    End,
}

impl Lines {
    pub(super) fn new(input: Box<dyn BufRead + Send>) -> Self {
        Self { input, number: 0 }
    }

    /// The number of the line that was read last, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Puts the next line into `line`, without its end.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Found> {
        line.clear();
        let read = self.input.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', line)?;
        if read == 0 {
            return Ok(Found::End);
        }
        self.number += 1;
        if line.pop_if(|last| *last == b'\n').is_some() {
            line.pop_if(|last| *last == b'\r');
            return Ok(Found::Line);
        }
        if (read as u64) < LINE_MAX_BYTES {
            return Ok(Found::Last);
        }
        line.clear();
        self.pass_over()?;
        Ok(Found::TooLong)
    }

    /// Reads up to the end of the line, keeping nothing of it.
    fn pass_over(&mut self) -> io::Result<()> {
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (used, is_over) = match end {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(used);
            if is_over {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: Vec<u8>) -> Lines {
        Lines::new(Box::new(io::Cursor::new(text)))
    }

    #[test]
    fn lines_come_without_their_ends_and_the_last_may_have_none() {
        let mut lines = lines(b"one\r\n\ntwo\n\nthree".to_vec());
        let mut line = Vec::new();
        for (number, text) in [(1, "one"), (2, ""), (3, "two"), (4, "")] {
            assert_eq!(lines.next(&mut line).unwrap(), Found::Line);
            assert_eq!((lines.number(), line.as_slice()), (number, text.as_bytes()));
        }
        assert_eq!(lines.next(&mut line).unwrap(), Found::Last);
        assert_eq!(line, b"three");
        assert_eq!(lines.next(&mut line).unwrap(), Found::End);
        assert_eq!(lines.next(&mut line).unwrap(), Found::End);
        assert_eq!(lines.number(), 5);
    }

    #[test]
    fn a_line_beyond_the_bound_is_passed_over_and_the_next_is_read() {
        let mut text = vec![b'x'; LINE_MAX_BYTES as usize + 5];
        text.extend(b"\nnext\n");
        let mut lines = lines(text);
        let mut line = Vec::new();
        assert_eq!(lines.next(&mut line).unwrap(), Found::TooLong);
        assert_eq!(lines.next(&mut line).unwrap(), Found::Line);
        assert_eq!((lines.number(), line.as_slice()), (2, &b"next"[..]));
    }
}
