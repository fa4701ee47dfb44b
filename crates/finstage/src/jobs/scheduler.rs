//! The scheduler: what is due becomes tasks.
//!
//! An occurrence is a task with the key `job@occurrence`, submitted in the same transaction that moves the
//! job's mark. So a process that dies anywhere in between neither loses nor doubles it. A job has a lane: no
//! two of its tasks run at the same time, whoever submitted them. While one of them runs, is about to, or failed
//! and is tried again, the next occurrence waits (`once`), is passed over (`skip`), or queues behind (`all`). A task that
//! somebody put off holds up nothing before its time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_store::Error;
use finstage_store::records::{Mark, NewTask, Records, TaskRow, TaskState};
use tokio::sync::{Notify, watch};

use super::timing::{CatchUp, Due, Timing};
use crate::pace::Pace;

/// The longest real time between two looks: a clock that jumps is noticed by then.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// The shortest real time between two looks, however fast the service's clock runs.
const LOOK_MIN: Duration = Duration::from_millis(200);
/// How far a mark may lie ahead: what lies further was made by a clock that was wrong. What it submitted then
/// has keys, so that no occurrence comes twice.
const AHEAD_MAX: Duration = Duration::from_secs(300);
/// Where the store keeps what spreads installations.
const SEED: &str = "jobs.seed";

/// Whether a job runs when the service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtStart {
    /// Only when it is due.
    No,
    /// At every start.
    Each,
    /// At the first start of all, once what is in the lane before it has ended.
    First {
        /// That of another job, or its own.
        lane: &'static str,
    },
}

/// Something that is done again and again.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name, which is the lane of its tasks.
    pub name: &'static str,
    /// What it does.
    pub describes: &'static str,
    /// When.
    pub timing: Timing,
    /// Whether it runs at all by itself.
    pub is_enabled: bool,
    /// Whether it runs when the service starts, too.
    pub at_start: AtStart,
    /// What is submitted; key and moment are the scheduler's. Its lane is the name.
    pub task: NewTask,
}

impl Job {
    /// The task of an occurrence.
    #[must_use]
    pub fn occurrence(&self, at: Timestamp, seed: u64) -> NewTask {
        NewTask {
            key: Some(format!("{}@{at}", self.name)),
            run_at: Some(self.timing.run_at(at, (seed, self.name))),
            ..self.task.clone()
        }
    }

    /// The task of its first run, where it has one before it is due.
    fn first(&self) -> Option<NewTask> {
        let AtStart::First { lane } = self.at_start else { return None };
        Some(NewTask { lane: Some(lane.to_owned()), ..self.task.clone() })
    }

    /// The task of a run that somebody asks for.
    #[must_use]
    pub fn run_now(&self) -> NewTask {
        self.task.clone()
    }
}

/// Submits what is due.
#[derive(Debug)]
pub struct Scheduler {
    records: Records,
    jobs: Vec<Job>,
    marks: BTreeMap<String, Timestamp>,
    /// Occurrences of which it was said that they wait.
    waiting: BTreeMap<&'static str, Timestamp>,
    seed: u64,
}

impl Scheduler {
    /// One that goes on where the last one stopped. A job that is new begins now, with its first run
    /// where it has one; one that is not enabled is left out.
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub fn new(records: Records, mut jobs: Vec<Job>, now: Timestamp) -> Result<Self, Error> {
        jobs.retain(|job| job.is_enabled);
        let kept = records.schedule_marks()?.into_iter();
        let marks = kept.map(|mark| (mark.name, mark.last_at)).collect();
        let seed = seed(&records, now)?;
        let mut new = Self { records, jobs, marks, waiting: BTreeMap::new(), seed };
        for job in &new.jobs {
            if !new.marks.contains_key(job.name) {
                let mark = Mark { name: job.name.to_owned(), last_at: now };
                new.records.task_submit_due(mark, job.first().into_iter().collect(), now)?;
                new.marks.insert(job.name.to_owned(), now);
            }
        }
        Ok(new)
    }

    /// Submits what runs at every start; how many tasks that are.
    ///
    /// # Errors
    /// When the records cannot be written.
    pub fn start(&self, now: Timestamp) -> Result<usize, Error> {
        let mut tasks = Vec::new();
        for job in self.jobs.iter().filter(|job| job.at_start == AtStart::Each) {
            // What an earlier life left open runs now anyway.
            if self.records.task_lane_before(job.name, now)?.is_none() {
                tasks.push(job.run_now());
            }
        }
        Ok(self.records.task_submit_many(tasks, now)?.len())
    }

    /// Submits what is due at `now`; how many tasks that are.
    ///
    /// # Errors
    /// When the records cannot be read or written; what was submitted stays so.
    pub fn step(&mut self, now: Timestamp) -> Result<usize, Error> {
        let mut submitted = 0;
        for job in &self.jobs {
            let mut last = self.marks.get(job.name).copied().unwrap_or(now);
            if last > now.plus(AHEAD_MAX) {
                tracing::warn!(
                    "{}: it had run up to {last}, by a clock that was ahead: it goes on from now",
                    job.name
                );
                last = now;
                let mark = Mark { name: job.name.to_owned(), last_at: now };
                self.records.task_submit_due(mark, Vec::new(), now)?;
                self.marks.insert(job.name.to_owned(), now);
            }
            let Some(mut due) = job.timing.due(last, now) else { continue };
            if let Some(before) = self.before(job, &due, now)? {
                let (name, why) = (job.name, words(&before));
                if job.timing.catch_up == CatchUp::Skip {
                    tracing::warn!("{name}: {why}: the run of {} is skipped", due.mark);
                    due.run.clear();
                } else {
                    // It is looked at again, and by then a younger occurrence may stand for it.
                    if self.waiting.insert(name, due.mark) != Some(due.mark) {
                        tracing::info!("{name}: {why}: the run of {} waits", due.mark);
                    }
                    continue;
                }
            }
            let tasks: Vec<NewTask> =
                due.run.iter().map(|at| job.occurrence(*at, self.seed)).collect();
            submitted += tasks.len();
            let mark = Mark { name: job.name.to_owned(), last_at: due.mark };
            self.records.task_submit_due(mark, tasks, now)?;
            self.marks.insert(job.name.to_owned(), due.mark);
        }
        Ok(submitted)
    }

    /// The run that has to end before what is due of a job, if its policy wants that.
    fn before(&self, job: &Job, due: &Due, now: Timestamp) -> Result<Option<TaskRow>, Error> {
        match job.timing.catch_up {
            CatchUp::All => Ok(None),
            _ if due.run.is_empty() => Ok(None),
            _ => self.records.task_lane_before(job.name, now),
        }
    }

    /// When the next occurrence is.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.jobs.iter().filter_map(|job| job.timing.next(now)).min()
    }

    /// Submits what is due until `quit` turns true, and wakes the workers.
    pub async fn run(mut self, pace: Pace, wake: Arc<Notify>, mut quit: watch::Receiver<bool>) {
        let now = pace.clock.now();
        self = match blocking(self, move |this| this.start(now)).await {
            Some(this) => this,
            None => return,
        };
        wake.notify_one();
        loop {
            let now = pace.clock.now();
            self = match blocking(self, move |this| this.step(now)).await {
                Some(this) => this,
                None => return,
            };
            wake.notify_one();
            let now = pace.clock.now();
            let left = self.next(now).map_or(LOOK_MAX, |next| next.since(now));
            let left = left.div_f64(pace.speed.max(1e-3)).clamp(LOOK_MIN, LOOK_MAX);
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = quit.wait_for(|quit| *quit) => return,
            }
        }
    }
}

/// How the run before stands.
fn words(before: &TaskRow) -> String {
    let id = before.id;
    match before.state {
        TaskState::Running => format!("task {id} has not ended"),
        TaskState::Waiting if before.attempts > 0 => {
            format!("task {id} failed and is tried again at {}", before.run_at)
        }
        _ => format!("task {id} has not begun, though its time has come"),
    }
}

/// Works where it holds up nobody. A step that fails is said, and tried again at the next look.
async fn blocking(
    mut this: Scheduler,
    work: impl FnOnce(&mut Scheduler) -> Result<usize, Error> + Send + 'static,
) -> Option<Scheduler> {
    let step = move || {
        if let Err(error) = work(&mut this) {
            tracing::warn!("what is due waits for the next look: {error}");
        }
        this
    };
    match tokio::task::spawn_blocking(step).await {
        Ok(this) => Some(this),
        Err(error) => {
            tracing::error!("the scheduler broke off: {error}");
            None
        }
    }
}

/// What spreads this installation's jobs from those of others, where a service ran here already.
pub(super) fn known_seed(records: &Records) -> Result<Option<u64>, Error> {
    Ok(records.meta(SEED)?.and_then(|text| text.parse().ok()))
}

/// The same; at first the moment at which it is asked for.
fn seed(records: &Records, now: Timestamp) -> Result<u64, Error> {
    if let Some(seed) = known_seed(records)? {
        return Ok(seed);
    }
    let seed = now.nanos().unsigned_abs();
    records.set_meta(SEED, &seed.to_string())?;
    Ok(seed)
}
