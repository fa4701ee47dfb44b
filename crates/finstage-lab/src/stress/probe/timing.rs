//! The server's clock and the way to it, as far as answers tell.

use std::time::Duration;

use finstage_model::Timestamp;

use super::Answer;
use super::model::Exactness;

/// The error of a clock of which nothing was heard: machines of this time agree that well.
const UNKNOWN_CLOCK_S: f64 = 0.05;
/// Answers whose times are remembered.
const MAX_TIMES: usize = 512;
const HOUR_NS: i64 = 3_600_000_000_000;

/// What is known of the server's clock, and of how long requests take.
#[derive(Debug)]
pub(super) struct Timing {
    /// An hour of the clock before the start: seconds are counted from it, so that they stay exact and
    /// all grids begin there.
    origin: Timestamp,
    /// Bounds on the server's clock less ours, in seconds.
    low: f64,
    high: f64,
    /// How long the last requests took, in a ring.
    times: Vec<f64>,
    next: usize,
    /// The mean time from one request to the next.
    gap: f64,
}

impl Timing {
    pub(super) fn new(started: Timestamp) -> Self {
        let hours = started.nanos().div_euclid(HOUR_NS);
        let origin = Timestamp::from_nanos(hours * HOUR_NS);
        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        Self { origin, low, high, times: Vec::new(), next: 0, gap: 0.0 }
    }

    /// Seconds of our clock since the origin.
    fn ours(&self, at: Timestamp) -> f64 {
        (at.nanos() - self.origin.nanos()) as f64 / 1e9
    }

    /// Learns from an answer to one of `together` requests.
    pub(super) fn hear(&mut self, answer: &Answer, together: u32) {
        let (left, came) = (self.ours(answer.left), self.ours(answer.came));
        let took = came - left;
        if self.times.len() < MAX_TIMES {
            self.times.push(took);
        } else {
            self.times[self.next % MAX_TIMES] = took;
            self.next += 1;
        }
        let gap = took / f64::from(together);
        self.gap += (gap - self.gap) * if self.gap > 0.0 { 0.02 } else { 1.0 };
        let Some((server, grain)) = answer.server else { return };
        let said = self.ours(server);
        let (low, high) = (said - came, said + grain.as_secs_f64() - left);
        let both = (self.low.max(low), self.high.min(high));
        // A clock that was set meanwhile: begin again.
        (self.low, self.high) = if both.0 <= both.1 { both } else { (low, high) };
    }

    fn is_heard(&self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }

    fn offset(&self) -> f64 {
        if self.is_heard() { f64::midpoint(self.low, self.high) } else { 0.0 }
    }

    /// A moment of our clock by the server's, in seconds since the origin.
    pub(super) fn server_s(&self, at: Timestamp) -> f64 {
        self.ours(at) + self.offset()
    }

    /// The moment of our clock at which it is so late at the server.
    pub(super) fn local(&self, server_s: f64) -> Timestamp {
        let ours = (server_s - self.offset()).max(0.0);
        self.origin.plus(Duration::from_secs_f64(ours))
    }

    /// When a request arrived, by the server's clock, as far as we know: half way.
    pub(super) fn arrived(&self, answer: &Answer) -> f64 {
        f64::midpoint(self.server_s(answer.left), self.server_s(answer.came))
    }

    /// How exactly moments are known: nine of ten hundredths of requests take less than the delay.
    pub(super) fn exactness(&self) -> Exactness {
        let clock = if self.is_heard() { (self.high - self.low) / 2.0 } else { UNKNOWN_CLOCK_S };
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        let delay = times.get(times.len() * 99 / 100).copied().unwrap_or(0.0).max(0.0005);
        Exactness { clock, delay }
    }

    /// The mean time from one request to the next, in seconds.
    pub(super) fn gap(&self) -> f64 {
        self.gap
    }

    /// When to ask next, if the server says whole seconds and its clock is not known to `goal` yet:
    /// where one second ends if the middle of what is possible is true.
    pub(super) fn next_question(&self, now: Timestamp, goal: f64) -> Option<Timestamp> {
        if !self.is_heard() || (self.high - self.low) / 2.0 <= goal {
            return None;
        }
        let way = self.times.last().copied().unwrap_or(0.0) / 2.0;
        let end = (self.server_s(now) + way + 0.001).ceil() - way;
        Some(self.local(end))
    }
}
