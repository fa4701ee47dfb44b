//! Who keeps answers and accounts of a run: small traits, so that asking needs no store, and what stands between
//! them and the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::{Clock, Timestamp};
use finstage_store::Records;
use finstage_store::records::{Answer as KeptAnswer, Answers as AnswersFile};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Attempt, Error, ErrorKind, Reply, Spend, Tariff};

/// Answers of earlier runs.
pub trait Answers: fmt::Debug + Send + Sync {
    /// The answer to this question ([`crate::Row::question`]), where it is there and not too old.
    fn get(&self, question: &[u8; 32]) -> Option<Reply>;

    /// Keeps an answer.
    fn put(&self, question: &[u8; 32], reply: &Reply);
}

/// Hears of every question that was put to a model, as it ends.
pub trait Accounts: fmt::Debug + Send + Sync {
    /// One was put.
    fn attempt(&self, attempt: &Attempt);
}

/// The most answers that wait to be written, and the most bytes of them.
const MOST_WAITING: usize = 512;
const MOST_WAITING_BYTES: usize = 1 << 20;
/// The longest that one waits while others come.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Answers in a file of the store, written some at a time. A file that fails costs what could have been saved, and
/// no row: [`StoredAnswers::trouble`] says so.
#[derive(Debug)]
pub struct StoredAnswers {
    file: AnswersFile,
    /// What tells the address from others.
    salt: [u8; 32],
    /// Nothing was there at the beginning: what is not of this process need not be looked for.
    was_empty: bool,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    answers: HashMap<[u8; 32], KeptAnswer>,
    /// Questions whose answers were handed to the file.
    written: Written,
    bytes: usize,
    since: Option<Timestamp>,
    trouble: Option<String>,
}

impl StoredAnswers {
    /// Answers in `file` that came from `base`: another server may have a model of the same name that says
    /// something else.
    #[must_use]
    pub fn new(file: AnswersFile, base: &str, clock: Arc<dyn Clock>) -> Self {
        let salt = Sha256::digest(base).into();
        let was_empty = file.is_empty().unwrap_or(false);
        Self { file, salt, was_empty, clock, waiting: Mutex::default() }
    }

    /// Of these questions, those that have an answer in the file. Blocks.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub fn has(&self, questions: &[[u8; 32]]) -> Result<Vec<bool>, Error> {
        let salted: Vec<_> = questions.iter().map(|question| self.salted(question)).collect();
        self.file.has(&salted, self.clock.now()).map_err(|error| {
            Error::new(ErrorKind::Store, "kept answers cannot be read").because(error)
        })
    }

    fn salted(&self, question: &[u8; 32]) -> [u8; 32] {
        std::array::from_fn(|place| question[place] ^ self.salt[place])
    }

    /// Writes what waits. Blocks.
    ///
    /// # Errors
    /// `Store` when it cannot be written; it is not tried again.
    pub fn flush(&self) -> Result<(), Error> {
        let answers: Vec<KeptAnswer> = {
            let mut waiting = self.waiting();
            waiting.since = None;
            waiting.bytes = 0;
            let answers: Vec<_> = waiting.answers.drain().map(|(_, answer)| answer).collect();
            if self.was_empty {
                answers.iter().for_each(|answer| waiting.written.insert(&answer.question));
            }
            answers
        };
        if answers.is_empty() {
            return Ok(());
        }
        self.file.put_many(&answers, self.clock.now()).map_err(|error| {
            self.waiting().trouble = Some(error.to_string());
            Error::new(ErrorKind::Store, "answers could not be kept").because(error)
        })
    }

    /// What went wrong with the file, the last time.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.waiting().trouble.clone()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for StoredAnswers {
    fn get(&self, question: &[u8; 32]) -> Option<Reply> {
        let question = self.salted(question);
        {
            let waiting = self.waiting();
            if let Some(answer) = waiting.answers.get(&question) {
                return reply(&answer.body);
            }
            if self.was_empty && !waiting.written.may_contain(&question) {
                return None;
            }
        }
        match self.file.get(&[question], self.clock.now()) {
            Ok(mut found) => reply(&found.pop()??.body),
            Err(error) => {
                self.waiting().trouble = Some(error.to_string());
                None
            }
        }
    }

    fn put(&self, question: &[u8; 32], reply: &Reply) {
        let at = self.clock.now();
        let model = reply.body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
        let kept = Kept { status: reply.status, request_id: &reply.request_id, body: &reply.body };
        let body = serde_json::to_vec(&kept).expect("JSON values can be written");
        let question = self.salted(question);
        let answer = KeptAnswer { question, model, body, at };
        let is_due = {
            let mut waiting = self.waiting();
            waiting.bytes += answer.body.len();
            waiting.answers.insert(question, answer);
            let since = *waiting.since.get_or_insert(at);
            waiting.answers.len() >= MOST_WAITING
                || waiting.bytes >= MOST_WAITING_BYTES
                || at.since(since) >= LONGEST_WAIT
        };
        if is_due {
            // Told by `trouble`: a row that was answered is not to fail for it.
            let _ = self.flush();
        }
    }
}

impl Drop for StoredAnswers {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.flush();
    }
}

/// Questions that may have been written, in memory of constant size: a Bloom filter (Bloom, 1970). A million of
/// them leave one look in four hundred for nothing; more, and more looks. A question is a hash already.
#[derive(Debug, Default)]
struct Written(Vec<u64>);

/// 2 MiB.
const WRITTEN_BITS: u32 = 1 << 24;

impl Written {
    fn insert(&mut self, question: &[u8; 32]) {
        self.0.resize((WRITTEN_BITS / 64) as usize, 0);
        Self::bits(question).for_each(|(word, bit)| self.0[word] |= bit);
    }

    fn may_contain(&self, question: &[u8; 32]) -> bool {
        !self.0.is_empty() && Self::bits(question).all(|(word, bit)| self.0[word] & bit != 0)
    }

    fn bits(question: &[u8; 32]) -> impl Iterator<Item = (usize, u64)> {
        let (parts, _) = question.as_chunks::<4>();
        parts.iter().take(4).map(|part| {
            let place = u32::from_le_bytes(*part) % WRITTEN_BITS;
            ((place / 64) as usize, 1 << (place % 64))
        })
    }
}

/// How a reply is written in the file.
#[derive(Serialize)]
struct Kept<'a> {
    status: u16,
    request_id: &'a str,
    body: &'a Value,
}

fn reply(text: &[u8]) -> Option<Reply> {
    let mut kept: Value = serde_json::from_slice(text).ok()?;
    Some(Reply {
        status: kept["status"].as_u64()?.try_into().ok()?,
        request_id: kept["request_id"].as_str()?.to_owned(),
        body: kept["body"].take(),
    })
}

/// What a job spends, told by its attempts.
#[derive(Debug)]
pub struct JobAccounts {
    spend: Mutex<Spend>,
    clock: Arc<dyn Clock>,
}

impl JobAccounts {
    /// Accounts of the job, which is named as its user calls it.
    #[must_use]
    pub fn new(job: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { spend: Mutex::new(Spend::new(job)), clock }
    }

    /// Adds what was summed since the last time to the store, in one transaction. Blocks.
    ///
    /// # Errors
    /// `Store`; then nothing is forgotten, and the next call tries again.
    pub fn flush(&self, records: &Records) -> Result<(), Error> {
        self.spend.lock().unwrap_or_else(PoisonError::into_inner).flush(records)
    }
}

impl Accounts for JobAccounts {
    fn attempt(&self, attempt: &Attempt) {
        let now = self.clock.now();
        let mut spend = self.spend.lock().unwrap_or_else(PoisonError::into_inner);
        spend.add(attempt, Tariff::Usual, now);
    }
}

#[cfg(test)]
mod tests {
    use finstage_net::SystemClock;
    use finstage_store::records::AnswersOptions;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_is_never_taken_for_new_and_little_that_is_new_for_written() {
        let question = |number: u32| -> [u8; 32] { Sha256::digest(number.to_le_bytes()).into() };
        let mut written = Written::default();
        assert!(!written.may_contain(&question(0)));
        (0..200_000).for_each(|number| written.insert(&question(number)));
        assert!((0..200_000).all(|number| written.may_contain(&question(number))));
        let wrong = (200_000..300_000).filter(|number| written.may_contain(&question(*number)));
        assert!(wrong.count() < 50);
    }

    fn open(path: &std::path::Path) -> StoredAnswers {
        open_at(path, "http://127.0.0.1/v1")
    }

    fn open_at(path: &std::path::Path, base: &str) -> StoredAnswers {
        let ttl = Duration::from_secs(3_600);
        let file = AnswersFile::open(path, AnswersOptions { ttl, most_bytes: 1 << 20 }).unwrap();
        StoredAnswers::new(file, base, Arc::new(SystemClock))
    }

    #[test]
    fn an_answer_that_is_kept_is_found_before_and_after_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.db");
        let reply = |number: u8| Reply {
            status: 200,
            request_id: format!("req_{number}"),
            body: json!({"model": "m", "choices": [number]}),
        };
        let answers = open(&path);
        for number in 0..100 {
            answers.put(&[number; 32], &reply(number));
            assert_eq!(answers.get(&[number; 32]), Some(reply(number)));
        }
        assert!(answers.waiting().answers.len() < MOST_WAITING);
        drop(answers);
        let answers = open(&path);
        assert!((0..100).all(|number| answers.get(&[number; 32]) == Some(reply(number))));
        assert_eq!((answers.get(&[100; 32]), answers.trouble()), (None, None));
        assert_eq!(answers.has(&[[7; 32], [100; 32]]).unwrap(), [true, false]);
        let elsewhere = open_at(&path, "http://other.example/v1");
        assert_eq!(elsewhere.get(&[7; 32]), None, "another server may say something else");
    }
}
