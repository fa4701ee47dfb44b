//! Counts of all threads, added up as they come, and the outcome they make.

use std::collections::BTreeMap;

use super::tally::{BurstTally, EndpointTally, Failed, Tally};
use crate::stress::{
    Burst, EndpointOutcome, Generator, Latencies, Percentiles, Phase, QuotaSeen, Slice, health,
};

/// The most slices that are kept; of a longer test two and two become one.
pub(crate) const MAX_SLICES: usize = 600;
/// How late arrivals may be looked at (p99) as a share of the median latency before the figures are
/// ours rather than the server's.
const LAG_SHARE: f64 = 0.05;
/// Below this, in ms, being late is nobody's concern: a scheduler alone takes that long.
const LAG_FLOOR_MS: f64 = 1.0;
/// The share of a processor above which a thread has no time left.
const CPU_SHARE: f64 = 0.85;
/// The shortest stretch, in ns, of which that share is judged.
const JUDGED_FROM: u64 = 100_000_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) slices: Vec<Slice>,
    /// What belongs to a slice and is not shown.
    beside: Vec<Beside>,
    /// Seconds in a slice.
    length: u32,
    pub(crate) latency: Latencies,
    service: Latencies,
    lag: Latencies,
    phases: BTreeMap<Phase, Latencies>,
    endpoints: Vec<EndpointTally>,
    bursts: BTreeMap<u32, BurstTally>,
    quota: BTreeMap<String, u64>,
    retry_after_s: Option<f64>,
    first_429: Option<u64>,
    ban: Option<u64>,
    cpu: u64,
    connections: u64,
    reconnects: u64,
    no_port: u64,
    no_file: u64,
    pub(crate) last_answer: u64,
    descriptors: u64,
    /// Of each thread: in flight, and until when it was heard.
    threads: Vec<(u64, u64)>,
}

#[derive(Debug, Default)]
struct Beside {
    lag: Latencies,
    /// The highest share of a processor that a thread took.
    cpu: f64,
}

/// Requests by how they went.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) rate_limited: u64,
    pub(crate) shed: u64,
}

impl Gathered {
    pub(crate) fn new(endpoints: usize, threads: u32) -> Self {
        Self {
            slices: Vec::new(),
            beside: Vec::new(),
            length: 1,
            latency: Latencies::new(),
            service: Latencies::new(),
            lag: Latencies::new(),
            phases: BTreeMap::new(),
            endpoints: Tally::new(endpoints).endpoints,
            bursts: BTreeMap::new(),
            quota: BTreeMap::new(),
            retry_after_s: None,
            first_429: None,
            ban: None,
            cpu: 0,
            connections: 0,
            reconnects: 0,
            no_port: 0,
            no_file: 0,
            last_answer: 0,
            descriptors: 0,
            threads: vec![(0, 0); threads as usize],
        }
    }

    /// Adds what thread `number` counted until `now`.
    pub(crate) fn add(&mut self, number: usize, tally: &Tally, now: u64) {
        for second in &tally.seconds {
            let at = self.slice_of(second.number);
            let slice = &mut self.slices[at];
            slice.due += second.due;
            slice.sent += second.sent;
            slice.ok += second.ok;
            slice.failed += second.failed;
            slice.rate_limited += second.rate_limited;
            slice.shed += second.shed;
            slice.latency.add(&second.latency);
            self.latency.add(&second.latency);
            self.beside[at].lag.add(&second.lag);
            self.lag.add(&second.lag);
        }
        for (all, some) in self.endpoints.iter_mut().zip(&tally.endpoints) {
            all.add(some);
        }
        for (number, some) in &tally.bursts {
            self.bursts.entry(*number).or_default().add(some);
        }
        self.service.add(&tally.service);
        for (phase, times) in Phase::ALL.iter().zip(&tally.phases) {
            if times.count() > 0 {
                self.phases.entry(*phase).or_default().add(times);
            }
        }
        self.add_quota(tally);
        self.cpu += tally.cpu;
        self.connections += tally.connections;
        self.reconnects += tally.reconnects;
        self.no_port += tally.no_port;
        self.no_file += tally.no_file;
        self.last_answer = self.last_answer.max(tally.last_answer);
        self.note_thread(number, tally, now);
    }

    fn add_quota(&mut self, tally: &Tally) {
        for (name, value) in &tally.quota {
            let most = self.quota.entry(name.clone()).or_default();
            *most = (*most).max(*value);
        }
        let longest = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        let first = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.retry_after_s = longest(self.retry_after_s, tally.retry_after_s);
        self.first_429 = first(self.first_429, tally.first_429);
        self.ban = first(self.ban, tally.ban);
    }

    /// Holds what a thread took against the time since it was last heard.
    fn note_thread(&mut self, number: usize, tally: &Tally, now: u64) {
        let (_, before) = self.threads[number];
        self.threads[number] = (tally.in_flight, tally.until);
        let passed = tally.until.saturating_sub(before);
        // Of a short stretch at the end the share says nothing.
        let share = if passed >= JUDGED_FROM { tally.cpu as f64 / passed as f64 } else { 0.0 };
        let in_flight = self.in_flight();
        let second = u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX);
        let at = (second / self.length) as usize;
        if let (Some(slice), Some(beside)) = (self.slices.get_mut(at), self.beside.get_mut(at)) {
            slice.in_flight = in_flight;
            beside.cpu = beside.cpu.max(share);
        }
    }

    pub(crate) const fn was_banned(&self) -> bool {
        self.ban.is_some()
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.threads.iter().map(|(in_flight, _)| in_flight).sum()
    }

    /// The place of a second's slice, which is made where it is not there yet.
    fn slice_of(&mut self, second: u32) -> usize {
        while (second / self.length) as usize >= MAX_SLICES {
            self.merge_pairs();
        }
        let at = (second / self.length) as usize;
        while self.slices.len() <= at {
            let at_s = self.slices.len() as f64 * f64::from(self.length);
            self.slices.push(Slice::empty(at_s, f64::from(self.length)));
            self.beside.push(Beside::default());
        }
        at
    }

    fn merge_pairs(&mut self) {
        self.length *= 2;
        let length_s = f64::from(self.length);
        let mut slices = std::mem::take(&mut self.slices).into_iter();
        let mut beside = std::mem::take(&mut self.beside).into_iter();
        while let (Some(mut first), Some(mut own)) = (slices.next(), beside.next()) {
            first.length_s = length_s;
            if let (Some(second), Some(other)) = (slices.next(), beside.next()) {
                first.due += second.due;
                first.sent += second.sent;
                first.ok += second.ok;
                first.failed += second.failed;
                first.rate_limited += second.rate_limited;
                first.shed += second.shed;
                first.in_flight = second.in_flight;
                first.generator_bound |= second.generator_bound;
                first.latency.add(&second.latency);
                first.latency.compact();
                own.lag.add(&other.lag);
                own.lag.compact();
                own.cpu = own.cpu.max(other.cpu);
            }
            self.slices.push(first);
            self.beside.push(own);
        }
    }

    /// Judges the seconds that are over, and gives back the memory of those that hardly change any
    /// more: what was due before `now` less the timeout.
    pub(crate) fn tidy(&mut self, now: u64, timeout: u64) {
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        for (slice, beside) in self.slices.iter_mut().zip(&mut self.beside) {
            let end = slice.at_s + slice.length_s;
            if end <= seconds(now) {
                slice.generator_bound = is_bound(slice, beside);
            }
            if end + seconds(timeout) <= seconds(now) {
                slice.latency.compact();
                beside.lag.compact();
            }
        }
    }

    /// Looks how many descriptors are open.
    pub(crate) fn sample_descriptors(&mut self) {
        self.descriptors = self.descriptors.max(health::descriptors());
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut all = Totals::default();
        for slice in &self.slices {
            all.sent += slice.sent;
            all.ok += slice.ok;
            all.failed += slice.failed;
            all.rate_limited += slice.rate_limited;
            all.shed += slice.shed;
        }
        all
    }

    pub(crate) fn service(&self) -> Percentiles {
        self.service.percentiles()
    }

    pub(crate) fn phases(&self) -> BTreeMap<Phase, Percentiles> {
        self.phases.iter().map(|(phase, times)| (*phase, times.percentiles())).collect()
    }

    /// A phase that only who prepared the test saw.
    pub(crate) fn add_phase(&mut self, phase: Phase, took: std::time::Duration) {
        self.phases.entry(phase).or_default().record(took);
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (why, count) in self.endpoints.iter().flat_map(|endpoint| &endpoint.errors) {
            *all.entry(why.name()).or_default() += count;
        }
        all
    }

    pub(crate) fn endpoints(&self, names: &[String]) -> Vec<EndpointOutcome> {
        let outcome = |(name, tally): (&String, &EndpointTally)| EndpointOutcome {
            name: name.clone(),
            sent: tally.sent,
            ok: tally.ok,
            failed: tally.sent - tally.ok,
            rate_limited: tally.rate_limited,
            latency: tally.latency.percentiles(),
            errors: tally.errors.iter().map(|(why, count)| (why.name(), *count)).collect(),
        };
        names.iter().zip(&self.endpoints).map(outcome).collect()
    }

    pub(crate) fn bursts(&self) -> Vec<Burst> {
        let burst = |(number, tally): (&u32, &BurstTally)| {
            let took = tally.end.saturating_sub(tally.begin) as f64 / 1e9;
            Burst {
                cycle: number + 1,
                at_s: tally.begin as f64 / 1e9,
                duration_ms: took * 1e3,
                total: tally.total,
                ok: tally.ok,
                rate_limited: tally.rate_limited,
                rps: if took > 0.0 { tally.total as f64 / took } else { 0.0 },
            }
        };
        self.bursts.iter().map(burst).collect()
    }

    pub(crate) fn quota(&self) -> QuotaSeen {
        let seconds = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64 / 1e9);
        QuotaSeen {
            used: self.quota.clone(),
            retry_after_s: self.retry_after_s,
            first_429_s: seconds(self.first_429),
            banned_s: seconds(self.ban),
        }
    }

    /// How the machine did that sent.
    pub(crate) fn generator(&self) -> Generator {
        let cpu_s = self.cpu as f64 / 1e9;
        let answered = self.latency.count();
        let bound = self.slices.iter().filter(|slice| slice.generator_bound).count();
        Generator {
            threads: self.threads.len() as u32,
            cpu_s,
            cpu_us_per_request: if answered > 0 { cpu_s * 1e6 / answered as f64 } else { 0.0 },
            rss_bytes: health::peak_memory(),
            connections: self.connections,
            reconnects: self.reconnects,
            lag: self.lag.percentiles(),
            descriptors: self.descriptors,
            descriptor_limit: health::descriptor_limit(),
            bound_slices: bound as u32,
            bound_by: self.bound_by(),
        }
    }

    fn bound_by(&self) -> Vec<String> {
        let mut words = Vec::new();
        let busiest = self.beside.iter().map(|beside| beside.cpu).fold(0.0, f64::max);
        if busiest > CPU_SHARE {
            words.push(format!("a thread took {:.0} % of a processor", busiest.min(1.0) * 100.0));
        }
        let late = self.slices.iter().zip(&self.beside).filter_map(|(slice, b)| late(slice, b));
        if let Some(most) = late.reduce(f64::max) {
            words.push(format!("requests left up to {most:.1} ms late (p99 of a second)"));
        }
        if self.no_port > 0 {
            words.push(format!("{} connections found no free port", self.no_port));
        }
        if self.no_file > 0 {
            words.push(format!("{} connections found no free descriptor", self.no_file));
        }
        words
    }
}

impl EndpointTally {
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.ok += other.ok;
        self.rate_limited += other.rate_limited;
        self.latency.add(&other.latency);
        for (why, count) in &other.errors {
            add_error(&mut self.errors, *why, *count);
        }
    }
}

fn add_error(errors: &mut Vec<(Failed, u64)>, why: Failed, count: u64) {
    match errors.iter_mut().find(|(other, _)| *other == why) {
        Some((_, all)) => *all += count,
        None => errors.push((why, count)),
    }
}

impl BurstTally {
    fn add(&mut self, other: &Self) {
        self.begin = other.begin;
        self.end = self.end.max(other.end);
        self.total += other.total;
        self.ok += other.ok;
        self.rate_limited += other.rate_limited;
    }
}

fn is_bound(slice: &Slice, beside: &Beside) -> bool {
    beside.cpu > CPU_SHARE || late(slice, beside).is_some()
}

/// How late (p99, in ms) requests of a slice left, where that is too late.
fn late(slice: &Slice, beside: &Beside) -> Option<f64> {
    let lag = beside.lag.quantile_ms(0.99)?;
    let median = slice.latency.quantile_ms(0.5).unwrap_or(0.0);
    (lag > LAG_FLOOR_MS.max(LAG_SHARE * median)).then_some(lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_test_keeps_a_bounded_number_of_slices_and_loses_nothing() {
        let mut gathered = Gathered::new(1, 1);
        let mut tally = Tally::new(1);
        for second in 0..5_000_u64 {
            let at = tally.second(second * 1_000_000_000);
            (at.due, at.sent, at.ok) = (3, 2, 2);
            at.latency.record_micros(1_000 + second);
            at.latency.record_micros(2_000);
            gathered.add(0, &tally, second * 1_000_000_000);
            tally.clear();
        }
        assert!(gathered.slices.len() <= MAX_SLICES && gathered.slices.len() > MAX_SLICES / 2);
        assert_eq!(gathered.slices.iter().map(|slice| slice.due).sum::<u64>(), 15_000);
        let mut all = Latencies::new();
        gathered.slices.iter().for_each(|slice| all.add(&slice.latency));
        assert_eq!(all, gathered.latency);
        let ends =
            gathered.slices.windows(2).all(|pair| pair[0].at_s + pair[0].length_s == pair[1].at_s);
        assert!(ends && gathered.slices[0].length_s == 16.0);
    }

    #[test]
    fn nothing_divides_by_nothing() {
        let gathered = Gathered::new(0, 1);
        let generator = gathered.generator();
        assert_eq!((generator.cpu_us_per_request, generator.bound_slices), (0.0, 0));
        assert!(gathered.bursts().is_empty() && gathered.errors().is_empty());
        assert_eq!(gathered.service().p99_ms, None);
    }

    #[test]
    fn a_second_in_which_we_were_late_is_marked() {
        let mut gathered = Gathered::new(1, 1);
        let mut tally = Tally::new(1);
        for (second, lag) in [(0, 100), (1, 30_000)] {
            let at = tally.second(second * 1_000_000_000);
            at.latency.record_micros(500_000);
            at.lag.record_micros(lag);
        }
        gathered.add(0, &tally, 2_000_000_000);
        gathered.tidy(3_000_000_000, 0);
        let bound: Vec<bool> = gathered.slices.iter().map(|slice| slice.generator_bound).collect();
        assert_eq!(bound, [false, true]);
        assert_eq!(gathered.generator().bound_by.len(), 1);
    }
}
