//! Where time goes: slow as a whole, one endpoint beside the others, a tail.

use super::super::figures::{count, time};
use super::super::{EndpointOutcome, Phase};
use super::{Both, Found, Outcome, Severity, percents, share};

/// A mean above this is felt.
const SLOW_MS: f64 = 500.0;
/// An endpoint this many times slower than the others, and by so many ms, stands out.
const ENDPOINT_TIMES: f64 = 2.0;
const ENDPOINT_MS: f64 = 2.0;
/// Fewer answers of an endpoint say nothing.
const ENDPOINT_ANSWERS: u64 = 20;
/// An endpoint that fails so often, and so many times as often as the others.
const FAILING: f64 = 0.05;
const FAILING_TIMES: f64 = 3.0;
/// A tail this many times above the median, and by so many ms.
const TAIL_TIMES: f64 = 10.0;
const TAIL_MS: f64 = 10.0;
/// With fewer answers the 99th percentile is a handful of them.
const FEW: u64 = 1_000;

pub(super) fn slow(outcome: &Outcome) -> Vec<Found> {
    let Some(mean) = outcome.latency.mean_ms.filter(|mean| *mean > SLOW_MS) else {
        return Vec::new();
    };
    let mean_text = time(mean);
    let (where_en, where_ko) = longest_phase(outcome);
    vec![Found {
        what: "slow",
        severity: Severity::Medium,
        figure: "mean_ms".into(),
        value: mean,
        bound: SLOW_MS,
        text: Both::new(
            format!("An answer took {mean_text} on average{where_en}."),
            format!("응답에 평균 {mean_text}가 걸렸습니다{where_ko}."),
        ),
        advice: Some(Both::new(
            format!(
                "The mean is {mean_text}: put a CDN or an edge location between, or a server nearer to those who ask."
            ),
            format!(
                "평균이 {mean_text}입니다. CDN이나 엣지, 또는 사용자에 가까운 서버를 사용하십시오."
            ),
        )),
    }]
}

/// Which part of a request is the longest.
fn longest_phase(outcome: &Outcome) -> (String, String) {
    let means = outcome.phases.iter().filter_map(|(phase, times)| Some((phase, times.mean_ms?)));
    let Some((phase, mean)) = means.max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return Default::default();
    };
    let (en, ko) = match phase {
        Phase::Queue => ("waiting for a connection", "연결 대기"),
        Phase::Dns => ("looking the name up", "이름 조회"),
        Phase::Connect => ("connecting", "연결"),
        Phase::Tls => ("the handshake of TLS", "TLS 협상"),
        Phase::Upgrade => ("the handshake of the WebSocket", "WebSocket 협상"),
        Phase::FirstByte => ("waiting for the first byte", "첫 바이트 대기"),
        Phase::Body => ("reading the body", "본문 수신"),
    };
    let mean = time(mean);
    (format!("; the longest part is {en} ({mean})"), format!(", 가장 긴 부분은 {ko}({mean})"))
}

pub(super) fn slow_endpoint(outcome: &Outcome) -> Vec<Found> {
    let median =
        |e: &EndpointOutcome| e.latency.p50_ms.filter(|_| e.latency.count >= ENDPOINT_ANSWERS);
    let tail =
        |e: &EndpointOutcome| e.latency.p95_ms.filter(|_| e.latency.count >= 5 * ENDPOINT_ANSWERS);
    let by_median = standing_out(outcome, &median).map(|found| (found, "p50"));
    // Slow now and then: the median does not see it.
    let Some(((endpoint, own, others), name)) =
        by_median.or_else(|| Some((standing_out(outcome, &tail)?, "p95")))
    else {
        return Vec::new();
    };
    let times = own / others.max(0.001);
    let (own_text, others_text, endpoint) = (time(own), time(others), &endpoint.name);
    vec![Found {
        what: "slow_endpoint",
        severity: if times >= 5.0 { Severity::High } else { Severity::Medium },
        figure: format!("endpoints[{endpoint}].{name}_ms"),
        value: own,
        bound: ENDPOINT_TIMES * others,
        text: Both::new(
            format!(
                "{endpoint} is {times:.1} times slower than the others: {name} {own_text}, theirs {others_text}."
            ),
            format!(
                "{endpoint}이(가) 다른 엔드포인트보다 {times:.1}배 느립니다. {name} {own_text}, 나머지 {others_text}."
            ),
        ),
        advice: Some(Both::new(
            format!(
                "Look at {endpoint} first ({name} {own_text}): an index, a cache, or a pool of its own, so that it does not hold up the rest."
            ),
            format!(
                "{endpoint}({name} {own_text})부터 확인하십시오. 인덱스나 캐시를 쓰거나 풀을 분리해 나머지를 막지 않게 하십시오."
            ),
        )),
    }]
}

/// The endpoint that is farthest above the middle of the others, its figure and theirs.
fn standing_out<'a>(
    outcome: &'a Outcome,
    figure: &dyn Fn(&EndpointOutcome) -> Option<f64>,
) -> Option<(&'a EndpointOutcome, f64, f64)> {
    let all: Vec<_> = outcome.endpoints.iter().filter_map(|e| Some((e, figure(e)?))).collect();
    let (endpoint, own) = *all.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let mut others: Vec<f64> =
        all.iter().filter(|(e, _)| e.name != endpoint.name).map(|(_, figure)| *figure).collect();
    others.sort_by(f64::total_cmp);
    let others = *others.get(others.len() / 2)?;
    (own >= ENDPOINT_TIMES * others && own >= others + ENDPOINT_MS)
        .then_some((endpoint, own, others))
}

pub(super) fn failing_endpoint(outcome: &Outcome) -> Vec<Found> {
    let lost = |e: &EndpointOutcome| e.failed.saturating_sub(e.rate_limited);
    let [all_lost, all_sent] =
        outcome.endpoints.iter().fold([0, 0], |[l, s], e| [l + lost(e), s + e.sent]);
    let stands_out = outcome.endpoints.iter().filter(|e| {
        let (own, others) = (share(lost(e), e.sent), share(all_lost - lost(e), all_sent - e.sent));
        e.sent >= ENDPOINT_ANSWERS
            && all_sent > e.sent
            && own > FAILING
            && own > FAILING_TIMES * others
    });
    stands_out
        .map(|e| {
            let (lost, sent, name) = (count(lost(e)), count(e.sent), &e.name);
            let part = share(e.failed - e.rate_limited, e.sent);
            let (en, ko) = percents(part);
            Found {
                what: "failing_endpoint",
                severity: Severity::Medium,
                figure: format!("endpoints[{name}].failed"),
                value: (e.failed - e.rate_limited) as f64,
                bound: FAILING * e.sent as f64,
                text: Both::new(
                    format!("{name} fails more than the others: {lost} of {sent} ({en})."),
                    format!(
                        "{name}의 실패가 다른 엔드포인트보다 많습니다: {sent}건 중 {lost}건({ko})."
                    ),
                ),
                advice: Some(Both::new(
                    format!("Look at {name} first: {en} of its answers are errors."),
                    format!("{name}부터 확인하십시오. 응답의 {ko}가 오류입니다."),
                )),
            }
        })
        .collect()
}

pub(super) fn tail(outcome: &Outcome) -> Vec<Found> {
    let (Some(p50), Some(p99)) = (outcome.latency.p50_ms, outcome.latency.p99_ms) else {
        return Vec::new();
    };
    if p99 < TAIL_TIMES * p50 || p99 < p50 + TAIL_MS || super::stalls(&outcome.slices).is_some() {
        return Vec::new();
    }
    let (times, p50_text, p99_text) = (p99 / p50, time(p50), time(p99));
    vec![Found {
        what: "tail",
        severity: if times > 30.0 { Severity::Medium } else { Severity::Low },
        figure: "p99_ms".into(),
        value: p99,
        bound: TAIL_TIMES * p50,
        text: Both::new(
            format!(
                "One in a hundred takes {times:.0} times as long as the median: p99 {p99_text}, p50 {p50_text}."
            ),
            format!(
                "백에 하나는 중앙값의 {times:.0}배가 걸립니다: p99 {p99_text}, p50 {p50_text}."
            ),
        ),
        advice: Some(Both::new(
            format!(
                "The mean hides a p99 of {p99_text}: look for pauses (garbage, locks, disk), queues and cold caches; hedge reads after the p95."
            ),
            format!(
                "평균에 가려진 p99가 {p99_text}입니다. 멈춤(GC, 잠금, 디스크), 대기열, 차가운 캐시를 확인하고, 조회는 p95 이후 이중 요청하십시오."
            ),
        )),
    }]
}

/// Not said of short bursts that were refused: only where a percentile is printed.
pub(super) fn few(outcome: &Outcome) -> Vec<Found> {
    let answers = outcome.latency.count;
    if answers == 0 || answers >= FEW {
        return Vec::new();
    }
    let (text, beyond) = (count(answers), count((answers / 100).max(1)));
    vec![Found {
        what: "few_answers",
        severity: Severity::Info,
        figure: "count".into(),
        value: answers as f64,
        bound: FEW as f64,
        text: Both::new(
            format!(
                "p99 is of {text} answers: {beyond} of them lie beyond it, so chance decides it."
            ),
            format!(
                "p99는 응답 {text}건으로 구했습니다. 그 너머는 {beyond}건뿐이므로 우연에 좌우됩니다."
            ),
        ),
        advice: None,
    }]
}
