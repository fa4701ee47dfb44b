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

pub(super) fn ready(app: &App, _: &Call) -> Result<Answer, Problem> {
    let checks = checks(app);
    let is_ready = checks.iter().all(|check| check.ok || !check.required);
    let mut answer = Answer::json(&json!({"ready": is_ready, "checks": checks}));
    if !is_ready {
        answer.status = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(answer)
}

/// Ready is whoever can read its records and passes the checks of the binary's monitor; without one, whoever
/// hears from a venue.
pub(super) fn checks(app: &App) -> Vec<HealthCheck> {
    let mut checks = vec![HealthCheck::of_records(&app.records)];
    checks.append(&mut app.desk.health());
    if checks.len() == 1 {
        let feeds = app.desk.gauges().feeds;
        let (up, all) = (feeds.iter().filter(|feed| feed.connected).count(), feeds.len());
        checks.push(HealthCheck {
            name: "feeds",
            ok: up > 0,
            required: true,
            detail: format!("{up} of {all} connected"),
            detail_ko: Some(format!("{all}개 중 {up}개 연결됨")),
        });
    }
    checks
}

pub(super) fn metrics(app: &App, _: &Call) -> Result<Answer, Problem> {
    let page = app.metrics.page(&app.live, &app.desk.gauges(), &app.about.version);
    Ok(Answer::of(metrics::KIND, page))
}
