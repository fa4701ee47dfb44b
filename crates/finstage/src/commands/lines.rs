//! Lines of standard input, each with a bound, so that memory is flat whatever comes in.

use std::io::{BufRead, BufReader, Read};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Reads lines and counts them.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    max_bytes: usize,
    number: u64,
}

/// A line that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It ended with a line break.
    Whole,
    /// It is the last one, and nothing ended it.
    Unended,
    /// It is longer than the bound: this is its beginning, and the rest was passed over.
    TooLong,
}

impl<R: Read> Lines<R> {
    /// The lines of `input`, of at most `max_bytes` each.
    pub(super) fn new(input: R, max_bytes: usize) -> Self {
        Self { input: BufReader::with_capacity(BUFFER_BYTES, input), max_bytes, number: 0 }
    }

    /// The number of the line that was read last, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether the next line may have to be waited for: then whoever writes should show what there is.
    pub(super) fn may_wait(&self) -> bool {
        self.input.buffer().is_empty()
    }

    /// Adds the next line to `out`, without its line break; `None` at the end.
    pub(super) fn read(&mut self, out: &mut Vec<u8>) -> std::io::Result<Option<Line>> {
        let start = out.len();
        let most = self.max_bytes as u64 + 1;
        if self.input.by_ref().take(most).read_until(b'\n', out)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if out.last() == Some(&b'\n') {
            out.pop();
            return Ok(Some(Line::Whole));
        }
        if out.len() - start <= self.max_bytes {
            return Ok(Some(Line::Unended));
        }
        out.truncate(start + self.max_bytes);
        self.input.skip_until(b'\n')?;
        Ok(Some(Line::TooLong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], max_bytes: usize) -> Vec<(u64, Line, String)> {
        let mut lines = Lines::new(text, max_bytes);
        let mut all = Vec::new();
        let mut line = Vec::new();
        while let Some(kind) = lines.read(&mut line).unwrap() {
            let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
            all.push((lines.number(), kind, text));
        }
        all
    }

    #[test]
    fn lines_come_as_they_are_and_the_last_one_says_whether_it_was_ended() {
        let expected = [
            (1, Line::Whole, "a\r".to_owned()),
            (2, Line::Whole, String::new()),
            (3, Line::Unended, "b".to_owned()),
        ];
        assert_eq!(read(b"a\r\n\nb", 10), expected);
        assert_eq!(read(b"a\r\n\nb\n", 10)[2], (3, Line::Whole, "b".to_owned()));
        assert_eq!(read(b"", 10), []);
    }

    #[test]
    fn a_line_beyond_the_bound_is_cut_and_the_next_one_is_read() {
        let lines = read(b"1234\n12345\n123456789\n12\n12345", 4);
        let expected =
            [Line::Whole, Line::TooLong, Line::TooLong, Line::Whole, Line::TooLong].map(Some);
        assert!(lines.iter().map(|line| Some(line.1)).eq(expected), "{lines:?}");
        assert_eq!((lines[1].2.as_str(), lines[3].2.as_str()), ("1234", "12"));
    }
}
