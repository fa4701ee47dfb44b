//! Answers of models that were paid for, kept for whoever asks the same again.
//!
//! A file of its own beside the records: it may be deleted at any time, needs no backup, and grows faster than
//! all else. So a power cut may take the newest answers, and never the file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::db::BUSY_TIMEOUT;
use crate::{Error, ErrorKind};

/// What this file is, for SQLite's `file` and for us.
const APPLICATION: i32 = 0x6669_6e61;
/// The form of its tables.
const VERSION: i32 = 1;
/// What an answer takes besides its body, about.
const BESIDES_BYTES: i64 = 128;

const TABLES: &str = "
    CREATE TABLE answers (
        id       INTEGER PRIMARY KEY,        -- older answers have smaller ones
        question BLOB    NOT NULL UNIQUE,
        at       INTEGER NOT NULL,
        model    TEXT    NOT NULL,
        body     BLOB    NOT NULL
    ) STRICT;
    CREATE TABLE size (bytes INTEGER NOT NULL) STRICT;
    INSERT INTO size VALUES (0);";

/// How answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswersOptions {
    /// For how long an answer stands.
    pub ttl: Duration,
    /// The most bytes of all answers; the oldest go first. The file is a little larger.
    pub most_bytes: u64,
}

/// An answer that was paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What tells its question from every other.
    pub question: [u8; 32],
    /// The model that gave it.
    pub model: String,
    /// The answer, as the caller writes it.
    pub body: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
}

/// Answers by question. Several processes may use one file; all calls block.
#[derive(Debug)]
pub struct Answers {
    connection: Mutex<Connection>,
    path: PathBuf,
    options: AnswersOptions,
}

impl Answers {
    /// Opens the file at `path`, which is made when it is missing.
    ///
    /// # Errors
    /// `Corrupt` where it is something else, `Newer` where a newer finstage wrote it, `Full`, `Held` or `Io`.
    pub fn open(path: &Path, options: AnswersOptions) -> Result<Self, Error> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            std::fs::create_dir_all(dir).map_err(|e| Error::io("making", dir, e))?;
        }
        Self::with(Connection::open(path), path, options)
    }

    fn with(
        connection: rusqlite::Result<Connection>,
        path: &Path,
        options: AnswersOptions,
    ) -> Result<Self, Error> {
        let failed = |e| Error::sql("opening the answers in", path, e);
        let mut connection = connection.map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        match prepare(&mut connection).map_err(failed)? {
            (APPLICATION, VERSION) => {}
            (APPLICATION, version) => {
                let message = format!(
                    "{} has form {version}, this finstage knows {VERSION}: use a newer finstage, or delete the file",
                    path.display()
                );
                return Err(Error::new(ErrorKind::Newer, message));
            }
            _ => return Err(Error::corrupt(path, "it is the database of another program")),
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        // What it holds can be asked again.
        connection.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
        Ok(Self { connection: Mutex::new(connection), path: path.to_owned(), options })
    }

    /// The answers to questions that still stand, in the order of the questions.
    ///
    /// # Errors
    /// `Corrupt`, `Held` or `Io`.
    pub fn get(
        &self,
        questions: &[[u8; 32]],
        now: Timestamp,
    ) -> Result<Vec<Option<Answer>>, Error> {
        let oldest = now.minus(self.options.ttl).nanos();
        self.run("reading answers of", TransactionBehavior::Deferred, |tx| {
            let sql = "SELECT model, body, at FROM answers WHERE question = ? AND at >= ?";
            let mut query = tx.prepare_cached(sql)?;
            let mut one = |question: &[u8; 32]| {
                let answer = |row: &rusqlite::Row<'_>| {
                    let at = Timestamp::from_nanos(row.get(2)?);
                    Ok(Answer { question: *question, model: row.get(0)?, body: row.get(1)?, at })
                };
                query.query_row(params![question, oldest], answer).optional()
            };
            questions.iter().map(&mut one).collect()
        })
    }

    /// Whether there are answers that still stand, in the order of the questions.
    ///
    /// # Errors
    /// As [`Answers::get`].
    pub fn has(&self, questions: &[[u8; 32]], now: Timestamp) -> Result<Vec<bool>, Error> {
        let oldest = now.minus(self.options.ttl).nanos();
        self.run("reading answers of", TransactionBehavior::Deferred, |tx| {
            let mut query =
                tx.prepare_cached("SELECT 1 FROM answers WHERE question = ? AND at >= ?")?;
            questions.iter().map(|question| query.exists(params![question, oldest])).collect()
        })
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// As [`Answers::get`].
    pub fn is_empty(&self) -> Result<bool, Error> {
        self.run("reading answers of", TransactionBehavior::Deferred, |tx| {
            tx.query_row("SELECT NOT EXISTS (SELECT 1 FROM answers)", (), |row| row.get(0))
        })
    }

    /// Keeps answers, each in place of the one before to its question, and takes out those that are too old or,
    /// the oldest first, too many.
    ///
    /// # Errors
    /// `Full`, `Corrupt`, `Held` or `Io`; then nothing changes.
    pub fn put_many(&self, answers: &[Answer], now: Timestamp) -> Result<(), Error> {
        let most = i64::try_from(self.options.most_bytes).unwrap_or(i64::MAX);
        let oldest = now.minus(self.options.ttl).nanos();
        self.run("keeping answers in", TransactionBehavior::Immediate, |tx| {
            let mut bytes: i64 = tx.query_row("SELECT bytes FROM size", (), |row| row.get(0))?;
            let sql = "DELETE FROM answers WHERE question = ? RETURNING length(body)";
            let mut forget = tx.prepare_cached(sql)?;
            let sql = "INSERT INTO answers (question, at, model, body) VALUES (?, ?, ?, ?)";
            let mut put = tx.prepare_cached(sql)?;
            for Answer { question, model, body, at } in answers {
                let before = forget.query_row([question], |row| row.get::<_, i64>(0)).optional()?;
                bytes -= before.map_or(0, |len| len + BESIDES_BYTES);
                put.execute(params![question, at.nanos(), model, body])?;
                bytes += body.len() as i64 + BESIDES_BYTES;
            }
            bytes -= take_out(tx, oldest, bytes - most)?;
            tx.execute("UPDATE size SET bytes = ?", [bytes])?;
            Ok(())
        })
    }

    /// The bytes of all answers.
    ///
    /// # Errors
    /// As [`Answers::get`].
    pub fn bytes(&self) -> Result<u64, Error> {
        self.run("reading answers of", TransactionBehavior::Deferred, |tx| {
            tx.query_row("SELECT bytes FROM size", (), |row| row.get::<_, i64>(0))
        })
        .map(i64::unsigned_abs)
    }

    fn run<T>(
        &self,
        doing: &str,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let mut connection = lock(&self.connection);
        let tx = connection.transaction_with_behavior(behavior);
        tx.and_then(|tx| {
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        })
        .map_err(|e| Error::sql(doing, &self.path, e))
    }
}

/// Makes the tables where there is nothing yet; gives whose file it is, and its form.
fn prepare(connection: &mut Connection) -> rusqlite::Result<(i32, i32)> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |tx: &Transaction<'_>, name: &str| {
        tx.query_row(&format!("PRAGMA {name}"), (), |row| row.get::<_, i32>(0))
    };
    let tables = "SELECT count(*) FROM sqlite_schema";
    if tx.query_row(tables, (), |row| row.get::<_, i64>(0))? == 0 {
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", VERSION)?;
    }
    let found = (number(&tx, "application_id")?, number(&tx, "user_version")?);
    tx.commit()?;
    Ok(found)
}

/// Takes out what came before `oldest`, and the oldest of the rest until `too_many` bytes are gone; gives the
/// bytes that are.
fn take_out(tx: &Transaction<'_>, oldest: i64, too_many: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT id, length(body), at FROM answers ORDER BY id";
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query(())?;
    let (mut last, mut bytes) = (None, 0);
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(2)? >= oldest && bytes >= too_many {
            break;
        }
        last = Some(row.get::<_, i64>(0)?);
        bytes += row.get::<_, i64>(1)? + BESIDES_BYTES;
    }
    drop(rows);
    if let Some(last) = last {
        tx.execute("DELETE FROM answers WHERE id <= ?", [last])?;
    }
    Ok(bytes)
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic elsewhere rolled its transaction back.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Rng;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn answers(most_bytes: u64) -> Answers {
        let options = AnswersOptions { ttl: Duration::from_secs(100), most_bytes };
        Answers::with(Connection::open_in_memory(), Path::new("(memory)"), options).unwrap()
    }

    fn answer(question: u8, body: &str, at: Timestamp) -> Answer {
        Answer { question: [question; 32], model: "m".into(), body: body.into(), at }
    }

    fn held(answers: &Answers, now: Timestamp) -> Vec<u8> {
        let questions: Vec<_> = (0..=255).map(|n| [n; 32]).collect();
        let has = answers.has(&questions, now).unwrap();
        let got = answers.get(&questions, now).unwrap();
        assert_eq!(has, got.iter().map(Option::is_some).collect::<Vec<_>>());
        (0..=255).filter(|n| has[usize::from(*n)]).collect()
    }

    #[test]
    fn an_answer_stands_until_its_time_is_over_or_a_newer_one_comes() {
        let answers = answers(1 << 20);
        let first = answer(1, "old", NOW);
        answers.put_many(&[first.clone(), answer(2, "two", NOW)], NOW).unwrap();
        let asked = [[2; 32], [9; 32], [1; 32]];
        let got = answers.get(&asked, NOW).unwrap();
        assert_eq!(got, [Some(answer(2, "two", NOW)), None, Some(first)]);
        let later = NOW.plus(Duration::from_secs(60));
        answers.put_many(&[answer(1, "new", later)], later).unwrap();
        assert_eq!(held(&answers, NOW.plus(Duration::from_secs(100))), [1, 2]);
        assert_eq!(held(&answers, NOW.plus(Duration::from_secs(101))), [1]);
        assert_eq!(answers.get(&[[1; 32]], later).unwrap(), [Some(answer(1, "new", later))]);
        let end = NOW.plus(Duration::from_secs(500));
        answers.put_many(&[], end).unwrap();
        assert_eq!(answers.bytes().unwrap(), 0, "what is over is taken out");
    }

    #[test]
    fn the_oldest_go_first_when_there_is_too_much() {
        let besides = BESIDES_BYTES as u64;
        let answers = answers(3 * (besides + 10));
        for question in 0..5 {
            answers.put_many(&[answer(question, "0123456789", NOW)], NOW).unwrap();
        }
        assert_eq!(held(&answers, NOW), [2, 3, 4]);
        answers
            .put_many(&[answer(2, "9876543210", NOW), answer(5, "0123456789", NOW)], NOW)
            .unwrap();
        assert_eq!(held(&answers, NOW), [2, 4, 5], "what was given again is young");
        let all: Vec<_> = (10..40).map(|question| answer(question, "0123456789", NOW)).collect();
        answers.put_many(&all, NOW).unwrap();
        assert_eq!(held(&answers, NOW), [37, 38, 39]);
        assert_eq!(answers.bytes().unwrap(), 3 * (besides + 10));
    }

    #[test]
    fn the_size_that_is_counted_is_the_size_that_is_there() {
        let answers = answers(6000);
        let mut rng = Rng::new(5);
        for step in 0..60 {
            let now = NOW.plus(Duration::from_secs(step * 7));
            let batch: Vec<_> = (0..rng.below(9))
                .map(|_| answer(rng.below(40) as u8, &"x".repeat(rng.below(300)), now))
                .collect();
            answers.put_many(&batch, now).unwrap();
            let sql = "SELECT coalesce(sum(length(body) + 128), 0) FROM answers";
            let there: i64 =
                lock(&answers.connection).query_row(sql, (), |row| row.get(0)).unwrap();
            assert_eq!(answers.bytes().unwrap(), there.unsigned_abs());
            assert!(there <= 6000, "{there}");
        }
    }

    #[test]
    fn two_processes_share_a_file_and_another_programs_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/answers.db");
        let options = AnswersOptions { ttl: Duration::from_secs(100), most_bytes: 1 << 20 };
        let one = Answers::open(&path, options).unwrap();
        let other = Answers::open(&path, options).unwrap();
        one.put_many(&[answer(1, "a", NOW)], NOW).unwrap();
        other.put_many(&[answer(2, "b", NOW)], NOW).unwrap();
        assert_eq!((held(&one, NOW), held(&other, NOW)), (vec![1, 2], vec![1, 2]));
        lock(&one.connection).pragma_update(None, "user_version", 2).unwrap();
        assert_eq!(Answers::open(&path, options).unwrap_err().kind(), ErrorKind::Newer);
        let theirs = dir.path().join("theirs.db");
        Connection::open(&theirs).unwrap().execute_batch("CREATE TABLE a (x)").unwrap();
        let refused = Answers::open(&theirs, options).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        std::fs::write(&theirs, "no database at all, but a text that is long enough").unwrap();
        assert!(Answers::open(&theirs, options).is_err());
    }
}
