//! What programs may spend in a day of UTC, and what a question cost.

use std::sync::{Arc, Mutex, PoisonError};

use finstage_llm::{Budget, Estimate, Hold, Money, Price, Prices, Usage};
use finstage_model::{Clock, Day};

use super::clients::Program;
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
            price,
            meter: Arc::clone(meter),
            is_answered: false,
        };
        let caps = self.house.iter().chain(program.and_then(|program| program.daily.as_ref()));
        for cap in caps {
            let Some(price) = &price else {
                let words = self.prices.unknown(model).to_string();
                return Err(Refusal::new(400, "unknown_price", words));
            };
            let budget = cap.of(self.clock.now().day());
            let hold = budget.reserve(price.worst(estimate)).await.map_err(|why| {
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
    meter: Arc<Meter>,
    is_answered: bool,
}

impl Reserved {
    /// An answer has begun: it costs, whether anybody reads it or not.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }

    /// What an answer used. The cost, where the model has a known price; without usage all that was set aside is
    /// spent.
    pub(super) fn settle(mut self, usage: Option<Usage>) -> Option<Money> {
        self.is_answered = true;
        let cost = self.price.as_ref()?.cost(usage?);
        for hold in self.holds.drain(..) {
            let beyond = hold.settle(cost);
            if beyond > Money::ZERO {
                tracing::warn!("gateway: an answer cost ${beyond} more than it could: is its price right?");
            }
        }
        Some(cost)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let may_cost = self.is_answered || self.meter.is_lost();
        for hold in self.holds.drain(..) {
            if may_cost { drop(hold) } else { hold.release() }
        }
    }
}
