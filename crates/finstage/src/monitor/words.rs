//! What people are told when a limit is passed, and when that is over.

use std::time::Duration;

use finstage_store::records::{Notice, NoticeKind, NoticeStyle, NoticeText};

use super::thresholds::{Rule, Severity, Side, Turn};
use crate::report::Language;

/// A message that is older is not sent: the next one says how it is then.
const MAX_AGE: Duration = Duration::from_secs(6 * 3_600);

/// The notice of a turn.
pub(super) fn notice(
    turn: &Turn,
    rule: &Rule,
    (language, now): (Language, finstage_model::Timestamp),
) -> Notice {
    let kind = match turn.severity {
        Some(Severity::Critical) => NoticeKind::Critical,
        _ => NoticeKind::Threshold,
    };
    let state = turn.severity.map_or("over", |severity| match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    });
    let id = kind.id(&format!("{} {state} {}", turn.rule, now.nanos()));
    let line = |style, text: String| vec![NoticeText::new(style, text)];
    let (title, text) = words(turn, rule, language);
    let lines = vec![line(NoticeStyle::Bold, title), line(NoticeStyle::Plain, text)];
    Notice { id, kind, said_at: now, max_age: MAX_AGE, lines }
}

/// A title and a sentence.
pub(super) fn words(turn: &Turn, rule: &Rule, language: Language) -> (String, String) {
    let number = |value: f64| format!("{value:.1} {}", rule.unit);
    let (value, limit) = (number(turn.value), number(turn.limit));
    let is_above = rule.side == Side::Above;
    let since = turn.since;
    match (language, turn.severity) {
        (Language::En, Some(severity)) => {
            let word = if severity == Severity::Critical { "Critical" } else { "Warning" };
            let side = if is_above { "above" } else { "below" };
            (format!("{word}: {}", rule.what), format!("{value}, {side} {limit}, since {since}"))
        }
        (Language::En, None) => {
            (format!("Over: {}", rule.what), format!("{value}, within {limit} again since {since}"))
        }
        (Language::Ko, Some(severity)) => {
            let word = if severity == Severity::Critical { "심각" } else { "경고" };
            let side = if is_above { "초과" } else { "미만" };
            (
                format!("{word}: {}", korean(rule.name)),
                format!("{value}, 기준 {limit} {side}, {since}부터"),
            )
        }
        (Language::Ko, None) => (
            format!("해소: {}", korean(rule.name)),
            format!("{value}, 기준 {limit} 이내로 복귀, {since}부터"),
        ),
    }
}

fn korean(name: &str) -> &str {
    match name {
        "cpu" => "프로세서",
        "memory" => "메모리",
        "disk" => "디스크",
        "errors" => "응답 실패율",
        "response" => "응답 시간",
        "cache" => "캐시 적중률",
        other => other,
    }
}
