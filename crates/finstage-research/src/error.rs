use std::error::Error as StdError;
use std::fmt;

use finstage_engine::StrategyError;

/// Why a question cannot be answered. One line, naming the thing and the place.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    cause: Option<StrategyError>,
}

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bars are none, out of order or of several series: import them again.
    Bars,
    /// The wanted positions are out of order or out of bounds: mend the list.
    Targets,
    /// An option is out of bounds: correct it.
    Options,
    /// A strategy is unknown, or its parameters make no sense: correct its text.
    Strategy,
    /// A grid of parameters is not of its form, too large, or holds nothing that makes sense.
    Grid,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

impl From<StrategyError> for Error {
    fn from(cause: StrategyError) -> Self {
        Self { kind: ErrorKind::Strategy, message: cause.to_string(), cause: Some(cause) }
    }
}
