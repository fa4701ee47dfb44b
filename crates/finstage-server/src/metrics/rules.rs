//! Alert rules for Prometheus. Whoever has one need not wait for the service to say that it is unwell.

use std::fmt::Write as _;

/// One alert.
pub(super) struct Alert {
    pub(super) name: &'static str,
    /// A PromQL expression over families of the page.
    pub(super) expr: &'static str,
    /// How long it must hold.
    pub(super) lasts: &'static str,
    severity: &'static str,
    summary: &'static str,
}

const fn alert(
    name: &'static str,
    (expr, lasts): (&'static str, &'static str),
    severity: &'static str,
    summary: &'static str,
) -> Alert {
    Alert { name, expr, lasts, severity, summary }
}

/// All alerts.
// a table: one entry an alert
pub(super) const ALERTS: &[Alert] = &[
    alert(
        "FinstageDown",
        ("up{job=\"finstage\"} == 0", "2m"),
        "critical",
        "finstage does not answer",
    ),
    alert(
        "FinstageNotReady",
        ("min(finstage_health_check) by (check) == 0", "2m"),
        "critical",
        "the check {{ $labels.check }} does not hold",
    ),
    alert(
        "FinstageFeedSilent",
        ("finstage_feed_up == 0", "5m"),
        "warning",
        "nothing comes from {{ $labels.venue }}; outside its hours that is no fault",
    ),
    alert(
        "FinstageFeedLoses",
        ("increase(finstage_feed_trades_lost_total[15m]) > 0", "0m"),
        "warning",
        "trades of {{ $labels.venue }} are lost and were not fetched",
    ),
    alert(
        "FinstageNotifierGaveUp",
        ("finstage_notifier_up == 0", "1m"),
        "critical",
        "the channel {{ $labels.channel }} gave up: its token or chat is refused",
    ),
    alert(
        "FinstageRemoteDown",
        ("finstage_remote_up == 0", "5m"),
        "warning",
        "{{ $labels.remote }} is not asked: its breaker is open",
    ),
    alert(
        "FinstageTasksFail",
        ("finstage_tasks{state=\"dead\"} > 0", "10m"),
        "warning",
        "{{ $value }} tasks failed for good: finstage tasks list --state dead",
    ),
    alert(
        "FinstageCpu",
        ("finstage_machine_cpu_percent > 80", "5m"),
        "warning",
        "the processors are busy: {{ $value }} %",
    ),
    alert(
        "FinstageCpuCritical",
        ("finstage_machine_cpu_percent > 96", "1m"),
        "critical",
        "the processors are busy: {{ $value }} %",
    ),
    alert(
        "FinstageMemory",
        ("finstage_memory_percent > 80", "5m"),
        "warning",
        "{{ $value }} % of the memory are taken",
    ),
    alert(
        "FinstageMemoryCritical",
        ("finstage_memory_percent > 96", "1m"),
        "critical",
        "{{ $value }} % of the memory are taken",
    ),
    alert(
        "FinstageMemoryGrows",
        ("finstage_memory_growth_per_day > 0.05", "6h"),
        "warning",
        "resident memory grows by {{ $value | humanizePercentage }} a day",
    ),
    alert(
        "FinstageDisk",
        ("finstage_disk_used_percent > 85", "10m"),
        "warning",
        "the disk is {{ $value }} % full",
    ),
    alert(
        "FinstageDiskCritical",
        ("finstage_disk_used_percent > 95", "1m"),
        "critical",
        "the disk is {{ $value }} % full",
    ),
    alert(
        "FinstageErrors",
        (
            "sum(rate(finstage_http_requests_total{status=~\"5..\"}[5m])) / sum(rate(finstage_http_requests_total[5m])) > 0.05",
            "10m",
        ),
        "warning",
        "{{ $value | humanizePercentage }} of the answers fail",
    ),
    alert(
        "FinstageSlow",
        (
            "histogram_quantile(0.95, sum(rate(finstage_http_request_duration_seconds_bucket[5m])) by (le)) > 1",
            "10m",
        ),
        "warning",
        "a twentieth of the answers take longer than {{ $value }} s",
    ),
    alert(
        "FinstageSlowStatements",
        ("increase(finstage_db_slow_statements_total[1h]) > 10", "0m"),
        "warning",
        "the records are slow: the log names the statements",
    ),
    alert(
        "FinstageStatementsFail",
        (
            "sum(increase(finstage_db_operations_total{status=\"error\"}[15m])) by (operation, table) > 0",
            "0m",
        ),
        "critical",
        "{{ $labels.operation }} {{ $labels.table }}: statements of the records fail, the log says why",
    ),
];

/// The rules as a file for Prometheus.
#[must_use]
pub fn metrics_rules() -> String {
    let mut text = String::from("groups:\n  - name: finstage\n    rules:\n");
    for alert in ALERTS {
        // A JSON string is a YAML string.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (expr, summary) = (quoted(alert.expr), quoted(alert.summary));
        let _ = write!(
            text,
            "      - alert: {}\n        expr: {expr}\n        for: {}\n        labels:\n          severity: {}\n        annotations:\n          summary: {summary}\n",
            alert.name, alert.lasts, alert.severity
        );
    }
    text
}
