//! Connections that stay open: what did not open, broke, or was left out.

use super::super::Messages;
use super::super::figures::{count, time};
use super::{Both, Found, Outcome, Severity, percents, share};

/// Messages left out: more than this is no accident of a reconnect.
const MISSED: f64 = 0.001;

pub(super) fn incomplete(outcome: &Outcome) -> Vec<Found> {
    let Some(m) = outcome.messages.as_ref().filter(|m| m.open < m.connections) else {
        return Vec::new();
    };
    let (open, asked, limit) =
        (count(m.open), count(m.connections), count(outcome.generator.descriptor_limit));
    vec![Found {
        what: "connections",
        severity: Severity::High,
        figure: "messages.open".into(),
        value: m.open as f64,
        bound: m.connections as f64,
        text: Both::new(
            format!("Of {asked} connections at most {open} were open at once."),
            format!("연결 {asked}개 중 동시에 열린 것은 최대 {open}개입니다."),
        ),
        advice: Some(Both::new(
            format!(
                "{open} of {asked} opened: look at the errors, at the server's limit of connections an address, and at this machine's files ({limit} allowed)."
            ),
            format!(
                "{asked}개 중 {open}개만 열렸습니다. 오류 내용, 서버의 주소별 연결 한도, 이 컴퓨터의 파일 한도({limit})를 확인하십시오."
            ),
        )),
    }]
}

pub(super) fn reconnects(outcome: &Outcome) -> Vec<Found> {
    let of = |m: &Messages| (m.reconnects > 0).then_some((m.reconnects, m.connections));
    let Some((again, connections)) = outcome.messages.as_ref().and_then(of) else {
        return Vec::new();
    };
    let (again_text, connections_text) = (count(again), count(connections));
    vec![Found {
        what: "reconnects",
        severity: if again > connections / 10 { Severity::Medium } else { Severity::Low },
        figure: "messages.reconnects".into(),
        value: again as f64,
        bound: (connections / 10) as f64,
        text: Both::new(
            format!(
                "{again_text} times one of {connections_text} connections broke and was opened again."
            ),
            format!("연결 {connections_text}개에서 {again_text}번 끊겨 다시 열었습니다."),
        ),
        advice: Some(Both::new(
            format!(
                "{again_text} connections broke: answer pings in time, read faster than the server writes, and fetch by REST what was missed meanwhile."
            ),
            format!(
                "연결이 {again_text}번 끊겼습니다. ping에 제때 답하고 서버가 쓰는 것보다 빨리 읽으며, 그동안 놓친 데이터는 REST로 채우십시오."
            ),
        )),
    }]
}

pub(super) fn gaps(outcome: &Outcome) -> Vec<Found> {
    let of =
        |m: &Messages| (m.missed + m.repeated > 0).then_some((m.missed, m.repeated, m.received));
    let Some((missed, repeated, received)) = outcome.messages.as_ref().and_then(of) else {
        return Vec::new();
    };
    let part = share(missed, missed + received);
    let ((en, ko), missed_text, repeated) = (percents(part), count(missed), count(repeated));
    vec![Found {
        what: "gaps",
        severity: if part > MISSED { Severity::High } else { Severity::Medium },
        figure: "messages.missed".into(),
        value: missed as f64,
        bound: MISSED * (missed + received) as f64,
        text: Both::new(
            format!(
                "The streams' own numbers left out {missed_text} messages ({en}) and repeated {repeated}."
            ),
            format!(
                "스트림 번호로 보아 메시지 {missed_text}건({ko})이 빠지고 {repeated}건이 반복되었습니다."
            ),
        ),
        advice: Some(Both::new(
            format!(
                "{missed_text} messages are missing: check numbers on every message, and fetch the holes."
            ),
            format!(
                "메시지 {missed_text}건이 빠졌습니다. 모든 메시지의 번호를 확인하고 빈 곳을 채우십시오."
            ),
        )),
    }]
}

pub(super) fn unread(outcome: &Outcome) -> Vec<Found> {
    let Some(m) = outcome.messages.as_ref().filter(|m| m.unread > 0) else { return Vec::new() };
    let (unread, received) = (count(m.unread), count(m.received));
    vec![Found {
        what: "unread",
        severity: Severity::Medium,
        figure: "messages.unread".into(),
        value: m.unread as f64,
        bound: 0.0,
        text: Both::new(
            format!("{unread} of {received} messages did not read."),
            format!("메시지 {received}건 중 {unread}건을 읽지 못했습니다."),
        ),
        advice: None,
    }]
}

/// Latency of messages stands and falls with two clocks.
pub(super) fn clock(outcome: &Outcome) -> Vec<Found> {
    let Some(m) = outcome.messages.as_ref().filter(|m| m.latency.count > 0) else {
        return Vec::new();
    };
    let p50 = m.latency.p50_ms.unwrap_or(0.0);
    let (value, english, korean) = match (m.clock_offset_ms, m.clock_error_ms) {
        (Some(_), Some(error)) if error <= p50 => return Vec::new(),
        (Some(_), Some(error)) => {
            let (error_text, p50) = (time(error), time(p50));
            (
                error,
                format!("The clocks are known to {error_text} only, and the median latency of messages is {p50}."),
                format!("두 시계의 차이는 ±{error_text}까지만 알 수 있는데 메시지 지연의 중앙값은 {p50}입니다."),
            )
        }
        _ => (
            0.0,
            "The server's clock could not be asked: the latency of messages contains the difference of the clocks.".to_owned(),
            "서버 시계를 물어볼 수 없어 메시지 지연에 두 시계의 차이가 들어 있습니다.".to_owned(),
        ),
    };
    vec![Found {
        what: "clock",
        severity: Severity::Info,
        figure: "messages.clock_error_ms".into(),
        value,
        bound: p50,
        text: Both::new(english, korean),
        advice: None,
    }]
}
