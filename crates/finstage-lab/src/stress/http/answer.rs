//! An HTTP/1.1 answer as it comes in, in pieces cut anywhere: its head is read, its body counted and
//! let go. No socket, no clock.

use std::fmt;

/// The longest head, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// The most lines in a head.
const MAX_HEADERS: usize = 100;
/// The longest line of a chunk's length or of a trailer.
const MAX_LINE: u32 = 8 * 1024;

/// An answer that is being read. One is used again and again on a connection.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    part: Part,
    /// The head so far, where it came in pieces.
    kept: Vec<u8>,
    status: u16,
    is_last: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum Part {
    #[default]
    Head,
    /// So many bytes are to come.
    Length(u64),
    Chunks(Chunks),
    /// All until the connection is closed.
    Rest,
}

/// Where in a chunked body.
#[derive(Debug, Clone, Copy)]
enum Chunks {
    /// In the line with the length.
    Size { size: u64, digits: u32, line: u32, is_extension: bool },
    /// In data.
    Data(u64),
    /// Behind data, before the next length.
    End,
    /// Behind the last chunk: how long the present line is.
    Trailer(u32),
}

const NEW_CHUNK: Chunks = Chunks::Size { size: 0, digits: 0, line: 0, is_extension: false };

/// How far an answer is after a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More is to come.
    More,
    /// It is complete.
    Done {
        /// Its status.
        status: u16,
        /// Whether the connection cannot be used again.
        is_last: bool,
    },
}

/// What came is not HTTP/1.1, or beyond a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Who looks at the lines of a head: name and value as they came.
pub(crate) type Reader<'a> = &'a mut dyn FnMut(&str, &[u8]);

impl Answer {
    /// Reads a piece of the answer to what was `asked`.
    pub(crate) fn feed(
        &mut self,
        mut data: &[u8],
        asked: Asked,
        read: Reader<'_>,
    ) -> Result<Progress, Malformed> {
        loop {
            let (part, rest) = match self.part {
                Part::Head => match self.head(data, asked, read)? {
                    Some((part, rest)) => (part, rest),
                    None => return Ok(Progress::More),
                },
                Part::Length(left) => {
                    let take = left.min(data.len() as u64);
                    (Some(Part::Length(left - take)), &data[take as usize..])
                }
                Part::Chunks(chunks) => {
                    let (chunks, rest) = chunks.feed(data)?;
                    (chunks.map(Part::Chunks), rest)
                }
                Part::Rest => (Some(Part::Rest), &data[data.len()..]),
            };
            data = rest;
            match part {
                None | Some(Part::Length(0)) => return Ok(self.done(!data.is_empty())),
                Some(part) => self.part = part,
            }
            if data.is_empty() && !matches!(self.part, Part::Head) {
                return Ok(Progress::More);
            }
        }
    }

    /// The connection was closed: complete only where that is how the answer ends.
    pub(crate) fn closed(&mut self) -> Option<Progress> {
        matches!(self.part, Part::Rest).then(|| self.done(true))
    }

    fn done(&mut self, is_last: bool) -> Progress {
        self.part = Part::Head;
        self.kept = Vec::new();
        Progress::Done { status: self.status, is_last: is_last || self.is_last }
    }

    /// Reads the head; what follows it, and what is left of the piece.
    #[expect(clippy::type_complexity, reason = "two facts of one step, used once")]
    fn head<'d>(
        &mut self,
        data: &'d [u8],
        asked: Asked,
        read: Reader<'_>,
    ) -> Result<Option<(Option<Part>, &'d [u8])>, Malformed> {
        if self.kept.is_empty() {
            return match self.parse(data, asked, read)? {
                Some((length, part)) => Ok(Some((part, &data[length..]))),
                None => {
                    self.kept.extend_from_slice(data);
                    self.within_bound().map(|()| None)
                }
            };
        }
        let before = self.kept.len();
        self.kept.extend_from_slice(data);
        let kept = std::mem::take(&mut self.kept);
        let parsed = self.parse(&kept, asked, read)?;
        match parsed {
            // The head ended in this piece: before it, it was not complete.
            Some((length, part)) => Ok(Some((part, &data[length.saturating_sub(before)..]))),
            None => {
                self.kept = kept;
                self.within_bound().map(|()| None)
            }
        }
    }

    fn within_bound(&self) -> Result<(), Malformed> {
        if self.kept.len() > MAX_HEAD { Err(Malformed("a head of over 64 KB")) } else { Ok(()) }
    }

    /// The length of a complete head, and what follows; nothing follows an answer without a body.
    fn parse(
        &mut self,
        bytes: &[u8],
        asked: Asked,
        read: Reader<'_>,
    ) -> Result<Option<(usize, Option<Part>)>, Malformed> {
        let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut lines);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Malformed("over 100 lines in a head"));
            }
            Err(_) => return Err(Malformed("not an HTTP/1.1 answer")),
        };
        let status = head.code.unwrap_or(0);
        if (100..200).contains(&status) {
            return if status == 101 {
                Err(Malformed("another protocol was switched to"))
            } else {
                Ok(Some((length, Some(Part::Head))))
            };
        }
        let facts = Facts::of(&head, read)?;
        self.status = status;
        self.is_last = facts.is_last;
        let empty = matches!(asked, Asked::Head) || status == 204 || status == 304;
        let part = match (empty, facts.is_chunked, facts.length) {
            (true, ..) => None,
            (_, true, _) => Some(Part::Chunks(NEW_CHUNK)),
            (_, _, Some(length)) => Some(Part::Length(length)),
            _ => {
                self.is_last = true;
                Some(Part::Rest)
            }
        };
        Ok(Some((length, part)))
    }
}

/// What was asked, as far as it decides whether a body follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `HEAD`: none.
    Head,
    /// Anything else.
    Body,
}

/// What a head says about how its answer goes on.
#[derive(Debug, Default)]
struct Facts {
    length: Option<u64>,
    is_chunked: bool,
    is_last: bool,
}

impl Facts {
    fn of(head: &httparse::Response<'_, '_>, read: Reader<'_>) -> Result<Self, Malformed> {
        let mut facts = Self { is_last: head.version == Some(0), ..Self::default() };
        for line in head.headers.iter() {
            let (name, value) = (line.name, line.value);
            // By length first: most lines are none of these.
            match name.len() {
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let length =
                        std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
                    let length: u64 = length.ok_or(Malformed("a length that is no number"))?;
                    if facts.length.is_some_and(|other| other != length) {
                        return Err(Malformed("two lengths"));
                    }
                    facts.length = Some(length);
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    facts.is_chunked = contains(value, b"chunked");
                }
                10 if name.eq_ignore_ascii_case("connection") => {
                    if contains(value, b"close") {
                        facts.is_last = true;
                    } else if contains(value, b"keep-alive") {
                        facts.is_last = false;
                    }
                }
                _ => read(name, value),
            }
        }
        Ok(facts)
    }
}

impl Chunks {
    /// Reads a piece of the body; `None` where it is complete.
    fn feed(self, mut data: &[u8]) -> Result<(Option<Self>, &[u8]), Malformed> {
        let mut at = self;
        while let Some((&byte, rest)) = data.split_first() {
            at = match at {
                Self::Data(left) => {
                    let take = left.min(data.len() as u64);
                    data = &data[take as usize..];
                    at = if take == left { Self::End } else { Self::Data(left - take) };
                    continue;
                }
                Self::End => match byte {
                    b'\r' => Self::End,
                    b'\n' => NEW_CHUNK,
                    _ => return Err(Malformed("a chunk longer than it said")),
                },
                Self::Trailer(0) if byte == b'\n' => return Ok((None, rest)),
                Self::Trailer(line) => match byte {
                    b'\n' => Self::Trailer(0),
                    b'\r' => Self::Trailer(line),
                    _ => Self::Trailer(longer(line)?),
                },
                Self::Size { .. } => at.size(byte)?,
            };
            data = rest;
        }
        Ok((Some(at), data))
    }

    /// One more byte of the line with the length.
    fn size(self, byte: u8) -> Result<Self, Malformed> {
        let Self::Size { size, digits, line, is_extension } = self else { return Ok(self) };
        let line = longer(line)?;
        match byte {
            b'\n' if digits == 0 => Err(Malformed("a chunk without a length")),
            b'\n' if size == 0 => Ok(Self::Trailer(0)),
            b'\n' => Ok(Self::Data(size)),
            b'\r' => Ok(Self::Size { size, digits, line, is_extension: true }),
            b';' | b' ' | b'\t' => Ok(Self::Size { size, digits, line, is_extension: true }),
            _ if is_extension => Ok(Self::Size { size, digits, line, is_extension }),
            _ => {
                let digit = char::from(byte)
                    .to_digit(16)
                    .ok_or(Malformed("a chunk's length that is no number"))?;
                if digits >= 15 {
                    return Err(Malformed("a chunk beyond all bounds"));
                }
                Ok(Self::Size {
                    size: size * 16 + u64::from(digit),
                    digits: digits + 1,
                    line,
                    is_extension,
                })
            }
        }
    }
}

fn longer(line: u32) -> Result<u32, Malformed> {
    if line >= MAX_LINE { Err(Malformed("a line beyond all bounds")) } else { Ok(line + 1) }
}

/// Whether a value contains a word, whatever its case.
fn contains(value: &[u8], word: &[u8]) -> bool {
    value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome of an answer that comes in pieces of `size` bytes.
    fn fed(text: &str, asked: Asked, size: usize) -> Result<Vec<Progress>, Malformed> {
        let mut answer = Answer::default();
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            let progress = answer.feed(piece, asked, &mut |_, _| {})?;
            if progress != Progress::More {
                out.push(progress);
            }
        }
        out.extend(answer.closed());
        Ok(out)
    }

    fn every_cut(text: &str, asked: Asked) -> Vec<Progress> {
        let whole = fed(text, asked, text.len()).unwrap();
        for size in 1..text.len() {
            assert_eq!(fed(text, asked, size).unwrap(), whole, "pieces of {size} of {text:?}");
        }
        whole
    }

    const OK: Progress = Progress::Done { status: 200, is_last: false };
    const LAST: Progress = Progress::Done { status: 200, is_last: true };

    #[test]
    fn answers_end_where_their_heads_say_however_they_are_cut() {
        let body = Asked::Body;
        assert_eq!(every_cut("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", body), [OK]);
        assert_eq!(every_cut("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", body), [OK]);
        assert_eq!(
            every_cut("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx", body),
            [LAST]
        );
        assert_eq!(every_cut("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", body), [LAST]);
        assert_eq!(
            every_cut(
                "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
                body
            ),
            [OK]
        );
        assert_eq!(every_cut("HTTP/1.1 200 OK\r\n\r\nuntil the end", body), [LAST]);
        assert_eq!(every_cut("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", Asked::Head), [OK]);
        let none = "HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(every_cut(none, body), [Progress::Done { status: 204, is_last: false }]);
        let unchanged = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(every_cut(unchanged, body), [Progress::Done { status: 304, is_last: false }]);
    }

    #[test]
    fn chunks_end_with_an_empty_one_and_its_trailer() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for chunks in [
            "5\r\nhello\r\n0\r\n\r\n",
            "5;name=\"a b\"\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n000\r\n\r\n",
            "1 \r\n\n\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n",
        ] {
            assert_eq!(every_cut(&format!("{head}{chunks}"), Asked::Body), [OK], "{chunks:?}");
        }
    }

    #[test]
    fn a_word_in_between_is_skipped_and_what_is_too_much_ends_the_connection() {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        assert_eq!(every_cut(early, Asked::Body), [OK]);
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy";
        assert_eq!(fed(text, Asked::Body, 100).unwrap(), [LAST]);
    }

    #[test]
    fn what_is_not_an_answer_is_malformed_and_what_is_cut_is_not_complete() {
        for text in [
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n",
        ] {
            assert!(fed(text, Asked::Body, 7).is_err(), "{text:?}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MAX_HEAD));
        assert!(fed(&endless, Asked::Body, 4_096).is_err());
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
        assert_eq!(fed(cut, Asked::Body, 9).unwrap(), []);
    }

    #[test]
    fn lines_are_read_by_whoever_wants_them() {
        let mut seen = Vec::new();
        let text = b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nX-MBX-USED-WEIGHT-1M: 12\r\nContent-Length: 0\r\n\r\n";
        let read: Reader<'_> = &mut |name, value| {
            seen.push(format!("{name} {}", String::from_utf8_lossy(value)));
        };
        Answer::default().feed(text, Asked::Body, read).unwrap();
        assert_eq!(seen, ["Retry-After 7", "X-MBX-USED-WEIGHT-1M 12"]);
    }
}
