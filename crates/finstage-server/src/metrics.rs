//! Counters in the text form of Prometheus. Label values come from lists of ours or are bounded.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use finstage_store::records::{AlertRow, AlertStatus, SignalRow};

use crate::desk::{Gauges, QuotaGauge, RemoteGauge, SealedGauge};
use crate::live::Live;
use crate::process;

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
    /// By symbol, strategy, direction and verdict.
    signals: Mutex<BTreeMap<[String; 4], u64>>,
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

    /// Counts a signal that is in the records.
    pub(crate) fn signal(&self, row: &SignalRow) {
        let name = row.strategy.split(['(', ':']).next().unwrap_or_default().trim();
        let verdict = row.ruling.map_or("pending", |ruling| ruling.as_str());
        let key = [row.symbol.as_str(), name, row.direction.as_str(), verdict];
        count(&self.signals, key.map(str::to_owned));
    }

    /// Counts an alert that is in the records.
    pub(crate) fn alert(&self, row: &AlertRow) {
        let kind = match row.alert.kind {
            finstage_model::AlertKind::Signal { .. } => "signal",
            finstage_model::AlertKind::Watch { .. } => "watch",
        };
        // Delivery may be over before the row is read: what was decided is counted, not how it went.
        let status = match row.status {
            AlertStatus::Delivered | AlertStatus::Failed => AlertStatus::Queued,
            other => other,
        };
        count(&self.alerts, [kind.to_owned(), status.as_str().to_owned()]);
    }

    /// The whole page.
    pub(crate) fn page(&self, live: &Live, gauges: &Gauges, version: &str) -> String {
        let mut page = Sheet::default();
        page.family("finstage_info", "gauge", "The version that runs.");
        page.sample("finstage_info", &[("version", version)], 1);
        self.own(&mut page);
        self.said(&mut page);
        engine(&mut page, live, gauges);
        feeds(&mut page, gauges);
        sealed(&mut page, gauges);
        remotes(&mut page, gauges);
        notifiers(&mut page, gauges);
        process_of(&mut page);
        page.0
    }

    fn own(&self, page: &mut Sheet) {
        page.family(
            "finstage_http_requests_total",
            "counter",
            "Requests by method, route and status.",
        );
        for ((method, endpoint, status), count) in &*lock(&self.requests) {
            let status = status.to_string();
            let labels = [("method", *method), ("endpoint", *endpoint), ("status", &status)];
            page.sample("finstage_http_requests_total", &labels, count);
        }
        let name = "finstage_http_request_duration_seconds";
        page.family(name, "histogram", "Time from the head of a request to its answer.");
        for (endpoint, histogram) in &*lock(&self.durations) {
            page.histogram(name, &[("endpoint", endpoint)], histogram);
        }
        for (name, help, counter) in [
            (
                "finstage_http_refused_connections_total",
                "Connections refused because too many were open.",
                &self.refused_connections,
            ),
            (
                "finstage_http_unauthorized_total",
                "Requests without a valid token or session.",
                &self.unauthorized,
            ),
            (
                "finstage_websocket_pushes_total",
                "Messages put into clients' mailboxes.",
                &self.pushes,
            ),
            (
                "finstage_websocket_conflated_total",
                "Prices that a newer one replaced before a slow client took them.",
                &self.conflated,
            ),
            (
                "finstage_websocket_dropped_clients_total",
                "Clients closed because they were too slow.",
                &self.dropped_clients,
            ),
        ] {
            page.family(name, "counter", help);
            page.sample(name, &[], counter.load(Ordering::Relaxed));
        }
        page.family("finstage_websocket_clients", "gauge", "Connected clients.");
        page.sample("finstage_websocket_clients", &[], self.clients.load(Ordering::Relaxed));
    }

    fn said(&self, page: &mut Sheet) {
        let name = "finstage_signals_generated_total";
        page.family(name, "counter", "Signals since the start, by their verdict.");
        for (key, count) in &*lock(&self.signals) {
            let [symbol, kind, direction, verdict] = key.each_ref().map(String::as_str);
            let labels = [
                ("symbol", symbol),
                ("type", kind),
                ("direction", direction),
                ("verdict", verdict),
            ];
            page.sample(name, &labels, count);
        }
        let name = "finstage_alerts_total";
        page.family(name, "counter", "Alerts since the start, by what was decided.");
        for (key, count) in &*lock(&self.alerts) {
            let [kind, status] = key.each_ref().map(String::as_str);
            page.sample(name, &[("kind", kind), ("status", status)], count);
        }
    }
}

fn engine(page: &mut Sheet, live: &Live, gauges: &Gauges) {
    page.family("finstage_events_total", "counter", "Events applied by the engine, by kind.");
    for (kind, count) in live.events() {
        page.sample("finstage_events_total", &[("kind", kind)], count);
    }
    let name = "finstage_trade_delay_seconds";
    page.family(name, "histogram", "From a trade at the venue to its receipt here.");
    page.histogram(name, &[], live.delay());
    page.family("finstage_bars_not_pushed_total", "counter", "Closed bars dropped before a push.");
    page.sample("finstage_bars_not_pushed_total", &[], live.lost_bars());
    page.family("finstage_queue_depth", "gauge", "Frames that wait for the engine.");
    page.sample("finstage_queue_depth", &[], gauges.queue.depth);
    page.family("finstage_queue_bound", "gauge", "The most frames that may wait.");
    page.sample("finstage_queue_bound", &[], gauges.queue.bound);
    page.family("finstage_store_bytes", "gauge", "Bytes on disk, by part of the store.");
    page.sample("finstage_store_bytes", &[("part", "journal")], gauges.journal.bytes);
    page.sample("finstage_store_bytes", &[("part", "records")], gauges.records_bytes);
}

fn feeds(page: &mut Sheet, gauges: &Gauges) {
    type Read = fn(&crate::desk::FeedGauge) -> u64;
    let counters: [(&str, &str, Read); 12] = [
        ("finstage_feed_messages_total", "Messages of a venue.", |f| f.messages),
        ("finstage_feed_events_total", "Events made of a venue's messages.", |f| f.events),
        ("finstage_feed_reconnects_total", "Connections after the first.", |f| f.reconnects),
        ("finstage_feed_gaps_total", "Losses reported.", |f| f.gaps),
        ("finstage_feed_repaired_total", "Losses whose bars were fetched.", |f| f.repaired),
        ("finstage_feed_duplicates_total", "Things that came twice.", |f| f.duplicates),
        ("finstage_feed_undecoded_total", "Messages not understood.", |f| f.undecoded),
        ("finstage_feed_revisions_total", "Settled bars that changed later.", |f| f.revisions),
        ("finstage_feed_trades_filled_total", "Lost trades that were fetched.", |f| {
            f.trades_filled
        }),
        ("finstage_feed_trades_lost_total", "Lost trades that were not.", |f| f.trades_lost),
        ("finstage_feed_overlaps_total", "Lines replaced while they worked.", |f| f.overlaps),
        ("finstage_feed_stalls_total", "Lines that went silent.", |f| f.stalls),
    ];
    let places: Vec<String> = (0..gauges.feeds.len()).map(|place| place.to_string()).collect();
    for (name, help, read) in counters {
        page.family(name, "counter", help);
        for (feed, place) in gauges.feeds.iter().zip(&places) {
            page.sample(name, &[("venue", &feed.venue), ("feed", place)], read(feed));
        }
    }
    page.family("finstage_feed_up", "gauge", "1 while data flows.");
    for (feed, place) in gauges.feeds.iter().zip(&places) {
        let labels = [("venue", feed.venue.as_str()), ("feed", place.as_str())];
        page.sample("finstage_feed_up", &labels, u8::from(feed.connected));
    }
    page.family("finstage_feed_age_seconds", "gauge", "Since the last message of a venue.");
    for (feed, place) in gauges.feeds.iter().zip(&places) {
        if let Some(age) = feed.age_ms {
            let labels = [("venue", feed.venue.as_str()), ("feed", place.as_str())];
            page.sample("finstage_feed_age_seconds", &labels, age as f64 / 1e3);
        }
    }
}

/// Only where a feed comes sealed: everywhere else nothing could be refused.
fn sealed(page: &mut Sheet, gauges: &Gauges) {
    type Read = fn(&SealedGauge) -> u64;
    let families: [(&str, &str, &str, Read); 5] = [
        ("finstage_sealed_opened_total", "counter", "Sealed frames opened.", |s| s.opened),
        ("finstage_sealed_failed_total", "counter", "Sealed frames that were none of ours.", |s| {
            s.failed
        }),
        ("finstage_sealed_replayed_total", "counter", "Sealed frames that came before.", |s| {
            s.replayed
        }),
        (
            "finstage_sealed_slow_total",
            "counter",
            "Sealed frames that took longer than 5 ms.",
            |s| s.slow,
        ),
        ("finstage_sealed_fallback", "gauge", "1 while they come from the fallback.", |s| {
            u64::from(s.fallback)
        }),
    ];
    let feeds = gauges.feeds.iter().enumerate();
    let feeds =
        feeds.filter_map(|(place, feed)| Some((place.to_string(), feed, feed.sealed.as_ref()?)));
    let feeds: Vec<_> = feeds.collect();
    for (name, kind, help, read) in families.into_iter().filter(|_| !feeds.is_empty()) {
        page.family(name, kind, help);
        for (place, feed, sealed) in &feeds {
            page.sample(name, &[("venue", &feed.venue), ("feed", place)], read(sealed));
        }
    }
}

fn remotes(page: &mut Sheet, gauges: &Gauges) {
    type Read = fn(&RemoteGauge) -> u64;
    let counters: [(&str, &str, Read); 5] = [
        ("finstage_remote_requests_total", "Requests sent to a server.", |r| r.sent),
        ("finstage_remote_retries_total", "Requests sent again.", |r| r.retries),
        ("finstage_remote_refused_total", "Answers that said \"too many\".", |r| r.refused),
        ("finstage_remote_failed_total", "Requests without a usable answer.", |r| r.failed),
        ("finstage_remote_breaker_opens_total", "Times that the breaker opened.", |r| r.opens),
    ];
    for (name, help, read) in counters {
        page.family(name, "counter", help);
        for one in &gauges.remotes {
            page.sample(name, &[("remote", &one.name)], read(one));
        }
    }
    type Level = fn(&RemoteGauge) -> f64;
    let levels: [(&str, &str, Level); 5] = [
        ("finstage_remote_up", "0 while the breaker lets nothing through.", |r| {
            f64::from(u8::from(r.breaker != "open"))
        }),
        ("finstage_remote_blocked", "1 while nothing is sent because the server said so.", |r| {
            f64::from(u8::from(r.blocked_until.is_some()))
        }),
        ("finstage_remote_in_flight", "Requests that are out.", |r| r.in_flight as f64),
        ("finstage_remote_waiting", "Requests that wait for their turn.", |r| r.waiting as f64),
        ("finstage_remote_longest_wait_seconds", "The longest wait for a turn.", |r| {
            r.longest_wait_ms / 1e3
        }),
    ];
    for (name, help, read) in levels {
        page.family(name, "gauge", help);
        for one in &gauges.remotes {
            page.sample(name, &[("remote", &one.name)], read(one));
        }
    }
    type Share = fn(&QuotaGauge) -> u64;
    let shares: [(&str, &str, Share); 4] = [
        ("finstage_quota_limit", "The most in one window.", |q| q.limit),
        ("finstage_quota_used", "What is used, by others with the same key too.", |q| q.used),
        ("finstage_quota_used_by_others", "What others with the same key use.", |q| q.by_others),
        ("finstage_quota_headroom", "What is left.", |q| q.headroom),
    ];
    for (name, help, read) in shares {
        page.family(name, "gauge", help);
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

fn notifiers(page: &mut Sheet, gauges: &Gauges) {
    let name = "finstage_notifications_sent_total";
    page.family(name, "counter", "Messages since the start, by channel and what became of them.");
    for one in &gauges.notifiers {
        for (status, count) in [
            ("delivered", one.delivered),
            ("failed", one.failed),
            ("retried", one.retried),
            ("expired", one.expired),
        ] {
            page.sample(name, &[("channel", &one.name), ("status", status)], count);
        }
    }
    page.family("finstage_notifier_up", "gauge", "0 when a channel gave up for good.");
    for one in &gauges.notifiers {
        let up = u8::from(one.disabled.is_none());
        page.sample("finstage_notifier_up", &[("channel", &one.name)], up);
    }
}

fn process_of(page: &mut Sheet) {
    if let Some(bytes) = process::memory_bytes() {
        page.family("finstage_process_memory_bytes", "gauge", "Resident memory.");
        page.sample("finstage_process_memory_bytes", &[], bytes);
    }
    if let Some(seconds) = process::cpu_seconds() {
        page.family("finstage_process_cpu_seconds_total", "counter", "Processor time.");
        page.sample("finstage_process_cpu_seconds_total", &[], seconds);
    }
}

/// The text as it grows.
#[derive(Default)]
struct Sheet(String);

impl Sheet {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
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

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut total = 0;
        let bucket = format!("{name}_bucket");
        let ends = histogram.ends.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(&histogram.counts) {
            total += count.load(Ordering::Relaxed);
            let mut labels = labels.to_vec();
            labels.push(("le", &end));
            self.sample(&bucket, &labels, total);
        }
        let sum = histogram.sum_ns.load(Ordering::Relaxed) as f64 / 1e9;
        self.sample(&format!("{name}_sum"), labels, sum);
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
    use crate::desk::FeedGauge;

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
