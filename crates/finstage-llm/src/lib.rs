//! Questions to language models, many at a time, inside limits of requests, tokens and money.
//!
//! A [`Row`] is one question in the form of OpenAI's batch files; what becomes of it is a [`Done`]. Between the
//! two stand limits shared by everything that asks the same endpoint with the same key, a budget that is
//! reserved before a request leaves, and the retries of `finstage-net`.
//!
//! This crate deliberately does not decide what is asked, prints nothing and reads no settings.
//!
//! Three types to read first: [`Row`], [`Done`] and [`Money`].
#![forbid(unsafe_code)]

mod budget;
mod cost;
mod done;
mod error;
mod ids;
mod input;
mod money;
mod nearest;
mod output;
mod plan;
mod prices;
mod row;
mod spend;
mod tokens;
mod usage;

pub use budget::{Budget, Hold};
pub use cost::{
    Comparison, CostLine, CostReport, MeterReport, Meters, MonthlyUse, PlanCost, Savings, Service,
    ServicePlan, Services, batch_size,
};
pub use done::{Attempt, Done, End, Reply, RowError};
pub use error::{Error, ErrorKind};
pub use ids::{Admission, Register};
pub use input::{ChatOptions, Form, InputOptions, MAX_LINE_BYTES, Rows, Template};
pub use money::Money;
pub use output::{
    FLUSH_EVERY, MAX_OUTPUT_LINE_BYTES, ORDER_ROWS, Output, OutputOptions, Resumed, Turn, Turns,
};
pub use plan::{Cached, Limits, ModelPlan, Plan, PlanOptions, PlanTime};
pub use prices::{Model, Price, Prices, Tokenizer};
pub use row::{CHAT, EMBEDDINGS, Row, RowId, RowKey};
pub use spend::{Spend, Tariff};
pub use tokens::{ASSUMED_COMPLETION, Estimate};
pub use usage::Usage;
