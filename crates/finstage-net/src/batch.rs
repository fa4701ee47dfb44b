//! Many calls in batches: how many at a time, with what pauses, and what became of them.
//!
//! A [`Batcher`] decides and counts; it has no clock and sends nothing. [`run`] carries out what it
//! decides. How fast a server may be asked at all is not its business: a client keeps to the server's
//! limits by itself, and [`BatchMode::Paced`] leaves it at that. The other modes are for servers whose
//! limits nobody knows, and for jobs that have to leave room for others.

mod run;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use run::{BatchFailure, BatchRun, BatchStep, run};

/// The most calls that are out at once where nothing else is said.
pub const CONCURRENCY: usize = 16;
/// Between two submissions of a batch where nothing else is said: a batch is no burst.
pub const SPACING: Duration = Duration::from_millis(10);
/// Kinds of errors that a batch counts one by one; the rest count as [`OTHER_ERRORS`].
pub const MAX_ERROR_KINDS: usize = 32;
/// What errors of further kinds count as.
pub const OTHER_ERRORS: &str = "other";

/// How items are parted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BatchMode {
    /// No parts: the client's limiter alone says when a call leaves.
    Paced,
    /// One batch of everything, its submissions spaced.
    AllAtOnce,
    /// Batches of one size with one pause between them.
    Fixed {
        /// Items of a batch; 0 counts as 1.
        size: usize,
        /// Between the end of a batch and the next one.
        delay: Duration,
    },
    /// Size and pause follow the share of errors.
    Dynamic(DynamicRules),
}

/// When size and pause of [`BatchMode::Dynamic`] change, and how far.
///
/// After each batch the share of errors over the remembered batches is compared with the target, once
/// enough of them are remembered and the last change is long enough ago (at the start: the start).
/// Above twice the target the size is multiplied by `1 - 2 × step` and the pause by `1 + 2 × step`;
/// above the target by `1 - step` and `1 + step`; below half of it by `1 + step` and `1 - step`. Sizes
/// are whole numbers, rounded down. A changed size counts from the very next batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DynamicRules {
    /// The size to begin with.
    pub size: usize,
    /// The smallest size.
    pub min_size: usize,
    /// The largest size.
    pub max_size: usize,
    /// The pause to begin with.
    pub delay: Duration,
    /// The shortest pause.
    pub min_delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
    /// The share of errors that is accepted, from 0 to 1.
    pub target: f64,
    /// How far one change goes, as a share.
    pub step: f64,
    /// Batches that are remembered; the oldest goes first.
    pub history: usize,
    /// Batches that must be remembered before anything changes.
    pub least_batches: usize,
    /// The shortest time between two changes.
    pub hold: Duration,
}

impl Default for DynamicRules {
    /// 50 items (5 to 100), 1 s (0.5 s to 5 s), 1 % errors, steps of a fifth, ten batches remembered;
    /// changes after three batches and ten seconds.
    fn default() -> Self {
        Self {
            size: 50,
            min_size: 5,
            max_size: 100,
            delay: Duration::from_secs(1),
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(5),
            target: 0.01,
            step: 0.2,
            history: 10,
            least_batches: 3,
            hold: Duration::from_secs(10),
        }
    }
}

/// What one batch was like.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchReport {
    /// Which, from 0.
    pub index: usize,
    /// Its items.
    pub size: usize,
    /// From its begin to its last submission.
    pub submit: Duration,
    /// From its begin to its last answer.
    pub took: Duration,
    /// Items that succeeded.
    pub ok: usize,
    /// Items that did not.
    pub failed: usize,
    /// How often each kind of error came.
    pub errors: BTreeMap<&'static str, usize>,
}

impl BatchReport {
    /// Items a second; 0 where no time passed.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.size as f64 / seconds } else { 0.0 }
    }
}

/// Decides how many items come next and after what pause, and remembers what became of them.
#[derive(Debug, Clone)]
pub struct Batcher {
    mode: BatchMode,
    concurrency: usize,
    spacing: Duration,
    size: usize,
    delay: Duration,
    history: VecDeque<BatchReport>,
    changed_at: Duration,
    adjustments: u64,
    batches: usize,
    items: u64,
    failed: u64,
}

/// What all batches were like, and where a [`Batcher`] stands.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSummary {
    /// Batches that are over.
    pub batches: usize,
    /// Items of all of them.
    pub items: u64,
    /// Items that failed.
    pub failed: u64,
    /// The size that the next batch would have; `None` where items are not parted.
    pub batch_size: Option<usize>,
    /// The pause before it.
    pub delay: Duration,
    /// How often size or pause changed.
    pub adjustments: u64,
    /// The newest batches, as many as are remembered, oldest first.
    pub history: Vec<BatchReport>,
}

impl BatchSummary {
    /// The share of items that failed, from 0 to 1; 0 without items.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        if self.items == 0 { 0.0 } else { self.failed as f64 / self.items as f64 }
    }
}

impl Batcher {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new(mode: BatchMode) -> Self {
        let (size, delay) = match mode {
            BatchMode::Paced | BatchMode::AllAtOnce => (usize::MAX, Duration::ZERO),
            BatchMode::Fixed { size, delay } => (size.max(1), delay),
            BatchMode::Dynamic(rules) => {
                let size = rules.size.min(rules.max_size).max(rules.min_size).max(1);
                (size, rules.delay.min(rules.max_delay).max(rules.min_delay))
            }
        };
        let spacing = if mode == BatchMode::Paced { Duration::ZERO } else { SPACING };
        Self {
            mode,
            concurrency: CONCURRENCY,
            spacing,
            size,
            delay,
            history: VecDeque::new(),
            changed_at: Duration::ZERO,
            adjustments: 0,
            batches: 0,
            items: 0,
            failed: 0,
        }
    }

    /// With at most so many calls out at once; 0 counts as 1.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// With so much time between two submissions of a batch.
    #[must_use]
    pub fn with_spacing(mut self, spacing: Duration) -> Self {
        self.spacing = spacing;
        self
    }

    /// The most items of the next batch.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The pause before the next batch; there is none before the first and after the last.
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// The most calls that are out at once.
    #[must_use]
    pub const fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// The time between two submissions of a batch.
    #[must_use]
    pub const fn spacing(&self) -> Duration {
        self.spacing
    }

    /// Takes what a batch was like. `now` is the time since this batcher began.
    pub fn record(&mut self, report: BatchReport, now: Duration) {
        self.batches += 1;
        self.items += (report.ok + report.failed) as u64;
        self.failed += report.failed as u64;
        let kept = match self.mode {
            BatchMode::Dynamic(rules) => rules.history.max(1),
            _ => DynamicRules::default().history,
        };
        while self.history.len() >= kept {
            self.history.pop_front();
        }
        self.history.push_back(report);
        if let BatchMode::Dynamic(rules) = self.mode {
            self.adjust(&rules, now);
        }
    }

    fn adjust(&mut self, rules: &DynamicRules, now: Duration) {
        let is_held = now.saturating_sub(self.changed_at) < rules.hold;
        if self.history.len() < rules.least_batches || is_held {
            return;
        }
        let failed: usize = self.history.iter().map(|batch| batch.failed).sum();
        let items: usize = self.history.iter().map(|batch| batch.ok + batch.failed).sum();
        let share = if items == 0 { 0.0 } else { failed as f64 / items as f64 };
        let by = match share {
            share if share > rules.target * 2.0 => -2.0 * rules.step,
            share if share > rules.target => -rules.step,
            share if share < rules.target * 0.5 => rules.step,
            _ => return,
        };
        // Towards zero: a size is a whole number of items.
        let size = (self.size as f64 * (1.0 + by)) as usize;
        let size = size.min(rules.max_size).max(rules.min_size).max(1);
        let delay = self.delay.mul_f64((1.0 - by).max(0.0));
        let delay = delay.min(rules.max_delay).max(rules.min_delay);
        if (size, delay) != (self.size, self.delay) {
            (self.size, self.delay) = (size, delay);
            self.adjustments += 1;
            self.changed_at = now;
        }
    }

    /// What all batches were like so far.
    #[must_use]
    pub fn summary(&self) -> BatchSummary {
        let is_parted = matches!(self.mode, BatchMode::Fixed { .. } | BatchMode::Dynamic(_));
        BatchSummary {
            batches: self.batches,
            items: self.items,
            failed: self.failed,
            batch_size: is_parted.then_some(self.size),
            delay: self.delay,
            adjustments: self.adjustments,
            history: self.history.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
