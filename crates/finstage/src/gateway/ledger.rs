//! What programs spent, on its way to the records: `finstage llm cost` shows it by program.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_llm::{Attempt, Money, Spend, Tariff, Usage};
use finstage_model::Clock;
use finstage_store::records::Records;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::clients::JOB;
use crate::exit::Result;

/// How often what was spent is written down.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// What was spent, by what each program's work is called.
pub(super) type Spent = BTreeMap<String, Money>;

/// The ledger of the gateway, by what each program's work is called.
#[derive(Debug)]
pub(super) struct Ledger {
    records: Records,
    clock: Arc<dyn Clock>,
    jobs: Mutex<BTreeMap<String, Spend>>,
}

impl Ledger {
    pub(super) fn new(records: Records, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock, jobs: Mutex::default() }
    }

    /// What was spent on this day already, by job: the gateway's own work alone.
    pub(super) fn today(&self) -> Result<Spent> {
        let today = self.clock.now().day();
        let mut spent = Spent::new();
        for row in self.records.spend(today, today)? {
            if row.job.split('/').next() == Some(JOB) {
                let sum = spent.entry(row.job).or_insert(Money::ZERO);
                *sum = sum.plus(Money::from_pico(row.spent.cost_pico));
            }
        }
        Ok(spent)
    }

    /// Enters a question that was put to a model.
    pub(super) fn enter(&self, job: &str, attempt: &Attempt) {
        let Usage { prompt, completion, .. } = attempt.usage.unwrap_or_default();
        tracing::info!("{job}: {} with {prompt} and {completion} tokens", attempt.model);
        let now = self.clock.now();
        let mut jobs = self.jobs();
        // No more than programs are named, which are bounded.
        let spend = jobs.entry(job.to_owned()).or_insert_with(|| Spend::new(job));
        spend.add(attempt, Tariff::Usual, now);
    }

    /// Writes down what was entered. Blocks.
    pub(super) fn flush(&self) {
        for spend in self.jobs().values_mut() {
            if let Err(why) = spend.flush(&self.records) {
                tracing::warn!("gateway: {why}; it is tried again");
            }
        }
    }

    /// Writes down what is entered, until `stop` turns true.
    pub(super) async fn keep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut every = tokio::time::interval(FLUSH_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let ledger = Arc::clone(&self);
            // It says itself what goes wrong.
            let _ = tokio::task::spawn_blocking(move || ledger.flush()).await;
        }
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Spend>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
