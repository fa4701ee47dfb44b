//! Closed months from the records to Parquet files, beside a running service: at its start and then
//! once a day.

use std::time::Duration;

use finstage_store::history::{Compacted, History};
use tokio::sync::watch;

use crate::pace::Pace;

/// The time between two runs, of the service's clock.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// The shortest real time between two runs, however fast the service's clock runs.
const EVERY_MIN_REAL: Duration = Duration::from_secs(10);

/// Compacts until `quit` turns true. A run that fails is said in the log, and the next one goes on
/// from there: what it was to move is read where it lies.
pub async fn run(history: History, pace: Pace, quit: watch::Receiver<bool>) {
    let mut turns = pace.turns(EVERY, EVERY_MIN_REAL, quit.clone());
    while turns.next().await {
        let (history, quit, now) = (history.clone(), quit.clone(), pace.clock.now());
        let work = move || history.compact(now, &|| !*quit.borrow());
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(done)) => report(&done),
            Ok(Err(error)) => {
                tracing::warn!("closed months stay in the records until the next try: {error}");
            }
            Err(error) => tracing::error!("compacting broke off: {error}"),
        }
    }
}

fn report(done: &Compacted) {
    if done.bars > 0 {
        tracing::info!(
            "history: {} bars of closed months moved to {} Parquet files",
            done.bars,
            done.files
        );
    }
    if done.revisions > 0 {
        tracing::warn!(
            "history: {} bars came twice and differ; the first of each stays",
            done.revisions
        );
    }
    if done.swept.removed > 0 {
        tracing::info!("history: {} leftover files removed", done.swept.removed);
    }
    for path in &done.swept.unknown {
        tracing::warn!("{}: not written by finstage: left alone, not read", path.display());
    }
}
