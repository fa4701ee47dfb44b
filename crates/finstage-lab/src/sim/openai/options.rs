//! What can be chosen about the venue.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::Clock;
use tokio::net::TcpListener;

use super::latency::Latency;
use crate::sim::faults::Scenario;
use crate::sim::ledger::Ledger;
use crate::sim::rulebook::Refused;

/// Requests a minute of one key and model, unless chosen otherwise.
pub const REQUESTS_PER_MINUTE: u32 = 10_000;
/// Tokens a minute of one key and model, unless chosen otherwise.
pub const TOKENS_PER_MINUTE: u32 = 4_000_000;

/// What a simulated server needs.
#[derive(Debug)]
pub struct OpenAiOptions {
    /// Where answers, ids and times come from.
    pub seed: u64,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// How many times faster than the runtime's its clock runs: what it waits is divided by this.
    pub speed: f64,
    /// What goes wrong; offsets count from the clock's present.
    pub faults: Scenario,
    /// Where requests are entered.
    pub ledger: Arc<Ledger>,
    /// Where it listens.
    pub listener: TcpListener,
    /// Keys that it knows; all that begin with `sk-` where there are none.
    pub keys: Vec<String>,
    /// How it behaves.
    pub manners: Manners,
}

/// How the server behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Manners {
    /// What it allows.
    pub limits: Limits,
    /// How long it takes to answer.
    pub latency: Latency,
    /// How long it takes from one token of a stream to the next.
    pub token_time: Duration,
    /// What it says about limits.
    pub hints: Hints,
    /// Whose words it uses.
    pub dialect: Dialect,
    /// How long a line of a batch takes; lines are worked off one after the other.
    pub batch_line: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            latency: Latency::default(),
            token_time: Duration::ZERO,
            hints: Hints::default(),
            dialect: Dialect::default(),
            batch_line: Duration::from_millis(10),
        }
    }
}

/// What one key may do. Limits are buckets that refill evenly, by key and model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Requests a minute; no limit where it is `None`.
    pub rpm: Option<u32>,
    /// Tokens a minute: of the prompt and the most that the answer may have, on arrival.
    pub tpm: Option<u32>,
    /// So much of a minute's requests may come at once; of tokens, all of them.
    pub burst: Duration,
    /// Requests at the same time, whatever the model.
    pub concurrency: Option<u32>,
    /// Whether refused requests use up the limits as well.
    pub refused: Refused,
    /// Whoever has spent this gets `insufficient_quota`, in thousand-millionths of a US dollar.
    pub cap_nano_usd: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rpm: Some(REQUESTS_PER_MINUTE),
            tpm: Some(TOKENS_PER_MINUTE),
            burst: Duration::from_secs(60),
            concurrency: None,
            refused: Refused::Free,
            cap_nano_usd: None,
        }
    }
}

impl Limits {
    /// Nothing is limited.
    #[must_use]
    pub fn none() -> Self {
        Self { rpm: None, tpm: None, ..Self::default() }
    }
}

/// What headers say about limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hints {
    /// `x-ratelimit-*` with every answer, `retry-after` and `retry-after-ms` with refusals.
    #[default]
    Milliseconds,
    /// `retry-after` with refusals, in whole seconds.
    Seconds,
    /// Nothing.
    None,
}

/// Whose words are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Those of the venue.
    #[default]
    OpenAi,
    /// Those of a LiteLLM gateway before it: exceptions' names in messages, codes that are strings of the
    /// status, no types, `x-litellm-*` headers and the venue's own as `llm_provider-*`.
    Gateway,
}
