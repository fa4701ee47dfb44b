use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing asked for is not there.
    NotFound,
    /// What is there cannot be right: a damaged file, a wrong checksum, an impossible row.
    Corrupt,
    /// No space is left; going on is possible once there is some.
    Full,
    /// The system refused or failed.
    Io,
    /// Another process or connection holds it.
    Held,
    /// It was written by a newer finstage.
    Newer,
    /// The caller acts on something that has moved on, for example with a lease that ran out.
    Stale,
    /// What was asked for breaks a bound or a rule of the store; asking again is no use.
    Refused,
}

/// What went wrong in the store: a kind to act on, one line for people, and the cause.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
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

    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The same again, for another who waited for the same; the cause stays with the first.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.kind, self.to_string())
    }

    pub(crate) fn corrupt(path: &Path, what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Corrupt, format!("{} is damaged: {what}", path.display()))
    }

    /// The error of `doing` (a verb: "reading") something to `path`.
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        let shown = path.display();
        let (kind, message) = match source.kind() {
            io::ErrorKind::NotFound => {
                (ErrorKind::NotFound, format!("{doing} {shown}: no such file"))
            }
            _ if is_full(&source) => (ErrorKind::Full, full_message(doing, path)),
            _ => (ErrorKind::Io, format!("{doing} {shown} failed")),
        };
        Self::new(kind, message).because(source)
    }

    /// The error of SQLite while `doing` something to the database at `path`.
    pub(crate) fn sql(doing: &str, path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let shown = path.display();
        let (kind, message) = match source.sqlite_error_code() {
            Some(Code::DiskFull) => (ErrorKind::Full, full_message(doing, path)),
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => (
                ErrorKind::Held,
                format!("{doing} {shown}: another process is writing to it; try again"),
            ),
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => (
                ErrorKind::Corrupt,
                format!("{doing} {shown}: the database is damaged; put a backup in its place"),
            ),
            Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => (
                ErrorKind::Io,
                format!(
                    "{doing} {shown}: this user may not write there, which reading needs too: run it as the owner of {}, or on a copy",
                    path.parent().unwrap_or(path).display()
                ),
            ),
            _ => (ErrorKind::Io, format!("{doing} {shown} failed")),
        };
        Self::new(kind, message).because(source)
    }
}

/// Whether an operation failed for want of space.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn full_message(doing: &str, path: &Path) -> String {
    let folder = path.parent().unwrap_or(path);
    let shown = path.display();
    format!("{doing} {shown}: disk full; free space on the disk of {}", folder.display())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_and_says_what_to_do() {
        let error = Error::io(
            "writing",
            Path::new("/data/journal/reserve"),
            io::Error::from(io::ErrorKind::StorageFull),
        );
        assert_eq!(error.kind(), ErrorKind::Full);
        assert_eq!(
            error.to_string(),
            "writing /data/journal/reserve: disk full; free space on the disk of /data/journal"
        );
        assert!(error.source().is_some());
    }
}
