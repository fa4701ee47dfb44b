//! How a test is doing, in numbers that a screen draws and another process reads.

use std::collections::VecDeque;
use std::time::Duration;

use finstage_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::figures::{count, maybe_time, moment, percent, rate};
use super::{Language, Latencies, Percentiles, Slice, Snapshot};

/// The most seconds that are kept to be drawn.
pub const RECENT: usize = 120;
/// What counts as lately.
const MINUTE: Duration = Duration::from_secs(60);
/// The most asks of a minute that a monitor keeps; of more the older ones are forgotten.
const LATELY: usize = 10_000;
/// Seconds that may still change: answers come late, and belong to the second they were due in.
const UNSETTLED: usize = 12;
/// Seconds that a rate "now" is of.
const NOW: usize = 5;

/// How a test is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What is tested.
    pub target: String,
    /// When this was so.
    pub at: Option<Timestamp>,
    /// Whether it has ended.
    pub is_over: bool,
    /// Since its start, in seconds.
    pub elapsed_s: f64,
    /// How long it will take, where that is known.
    pub planned_s: Option<f64>,
    /// Sent and not answered yet, or connections that are open.
    pub in_flight: u64,
    /// As in an outcome.
    pub sent: u64,
    /// As in an outcome.
    pub ok: u64,
    /// As in an outcome.
    pub failed: u64,
    /// As in an outcome.
    pub rate_limited: u64,
    /// As in an outcome.
    pub shed: u64,
    /// Of the whole test.
    pub latency: Percentiles,
    /// Of the last minute.
    pub minute: Percentiles,
    /// Seconds so far, and those in which the machine that sends was the limit.
    pub seconds: u32,
    /// See [`seconds`](Self::seconds).
    pub bound_seconds: u32,
    /// Of a monitor: the share of asks of the last minute that were answered well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_share: Option<f64>,
    /// Of a monitor: what came last, `200` or why nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The last seconds, at most [`RECENT`].
    pub recent: Vec<Second>,
}

/// A second of a test, or a longer slice of a long one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Its begin since the start, in seconds.
    pub at_s: f64,
    /// Its length, in seconds.
    pub length_s: f64,
    /// Arrivals that were due.
    pub due: u64,
    /// Good answers.
    pub ok: u64,
    /// Failures, refusals included.
    pub failed: u64,
    /// From when each was due.
    pub p50_ms: Option<f64>,
    /// From when each was due.
    pub p99_ms: Option<f64>,
    /// Whether the machine that sends was the limit.
    pub is_bound: bool,
}

impl Status {
    /// One line for a log: how far, how fast, how slow.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        let p = &self.minute;
        let (p50, p99, max) = (maybe_time(p.p50_ms), maybe_time(p.p99_ms), maybe_time(p.max_ms));
        let [sent, failed, in_flight] = [self.sent, self.failed, self.in_flight].map(count);
        let [due, ok] = self.now().map(rate);
        let mut line = match language {
            Language::English => format!(
                "{}: {sent} sent, {failed} failed; now {due}/s due, {ok}/s good, {in_flight} under way; p50 {p50}, p99 {p99}, longest {max}",
                moment(self.elapsed_s)
            ),
            Language::Korean => format!(
                "{}: 전체 {sent}건, 실패 {failed}건, 현재 예정 {due}/초, 성공 {ok}/초, 진행 중 {in_flight}, p50 {p50}, p99 {p99}, 최대 {max}",
                moment(self.elapsed_s)
            ),
        };
        if let Some(up) = self.up_share {
            let (up, last) = (percent(up, language), self.last.as_deref().unwrap_or("–"));
            line = format!(
                "{}: {last}; {} {up}; p50 {p50}, p99 {p99}, {} {max}",
                moment(self.elapsed_s),
                language.pick("up", "정상"),
                language.pick("longest", "최대")
            );
        }
        if self.shed > 0 {
            line +=
                &format!("; {} {}", count(self.shed), language.pick("never left", "보내지 못함"));
        }
        if self.recent.last().is_some_and(|second| second.is_bound) {
            line += language.pick("; this machine is the limit", "; 이 컴퓨터가 한계입니다");
        }
        line
    }

    /// Arrivals due and good answers a second over the last whole seconds.
    #[must_use]
    pub fn now(&self) -> [f64; 2] {
        // The youngest second is not over yet.
        let whole = self.recent.len().saturating_sub(1);
        let last = &self.recent[whole.saturating_sub(NOW)..whole];
        let seconds: f64 = last.iter().map(|second| second.length_s).sum();
        let sum =
            |of: fn(&Second) -> u64| last.iter().map(of).sum::<u64>() as f64 / seconds.max(1e-9);
        if last.is_empty() { [0.0; 2] } else { [sum(|s| s.due), sum(|s| s.ok)] }
    }
}

/// Makes a [`Status`] of each snapshot of a test, and computes anew only what can have changed.
#[derive(Debug, Default)]
pub struct Watcher {
    target: String,
    seconds: Vec<Second>,
}

impl Watcher {
    /// Of a test of `target`.
    #[must_use]
    pub fn new(target: impl Into<String>) -> Self {
        Self { target: target.into(), ..Self::default() }
    }

    /// How the test is doing at `at`.
    pub fn look(&mut self, now: &Snapshot<'_>, at: Timestamp) -> Status {
        let slices = now.slices;
        let sum = |of: fn(&Slice) -> u64| slices.iter().map(of).sum::<u64>();
        self.settle(slices);
        let mut minute = Latencies::new();
        let length_s = slices.last().map_or(1.0, |slice| slice.length_s.max(1e-3));
        let lately = (MINUTE.as_secs_f64() / length_s).ceil() as usize;
        for slice in &slices[slices.len().saturating_sub(lately)..] {
            minute.add(&slice.latency);
        }
        Status {
            target: self.target.clone(),
            at: Some(at),
            is_over: false,
            elapsed_s: now.elapsed.as_secs_f64(),
            planned_s: now.planned.map(|planned| planned.as_secs_f64()),
            in_flight: now.in_flight,
            sent: sum(|s| s.sent),
            ok: sum(|s| s.ok),
            failed: sum(|s| s.failed),
            rate_limited: sum(|s| s.rate_limited),
            shed: sum(|s| s.shed),
            latency: now.latency.percentiles(),
            minute: minute.percentiles(),
            seconds: slices.len() as u32,
            bound_seconds: slices.iter().filter(|slice| slice.generator_bound).count() as u32,
            up_share: None,
            last: None,
            recent: self.seconds.clone(),
        }
    }

    /// Brings the seconds up to the slices.
    fn settle(&mut self, slices: &[Slice]) {
        let recent = &slices[slices.len().saturating_sub(RECENT)..];
        let is_known = |slice: &Slice, known: &Second| {
            (known.at_s - slice.at_s).abs() < 1e-9 && (known.length_s - slice.length_s).abs() < 1e-9
        };
        let settled = recent.len().saturating_sub(UNSETTLED);
        let seconds = recent.iter().enumerate().map(|(place, slice)| {
            let known = self.seconds.iter().find(|known| is_known(slice, known));
            known.filter(|_| place < settled).cloned().unwrap_or_else(|| second(slice))
        });
        self.seconds = seconds.collect();
    }
}

fn second(slice: &Slice) -> Second {
    Second {
        at_s: slice.at_s,
        length_s: slice.length_s,
        due: slice.due,
        ok: slice.ok,
        failed: slice.failed,
        p50_ms: slice.latency.quantile_ms(0.5),
        p99_ms: slice.latency.quantile_ms(0.99),
        is_bound: slice.generator_bound,
    }
}

/// What asks one URL gently and remembers the answers. No clock and no socket: it is told both.
#[derive(Debug)]
pub struct Monitor {
    target: String,
    start: Timestamp,
    totals: Status,
    latency: Latencies,
    lately: VecDeque<Ask>,
}

/// One question of a monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// When it was put.
    pub at: Timestamp,
    /// Until the answer, or until none was to be had.
    pub took: Duration,
    /// The status, or why there is none.
    pub answer: Result<u16, String>,
}

impl Ask {
    /// Answered with 2xx or 3xx.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.answer, Ok(200..400))
    }
}

impl Monitor {
    /// Of a target, from a moment on.
    #[must_use]
    pub fn new(target: impl Into<String>, start: Timestamp) -> Self {
        let totals = Status::default();
        Self {
            target: target.into(),
            start,
            totals,
            latency: Latencies::new(),
            lately: VecDeque::new(),
        }
    }

    /// Takes an answer.
    pub fn hear(&mut self, ask: Ask) {
        let all = &mut self.totals;
        all.sent += 1;
        all.ok += u64::from(ask.is_up());
        all.failed += u64::from(!ask.is_up());
        all.rate_limited += u64::from(matches!(ask.answer, Ok(418 | 429)));
        // Time until a failure is no latency of the server.
        if ask.answer.is_ok() {
            self.latency.record(ask.took);
        }
        all.last = Some(match &ask.answer {
            Ok(status) => status.to_string(),
            Err(why) => why.clone(),
        });
        let ms = ask.answer.is_ok().then_some(ask.took.as_secs_f64() * 1000.0);
        all.recent.push(Second {
            at_s: ask.at.since(self.start).as_secs_f64(),
            length_s: 1.0,
            due: 1,
            ok: u64::from(ask.is_up()),
            failed: u64::from(!ask.is_up()),
            p50_ms: ms,
            p99_ms: ms,
            is_bound: false,
        });
        if all.recent.len() > RECENT {
            all.recent.remove(0);
        }
        if self.lately.len() == LATELY {
            self.lately.pop_front();
        }
        self.lately.push_back(ask);
    }

    /// How the target is doing at `now`.
    pub fn look(&mut self, now: Timestamp) -> Status {
        while self.lately.front().is_some_and(|ask| ask.at < now.minus(MINUTE)) {
            self.lately.pop_front();
        }
        let mut minute = Latencies::new();
        let answered = self.lately.iter().filter(|ask| ask.answer.is_ok());
        answered.for_each(|ask| minute.record(ask.took));
        let up = self.lately.iter().filter(|ask| ask.is_up()).count();
        Status {
            target: self.target.clone(),
            at: Some(now),
            elapsed_s: now.since(self.start).as_secs_f64(),
            latency: self.latency.percentiles(),
            minute: minute.percentiles(),
            up_share: (!self.lately.is_empty()).then(|| up as f64 / self.lately.len() as f64),
            ..self.totals.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::scene::Scene;

    fn snapshot<'a>(slices: &'a [Slice], latency: &'a Latencies) -> Snapshot<'a> {
        let elapsed = Duration::from_secs(slices.len() as u64);
        Snapshot { elapsed, planned: Some(MINUTE), in_flight: 3, slices, latency }
    }

    #[test]
    fn a_status_that_grew_is_the_one_that_is_made_at_once() {
        let outcome =
            Scene { rates: vec![50.0; 200], freeze: Some((30.0, 0.5, 5.0)), ..Scene::new(1) }
                .play();
        let at = Timestamp::from_secs(1);
        let mut watcher = Watcher::new("x");
        for end in 1..200 {
            watcher.look(&snapshot(&outcome.slices[..end], &outcome.histogram), at);
        }
        let grown = watcher.look(&snapshot(&outcome.slices, &outcome.histogram), at);
        let at_once = Watcher::new("x").look(&snapshot(&outcome.slices, &outcome.histogram), at);
        assert_eq!(grown, at_once);
        assert_eq!((grown.recent.len(), grown.sent, grown.minute.count), (RECENT, 10_000, 3_000));
        assert_eq!(grown.now(), [50.0, 50.0]);
        assert!(grown.line(Language::English).contains("10,000 sent, 0 failed; now 50.0/s due"));
        let text = serde_json::to_string(&grown).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), grown);
    }

    #[test]
    fn nothing_yet_is_a_status_too() {
        let none = Latencies::new();
        let status = Watcher::new("x").look(&snapshot(&[], &none), Timestamp::from_secs(1));
        assert_eq!(status.now(), [0.0, 0.0]);
        assert!(!status.line(Language::Korean).contains("NaN"));
    }

    #[test]
    fn a_monitor_knows_the_last_minute_and_the_whole() {
        let start = Timestamp::from_secs(1_000);
        let mut monitor = Monitor::new("http://127.0.0.1:1/", start);
        assert_eq!(monitor.look(start).up_share, None);
        for second in 0..200 {
            let at = start.plus(Duration::from_secs(second));
            let answer = match second {
                0..100 => Err("timeout".to_owned()),
                second if second % 10 == 0 => Ok(503),
                _ => Ok(200),
            };
            monitor.hear(Ask { at, took: Duration::from_millis(second), answer });
        }
        let status = monitor.look(start.plus(Duration::from_secs(199)));
        assert_eq!((status.sent, status.ok, status.recent.len()), (200, 90, RECENT));
        assert_eq!(status.minute.count, 61);
        assert!((status.up_share.unwrap() - 55.0 / 61.0).abs() < 1e-9, "{:?}", status.up_share);
        assert_eq!((status.last.as_deref(), status.latency.count), (Some("200"), 100));
        assert!(
            status.line(Language::English).contains("200; up 90.2 %"),
            "{}",
            status.line(Language::English)
        );
    }
}
