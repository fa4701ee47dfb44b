//! Servers under limits, as the server shows them.

use std::time::Duration;

use finstage_net::{BreakerState, QuotaSnapshot, Remote};
use finstage_server::{QuotaGauge, RemoteGauge};

pub(super) fn gauge(remote: &Remote) -> RemoteGauge {
    let seen = remote.snapshot();
    RemoteGauge {
        name: seen.name,
        breaker: match seen.breaker {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half_open",
            BreakerState::Open => "open",
        },
        opens: seen.opens,
        blocked_until: seen.blocked_until,
        sent: seen.sent,
        retries: seen.retries,
        refused: seen.refused,
        failed: seen.failed,
        in_flight: seen.in_flight,
        waiting: seen.waiting,
        mean_wait_ms: millis(seen.mean_wait),
        longest_wait_ms: millis(seen.longest_wait),
        quotas: seen.quotas.iter().map(quota).collect(),
    }
}

fn quota(seen: &QuotaSnapshot) -> QuotaGauge {
    QuotaGauge {
        rule: seen.rule.to_owned(),
        limit: seen.limit,
        window_s: seen.window.as_secs_f64(),
        used: seen.used,
        by_others: seen.by_others,
        headroom: seen.limit.saturating_sub(seen.used),
        guard_ms: millis(seen.guard),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
