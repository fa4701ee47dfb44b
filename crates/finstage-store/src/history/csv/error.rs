//! What is wrong with a bar file, where, and what to do about it.

use std::error::Error;
use std::{fmt, io};

/// Characters of a cell that a message repeats.
const MAX_QUOTED: usize = 40;

/// Why a bar file could not be read. One line: `FILE:LINE: what: remedy`.
#[derive(Debug)]
pub struct BarFileError {
    kind: BarFileErrorKind,
    file: String,
    line: Option<u64>,
    fault: Fault,
    source: Option<io::Error>,
}

/// What a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BarFileErrorKind {
    /// There is no such file.
    Missing,
    /// The operating system refused to read it.
    Io,
    /// It is not a file of bars: empty, binary, without the columns that bars need.
    NotBars,
    /// One row cannot be used.
    BadRow,
    /// The stamps do not tell the interval: ask for it.
    Interval,
    /// The zone's name is unknown.
    Zone,
}

impl BarFileError {
    /// What went wrong, for the caller to act on.
    #[must_use]
    pub const fn kind(&self) -> BarFileErrorKind {
        self.kind
    }

    /// The line it concerns, from 1.
    #[must_use]
    pub const fn line(&self) -> Option<u64> {
        self.line
    }

    pub(in crate::history) fn at(
        kind: BarFileErrorKind,
        file: &str,
        line: Option<u64>,
        fault: Fault,
    ) -> Self {
        Self { kind, file: file.to_owned(), line, fault, source: None }
    }

    pub(in crate::history) fn io(file: &str, source: io::Error) -> Self {
        let (kind, fault) = match source.kind() {
            io::ErrorKind::NotFound => {
                (BarFileErrorKind::Missing, Fault::new("no such file", "check the path"))
            }
            kind => (BarFileErrorKind::Io, Fault::new(kind.to_string(), "check what is there")),
        };
        Self { source: Some(source), ..Self::at(kind, file, None, fault) }
    }
}

impl fmt::Display for BarFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: {}", self.fault.what, self.fault.remedy)
    }
}

impl Error for BarFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// What is wrong and what to do, before file and line are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::history) struct Fault {
    pub(in crate::history) what: String,
    pub(in crate::history) remedy: &'static str,
}

impl Fault {
    pub(in crate::history) fn new(what: impl Into<String>, remedy: &'static str) -> Self {
        Self { what: what.into(), remedy }
    }
}

/// A cell as messages show it: in quotes, on one line, cut short.
pub(in crate::history) fn quoted(cell: &str) -> String {
    let mut shown: String = cell.chars().take(MAX_QUOTED).flat_map(char::escape_debug).collect();
    if cell.chars().nth(MAX_QUOTED).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
