//! What one thread counted since it was last asked.

use std::collections::BTreeMap;

use crate::stress::{Latencies, Phase};

/// How many kinds of quota lines are remembered: a server could invent new ones for ever.
const MAX_QUOTA_LINES: usize = 32;
/// How many kinds of errors are told apart at an endpoint.
const MAX_ERRORS: usize = 64;

/// How many phases there are.
pub(crate) const PHASES: usize = Phase::ALL.len();

/// Counts of one thread. It is handed over whole, added to the others, cleared and used again.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// By the second in which arrivals were due; few at a time.
    pub(crate) seconds: Vec<Second>,
    /// Cleared ones for seconds to come.
    free: Vec<Second>,
    pub(crate) endpoints: Vec<EndpointTally>,
    /// By burst; empty of other tests.
    pub(crate) bursts: BTreeMap<u32, BurstTally>,
    pub(crate) counts_bursts: bool,
    pub(crate) service: Latencies,
    /// By `Phase as usize`.
    pub(crate) phases: [Latencies; PHASES],
    pub(crate) quota: BTreeMap<String, u64>,
    pub(crate) retry_after_s: Option<f64>,
    pub(crate) first_429: Option<u64>,
    pub(crate) ban: Option<u64>,
    pub(crate) connections: u64,
    pub(crate) reconnects: u64,
    pub(crate) bytes: u64,
    /// Connections that failed for want of a port or a file of ours.
    pub(crate) no_port: u64,
    pub(crate) no_file: u64,
    /// When the last answer came, since the start in ns.
    pub(crate) last_answer: u64,
    /// Processor time of the thread, in ns.
    pub(crate) cpu: u64,
    /// When it was handed over, since the start in ns.
    pub(crate) until: u64,
    pub(crate) in_flight: u64,
    pub(crate) open: u64,
}

/// A second of the plan.
#[derive(Debug, Default)]
pub(crate) struct Second {
    pub(crate) number: u32,
    pub(crate) due: u64,
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) rate_limited: u64,
    pub(crate) shed: u64,
    pub(crate) latency: Latencies,
    pub(crate) lag: Latencies,
}

/// An endpoint's counts.
#[derive(Debug, Default)]
pub(crate) struct EndpointTally {
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) rate_limited: u64,
    pub(crate) latency: Latencies,
    pub(crate) errors: Vec<(Failed, u64)>,
}

/// A burst's counts.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct BurstTally {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) total: u64,
    pub(crate) ok: u64,
    pub(crate) rate_limited: u64,
}

/// Why a request did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failed {
    /// An answer that says so.
    Status(u16),
    /// None within the timeout.
    Timeout,
    /// The connection could not be made, or broke.
    Connection,
    /// TLS could not be agreed on.
    Tls,
    /// What came is no answer.
    Malformed,
}

impl Failed {
    /// Its name in results.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Status(429) => "429_RateLimit".into(),
            Self::Status(401) => "401_Unauthorized".into(),
            Self::Status(502) => "502_BadGateway".into(),
            Self::Status(status) => format!("HTTP_{status}"),
            Self::Timeout => "TimeoutError".into(),
            Self::Connection => "ConnectionError".into(),
            Self::Tls => "TlsError".into(),
            Self::Malformed => "ProtocolError".into(),
        }
    }
}

impl Tally {
    pub(crate) fn new(endpoints: usize) -> Self {
        let endpoints = (0..endpoints).map(|_| EndpointTally::default()).collect();
        Self { endpoints, ..Self::default() }
    }

    /// The counts of a second.
    pub(crate) fn second(&mut self, nanos: u64) -> &mut Second {
        let number = u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX);
        let at = match self.seconds.iter().rposition(|second| second.number == number) {
            Some(at) => at,
            None => {
                let mut second = self.free.pop().unwrap_or_default();
                second.number = number;
                self.seconds.push(second);
                self.seconds.len() - 1
            }
        };
        &mut self.seconds[at]
    }

    pub(crate) fn phase(&mut self, phase: Phase, nanos: u64) {
        self.phases[phase as usize].record_micros(nanos / 1_000);
    }

    pub(crate) fn error(&mut self, endpoint: u16, why: Failed) {
        let errors = &mut self.endpoints[usize::from(endpoint)].errors;
        let known = errors.iter().position(|(other, _)| *other == why);
        match known {
            Some(at) => errors[at].1 += 1,
            None if errors.len() < MAX_ERRORS => errors.push((why, 1)),
            // One of many odd numbers: that it failed is kept.
            None => errors[MAX_ERRORS - 1].1 += 1,
        }
    }

    /// Remembers the highest number of a line about limits.
    pub(crate) fn quota(&mut self, name: &str, value: u64) {
        let name = name.to_ascii_lowercase();
        if self.quota.len() >= MAX_QUOTA_LINES && !self.quota.contains_key(&name) {
            return;
        }
        let most = self.quota.entry(name).or_default();
        *most = value.max(*most);
    }

    /// As new, its memory kept.
    pub(crate) fn clear(&mut self) {
        for mut second in self.seconds.drain(..) {
            let Second { latency, lag, .. } = &mut second;
            latency.clear();
            lag.clear();
            let (latency, lag) = (std::mem::take(latency), std::mem::take(lag));
            self.free.push(Second { latency, lag, ..Second::default() });
        }
        for endpoint in &mut self.endpoints {
            endpoint.latency.clear();
            endpoint.errors.clear();
            (endpoint.sent, endpoint.ok, endpoint.rate_limited) = (0, 0, 0);
        }
        self.service.clear();
        self.phases.iter_mut().for_each(Latencies::clear);
        self.bursts.clear();
        self.quota.clear();
        (self.retry_after_s, self.first_429, self.ban) = (None, None, None);
        (self.connections, self.reconnects, self.bytes) = (0, 0, 0);
        (self.no_port, self.no_file, self.cpu) = (0, 0, 0);
    }
}
