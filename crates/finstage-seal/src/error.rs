use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file or key asked for is not there.
    NotFound,
    /// The file is there already.
    Exists,
    /// The text is no keyring, or one that cannot be right; the message names the line.
    Invalid,
    /// Others may read the file, or own it.
    Exposed,
    /// Another process is changing it.
    Held,
    /// What was asked for is not possible in the state that the key or the ring is in.
    State,
    /// The system refused or failed.
    Io,
}

/// What went wrong with a keyring: a kind to act on, one line for people, and the cause. It never
/// holds key material.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<io::Error>,
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The error of `doing` (a verb: "reading") something to `path`.
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        let shown = path.display();
        let (kind, message) = match source.kind() {
            io::ErrorKind::NotFound => {
                (ErrorKind::NotFound, format!("{doing} {shown}: no such file"))
            }
            _ => (ErrorKind::Io, format!("{doing} {shown} failed: {source}")),
        };
        Self { kind, message, source: Some(source) }
    }

    /// The same error, said of a file.
    pub(crate) fn of(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn StdError + 'static))
    }
}
