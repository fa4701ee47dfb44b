//! Questions to language models, many at a time, inside limits of requests, tokens and money.
//!
//! A [`Row`] is one question in the form of OpenAI's batch files; what becomes of it is a [`Done`]. Between the
//! two stand limits shared by everything that asks the same endpoint with the same key, a budget that is
//! reserved before a request leaves, and the retries of `finstage-net`.
//!
//! This crate deliberately does not decide what is asked, prints nothing and reads no settings.
//!
//! Types to read first: [`Row`] and [`Done`]; [`Provider`], which translates; [`Endpoint`], which is asked;
//! [`Asker`], which walks one row; and [`run`], which has many in hand.
//!
//! ```
//! use std::sync::Arc;
//! use finstage_llm::providers::Scripted;
//! use finstage_llm::{AskOptions, Asker, CHAT, Endpoint, EndpointOptions, Halt, Left, Place, Row};
//! use finstage_net::{Client, ClientOptions};
//! use serde_json::json;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let place = Place::new("scripted://here", None)?;
//! let client = Client::new(ClientOptions::default())?;
//! let options = EndpointOptions::default();
//! let endpoint = Endpoint::new(Arc::new(Scripted::default()), place, &client, options);
//! let asker = Asker::new(endpoint, AskOptions::default())?;
//! let messages = json!([{"role": "user", "content": "Sentiment of: profits surge"}]);
//! let body = json!({"model": "any", "messages": messages}).as_object().unwrap().clone();
//! let row = Row { line: 1, custom_id: "a".to_owned(), url: CHAT.to_owned(), body };
//! let Left::Done(done) = asker.ask(row, &Halt::default()).await else { panic!("stopped") };
//! let line = done.to_line();
//! assert_eq!(line["response"]["body"]["choices"][0]["message"]["content"], "positive 1.00");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
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

mod asking;
mod batch;
mod counting;
mod endpoint;
mod halt;
mod hints;
mod keeping;
mod latency;
mod pipeline;
mod provider;
pub mod providers;
mod routing;
mod schema;
mod sse;
mod stream;
mod summary;
#[cfg(test)]
mod testing;

pub use asking::{AskOptions, Asker, Sharing, Structure};
pub use batch::{
    Batch, BatchCounts, BatchFile, BatchLine, Batches, COMPLETION_WINDOW, MAX_BATCH_BYTES,
    MAX_BATCH_LINES,
};
pub use counting::{ByteCounting, Counting, TokenCounting};
pub use endpoint::{Endpoint, EndpointOptions, LaneSnapshot, MAX_MODELS};
pub use halt::{Halt, Stopped, Why};
pub use hints::{REQUESTS, TOKENS, go_duration};
pub use keeping::{Accounts, Answers};
pub use pipeline::{Left, MAX_IN_HAND, RunOptions, run};
pub use provider::{Answer, Fault, Outcome, Place, Provider, Question, Remedy, Step};
pub use routing::{Confidence, MAX_STEPS, RouteRule, Routing, Weak, When};
pub use schema::{MAX_DEPTH, Schema};
pub use sse::{Event, MAX_EVENT_BYTES, SseParser};
pub use stream::{Gathered, MAX_PARTS, MAX_STREAM_BYTES, Streaming};
pub use summary::{ModelSummary, Summary};

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
