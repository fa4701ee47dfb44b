use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::{Attempt, Done, End, LaneSnapshot, Money, Stopped, Usage};

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Summary {
    /// Rows that were answered, cached ones included.
    pub done: u64,
    /// Of these, those whose answer was there already.
    pub cached: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Rows that were given back: they have no end, and a later run asks them.
    pub not_done: u64,
    /// Questions that were put to models.
    pub attempts: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Answers that said "too many".
    pub refused_429: u64,
    /// What was spent, as far as prices are known.
    #[serde(skip)]
    pub cost: Money,
    /// Questions whose cost is not known: no price, no usage, or no answer.
    pub unknown_cost: u64,
    /// Figures of each model.
    pub models: BTreeMap<String, ModelSummary>,
    /// Why the run ended before its rows did; `None` where it did not.
    pub stopped: Option<Stopped>,
    /// From the first row to the last.
    pub elapsed_s: f64,
}

/// What became of the questions to a model.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ModelSummary {
    /// Questions that were put to it.
    pub attempts: u64,
    /// What they used, as far as the provider said.
    pub usage: Usage,
    /// What they cost, as far as that is known.
    #[serde(rename = "known_cost_usd")]
    pub cost: Money,
    /// Questions whose cost is not known.
    pub unknown_cost: u64,
    /// The mean wait of requests for their turn under the limits, in milliseconds.
    pub mean_wait_ms: f64,
    /// The longest such wait, in milliseconds.
    pub longest_wait_ms: f64,
    /// Half of the answers took no longer, in milliseconds.
    pub p50_ms: f64,
    /// Of twenty answers nineteen took no longer, in milliseconds.
    pub p95_ms: f64,
}

impl Summary {
    /// Counts a row that ended.
    pub(crate) fn count(&mut self, done: &Done) {
        match &done.end {
            End::Answered(_) => self.done += 1,
            End::Failed(_) => self.failed += 1,
        }
        self.cached += u64::from(done.is_cached);
        self.count_attempts(&done.attempts);
    }

    /// Counts questions, whatever became of their row.
    pub(crate) fn count_attempts(&mut self, attempts: &[Attempt]) {
        for attempt in attempts {
            self.attempts += 1;
            let model = self.models.entry(attempt.model.clone()).or_default();
            model.attempts += 1;
            model.usage = model.usage.plus(attempt.usage.unwrap_or_default());
            match attempt.cost {
                Some(cost) => {
                    model.cost = model.cost.plus(cost);
                    self.cost = self.cost.plus(cost);
                }
                None => {
                    model.unknown_cost += 1;
                    self.unknown_cost += 1;
                }
            }
        }
    }

    /// Adds what the endpoint saw between two moments.
    pub(crate) fn add_lanes(&mut self, before: &[LaneSnapshot], after: &[LaneSnapshot]) {
        for lane in after {
            let earlier = before.iter().find(|earlier| earlier.model == lane.model);
            let since = |of: fn(&LaneSnapshot) -> u64| of(lane) - earlier.map_or(0, of);
            self.retries += since(|lane| lane.remote.retries);
            self.refused_429 += since(|lane| lane.remote.refused);
            if let Some(model) = self.models.get_mut(&lane.model) {
                model.mean_wait_ms = ms(lane.remote.mean_wait);
                model.longest_wait_ms = ms(lane.remote.longest_wait);
                model.p50_ms = ms(lane.p50);
                model.p95_ms = ms(lane.p95);
            }
        }
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
