//! What a look takes in.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_feeds::LinkState;
use finstage_feeds::registry;
use finstage_feeds::venues;
use finstage_model::Timestamp;
use finstage_server::{MonitorGauges, StatementGauge, cpu_seconds, memory_bytes};
use finstage_store::records::{Cost, UptimeDay, slow_statements, statements};
use serde_json::{Map, Value, json};

use super::health::{FeedSeen, Seen};
use super::machine::{disk, memory_allowed};
use super::thresholds::Severity;
use super::{Monitor, Started};
use crate::config::settings::FeedSettings;
use crate::logging;

/// The spans of availability.
const SPANS: [(&str, u64); 3] = [("1d", 1), ("7d", 7), ("30d", 30)];
/// With fewer answers between two looks, failures and times tell nothing.
const MIN_ANSWERS: u64 = 10;

impl Monitor {
    pub(super) fn note_synced(&self, now: Timestamp) {
        let position = self.sources.safe.position();
        let mut state = self.state();
        if position > state.synced.0 {
            state.synced = (position, Some(now));
        }
    }

    /// The minute is noted, which shows that the records take writes.
    pub(super) fn note_written(&self, now: Timestamp) {
        let is_ready = self.is_ready();
        match self.sources.records.note_uptime(now, is_ready) {
            Ok(()) => self.state().written = (Some(now), None),
            Err(error) => self.state().written.1 = Some(error.to_string()),
        }
    }

    pub(super) fn seen(&self, now: Timestamp) -> Seen {
        let Some(started) = self.started.get() else { return Seen::nothing(now) };
        let counts = self.sources.records.task_counts().unwrap_or_default();
        let notifiers = &started.gauges.notifiers;
        let silent =
            notifiers.iter().filter_map(|(name, stats)| Some((name.clone(), stats.disabled()?)));
        let (synced, written) = {
            let state = self.state();
            (state.synced.1, state.written.clone())
        };
        Seen {
            now,
            written,
            blocked: self.sources.records.blocked(),
            synced,
            feeds: self.feeds(started),
            silent_channels: silent.collect(),
            channels: notifiers.len(),
            gone: self.sources.gone.clone(),
            free: disk(&self.sources.dir).map(|disk| disk.free),
            is_scheduling: started.scheduling.iter().all(|task| !task.is_finished()),
            dead_tasks: counts.dead,
            is_started: true,
        }
    }

    fn feeds(&self, started: &Started) -> Vec<FeedSeen> {
        let now = self.sources.pace.clock.now();
        // Ages are of the service's clock; what is waited for is real.
        let real = |age: Duration| age.div_f64(self.sources.pace.speed.max(1e-3));
        let is_open = |feed: &FeedSettings| {
            feed.symbols.iter().any(|symbol| {
                let hours = registry::hours(symbol).and_then(|hours| hours.around(now).ok());
                hours.is_none_or(|times| times.current.is_some())
            })
        };
        let seen =
            |(feed, stats): (&FeedSettings, &std::sync::Arc<finstage_feeds::SessionStats>)| {
                let seen = stats.snapshot();
                FeedSeen {
                    venue: feed.venue.clone(),
                    is_up: matches!(seen.state, LinkState::Up | LinkState::Stale),
                    age: seen.last_frame_at.map(|at| real(now.since(at))),
                    is_open: is_open(feed),
                    is_polled: venues::find(&feed.venue).is_none_or(|venue| venue.stream.is_none()),
                }
            };
        started.feeds.iter().zip(&started.gauges.sessions).map(seen).collect()
    }

    pub(super) fn figures(&self, now: Timestamp, passed: Duration) -> MonitorGauges {
        let mut figures = Vec::new();
        let mut put = |name, value: Option<f64>| figures.extend(value.map(|value| (name, value)));
        {
            let mut state = self.state();
            let cpu = state.processor.percent(passed, cpu_seconds());
            let processors = std::thread::available_parallelism().map_or(1, usize::from) as f64;
            put("finstage_cpu_percent", cpu);
            put("finstage_machine_cpu_percent", cpu.map(|cpu| cpu / processors));
            if let Some(bytes) = memory_bytes() {
                state.memory.look(now, bytes);
                let part = memory_allowed().map(|most| 100.0 * bytes as f64 / most as f64);
                put("finstage_memory_percent", part);
            }
            put("finstage_memory_peak_bytes", state.memory.peak().map(|bytes| bytes as f64));
            put("finstage_memory_growth_per_day", state.memory.growth_per_day());
        }
        let disk = disk(&self.sources.dir);
        put("finstage_disk_used_percent", disk.map(|disk| disk.used_percent));
        put("finstage_disk_free_bytes", disk.map(|disk| disk.free as f64));
        self.answers(&mut put);
        put("finstage_db_slow_statements_total", Some(slow_statements() as f64));
        let records = &self.sources.records;
        put("finstage_active_signals", records.track_open_count().ok().map(|count| count as f64));
        let counts = records.task_counts().unwrap_or_default();
        let state = self.state();
        let thresholds = state.watcher.standing().map(|standing| {
            let level = standing.severity.map_or(0, |severity| match severity {
                Severity::Warning => 1,
                Severity::Critical => 2,
            });
            (standing.rule.name, level)
        });
        MonitorGauges {
            figures,
            tasks: vec![
                ("waiting", counts.waiting),
                ("ready", counts.ready),
                ("running", counts.running),
                ("done", counts.done),
                ("dead", counts.dead),
                ("cancelled", counts.cancelled),
            ],
            statements: by_table(),
            errors: logging::counts(),
            availability: self.availability(now),
            thresholds: thresholds.collect(),
            checks: Vec::new(),
        }
    }

    /// What the server answered since the last look.
    fn answers(&self, put: &mut impl FnMut(&'static str, Option<f64>)) {
        let Some(meter) = self.meter.get() else { return };
        let totals = meter();
        let before = std::mem::replace(&mut self.state().http, totals);
        let answers = totals.answers.saturating_sub(before.answers);
        let part = |count: f64, of: u64| (of >= MIN_ANSWERS).then(|| count / of as f64);
        let failures = totals.failures.saturating_sub(before.failures);
        put("finstage_http_error_percent", part(100.0 * failures as f64, answers));
        put("finstage_http_response_seconds_mean", part(totals.seconds - before.seconds, answers));
        let asked = totals.cache_asked.saturating_sub(before.cache_asked);
        let hits = totals.cache_hits.saturating_sub(before.cache_hits);
        put("finstage_cache_hit_percent", part(100.0 * hits as f64, asked));
    }

    fn availability(&self, now: Timestamp) -> Vec<(&'static str, f64)> {
        let Some((_, longest)) = SPANS.last() else { return Vec::new() };
        let start = now.minus(Duration::from_secs(longest * 86_400)).day();
        let Ok(days) = self.sources.records.uptime_since(start) else { return Vec::new() };
        let spans =
            SPANS.iter().filter_map(|(name, length)| Some((*name, ratio(&days, now, *length)?)));
        spans.collect()
    }
}

/// Ready minutes among all minutes of the last `length` UTC days, today included; from the first minute that
/// was ever noted in them on. Minutes in which no service ran count against it.
pub(super) fn ratio(days: &[UptimeDay], now: Timestamp, length: u64) -> Option<f64> {
    let first_day = now.minus(Duration::from_secs((length - 1) * 86_400)).day();
    let within: Vec<&UptimeDay> = days.iter().filter(|one| one.day >= first_day).collect();
    let first = within.first()?;
    let minute = Duration::from_secs(60);
    let began = match days.first() {
        // It ran before the span: the span counts whole.
        Some(ever) if ever.day < first_day => first_day.start(),
        _ => first.day.start().plus(minute * first.first),
    };
    let minutes = now.since(began).as_secs() / 60 + 1;
    let ready: u64 = within.iter().map(|one| u64::from(one.ready)).sum();
    Some((ready as f64 / minutes as f64).min(1.0))
}

fn by_table() -> Vec<StatementGauge> {
    let mut all: BTreeMap<(&'static str, String), Cost> = BTreeMap::new();
    for one in statements() {
        all.entry((one.operation, one.table)).or_default().join(&one.cost);
    }
    let gauge = |((operation, table), cost)| StatementGauge { operation, table, cost };
    all.into_iter().map(gauge).collect()
}

/// The figures as one flat object, for files. Every field is always there.
pub(super) fn flat(now: Timestamp, gauges: &MonitorGauges) -> Map<String, Value> {
    const FIGURES: [&str; 12] = [
        "cpu_percent",
        "machine_cpu_percent",
        "memory_percent",
        "memory_peak_bytes",
        "memory_growth_per_day",
        "disk_used_percent",
        "disk_free_bytes",
        "http_error_percent",
        "http_response_seconds_mean",
        "cache_hit_percent",
        "active_signals",
        "db_slow_statements_total",
    ];
    let mut object = Map::new();
    object.insert("at".to_owned(), json!(now));
    let bytes = memory_bytes();
    object.insert("memory_bytes".to_owned(), json!(bytes));
    for name in FIGURES {
        let found = gauges
            .figures
            .iter()
            .find(|(family, _)| family.strip_prefix("finstage_") == Some(name));
        let value = found.map(|(_, value)| match (name, bytes) {
            // It was seen a moment before.
            ("memory_peak_bytes", Some(bytes)) => value.max(bytes as f64),
            _ => *value,
        });
        object.insert(name.to_owned(), json!(value));
    }
    for (state, count) in &gauges.tasks {
        object.insert(format!("tasks_{state}"), json!(count));
    }
    for (span, _) in SPANS {
        let ratio =
            gauges.availability.iter().find(|(name, _)| *name == span).map(|(_, ratio)| ratio);
        object.insert(format!("availability_{span}"), json!(ratio));
    }
    let statements: u64 = gauges.statements.iter().map(|one| one.cost.count).sum();
    object.insert("db_operations_total".to_owned(), json!(statements));
    object.insert(
        "errors_total".to_owned(),
        json!(gauges.errors.iter().map(|one| one.2).sum::<u64>()),
    );
    object
}

#[cfg(test)]
mod tests {
    use finstage_model::Day;

    use super::*;

    fn day(n: i32, ready: u32, first: u32) -> UptimeDay {
        UptimeDay { day: Day::from_days(20_000 + n), alive: ready, ready, first }
    }

    #[test]
    fn availability_counts_from_the_first_minute_and_absence_counts_against_it() {
        let now = Day::from_days(20_003).start().plus(Duration::from_secs(60 * 719));
        assert_eq!(ratio(&[], now, 7), None);
        // It began at 06:00 today and was ready all the time: 360 of 360 minutes.
        assert_eq!(ratio(&[day(3, 360, 360)], now, 7), Some(1.0));
        assert_eq!(ratio(&[day(3, 180, 360)], now, 7), Some(0.5));
        // A whole day without a service lies between.
        let days = [day(1, 1_440, 0), day(3, 720, 0)];
        assert_eq!(ratio(&days, now, 7), Some(2_160.0 / 3_600.0));
        assert_eq!(ratio(&days, now, 1), Some(1.0), "today alone was whole");
        assert_eq!(ratio(&days, now, 2), Some(720.0 / 2_160.0), "yesterday nobody was there");
    }

    #[test]
    fn files_have_the_same_fields_whatever_is_known() {
        let now = Timestamp::EPOCH;
        let empty =
            flat(now, &MonitorGauges { tasks: vec![("done", 1)], ..MonitorGauges::default() });
        let figures = vec![("finstage_cpu_percent", 1.0), ("finstage_memory_peak_bytes", 1.0)];
        let full = flat(
            now,
            &MonitorGauges { figures, tasks: vec![("done", 1)], ..MonitorGauges::default() },
        );
        assert!(empty.keys().eq(full.keys()));
        assert_eq!(full["cpu_percent"], 1.0);
        assert!(full["memory_peak_bytes"].as_f64() >= full["memory_bytes"].as_f64(), "{full:?}");
    }
}
