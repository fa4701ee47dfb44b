//! A whole test: threads are started, their reports added up, the outcome written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use finstage_model::{Clock, Timestamp};
use tokio::time::Instant;

use super::offset::Offset;
use super::opening::Place;
use super::tally::Tally;
use super::work::{REPORT_EVERY, Report, Share, work};
use super::{CLOSE_WITHIN, MAX_CONNECTIONS, Plan};
use crate::error::{Error, ErrorKind};
use crate::stress::tls::Trust;
use crate::stress::{
    Generator, Kind, Latencies, Listener, Messages, Outcome, Phase, QuotaSeen, Slice, Snapshot,
    Stop, descriptors, health, moment, tls,
};

/// Slices that are kept; then each is as long as two were.
const MAX_SLICES: usize = 600;
/// Reports that wait for the gatherer.
const MAX_REPORTS: usize = 64;
/// Descriptors that are needed beside connections.
const SPARE_DESCRIPTORS: u64 = 64;
/// Beyond this share of its threads' time a slice says more of us than of the server.
const BUSY: f64 = 0.85;

/// Opens the connections, holds them, closes them; `listener` hears how it goes.
///
/// # Errors
/// When the target's name has no address, its certificate no name, connections or descriptors are too
/// many, or a thread cannot be started.
pub fn run(
    plan: &Plan,
    clock: &dyn Clock,
    (listener, stop): (&mut dyn Listener, &Stop),
) -> Result<Outcome, Error> {
    check(plan)?;
    let looking_up = Instant::now();
    let address = plan.target.resolve()?[0];
    let dns = (!plan.target.is_address()).then(|| looking_up.elapsed());
    let place = place(plan, address)?;
    let plan = Arc::new(plan.clone());
    let started_at = clock.now();
    let origin = (Instant::now(), started_at.nanos() / 1_000);
    let (reports, heard) = sync_channel(MAX_REPORTS);
    let mut total = Total::new(&plan, started_at);
    std::thread::scope(|scope| {
        for thread in 0..plan.threads.max(1) {
            let (plan, stop, place) = (Arc::clone(&plan), stop.clone(), place.clone());
            let share = Share { plan, place, thread, origin, stop };
            let reports = reports.clone();
            std::thread::Builder::new()
                .name(format!("stress-ws-{thread}"))
                .spawn_scoped(scope, move || work(share, &reports))
                .map_err(|e| io("starting a thread of the test", e))?;
        }
        drop(reports);
        total.gather(&heard, (listener, origin.0));
        Ok::<(), Error>(())
    })?;
    Ok(total.outcome(&plan, dns))
}

fn io(what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{what}: {error}")).because(error)
}

fn check(plan: &Plan) -> Result<(), Error> {
    let refused = |words: String| Err(Error::new(ErrorKind::Plan, words));
    if plan.connections == 0 || plan.connections > MAX_CONNECTIONS {
        return refused(format!("connections {}: write 1 to {MAX_CONNECTIONS}", plan.connections));
    }
    let wanted = u64::from(plan.connections) + SPARE_DESCRIPTORS;
    let has = health::descriptors();
    if let Some(limit) =
        descriptors::raise_descriptors(wanted).filter(|limit| *limit < has + wanted)
    {
        let possible = limit.saturating_sub(has + SPARE_DESCRIPTORS);
        return refused(format!(
            "connections {}: this process may have {limit} files and sockets, enough for {possible}; \
             raise the hard limit (ulimit -Hn, LimitNOFILE of a unit) or ask for fewer",
            plan.connections
        ));
    }
    Ok(())
}

fn place(plan: &Plan, address: SocketAddr) -> Result<Place, Error> {
    let tls = if plan.target.scheme.is_tls() {
        let name = tls::server_name(&plan.target)?;
        let config = match &plan.tls {
            Some(config) => Arc::clone(config),
            None => tls::configuration(Trust::Machine, &["http/1.1"])?,
        };
        Some((name, config))
    } else {
        None
    };
    Ok(Place { address, authority: plan.target.authority(), tls })
}

/// All reports so far.
struct Total {
    tally: Tally,
    slices: Vec<Slice>,
    /// How long a slice is.
    length: Duration,
    /// Connections that are open, by thread.
    open: Vec<u64>,
    peak: u64,
    /// The last opening so far, and the one after which all were open.
    newest: Duration,
    ramp: Option<Duration>,
    /// When all were open, and how many messages had come then.
    all_open: Option<(Duration, u64)>,
    /// The last moment at which they were held, and how many messages had come then.
    held: (Duration, u64),
    elapsed: Duration,
    offset: Offset,
    correction_us: i64,
    connections: u64,
    threads: u32,
    planned: Duration,
    started_at: Timestamp,
    /// Processor time, memory and descriptors at the start.
    cpu: Duration,
    rss: u64,
    descriptors: u64,
    /// Memory when all were open.
    rss_open: u64,
    /// The slice's processor time at its begin, and when that was.
    slice_cpu: (Duration, Duration),
}

impl Total {
    fn new(plan: &Plan, started_at: Timestamp) -> Self {
        let threads = plan.threads.max(1);
        let cpu = moment::process_cpu();
        Self {
            tally: Tally::default(),
            slices: Vec::new(),
            length: Duration::from_secs(1),
            open: vec![0; threads as usize],
            peak: 0,
            newest: Duration::ZERO,
            ramp: None,
            all_open: None,
            held: (Duration::ZERO, 0),
            elapsed: Duration::ZERO,
            offset: Offset::default(),
            correction_us: 0,
            connections: u64::from(plan.connections),
            threads,
            planned: plan.length(),
            started_at,
            cpu,
            rss: health::memory(),
            descriptors: health::descriptors(),
            rss_open: 0,
            slice_cpu: (cpu, Duration::ZERO),
        }
    }

    fn gather(
        &mut self,
        heard: &Receiver<Report>,
        (listener, origin): (&mut dyn Listener, Instant),
    ) {
        // A thread that says nothing for so long hangs; what was heard is reported.
        let patience = self.planned + CLOSE_WITHIN + Duration::from_secs(30);
        let mut left = self.threads;
        while left > 0 {
            match heard.recv_timeout(patience) {
                Ok(report) => {
                    left -= u32::from(report.is_last);
                    let is_beat = report.thread == 0;
                    self.hear(report);
                    if is_beat {
                        listener.heard(&Snapshot {
                            elapsed: origin.elapsed(),
                            planned: Some(self.planned),
                            in_flight: self.open.iter().sum(),
                            slices: &self.slices,
                            latency: &self.tally.latency,
                        });
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn hear(&mut self, report: Report) {
        let Report { at, tally, open, newest, thread, offset, correction_us, is_last } = report;
        self.open[thread as usize] = open;
        self.newest = self.newest.max(newest);
        let all: u64 = self.open.iter().sum();
        self.peak = self.peak.max(all);
        self.offset.merge(&offset);
        self.correction_us = correction_us;
        self.slice(at, &tally, all);
        self.tally.add(&tally);
        self.elapsed = self.elapsed.max(at);
        if all >= self.connections && self.all_open.is_none() {
            self.all_open = Some((at, self.tally.received));
            self.ramp = Some(self.newest);
            self.rss_open = health::memory();
        }
        if !is_last {
            self.held = (at, self.tally.received);
        }
    }

    /// Adds a report to the slice in which its end lies.
    fn slice(&mut self, at: Duration, tally: &Tally, open: u64) {
        // A report at the end of a slice is about that slice.
        let middle = at.saturating_sub(REPORT_EVERY / 2);
        let mut index = (middle.as_nanos() / self.length.as_nanos()) as usize;
        while index >= MAX_SLICES {
            self.merge_pairs();
            index /= 2;
        }
        while self.slices.len() <= index {
            self.close_slice(at);
            self.slices.push(empty(self.slices.len(), self.length));
        }
        let slice = &mut self.slices[index];
        slice.due += tally.due;
        slice.sent += tally.tried;
        slice.ok += tally.received;
        slice.failed += tally.failed;
        slice.rate_limited += tally.rate_limited;
        slice.in_flight = open;
        slice.latency.add(&tally.latency);
    }

    /// Judges the youngest slice before the next one begins.
    fn close_slice(&mut self, at: Duration) {
        let (cpu, since) = std::mem::replace(&mut self.slice_cpu, (moment::process_cpu(), at));
        let Some(slice) = self.slices.last_mut() else { return };
        let spent = self.slice_cpu.0.saturating_sub(cpu).as_secs_f64();
        let whole = at.saturating_sub(since).as_secs_f64() * f64::from(self.threads);
        slice.generator_bound = whole > 0.0 && spent / whole > BUSY;
        slice.latency.compact();
    }

    fn merge_pairs(&mut self) {
        self.length *= 2;
        let old = std::mem::take(&mut self.slices);
        for pair in old.chunks(2) {
            let mut merged = empty(self.slices.len(), self.length);
            for slice in pair {
                merged.due += slice.due;
                merged.sent += slice.sent;
                merged.ok += slice.ok;
                merged.failed += slice.failed;
                merged.rate_limited += slice.rate_limited;
                merged.in_flight = slice.in_flight;
                merged.generator_bound |= slice.generator_bound;
                merged.latency.add(&slice.latency);
            }
            merged.latency.compact();
            self.slices.push(merged);
        }
    }

    fn outcome(self, plan: &Plan, dns: Option<Duration>) -> Outcome {
        let (messages, generator) = (self.messages(plan), self.generator());
        let Self { tally, slices, elapsed, started_at, .. } = self;
        let opening = &tally.opening;
        let mut lookup = Latencies::new();
        if let Some(dns) = dns {
            lookup.record(dns);
        }
        let phases = [
            (Phase::Dns, &lookup),
            (Phase::Connect, &opening.connect),
            (Phase::Tls, &opening.tls),
            (Phase::Upgrade, &opening.upgrade),
        ];
        let occurred = phases.into_iter().filter(|(_, times)| times.count() > 0);
        let planned = plan.length().as_secs_f64();
        // What people wait for is messages; where they carry no time, it is connections.
        let main = if tally.latency.count() > 0 { &tally.latency } else { &opening.whole };
        Outcome {
            started_at,
            elapsed_s: elapsed.as_secs_f64(),
            sent: tally.tried,
            ok: tally.opened,
            failed: tally.tried - tally.opened,
            rate_limited: tally.rate_limited,
            shed: tally.due.saturating_sub(tally.tried),
            rps: if planned > 0.0 { tally.tried as f64 / planned } else { 0.0 },
            latency: main.percentiles(),
            service: opening.whole.percentiles(),
            phases: occurred.map(|(phase, times)| (phase, times.percentiles())).collect(),
            errors: tally.errors.clone(),
            quota: QuotaSeen {
                used: BTreeMap::new(),
                retry_after_s: tally.retry_after_s,
                first_429_s: slices.iter().find(|s| s.rate_limited > 0).map(|s| s.at_s),
                banned_s: tally.is_banned.then_some(elapsed.as_secs_f64()),
            },
            generator,
            messages: Some(messages),
            settings: plan.settings.clone(),
            histogram: main.clone(),
            slices,
            ..Outcome::new(Kind::Ws, plan.target.with_path(plan.feed.path.as_str()).url())
        }
    }

    fn messages(&self, plan: &Plan) -> Messages {
        let tally = &self.tally;
        let (offset, error) = match (plan.offset_ms, self.offset.estimate_ms()) {
            (Some((offset, error)), _) => (Some(offset), Some(error)),
            (None, Some((offset, error))) => (Some(offset), Some(error)),
            (None, None) => (None, None),
        };
        let rate = self.all_open.and_then(|(since, before)| {
            let held = self.held.0.saturating_sub(since).as_secs_f64();
            (held > 0.0).then(|| (self.held.1 - before) as f64 / held)
        });
        let per = self.rss_open.saturating_sub(self.rss).checked_div(self.connections);
        Messages {
            connections: self.connections,
            open: self.peak,
            ramp_s: self.ramp.map(|ramp| ramp.as_secs_f64()),
            received: tally.received,
            bytes: tally.bytes,
            per_second: rate.unwrap_or(0.0),
            latency: tally.latency.percentiles(),
            connect: tally.opening.whole.percentiles(),
            clock_offset_ms: offset,
            clock_error_ms: error,
            reconnects: tally.reconnects,
            missed: tally.missed,
            repeated: tally.repeated,
            unread: tally.unread,
            bytes_per_connection: per.unwrap_or(0),
        }
    }

    fn generator(&self) -> Generator {
        let cpu = moment::process_cpu().saturating_sub(self.cpu).as_secs_f64();
        let work = self.tally.received + self.tally.tried;
        let bound = self.slices.iter().filter(|slice| slice.generator_bound).count();
        Generator {
            threads: self.threads,
            cpu_s: cpu,
            cpu_us_per_request: if work > 0 { cpu * 1e6 / work as f64 } else { 0.0 },
            rss_bytes: health::peak_memory(),
            connections: self.tally.opened,
            reconnects: self.tally.reconnects,
            lag: self.tally.lag.percentiles(),
            descriptors: self.descriptors + self.peak,
            descriptor_limit: health::descriptor_limit(),
            bound_slices: bound as u32,
            bound_by: if bound > 0 { vec!["processor".to_owned()] } else { Vec::new() },
        }
    }
}

fn empty(index: usize, length: Duration) -> Slice {
    let length_s = length.as_secs_f64();
    Slice::empty(index as f64 * length_s, length_s)
}
