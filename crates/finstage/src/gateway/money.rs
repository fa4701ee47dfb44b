//! What programs may spend in a day of UTC, and what a question cost.

use std::sync::{Arc, Mutex, PoisonError};

use finstage_llm::{Attempt, Budget, Estimate, Hold, Money, Price, Prices, Usage};
use finstage_model::{Clock, Day};

use super::clients::{JOB, Program};
use super::ledger::Ledger;
use super::meter::Meter;
use super::refusal::Refusal;

/// A cap that begins anew each day.
#[derive(Debug)]
pub(super) struct Daily {
    cap: Money,
    today: Mutex<(Day, Budget)>,
}

impl Daily {
    /// A cap of which so much of this day was spent already.
    pub(super) fn new(cap: Money, day: Day, spent: Money) -> Self {
        Self { cap, today: Mutex::new((day, Budget::new(cap.minus(spent)))) }
    }

    /// The budget of a day. What was set aside before midnight belongs to the day before.
    fn of(&self, day: Day) -> Budget {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        if today.0 != day {
            *today = (day, Budget::new(self.cap));
        }
        today.1.clone()
    }
}

/// What models cost, and the cap of the house.
#[derive(Debug)]
pub(super) struct Till {
    pub(super) prices: Prices,
    pub(super) house: Option<Daily>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Till {
    /// Sets the most aside that a question can cost, at the house's cap and the program's.
    pub(super) async fn reserve(
        &self,
        (model, estimate): (&str, Estimate),
        program: Option<&Program>,
        meter: &Arc<Meter>,
    ) -> Result<Reserved, Refusal> {
        let price = self.prices.price(model);
        let mut reserved = Reserved {
            holds: Vec::new(),
            worst: price.as_ref().map(|price| price.worst(estimate)),
            price,
            meter: Arc::clone(meter),
            is_answered: false,
            is_over: false,
            ledger: Arc::clone(&self.ledger),
            job: program.map_or(JOB, |program| program.job.as_str()).to_owned(),
            model: model.to_owned(),
        };
        let caps = self.house.iter().chain(program.and_then(|program| program.daily.as_ref()));
        for cap in caps {
            let Some(worst) = reserved.worst else {
                let words = self.prices.unknown(model).to_string();
                return Err(Refusal::new(400, "unknown_price", words));
            };
            let budget = cap.of(self.clock.now().day());
            let hold = budget.reserve(worst).await.map_err(|why| {
                let words = format!("{why}; nothing was sent, and the day ends at 00:00 UTC");
                Refusal::new(429, "insufficient_quota", words)
            })?;
            reserved.holds.push(hold);
        }
        Ok(reserved)
    }

    /// Whether anything limits what this program spends.
    pub(super) fn is_limited(&self, program: Option<&Program>) -> bool {
        self.house.is_some() || program.is_some_and(|program| program.daily.is_some())
    }
}

/// Money for one question. Dropped, it is free again where nothing left that could cost anything.
#[derive(Debug)]
pub(super) struct Reserved {
    holds: Vec<Hold>,
    price: Option<Price>,
    /// The most that it can cost.
    worst: Option<Money>,
    meter: Arc<Meter>,
    is_answered: bool,
    is_over: bool,
    ledger: Arc<Ledger>,
    job: String,
    model: String,
}

impl Reserved {
    /// An answer has begun: it costs, whether anybody reads it or not.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }

    /// What an answer used. The cost, where it is known; without usage all that was put aside is spent.
    pub(super) fn settle(mut self, usage: Option<Usage>) -> Option<Money> {
        let cost = self.close(usage);
        usage.and(cost)
    }

    fn close(&mut self, usage: Option<Usage>) -> Option<Money> {
        self.is_over = true;
        let cost = match (usage, &self.price) {
            (Some(usage), Some(price)) => Some(price.cost(usage)),
            (Some(_), None) => None,
            (None, _) => self.worst,
        };
        for hold in self.holds.drain(..) {
            // Dropped, all of it is spent.
            let Some(cost) = cost else { continue };
            let beyond = hold.settle(cost);
            if beyond > Money::ZERO {
                tracing::warn!(
                    "gateway: an answer cost ${beyond} more than it could: is its price right?"
                );
            }
        }
        let model = self.model.clone();
        self.ledger.enter(&self.job, &Attempt { model, usage, cost, passed_on: None });
        cost
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if self.is_answered || self.meter.is_lost() {
            self.close(None);
        } else {
            self.holds.drain(..).for_each(Hold::release);
        }
    }
}
