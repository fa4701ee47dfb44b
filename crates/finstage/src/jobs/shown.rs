//! Schedules and tasks as people and programs see them.

use std::collections::BTreeMap;

use finstage_model::Timestamp;
use finstage_server::ScheduleItem;
use finstage_store::Error;
use finstage_store::records::{NewTask, Records};

use super::kinds::Kind;
use super::scheduler::Job;
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
    let done: BTreeMap<String, Timestamp> = records.task_lanes_done()?.into_iter().collect();
    let item = |job: &Job| {
        // An occurrence that is past may be one whose run is still to come.
        let after = job.timing.after;
        let next =
            std::iter::successors(job.timing.next(now.minus(after)), |at| job.timing.next(*at));
        ScheduleItem {
            name: job.name.to_owned(),
            describes: job.describes.to_owned(),
            when: job.timing.to_string(),
            zone: job.timing.zone.iana_name().unwrap_or("UTC").to_owned(),
            enabled: job.is_enabled,
            catch_up: job.timing.catch_up.as_str(),
            jitter_s: job.timing.jitter.as_secs(),
            // A new job's mark is the moment of its first start, at which it did not run.
            last_at: marks
                .get(job.name)
                .copied()
                .filter(|at| job.timing.newest(*at) == Some(*at))
                .max(done.get(job.name).copied()),
            next: next
                .map(|at| at.plus(after))
                .take(if job.is_enabled { NEXT } else { 0 })
                .collect(),
        }
    };
    Ok(jobs.iter().map(item).collect())
}

/// A task of a type, given `data`.
///
/// # Errors
/// Exit 2 saying what the type takes.
pub fn task(kind: &Kind, data: &str) -> Result<NewTask> {
    kind.task(data).map_err(|fault| Failure::usage(format!("{}: {}", kind.name, fault.reason)))
}
