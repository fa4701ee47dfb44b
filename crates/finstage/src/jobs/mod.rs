//! What a service does by itself, again and again, and what it was asked to do: a scheduler that turns what
//! is due into tasks of the records' queue, and workers that run them.

pub mod backtest;
pub mod kinds;
pub mod memory;
pub mod registry;
pub mod scheduler;
pub mod shown;
pub mod table;
pub mod timing;
pub mod work;
pub mod workers;

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use self::memory::MemoryGuard;
pub use self::scheduler::{Job, Scheduler};
pub use self::work::Means;
pub use self::workers::Workers;
use crate::exit::Result;
use crate::pace::Pace;
use crate::venues::Doors;

/// Starts scheduler and workers of a service that holds its data folder; they end when `quit` turns true.
///
/// # Errors
/// When the records cannot be read or written.
pub fn start(
    (means, due): (&Means, Vec<Job>),
    doors: &Doors,
    pace: Pace,
    quit: &watch::Receiver<bool>,
) -> Result<[JoinHandle<()>; 2]> {
    let registry = work::registry(means, doors);
    run(means.records.clone(), (registry, due), pace, quit)
}

/// Runs these jobs, and tasks of these types, on the queue of `records`.
///
/// # Errors
/// When the records cannot be read or written.
pub fn run(
    records: finstage_store::Records,
    (registry, due): (registry::Registry, Vec<Job>),
    pace: Pace,
    quit: &watch::Receiver<bool>,
) -> Result<[JoinHandle<()>; 2]> {
    let now = pace.clock.now();
    // Whoever leased is dead: the folder is ours.
    records.task_reclaim(now)?;
    let wake = Arc::new(Notify::new());
    let scheduler = Scheduler::new(records.clone(), due, now)?;
    let workers = Workers {
        records,
        registry,
        pace: pace.clone(),
        most: workers::WORKERS,
        name: format!("pid {}", std::process::id()),
        wake: Arc::clone(&wake),
        memory: MemoryGuard::of_process(),
    };
    let scheduling = tokio::spawn(scheduler.run(pace, wake, quit.clone()));
    Ok([scheduling, tokio::spawn(workers.run(quit.clone()))])
}

#[cfg(test)]
mod tests;
