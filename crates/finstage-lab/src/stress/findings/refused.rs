//! Where a server said no: limits, bans, and what it counts.

use super::super::figures::{count, moment, rate};
use super::{Both, Found, Outcome, Severity, percents, share};

/// More than this is why a test went as it did.
const MANY: f64 = 0.10;
/// More than this is worth a cache.
const SOME: f64 = 0.05;
/// Of a documented limit, more than this is near it.
const NEAR: f64 = 0.8;
/// Binance counts this much weight a minute by address (its API documentation, November 2026).
const WEIGHT_1M: (&str, u64) = ("x-mbx-used-weight-1m", 6_000);

pub(super) fn rate_limited(outcome: &Outcome) -> Vec<Found> {
    if outcome.rate_limited == 0 {
        return Vec::new();
    }
    let part = share(outcome.rate_limited, outcome.sent);
    let (severity, bound) = match part {
        part if part > MANY => (Severity::High, MANY),
        part if part > SOME => (Severity::Medium, SOME),
        _ => (Severity::Low, SOME),
    };
    let ((en, ko), refused) = (percents(part), count(outcome.rate_limited));
    let sent = count(outcome.sent);
    let first = outcome.quota.first_429_s.map(moment);
    let first_en = first.as_ref().map_or(String::new(), |s| format!(", the first after {s}"));
    let first_ko = first.as_ref().map_or(String::new(), |s| format!(", 첫 거부는 {s} 후"));
    let passed = outcome.rps * share(outcome.ok, outcome.sent);
    let (all, passed) = (rate(outcome.rps), rate(passed));
    let wait = outcome.quota.retry_after_s.map(moment);
    let wait_en =
        wait.as_ref().map_or(String::new(), |s| format!(" Wait as long as it says ({s}).",));
    let wait_ko = wait
        .as_ref()
        .map_or(String::new(), |s| format!(" 서버가 알린 시간({s})만큼 기다리십시오."));
    vec![Found {
        what: "rate_limit",
        severity,
        figure: "rate_limited".into(),
        value: outcome.rate_limited as f64,
        bound: bound * outcome.sent as f64,
        text: Both::new(
            format!("{refused} of {sent} requests ({en}) were refused for their rate{first_en}."),
            format!("요청 {sent}건 중 {refused}건({ko})이 속도 제한으로 거부되었습니다{first_ko}."),
        ),
        advice: (part > SOME).then(|| {
            Both::new(
                format!(
                    "{en} of requests hit the limit: cache answers that do not change and ask for \
                     several things at once; of {all}/s about {passed}/s passed.{wait_en}"
                ),
                format!(
                    "요청의 {ko}가 제한에 걸렸습니다. 변하지 않는 응답은 캐시하고 여러 건을 한 번에 요청하십시오. \
                     초당 {all}건 중 약 {passed}건이 통과했습니다.{wait_ko}"
                ),
            )
        }),
    }]
}

pub(super) fn banned(outcome: &Outcome) -> Vec<Found> {
    let Some(at) = outcome.quota.banned_s else { return Vec::new() };
    let (after, refused) = (moment(at), count(outcome.rate_limited));
    let wait = outcome.quota.retry_after_s.map_or_else(|| "–".to_owned(), moment);
    vec![Found {
        what: "banned",
        severity: Severity::High,
        figure: "quota.banned_s".into(),
        value: at,
        bound: 0.0,
        text: Both::new(
            format!(
                "The server banned this address after {after} (418 or 403); nothing was sent after that."
            ),
            format!(
                "{after} 후 서버가 이 주소를 차단했습니다(418 또는 403). 그 뒤로는 보내지 않았습니다."
            ),
        ),
        advice: Some(Both::new(
            format!(
                "Send nothing until the ban is over (Retry-After {wait}), and stop at the first 429 from \
                 then on: {refused} were refused before and with the ban, and each later one lasts longer."
            ),
            format!(
                "차단이 끝날 때까지(Retry-After {wait}) 보내지 말고, 이후에는 첫 429에서 멈추십시오. \
                 차단까지 {refused}건이 거부되었으며 다음 차단은 더 길어집니다."
            ),
        )),
    }]
}

pub(super) fn used_weight(outcome: &Outcome) -> Vec<Found> {
    let used = outcome.quota.used.iter();
    used.map(|(name, &used)| {
        let limit = (name == WEIGHT_1M.0).then_some(WEIGHT_1M.1);
        let part = limit.map_or(0.0, |limit| share(used, limit));
        let (of_en, of_ko) = limit.map_or_else(Default::default, |limit| {
            let ((en, ko), limit) = (percents(part), count(limit));
            (format!(", {en} of the {limit} that are documented"), format!(", 문서상 한도 {limit}의 {ko}"))
        });
        let text = count(used);
        Found {
            what: "used_weight",
            severity: if part > NEAR { Severity::Medium } else { Severity::Info },
            figure: format!("quota.used.{name}"),
            value: used as f64,
            bound: limit.map_or(0.0, |limit| NEAR * limit as f64),
            text: Both::new(
                format!("The server counted up to {text} ({name}){of_en}."),
                format!("서버가 센 사용량은 최대 {text}입니다({name}){of_ko}."),
            ),
            advice: (part > NEAR).then(|| {
                Both::new(
                    format!("Leave room: {text} were used, and other programs on this address count too."),
                    format!("여유를 두십시오. {text}을 사용했으며 같은 주소의 다른 프로그램도 함께 계산됩니다."),
                )
            }),
        }
    })
    .collect()
}
