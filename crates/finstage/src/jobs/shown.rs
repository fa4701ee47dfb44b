//! Schedules and tasks as people and programs see them.

use std::collections::BTreeMap;

use finstage_model::Timestamp;
use finstage_server::ScheduleItem;
use finstage_store::Error;
use finstage_store::records::{MAX_TASK_PAGE, NewTask, Records, TaskFilter, TaskRow, TaskState};

use super::kinds::{Around, Kind};
use super::scheduler::{self, Job};
use crate::exit::{Failure, Result};

/// Occurrences of a schedule that are shown.
const NEXT: usize = 3;

/// When jobs run, and how far each came.
///
/// # Errors
/// When the records cannot be read.
pub fn schedules(
    jobs: &[Job],
    records: &Records,
    now: Timestamp,
) -> Result<Vec<ScheduleItem>, Error> {
    let marks = records.schedule_marks()?.into_iter().map(|mark| (mark.name, mark.last_at));
    let marks: BTreeMap<String, Timestamp> = marks.collect();
    let done: BTreeMap<String, Timestamp> = records.task_types_done()?.into_iter().collect();
    let seed = scheduler::known_seed(records)?;
    let item = |job: &Job| -> Result<ScheduleItem, Error> {
        let next = match job.is_enabled {
            true => next(job, records, (seed, now))?,
            false => Vec::new(),
        };
        Ok(ScheduleItem {
            name: job.name.to_owned(),
            describes: job.describes.to_owned(),
            when: job.timing.to_string(),
            zone: job.timing.zone.iana_name().unwrap_or("UTC").to_owned(),
            enabled: job.is_enabled,
            catch_up: job.timing.catch_up.as_str(),
            jitter_s: job
                .timing
                .next(now)
                .map_or(job.timing.jitter, |next| job.timing.spread(next))
                .as_secs(),
            // A new job's mark is the moment of its first start, at which it did not run.
            last_at: marks
                .get(job.name)
                .copied()
                .filter(|at| job.timing.newest(*at) == Some(*at))
                .max(done.get(job.name).copied()),
            next,
        })
    };
    jobs.iter().map(item).collect()
}

/// When a job runs next: what is submitted and waits, then what comes, each as late as it really runs where this
/// installation has a spread of its own.
fn next(
    job: &Job,
    records: &Records,
    (seed, now): (Option<u64>, Timestamp),
) -> Result<Vec<Timestamp>, Error> {
    let waiting = TaskFilter {
        state: Some(TaskState::Waiting),
        kind: Some(job.task.kind.clone()),
        limit: MAX_TASK_PAGE,
        before: None,
    };
    let own = format!("{}@", job.name);
    let is_own = |row: &TaskRow| row.task.key.as_ref().is_some_and(|key| key.starts_with(&own));
    let mut next: Vec<Timestamp> = records
        .tasks(&waiting)?
        .into_iter()
        .filter(|row| is_own(row) && row.run_at > now)
        .map(|row| row.run_at)
        .collect();
    let later = std::iter::successors(job.timing.next(now), |at| job.timing.next(*at));
    next.extend(later.take(NEXT).map(|at| match seed {
        Some(seed) => job.timing.run_at(at, (seed, job.name)),
        None => at.plus(job.timing.after),
    }));
    next.sort_unstable();
    next.truncate(NEXT);
    Ok(next)
}

/// A task of a type, given `data`.
///
/// # Errors
/// Exit 2 saying what the type takes, or what of it is not there.
pub fn task(kind: &Kind, data: &str, around: &Around<'_>) -> Result<NewTask> {
    let task = kind.task(data);
    task.and_then(|task| kind.finds(data, around).map(|()| task))
        .map_err(|fault| Failure::usage(format!("{}: {}", kind.name, fault.reason)))
}
