//! The document's three jobs, one after the other and beside each other, and tasks through the workers.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::Clock;
use finstage_net::SystemClock;
use finstage_store::records::{NewTask, Records};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{Effort, Session};
use crate::exit::{Exit, Failure, Result};
use crate::jobs::registry::Registry;
use crate::jobs::{MemoryGuard, Workers, workers};
use crate::pace::Pace;

/// The document's jobs: prices, news, analysis. They wait for others nearly all the time, so here they only wait.
const JOBS: [(&str, u64); 3] = [("prices", 15), ("news", 20), ("analysis", 15)];
/// What does nothing and says so.
const NOTHING: &str = "nothing";
/// How often one looks whether all is done.
const LOOK: Duration = Duration::from_millis(2);
/// The longest that all of it may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Tasks submitted in one transaction.
const TOGETHER: usize = 500;

pub(super) async fn measure(session: &mut Session<'_>, effort: Effort) -> Result<()> {
    let jobs = || JOBS.iter().map(|(kind, _)| NewTask::new(*kind, "{}")).collect();
    // Both wait and disturb each other little: they share the time.
    let (one, many) =
        tokio::join!(run(1, effort.faster, jobs()), run(workers::WORKERS, effort.faster, jobs()));
    let how = |workers: usize| match effort.faster {
        1 => format!("15 + 20 + 15 s through the task queue, {workers} at a time"),
        faster => format!("seconds divided by {faster}, multiplied back; {workers} at a time"),
    };
    let seconds = |took: Duration| took.as_secs_f64() * f64::from(effort.faster);
    session.beside(("jobs.sequential", seconds(one?), "s"), ("50", ""), how(1));
    let parallel = ("jobs.parallel", seconds(many?), "s");
    session.beside(parallel, ("50", "10"), how(workers::WORKERS) + "; no less than 20 can be");
    let tasks = (0..effort.tasks).map(|_| NewTask::new(NOTHING, "{}")).collect();
    let took = run(workers::WORKERS, 1, tasks).await?;
    let per_minute = effort.tasks as f64 / took.as_secs_f64() * 60.0;
    let how = format!("{} empty tasks, each leased and ended on disk", effort.tasks);
    session.beside(("tasks", per_minute, "tasks/min"), ("10", "100"), how);
    Ok(())
}

/// Runs these tasks with so many workers; how long that took.
async fn run(most: usize, faster: u32, tasks: Vec<NewTask>) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let records = Records::open(&folder.path().join("records.db"))?;
    let count = tasks.len() as u64;
    let (quit, quitting) = watch::channel(false);
    let workers = Workers {
        records: records.clone(),
        registry: registry(faster),
        pace: Pace { clock: Arc::new(SystemClock), speed: 1.0 },
        most,
        name: "bench".to_owned(),
        wake: Arc::default(),
        memory: MemoryGuard::of_process(),
    };
    let wake = Arc::clone(&workers.wake);
    let began = Instant::now();
    for some in tasks.chunks(TOGETHER) {
        records.task_submit_many(some.to_vec(), SystemClock.now())?;
    }
    let working = tokio::spawn(workers.run(quitting));
    wake.notify_one();
    while records.task_counts()?.done < count {
        if began.elapsed() > PATIENCE {
            return Err(Failure::new(Exit::Store, "the tasks of the bench did not end in time"));
        }
        sleep(LOOK).await;
    }
    let took = began.elapsed();
    let _ = quit.send(true);
    working.await.map_err(|e| Failure::new(Exit::Store, e))?;
    Ok(took)
}

fn registry(faster: u32) -> Registry {
    let wait = move |kind: &'static str, seconds: u64| {
        move |_: Value, _| async move {
            sleep(Duration::from_secs(seconds) / faster).await;
            Ok(json!(kind))
        }
    };
    let jobs = JOBS.iter().fold(Registry::default(), |registry, (kind, seconds)| {
        registry.waiting(kind, wait(kind, *seconds))
    });
    jobs.waiting(NOTHING, |_: Value, _| async { Ok(Value::Null) })
}
