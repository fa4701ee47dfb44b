//! Recordings: frames with the moment of their receipt, read from a file as they once came.
//!
//! A [`Recording`] is a stream of any length in little memory: our own captures, what Tardis and a
//! tardis-machine hand out, records of sealed market data; plain, gzip or zstd. [`Playback`] sends it
//! through the venue's own decoder, with the gaps that a [`crate::Session`] would have told.
//! [`Recorder`] writes what a session's sockets bring.
//!
//! ```
//! use finstage_feeds::recording::{Form, Recording};
//! let file = "2026-03-01T00:00:00.1000000Z {\"a\":1}\n\n2026-03-01T00:00:02.0000000Z {\"a\":2}\n";
//! let recording = Recording::of("file", std::io::Cursor::new(file)).unwrap();
//! assert_eq!(recording.form(), Form::TardisRaw);
//! // Two connections: opened, a message, ended; opened, a message.
//! assert_eq!(recording.filter_map(Result::ok).count(), 5);
//! ```

mod bytes;
mod capture;
mod foreign;
mod lines;
mod playback;
mod recorder;
mod writer;

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use finstage_model::Timestamp;
use finstage_net::Frame;
use serde::Deserialize;
use serde::de::IgnoredAny;

use lines::{Found, Lines};

pub use capture::{Asked, Header};
pub use playback::{MAX_TOLD, MAX_UNUSED, Playback, PlaybackCounts};
pub use recorder::Recorder;
pub use writer::{Packing, RecordingWriter, Written};

/// Lines at the head of a file among which the first that can be read must be.
const HEAD_LINES: u64 = 64;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When it was received. Moments may go back where a file was put together of others.
    pub at: Timestamp,
    /// The line that says so, from 1.
    pub line: u64,
    /// What happened.
    pub what: What,
}

/// What can happen, each with the number of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A connection was opened.
    Opened(u64),
    /// A frame came, exactly as it was.
    Came(u64, Frame),
    /// A connection ended, for whatever reason.
    Ended(u64),
}

/// What a recording is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Our own: a JSON object a line.
    Capture,
    /// Tardis, raw messages of a venue behind a stamp.
    TardisRaw,
    /// A tardis-machine, raw messages of a venue.
    TardisMachineRaw,
    /// A tardis-machine, normalized messages.
    TardisNormalized,
    /// Tardis, rows of a CSV file.
    TardisCsv,
    /// Records of sealed market data.
    Ticks,
}

impl Form {
    /// The venue whose decoder reads the frames; `None` where the form does not say.
    #[must_use]
    pub const fn venue(self) -> Option<&'static str> {
        match self {
            Self::Capture | Self::TardisRaw | Self::TardisMachineRaw => None,
            Self::TardisNormalized | Self::TardisCsv | Self::Ticks => Some("tardis"),
        }
    }
}

/// What is wrong with a recording, and where.
#[derive(Debug)]
pub struct RecordingError {
    name: String,
    line: u64,
    kind: RecordingErrorKind,
    message: String,
}

/// What a reader can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordingErrorKind {
    /// One line; the next ones are read.
    Line,
    /// It ends in the middle: what stood before was whole.
    Cut,
    /// It cannot be read at all, or not any further.
    Unreadable,
}

impl RecordingError {
    /// What a reader can do about it.
    #[must_use]
    pub const fn kind(&self) -> RecordingErrorKind {
        self.kind
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, line, message, .. } = self;
        if *line == 0 {
            write!(f, "{name}: {message}")
        } else {
            write!(f, "{name}:{line}: {message}")
        }
    }
}

impl std::error::Error for RecordingError {}

/// Frames of a file, in its order. Ends after an error that is not of one line.
pub struct Recording {
    name: String,
    lines: Lines,
    line: Vec<u8>,
    reader: Reader,
    /// Lines at the head that are of no known form.
    strange: VecDeque<RecordingError>,
    /// What the last line said.
    queued: VecDeque<Recorded>,
    has_ended: bool,
}

/// Reads the lines of a form.
#[derive(Debug)]
enum Reader {
    Capture(capture::Capture),
    Raw(foreign::Raw),
    MachineRaw(foreign::MachineRaw),
    Normalized(foreign::Normalized),
    Csv(foreign::Csv),
    Ticks(foreign::TickLines),
}

impl Recording {
    /// Opens a file, packed or not.
    ///
    /// # Errors
    /// When it cannot be read, or nothing at its head is of a known form.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::of(name, file),
            Err(error) => Err(unreadable(name, &error)),
        }
    }

    /// Reads from `input`, which errors call `name`.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn of(
        name: impl Into<String>,
        input: impl Read + Send + 'static,
    ) -> Result<Self, RecordingError> {
        let name = name.into();
        let input = match bytes::unpacked(Box::new(input)) {
            Ok(input) => input,
            Err(error) => return Err(unreadable(name, &error)),
        };
        let mut recording = Self {
            name,
            lines: Lines::new(input),
            line: Vec::new(),
            reader: Reader::Raw(foreign::Raw::default()),
            strange: VecDeque::new(),
            queued: VecDeque::new(),
            has_ended: false,
        };
        recording.find_form()?;
        Ok(recording)
    }

    /// What it is written in.
    #[must_use]
    pub const fn form(&self) -> Form {
        match self.reader {
            Reader::Capture(_) => Form::Capture,
            Reader::Raw(_) => Form::TardisRaw,
            Reader::MachineRaw(_) => Form::TardisMachineRaw,
            Reader::Normalized(_) => Form::TardisNormalized,
            Reader::Csv(_) => Form::TardisCsv,
            Reader::Ticks(_) => Form::Ticks,
        }
    }

    /// The first line of a recording of ours.
    #[must_use]
    pub const fn header(&self) -> Option<&Header> {
        match &self.reader {
            Reader::Capture(capture) => capture.header(),
            _ => None,
        }
    }

    /// Reads up to the first line that is of a known form.
    fn find_form(&mut self) -> Result<(), RecordingError> {
        while self.lines.number() < HEAD_LINES {
            let found = match self.lines.next(&mut self.line) {
                Ok(Found::End) => break,
                Ok(found) => found,
                Err(error) => return Err(self.broken(&error)),
            };
            if self.lines.number() == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            match std::str::from_utf8(&self.line).ok().and_then(Reader::of) {
                Some(reader) => {
                    self.reader = reader;
                    return match self.read(found) {
                        // Whose frames follow, and in which words, is not known.
                        Err(error) if capture::is_header(&self.line) => Err(error),
                        Err(error) => {
                            self.strange.push_back(error);
                            Ok(())
                        }
                        Ok(()) => Ok(()),
                    };
                }
                None if self.line.is_empty() && found != Found::TooLong => {}
                None => {
                    let error = self.error(RecordingErrorKind::Line, "of no known form");
                    self.strange.push_back(error);
                }
            }
        }
        let message = match self.lines.number() {
            0 => "empty",
            _ => {
                "no recording: neither of finstage capture, nor of Tardis (raw, normalized, CSV), nor ticks"
            }
        };
        let mut error = self.error(RecordingErrorKind::Unreadable, message);
        error.line = 0;
        Err(error)
    }

    /// Reads the line at hand.
    fn read(&mut self, found: Found) -> Result<(), RecordingError> {
        let read = match found {
            Found::TooLong => Err(format!("longer than {} MiB", lines::LINE_MAX_BYTES >> 20)),
            _ => match std::str::from_utf8(&self.line) {
                Ok(text) => self.reader.read((self.lines.number(), text), &mut self.queued),
                Err(_) => Err("not text in UTF-8".to_owned()),
            },
        };
        match read {
            Ok(()) => Ok(()),
            Err(_) if found == Found::Last => {
                self.has_ended = true;
                Err(self.error(RecordingErrorKind::Cut, "ends in the middle of this line"))
            }
            Err(why) => Err(self.error(RecordingErrorKind::Line, why)),
        }
    }

    fn error(&self, kind: RecordingErrorKind, message: impl Into<String>) -> RecordingError {
        let (name, line) = (self.name.clone(), self.lines.number());
        RecordingError { name, line, kind, message: message.into() }
    }

    /// The file cannot be read on: its packing is cut or damaged, or the disk is.
    fn broken(&mut self, error: &io::Error) -> RecordingError {
        self.has_ended = true;
        let place =
            if self.lines.number() == 0 { "before its first line ends" } else { "after this line" };
        let (kind, what) = match error.kind() {
            io::ErrorKind::UnexpectedEof => (RecordingErrorKind::Cut, format!("cut off {place}")),
            _ => (RecordingErrorKind::Unreadable, format!("damaged {place}: {error}")),
        };
        self.error(kind, what)
    }
}

impl Iterator for Recording {
    type Item = Result<Recorded, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(error) = self.strange.pop_front() {
                return Some(Err(error));
            }
            if let Some(recorded) = self.queued.pop_front() {
                return Some(Ok(recorded));
            }
            if self.has_ended {
                return None;
            }
            match self.lines.next(&mut self.line) {
                Ok(Found::End) => self.has_ended = true,
                Ok(found) => {
                    if let Err(error) = self.read(found) {
                        return Some(Err(error));
                    }
                }
                Err(error) => return Some(Err(self.broken(&error))),
            }
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("name", &self.name)
            .field("form", &self.form())
            .field("line", &self.lines.number())
            .finish_non_exhaustive()
    }
}

/// What a line that begins a file may have.
#[derive(Deserialize)]
struct Probe<'a> {
    finstage: Option<&'a str>,
    at: Option<IgnoredAny>,
    link: Option<IgnoredAny>,
    #[serde(rename = "localTimestamp")]
    local_timestamp: Option<IgnoredAny>,
    message: Option<IgnoredAny>,
    #[serde(rename = "type")]
    kind: Option<IgnoredAny>,
    price: Option<IgnoredAny>,
    volume: Option<IgnoredAny>,
    timestamp: Option<IgnoredAny>,
}

impl Reader {
    /// What reads files that begin with this line.
    fn of(text: &str) -> Option<Self> {
        if foreign::Csv::fits(text) {
            return Some(Self::Csv(foreign::Csv::default()));
        }
        if foreign::Raw::fits(text) {
            return Some(Self::Raw(foreign::Raw::default()));
        }
        let probe: Probe<'_> = serde_json::from_str(text).ok()?;
        match probe {
            Probe { finstage: Some(capture::NAME), .. }
            | Probe { at: Some(_), link: Some(_), .. } => {
                Some(Self::Capture(capture::Capture::default()))
            }
            Probe { local_timestamp: Some(_), message: Some(_), kind: None, .. } => {
                Some(Self::MachineRaw(foreign::MachineRaw::default()))
            }
            Probe { local_timestamp: Some(_), kind: Some(_), .. } => {
                Some(Self::Normalized(foreign::Normalized::default()))
            }
            Probe { price: Some(_), volume: Some(_), timestamp: Some(_), .. } => {
                Some(Self::Ticks(foreign::TickLines::default()))
            }
            _ => None,
        }
    }

    fn read(&mut self, line: (u64, &str), out: &mut VecDeque<Recorded>) -> Result<(), String> {
        match self {
            Self::Capture(form) => form.read(line, out),
            Self::Raw(form) => form.read(line, out),
            Self::MachineRaw(form) => form.read(line, out),
            Self::Normalized(form) => form.read(line, out),
            Self::Csv(form) => form.read(line, out),
            Self::Ticks(form) => form.read(line, out),
        }
    }
}

fn unreadable(name: String, error: &io::Error) -> RecordingError {
    let message = error.to_string();
    RecordingError { name, line: 0, kind: RecordingErrorKind::Unreadable, message }
}

#[cfg(test)]
mod tests;
