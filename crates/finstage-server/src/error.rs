use std::error::Error as StdError;
use std::fmt;

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The settings contradict each other or the rules of safety.
    Settings,
    /// Another process listens there.
    Busy,
    /// The thing asked for is not there.
    NotFound,
    /// What was asked for makes no sense.
    Refused,
    /// The store or the system failed.
    Failed,
}

/// What went wrong in the server: a kind to act on and one line for people.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with its words.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<finstage_store::Error> for Error {
    fn from(error: finstage_store::Error) -> Self {
        let kind = match error.kind() {
            finstage_store::ErrorKind::NotFound => ErrorKind::NotFound,
            finstage_store::ErrorKind::Refused => ErrorKind::Refused,
            _ => ErrorKind::Failed,
        };
        Self { kind, message: error.to_string(), source: None }
    }
}
