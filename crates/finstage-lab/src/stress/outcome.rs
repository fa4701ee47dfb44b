use std::collections::BTreeMap;

use finstage_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Checked, Latencies};

/// What a load test found: one JSON document with all that reports, comparisons and thresholds need.
///
/// Rates and shares of nothing are 0, percentiles of nothing `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What kind of test.
    pub kind: Kind,
    /// What was tested, as the user named it; no key in it.
    pub target: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, until the last answer.
    pub elapsed_s: f64,
    /// Requests that left, or connections that were tried.
    pub sent: u64,
    /// Answers of 2xx and 3xx.
    pub ok: u64,
    /// All others, [`rate_limited`](Self::rate_limited) included: `sent = ok + failed`.
    pub failed: u64,
    /// 429 and 418.
    pub rate_limited: u64,
    /// Arrivals that never left: too many were waiting for a connection.
    pub shed: u64,
    /// Answers a second, failures included, over the time that arrivals were planned.
    pub rps: f64,
    /// From when each was due to its last byte, of all that were answered.
    #[serde(flatten)]
    pub latency: Percentiles,
    /// From when each left.
    pub service: Percentiles,
    /// How long each part took; only those that occurred.
    pub phases: BTreeMap<Phase, Percentiles>,
    /// How many failed of what, under the names of the source documents: `429_RateLimit`,
    /// `401_Unauthorized`, `502_BadGateway`, `HTTP_<status>`, `TimeoutError`, `ConnectionError`…
    pub errors: BTreeMap<String, u64>,
    /// By endpoint, where there are several.
    pub endpoints: Vec<EndpointOutcome>,
    /// What the server said of its limits.
    pub quota: QuotaSeen,
    /// How the machine did that sent.
    pub generator: Generator,
    /// What came over connections that stay open; of [`Kind::Ws`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
    /// Burst by burst; of [`Kind::Burst`] only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bursts: Vec<Burst>,
    /// Up to which rate all was well; of a ramp only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knee: Option<Knee>,
    /// What follows from the figures.
    pub findings: Vec<Finding>,
    /// What to do about it.
    pub recommendations: Vec<Recommendation>,
    /// What had to hold, and whether it does; empty where nothing was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Checked>,
    /// The settings that it ran with, as named on the command line.
    pub settings: BTreeMap<String, Value>,
    /// Second by second; of runs over ten minutes in longer slices, all of one length.
    pub slices: Vec<Slice>,
    /// How long all that were answered took from when they were due: HdrHistogram V2, base64.
    pub histogram: Latencies,
}

impl Outcome {
    /// A test of which nothing is known yet: for filling in.
    #[must_use]
    pub fn new(kind: Kind, target: impl Into<String>) -> Self {
        Self {
            kind,
            target: target.into(),
            started_at: Timestamp::from_secs(0),
            elapsed_s: 0.0,
            sent: 0,
            ok: 0,
            failed: 0,
            rate_limited: 0,
            shed: 0,
            rps: 0.0,
            latency: Percentiles::default(),
            service: Percentiles::default(),
            phases: BTreeMap::new(),
            errors: BTreeMap::new(),
            endpoints: Vec::new(),
            quota: QuotaSeen::default(),
            generator: Generator::default(),
            messages: None,
            bursts: Vec::new(),
            knee: None,
            findings: Vec::new(),
            recommendations: Vec::new(),
            thresholds: Vec::new(),
            settings: BTreeMap::new(),
            slices: Vec::new(),
            histogram: Latencies::new(),
        }
    }
}

/// What kind of test an [`Outcome`] is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Requests at a rate, or as fast as they are answered.
    Http,
    /// Bursts with pauses.
    Burst,
    /// Connections that stay open.
    Ws,
}

/// The figures of one [`Latencies`], in ms.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many they are of.
    pub count: u64,
    /// The mean.
    pub mean_ms: Option<f64>,
    /// The standard deviation.
    pub std_ms: Option<f64>,
    /// Half took at most this.
    pub p50_ms: Option<f64>,
    /// 90 of 100.
    pub p90_ms: Option<f64>,
    /// 95 of 100.
    pub p95_ms: Option<f64>,
    /// 99 of 100.
    pub p99_ms: Option<f64>,
    /// 999 of 1,000.
    pub p999_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

/// A part of a request, or of opening a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting, due, for a connection.
    Queue,
    /// Looking the name up.
    Dns,
    /// Connecting.
    Connect,
    /// The handshake of TLS.
    Tls,
    /// The handshake of a WebSocket.
    Upgrade,
    /// From sending to the first byte.
    FirstByte,
    /// From the first byte to the last.
    Body,
}

impl Phase {
    /// All, in the order in which they follow each other.
    pub const ALL: [Self; 7] = [
        Self::Queue,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Upgrade,
        Self::FirstByte,
        Self::Body,
    ];
}

/// One endpoint's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointOutcome {
    /// `GET /api/v3/depth`.
    pub name: String,
    /// As of the whole.
    pub sent: u64,
    /// As of the whole.
    pub ok: u64,
    /// As of the whole.
    pub failed: u64,
    /// As of the whole.
    pub rate_limited: u64,
    /// As of the whole.
    pub latency: Percentiles,
    /// As of the whole.
    pub errors: BTreeMap<String, u64>,
}

/// What answers said of limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QuotaSeen {
    /// The highest number that each header of used weight or requests gave, by its name in lower case.
    pub used: BTreeMap<String, u64>,
    /// The longest `Retry-After`, in seconds.
    pub retry_after_s: Option<f64>,
    /// When the first 429 came, since the start.
    pub first_429_s: Option<f64>,
    /// When the first 418 or 403 came: a ban. Nothing was sent after it.
    pub banned_s: Option<f64>,
}

/// How the machine did that sent: whether what was measured is the server, or ourselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Threads that sent.
    pub threads: u32,
    /// Processor time, in seconds.
    pub cpu_s: f64,
    /// Processor time of one answer, in µs.
    pub cpu_us_per_request: f64,
    /// Memory at its highest, in bytes.
    pub rss_bytes: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Connections that had to be opened again.
    pub reconnects: u64,
    /// How late we ourselves were: from when an arrival was due to when it was looked at.
    pub lag: Percentiles,
    /// The most files and sockets that were open, and how many may be.
    pub descriptors: u64,
    /// See [`descriptors`](Self::descriptors).
    pub descriptor_limit: u64,
    /// Seconds in which we were the limit and not the server.
    pub bound_slices: u32,
    /// Why, in words; empty where none was.
    pub bound_by: Vec<String>,
}

/// What came over connections that stay open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// Connections that were asked for.
    pub connections: u64,
    /// The most that were open at once.
    pub open: u64,
    /// Until all were open, in seconds; `None` where they never were.
    pub ramp_s: Option<f64>,
    /// Messages with data.
    pub received: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// A second, while all were open.
    pub per_second: f64,
    /// From the event's own time to its arrival, corrected by the offset of the clocks, of those that
    /// carry a time.
    pub latency: Percentiles,
    /// Opening: until the handshake was answered.
    pub connect: Percentiles,
    /// The clock of the server against ours, in ms, and how far that may be off; `None` where it
    /// could not be asked.
    pub clock_offset_ms: Option<f64>,
    /// See [`clock_offset_ms`](Self::clock_offset_ms).
    pub clock_error_ms: Option<f64>,
    /// Connections that broke and were opened again.
    pub reconnects: u64,
    /// Numbers that a stream left out, and numbers that came twice.
    pub missed: u64,
    /// See [`missed`](Self::missed).
    pub repeated: u64,
    /// Messages that did not read.
    pub unread: u64,
    /// Our memory for one connection, in bytes; kernel buffers are not in it.
    pub bytes_per_connection: u64,
}

/// One burst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// Its number, from 1.
    pub cycle: u32,
    /// When it was due, since the test's start, in seconds.
    pub at_s: f64,
    /// From when it was due to its last answer.
    pub duration_ms: f64,
    /// Requests that were due.
    pub total: u64,
    /// Answers of 2xx and 3xx.
    pub ok: u64,
    /// 429 and 418.
    pub rate_limited: u64,
    /// Requests by its duration.
    pub rps: f64,
}

/// Where a rate that rises step by step became too much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The highest step that held, in requests a second; 0 where none did.
    pub rps: f64,
    /// Its p99.
    pub p99_ms: Option<f64>,
    /// The step that broke; `None` where all held, and the limit is above.
    pub broke_at_rps: Option<f64>,
    /// Why it broke, in words: `p99 120 ms is over 5 times that of the first step`.
    pub why: Option<String>,
    /// Every step that was tried.
    pub steps: Vec<Step>,
}

/// A step of a ramp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The rate that was planned.
    pub rps: f64,
    /// Answers a second.
    pub answered_rps: f64,
    /// See [`Percentiles`].
    pub p50_ms: Option<f64>,
    /// See [`Percentiles`].
    pub p99_ms: Option<f64>,
    /// Share that failed or was shed, 0 to 1.
    pub failed: f64,
}

/// What follows from the figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// A word for programs: `rate_limit`, `timeout`, `slow_endpoint`, `stall`, `reset`,
    /// `generator_bound`, `knee`…
    #[serde(rename = "type")]
    pub what: String,
    /// How much it matters.
    pub severity: Severity,
    /// In words, with the figure it comes from.
    pub text: String,
    /// The figure's name in this document, such as `errors.429_RateLimit`.
    pub figure: String,
    /// Its value.
    pub value: f64,
    /// What it was held against.
    pub bound: f64,
}

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it.
    Low,
    /// It costs answers or time.
    Medium,
    /// It is why the test went as it did.
    High,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// The finding's word.
    #[serde(rename = "for")]
    pub finding: String,
    /// In words, with the figure it comes from.
    pub text: String,
}

/// A second of a test, or longer in a long one. It belongs to the second in which an arrival was due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Its begin since the test's start, in seconds.
    pub at_s: f64,
    /// Its length, in seconds.
    pub length_s: f64,
    /// Arrivals that were due.
    pub due: u64,
    /// Those that left.
    pub sent: u64,
    /// Answers of 2xx and 3xx, or messages.
    pub ok: u64,
    /// Other answers, and none.
    pub failed: u64,
    /// 429 and 418.
    pub rate_limited: u64,
    /// Arrivals that never left.
    pub shed: u64,
    /// Under way at its end, or connections that were open.
    pub in_flight: u64,
    /// Whether we were the limit and not the server.
    pub generator_bound: bool,
    /// From when each was due.
    pub latency: Latencies,
}

impl Slice {
    /// One in which nothing was due, from `at_s` for `length_s` seconds.
    #[must_use]
    pub fn empty(at_s: f64, length_s: f64) -> Self {
        Self {
            at_s,
            length_s,
            due: 0,
            sent: 0,
            ok: 0,
            failed: 0,
            rate_limited: 0,
            shed: 0,
            in_flight: 0,
            generator_bound: false,
            latency: Latencies::new(),
        }
    }
}
