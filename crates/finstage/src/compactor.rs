//! Closed months from the records to Parquet files, beside a running service: at its start and then
//! once a day.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::Clock;
use finstage_store::history::{Compacted, History};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// The time between two runs, of the service's clock.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// The shortest real time between two runs, however fast the service's clock runs.
const EVERY_MIN_REAL: Duration = Duration::from_secs(10);

/// What a compactor tells the time by.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many times faster than real time that clock runs.
    pub speed: f64,
}

/// Compacts until `quit` turns true. A run that fails is said in the log, and the next one goes on
/// from there: what it was to move is read where it lies.
pub async fn run(history: History, pace: Pace, mut quit: watch::Receiver<bool>) {
    let every = EVERY.div_f64(pace.speed.max(1e-3)).max(EVERY_MIN_REAL);
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            _ = quit.wait_for(|quit| *quit) => return,
        }
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
