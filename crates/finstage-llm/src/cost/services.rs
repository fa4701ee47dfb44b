//! What services charge, and what a month would cost with each.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{MONTH_DAYS, daily};
use crate::{Error, Money};

/// The table in the program.
const BUILT_IN: &str = include_str!("../services.toml");
/// Parts of a discount.
const WHOLE: u64 = 1_000_000;
const MONTHS: u64 = 12;

/// What services charge, of one day.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// The day of the table, `YYYY-MM-DD`.
    pub as_of: String,
    /// Who says so.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What a gateway counts.
    pub meters: Meters,
    /// Services to compare.
    pub services: Vec<Service>,
    /// Plans of the gateway.
    #[serde(default)]
    pub plans: Vec<ServicePlan>,
}

/// What is counted of a gateway's use, in dollars.
///
/// The units stand in the names, because the document that these prices come from has prices for *one* message,
/// token and megabyte (0.00015 for a message, say) and divides by a thousand once more where it multiplies: its
/// stream costs a thousandth of its own price list. Here a thousand messages cost `messages_per_thousand`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meters {
    /// A thousand messages.
    #[serde(deserialize_with = "dollars")]
    pub messages_per_thousand: Money,
    /// A million tokens.
    #[serde(deserialize_with = "dollars")]
    pub tokens_per_million: Money,
    /// A gigabyte (10⁹ bytes).
    #[serde(deserialize_with = "dollars")]
    pub bandwidth_per_gb: Money,
    /// What the gateway says that it saves, in words.
    pub saving: String,
}

/// A service, and what it charges.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// A thousand messages of a stream, in dollars.
    #[serde(deserialize_with = "dollars")]
    pub stream: Money,
    /// The part that it leaves off for large users, from 0 to 1.
    #[serde(default)]
    pub discount: f64,
    /// A million tokens of a model, in dollars; what is missing is not sold there.
    #[serde(default, deserialize_with = "dollars_by_name")]
    pub models: BTreeMap<String, Money>,
}

/// A plan that is paid by the month.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePlan {
    /// Its name.
    pub name: String,
    /// What a month costs, in dollars; none where one has to ask.
    #[serde(default, deserialize_with = "some_dollars")]
    pub month: Option<Money>,
    /// Calls that the month's price includes; none where that is not said.
    pub calls: Option<u64>,
    /// What else it offers, in words.
    #[serde(default)]
    pub offers: Vec<String>,
}

/// What was used of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MonthlyUse {
    /// Messages, or calls.
    pub messages: u64,
    /// Tokens of models.
    pub tokens: u64,
    /// Bytes that went through.
    pub bytes: u64,
    /// Messages that were opened.
    pub decryptions: u64,
    /// The time in which all that was used.
    pub passed: Duration,
}

/// What a gateway's use comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeterReport {
    /// The time in words: `0.5 days`.
    pub period: String,
    /// Messages, or calls.
    pub total_api_calls: u64,
    /// Megabytes (10⁶ bytes), with two decimals.
    pub data_processed_mb: String,
    /// Messages that were opened.
    pub encryption_ops: u64,
    /// What it cost until now, in dollars.
    pub estimated_cost: Money,
    /// What thirty days cost at that rate, in dollars.
    pub projected_monthly_cost: Money,
    /// What the gateway says that it saves.
    pub saving: String,
}

/// What a month costs at a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The service.
    pub service: String,
    /// Its messages, in dollars.
    pub stream_usd: Money,
    /// Its tokens, in dollars; none where it does not sell the model.
    pub model_usd: Option<Money>,
}

/// What a month costs with a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanCost {
    /// The plan.
    pub plan: String,
    /// What it costs with the calls that it does not include, in dollars.
    pub month_usd: Money,
}

/// What is saved by another service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Savings {
    /// The month with the one that is left, in dollars.
    pub before_usd: Money,
    /// The month with the one that is taken.
    pub after_usd: Money,
    /// What is saved in a month; nothing where the other is dearer.
    pub month_usd: Money,
    /// What is saved in a year.
    pub year_usd: Money,
}

impl Services {
    /// The table in the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN, "the built-in services").expect("a test reads the table")
    }

    /// Reads a table; `name` is what it is called in errors.
    ///
    /// # Errors
    /// `Invalid` where it is no table of services, or a discount is not from 0 to 1.
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::invalid(format!("{name}: {what}"));
        let services: Self =
            toml::from_str(text).map_err(|e| wrong(e.to_string().replace('\n', " ")))?;
        match services.services.iter().find(|service| !(0.0..=1.0).contains(&service.discount)) {
            Some(Service { name, discount, .. }) => {
                Err(wrong(format!("service \"{name}\": discount {discount} is not from 0 to 1")))
            }
            None => Ok(services),
        }
    }

    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name.eq_ignore_ascii_case(name))
    }

    /// What a month of so many messages, and of so many tokens of a model, costs at each service, without
    /// discounts; in the table's order.
    #[must_use]
    pub fn compare(&self, messages: u64, tokens: u64, model: &str) -> Vec<Comparison> {
        let one = |service: &Service| Comparison {
            service: service.name.clone(),
            stream_usd: parts(service.stream, messages, 1000),
            model_usd: service.models.get(model).map(|price| parts(*price, tokens, 1_000_000)),
        };
        self.services.iter().map(one).collect()
    }

    /// What a month of so many calls costs with each plan that has a price, the cheapest first: its price, and
    /// by the meter what it does not include.
    #[must_use]
    pub fn plans(&self, calls: u64) -> Vec<PlanCost> {
        let meter = self.meters.messages_per_thousand;
        let cost = |plan: &ServicePlan| {
            let beyond = calls.saturating_sub(plan.calls.unwrap_or_default());
            let month_usd = plan.month?.plus(parts(meter, beyond, 1000));
            Some(PlanCost { plan: plan.name.clone(), month_usd })
        };
        let mut costs: Vec<_> = self.plans.iter().filter_map(cost).collect();
        costs.sort_by_key(|cost| cost.month_usd);
        costs
    }
}

impl Meters {
    /// What a use costs.
    #[must_use]
    pub fn cost(&self, used: &MonthlyUse) -> Money {
        parts(self.messages_per_thousand, used.messages, 1000)
            .plus(parts(self.tokens_per_million, used.tokens, 1_000_000))
            .plus(parts(self.bandwidth_per_gb, used.bytes, 1_000_000_000))
    }

    /// The report of a use.
    #[must_use]
    pub fn report(&self, used: &MonthlyUse) -> MeterReport {
        let cost = self.cost(used);
        let days = used.passed.as_secs_f64() / 86_400.0;
        MeterReport {
            period: format!("{days:.1} days"),
            total_api_calls: used.messages,
            data_processed_mb: format!("{:.2}", used.bytes as f64 / 1e6),
            encryption_ops: used.decryptions,
            estimated_cost: cost,
            projected_monthly_cost: daily(cost, used.passed).times(MONTH_DAYS),
            saving: self.saving.clone(),
        }
    }
}

impl Service {
    /// What a month of so many messages costs, with its discount.
    #[must_use]
    pub fn month(&self, messages: u64) -> Money {
        let paid = WHOLE - (self.discount * WHOLE as f64).round() as u64;
        parts(parts(self.stream, messages, 1000), paid, WHOLE)
    }
}

impl Savings {
    /// What is saved in a month of so many messages by leaving `before` for `after`.
    #[must_use]
    pub fn of(messages: u64, before: &Service, after: &Service) -> Self {
        let (before_usd, after_usd) = (before.month(messages), after.month(messages));
        let month_usd = before_usd.minus(after_usd);
        Self { before_usd, after_usd, month_usd, year_usd: month_usd.times(MONTHS) }
    }
}

/// The price of `count` things, when `each` of them cost `price` together.
fn parts(price: Money, count: u64, each: u64) -> Money {
    let pico = u128::from(price.pico()) * u128::from(count) / u128::from(each);
    Money::from_pico(u64::try_from(pico).unwrap_or(u64::MAX))
}

fn dollars<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Money, D::Error> {
    let number = f64::deserialize(from)?;
    Money::from_usd(&number.to_string())
        .ok_or_else(|| serde::de::Error::custom(format!("{number} is no price")))
}

fn some_dollars<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Money>, D::Error> {
    dollars(from).map(Some)
}

fn dollars_by_name<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Money>, D::Error> {
    #[derive(Deserialize)]
    struct Dollars(#[serde(deserialize_with = "dollars")] Money);
    let named = BTreeMap::<String, Dollars>::deserialize(from)?;
    Ok(named.into_iter().map(|(name, Dollars(price))| (name, price)).collect())
}
