//! Batches: what they are at a moment follows from when they were made and how long a line takes, so that
//! nothing runs in the background and a clock moved by hand moves them.

mod input;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use finstage_model::Timestamp;
use serde_json::{Value, json};

pub(super) use self::input::{Answered, Prepared, Worked, prepare};
use super::failure::Failure;
use super::files::{File, Files};
use super::script::id;
use crate::rng::mix;

/// The most lines of a batch.
pub const MAX_LINES: usize = 50_000;
/// The most batches that are kept; of those that ended, the oldest are forgotten first.
pub const MAX_BATCHES: usize = 200;
/// How long a batch may take.
pub const COMPLETION_WINDOW: Duration = Duration::from_secs(24 * 3_600);
/// How long a batch is looked at before its first line.
pub const VALIDATING: Duration = Duration::from_secs(1);
/// How long files are written after the last line, and how long a batch takes to stop.
pub const FINALIZING: Duration = Duration::from_secs(1);
/// What is answered in a batch costs this part of what it costs otherwise, in percent.
pub const PRICE_PERCENT: u64 = 50;

/// Where a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Validating,
    Failed,
    InProgress,
    Finalizing,
    Completed,
    Expired,
    Cancelling,
    Cancelled,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::Failed => "failed",
            Self::InProgress => "in_progress",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    const fn is_end(self) -> bool {
        matches!(self, Self::Failed | Self::Completed | Self::Expired | Self::Cancelled)
    }
}

/// A batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) input_file: String,
    pub(super) endpoint: String,
    pub(super) metadata: Value,
    /// Who pays.
    pub(super) key: String,
    pub(super) created: Timestamp,
    pub(super) line_time: Duration,
    pub(super) prepared: Prepared,
    cancelled: Option<Timestamp>,
    ended: Option<Ended>,
}

/// What is left of a batch that has ended.
#[derive(Debug, Clone, Default)]
struct Ended {
    completed: usize,
    failed: usize,
    output: Option<String>,
    errors: Option<String>,
}

/// What a batch cost whoever made it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) key: String,
    pub(super) tokens: (u32, u32),
    pub(super) nano_usd: u64,
}

impl Batch {
    fn checked(&self) -> Timestamp {
        self.created.plus(VALIDATING)
    }

    fn worked(&self) -> Timestamp {
        let lines = u32::try_from(self.prepared.total).unwrap_or(u32::MAX);
        self.checked().plus(self.line_time.saturating_mul(lines))
    }

    fn expires(&self) -> Timestamp {
        self.created.plus(COMPLETION_WINDOW)
    }

    fn phase(&self, now: Timestamp) -> Phase {
        if !self.prepared.errors.is_empty() {
            return if now < self.checked() { Phase::Validating } else { Phase::Failed };
        }
        if let Some(at) = self.cancelled {
            let is_over = now >= at.plus(FINALIZING);
            return if is_over { Phase::Cancelled } else { Phase::Cancelling };
        }
        match now {
            _ if now < self.checked() => Phase::Validating,
            _ if self.worked() > self.expires() && now >= self.expires() => Phase::Expired,
            _ if now < self.worked() => Phase::InProgress,
            _ if now < self.worked().plus(FINALIZING) => Phase::Finalizing,
            _ => Phase::Completed,
        }
    }

    /// How many lines are worked off.
    fn done(&self, now: Timestamp) -> usize {
        let until = now.min(self.cancelled.unwrap_or(now)).min(self.expires());
        if !self.prepared.errors.is_empty() || until < self.checked() {
            return 0;
        }
        let since = until.since(self.checked()).as_nanos();
        let done = since / self.line_time.as_nanos().max(1);
        usize::try_from(done).unwrap_or(usize::MAX).min(self.prepared.total)
    }

    fn counts(&self, now: Timestamp) -> (usize, usize) {
        if let Some(ended) = &self.ended {
            return (ended.completed, ended.failed);
        }
        let done = &self.prepared.work[..self.done(now)];
        let failed = done.iter().filter(|line| line.is_failed).count();
        (done.len() - failed, failed)
    }

    /// Stops it.
    pub(super) fn cancel(&mut self, now: Timestamp) -> Result<(), Failure> {
        let phase = self.phase(now);
        if phase.is_end() || phase == Phase::Finalizing {
            let words = format!("Cannot cancel a batch with status '{}'.", phase.name());
            return Err(Failure::conflict(words));
        }
        self.cancelled.get_or_insert(now);
        Ok(())
    }

    pub(super) fn shown(&self, now: Timestamp) -> Value {
        let phase = self.phase(now);
        let when = |reached: bool, at: Timestamp| reached.then(|| at.secs());
        let errors = &self.prepared.errors;
        let stopped = self.cancelled.map(|at| at.plus(FINALIZING));
        let is_begun = errors.is_empty() && now >= self.checked();
        let is_begun = is_begun && self.cancelled.is_none_or(|at| at >= self.checked());
        let is_worked = matches!(phase, Phase::Finalizing | Phase::Completed);
        let (completed, failed) = self.counts(now);
        let ended = self.ended.as_ref();
        json!({
            "id": self.id, "object": "batch", "endpoint": self.endpoint,
            "errors": match phase {
                Phase::Failed => json!({"object": "list", "data": errors}),
                _ => Value::Null,
            },
            "input_file_id": self.input_file, "completion_window": "24h", "status": phase.name(),
            "output_file_id": ended.and_then(|ended| ended.output.as_ref()),
            "error_file_id": ended.and_then(|ended| ended.errors.as_ref()),
            "created_at": self.created.secs(),
            "in_progress_at": when(is_begun, self.checked()),
            "expires_at": self.expires().secs(),
            "finalizing_at": when(is_worked, self.worked()),
            "completed_at": when(phase == Phase::Completed, self.worked().plus(FINALIZING)),
            "failed_at": when(phase == Phase::Failed, self.checked()),
            "expired_at": when(phase == Phase::Expired, self.expires()),
            "cancelling_at": self.cancelled.map(Timestamp::secs),
            "cancelled_at": stopped.filter(|at| *at <= now).map(Timestamp::secs),
            "request_counts": {"total": self.prepared.total, "completed": completed, "failed": failed},
            "metadata": self.metadata,
        })
    }

    /// Writes the files of a batch that has ended.
    fn end(&mut self, seed: u64, now: Timestamp) -> (Vec<File>, Charge) {
        let (phase, done) = (self.phase(now), self.done(now));
        let mut work: Vec<(u64, bool, Worked)> = std::mem::take(&mut self.prepared.work)
            .into_iter()
            .enumerate()
            // In which order lines are handed out has nothing to do with the order they came in.
            .map(|(i, line)| (mix(seed, i as u64, 0xba7c), i < done, line))
            .collect();
        work.sort_by_key(|(order, ..)| *order);
        let (mut output, mut errors, mut ended) = (String::new(), String::new(), Ended::default());
        let mut charge = Charge { key: self.key.clone(), tokens: (0, 0), nano_usd: 0 };
        for (_, is_done, line) in work {
            if is_done && !line.is_failed {
                ended.completed += 1;
                charge.tokens.0 = charge.tokens.0.saturating_add(line.tokens.0);
                charge.tokens.1 = charge.tokens.1.saturating_add(line.tokens.1);
                charge.nano_usd += line.nano_usd * PRICE_PERCENT / 100;
                push(&mut output, &line.text);
            } else if is_done {
                ended.failed += 1;
                push(&mut errors, &line.text);
            } else if phase == Phase::Expired {
                ended.failed += 1;
                push(&mut errors, &line.expired());
            }
        }
        let mut files = Vec::new();
        let mut file = |text: String, what: &str| {
            if text.is_empty() {
                return None;
            }
            let id = id("file-", 22, mix(seed, text.len() as u64, what.len() as u64));
            files.push(File {
                id: id.clone(),
                name: format!("{}_{what}.jsonl", self.id),
                purpose: "batch_output".to_owned(),
                created: now,
                bytes: Bytes::from(text),
            });
            Some(id)
        };
        ended.output = file(output, "output");
        ended.errors = file(errors, "error");
        self.ended = Some(ended);
        (files, charge)
    }
}

fn push(file: &mut String, line: &str) {
    file.push_str(line);
    file.push('\n');
}

/// All batches.
#[derive(Debug, Default)]
pub(super) struct Batches {
    all: BTreeMap<String, Batch>,
    made: u64,
}

/// What a batch is made from.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) input_file: String,
    pub(super) endpoint: String,
    pub(super) metadata: Value,
    pub(super) key: String,
    pub(super) created: Timestamp,
    pub(super) line_time: Duration,
}

impl Batches {
    /// The id of the next batch.
    pub(super) fn next_id(&mut self, seed: u64) -> String {
        self.made += 1;
        id("batch_", 24, mix(seed, self.made, 0xba))
    }

    pub(super) fn add(
        &mut self,
        (order, prepared): (Order, Prepared),
        files: &mut Files,
    ) -> Result<&mut Batch, Failure> {
        if self.all.len() >= MAX_BATCHES {
            let ended = self.all.values().filter(|batch| batch.ended.is_some());
            let oldest = ended.min_by_key(|batch| batch.created).map(|batch| batch.id.clone());
            match oldest {
                Some(id) => drop(self.all.remove(&id)),
                None => {
                    let words = format!("{MAX_BATCHES} batches are being worked on: wait.");
                    return Err(Failure::limited("batches", &words, None));
                }
            }
        }
        files.promise(prepared.bytes)?;
        let Order { id, input_file, endpoint, metadata, key, created, line_time } = order;
        let batch = Batch {
            id: id.clone(),
            input_file,
            endpoint,
            metadata,
            key,
            created,
            line_time,
            prepared,
            cancelled: None,
            ended: None,
        };
        Ok(self.all.entry(id).or_insert(batch))
    }

    pub(super) fn get(&mut self, id: &str) -> Result<&mut Batch, Failure> {
        self.all.get_mut(id).ok_or_else(|| Failure::not_here("Batch object", id))
    }

    /// The newest first.
    pub(super) fn list(&self) -> Vec<&Batch> {
        let mut all: Vec<&Batch> = self.all.values().collect();
        all.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        all
    }

    /// Ends the batches that have ended until now; gives what they cost.
    pub(super) fn settle(&mut self, now: Timestamp, files: &mut Files) -> Vec<Charge> {
        let mut charges = Vec::new();
        let due = |batch: &&mut Batch| batch.ended.is_none() && batch.phase(now).is_end();
        for batch in self.all.values_mut().filter(due) {
            let seed = batch.prepared.seed;
            let (made, charge) = batch.end(seed, now);
            files.redeem(batch.prepared.bytes, made);
            charges.push(charge);
        }
        charges
    }
}
