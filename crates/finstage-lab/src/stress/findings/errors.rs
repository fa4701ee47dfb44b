//! Where answers were errors, or did not come.

use super::super::figures::count;
use super::{Both, Found, Outcome, Severity, percents, share};

/// Timeouts: more than this costs answers.
const TIMEOUTS: f64 = 0.05;
/// Errors of other kinds: more than this is no accident.
const OTHERS: f64 = 0.01;

/// What kinds of errors are called: the name in the document says the kind.
fn is_reset(name: &str) -> bool {
    name.contains("Connection") || name.contains("Reset") || name.contains("Closed")
}

fn status(name: &str) -> Option<u16> {
    name.trim_start_matches("HTTP_").split('_').next()?.parse().ok()
}

/// How many of those whose name fits, and which of them is the most frequent.
fn total(outcome: &Outcome, fits: impl Fn(&str) -> bool) -> (u64, String) {
    let fitting = || outcome.errors.iter().filter(|(name, _)| fits(name));
    let most = fitting().max_by_key(|(_, count)| **count);
    (
        fitting().map(|(_, count)| count).sum(),
        most.map_or_else(String::new, |(name, _)| name.clone()),
    )
}

pub(super) fn unreachable(outcome: &Outcome) -> Vec<Found> {
    let (lost, most) = total(outcome, |name| is_reset(name) || name == "TimeoutError");
    if outcome.ok > 0 || lost < outcome.sent {
        return Vec::new();
    }
    let sent = count(outcome.sent);
    vec![Found {
        what: "unreachable",
        severity: Severity::High,
        figure: format!("errors.{most}"),
        value: lost as f64,
        bound: outcome.sent as f64,
        text: Both::new(
            format!("None of {sent} was answered ({most})."),
            format!("{sent}건 중 응답이 하나도 없습니다({most})."),
        ),
        advice: Some(Both::new(
            format!(
                "Ask {} once by hand: all {sent} ended in {most}, so load is not the cause.",
                outcome.target
            ),
            format!(
                "{}에 한 번 직접 요청해 보십시오. {sent}건이 모두 {most}로 끝났으므로 부하가 원인이 아닙니다.",
                outcome.target
            ),
        )),
    }]
}

pub(super) fn timeouts(outcome: &Outcome) -> Vec<Found> {
    let (lost, _) = total(outcome, |name| name == "TimeoutError");
    if lost == 0 || lost == outcome.sent {
        return Vec::new();
    }
    let part = share(lost, outcome.sent);
    let ((en, ko), lost_text, sent) = (percents(part), count(lost), count(outcome.sent));
    vec![Found {
        what: "timeout",
        severity: if part > TIMEOUTS { Severity::Medium } else { Severity::Low },
        figure: "errors.TimeoutError".into(),
        value: lost as f64,
        bound: TIMEOUTS * outcome.sent as f64,
        text: Both::new(
            format!("{lost_text} of {sent} ({en}) were not answered in time."),
            format!("{sent}건 중 {lost_text}건({ko})이 제시간에 응답하지 않았습니다."),
        ),
        advice: (part > TIMEOUTS).then(|| {
            Both::new(
                format!(
                    "{en} timed out: tune the pool of connections (its size, keep-alive), and look at what \
                     the slowest endpoint waits for."
                ),
                format!("{ko}가 시간을 넘겼습니다. 연결 풀(크기, keep-alive)을 조정하고 가장 느린 엔드포인트가 무엇을 기다리는지 확인하십시오."),
            )
        }),
    }]
}

pub(super) fn resets(outcome: &Outcome) -> Vec<Found> {
    let (lost, most) = total(outcome, is_reset);
    if lost == 0 || lost == outcome.sent {
        return Vec::new();
    }
    let part = share(lost, outcome.sent);
    let ((en, ko), lost_text, sent) = (percents(part), count(lost), count(outcome.sent));
    vec![Found {
        what: "reset",
        severity: if part > OTHERS { Severity::Medium } else { Severity::Low },
        figure: format!("errors.{most}"),
        value: lost as f64,
        bound: OTHERS * outcome.sent as f64,
        text: Both::new(
            format!("{lost_text} of {sent} ({en}) lost their connection ({most})."),
            format!("{sent}건 중 {lost_text}건({ko})의 연결이 끊겼습니다({most})."),
        ),
        advice: Some(Both::new(
            format!(
                "{lost_text} connections broke under load: look at the server's limits (backlog, descriptors, \
                 keep-alive timeout) and at what stands in front of it; repeat reads once, never orders."
            ),
            format!(
                "부하 중 연결 {lost_text}건이 끊겼습니다. 서버의 한도(backlog, 디스크립터, keep-alive 시간)와 앞단 장비를 확인하고, \
                 조회만 한 번 재시도하고 주문은 재시도하지 마십시오."
            ),
        )),
    }]
}

pub(super) fn server_errors(outcome: &Outcome) -> Vec<Found> {
    let is_ours = |name: &str| status(name).is_some_and(|status| status >= 500);
    of_status(outcome, is_ours, ("server_error", "The server failed", "서버 오류"), |n| {
        Both::new(
            format!(
                "The server failed {n} times: back off and stop asking for a while (a breaker), then look at its log."
            ),
            format!(
                "서버가 {n}번 실패했습니다. 간격을 늘리고 잠시 요청을 멈춘 뒤(차단기) 서버 로그를 확인하십시오."
            ),
        )
    })
}

pub(super) fn client_errors(outcome: &Outcome) -> Vec<Found> {
    let is_key = |name: &str| status(name) == Some(401);
    let is_other = |name: &str| {
        status(name).is_some_and(|s| (400..500).contains(&s) && ![401, 418, 429].contains(&s))
    };
    let mut all = of_status(
        outcome,
        is_key,
        ("unauthorized", "The key was refused", "인증 거부"),
        |n| {
            Both::new(
                format!(
                    "The key was refused {n} times: check the key, the signature and this machine's clock."
                ),
                format!("인증이 {n}번 거부되었습니다. 키, 서명, 이 컴퓨터의 시계를 확인하십시오."),
            )
        },
    );
    all.extend(of_status(outcome, is_other, ("client_error", "The request was refused as wrong", "잘못된 요청"), |n| {
        Both::new(
            format!("{n} requests were wrong: check path and parameters; what is refused early measures nothing."),
            format!("요청 {n}건이 잘못되었습니다. 경로와 매개변수를 확인하십시오. 바로 거부된 요청은 아무것도 측정하지 못합니다."),
        )
    }));
    all
}

fn of_status(
    outcome: &Outcome,
    fits: impl Fn(&str) -> bool,
    (what, english, korean): (&'static str, &str, &str),
    advice: impl Fn(String) -> Both,
) -> Vec<Found> {
    let (failed, most) = total(outcome, fits);
    if failed == 0 {
        return Vec::new();
    }
    let part = share(failed, outcome.sent);
    let (en, ko) = percents(part);
    vec![Found {
        what,
        severity: if part > OTHERS { Severity::Medium } else { Severity::Low },
        figure: format!("errors.{most}"),
        value: failed as f64,
        bound: OTHERS * outcome.sent as f64,
        text: Both::new(
            format!("{english}: {} of {} ({en}, {most}).", count(failed), count(outcome.sent)),
            format!("{korean}: {}건 중 {}건({ko}, {most}).", count(outcome.sent), count(failed)),
        ),
        advice: Some(advice(count(failed))),
    }]
}
