//! The words of alerts, a table for each language.

use finstage_model::{Objection, Reason};

/// Every word of an alert that people read, in one language. `{name}` is a place to fill.
#[derive(Debug)]
pub struct AlertWords {
    pub(super) repeat: &'static str,
    pub(super) bullish: &'static str,
    pub(super) bearish: &'static str,
    pub(super) large: &'static str,
    pub(super) watch: &'static str,
    pub(super) place_of_signal: &'static str,
    pub(super) place_of_watch: &'static str,
    pub(super) verified: &'static str,
    pub(super) unproven: &'static str,
    pub(super) rejected: &'static str,
    pub(super) withheld: &'static str,
    pub(super) size: &'static str,
    pub(super) occasions_of_size: &'static str,
    pub(super) edge_of_size: &'static str,
    pub(super) occasions: &'static str,
    pub(super) edge: &'static str,
    pub(super) too_few: &'static str,
    pub(super) edge_without_q: &'static str,
    pub(super) card: &'static str,
    pub(super) unknown: &'static str,
    pub(super) least: &'static str,
    pub(super) fact: &'static str,
    pub(super) data_age: &'static str,
    pub(super) delayed: &'static str,
    pub(super) data_ahead: &'static str,
    pub(super) millis: &'static str,
    pub(super) seconds: &'static str,
    pub(super) minutes: &'static str,
    pub(super) hours: &'static str,
    pub(super) days: &'static str,
    pub(super) note: &'static str,
    pub(super) moment: &'static str,
    pub(super) moment_utc: &'static str,
    pub(super) id: &'static str,
    pub(super) not_advice: &'static str,
    pub(super) reason: fn(Reason) -> &'static str,
}

impl AlertWords {
    /// English.
    pub const ENGLISH: Self = Self {
        repeat: "(may repeat an earlier message with the same id)",
        bullish: "▲ bullish {rule}",
        bearish: "▼ bearish {rule}",
        large: "◆ larger moves than usual expected ({times}), direction unknown: {rule}",
        watch: "● price watch {rule}",
        place_of_signal: "{symbol} at {price}, {interval} bars",
        place_of_watch: "{symbol} at {price}, compared with {base}",
        verified: "Evidence: proven on past data — this signal is VERIFIED by card {card}.",
        unproven: "Evidence: {reason} — this signal is UNPROVEN.",
        rejected: "Evidence: {reason} — this signal is REJECTED.",
        withheld: "Evidence: {reason} — this signal is WITHHELD.",
        size: "Evidence: larger moves are proven on past data — the size is VERIFIED by card {card}. The direction is \
           unknown: {reason}.",
        occasions_of_size: "Separate occasions: {n_eff} (signals: {n}). Within {horizon} the price moved {mean} either way, \
                        {times} the usual.",
        edge_of_size: "More than usual: {net} (95 %: {low} to {high}); q {q} with {m} things tried.",
        occasions: "Separate occasions: {n_eff} (signals: {n}). After {horizon} {hit} had gone this way (95 %: {low} \
                to {high}); of any bars {base}.",
        edge: "Mean after costs {mean}, against random entry {net} (95 %: {low} to {high}); q {q} with {m} things \
           tried.",
        too_few: "Separate occasions with {horizon} behind them: {n_eff} (signals: {n}), too few for figures.",
        edge_without_q: "Mean after costs {mean}; too few occasions to set it against random entry.",
        card: "The evidence is {age} old.",
        unknown: "unknown",
        least: "under 0.001",
        fact: "A fact about the price: it has no verdict.",
        data_age: "Data {age} old.",
        delayed: "Quotes delayed by {late}.",
        data_ahead: "Data stamped {age} ahead of our clock.",
        millis: "{n} ms",
        seconds: "{n} s",
        minutes: "{n} min",
        hours: "{n} h {m} min",
        days: "{n} d {m} h",
        note: "In plain words, by a model: {note}",
        moment: "{local} {zone} ({utc} UTC)",
        moment_utc: "{utc} UTC",
        id: "id ",
        not_advice: "Not advice.",
        reason: Reason::words,
    };

    /// Korean.
    pub const KOREAN: Self = Self {
        repeat: "(같은 id의 이전 알림이 반복된 것일 수 있음)",
        bullish: "▲ 상승 {rule}",
        bearish: "▼ 하락 {rule}",
        large: "◆ 평소보다 큰 변동 예상({times}), 방향 알 수 없음: {rule}",
        watch: "● 가격 감시 {rule}",
        place_of_signal: "{symbol} {price}, {interval} 봉",
        place_of_watch: "{symbol} {price}, 기준 {base}",
        verified: "근거: 과거 데이터로 입증됨 — 검증됨(VERIFIED), 카드 {card}.",
        unproven: "근거: {reason} — 미입증(UNPROVEN).",
        rejected: "근거: {reason} — 기각(REJECTED).",
        withheld: "근거: {reason} — 보류(WITHHELD).",
        size: "근거: 큰 변동이 과거 데이터로 입증됨 — 크기 검증됨(VERIFIED), 카드 {card}. 방향 알 수 없음: {reason}.",
        occasions_of_size: "독립 사례 {n_eff}건(신호 {n}건). {horizon} 동안 가격이 위나 아래로 {mean} 움직임, 평소의 {times}.",
        edge_of_size: "평소 대비 {net} (95 %: {low} ~ {high}); 시험한 것 {m}개 중 q {q}.",
        occasions: "독립 사례 {n_eff}건(신호 {n}건). {horizon} 뒤 {hit}가 이 방향 (95 %: {low} ~ {high}); 임의의 봉은 {base}.",
        edge: "비용 후 평균 {mean}, 무작위 진입 대비 {net} (95 %: {low} ~ {high}); 시험한 것 {m}개 중 q {q}.",
        too_few: "{horizon}이 지난 독립 사례 {n_eff}건(신호 {n}건): 수치를 내기에는 너무 적음.",
        edge_without_q: "비용 후 평균 {mean}; 무작위 진입과 비교하기에는 사례가 너무 적음.",
        card: "근거는 {age} 전의 것입니다.",
        unknown: "알 수 없음",
        least: "0.001 미만",
        fact: "가격에 대한 사실이며 판정은 없습니다.",
        data_age: "데이터 {age} 전.",
        delayed: "시세 {late} 지연.",
        data_ahead: "데이터 시각이 우리 시계보다 {age} 빠름.",
        millis: "{n} ms",
        seconds: "{n}초",
        minutes: "{n}분",
        hours: "{n}시간 {m}분",
        days: "{n}일 {m}시간",
        note: "모델이 쉽게 풀어 쓴 말: {note}",
        moment: "{local} {zone} ({utc} UTC)",
        moment_utc: "{utc} UTC",
        id: "id ",
        not_advice: "투자 조언이 아닙니다.",
        reason: korean_reason,
    };
}

/// Why a signal is not verified, in Korean.
#[must_use]
pub const fn korean_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoEvidence => "아직 측정되지 않음",
        Reason::StaleFeed => "데이터 수신 중단",
        Reason::Gap => "봉 누락 가능",
        Reason::WarmUp => "봉 부족",
        Reason::Card(objection) => korean_objection(objection),
        // What is not known here is said as the engine says it.
        _ => reason.words(),
    }
}

const fn korean_objection(objection: Objection) -> &'static str {
    match objection {
        Objection::FewEvents => "신호 30건 미만",
        Objection::FewClusters => "독립 사례 30건 미만",
        Objection::QAbove => "시험한 아이디어가 많아 우연으로 설명됨",
        Objection::ThresholdOfLook => "기준은 넘으나 승격 시점이 아님",
        Objection::IntervalIncludesZero => "순우위가 0일 수 있음",
        Objection::AbsoluteReturnNegative => "비용 후 가격이 그 방향으로 움직이지 않음",
        Objection::Faded => "마지막 3분의 1 기간에 우위 소멸",
        Objection::ExplainedByVolatility => "변동성으로 설명됨",
        Objection::SweptDsr => "탐색의 최선값이며 우연과 구분되지 않음",
        Objection::Data => "데이터 누락",
        Objection::Repaint => "이후 봉에 따라 신호가 바뀜",
        Objection::CostExceedsEdge => "비용이 우위를 초과",
        Objection::WrongDirection => "가격이 반대로 움직임",
        Objection::Expired => "근거가 90일을 넘음",
        Objection::Drift => "실제 결과가 근거와 더 이상 맞지 않음",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patterns of a table, by name, as its debug form shows them.
    fn patterns(words: &AlertWords) -> Vec<(String, Vec<String>)> {
        let shown = format!("{words:#?}");
        let lines = shown.lines().filter_map(|line| line.trim().split_once(": \""));
        let places = |text: &str| {
            let places = text.split('{').skip(1).filter_map(|rest| rest.split('}').next());
            let mut places: Vec<String> = places.map(str::to_owned).collect();
            places.sort();
            places
        };
        lines.map(|(name, text)| (name.to_owned(), places(text))).collect()
    }

    #[test]
    fn both_languages_fill_the_same_places() {
        let english = patterns(&AlertWords::ENGLISH);
        assert!(english.len() > 30, "{english:?}");
        assert_eq!(english, patterns(&AlertWords::KOREAN));
    }
}
