//! What asking leaves behind: answers that may be used again, and what they cost.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_llm::{Accounts, Attempt, Error, Reply, Spend, Tariff};
use finstage_model::Clock;
use finstage_store::Records;
use finstage_store::records::{Answer, Answers, AnswersOptions, StoreKind};
use serde_json::{Value, json};

use crate::exit::Result;
use crate::wiring;

/// The file of answers in the data folder.
const FILE: &str = "answers.db";
/// The most bytes of answers.
const MOST_BYTES: u64 = 1 << 30;
/// The most answers that wait to be written; further ones are not kept.
const MAX_WAITING: usize = 10_000;
/// How often what waits is to be written.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Keeps answers and sums in the data folder. What is handed to it waits in memory until
/// [`Keeper::flush`], which blocks.
#[derive(Debug)]
pub(crate) struct Keeper {
    answers: Option<Answers>,
    /// Whether there were answers before.
    has_old: bool,
    state: Mutex<State>,
    records: Records,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct State {
    spend: Spend,
    waiting: HashMap<[u8; 32], Reply>,
    /// Questions whose answers were kept by this process, by their first eight bytes.
    kept: HashSet<u64>,
}

impl Keeper {
    /// Keeps what `job` spends and is answered in `dir`; answers for `ttl`, where that is given.
    ///
    /// # Errors
    /// Exit 6 when the store cannot be opened, 2 when it is that of a demo.
    pub(crate) fn open(
        dir: &Path,
        job: &str,
        ttl: Option<Duration>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let records = wiring::open_records(dir, StoreKind::Real)?;
        Self::over((records, dir), job, ttl, clock)
    }

    /// The same over records that are open.
    ///
    /// # Errors
    /// Exit 6 when the answers cannot be opened.
    pub(crate) fn over(
        (records, dir): (Records, &Path),
        job: &str,
        ttl: Option<Duration>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let open =
            |ttl| Answers::open(&dir.join(FILE), AnswersOptions { ttl, most_bytes: MOST_BYTES });
        let answers = ttl.map(open).transpose()?;
        let has_old = match &answers {
            Some(answers) => !answers.is_empty()?,
            None => false,
        };
        let spend = Spend::new(job);
        let state = State { spend, waiting: HashMap::new(), kept: HashSet::new() };
        let (state, clock) = (Mutex::new(state), Arc::clone(clock));
        Ok(Self { answers, has_old, state, records, clock })
    }

    /// Whether answers are kept.
    pub(crate) const fn has_answers(&self) -> bool {
        self.answers.is_some()
    }

    /// Of these questions, those that have an answer.
    pub(crate) fn has(&self, questions: &[[u8; 32]]) -> std::result::Result<Vec<bool>, Error> {
        match &self.answers {
            Some(answers) if self.has_old => {
                answers.has(questions, self.clock.now()).map_err(Error::store)
            }
            _ => Ok(vec![false; questions.len()]),
        }
    }

    /// Writes what waits. Blocks.
    ///
    /// # Errors
    /// Exit 6 when the disk fails: what waits goes on waiting.
    pub(crate) fn flush(&self) -> std::result::Result<(), Error> {
        let now = self.clock.now();
        let waiting: Vec<Answer> = {
            let mut state = self.state();
            state.spend.flush(&self.records)?;
            let to_answer = |(question, reply): (&[u8; 32], &Reply)| Answer {
                question: *question,
                model: reply.body["model"].as_str().unwrap_or_default().to_owned(),
                body: written(reply),
                at: now,
            };
            state.waiting.iter().map(to_answer).collect()
        };
        let Some(answers) = self.answers.as_ref().filter(|_| !waiting.is_empty()) else {
            return Ok(());
        };
        answers.put_many(&waiting, now).map_err(Error::store)?;
        let mut state = self.state();
        for answer in &waiting {
            state.waiting.remove(&answer.question);
            state.kept.insert(beginning(&answer.question));
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl finstage_llm::Answers for Keeper {
    fn get(&self, question: &[u8; 32]) -> Option<Reply> {
        let answers = self.answers.as_ref()?;
        {
            let state = self.state();
            if let Some(reply) = state.waiting.get(question) {
                return Some(reply.clone());
            }
            if !self.has_old && !state.kept.contains(&beginning(question)) {
                return None;
            }
        }
        // An answer that cannot be read is asked for again.
        let found = answers.get(std::slice::from_ref(question), self.clock.now());
        found.ok()?.pop()?.and_then(|answer| read(&answer.body))
    }

    fn put(&self, question: &[u8; 32], reply: &Reply) {
        let mut state = self.state();
        if self.answers.is_some() && state.waiting.len() < MAX_WAITING {
            state.waiting.insert(*question, reply.clone());
        }
    }
}

impl Accounts for Keeper {
    fn attempt(&self, attempt: &Attempt) {
        let now = self.clock.now();
        self.state().spend.add(attempt, Tariff::Usual, now);
    }
}

fn beginning(question: &[u8; 32]) -> u64 {
    u64::from_le_bytes(*question.first_chunk().expect("32 bytes have 8"))
}

fn written(reply: &Reply) -> Vec<u8> {
    let value = json!({"status": reply.status, "request_id": reply.request_id, "body": reply.body});
    serde_json::to_vec(&value).expect("JSON values can be written")
}

fn read(bytes: &[u8]) -> Option<Reply> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    Some(Reply {
        status: u16::try_from(value["status"].as_u64()?).ok()?,
        request_id: value["request_id"].as_str()?.to_owned(),
        body: value["body"].take(),
    })
}
