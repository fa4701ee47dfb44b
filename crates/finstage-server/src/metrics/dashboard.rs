//! A dashboard for Grafana.

use serde_json::{Value, json};

/// A chart.
pub(super) struct Panel {
    title: &'static str,
    /// Grafana's word for a unit.
    unit: &'static str,
    /// PromQL expressions over families of the page, each with its legend.
    pub(super) lines: &'static [(&'static str, &'static str)],
}

const fn panel(
    title: &'static str,
    unit: &'static str,
    lines: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel { title, unit, lines }
}

/// All charts, row by row.
// a table: one entry a chart
pub(super) const PANELS: &[Panel] = &[
    panel("Ready", "short", &[("finstage_health_check", "{{check}}")]),
    panel("Availability", "percentunit", &[("finstage_availability_ratio", "{{span}}")]),
    panel("Limits", "short", &[("finstage_threshold_state", "{{rule}}")]),
    panel("Events", "ops", &[("sum(rate(finstage_events_total[1m])) by (kind)", "{{kind}}")]),
    panel(
        "From the venue to here",
        "s",
        &[
            (
                "histogram_quantile(0.5, sum(rate(finstage_trade_delay_seconds_bucket[5m])) by (le))",
                "median",
            ),
            (
                "histogram_quantile(0.99, sum(rate(finstage_trade_delay_seconds_bucket[5m])) by (le))",
                "p99",
            ),
        ],
    ),
    panel("Feeds", "s", &[("finstage_feed_age_seconds", "{{venue}}")]),
    panel(
        "Losses",
        "short",
        &[
            ("increase(finstage_feed_gaps_total[1h])", "gaps {{venue}}"),
            ("increase(finstage_feed_trades_lost_total[1h])", "lost {{venue}}"),
        ],
    ),
    panel(
        "Signals",
        "short",
        &[("sum(increase(finstage_signals_generated_total[1h])) by (verdict)", "{{verdict}}")],
    ),
    panel(
        "Hit rate behind signals",
        "short",
        &[(
            "sum(increase(finstage_signals_generated_total[1h])) by (confidence_level)",
            "{{confidence_level}}",
        )],
    ),
    panel(
        "Alerts",
        "short",
        &[("sum(increase(finstage_alerts_total[1h])) by (status)", "{{status}}")],
    ),
    panel(
        "Messages",
        "short",
        &[(
            "sum(increase(finstage_notifications_sent_total[1h])) by (channel, status)",
            "{{channel}} {{status}}",
        )],
    ),
    panel(
        "Answers",
        "s",
        &[(
            "histogram_quantile(0.95, sum(rate(finstage_http_request_duration_seconds_bucket[5m])) by (le))",
            "p95",
        )],
    ),
    panel(
        "Requests",
        "reqps",
        &[("sum(rate(finstage_http_requests_total[1m])) by (status)", "{{status}}")],
    ),
    panel(
        "Limits of venues",
        "short",
        &[("finstage_quota_used / finstage_quota_limit", "{{remote}} {{rule}}")],
    ),
    panel("Tasks", "short", &[("finstage_tasks", "{{state}}")]),
    panel(
        "Statements",
        "ops",
        &[
            (
                "sum(rate(finstage_db_operations_total{status=\"ok\"}[1m])) by (operation)",
                "{{operation}}",
            ),
            (
                "sum(rate(finstage_db_operations_total{status=\"error\"}[1m])) by (operation)",
                "{{operation}} failed",
            ),
        ],
    ),
    panel("Connections to the records", "short", &[("finstage_db_connections_active", "at work")]),
    panel(
        "Processor",
        "percent",
        &[("finstage_cpu_percent", "process"), ("finstage_machine_cpu_percent", "of the machine")],
    ),
    panel(
        "Memory",
        "bytes",
        &[
            ("finstage_process_memory_bytes", "now"),
            ("finstage_memory_peak_bytes", "most of a day"),
        ],
    ),
    panel(
        "Disk",
        "bytes",
        &[("finstage_store_bytes", "{{part}}"), ("finstage_disk_free_bytes", "free")],
    ),
    panel("Errors", "short", &[("increase(finstage_errors_total[1h])", "{{component}} {{type}}")]),
];

/// Charts side by side, and how large each is, in Grafana's grid of 24.
const COLUMNS: usize = 3;
const SIZE: (usize, usize) = (8, 7);

/// The dashboard as Grafana imports it.
#[must_use]
pub fn metrics_dashboard() -> Value {
    let chart = |(place, panel): (usize, &Panel)| {
        let targets: Vec<Value> = panel
            .lines
            .iter()
            .zip('A'..)
            .map(|((expr, legend), id)| json!({"refId": id, "expr": expr, "legendFormat": legend}))
            .collect();
        let (x, y) = (place % COLUMNS * SIZE.0, place / COLUMNS * SIZE.1);
        json!({
            "id": place + 1,
            "type": "timeseries",
            "title": panel.title,
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "gridPos": {"x": x, "y": y, "w": SIZE.0, "h": SIZE.1},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": targets,
        })
    };
    json!({
        "title": "finstage",
        "uid": "finstage",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
        ]},
        "panels": PANELS.iter().enumerate().map(chart).collect::<Vec<_>>(),
    })
}
