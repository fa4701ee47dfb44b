//! The limits that are watched: one table, with what the settings say.

use std::time::Duration;

use super::thresholds::{Rule, Side};
use crate::config::settings::MonitorSettings;

/// A limit, the family of metrics it is about, and what its value is multiplied by to be in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// The rule.
    pub rule: Rule,
    /// The family of metrics.
    pub family: &'static str,
    /// From the family's unit to the rule's.
    pub scale: f64,
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// All limits that are on: one of 0 is off.
#[must_use]
pub fn limits(settings: &MonitorSettings) -> Vec<Limit> {
    let limit = |name, what, (family, scale), (unit, limit, lasts)| Limit {
        rule: Rule {
            name,
            what,
            unit,
            limit,
            side: Side::Above,
            most: (unit == "%").then_some(100.0),
            lasts,
            cooldown: settings.cooldown,
        },
        family,
        scale,
    };
    let response_ms = settings.response.as_secs_f64() * 1e3;
    let mut all = vec![
        limit(
            "cpu",
            "processors",
            ("finstage_machine_cpu_percent", 1.0),
            ("%", settings.cpu, minutes(5)),
        ),
        limit(
            "memory",
            "memory",
            ("finstage_memory_percent", 1.0),
            ("%", settings.memory, minutes(5)),
        ),
        limit(
            "disk",
            "disk",
            ("finstage_disk_used_percent", 1.0),
            ("%", settings.disk, minutes(10)),
        ),
        limit(
            "errors",
            "failed answers",
            ("finstage_http_error_percent", 1.0),
            ("%", settings.errors, minutes(10)),
        ),
        limit(
            "response",
            "time of an answer",
            ("finstage_http_response_seconds_mean", 1e3),
            ("ms", response_ms, minutes(10)),
        ),
        limit(
            "cache",
            "answers from the cache",
            ("finstage_cache_hit_percent", 1.0),
            ("%", settings.cache_hits, minutes(15)),
        ),
    ];
    for one in all.iter_mut().filter(|one| one.rule.name == "cache") {
        one.rule.side = Side::Below;
    }
    all.retain(|one| one.rule.limit > 0.0);
    all
}
