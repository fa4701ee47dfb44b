//! The service itself: its state, its reports, and who is signed in.

use finstage_store::records::SlowStatement;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::{Call, health};
use crate::answer::Answer;
use crate::app::App;
use crate::auth::CODE_LIFE;
use crate::desk::{Gauges, ReportAsked, ReportForm};
use crate::monitor::HealthCheck;
use crate::problem::Problem;
use crate::process;

/// A report is one page with its own style and nothing else; the dashboard shows it in a frame.
const REPORT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox";

#[derive(Serialize)]
struct System<'a> {
    version: &'a str,
    started_at: finstage_model::Timestamp,
    uptime_s: f64,
    now: finstage_model::Timestamp,
    timezone: &'a str,
    language: &'a str,
    kind: &'static str,
    checks: Vec<HealthCheck>,
    memory_bytes: Option<u64>,
    cpu_seconds: Option<f64>,
    records: Size,
    websocket: WebSocket,
    slow_statements: Vec<Slow>,
    #[serde(flatten)]
    gauges: Gauges,
}

#[derive(Serialize)]
struct Size {
    bytes: u64,
}

/// A statement of the records that took longer than `store.slow_query`.
#[derive(Serialize)]
struct Slow {
    hash: String,
    statement: String,
    count: u64,
    longest_ms: u64,
    plan: Vec<String>,
    reads_all_of: Vec<String>,
}

#[derive(Serialize)]
struct WebSocket {
    clients: usize,
    dropped: u64,
}

pub(super) fn show(app: &App, _: &Call) -> Result<Answer, Problem> {
    let now = app.clock.now();
    let gauges = app.desk.gauges();
    let dropped = app.metrics.dropped_clients.load(std::sync::atomic::Ordering::Relaxed);
    Ok(Answer::json(&System {
        version: &app.about.version,
        started_at: app.about.started_at,
        uptime_s: app.wall.now().since(app.about.started_at).as_secs_f64(),
        now,
        timezone: &app.about.timezone,
        language: &app.about.language,
        kind: app.desk.kind(),
        checks: health::checks(app),
        memory_bytes: process::memory_bytes(),
        cpu_seconds: process::cpu_seconds(),
        records: Size { bytes: gauges.records_bytes },
        slow_statements: app.records.slowest_explained()?.into_iter().map(slow).collect(),
        websocket: WebSocket { clients: app.hub.clients(), dropped },
        gauges,
    }))
}

fn slow(one: SlowStatement) -> Slow {
    let SlowStatement { statement, plan, reads_all_of } = one;
    let longest_ms = u64::try_from(statement.cost.longest.as_millis()).unwrap_or(u64::MAX);
    let count = statement.cost.slow;
    Slow { hash: statement.hash, statement: statement.text, count, longest_ms, plan, reads_all_of }
}

pub(super) fn report(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = app.desk.report(&ReportAsked {
        date: call.query.parsed("date"),
        format: match call.query.text("format") {
            Some("html") => ReportForm::Html,
            Some("text") => ReportForm::Text,
            _ => ReportForm::Json,
        },
        language: call.query.text("lang").map(str::to_owned),
    })?;
    Ok(match page.format {
        ReportForm::Json => Answer::of("application/json", page.text),
        ReportForm::Text => Answer::of("text/plain; charset=utf-8", page.text),
        ReportForm::Html => Answer::of("text/html; charset=utf-8", page.text)
            .with("content-security-policy", REPORT_POLICY)
            .with("x-frame-options", "SAMEORIGIN"),
    })
}

pub(super) fn login(app: &App, _: &Call) -> Result<Answer, Problem> {
    let now = app.wall.now();
    let code = app.keys.code(now)?;
    let mut answer = Answer::json(&json!({
        "url": format!("{}/?login={code}", app.about.url),
        "expires_at": now.plus(CODE_LIFE),
    }));
    answer.status = StatusCode::CREATED;
    Ok(answer)
}

/// The session that asks is ended where the request is read: here is nothing left to do.
pub(super) fn logout(app: &App, _: &Call) -> Result<Answer, Problem> {
    let secure = if app.about.is_tls { "; Secure" } else { "" };
    let cookie =
        format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{secure}", crate::auth::COOKIE);
    let mut answer = Answer::of("application/json", "").with("set-cookie", cookie);
    answer.status = StatusCode::NO_CONTENT;
    Ok(answer)
}
