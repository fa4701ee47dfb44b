//! What people are told of the service: checks of readiness, a limit that is passed, and when that is over.

use std::time::Duration;

use finstage_model::Timestamp;
use finstage_store::records::{Notice, NoticeKind, NoticeStyle, NoticeText};
use jiff::tz::TimeZone;

use super::thresholds::{Rule, Severity, Side, Turn};
use crate::report::{Language, on_the_wall};
use crate::serving::language_code;

/// A message that is older is not sent: the next one says how it is then.
const MAX_AGE: Duration = Duration::from_secs(6 * 3_600);

/// Who reads it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reader {
    pub(super) language: Language,
    pub(super) zone: TimeZone,
}

/// The notice of a turn.
pub(super) fn notice(turn: &Turn, rule: &Rule, (reader, now): (&Reader, Timestamp)) -> Notice {
    let kind = match turn.severity {
        Some(Severity::Critical) => NoticeKind::Critical,
        _ => NoticeKind::Threshold,
    };
    let state = turn.severity.map_or("over", |severity| match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    });
    // Each reader has the words of its own.
    let zone = reader.zone.iana_name().unwrap_or_default();
    let language = language_code(reader.language);
    let id = kind.id(&format!("{} {state} {} {language} {zone}", turn.rule, now.nanos()));
    let line = |style, text: String| vec![NoticeText::new(style, text)];
    let (title, text) = words(turn, rule, reader);
    let lines = vec![line(NoticeStyle::Bold, title), line(NoticeStyle::Plain, text)];
    Notice { id, kind, said_at: now, max_age: MAX_AGE, lines }
}

/// A title and a sentence.
pub(super) fn words(turn: &Turn, rule: &Rule, reader: &Reader) -> (String, String) {
    let number = |value: f64| format!("{value:.1} {}", rule.unit);
    let (value, limit) = (turn.value.map(number), number(turn.limit));
    let since = on_the_wall(turn.since, &reader.zone, "%Y-%m-%d %H:%M %Z");
    let Some(value) = value else {
        return match reader.language {
            Language::En => (
                format!("Over: {}", rule.what),
                format!("there was nothing to measure since {since}"),
            ),
            Language::Ko => {
                (format!("해소: {}", korean(rule.name)), format!("{since}부터 측정할 값이 없음"))
            }
        };
    };
    let is_above = rule.side == Side::Above;
    match (reader.language, turn.severity) {
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

/// What checks of readiness say.
#[derive(Debug)]
pub(super) struct HealthWords {
    pub(super) fetching: &'static str,
    pub(super) takes_writes: &'static str,
    pub(super) no_write: &'static str,
    pub(super) moves: &'static str,
    pub(super) stands: &'static str,
    pub(super) nothing_written: &'static str,
    pub(super) connected: &'static str,
    pub(super) nothing_from: &'static str,
    pub(super) closed: &'static str,
    pub(super) deliver: &'static str,
    pub(super) gave_up: &'static str,
    pub(super) free: &'static str,
    pub(super) not_known: &'static str,
    pub(super) stopped: &'static str,
    pub(super) runs: &'static str,
    pub(super) failed_one: &'static str,
    pub(super) failed: &'static str,
}

pub(super) const fn health_words(language: Language) -> &'static HealthWords {
    match language {
        Language::En => &ENGLISH,
        Language::Ko => &KOREAN,
    }
}

const ENGLISH: HealthWords = HealthWords {
    fetching: "history is being fetched",
    takes_writes: "takes writes",
    no_write: "took no write lately",
    moves: "moves on disk",
    stands: "did not move on disk since {at}",
    nothing_written: "nothing was written yet",
    connected: "{heard} of {all} connected",
    nothing_from: "; nothing from {venues}",
    closed: "; the markets are closed",
    deliver: "{all} of {all} deliver",
    gave_up: "{count} of {all} gave up: {name}: {why}",
    free: "{gib} GiB free",
    not_known: "not known here",
    stopped: "stopped",
    runs: "runs",
    failed_one: "runs; 1 task failed for good",
    failed: "runs; {dead} tasks failed for good",
};

const KOREAN: HealthWords = HealthWords {
    fetching: "과거 데이터를 받는 중",
    takes_writes: "쓰기 정상",
    no_write: "최근 쓰기가 되지 않음",
    moves: "디스크에 기록 중",
    stands: "{at} 이후 디스크에 기록되지 않음",
    nothing_written: "아직 기록 없음",
    connected: "{all}개 중 {heard}개 연결됨",
    nothing_from: "; 수신 없음: {venues}",
    closed: "; 휴장 중",
    deliver: "{all}개 모두 전송 가능",
    gave_up: "{all}개 중 {count}개 중단: {name}: {why}",
    free: "{gib} GiB 남음",
    not_known: "이 시스템에서는 알 수 없음",
    stopped: "멈춤",
    runs: "동작 중",
    failed_one: "동작 중; 최종 실패한 작업 1개",
    failed: "동작 중; 최종 실패한 작업 {dead}개",
};

/// The name of a check, for people.
pub(crate) fn check_name(name: &str, language: Language) -> &str {
    match (language, name) {
        (Language::En, name) => name,
        (Language::Ko, "started") => "시작",
        (Language::Ko, "records") => "기록",
        (Language::Ko, "store") => "저장소",
        (Language::Ko, "journal") => "저널",
        (Language::Ko, "feeds") => "시세",
        (Language::Ko, "notifiers") => "알림 채널",
        (Language::Ko, "disk") => "디스크",
        (Language::Ko, "scheduler") => "작업 일정",
        (Language::Ko, other) => other,
    }
}
