//! Everything that routes read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use finstage_model::{Clock, Timestamp};
use finstage_store::history::History;
use finstage_store::records::{Head, Records};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::annex::Wing;
use crate::answer::Answer;
use crate::auth::Keys;
use crate::guard::Hosts;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::options::Limits;
use crate::stream::Hub;
use crate::{Desk, Error, ErrorKind};

/// Answers that are kept.
const MAX_KEPT: usize = 256;
/// The longest address whose answer is kept, and the largest answer.
const MAX_KEPT_BYTES: (usize, usize) = (512, 1 << 20);

/// What a server is, to its routes.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) records: Records,
    pub(crate) history: History,
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wall: Arc<dyn Clock>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hosts: Hosts,
    pub(crate) limits: Limits,
    pub(crate) about: About,
    pub(crate) kept: Kept,
    /// Statistics of the track record, with the end of the chain that they are of.
    pub(crate) track: Mutex<Option<(Head, Value)>>,
    pub(crate) questions: Semaphore,
    pub(crate) requests: Semaphore,
    /// What somebody else answers for.
    pub(crate) wing: Option<Wing>,
}

/// What a server says of itself.
#[derive(Debug, Clone)]
pub struct About {
    /// The version that runs.
    pub version: String,
    /// Zone of times for people: an IANA name.
    pub timezone: String,
    /// Language for people: `en` or `ko`.
    pub language: String,
    /// When the service began.
    pub started_at: Timestamp,
    /// How the server is reached: `http://127.0.0.1:8080`.
    pub(crate) url: String,
    pub(crate) is_tls: bool,
}

impl About {
    /// What the binary knows.
    #[must_use]
    pub fn new(version: &str, started_at: Timestamp) -> Self {
        Self {
            version: version.to_owned(),
            timezone: "UTC".to_owned(),
            language: "en".to_owned(),
            started_at,
            url: String::new(),
            is_tls: false,
        }
    }
}

impl App {
    /// Asks the store or the desk, where that holds nobody up.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _turn = self
            .questions
            .acquire()
            .await
            .map_err(|_| Error::new(ErrorKind::Failed, "the server stops"))?;
        tokio::task::spawn_blocking(question).await?
    }
}

/// Answers of lists, kept until the lists may have changed.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    answers: Mutex<(u64, HashMap<String, Answer>)>,
    /// How often an answer was there, and how often one was looked for.
    pub(crate) hits: AtomicU64,
    pub(crate) asked: AtomicU64,
}

impl Kept {
    /// The answer to an address, if it was given in this generation.
    pub(crate) fn get(&self, generation: u64, address: &str) -> Option<Answer> {
        let kept = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = if kept.0 == generation { kept.1.get(address).cloned() } else { None };
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.hits.fetch_add(u64::from(found.is_some()), Ordering::Relaxed);
        found
    }

    /// Keeps an answer that was found in a generation.
    pub(crate) fn keep(&self, generation: u64, address: &str, answer: &Answer) {
        let mut kept = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 != generation {
            if kept.0 > generation {
                return;
            }
            kept.0 = generation;
            kept.1.clear();
        }
        let fits = address.len() <= MAX_KEPT_BYTES.0 && answer.body.len() <= MAX_KEPT_BYTES.1;
        if fits && kept.1.len() < MAX_KEPT {
            kept.1.insert(address.to_owned(), answer.clone());
        }
    }
}
