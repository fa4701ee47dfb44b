//! What was spent, and what a month will cost.

mod services;

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_store::records::{SpendRow, Spent};
use serde::Serialize;

pub use services::{
    Comparison, MeterReport, Meters, MonthlyUse, PlanCost, Savings, Service, ServicePlan, Services,
};

use crate::Money;

const DAY: Duration = Duration::from_hours(24);
/// Days of a month, in projections.
const MONTH_DAYS: u64 = 30;

/// What was spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CostReport {
    /// From the first moment at which something was spent; none where nothing was.
    pub from: Option<Timestamp>,
    /// The moment of the report.
    pub to: Timestamp,
    /// All together.
    pub total: CostLine,
    /// What a day costs: all there was, while less than a day has passed.
    pub daily_usd: Money,
    /// What thirty such days cost.
    pub projected_month_usd: Money,
    /// By model.
    pub models: Vec<CostLine>,
    /// By job.
    pub jobs: Vec<CostLine>,
    /// By UTC day.
    pub days: Vec<CostLine>,
}

/// What was spent on one thing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CostLine {
    /// The model, the job or the day; empty for all together.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Requests that were answered.
    pub requests: u64,
    /// Of these, those without a known price: what they cost is not in the sum.
    pub unpriced_requests: u64,
    /// Of these, those of batches.
    pub batch_requests: u64,
    /// Tokens of questions.
    pub prompt_tokens: u64,
    /// Of these, those from the provider's cache.
    pub cached_tokens: u64,
    /// Tokens of answers.
    pub completion_tokens: u64,
    /// Of these, those of thinking.
    pub reasoning_tokens: u64,
    /// The cost, in dollars.
    pub cost_usd: Money,
}

impl CostReport {
    /// Sums what the store holds.
    #[must_use]
    pub fn of(rows: &[SpendRow], now: Timestamp) -> Self {
        let mut total = CostLine::default();
        let mut parts = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
        for row in rows {
            total.add(row);
            let names = [row.model.clone(), row.job.clone(), row.day.to_string()];
            for (part, name) in parts.iter_mut().zip(names) {
                let line: &mut CostLine = part.entry(name).or_default();
                line.add(row);
            }
        }
        let [models, jobs, days] = parts
            .map(|part| part.into_iter().map(|(name, line)| CostLine { name, ..line }).collect());
        let from = rows.iter().map(|row| row.first_at).min();
        let passed = from.map_or(Duration::ZERO, |from| now.since(from));
        let daily_usd = daily(total.cost_usd, passed);
        let projected_month_usd = daily_usd.times(MONTH_DAYS);
        Self { from, to: now, total, daily_usd, projected_month_usd, models, jobs, days }
    }
}

impl CostLine {
    fn add(&mut self, row: &SpendRow) {
        let Spent { requests, unpriced, prompt, cached, completion, reasoning, cost_pico } =
            row.spent;
        self.requests += requests;
        self.unpriced_requests += unpriced;
        self.batch_requests += if row.is_batch { requests } else { 0 };
        self.prompt_tokens = self.prompt_tokens.saturating_add(prompt);
        self.cached_tokens = self.cached_tokens.saturating_add(cached);
        self.completion_tokens = self.completion_tokens.saturating_add(completion);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(reasoning);
        self.cost_usd = self.cost_usd.plus(Money::from_pico(cost_pico));
    }
}

/// What a day costs, when `spent` was spent in `passed`: all of it while less than a day has passed, because a
/// rate of minutes says nothing of a day.
fn daily(spent: Money, passed: Duration) -> Money {
    if passed < DAY {
        return spent;
    }
    let day = u128::from(spent.pico()) * DAY.as_nanos() / passed.as_nanos();
    Money::from_pico(u64::try_from(day).expect("a part of what fits"))
}

/// How many items to put in a batch next, where `now` were: twice as many, 500 at most, while less than 100 MB
/// went through; otherwise half as many, 50 at least, where that cost more than 500 dollars.
#[must_use]
pub fn batch_size(now: u64, processed_bytes: u64, cost: Money) -> u64 {
    const FEW_BYTES: u64 = 100_000_000;
    const MOST: u64 = 500;
    const LEAST: u64 = 50;
    let is_dear = cost > Money::from_pico(500_000_000_000_000);
    match () {
        () if processed_bytes < FEW_BYTES => now.saturating_mul(2).min(MOST),
        () if is_dear => (now / 2).max(LEAST),
        () => now,
    }
}

#[cfg(test)]
mod tests;
