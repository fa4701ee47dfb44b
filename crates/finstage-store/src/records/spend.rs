//! What questions to models cost, summed by job, day and model.

use finstage_model::{Day, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::Records;
use super::db::{Durability, Trouble};
use crate::Error;

/// The greatest number of rows that are read.
pub const MAX_SPEND: u64 = 1_000_000;

/// What one job spent on one model on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendRow {
    /// What the caller calls the run.
    pub job: String,
    /// The UTC day.
    pub day: Day,
    /// The model.
    pub model: String,
    /// Whether it was a batch.
    pub is_batch: bool,
    /// What was spent.
    pub spent: Spent,
    /// The first moment at which something was.
    pub first_at: Timestamp,
    /// The last one.
    pub last_at: Timestamp,
}

/// What was spent. Sums end at the most there is, and never wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Requests that were answered.
    pub requests: u64,
    /// Of these, those that nobody knows the price of: they are not in the cost.
    pub unpriced: u64,
    /// Tokens of questions.
    pub prompt: u64,
    /// Of these, those from the provider's cache.
    pub cached: u64,
    /// Tokens of answers.
    pub completion: u64,
    /// Of these, those of thinking.
    pub reasoning: u64,
    /// The cost, in millionths of a millionth of a US dollar.
    pub cost_pico: u64,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            unpriced: self.unpriced.saturating_add(other.unpriced),
            prompt: self.prompt.saturating_add(other.prompt),
            cached: self.cached.saturating_add(other.cached),
            completion: self.completion.saturating_add(other.completion),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            cost_pico: self.cost_pico.saturating_add(other.cost_pico),
        }
    }
}

impl Records {
    /// Adds what was spent to what was before, all or none of it, in one short transaction.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn add_spend(&self, rows: &[SpendRow]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        self.0.write("adding what was spent to", Durability::Kept, |tx| {
            rows.iter().try_for_each(|row| add(tx, row))
        })
    }

    /// What was spent from the day `from` to the day `to`, both included, by day, job and model.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn spend(&self, from: Day, to: Day) -> Result<Vec<SpendRow>, Error> {
        self.0.read("reading what was spent from", |tx| {
            let sql = "SELECT * FROM spend WHERE day BETWEEN ? AND ?
                ORDER BY day, job, model, is_batch LIMIT ?";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![from.days(), to.days(), MAX_SPEND as i64])?;
            let mut spend = Vec::new();
            while let Some(row) = rows.next()? {
                spend.push(spend_row(row)?);
            }
            Ok(spend)
        })
    }
}

fn add(tx: &Transaction<'_>, row: &SpendRow) -> Result<(), Trouble> {
    let sql = "SELECT * FROM spend WHERE job = ? AND day = ? AND model = ? AND is_batch = ?";
    let key = params![row.job, row.day.days(), row.model, row.is_batch];
    let mut query = tx.prepare_cached(sql)?;
    let before = query.query_row(key, |row| Ok(spend_row(row))).optional()?.transpose()?;
    let (mut spent, mut first_at, mut last_at) = (row.spent, row.first_at, row.last_at);
    if let Some(before) = before {
        spent = spent.plus(before.spent);
        first_at = first_at.min(before.first_at);
        last_at = last_at.max(before.last_at);
    }
    let sql = "INSERT OR REPLACE INTO spend VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    tx.prepare_cached(sql)?.execute(params![
        row.job,
        row.day.days(),
        row.model,
        row.is_batch,
        number(spent.requests),
        number(spent.unpriced),
        number(spent.prompt),
        number(spent.cached),
        number(spent.completion),
        number(spent.reasoning),
        number(spent.cost_pico),
        first_at.nanos(),
        last_at.nanos(),
    ])?;
    Ok(())
}

fn spend_row(row: &Row<'_>) -> Result<SpendRow, Trouble> {
    let count = |column: &'static str| -> Result<u64, Trouble> {
        let count: i64 = row.get(column)?;
        u64::try_from(count).map_err(|_| Trouble::BadRow(format!("{count} in column {column}")))
    };
    Ok(SpendRow {
        job: row.get("job")?,
        day: Day::from_days(row.get("day")?),
        model: row.get("model")?,
        is_batch: row.get("is_batch")?,
        spent: Spent {
            requests: count("requests")?,
            unpriced: count("unpriced")?,
            prompt: count("prompt")?,
            cached: count("cached")?,
            completion: count("completion")?,
            reasoning: count("reasoning")?,
            cost_pico: count("cost_pico")?,
        },
        first_at: Timestamp::from_nanos(row.get("first_at")?),
        last_at: Timestamp::from_nanos(row.get("last_at")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(job: &str, day: i32, requests: u64) -> SpendRow {
        let day = Day::from_days(day);
        SpendRow {
            job: job.into(),
            day,
            model: "m".into(),
            is_batch: false,
            spent: Spent {
                requests,
                unpriced: 1,
                prompt: 10 * requests,
                cached: 2,
                completion: 3,
                reasoning: 1,
                cost_pico: 7 * requests,
            },
            first_at: day.start(),
            last_at: day.start(),
        }
    }

    #[test]
    fn what_was_spent_adds_up_by_job_day_model_and_kind() {
        let records = Records::open_in_memory().unwrap();
        let batch = SpendRow { is_batch: true, ..row("a", 5, 1) };
        let later = SpendRow { last_at: Timestamp::from_secs(99), ..row("a", 5, 3) };
        records.add_spend(&[row("a", 5, 2), batch.clone(), row("b", 6, 1)]).unwrap();
        records.add_spend(&[later]).unwrap();
        records.add_spend(&[]).unwrap();
        let all = records.spend(Day::from_days(5), Day::from_days(6)).unwrap();
        assert_eq!(all.len(), 3);
        let sum = row("a", 5, 2).spent.plus(row("a", 5, 3).spent);
        assert_eq!((sum.requests, sum.cost_pico, sum.unpriced), (5, 35, 2));
        let last_at = Day::from_days(5).start().max(Timestamp::from_secs(99));
        assert_eq!(all[0], SpendRow { spent: sum, last_at, ..row("a", 5, 0) });
        assert_eq!(all[1], batch);
        assert_eq!(records.spend(Day::from_days(6), Day::from_days(9)).unwrap(), all[2..]);
    }

    #[test]
    fn sums_end_at_the_most_there_is() {
        let records = Records::open_in_memory().unwrap();
        let most = Spent { prompt: u64::MAX, cost_pico: u64::MAX, ..Spent::default() };
        let huge = SpendRow { spent: most, ..row("a", 1, 0) };
        records.add_spend(&[huge.clone(), huge]).unwrap();
        let day = Day::from_days(1);
        let spent = records.spend(day, day).unwrap()[0].spent;
        assert_eq!((spent.prompt, spent.cost_pico), (i64::MAX as u64, i64::MAX as u64));
    }
}
