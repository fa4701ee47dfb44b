//! Arguments of `tasks` and `schedule`.

use std::time::Duration;

use clap::{Args, Subcommand};
use finstage_model::{format_duration, parse_duration};
use finstage_store::records::{MAX_DELAY, Priority, TaskId, TaskState};

/// `finstage tasks`
#[derive(Debug, Subcommand)]
pub enum Tasks {
    /// Tasks, the newest first
    #[command(
        after_help = "States: waiting (for its time, or for the next try), ready, running, done, dead (failed as often as\nit may), cancelled. What is done is kept for a day, what is dead for a week.\n\nExamples:  finstage tasks list --state dead\n           finstage tasks list --limit 100 --before 4711 --json"
    )]
    List(TaskList),
    /// A task with everything that is known of it
    Show {
        /// Its number
        #[arg(value_name = "ID")]
        id: TaskId,
    },
    /// Put a task into the queue; a running service takes it up within a second
    #[command(
        after_help = "`finstage tasks types` lists the types and what each takes.\n\nExamples:  finstage tasks submit backfill\n           finstage tasks submit replay_check --data '{\"date\": \"2026-11-28\"}'\n           finstage tasks submit verify --priority low --delay 2h --key tonight"
    )]
    Submit(TaskSubmit),
    /// Call tasks off, before they run or while they do
    Cancel {
        /// Their numbers
        #[arg(required = true, value_name = "ID")]
        ids: Vec<TaskId>,
    },
    /// Let dead or cancelled tasks be tried again, under their numbers; those that wait run now
    Retry {
        /// Their numbers
        #[arg(required = true, value_name = "ID")]
        ids: Vec<TaskId>,
    },
    /// How many tasks there are in which state, and how long they take, by type
    Stats,
    /// The types of tasks, and what each takes
    Types,
}

/// `finstage tasks list`
#[derive(Debug, Args)]
pub struct TaskList {
    /// Only in this state
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub state: Option<TaskState>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only older ones than this: the last number of the page before
    #[arg(long, value_name = "ID")]
    pub before: Option<TaskId>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub limit: u16,
}

/// `finstage tasks submit`
#[derive(Debug, Args)]
pub struct TaskSubmit {
    /// What is to be done
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// What it is given
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub data: String,
    /// How urgent it is: critical, high, normal or low
    #[arg(long, value_name = "PRIORITY", default_value = "normal", value_parser = priority)]
    pub priority: Priority,
    /// Not before so long has passed, 30d at most
    #[arg(long, value_name = "DURATION", value_parser = delay)]
    pub delay: Option<Duration>,
    /// Who submits the same key again gets the task that is there
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// How often it may be tried [default: as is usual for the type]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub tries: Option<u32>,
}

/// `finstage schedule`
#[derive(Debug, Subcommand)]
pub enum Schedule {
    /// What runs by itself, when it ran last, and when it runs next
    #[command(
        after_help = "`[jobs.NAME]` in the configuration changes when: every, cron, zone, jitter, catch_up, enabled.\n\nExample:  finstage schedule list --json"
    )]
    List,
    /// Run a job now; where one of its runs has not ended, after that
    Run {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

fn delay(text: &str) -> Result<Duration, String> {
    let delay = parse_duration(text).map_err(|why| why.to_string())?;
    match delay > MAX_DELAY {
        true => Err(format!("a task can be put off for {} at most", format_duration(MAX_DELAY))),
        false => Ok(delay),
    }
}

fn state(text: &str) -> Result<TaskState, String> {
    let words = || TaskState::ALL.map(TaskState::as_str).join(" ");
    TaskState::find(text).ok_or_else(|| format!("write one of {}", words()))
}

fn priority(text: &str) -> Result<Priority, String> {
    let words = || Priority::ALL.map(Priority::as_str).join(" ");
    Priority::find(text).ok_or_else(|| format!("write one of {}", words()))
}
