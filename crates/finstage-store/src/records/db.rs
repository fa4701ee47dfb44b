//! One database file: how it is opened, and how work on it begins and ends.
//!
//! One connection writes and one reads, so a long read never holds up the writer (WAL). Every
//! writing transaction begins `IMMEDIATE`: one that begins as a reader and writes later is refused
//! at once when another process writes, instead of waiting its turn.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::group::Group;
use super::statements::AtWork;
use super::tasks::Bell;
use super::{schema, statements};
use crate::files::{make_private_dir, touch_private};
use crate::{Error, ErrorKind};

/// How long a statement waits for another process before it gives up with `Held`.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: more than there are.
const STATEMENTS: usize = 128;
/// Stands for the file of a database in memory.
const MEMORY: &str = "(memory)";

/// What a power cut may take from a finished transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// The whole transaction, with those after it: what the journal tells again.
    Derived,
    /// Nothing: what only this database knows.
    Kept,
}

/// Why work inside a transaction did not succeed.
#[derive(Debug)]
pub(super) enum Trouble {
    Sql(rusqlite::Error),
    /// A row that cannot be right.
    BadRow(String),
    Ours(Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        statements::failed(&error);
        Self::Sql(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

#[derive(Debug)]
pub(super) struct Db {
    path: PathBuf,
    write: Mutex<Connection>,
    /// None where a second connection would not see the same data: in memory.
    read: Option<Mutex<Connection>>,
    /// Whether a commit reaches the disk before it returns, where that is asked for.
    is_synced: AtomicBool,
    /// Calls that share a commit.
    pub(super) group: Group,
    /// Whom to tell that a running task was called off.
    pub(super) bell: Bell,
    /// Why the last write could not be done, until one is.
    blocked: Mutex<Option<String>>,
}

impl Db {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            make_private_dir(dir).map_err(|e| Error::io("making", dir, e))?;
        }
        // SQLite gives the files beside it the same permissions, and says better what is wrong with a place.
        let _ = touch_private(path);
        let failed = |e| Error::sql("opening", path, e);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut write = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_CREATE)
            .and_then(prepare)
            .map_err(failed)?;
        write.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        schema::migrate(&mut write, path, schema::MIGRATIONS)?;
        let read = Connection::open_with_flags(path, flags).and_then(prepare).map_err(failed)?;
        read.pragma_update(None, "query_only", true).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            write: Mutex::new(write),
            read: Some(Mutex::new(read)),
            is_synced: AtomicBool::new(true),
            group: Group::default(),
            bell: Bell::default(),
            blocked: Mutex::default(),
        })
    }

    pub(super) fn open_in_memory() -> Result<Self, Error> {
        let path = PathBuf::from(MEMORY);
        let opened = Connection::open_in_memory().and_then(prepare);
        let mut write = opened.map_err(|e| Error::sql("opening", &path, e))?;
        schema::migrate(&mut write, &path, schema::MIGRATIONS)?;
        Ok(Self {
            path,
            write: Mutex::new(write),
            read: None,
            is_synced: AtomicBool::new(true),
            group: Group::default(),
            bell: Bell::default(),
            blocked: Mutex::default(),
        })
    }

    pub(super) fn open_read_only(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            let message = format!(
                "{} does not exist: nothing was stored yet, or this is another data folder",
                path.display()
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(prepare)
            .map_err(|e| Error::sql("opening", path, e))?;
        schema::check_readable(&connection, path, schema::MIGRATIONS)?;
        Ok(Self {
            path: path.to_owned(),
            write: Mutex::new(connection),
            read: None,
            is_synced: AtomicBool::new(true),
            group: Group::default(),
            bell: Bell::default(),
            blocked: Mutex::default(),
        })
    }

    /// The file; none for a database in memory.
    pub(super) fn path(&self) -> Option<&Path> {
        (self.path.as_os_str() != MEMORY).then_some(&self.path)
    }

    /// Reads, all from one moment. `doing` is a verb with its object: "listing signals in".
    pub(super) fn read<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&Connection) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        let mut connection = lock(self.read.as_ref().unwrap_or(&self.write));
        let _at_work = AtWork::begin();
        let result = connection
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(Trouble::from)
            .and_then(|tx| work(&tx));
        result.map_err(|trouble| self.error(doing, trouble))
    }

    /// Writes, all or nothing.
    pub(super) fn write<T>(
        &self,
        doing: &str,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        let mut connection = lock(&self.write);
        let _at_work = AtWork::begin();
        let durability = match self.is_synced.load(Ordering::Relaxed) {
            true => durability,
            false => Durability::Derived,
        };
        let done = begin_and_commit(&mut connection, durability, work)
            .map_err(|trouble| self.error(doing, trouble));
        self.note_blocked(done.as_ref().err());
        done
    }

    fn note_blocked(&self, error: Option<&Error>) {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            None => *blocked = None,
            Some(error) if matches!(error.kind(), ErrorKind::Full | ErrorKind::Held) => {
                *blocked = Some(error.to_string());
            }
            Some(_) => {}
        }
    }

    /// Why the last write could not be done, until one is.
    pub(super) fn blocked(&self) -> Option<String> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does what no transaction may surround.
    pub(super) fn outside_transactions<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&Connection) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        let connection = lock(&self.write);
        let _at_work = AtWork::begin();
        work(&connection).map_err(|trouble| self.error(doing, trouble))
    }

    /// Leaves syncing to the system from now on.
    pub(super) fn stop_syncing(&self) -> Result<(), Error> {
        self.is_synced.store(false, Ordering::Relaxed);
        let connection = lock(&self.write);
        connection
            .pragma_update(None, "synchronous", "OFF")
            .map_err(|e| Error::sql("opening", &self.path, e))
    }

    /// Lets a statement fail at once when another process writes.
    #[cfg(test)]
    pub(super) fn give_up_at_once(&self) {
        lock(&self.write).busy_timeout(Duration::ZERO).unwrap();
    }

    /// Makes the disk look full when the database has so many pages.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) {
        let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let sql = format!("PRAGMA max_page_count = {pages}");
        lock(&self.write).query_row(&sql, (), set).unwrap();
    }

    fn error(&self, doing: &str, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Sql(e) => Error::sql(doing, &self.path, e),
            Trouble::BadRow(what) => Error::corrupt(&self.path, what),
            Trouble::Ours(error) => error,
        }
    }
}

fn begin_and_commit<T>(
    connection: &mut Connection,
    durability: Durability,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    if durability == Durability::Kept {
        connection.pragma_update(None, "synchronous", "FULL")?;
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&tx).and_then(|value| {
        tx.commit()?;
        Ok(value)
    });
    if durability == Durability::Kept {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    done
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic elsewhere rolled its transaction back: the connection is as good as before.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn prepare(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    statements::watch(&connection);
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}
