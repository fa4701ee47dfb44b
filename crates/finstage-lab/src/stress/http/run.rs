//! The thread that started a test: it gathers, tells who listens, and writes the outcome.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use finstage_model::Timestamp;

use super::HttpTest;
use super::front::Exchange;
use super::gather::Gathered;
use super::tally::Tally;
use crate::stress::arrival::Schedule;
use crate::stress::moment::Moment;
use crate::stress::{Kind, Knee, Listener, Outcome, Snapshot, Stop};
use crate::{Error, ErrorKind};

/// How often counts are gathered.
const GATHERED_EVERY: Duration = Duration::from_millis(250);
/// Every so many times it is looked how many descriptors are open.
const SAMPLED_EVERY: u64 = 4;

/// What a thread says at its end.
pub(super) type Ended = (usize, io::Result<Box<Tally>>);

/// A test that is running, seen from who gathers.
pub(super) struct Course<'a> {
    pub(super) test: &'a HttpTest,
    pub(super) exchanges: &'a [Exchange],
    pub(super) ended: Receiver<Ended>,
    pub(super) start: Moment,
    pub(super) stop: &'a Stop,
}

impl Course<'_> {
    /// Gathers until all threads have ended; the knee, where one was looked for.
    pub(super) fn gather(
        &self,
        gathered: &mut Gathered,
        listener: &mut dyn Listener,
    ) -> Result<Option<Knee>, Error> {
        let mut left = self.exchanges.len();
        let mut failed = None;
        let mut turn = 0_u64;
        let mut knee = None;
        gathered.sample_descriptors();
        while left > 0 {
            match self.ended.recv_timeout(GATHERED_EVERY) {
                Ok((number, Ok(tally))) => {
                    self.add(gathered, number);
                    gathered.add(number, &tally, self.start.nanos());
                    left -= 1;
                    continue;
                }
                Ok((number, Err(error))) => {
                    // The others shall not go on as if nothing was.
                    self.stop.pull();
                    failed = Some((number, error));
                    left -= 1;
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            (0..self.exchanges.len()).for_each(|number| self.add(gathered, number));
            gathered.tidy(self.start.nanos(), self.test.timeout.as_nanos() as u64);
            turn += 1;
            if turn.is_multiple_of(SAMPLED_EVERY) {
                gathered.sample_descriptors();
            }
            knee = self.judge(gathered);
            listener.heard(&self.snapshot(gathered));
        }
        gathered.tidy(u64::MAX, 0);
        if let Some((number, error)) = failed {
            let words = format!("thread {number} of the test: {error}");
            return Err(Error::new(ErrorKind::Io, words).because(error));
        }
        listener.heard(&self.snapshot(gathered));
        let found = self.test.ramp.as_ref().map(|ramp| ramp.judge(&gathered.slices, f64::MAX));
        // What ended the ramp was judged with the answers of then.
        Ok(knee.filter(|knee| knee.broke_at_rps.is_some()).or(found))
    }

    /// Adds what a thread handed over.
    fn add(&self, gathered: &mut Gathered, number: usize) {
        if let Some(tally) = self.exchanges[number].take() {
            gathered.add(number, &tally, self.start.nanos());
            self.exchanges[number].give_back(tally);
        }
    }

    /// Ends a ramp whose last step broke.
    fn judge(&self, gathered: &Gathered) -> Option<Knee> {
        let elapsed = self.start.elapsed().as_secs_f64();
        let knee = self.test.ramp.as_ref()?.judge(&gathered.slices, elapsed);
        if knee.broke_at_rps.is_some() {
            self.stop.pull();
        }
        Some(knee)
    }

    fn snapshot<'g>(&self, gathered: &'g Gathered) -> Snapshot<'g> {
        Snapshot {
            elapsed: self.start.elapsed(),
            planned: Some(self.test.schedule.length()),
            in_flight: gathered.in_flight(),
            slices: &gathered.slices,
            latency: &gathered.latency,
        }
    }
}

impl HttpTest {
    /// The document of what was gathered.
    pub(super) fn outcome(
        &self,
        gathered: Gathered,
        knee: Option<Knee>,
        (started_at, stopped): (Timestamp, Option<Duration>),
    ) -> Outcome {
        let totals = gathered.totals();
        let elapsed_s = gathered.last_answer as f64 / 1e9;
        let is_burst = matches!(self.schedule, Schedule::Bursts { .. });
        let planned = self.schedule.length().min(stopped.unwrap_or(Duration::MAX)).as_secs_f64();
        let over_s = if is_burst { elapsed_s } else { planned };
        let answered = gathered.latency.count() as f64;
        let names: Vec<String> = self.mix.endpoints.iter().map(|e| e.name.clone()).collect();
        let endpoints = if names.len() > 1 { gathered.endpoints(&names) } else { Vec::new() };
        Outcome {
            kind: if is_burst { Kind::Burst } else { Kind::Http },
            target: self.target.url(),
            started_at,
            elapsed_s,
            sent: totals.sent,
            ok: totals.ok,
            failed: totals.failed,
            rate_limited: totals.rate_limited,
            shed: totals.shed,
            rps: if over_s > 0.0 { answered / over_s } else { 0.0 },
            latency: gathered.latency.percentiles(),
            service: gathered.service(),
            phases: gathered.phases(),
            errors: gathered.errors(),
            endpoints,
            quota: gathered.quota(),
            generator: gathered.generator(),
            messages: None,
            bursts: gathered.bursts(),
            knee,
            findings: Vec::new(),
            recommendations: Vec::new(),
            thresholds: Vec::new(),
            settings: self.settings.clone(),
            slices: gathered.slices,
            histogram: gathered.latency,
        }
    }
}
