//! What every way of sending shares: arrivals as they fall due, those that wait for a connection, and
//! the counts. It knows time only as it is told, in ns since the start.

use std::collections::VecDeque;
use std::iter::{Peekable, Skip, StepBy};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::tally::{Failed, Tally};
use crate::rng::Rng;
use crate::stress::arrival::{Arrival, Arrivals, Schedule};
use crate::stress::mix::{Pick, Requests};
use crate::stress::{Phase, Stop};

/// The most arrivals that wait for a connection; more are shed.
pub(crate) const MAX_WAITING: usize = 100_000;
/// How often counts are handed over.
const HANDED_OVER_EVERY: u64 = 200_000_000;
/// The longest that nobody looks whether the test is to end.
const LOOKED_EVERY: u64 = 20_000_000;
/// How long another machine is left alone after a 429 that does not say.
const DEFAULT_RETRY_AFTER_S: f64 = 1.0;

/// What all threads of a test share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) requests: Requests,
    pub(crate) schedule: Schedule,
    pub(crate) timeout: u64,
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    /// Whether a refusal is heeded: the first ban ends the test, `Retry-After` is kept.
    pub(crate) heed_refusals: bool,
    pub(crate) stop: Stop,
    /// Pulled when another thread was banned.
    pub(crate) banned: Stop,
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    pub(crate) pick: Pick,
    /// When it was due.
    pub(crate) due: u64,
    /// When it left; 0 before.
    pub(crate) sent: u64,
    /// When the first byte of the answer came; 0 before.
    pub(crate) first: u64,
    /// Its stage or burst.
    pub(crate) group: u32,
    /// Whether it had to wait for a connection.
    pub(crate) waited: bool,
}

/// Where counts change hands: full ones for who gathers, an empty one back.
#[derive(Debug, Default)]
pub(crate) struct Exchange(Mutex<Swap>);

#[derive(Debug, Default)]
struct Swap {
    full: Option<Box<Tally>>,
    spare: Option<Box<Tally>>,
}

impl Exchange {
    pub(crate) fn new(endpoints: usize) -> Self {
        Self(Mutex::new(Swap { full: None, spare: Some(Box::new(Tally::new(endpoints))) }))
    }

    /// What was handed over.
    pub(crate) fn take(&self) -> Option<Box<Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).full.take()
    }

    /// Gives it back, cleared.
    pub(crate) fn give_back(&self, mut tally: Box<Tally>) {
        tally.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spare = Some(tally);
    }

    fn swap(&self, tally: &mut Box<Tally>) -> bool {
        let mut swap = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match swap.spare.take() {
            Some(spare) if swap.full.is_none() => {
                swap.full = Some(std::mem::replace(tally, spare));
                true
            }
            spare => {
                swap.spare = spare;
                false
            }
        }
    }
}

/// See the module.
pub(crate) struct Front<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) tally: Box<Tally>,
    exchange: &'a Exchange,
    arrivals: Peekable<StepBy<Skip<Arrivals>>>,
    rng: Rng,
    waiting: VecDeque<Flight>,
    /// How long requests of a closed schedule are made.
    closes_at: Option<u64>,
    is_over: bool,
    /// Until when nothing is sent because the server asked so.
    paused_until: u64,
    /// What the answer that is being read says of it.
    retry_after_s: Option<f64>,
    next_hand: u64,
    cpu: Duration,
}

impl<'a> Front<'a> {
    pub(crate) fn new(shared: &'a Shared, exchange: &'a Exchange, thread: u32) -> Self {
        let (skip, step) = (thread as usize, shared.threads.max(1) as usize);
        let arrivals = shared.schedule.arrivals(shared.seed).skip(skip).step_by(step).peekable();
        let mut tally = Box::new(Tally::new(shared.requests.endpoints.len()));
        tally.counts_bursts = matches!(shared.schedule, Schedule::Bursts { .. });
        let closes_at = match shared.schedule {
            Schedule::Closed { length } => Some(length.as_nanos() as u64),
            _ => None,
        };
        Self {
            shared,
            tally,
            exchange,
            arrivals,
            rng: Rng::named(shared.seed, &format!("requests of {thread}")),
            waiting: VecDeque::new(),
            closes_at,
            is_over: false,
            paused_until: 0,
            retry_after_s: None,
            next_hand: HANDED_OVER_EVERY,
            cpu: crate::stress::moment::thread_cpu(),
        }
    }

    /// Whether no new request will be made; those that wait may still leave.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether answers decide when the next request leaves.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closes_at.is_some()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Looks around: whether the test is to end, and whether counts are to be handed over.
    pub(crate) fn look(&mut self, now: u64, in_flight: usize, open: usize) {
        if self.shared.stop.is_pulled() || self.shared.banned.is_pulled() {
            self.end_now();
        }
        self.is_over |= match self.closes_at {
            Some(end) => now >= end,
            None => self.arrivals.peek().is_none(),
        };
        if now >= self.next_hand {
            self.next_hand = now + HANDED_OVER_EVERY;
            self.settle(now, in_flight, open);
            let counts_bursts = self.tally.counts_bursts;
            self.exchange.swap(&mut self.tally);
            self.tally.counts_bursts = counts_bursts;
        }
    }

    /// The counts so far, at the end.
    pub(crate) fn into_tally(mut self, now: u64) -> Box<Tally> {
        self.settle(now, 0, 0);
        self.tally
    }

    fn settle(&mut self, now: u64, in_flight: usize, open: usize) {
        let cpu = crate::stress::moment::thread_cpu();
        self.tally.cpu += cpu.saturating_sub(self.cpu).as_nanos() as u64;
        self.cpu = cpu;
        self.tally.until = now;
        (self.tally.in_flight, self.tally.open) = (in_flight as u64, open as u64);
    }

    /// Until when there is nothing to do but wait for sockets.
    pub(crate) fn until(&mut self, now: u64) -> u64 {
        // At whole multiples, so that the alarm is not set anew each time.
        let look = (now / LOOKED_EVERY + 1) * LOOKED_EVERY;
        match self.arrivals.peek() {
            Some(next) if !self.is_over => look.min(next.due.as_nanos() as u64),
            _ => look,
        }
    }

    /// The next request that is due.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<Flight> {
        if self.is_over {
            return None;
        }
        let arrival = self.arrivals.next_if(|next| next.due.as_nanos() as u64 <= now)?;
        let Arrival { due, group } = arrival;
        let due = due.as_nanos() as u64;
        let second = self.tally.second(due);
        second.due += 1;
        second.lag.record_micros((now - due) / 1_000);
        Some(self.flight(due, group))
    }

    /// A request of a closed schedule, due when it is made.
    pub(crate) fn make(&mut self, now: u64) -> Flight {
        self.tally.second(now).due += 1;
        self.flight(now, 0)
    }

    fn flight(&mut self, due: u64, group: u32) -> Flight {
        let pick = self.shared.requests.pick(&mut self.rng);
        if self.tally.counts_bursts {
            let burst = self.tally.bursts.entry(group).or_default();
            burst.begin = due;
            burst.total += 1;
        }
        Flight { pick, due, sent: 0, first: 0, group, waited: false }
    }

    /// Lets a request wait for a connection, or sheds it where too many do.
    pub(crate) fn wait(&mut self, mut flight: Flight) {
        if self.waiting.len() >= MAX_WAITING {
            return self.shed(flight);
        }
        flight.waited = true;
        self.waiting.push_back(flight);
    }

    /// The one that has waited longest; those that waited longer than an answer may take are shed.
    pub(crate) fn next_waiting(&mut self, now: u64) -> Option<Flight> {
        loop {
            let flight = self.waiting.pop_front()?;
            if now.saturating_sub(flight.due) < self.shared.timeout {
                return Some(flight);
            }
            self.shed(flight);
        }
    }

    /// Sheds those that waited too long.
    pub(crate) fn shed_late(&mut self, now: u64) {
        while let Some(flight) = self.waiting.front().copied() {
            if now.saturating_sub(flight.due) < self.shared.timeout {
                break;
            }
            self.waiting.pop_front();
            self.shed(flight);
        }
    }

    fn shed(&mut self, flight: Flight) {
        self.tally.second(flight.due).shed += 1;
    }

    /// Whether the server wants to be left alone now. What falls due meanwhile is shed.
    pub(crate) fn is_paused(&mut self, now: u64, flight: Flight) -> bool {
        let paused = now < self.paused_until;
        if paused {
            self.shed(flight);
        }
        paused
    }

    /// Nothing is sent any more.
    fn end_now(&mut self) {
        self.is_over = true;
        while let Some(flight) = self.waiting.pop_front() {
            self.shed(flight);
        }
    }

    /// A line of an answer's head, unless the parser used it.
    pub(crate) fn read_line(&mut self, name: &str, value: &[u8]) {
        let bytes = name.as_bytes();
        let number = || std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
        match bytes[0] | 0x20 {
            b'r' if name.eq_ignore_ascii_case("retry-after") => {
                let Some(seconds) = number().filter(|s: &f64| s.is_finite() && *s >= 0.0) else {
                    return;
                };
                let longest = self.tally.retry_after_s.unwrap_or(0.0).max(seconds);
                self.tally.retry_after_s = Some(longest);
                self.retry_after_s = Some(seconds);
            }
            b'x' | b'r' if is_quota(bytes) => {
                if let Some(value) = number().filter(|n: &f64| *n >= 0.0) {
                    self.tally.quota(name, value as u64);
                }
            }
            _ => {}
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&mut self, flight: &Flight, status: u16, now: u64) {
        let Flight { due, sent, first, pick, .. } = *flight;
        let took = now.saturating_sub(due) / 1_000;
        let is_ok = (200..400).contains(&status);
        let is_limited = matches!(status, 429 | 418);
        let second = self.tally.second(due);
        second.sent += 1;
        second.latency.record_micros(took);
        second.ok += u64::from(is_ok);
        second.failed += u64::from(!is_ok);
        second.rate_limited += u64::from(is_limited);
        self.tally.last_answer = now;
        self.tally.service.record_micros(now.saturating_sub(sent) / 1_000);
        self.tally.phase(Phase::FirstByte, first.saturating_sub(sent));
        self.tally.phase(Phase::Body, now.saturating_sub(first));
        if flight.waited {
            self.tally.phase(Phase::Queue, sent.saturating_sub(due));
        }
        let endpoint = &mut self.tally.endpoints[usize::from(pick.endpoint)];
        endpoint.sent += 1;
        endpoint.ok += u64::from(is_ok);
        endpoint.rate_limited += u64::from(is_limited);
        endpoint.latency.record_micros(took);
        self.count_burst(flight, (now, is_ok, is_limited));
        if !is_ok {
            self.tally.error(pick.endpoint, Failed::Status(status));
            self.refused(status, now);
        }
    }

    /// A request got no answer.
    pub(crate) fn failed(&mut self, flight: &Flight, why: Failed, now: u64) {
        let second = self.tally.second(flight.due);
        second.sent += 1;
        second.failed += 1;
        self.tally.endpoints[usize::from(flight.pick.endpoint)].sent += 1;
        self.tally.error(flight.pick.endpoint, why);
        self.count_burst(flight, (now, false, false));
    }

    fn count_burst(&mut self, flight: &Flight, (now, is_ok, is_limited): (u64, bool, bool)) {
        if self.tally.counts_bursts {
            let burst = self.tally.bursts.entry(flight.group).or_default();
            burst.begin = flight.due;
            burst.end = now.max(burst.end);
            burst.ok += u64::from(is_ok);
            burst.rate_limited += u64::from(is_limited);
        }
    }

    /// What a refusal means for what is still to be sent.
    fn refused(&mut self, status: u16, now: u64) {
        if status == 429 && self.tally.first_429.is_none() {
            self.tally.first_429 = Some(now);
        }
        if !self.shared.heed_refusals {
            return;
        }
        match status {
            418 | 403 => {
                self.tally.ban = Some(self.tally.ban.map_or(now, |first| first.min(now)));
                self.shared.banned.pull();
                self.end_now();
            }
            429 | 503 => {
                let seconds = self.retry_after_s.take().unwrap_or(DEFAULT_RETRY_AFTER_S);
                let pause = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                let pause = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
                self.paused_until = self.paused_until.max(now.saturating_add(pause));
            }
            _ => {}
        }
    }
}

/// Whether a line is about limits: `X-MBX-USED-WEIGHT-1M`, `X-RateLimit-…`, `RateLimit-…`,
/// `X-Bapi-Limit-Status`.
fn is_quota(name: &[u8]) -> bool {
    let begins =
        |word: &[u8]| name.len() >= word.len() && name[..word.len()].eq_ignore_ascii_case(word);
    begins(b"x-mbx-used-weight")
        || begins(b"x-mbx-order-count")
        || begins(b"x-ratelimit-")
        || begins(b"ratelimit-")
        || begins(b"x-bapi-limit")
}
