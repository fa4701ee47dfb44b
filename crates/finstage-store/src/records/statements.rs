//! What SQL costs: how often each statement ran and how long, as SQLite measured it.
//!
//! Statements here have no values in them, so the text of a statement is its template. Counted is per
//! process: SQLite tells a plain function, so the counts stand in one place.
//!
//! SQLite tells when a statement ended and not how. Whoever gets its error says so on the same thread before
//! another one ends there ([`failed`]), so each thread remembers the statement that ended last.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::ffi::SQLITE_ERROR;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use crate::{Error, Records};

/// The most statements that are told apart; the others count as one.
pub const MAX_STATEMENTS: usize = 1_000;
/// From how long on a statement is slow where nothing else is said.
pub const SLOW: Duration = Duration::from_secs(1);
/// Upper ends of the histogram of durations, in seconds.
pub const STATEMENT_SECONDS: [f64; 6] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5];
/// The most slow statements that are told of.
pub const MAX_SLOW: usize = 20;
/// Digits of a statement's hash.
const HASH_DIGITS: usize = 12;
/// The most characters of a statement that are shown.
const SHOWN_CHARS: usize = 200;

static SEEN: Mutex<BTreeMap<String, Cost>> = Mutex::new(BTreeMap::new());
static SLOW_NS: AtomicU64 = AtomicU64::new(SLOW.as_nanos() as u64);
static SLOW_COUNT: AtomicU64 = AtomicU64::new(0);
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a statement, or all of a kind, cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// How often it ran.
    pub count: u64,
    /// How long, all together.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
    /// How often it failed.
    pub failed: u64,
    /// How often it took longer than [`set_slow`] allows.
    pub slow: u64,
    /// How many ended within each of [`STATEMENT_SECONDS`], and how many later.
    pub within: [u64; STATEMENT_SECONDS.len() + 1],
}

/// A statement and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The first digits of the hash of its text.
    pub hash: String,
    /// Its text, in one line and cut.
    pub text: String,
    /// Its text as it ran.
    sql: String,
    /// What it does: `select`, `insert`, `update`, `delete`, `commit` or `other`.
    pub operation: &'static str,
    /// The table that it is about first; empty where there is none.
    pub table: String,
    /// What it cost.
    pub cost: Cost,
}

/// Every statement that ran in this process, those that cost most first.
#[must_use]
pub fn statements() -> Vec<Statement> {
    let mut all: Vec<Statement> =
        seen().iter().map(|(text, cost)| statement(text, *cost)).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.cost.total));
    all
}

/// The statements of this process that were slow, the slowest first, at most [`MAX_SLOW`].
fn slowest() -> Vec<Statement> {
    let mut all = statements();
    all.retain(|one| one.cost.slow > 0);
    all.sort_by_key(|one| std::cmp::Reverse(one.cost.longest));
    all.truncate(MAX_SLOW);
    all
}

/// A slow statement and how SQLite finds its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowStatement {
    /// What it is and cost.
    pub statement: Statement,
    /// The steps of its plan, as SQLite words them (`SEARCH alerts USING INDEX alerts_by_time (known_ns>?)`); empty
    /// for what has no plan, such as `COMMIT`.
    pub plan: Vec<String>,
    /// The tables of which it reads every row, because no index serves it there.
    pub reads_all_of: Vec<String>,
}

impl Records {
    /// The statements of this process that were slow, the slowest first, at most [`MAX_SLOW`]: each with its plan, as
    /// the database would choose it now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the records cannot be read.
    pub fn slowest_explained(&self) -> Result<Vec<SlowStatement>, Error> {
        let explained = |connection: &Connection, statement: Statement| {
            // A statement of other records may not fit these: it has no plan here.
            let plan = plan(connection, &statement).unwrap_or_default();
            let reads_all_of = plan.iter().filter_map(|step| scanned(step)).collect();
            SlowStatement { statement, plan, reads_all_of }
        };
        let slow = slowest();
        self.0.read("explaining slow statements of", |connection| {
            Ok(slow.into_iter().map(|one| explained(connection, one)).collect())
        })
    }
}

/// The steps by which SQLite would run a statement. Only what reads or writes rows is asked about: pragmas can take
/// effect when they are explained.
fn plan(connection: &Connection, of: &Statement) -> rusqlite::Result<Vec<String>> {
    if !matches!(of.operation, "select" | "insert" | "update" | "delete") {
        return Ok(Vec::new());
    }
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", of.sql))?;
    explain.raw_query().mapped(|row| row.get("detail")).collect()
}

/// The table of which a step reads every row. A scan of an index reads no more than that, and a table of a
/// statement's own making has no index.
fn scanned(step: &str) -> Option<String> {
    let mut words = step.strip_prefix("SCAN ")?.split(' ');
    let table = words.next()?;
    let is_plain = words.next().is_none() && !table.starts_with(['(', '-']);
    is_plain.then(|| table.to_owned())
}

/// How many statements took longer than [`set_slow`] allows.
#[must_use]
pub fn slow_statements() -> u64 {
    SLOW_COUNT.load(Ordering::Relaxed)
}

/// How many connections to records are at work at this moment, in this process: of each folder at most one that
/// writes and one that reads.
#[must_use]
pub fn active_connections() -> usize {
    ACTIVE.load(Ordering::Relaxed)
}

/// A connection that is at work until this is dropped.
#[derive(Debug)]
pub(super) struct AtWork(());

impl AtWork {
    pub(super) fn begin() -> Self {
        ACTIVE.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// From how long on a statement is slow: it is then said in the log.
pub fn set_slow(limit: Duration) {
    SLOW_NS.store(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Watches what runs on a connection.
pub(super) fn watch(connection: &Connection) {
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(ended));
}

fn ended(event: TraceEvent<'_>) {
    if let TraceEvent::Profile(statement, took) = event {
        let sql = statement.sql();
        count(&sql, took);
        // What follows from an error must not be blamed for it.
        if !sql.starts_with("ROLLBACK") {
            LAST.with_borrow_mut(|last| {
                last.clear();
                last.push_str(&sql);
            });
        }
    }
}

/// Counts the error of the statement that ended last on this thread, if it is one of SQLite. What could not
/// even begin, because it does not fit the tables, is nobody's.
pub(super) fn failed(error: &rusqlite::Error) {
    let never_ran = |cost: &mut Cost| {
        cost.count += 1;
        cost.failed += 1;
    };
    match error {
        rusqlite::Error::SqlInputError { .. } => at("", never_ran),
        rusqlite::Error::SqliteFailure(why, _) if why.extended_code == SQLITE_ERROR => {
            at("", never_ran);
        }
        rusqlite::Error::SqliteFailure(..) => {
            LAST.with_borrow(|last| at(last, |cost| cost.failed += 1));
        }
        _ => {}
    }
}

/// Changes what a statement cost.
fn at(sql: &str, change: impl FnOnce(&mut Cost)) {
    let mut seen = seen();
    let is_full = seen.len() >= MAX_STATEMENTS && !seen.contains_key(sql);
    let key = if is_full { "" } else { sql };
    match seen.get_mut(key) {
        Some(cost) => change(cost),
        None => change(seen.entry(key.to_owned()).or_default()),
    }
}

fn count(sql: &str, took: Duration) {
    at(sql, |cost| cost.add(took));
    if is_slow(took) {
        SLOW_COUNT.fetch_add(1, Ordering::Relaxed);
        let Statement { hash, text, .. } = statement(sql, Cost::default());
        tracing::warn!("slow statement {hash}: {} ms: {text}", took.as_millis());
    }
}

fn is_slow(took: Duration) -> bool {
    took.as_nanos() > u128::from(SLOW_NS.load(Ordering::Relaxed))
}

impl Cost {
    fn add(&mut self, took: Duration) {
        self.count += 1;
        self.total += took;
        self.longest = self.longest.max(took);
        self.slow += u64::from(is_slow(took));
        let seconds = took.as_secs_f64();
        let place = STATEMENT_SECONDS.iter().position(|end| seconds <= *end);
        self.within[place.unwrap_or(STATEMENT_SECONDS.len())] += 1;
    }

    /// Counts another's as well.
    pub fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
        self.slow += other.slow;
        self.failed += other.failed;
        self.within.iter_mut().zip(other.within).for_each(|(sum, more)| *sum += more);
    }
}

fn statement(sql: &str, cost: Cost) -> Statement {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let first = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    let operation = match first.as_str() {
        "select" => "select",
        "insert" => "insert",
        "update" => "update",
        "delete" => "delete",
        "commit" => "commit",
        _ => "other",
    };
    let text = words.join(" ");
    let hash = super::chain::sha256(&text).chars().take(HASH_DIGITS).collect();
    let text: String = text.chars().take(SHOWN_CHARS).collect();
    let table = table(&words, operation);
    Statement { hash, text, sql: sql.to_owned(), operation, table, cost }
}

fn table(words: &[&str], operation: &str) -> String {
    let after = |word: &str| {
        let place = words.iter().position(|w| w.eq_ignore_ascii_case(word))?;
        words.get(place + 1).copied()
    };
    let found = match operation {
        "select" | "delete" => after("from"),
        "insert" => after("into"),
        "update" => words.get(1).copied(),
        _ => None,
    };
    let name = found.unwrap_or_default();
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    name[..end].to_ascii_lowercase()
}

fn seen() -> MutexGuard<'static, BTreeMap<String, Cost>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_by_its_template_operation_and_table() {
        let sql = "SELECT id,\n    json FROM alerts_seen WHERE id = ?";
        count(sql, Duration::from_millis(3));
        count(sql, Duration::from_secs(3));
        let all = statements();
        let one = all.iter().find(|one| one.table == "alerts_seen").unwrap();
        assert_eq!((one.operation, one.cost.count), ("select", 2));
        assert_eq!(one.text, "SELECT id, json FROM alerts_seen WHERE id = ?");
        assert_eq!(one.hash.len(), HASH_DIGITS);
        assert_eq!(one.cost.within, [0, 1, 0, 0, 0, 0, 1]);
        assert!(slow_statements() >= 1, "three seconds are slow");
        let slow = slowest();
        let slow = slow.iter().find(|other| other.hash == one.hash).unwrap();
        assert_eq!((slow.cost.slow, slow.cost.longest), (1, Duration::from_secs(3)));
        for (sql, operation, of) in [
            ("INSERT INTO a_b (x) VALUES (?)", "insert", "a_b"),
            ("UPDATE t SET x = 1", "update", "t"),
            ("DELETE FROM t", "delete", "t"),
            ("SELECT 1 FROM (SELECT 2)", "select", ""),
            ("COMMIT", "commit", ""),
            ("PRAGMA synchronous = FULL", "other", ""),
        ] {
            let one = statement(sql, Cost::default());
            assert_eq!((one.operation, one.table.as_str()), (operation, of), "{sql}");
        }
    }

    #[test]
    fn a_statement_that_fails_is_counted_and_so_is_the_one_behind_it_that_does_not() {
        let connection = Connection::open_in_memory().unwrap();
        watch(&connection);
        connection.execute_batch("CREATE TABLE failing (x INTEGER PRIMARY KEY)").unwrap();
        let insert = |x: i64| connection.execute("INSERT INTO failing (x) VALUES (?)", [x]);
        insert(1).unwrap();
        failed(&insert(1).unwrap_err());
        insert(2).unwrap();
        failed(&connection.execute("DELETE FROM failing_missing", ()).unwrap_err());
        // A row that cannot be read is no failure of the statement.
        let read = connection.query_row("SELECT x FROM failing", (), |row| row.get::<_, String>(0));
        failed(&read.unwrap_err());
        let all = statements();
        let of = |operation: &str, table: &str| {
            let one = all.iter().find(|one| (one.operation, &*one.table) == (operation, table));
            one.map(|one| (one.cost.count, one.cost.failed)).unwrap()
        };
        assert_eq!(of("insert", "failing"), (3, 1));
        // Found by its text: a CREATE TABLE that took a millisecond is `other`, has no table and costs more.
        let unbegun = all.iter().find(|one| one.text.is_empty()).unwrap();
        assert!(unbegun.cost.failed >= 1, "what never began");
        assert_eq!(of("select", "failing").1, 0);
    }

    #[test]
    fn a_slow_statement_is_told_with_its_plan_and_the_tables_it_reads_whole() {
        let records = Records::open_in_memory().unwrap();
        let by_key = "SELECT value FROM meta WHERE key = ?";
        let whole = "SELECT key FROM meta WHERE value LIKE ?";
        for sql in [by_key, whole, "COMMIT", "PRAGMA user_version = 7", "SELECT x FROM elsewhere"] {
            count(sql, Duration::from_secs(3));
        }
        let slow = records.slowest_explained().unwrap();
        let of = |sql: &str| slow.iter().find(|one| one.statement.text == sql).unwrap();
        assert!(of(by_key).plan[0].starts_with("SEARCH meta USING "), "{:?}", of(by_key));
        assert_eq!(of(by_key).reads_all_of, [""; 0]);
        assert_eq!((&*of(whole).plan[0], &*of(whole).reads_all_of[0]), ("SCAN meta", "meta"));
        for without in ["COMMIT", "PRAGMA user_version = 7", "SELECT x FROM elsewhere"] {
            assert_eq!(of(without).plan, [""; 0], "{without}");
        }
        assert_eq!(scanned("SCAN meta USING COVERING INDEX by_value"), None);
        assert_eq!(scanned("SCAN (subquery-2)"), None);
        assert_eq!(scanned("USE TEMP B-TREE FOR ORDER BY"), None);
    }

    #[test]
    fn a_connection_is_active_while_it_works() {
        let records = crate::Records::open_in_memory().unwrap();
        let (inside, seen) = std::sync::mpsc::channel();
        let work = move |_: &rusqlite::Transaction<'_>| {
            inside.send(active_connections()).unwrap();
            Ok(())
        };
        records.0.write("testing", crate::records::db::Durability::Derived, work).unwrap();
        // Other tests of this process have records of their own.
        assert!(seen.recv().unwrap() >= 1);
    }

    #[test]
    fn what_runs_on_records_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let records = crate::Records::open(&dir.path().join("records.db")).unwrap();
        records.meta("x").unwrap();
        let all = statements();
        assert!(all.iter().any(|one| (one.operation, one.table.as_str()) == ("select", "meta")));
    }
}
