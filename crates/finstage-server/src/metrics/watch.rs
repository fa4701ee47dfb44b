//! What the monitor saw.

use std::collections::BTreeMap;

use finstage_store::records::{Cost, STATEMENT_SECONDS, active_connections};

use super::Sheet;
use crate::desk::Times;
use crate::monitor::MonitorGauges;

/// `memory` is what the process takes now.
pub(super) fn watch(page: &mut Sheet, seen: &MonitorGauges, memory: Option<u64>) {
    for (name, value) in &seen.figures {
        let value = match (*name, memory) {
            // It was seen a moment before.
            ("finstage_memory_peak_bytes", Some(now)) => value.max(now as f64),
            _ => *value,
        };
        page.family(name);
        page.sample(name, &[], value);
    }
    page.family("finstage_tasks");
    for (state, count) in &seen.tasks {
        page.sample("finstage_tasks", &[("state", state)], count);
    }
    statements(page, seen);
    let name = "finstage_errors_total";
    page.family(name);
    for (component, kind, count) in &seen.errors {
        page.sample(name, &[("type", kind), ("component", component)], count);
    }
    let name = "finstage_availability_ratio";
    page.family(name);
    for (span, ratio) in &seen.availability {
        page.sample(name, &[("span", span)], ratio);
    }
    let name = "finstage_health_check";
    page.family(name);
    for check in &seen.checks {
        page.sample(name, &[("check", check.name)], u8::from(check.ok));
    }
    let name = "finstage_threshold_state";
    page.family(name);
    for (rule, state) in &seen.thresholds {
        page.sample(name, &[("rule", rule)], state);
    }
}

fn statements(page: &mut Sheet, seen: &MonitorGauges) {
    let name = "finstage_db_connections_active";
    page.family(name);
    page.sample(name, &[], active_connections());
    let name = "finstage_db_operations_total";
    page.family(name);
    let mut by_operation: BTreeMap<&str, Cost> = BTreeMap::new();
    for one in &seen.statements {
        let ok = one.cost.count.saturating_sub(one.cost.failed);
        for (status, count) in [("ok", ok), ("error", one.cost.failed)] {
            let labels = [("operation", one.operation), ("table", &*one.table), ("status", status)];
            page.sample(name, &labels, count);
        }
        by_operation.entry(one.operation).or_default().join(&one.cost);
    }
    let name = "finstage_db_operation_duration_seconds";
    page.family(name);
    for (operation, cost) in &by_operation {
        let times =
            Times { ends: &STATEMENT_SECONDS, within: cost.within.to_vec(), total: cost.total };
        page.histogram(name, &[("operation", operation)], &times);
    }
}
