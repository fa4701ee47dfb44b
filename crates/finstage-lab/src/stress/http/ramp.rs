//! A rate that rises step by step until the server cannot keep up: where that is.

use std::time::Duration;

use crate::stress::arrival::{Schedule, Spacing, Stage};
use crate::stress::{Knee, Latencies, Slice, Step};

/// How much higher each step is than the one before.
const GROWTH: f64 = 1.5;
/// The most steps.
const MAX_STEPS: usize = 40;
/// A step's p99 may be so many times that of the first one…
const SLOWER: f64 = 5.0;
/// …and so much longer at least, in ms: on a near server anything is five times nothing.
const SLOWER_BY_MS: f64 = 10.0;
/// The share that may fail or be shed.
const FAILED: f64 = 0.01;
/// The share of a step's requests that must be answered when it is over.
const ANSWERED: f64 = 0.95;
/// How long after its end a step is judged, in seconds: answers are on their way.
const JUDGED_AFTER_S: f64 = 0.5;

/// A ramp: steps of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Ramp {
    /// The first step's rate, in requests a second.
    pub from: f64,
    /// Where it ends if nothing breaks.
    pub to: f64,
    /// Length of a step: whole seconds.
    pub step: Duration,
}

impl Ramp {
    /// The schedule of it: each step half as much again as the one before.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let mut stages = Vec::new();
        let mut rate = self.from;
        while rate < self.to && stages.len() + 1 < MAX_STEPS {
            stages.push(Stage::at(rate, self.step));
            rate *= GROWTH;
        }
        stages.push(Stage::at(self.to.max(self.from), self.step));
        Schedule::Open { stages, spacing: Spacing::Constant }
    }

    /// What is known of the knee after `elapsed_s`.
    pub(crate) fn judge(&self, slices: &[Slice], elapsed_s: f64) -> Knee {
        let mut knee =
            Knee { rps: 0.0, p99_ms: None, broke_at_rps: None, why: None, steps: Vec::new() };
        let Schedule::Open { stages, .. } = self.schedule() else { return knee };
        let mut begin = 0.0;
        for stage in stages {
            let end = begin + stage.length.as_secs_f64();
            if end + JUDGED_AFTER_S > elapsed_s {
                break;
            }
            let (step, answered) = summed(stage.to, slices, (begin, end));
            knee.steps.push(step.clone());
            if let Some(why) = broken(&step, answered, &knee.steps[0]) {
                (knee.broke_at_rps, knee.why) = (Some(step.rps), Some(why));
                break;
            }
            (knee.rps, knee.p99_ms) = (step.rps, step.p99_ms);
            begin = end;
        }
        knee
    }
}

/// A step's figures, and the share of its requests that were answered.
fn summed(rps: f64, slices: &[Slice], (begin, end): (f64, f64)) -> (Step, f64) {
    let within =
        |slice: &&Slice| slice.at_s >= begin - 1e-9 && slice.at_s + slice.length_s <= end + 1e-9;
    let mut latency = Latencies::new();
    let (mut due, mut failed, mut answered) = (0, 0, 0);
    for slice in slices.iter().filter(within) {
        due += slice.due;
        failed += slice.failed + slice.shed;
        answered += slice.latency.count();
        latency.add(&slice.latency);
    }
    let share = |part: u64| if due > 0 { part as f64 / due as f64 } else { 0.0 };
    let step = Step {
        rps,
        answered_rps: answered as f64 / (end - begin).max(1e-9),
        p50_ms: latency.quantile_ms(0.5),
        p99_ms: latency.quantile_ms(0.99),
        failed: share(failed),
    };
    (step, if due > 0 { answered as f64 / due as f64 } else { 1.0 })
}

/// Why a step did not hold.
fn broken(step: &Step, answered: f64, first: &Step) -> Option<String> {
    if step.failed > FAILED {
        return Some(format!("{:.1} % failed or were shed", step.failed * 100.0));
    }
    if answered < ANSWERED {
        return Some(format!("only {:.0} % were answered by its end", answered * 100.0));
    }
    let (p99, first) = (step.p99_ms?, first.p99_ms?);
    (p99 > first * SLOWER && p99 > first + SLOWER_BY_MS).then(|| {
        format!("p99 {p99:.1} ms is over {SLOWER} times that of the first step, {first:.1} ms")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slices of a server that answers `capacity` a second within 2 ms, and lets the rest queue.
    fn slices(ramp: &Ramp, capacity: f64) -> Vec<Slice> {
        let Schedule::Open { stages, .. } = ramp.schedule() else { unreachable!() };
        let mut all = Vec::new();
        for (i, stage) in stages.iter().enumerate() {
            let mut latency = Latencies::new();
            let late = if stage.to > capacity { 400_000 } else { 2_000 };
            (0..stage.to as u64).for_each(|_| latency.record_micros(late));
            let due = stage.to as u64;
            all.push(Slice {
                at_s: i as f64,
                length_s: 1.0,
                due,
                sent: due,
                ok: due,
                failed: 0,
                rate_limited: 0,
                shed: 0,
                in_flight: 0,
                generator_bound: false,
                latency,
            });
        }
        all
    }

    #[test]
    fn the_knee_is_the_last_step_that_held() {
        let ramp = Ramp { from: 100.0, to: 10_000.0, step: Duration::from_secs(1) };
        let knee = ramp.judge(&slices(&ramp, 1_000.0), 100.0);
        assert!((knee.rps - 759.375).abs() < 1e-9, "{knee:?}");
        assert!(knee.broke_at_rps.unwrap() > 1_000.0 && knee.why.unwrap().contains("p99 400"));
    }

    #[test]
    fn a_step_that_is_not_over_is_not_judged_and_a_server_that_holds_has_no_knee() {
        let ramp = Ramp { from: 100.0, to: 10_000.0, step: Duration::from_secs(1) };
        let slices = slices(&ramp, 1e9);
        assert_eq!(ramp.judge(&slices, 1.2).steps.len(), 0);
        assert_eq!(ramp.judge(&slices, 3.6).steps.len(), 3);
        let knee = ramp.judge(&slices, 100.0);
        assert_eq!((knee.rps, knee.broke_at_rps), (10_000.0, None));
        assert_eq!(ramp.judge(&[], 0.0).rps, 0.0);
    }

    #[test]
    fn failures_break_a_step_whatever_its_latency() {
        let ramp = Ramp { from: 100.0, to: 100.0, step: Duration::from_secs(1) };
        let mut slices = slices(&ramp, 1e9);
        slices[0].failed = 2;
        assert!(ramp.judge(&slices, 9.0).why.unwrap().starts_with("2.0 % failed"));
    }
}
