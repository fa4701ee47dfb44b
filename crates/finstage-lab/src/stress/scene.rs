//! Load tests that never ran: outcomes made of a seed and a description, for tests of what reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{EndpointOutcome, Kind, Latencies, Outcome, Percentiles, Slice};
use crate::rng::Rng;

/// A server and what comes to it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    /// Arrivals a second, second by second.
    pub(crate) rates: Vec<f64>,
    /// Arrivals at chance moments instead of evenly.
    pub(crate) poisson: bool,
    /// The median answer, in ms; the others lie around it by a factor of e^(0.3 z).
    pub(crate) median_ms: f64,
    /// Answers a second that are possible; beyond, they queue.
    pub(crate) capacity: f64,
    /// Stands still: every so many seconds, for so many, from this second on.
    pub(crate) freeze: Option<(f64, f64, f64)>,
    /// Shares of arrivals that get this error instead.
    pub(crate) errors: Vec<(&'static str, f64)>,
    /// Endpoints, each with what its time is multiplied by.
    pub(crate) endpoints: Vec<(&'static str, f64)>,
}

impl Scene {
    /// 30 s at 200/s of a server that answers in 5 ms.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            rates: vec![200.0; 30],
            poisson: false,
            median_ms: 5.0,
            capacity: f64::INFINITY,
            freeze: None,
            errors: Vec::new(),
            endpoints: Vec::new(),
        }
    }

    /// What a perfect generator would have measured.
    pub(crate) fn play(&self) -> Outcome {
        let mut play = Play::new(self);
        let mut rng = Rng::new(self.seed);
        for (second, &rate) in self.rates.iter().enumerate() {
            let mut at = play.gap(rate, &mut rng);
            while at < 1.0 {
                play.arrive(second, second as f64 + at, &mut rng);
                at += play.gap(rate, &mut rng);
            }
        }
        play.finish()
    }
}

struct Play<'a> {
    scene: &'a Scene,
    outcome: Outcome,
    free_at: f64,
    dones: Vec<(f64, f64)>,
    by_endpoint: Vec<Latencies>,
}

impl<'a> Play<'a> {
    fn new(scene: &'a Scene) -> Self {
        let mut outcome = Outcome::new(Kind::Http, "http://127.0.0.1:1");
        outcome.slices = (0..scene.rates.len()).map(|second| empty(second as f64)).collect();
        outcome.endpoints = scene.endpoints.iter().map(|(name, _)| endpoint(name)).collect();
        let by_endpoint = scene.endpoints.iter().map(|_| Latencies::new()).collect();
        Self { scene, outcome, free_at: 0.0, dones: Vec::new(), by_endpoint }
    }

    /// The time to the next arrival, in seconds.
    fn gap(&self, rate: f64, rng: &mut Rng) -> f64 {
        match rate {
            rate if rate <= 0.0 => f64::INFINITY,
            rate if self.scene.poisson => -(1.0 - rng.unit()).ln() / rate,
            rate => 0.999_999 / rate,
        }
    }

    fn arrive(&mut self, second: usize, due: f64, rng: &mut Rng) {
        let scene = self.scene;
        let place = rng.below(scene.endpoints.len() as u64) as usize;
        let times = scene.endpoints.get(place).map_or(1.0, |(_, times)| *times);
        let own = scene.median_ms / 1000.0 * (0.3 * rng.bell()).exp() * times;
        let start = self.thawed(due.max(self.free_at));
        self.free_at = start + 1.0 / scene.capacity;
        let done = self.thawed(start + own).max(start + own);
        self.dones.push((due, done));
        let took = Duration::from_secs_f64(done - due);
        let mut draw = rng.unit();
        let error = scene.errors.iter().find(|(_, share)| {
            draw -= share;
            draw < 0.0
        });
        let slice = &mut self.outcome.slices[second];
        slice.due += 1;
        slice.sent += 1;
        slice.latency.record(took);
        self.outcome.histogram.record(took);
        if let Some(endpoint) = self.outcome.endpoints.get_mut(place) {
            endpoint.sent += 1;
            endpoint.ok += 1;
            self.by_endpoint[place].record(took);
        }
        match error {
            None => slice.ok += 1,
            Some((name, _)) => {
                slice.failed += 1;
                slice.rate_limited += u64::from(name.starts_with("429"));
                *self.outcome.errors.entry((*name).to_owned()).or_default() += 1;
            }
        }
    }

    /// The first moment at or after `at` in which the server does not stand still.
    fn thawed(&self, at: f64) -> f64 {
        let Some((every, lasting, from)) = self.scene.freeze else { return at };
        let into = (at - from).rem_euclid(every);
        if at >= from && into < lasting { at - into + lasting } else { at }
    }

    fn finish(mut self) -> Outcome {
        let outcome = &mut self.outcome;
        for slice in &mut outcome.slices {
            let end = slice.at_s + slice.length_s;
            slice.in_flight =
                self.dones.iter().filter(|(due, done)| *due < end && *done > end).count() as u64;
        }
        let sum = |of: fn(&Slice) -> u64| outcome.slices.iter().map(of).sum::<u64>();
        let (sent, ok) = (sum(|s| s.sent), sum(|s| s.ok));
        let (failed, rate_limited) = (sum(|s| s.failed), sum(|s| s.rate_limited));
        (outcome.sent, outcome.ok, outcome.failed, outcome.rate_limited) =
            (sent, ok, failed, rate_limited);
        outcome.elapsed_s = outcome.slices.len() as f64;
        outcome.rps = if sent == 0 { 0.0 } else { sent as f64 / outcome.elapsed_s };
        outcome.latency = outcome.histogram.percentiles();
        outcome.service = outcome.latency.clone();
        for (endpoint, latency) in outcome.endpoints.iter_mut().zip(&self.by_endpoint) {
            endpoint.latency = latency.percentiles();
        }
        self.outcome
    }
}

fn empty(at_s: f64) -> Slice {
    Slice::empty(at_s, 1.0)
}

fn endpoint(name: &str) -> EndpointOutcome {
    EndpointOutcome {
        name: name.to_owned(),
        sent: 0,
        ok: 0,
        failed: 0,
        rate_limited: 0,
        latency: Percentiles::default(),
        errors: BTreeMap::new(),
    }
}
