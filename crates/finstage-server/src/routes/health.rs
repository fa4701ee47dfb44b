//! Whether the service lives, works, and how much of it.

use hyper::StatusCode;
use serde_json::json;

use super::Call;
use crate::answer::Answer;
use crate::app::App;
use crate::metrics;
use crate::monitor::HealthCheck;
use crate::problem::Problem;

/// Says nothing but that the process answers.
pub(super) fn alive(_: &App, _: &Call) -> Result<Answer, Problem> {
    Ok(Answer::of("text/plain; charset=utf-8", "ok\n"))
}

/// Ready is whoever can read its records and passes the checks of the binary's monitor; without one, whoever
/// hears from a venue.
pub(super) fn ready(app: &App, _: &Call) -> Result<Answer, Problem> {
    let records = app.records.meta("kind");
    let feeds = app.desk.gauges().feeds;
    let up = feeds.iter().filter(|feed| feed.connected).count();
    let is_heard = up > 0;
    let readable = HealthCheck {
        name: "records",
        ok: records.is_ok(),
        required: true,
        detail: records.err().map_or_else(|| "readable".to_owned(), |error| error.to_string()),
    };
    let mut checks = vec![readable];
    checks.append(&mut app.desk.health());
    if checks.len() == 1 {
        checks.push(HealthCheck {
            name: "feeds",
            ok: is_heard,
            required: true,
            detail: format!("{up} of {} connected", feeds.len()),
        });
    }
    let is_ready = checks.iter().all(|check| check.ok || !check.required);
    let mut answer = Answer::json(&json!({"ready": is_ready, "checks": checks}));
    if !is_ready {
        answer.status = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(answer)
}

pub(super) fn metrics(app: &App, _: &Call) -> Result<Answer, Problem> {
    let page = app.metrics.page(&app.live, &app.desk.gauges(), &app.about.version);
    Ok(Answer::of(metrics::KIND, page))
}
