//! What was said and what is known, in SQL: everything with a key.
//!
//! Rows that follow from events carry the journal position they follow from, and are written in
//! batches that repeat without harm: identity is by content, so the same batch again changes
//! nothing. No transaction spans journal and SQL. After a crash, [`Records::rewind`] removes what
//! runs ahead of the journal, and replaying the journal adds what lags behind it.

mod alerts;
mod answers;
mod bars;
mod batch;
mod cards;
mod chain;
mod channels;
mod days;
mod db;
mod documents;
mod evidence;
mod feed_places;
mod followed;
mod group;
mod held;
mod history;
mod instruments;
mod listings;
mod mutes;
mod notices;
mod outbox;
mod pages;
mod retention;
mod salvage;
mod schema;
mod signals;
mod spend;
mod statements;
mod tasks;
mod touched;
mod track;
mod trials;
mod upkeep;
mod uptime;
mod watches;
mod writer;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use finstage_model::{Day, Position, RunNumber, Symbol};
use rusqlite::{OptionalExtension, Row, params};

pub use alerts::{AlertRow, AlertStatus};
pub use answers::{Answer, Answers, AnswersOptions};
pub use bars::ImportCounts;
pub use batch::{Applied, Batch, NewAlert, NewSignal, Rewound, Route};
pub use cards::{CardRow, MAX_CARDS};
pub use chain::{Appended, ChainCheck, Head};
pub use channels::{DIGEST_UNTIL, Renamed};
pub use days::{AlertCount, Known, MAX_WITHIN, Moments};
pub use db::BUSY_TIMEOUT;
pub use documents::{DocumentPage, DocumentRow};
pub use evidence::Evidence;
pub use feed_places::MAX_FEED_PLACES;
pub use followed::{FollowedSignal, MAX_FOLLOWED};
pub use group::GROUP_CALLS;
pub use held::{HeldAlert, HeldCount, MAX_HELD, OTHER_CHAT};
pub(crate) use history::{Content, FileRow, PeriodRow, Publication, SeriesId, TailPart};
pub use listings::OwnListing;
pub use notices::{
    MAX_NOTICE_LINE_CHARS, MAX_NOTICE_LINES, Notice, NoticeKind, NoticeStyle, NoticeText,
};
pub use outbox::{Item, Leased, OutboxCounts, Sent};
pub use pages::{AlertPage, OutcomePage, SaidPlace, SignalPage};
pub use retention::{FORGET_PAGE, Forgettable, Old, OldRow};
pub use salvage::Salvaged;
pub use signals::SignalRow;
pub use spend::{MAX_SPEND, SpendRow, Spent};
pub use statements::{
    Cost, MAX_SLOW, MAX_STATEMENTS, SLOW, STATEMENT_SECONDS, SlowStatement, Statement,
    active_connections, set_slow, slow_statements, statements,
};
pub use tasks::{
    Again, Busy, Failed, KindStats, LeasedTask, MAX_BACKOFF, MAX_DELAY, MAX_KINDS,
    MAX_PAYLOAD_BYTES, MAX_REASON_CHARS, MAX_RESULT_BYTES, MAX_TASK_PAGE, MAX_TRIES, Mark, NewTask,
    Priority, Progress, Pruned, Renewed, Submitted, TaskCounts, TaskFilter, TaskId, TaskKeep,
    TaskLease, TaskRow, TaskState,
};
pub use touched::Touched;
pub use track::{MAX_TRACK, OpenSignal, TrackEntry, TrackOutcome, TrackRow, TrackSignal};
pub use trials::{MAX_TRIALS, TrialRow};
pub use upkeep::MAX_FAULTS;
pub use uptime::UptimeDay;
pub use watches::{AddedWatch, MAX_ADDED_WATCHES};
pub use writer::{GROUP_BATCHES, RecordsWriter};

use crate::Error;
use db::{Db, Durability, Trouble};

/// The records of a data folder. Cheap to clone; every clone is the same database.
///
/// All calls block; a call that writes waits for its turn among threads and processes.
#[derive(Debug, Clone)]
pub struct Records(Arc<Db>);

/// Which world the records are about. A store never changes sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Real markets.
    Real,
    /// The simulator's.
    Demo,
}

impl StoreKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Real, Self::Demo];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Demo => "demo",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What was said by a run, in three numbers: two runs with the same are taken for equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunDigest {
    /// Events applied.
    pub events: u64,
    /// Outputs given.
    pub outputs: u64,
    /// A rolling hash over the outputs; the caller's.
    pub digest: u128,
}

/// What is recorded of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRow {
    /// The UTC day.
    pub day: Day,
    /// Which run of that day.
    pub run: RunNumber,
    /// After the last event applied.
    pub position: Position,
    /// What was said up to there.
    pub digest: RunDigest,
}

/// Which rows of a list are wanted: the newest, at most `limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only this instrument's.
    pub symbol: Option<Symbol>,
    /// At most so many.
    pub limit: usize,
}

impl Filter {
    /// The newest `limit` rows of all instruments.
    #[must_use]
    pub const fn newest(limit: usize) -> Self {
        Self { symbol: None, limit }
    }

    /// Of one instrument only.
    #[must_use]
    pub fn of(self, symbol: Symbol) -> Self {
        Self { symbol: Some(symbol), ..self }
    }

    /// The limit as SQL wants it.
    fn sql_limit(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }
}

impl Records {
    /// Opens the database at `path`, which is made or upgraded as needed.
    ///
    /// # Errors
    /// `Newer` when a newer finstage wrote it, `Corrupt`, `Full`, `Held` or `Io`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self(Arc::new(Db::open(path)?)))
    }

    /// Opens the database at `path` to read it, also beside a running service.
    ///
    /// # Errors
    /// `NotFound` when it is not there or not upgraded yet, `Newer`, `Corrupt` or `Io`.
    pub fn open_read_only(path: &Path) -> Result<Self, Error> {
        Ok(Self(Arc::new(Db::open_read_only(path)?)))
    }

    /// An empty database in memory, which lives as long as its last clone.
    ///
    /// # Errors
    /// `Io` when SQLite fails.
    pub fn open_in_memory() -> Result<Self, Error> {
        Ok(Self(Arc::new(Db::open_in_memory()?)))
    }

    /// Leaves syncing to the system from now on: for a database that nobody needs after a power
    /// cut. A killed process loses nothing.
    ///
    /// # Errors
    /// `Io` when SQLite fails.
    pub fn stop_syncing(&self) -> Result<(), Error> {
        self.0.stop_syncing()
    }

    /// Why the last write could not be done, where the disk was full or another program held the file; nothing
    /// once a write was done. It is known as soon as one gave up, and asking waits for nobody.
    #[must_use]
    pub fn blocked(&self) -> Option<String> {
        self.0.blocked()
    }

    /// Lets a statement fail at once when another process writes.
    #[cfg(test)]
    pub(crate) fn give_up_at_once(&self) {
        self.0.give_up_at_once();
    }

    /// A value that was stored under `key`.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn meta(&self, key: &str) -> Result<Option<String>, Error> {
        self.0.read("reading", |tx| {
            let mut query = tx.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
            Ok(query.query_row([key], |row| row.get(0)).optional()?)
        })
    }

    /// Stores a value under `key`, in place of the one before.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), Error> {
        self.0.write("writing to", Durability::Kept, |tx| {
            let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";
            tx.execute(sql, [key, value])?;
            Ok(())
        })
    }

    /// Says that the store is of `kind`, unless that was said before; gives the kind in force.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn claim_kind(&self, kind: StoreKind) -> Result<StoreKind, Error> {
        self.0.write("writing to", Durability::Kept, |tx| {
            let sql = "INSERT INTO meta VALUES ('kind', ?) ON CONFLICT DO NOTHING";
            tx.execute(sql, [kind.as_str()])?;
            let sql = "SELECT value FROM meta WHERE key = 'kind'";
            let found: String = tx.query_row(sql, (), |row| row.get(0))?;
            StoreKind::find(&found)
                .ok_or_else(|| Trouble::BadRow(format!("its kind is \"{found}\"")))
        })
    }

    /// Which world they are about; `None` until that was claimed.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn kind(&self) -> Result<Option<StoreKind>, Error> {
        Ok(self.meta("kind")?.as_deref().and_then(StoreKind::find))
    }

    /// The position after the last event of a run that was applied.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn last_position(&self, day: Day, run: RunNumber) -> Result<Option<Position>, Error> {
        let runs = self.runs_of(day)?;
        Ok(runs.iter().find(|row| row.run == run).map(|row| row.position))
    }

    /// What is recorded of the runs of a day, first to last.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn runs_of(&self, day: Day) -> Result<Vec<RunRow>, Error> {
        self.0.read("listing runs in", |tx| {
            let sql = "SELECT run, position, events, outputs, digest FROM runs
                WHERE day = ? ORDER BY run";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![day.days()])?;
            let mut runs = Vec::new();
            while let Some(row) = rows.next()? {
                runs.push(run_row(day, row)?);
            }
            Ok(runs)
        })
    }
}

fn run_row(day: Day, row: &Row<'_>) -> Result<RunRow, Trouble> {
    let digest: String = row.get(4)?;
    let digest = u128::from_str_radix(&digest, 16)
        .map_err(|_| Trouble::BadRow(format!("digest \"{digest}\" of a run of {day}")))?;
    Ok(RunRow {
        day,
        run: row.get(0)?,
        position: Position::from_i64(row.get(1)?),
        digest: RunDigest {
            events: row.get::<_, i64>(2)?.unsigned_abs(),
            outputs: row.get::<_, i64>(3)?.unsigned_abs(),
            digest,
        },
    })
}

/// Reads a column that holds the text form of a type.
fn parse<T: std::str::FromStr>(row: &Row<'_>, column: &'static str) -> Result<T, Trouble> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| Trouble::BadRow(format!("\"{text}\" in column {column}")))
}

/// Ids as one value of SQL, for `json_each`: a list of any length is one question.
fn json_list<T: std::fmt::Display>(ids: &BTreeSet<T>) -> String {
    let texts: Vec<String> = ids.iter().map(T::to_string).collect();
    serde_json::to_string(&texts).expect("texts are always JSON")
}

#[cfg(test)]
mod tests;
