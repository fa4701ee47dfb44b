//! What asking leaves behind in the data folder: answers that may be used again, and what they cost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_llm::{Accounts, Answers, Error, JobAccounts, StoredAnswers};
use finstage_model::Clock;
use finstage_store::Records;
use finstage_store::records::{Answers as AnswersFile, AnswersOptions, StoreKind};

use crate::exit::Result;
use crate::wiring;

/// The file of answers.
const FILE: &str = "answers.db";
/// The most bytes of answers.
const MOST_BYTES: u64 = 1 << 30;
/// How often what waits is to be written.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Keeps answers and sums. What is handed to it waits in memory until [`Keeper::flush`], which blocks.
#[derive(Debug)]
pub(crate) struct Keeper {
    answers: Option<Arc<StoredAnswers>>,
    accounts: Arc<JobAccounts>,
    records: Records,
}

impl Keeper {
    /// Keeps what `job` spends at `base` and is answered there in `dir`; answers for `ttl`, where that is
    /// given.
    ///
    /// # Errors
    /// Exit 6 when the store cannot be opened, 2 when it is that of a demo.
    pub(crate) fn open(
        dir: &Path,
        (job, base): (&str, &str),
        ttl: Option<Duration>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let records = wiring::open_records(dir, StoreKind::Real)?;
        Self::over((records, dir), (job, base), ttl, clock)
    }

    /// The same over records that are open.
    ///
    /// # Errors
    /// Exit 6 when the answers cannot be opened.
    pub(crate) fn over(
        (records, dir): (Records, &Path),
        (job, base): (&str, &str),
        ttl: Option<Duration>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let open = |ttl| {
            AnswersFile::open(&dir.join(FILE), AnswersOptions { ttl, most_bytes: MOST_BYTES })
        };
        let file = ttl.map(open).transpose()?;
        let answers = file.map(|file| Arc::new(StoredAnswers::new(file, base, Arc::clone(clock))));
        let accounts = Arc::new(JobAccounts::new(job, Arc::clone(clock)));
        Ok(Self { answers, accounts, records })
    }

    /// The answers, where they are kept.
    pub(crate) fn answers(&self) -> Option<Arc<dyn Answers>> {
        self.answers.as_ref().map(|answers| Arc::clone(answers) as _)
    }

    /// The accounts.
    pub(crate) fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::clone(&self.accounts) as _
    }

    /// Of these questions, those that have an answer. Blocks.
    pub(crate) fn has(&self, questions: &[[u8; 32]]) -> std::result::Result<Vec<bool>, Error> {
        match &self.answers {
            Some(answers) => answers.has(questions),
            None => Ok(vec![false; questions.len()]),
        }
    }

    /// Writes what waits. Blocks.
    ///
    /// # Errors
    /// `Store` when the disk fails: sums wait on, answers are given up.
    pub(crate) fn flush(&self) -> std::result::Result<(), Error> {
        self.accounts.flush(&self.records)?;
        self.answers.as_ref().map_or(Ok(()), |answers| answers.flush())
    }
}
