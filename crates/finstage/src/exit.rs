//! How a command ends: one line for people, one number for scripts.

use std::fmt;

use finstage_strategies::expr::EXCERPT;

/// The exit codes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A check that was asked for did not hold.
    CheckFailed = 1,
    /// Usage, configuration or a bad input file.
    Usage = 2,
    /// A remote could not be reached or refused.
    Remote = 3,
    /// A remote does not accept who we are: a token that is wrong or was revoked.
    Auth = 4,
    /// The budget is spent.
    Budget = 5,
    /// The local store: disk full, held by another process, damaged.
    Store = 6,
    /// Interrupted; work so far is kept.
    Interrupted = 130,
}

/// Why a command did not do what it was asked: what, where, and what to do, in one line. Below it may
/// stand the text that is meant, with the place underlined.
#[derive(Debug)]
pub struct Failure {
    /// The number for scripts.
    pub exit: Exit,
    message: String,
}

/// What commands return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with its words; line breaks become spaces, because an error is one line. Only an
    /// excerpt, lines that begin with [`EXCERPT`], stays as it is.
    #[must_use]
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        let text = message.to_string();
        let (said, excerpt) = text.split_at(text.find(EXCERPT).unwrap_or(text.len()));
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { exit, message: format!("{said}{excerpt}") }
    }

    /// A file that cannot be written.
    #[must_use]
    pub fn from_writing(file: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(Exit::Store, format!("writing {}: {error}", file.display()))
    }

    /// Wrong usage, configuration or input.
    #[must_use]
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<finstage_store::Error> for Failure {
    fn from(error: finstage_store::Error) -> Self {
        // The store says what, where and what to do; where the system refused, only the cause does.
        match (error.kind(), std::error::Error::source(&error)) {
            (finstage_store::ErrorKind::Io, Some(cause)) => {
                Self::new(Exit::Store, format!("{error}: {cause}"))
            }
            // Nothing is wrong with the store: what was asked for is.
            (finstage_store::ErrorKind::Refused, _) => Self::new(Exit::Usage, error),
            _ => Self::new(Exit::Store, error),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Store, error)
    }
}
