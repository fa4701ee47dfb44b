//! What was spent, on its way to the store.

use std::collections::BTreeMap;

use finstage_model::{Day, Timestamp};
use finstage_store::Records;
use finstage_store::records::{SpendRow, Spent};

use crate::{Attempt, Error, ErrorKind, Money};

/// Sums what a job spends, and adds it to the store when it is told to.
///
/// What is not flushed is lost with the process; flush it about as often as results are synced.
#[derive(Debug)]
pub struct Spend {
    job: String,
    waiting: BTreeMap<(Day, String, bool), SpendRow>,
    total: Spent,
}

/// At what price a question was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tariff {
    /// The usual one.
    #[default]
    Usual,
    /// A batch's.
    Batch,
}

impl Spend {
    /// Sums of the job, which is named as its user calls it.
    #[must_use]
    pub fn new(job: impl Into<String>) -> Self {
        Self { job: job.into(), waiting: BTreeMap::new(), total: Spent::default() }
    }

    /// Adds an attempt that was answered at `now`.
    pub fn add(&mut self, attempt: &Attempt, tariff: Tariff, now: Timestamp) {
        let usage = attempt.usage.unwrap_or_default();
        let spent = Spent {
            requests: 1,
            unpriced: u64::from(attempt.cost.is_none()),
            prompt: usage.prompt,
            cached: usage.cached,
            completion: usage.completion,
            reasoning: usage.reasoning,
            cost_pico: attempt.cost.map_or(0, Money::pico),
        };
        self.total = self.total.plus(spent);
        let (day, is_batch) = (now.day(), tariff == Tariff::Batch);
        let row = self.waiting.entry((day, attempt.model.clone(), is_batch)).or_insert_with(|| {
            let (job, model) = (self.job.clone(), attempt.model.clone());
            let spent = Spent::default();
            SpendRow { job, day, model, is_batch, spent, first_at: now, last_at: now }
        });
        row.spent = row.spent.plus(spent);
        row.first_at = row.first_at.min(now);
        row.last_at = row.last_at.max(now);
    }

    /// What was added in all, flushed or not.
    #[must_use]
    pub const fn total(&self) -> Spent {
        self.total
    }

    /// Adds what was summed since the last time to the store, in one transaction. Blocks.
    ///
    /// # Errors
    /// `Store`; then nothing is forgotten, and the next call tries again.
    pub fn flush(&mut self, records: &Records) -> Result<(), Error> {
        let rows: Vec<_> = self.waiting.values().cloned().collect();
        records
            .add_spend(&rows)
            .map_err(|e| Error::new(ErrorKind::Store, "what was spent is not kept").because(e))?;
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Usage;

    #[test]
    fn what_is_spent_reaches_the_store_once_with_day_and_tariff() {
        let records = Records::open_in_memory().unwrap();
        let mut spend = Spend::new("news");
        let attempt = |model: &str, cost: Option<u64>| Attempt {
            model: model.into(),
            usage: Some(Usage { prompt: 10, cached: 4, completion: 5, reasoning: 1 }),
            cost: cost.map(Money::from_pico),
            passed_on: None,
        };
        let midnight = Day::from_days(20_000).start();
        let before = Timestamp::from_nanos(midnight.nanos() - 1);
        spend.add(&attempt("m", Some(7)), Tariff::Usual, before);
        spend.add(&attempt("m", Some(8)), Tariff::Usual, midnight);
        spend.add(&attempt("m", None), Tariff::Usual, midnight);
        spend.add(&Attempt { usage: None, ..attempt("m", Some(1)) }, Tariff::Batch, midnight);
        spend.flush(&records).unwrap();
        spend.flush(&records).unwrap();
        spend.add(&attempt("m", Some(2)), Tariff::Usual, midnight);
        spend.flush(&records).unwrap();
        let all = records.spend(before.day(), midnight.day()).unwrap();
        let shown: Vec<_> = all
            .iter()
            .map(|row| (row.day.days(), row.is_batch, row.spent.requests, row.spent.cost_pico))
            .collect();
        assert_eq!(shown, [(19_999, false, 1, 7), (20_000, false, 3, 10), (20_000, true, 1, 1)]);
        assert_eq!((all[1].spent.unpriced, all[1].spent.prompt), (1, 30));
        assert_eq!(all[2].spent.prompt, 0);
        let total = spend.total();
        assert_eq!((total.requests, total.cost_pico, total.unpriced), (5, 18, 1));
    }
}
