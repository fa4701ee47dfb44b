//! Counters in the text form of Prometheus. Label values come from lists of ours or are bounded.

mod dashboard;
mod families;
mod rules;
mod watch;

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_store::records::AlertStatus;

use crate::desk::{FeedGauge, Gauges, QuotaGauge, RemoteGauge, SealedGauge, Times};
use crate::live::Live;
use crate::monitor::HttpTotals;
use crate::process;
use crate::rows::{AlertItem, SignalItem};

pub use self::dashboard::metrics_dashboard;
pub use self::rules::metrics_rules;

/// Upper ends of the histogram of requests, in seconds.
const DURATIONS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 2.5];
/// The most label sets of a family; what is beyond is counted as `other`.
const MAX_SERIES: usize = 1_000;
/// The form that scrapers expect.
pub(crate) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How many observations fell where.
#[derive(Debug)]
pub(crate) struct Histogram {
    ends: &'static [f64],
    counts: Vec<AtomicU64>,
    sum_ns: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(ends: &'static [f64]) -> Self {
        let counts = (0..=ends.len()).map(|_| AtomicU64::new(0)).collect();
        Self { ends, counts, sum_ns: AtomicU64::new(0) }
    }

    fn times(&self) -> Times {
        Times {
            ends: self.ends,
            within: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            total: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn observe(&self, seconds: f64) {
        let place = self.ends.iter().position(|end| seconds <= *end).unwrap_or(self.ends.len());
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add((seconds * 1e9) as u64, Ordering::Relaxed);
    }
}

/// What the server itself counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By method, route and status.
    requests: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    durations: Mutex<BTreeMap<&'static str, Histogram>>,
    /// By symbol, strategy, direction, verdict and confidence.
    signals: Mutex<BTreeMap<[String; 5], u64>>,
    /// By kind and status.
    alerts: Mutex<BTreeMap<[String; 2], u64>>,
    pub(crate) refused_connections: AtomicU64,
    pub(crate) unauthorized: AtomicU64,
    pub(crate) pushes: AtomicU64,
    pub(crate) conflated: AtomicU64,
    pub(crate) dropped_clients: AtomicU64,
    pub(crate) clients: AtomicU64,
}

impl Metrics {
    /// Counts a request that was answered.
    pub(crate) fn request(
        &self,
        method: &'static str,
        route: &'static str,
        (status, seconds): (u16, f64),
    ) {
        *lock(&self.requests).entry((method, route, status)).or_default() += 1;
        let mut durations = lock(&self.durations);
        durations.entry(route).or_insert_with(|| Histogram::new(&DURATIONS)).observe(seconds);
    }

    /// What was answered so far.
    pub(crate) fn totals(&self) -> HttpTotals {
        let requests = lock(&self.requests);
        let failures = requests.iter().filter(|((_, _, status), _)| *status >= 500);
        let seconds = lock(&self.durations);
        let seconds = seconds.values().map(|one| one.sum_ns.load(Ordering::Relaxed) as f64 / 1e9);
        HttpTotals {
            answers: requests.values().sum(),
            failures: failures.map(|(_, count)| count).sum(),
            seconds: seconds.sum(),
            ..HttpTotals::default()
        }
    }

    /// Counts a signal that is in the records.
    pub(crate) fn signal(&self, item: &SignalItem) {
        let name = finstage_model::rule_name(&item.strategy);
        let key = [
            item.symbol.as_str(),
            name,
            item.direction.as_str(),
            item.verdict,
            confidence_level(item.hit_rate()),
        ];
        count(&self.signals, key.map(str::to_owned));
    }

    /// Counts an alert that is in the records.
    pub(crate) fn alert(&self, item: &AlertItem) {
        let kind = if item.is_watch() { "watch" } else { "signal" };
        // Delivery may be over before the row is read: what was decided is counted, not how it went.
        let (queued, status) = (AlertStatus::Queued.as_str(), item.status());
        let is_over = |over: AlertStatus| over.as_str() == status;
        let is_tried = is_over(AlertStatus::Delivered) || is_over(AlertStatus::Failed);
        let status = if is_tried { queued } else { status };
        count(&self.alerts, [kind, status].map(str::to_owned));
    }

    /// The whole page.
    pub(crate) fn page(&self, live: &Live, gauges: &Gauges, version: &str) -> String {
        let mut page = Sheet::default();
        page.family("finstage_info");
        page.sample("finstage_info", &[("version", version)], 1);
        self.own(&mut page);
        self.said(&mut page);
        engine(&mut page, live, gauges);
        feeds(&mut page, gauges);
        sealed(&mut page, gauges);
        remotes(&mut page, gauges);
        notifiers(&mut page, gauges);
        news(&mut page, gauges);
        let memory = process::memory_bytes();
        watch::watch(&mut page, &gauges.monitor, memory);
        process_of(&mut page, memory);
        page.0
    }

    fn own(&self, page: &mut Sheet) {
        page.family("finstage_http_requests_total");
        for ((method, endpoint, status), count) in &*lock(&self.requests) {
            let status = status.to_string();
            let labels = [("method", *method), ("endpoint", *endpoint), ("status", &status)];
            page.sample("finstage_http_requests_total", &labels, count);
        }
        let name = "finstage_http_request_duration_seconds";
        page.family(name);
        for (endpoint, histogram) in &*lock(&self.durations) {
            page.histogram(name, &[("endpoint", endpoint)], &histogram.times());
        }
        for (name, counter) in [
            ("finstage_http_refused_connections_total", &self.refused_connections),
            ("finstage_http_unauthorized_total", &self.unauthorized),
            ("finstage_websocket_pushes_total", &self.pushes),
            ("finstage_websocket_conflated_total", &self.conflated),
            ("finstage_websocket_dropped_clients_total", &self.dropped_clients),
        ] {
            page.family(name);
            page.sample(name, &[], counter.load(Ordering::Relaxed));
        }
        page.family("finstage_websocket_clients");
        page.sample("finstage_websocket_clients", &[], self.clients.load(Ordering::Relaxed));
    }

    fn said(&self, page: &mut Sheet) {
        let name = "finstage_signals_generated_total";
        page.family(name);
        for (key, count) in &*lock(&self.signals) {
            let [symbol, kind, direction, verdict, confidence] = key.each_ref().map(String::as_str);
            let labels = [
                ("symbol", symbol),
                ("type", kind),
                ("direction", direction),
                ("verdict", verdict),
                ("confidence_level", confidence),
            ];
            page.sample(name, &labels, count);
        }
        let name = "finstage_alerts_total";
        page.family(name);
        for (key, count) in &*lock(&self.alerts) {
            let [kind, status] = key.each_ref().map(String::as_str);
            page.sample(name, &[("kind", kind), ("status", status)], count);
        }
    }
}

/// How often signals like it went as claimed: what we have of confidence is measured, or none.
fn confidence_level(hit_rate: Option<f64>) -> &'static str {
    match hit_rate {
        Some(rate) if rate >= 0.8 => "high",
        Some(rate) if rate >= 0.6 => "medium",
        Some(_) => "low",
        None => "none",
    }
}

fn engine(page: &mut Sheet, live: &Live, gauges: &Gauges) {
    page.family("finstage_events_total");
    for (kind, count) in live.events() {
        page.sample("finstage_events_total", &[("kind", kind)], count);
    }
    let name = "finstage_trade_delay_seconds";
    page.family(name);
    page.histogram(name, &[], &live.delay().times());
    let name = "finstage_analysis_duration_seconds";
    page.family(name);
    live.analyses(|strategy, histogram| {
        page.histogram(name, &[("strategy", strategy)], &histogram.times());
    });
    page.family("finstage_bars_not_pushed_total");
    page.sample("finstage_bars_not_pushed_total", &[], live.lost_bars());
    page.family("finstage_queue_depth");
    page.sample("finstage_queue_depth", &[], gauges.queue.depth);
    page.family("finstage_queue_bound");
    page.sample("finstage_queue_bound", &[], gauges.queue.bound);
    page.family("finstage_store_bytes");
    page.sample("finstage_store_bytes", &[("part", "journal")], gauges.journal.bytes);
    page.sample("finstage_store_bytes", &[("part", "records")], gauges.records_bytes);
}

fn feeds(page: &mut Sheet, gauges: &Gauges) {
    type Read = fn(&FeedGauge) -> u64;
    let counters: [(&str, Read); 12] = [
        ("finstage_feed_messages_total", |f| f.messages),
        ("finstage_feed_events_total", |f| f.events),
        ("finstage_feed_reconnects_total", |f| f.reconnects),
        ("finstage_feed_gaps_total", |f| f.gaps),
        ("finstage_feed_repaired_total", |f| f.repaired),
        ("finstage_feed_duplicates_total", |f| f.duplicates),
        ("finstage_feed_undecoded_total", |f| f.undecoded),
        ("finstage_feed_revisions_total", |f| f.revisions),
        ("finstage_feed_trades_filled_total", |f| f.trades_filled),
        ("finstage_feed_trades_lost_total", |f| f.trades_lost),
        ("finstage_feed_overlaps_total", |f| f.overlaps),
        ("finstage_feed_stalls_total", |f| f.stalls),
    ];
    for (name, read) in counters {
        of_feeds(page, gauges, name, |feed| Some(read(feed)));
    }
    of_feeds(page, gauges, "finstage_feed_up", |feed| Some(u8::from(feed.connected)));
    let age = |feed: &FeedGauge| feed.age_ms.map(|age| age as f64 / 1e3);
    of_feeds(page, gauges, "finstage_feed_age_seconds", age);
}

/// A family with a sample of each feed that has one.
fn of_feeds<V: Display>(
    page: &mut Sheet,
    gauges: &Gauges,
    name: &str,
    read: impl Fn(&FeedGauge) -> Option<V>,
) {
    page.family(name);
    for (place, feed) in gauges.feeds.iter().enumerate() {
        if let Some(value) = read(feed) {
            page.sample(name, &[("venue", &feed.venue), ("feed", &place.to_string())], value);
        }
    }
}

/// Only where a feed comes sealed: everywhere else nothing could be refused.
fn sealed(page: &mut Sheet, gauges: &Gauges) {
    type Read = fn(&SealedGauge) -> u64;
    let families: [(&str, Read); 5] = [
        ("finstage_sealed_opened_total", |s| s.opened),
        ("finstage_sealed_failed_total", |s| s.failed),
        ("finstage_sealed_replayed_total", |s| s.replayed),
        ("finstage_sealed_slow_total", |s| s.slow),
        ("finstage_sealed_fallback", |s| u64::from(s.fallback)),
    ];
    if gauges.feeds.iter().all(|feed| feed.sealed.is_none()) {
        return;
    }
    for (name, read) in families {
        of_feeds(page, gauges, name, |feed| feed.sealed.as_ref().map(read));
    }
}

fn remotes(page: &mut Sheet, gauges: &Gauges) {
    type Read = fn(&RemoteGauge) -> u64;
    let counters: [(&str, Read); 5] = [
        ("finstage_remote_requests_total", |r| r.sent),
        ("finstage_remote_retries_total", |r| r.retries),
        ("finstage_remote_refused_total", |r| r.refused),
        ("finstage_remote_failed_total", |r| r.failed),
        ("finstage_remote_breaker_opens_total", |r| r.opens),
    ];
    for (name, read) in counters {
        page.family(name);
        for one in &gauges.remotes {
            page.sample(name, &[("remote", &one.name)], read(one));
        }
    }
    type Level = fn(&RemoteGauge) -> f64;
    let levels: [(&str, Level); 5] = [
        ("finstage_remote_up", |r| f64::from(u8::from(r.breaker != "open"))),
        ("finstage_remote_blocked", |r| f64::from(u8::from(r.blocked_until.is_some()))),
        ("finstage_remote_in_flight", |r| r.in_flight as f64),
        ("finstage_remote_waiting", |r| r.waiting as f64),
        ("finstage_remote_longest_wait_seconds", |r| r.longest_wait_ms / 1e3),
    ];
    for (name, read) in levels {
        page.family(name);
        for one in &gauges.remotes {
            page.sample(name, &[("remote", &one.name)], read(one));
        }
    }
    type Share = fn(&QuotaGauge) -> u64;
    let shares: [(&str, Share); 4] = [
        ("finstage_quota_limit", |q| q.limit),
        ("finstage_quota_used", |q| q.used),
        ("finstage_quota_used_by_others", |q| q.by_others),
        ("finstage_quota_headroom", |q| q.headroom),
    ];
    for (name, read) in shares {
        page.family(name);
        for one in &gauges.remotes {
            for quota in &one.quotas {
                let window = quota.window_s.to_string();
                let labels =
                    [("remote", one.name.as_str()), ("rule", &quota.rule), ("window_s", &window)];
                page.sample(name, &labels, read(quota));
            }
        }
    }
}

fn news(page: &mut Sheet, gauges: &Gauges) {
    let name = "finstage_news_processed_total";
    page.family(name);
    for one in &gauges.news.sources {
        let counts = [
            ("new", one.new),
            ("copy", one.copies),
            ("known", one.known),
            ("unreadable", one.unreadable),
        ];
        page.by_status(name, ("source", &one.source), counts);
    }
    let name = "finstage_news_processing_duration_seconds";
    page.family(name);
    if !gauges.news.sources.is_empty() {
        page.histogram(name, &[], &gauges.news.times);
    }
}

fn notifiers(page: &mut Sheet, gauges: &Gauges) {
    let name = "finstage_notifications_sent_total";
    page.family(name);
    for one in &gauges.notifiers {
        let counts = [
            ("delivered", one.delivered),
            ("failed", one.failed),
            ("retried", one.retried),
            ("expired", one.expired),
        ];
        page.by_status(name, ("channel", &one.name), counts);
    }
    let name = "finstage_notification_duration_seconds";
    page.family(name);
    for one in &gauges.notifiers {
        page.histogram(name, &[("channel", &one.name)], &one.times);
    }
    page.family("finstage_notifier_up");
    for one in &gauges.notifiers {
        let up = u8::from(one.disabled.is_none());
        page.sample("finstage_notifier_up", &[("channel", &one.name)], up);
    }
}

fn process_of(page: &mut Sheet, memory: Option<u64>) {
    if let Some(bytes) = memory {
        page.family("finstage_process_memory_bytes");
        page.sample("finstage_process_memory_bytes", &[], bytes);
    }
    if let Some(seconds) = process::cpu_seconds() {
        page.family("finstage_process_cpu_seconds_total");
        page.sample("finstage_process_cpu_seconds_total", &[], seconds);
    }
}

/// The text as it grows.
#[derive(Default)]
struct Sheet(String);

impl Sheet {
    /// Describes a family, which its samples follow.
    fn family(&mut self, name: &str) {
        let family = families::find(name).expect("a test holds the page and the table together");
        let (kind, help) = (family.kind, family.help);
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (place, (label, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{before}{label}=\"{value}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// A sample of each status.
    fn by_status(&mut self, name: &str, of: (&str, &str), counts: [(&str, u64); 4]) {
        for (status, count) in counts {
            self.sample(name, &[of, ("status", status)], count);
        }
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], times: &Times) {
        let mut total = 0;
        let bucket = format!("{name}_bucket");
        let ends = times.ends.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(&times.within) {
            total += count;
            let mut labels = labels.to_vec();
            labels.push(("le", &end));
            self.sample(&bucket, &labels, total);
        }
        self.sample(&format!("{name}_sum"), labels, times.total.as_secs_f64());
        self.sample(&format!("{name}_count"), labels, total);
    }
}

fn count<const N: usize>(counts: &Mutex<BTreeMap<[String; N], u64>>, key: [String; N]) {
    let mut counts = lock(counts);
    let is_full = counts.len() >= MAX_SERIES && !counts.contains_key(&key);
    let key = if is_full { std::array::from_fn(|_| "other".to_owned()) } else { key };
    *counts.entry(key).or_default() += 1;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_in_the_form_that_scrapers_read() {
        let metrics = Metrics::default();
        metrics.request("GET", "/api/v1/prices", (200, 0.0007));
        metrics.request("GET", "/api/v1/prices", (200, 9.0));
        let page = metrics.page(&Live::default(), &Gauges::default(), "1\"2");
        for line in [
            "finstage_info{version=\"1\\\"2\"} 1",
            "finstage_http_requests_total{method=\"GET\",endpoint=\"/api/v1/prices\",status=\"200\"} 2",
            "finstage_http_request_duration_seconds_bucket{endpoint=\"/api/v1/prices\",le=\"0.001\"} 1",
            "finstage_http_request_duration_seconds_bucket{endpoint=\"/api/v1/prices\",le=\"+Inf\"} 2",
            "finstage_http_request_duration_seconds_count{endpoint=\"/api/v1/prices\"} 2",
            "finstage_events_total{kind=\"trade\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        // Every family is described once, before its samples.
        let mut described = Vec::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let name = rest.split(' ').next().unwrap();
                assert!(!described.contains(&name), "{name} is described twice");
                described.push(name);
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                let of = |known: &&str| {
                    name == *known
                        || name
                            .strip_prefix(*known)
                            .is_some_and(|end| ["_bucket", "_sum", "_count"].contains(&end))
                };
                assert!(described.last().is_some_and(of), "{line}");
                assert!(name.starts_with("finstage_"));
            }
        }
    }

    #[test]
    fn dashboard_and_rules_name_families_of_the_table_only() {
        let lines =
            dashboard::PANELS.iter().flat_map(|panel| panel.lines.iter().map(|(expr, _)| *expr));
        for expr in lines.chain(rules::ALERTS.iter().map(|alert| alert.expr)) {
            for word in expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                let name =
                    ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
                let name = name.unwrap_or(word);
                let is_known = !name.starts_with("finstage_") || families::find(name).is_some();
                assert!(is_known, "{name} of {expr} is in no page");
            }
        }
        for alert in rules::ALERTS {
            assert!(
                metrics_rules().contains(&format!("alert: {}\n", alert.name))
                    && alert.lasts.ends_with('m') | alert.lasts.ends_with('h')
            );
        }
        assert_eq!(
            metrics_dashboard()["panels"].as_array().unwrap().len(),
            dashboard::PANELS.len()
        );
    }

    #[test]
    fn every_figure_of_the_monitor_has_a_family_and_errors_are_by_component() {
        let cost = finstage_store::records::Cost { count: 3, failed: 1, ..Default::default() };
        let monitor = crate::MonitorGauges {
            figures: vec![("finstage_cpu_percent", 12.5), ("finstage_memory_peak_bytes", 1.0)],
            statements: vec![crate::StatementGauge {
                operation: "select",
                table: "meta".into(),
                cost,
            }],
            errors: vec![("finstage_net".into(), "warning", 3)],
            thresholds: vec![("cpu", 1)],
            ..Default::default()
        };
        let gauges = Gauges { monitor, ..Gauges::default() };
        let page = Metrics::default().page(&Live::default(), &gauges, "1");
        for line in [
            "finstage_cpu_percent 12.5",
            "finstage_db_operations_total{operation=\"select\",table=\"meta\",status=\"ok\"} 2",
            "finstage_db_operations_total{operation=\"select\",table=\"meta\",status=\"error\"} 1",
            "finstage_errors_total{type=\"warning\",component=\"finstage_net\"} 3",
            "finstage_threshold_state{rule=\"cpu\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn confidence_is_the_hit_rate_that_was_measured() {
        let levels = [Some(0.8), Some(0.799), Some(0.6), Some(0.599), None].map(confidence_level);
        assert_eq!(levels, ["high", "medium", "medium", "low", "none"]);
    }

    #[test]
    fn only_a_sealed_feed_has_counters_of_sealed_frames() {
        let page = |feeds| {
            let gauges = Gauges { feeds, ..Gauges::default() };
            Metrics::default().page(&Live::default(), &gauges, "1")
        };
        let feed = |sealed| FeedGauge { venue: "binance".into(), sealed, ..FeedGauge::default() };
        assert!(!page(vec![feed(None)]).contains("finstage_sealed"));
        let sealed = SealedGauge { opened: 9, failed: 2, replayed: 1, ..SealedGauge::default() };
        let page = page(vec![feed(None), feed(Some(sealed))]);
        for (name, value) in [
            ("opened_total", 9),
            ("failed_total", 2),
            ("replayed_total", 1),
            ("slow_total", 0),
            ("fallback", 0),
        ] {
            let line = format!("finstage_sealed_{name}{{venue=\"binance\",feed=\"1\"}} {value}");
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn label_sets_are_bounded() {
        let counts = Mutex::new(BTreeMap::new());
        for i in 0..2_000 {
            count(&counts, [i.to_string()]);
        }
        let counts = counts.into_inner().unwrap();
        assert_eq!(counts.len(), MAX_SERIES + 1);
        assert_eq!(counts[&["other".to_owned()]], 1_000);
    }
}
