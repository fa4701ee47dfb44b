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
pub use tokens::{ASSUMED_COMPLETION, Estimate};
pub use usage::Usage;
