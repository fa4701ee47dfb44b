//! Load tests that know venues: how much a server takes before it refuses, without fooling oneself.
//!
//! Arrivals come from a plan and not from the answers (an open model), and latency is counted from
//! the moment an arrival was *due*: a server that stands still cannot hide it by slowing us down.
//! What was counted is kept in histograms of constant size, one a second, so that a long run costs no
//! more memory than a short one and two runs can be compared by their seconds.
//!
//! Whatever runs ends as an [`Outcome`], one JSON document: reports, comparisons and thresholds read
//! nothing else. While it runs, a [`Listener`] hears of every second.
//!
//! What it deliberately does not do: send orders, hold keys that could trade, or decide whether a
//! host may be tested; the command line asks for that.

mod alarm;
pub mod arrival;
pub mod compare;
mod descriptors;
pub mod figures;
pub mod findings;
pub mod frozen;
pub mod health;
mod histogram;
pub mod http;
pub mod knee;
mod language;
mod listener;
pub mod merge;
pub mod mix;
pub mod moment;
mod outcome;
pub mod probe;
pub mod report;
pub mod scenario;
#[cfg(test)]
pub(crate) mod scene;
pub mod status;
pub mod target;
pub mod threshold;
pub mod tls;
pub mod venues;
pub mod ws;

pub use descriptors::raise_descriptors;
pub use histogram::Latencies;
pub use language::Language;
pub use listener::{Listener, Snapshot, Stop};
pub use outcome::{
    Burst, EndpointOutcome, Finding, Generator, Kind, Knee, Messages, Outcome, Percentiles, Phase,
    QuotaSeen, Recommendation, Severity, Slice, Step,
};
pub use target::{Ceilings, Scheme, Target};
pub use threshold::{Checked, Threshold};
