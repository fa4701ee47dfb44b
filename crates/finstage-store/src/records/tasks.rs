//! The durable queue of work that is done later, and by whoever has time.
//!
//! A task is *leased* before it is run, for a time that whoever runs it keeps extending. The fence, a
//! number that grows with every lease, and the lease's end keep a worker that was too slow from answering
//! for a task that another has taken over. A task whose worker vanished is ready again, until its tries
//! are used up; then it lies among the dead, for people to look at. Critical tasks go first, and among equals
//! the oldest: one that is tried again has the place that it had.
//!
//! Every call is on disk when it returns; calls from several threads share commits. Time is an argument.
//! The SQL compares and sets (`WHERE id = ? AND fence = ?`) and asks of no database what only SQLite has.

mod bell;
mod end;
mod lease;
mod list;
mod marks;
mod row;
mod submit;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use finstage_model::Timestamp;

pub(super) use bell::Bell;
pub use end::{Again, Failed, Pruned, TaskKeep};
pub use lease::{Busy, LeasedTask, Progress, Renewed, TaskLease};
pub use list::{KindStats, MAX_KINDS, MAX_TASK_PAGE, TaskCounts, TaskFilter};
pub use marks::Mark;
pub use submit::Submitted;

use super::db::Trouble;
use crate::{Error, ErrorKind};

/// The most bytes of what a task is given.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1_024;
/// The most bytes of what a task gives.
pub const MAX_RESULT_BYTES: usize = 64 * 1_024;
/// The most characters of a reason and of a word about progress; what is longer is cut.
pub const MAX_REASON_CHARS: usize = 2_000;
/// The most bytes of a type, a key, a lane, and a worker's name.
const MAX_NAME_BYTES: usize = 200;
/// The most times that a task can be tried before somebody looks at it.
pub const MAX_TRIES: u32 = 100;
/// The longest wait between two tries.
pub const MAX_BACKOFF: Duration = Duration::from_secs(3_600);

/// The longest time for which whoever submits a task can put it off.
pub const MAX_DELAY: Duration = Duration::from_secs(30 * 86_400);

/// The number of a task; no number is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(i64);

impl TaskId {
    /// From a number that was printed.
    #[must_use]
    pub const fn from_i64(id: i64) -> Self {
        Self(id)
    }

    /// As a number.
    #[must_use]
    pub const fn to_i64(self) -> i64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TaskId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// How urgent a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Before all else.
    Critical,
    /// Soon.
    High,
    /// In its turn.
    #[default]
    Normal,
    /// When there is nothing else to do.
    Low,
}

impl Priority {
    /// All, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Normal, Self::Low];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Its time has not come, for the first try or the next.
    Waiting,
    /// It is run as soon as a worker is free.
    Ready,
    /// It is leased.
    Running,
    /// It gave its result.
    Done,
    /// It failed as often as it may.
    Dead,
    /// Somebody called it off.
    Cancelled,
}

impl TaskState {
    /// All, in the order of a task's life.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Ready, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether nothing happens to it any more by itself.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Dead | Self::Cancelled)
    }
}

/// Work to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// What is to be done: a name that the workers know.
    pub kind: String,
    /// With what; the workers' own form.
    pub payload: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Not before; `None`: at once.
    pub run_at: Option<Timestamp>,
    /// How often it may be tried in all, at least once.
    pub tries: u32,
    /// The wait before the second try; each further one is twice as long, up to [`MAX_BACKOFF`].
    pub backoff: Duration,
    /// How long a try may take; kept by whoever runs it.
    pub timeout: Duration,
    /// Who submits the same key again gets the task that is there, as long as it is kept.
    pub key: Option<String>,
    /// Tasks of the same lane never run at the same time.
    pub lane: Option<String>,
}

impl NewTask {
    /// A task of the type `kind`, tried three times, a minute apart at first, each for at most five minutes.
    #[must_use]
    pub fn new(kind: impl Into<String>, payload: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            payload: payload.into(),
            priority: Priority::Normal,
            run_at: None,
            tries: 3,
            backoff: Duration::from_secs(60),
            timeout: Duration::from_secs(300),
            key: None,
            lane: None,
        }
    }
}

/// All that is known of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// Its number.
    pub id: TaskId,
    /// What was asked for.
    pub task: NewTask,
    /// Where it stands.
    pub state: TaskState,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// Not run before.
    pub run_at: Timestamp,
    /// How often it was tried; a lease that was given back does not count.
    pub attempts: u32,
    /// At so many a failure is final.
    pub attempts_max: u32,
    /// Who runs it, or did last.
    pub worker: Option<String>,
    /// Since when.
    pub leased_at: Option<Timestamp>,
    /// Until when that is believed.
    pub lease_until: Option<Timestamp>,
    /// Whether it was called off while it ran.
    pub cancel_asked: bool,
    /// How far it has come, 0 to 1.
    pub progress: f64,
    /// What it is doing.
    pub doing: Option<String>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What it gave.
    pub result: Option<String>,
    /// Why it failed last.
    pub reason: Option<String>,
}

/// Whole milliseconds as SQL keeps them.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// At most [`MAX_REASON_CHARS`] of `text`.
fn cut(text: &str) -> &str {
    text.char_indices().nth(MAX_REASON_CHARS).map_or(text, |(end, _)| &text[..end])
}

fn refused(message: String) -> Trouble {
    Trouble::Ours(Error::new(ErrorKind::Refused, message))
}

fn missing(id: TaskId) -> Trouble {
    let message = format!("there is no task {id}: `finstage tasks list` shows those that are kept");
    Trouble::Ours(Error::new(ErrorKind::NotFound, message))
}

#[cfg(test)]
mod tests;
