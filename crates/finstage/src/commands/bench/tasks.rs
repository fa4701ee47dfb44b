//! The queue of tasks: each is on disk before its submission returns, is leased, and its result is on
//! disk. Submitters on many threads share commits, as requests to a service do.

use std::thread;
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_store::Error;
use finstage_store::records::{NewTask, Records};

use super::Session;
use super::stopwatch::waited;
use crate::exit::{Failure, Result};

/// Threads that submit, each one task after the other.
const SUBMITTERS: usize = 64;
/// Tasks that a worker leases at a time.
const LEASED: usize = 256;
const LEASE: Duration = Duration::from_secs(600);
/// One task a so many bars: 20,000 of a usual run.
const BARS_A_TASK: usize = 50;
/// Waiting for the disk is what is measured: more rounds tell no more.
const MAX_ROUNDS: u32 = 3;

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let each = (session.bars() / BARS_A_TASK).div_ceil(SUBMITTERS);
    let tasks = each * SUBMITTERS;
    let (mut through, mut alone) = (Duration::MAX, Duration::MAX);
    for _ in 0..session.rounds().min(MAX_ROUNDS) {
        let folder = tempfile::tempdir()?;
        let records = Records::open(&folder.path().join("records.db"))?;
        let (time, done) = waited(|| together(&records, each));
        done?;
        if records.task_counts()?.done != tasks as u64 {
            return Err(Failure::usage("not all tasks that were submitted are done"));
        }
        through = through.min(time);
        let (time, submitted) = waited(|| records.task_submit(task(), Timestamp::EPOCH));
        submitted?;
        alone = alone.min(time);
    }
    session.row("tasks.durable.per_second".into(), tasks as f64 / through.as_secs_f64(), "tasks/s");
    session.row("tasks.submit_alone.ms".into(), alone.as_secs_f64() * 1e3, "ms");
    Ok(())
}

fn task() -> NewTask {
    NewTask::new("bench", "{}")
}

/// Submits on many threads while a worker leases and ends what is there.
fn together(records: &Records, each: usize) -> Result<(), Error> {
    let now = Timestamp::EPOCH;
    thread::scope(|scope| {
        let submit = || (0..each).try_for_each(|_| records.task_submit(task(), now).map(drop));
        let submitters: Vec<_> = (0..SUBMITTERS).map(|_| scope.spawn(submit)).collect();
        let mut left = each * SUBMITTERS;
        while left > 0 {
            let leased = records.task_lease("bench", now, LEASE, LEASED)?;
            if leased.is_empty() {
                if submitters.iter().all(thread::ScopedJoinHandle::is_finished)
                    && records.task_next_at()?.is_none()
                {
                    break;
                }
                thread::yield_now();
                continue;
            }
            left -= leased.len();
            let ended = leased.iter().map(|task| (task.lease, "1".to_owned())).collect();
            records.task_complete_many(ended, now)?.into_iter().collect::<Result<(), _>>()?;
        }
        let joined = submitters.into_iter().map(|one| one.join().expect("it does not panic"));
        joined.collect::<Result<(), _>>()
    })
}
