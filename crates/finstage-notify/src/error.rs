use std::fmt;

/// Why a channel could not be set up. Deliveries do not fail with an error: their end is a row of
/// the outbox.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What a caller may act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option cannot be right; the message names it and says what to write.
    Option,
}

impl Error {
    pub(crate) const fn option(message: String) -> Self {
        Self { kind: ErrorKind::Option, message }
    }

    /// What kind of failure it is.
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

impl std::error::Error for Error {}
