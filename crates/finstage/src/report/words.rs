//! Every fixed word of a report, in both languages side by side: one that lacks the other does not
//! compile. `{name}` is a place to fill; the order of places is the language's own.

use finstage_model::{CardVerdict, ClaimKind, Direction, Grade, Interval, Reason};
use finstage_notify::korean_reason;

/// A language that reports are written in. Text form: `en` or `ko`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl std::str::FromStr for Language {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "en" => Ok(Self::En),
            "ko" => Ok(Self::Ko),
            _ => Err("write \"en\" or \"ko\""),
        }
    }
}

impl Language {
    /// The words of this language.
    #[must_use]
    pub const fn words(self) -> &'static Words {
        match self {
            Self::En => &ENGLISH,
            Self::Ko => &KOREAN,
        }
    }

    /// The one of two texts that is in this language.
    pub(super) const fn pick(self, english: &'static str, korean: &'static str) -> &'static str {
        match self {
            Self::En => english,
            Self::Ko => korean,
        }
    }
}

macro_rules! words {
    ($($name:ident: $english:literal, $korean:literal;)*) => {
        /// The words of a report in one language.
        #[derive(Debug)]
        pub struct Words {
            $(pub(super) $name: &'static str,)*
        }

        const ENGLISH: Words = Words { $($name: $english,)* };
        const KOREAN: Words = Words { $($name: $korean,)* };

        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str, &str)] =
            &[$((stringify!($name), $english, $korean),)*];
    };
}

words! {
    title: "Daily report", "일일 보고서";
    scope: "{venues}; {count} instruments", "{venues}, 종목 {count}개";
    scope_one: "{venues}; 1 instrument", "{venues}, 종목 1개";
    scope_none: "no instruments", "종목 없음";
    span: "{from} to {until}, {zone}", "{from} ~ {until}, {zone}";
    not_over: "The day is not over: this is what is known so far.",
        "하루가 아직 끝나지 않았습니다. 지금까지 확인된 내용입니다.";
    simulated: "Simulated: this folder was made by `finstage demo` and tells nothing of real markets.",
        "모의 데이터: `finstage demo`로 만든 폴더이며 실제 시장에 대한 내용이 아닙니다.";
    as_recorded: "Cards, deliveries and chains are as the store has them now.",
        "근거 카드, 전송 상태, 해시 사슬은 현재 저장된 값입니다.";

    market: "Market", "시장";
    symbol: "Instrument", "종목";
    close: "Last close", "종가";
    change: "Day", "전일 대비";
    high: "High", "고가";
    low: "Low", "저가";
    from_record: "From highest close", "최고 종가 대비";
    record_note: "Highest daily close known; in brackets its day. Adjusted for splits and dividends where factors are stored.",
        "저장된 일봉 기준 최고 종가이며 괄호 안은 그 날짜입니다. 조정계수가 저장된 종목은 분할·배당을 반영했습니다.";
    part: "{symbol}: stored bars cover {share} of the day, from {from} to {until}; high and low are of that time alone.",
        "{symbol}: 저장된 봉이 하루의 {share}만 포함합니다 ({from} ~ {until}). 고가와 저가는 이 시간만의 값입니다.";
    short_part: "bars of {share} of the day, from {from}", "하루의 {share} 봉만 있음, {from}부터";
    no_bars: "no bars on this day; last {close} on {date}", "당일 봉 없음, 마지막 {close} ({date})";
    no_bars_ever: "no bars are stored", "저장된 봉 없음";
    no_instruments: "No instrument is watched and no bars are stored.", "감시 중인 종목과 저장된 봉이 없습니다.";
    more: "and {count} more", "외 {count}개";

    signals: "Signals", "거래 신호";
    no_signals: "No signal was said.", "발생한 신호가 없습니다.";
    verified_title: "Verified", "검증된 신호";
    none_verified: "No signal of this day was verified.", "당일 검증된 신호는 없습니다.";
    rest_title: "All others, by strategy", "그 밖의 신호 (전략별)";
    rest_note: "None of these is proven. The edge to expect is shrunken by how the whole library did; before costs.",
        "위 신호는 입증된 것이 아닙니다. 기대 우위는 전체 전략의 성과로 축소 추정한 값이며 비용 전입니다.";
    strategy: "Strategy", "전략";
    said: "Said", "발생";
    where_said: "On", "대상";
    verdict: "Verdict", "판정";
    evidence_column: "Evidence", "근거";
    hit_rate: "Hit rate", "적중률";
    base_rate: "Base rate", "기준 적중률";
    sample: "Sample", "표본 수";
    to_expect: "Edge to expect", "기대 우위";
    interval: "95 %", "95% 신뢰구간";
    line_of_signal: "{symbol} at {price}, {bars} bars, {time}: {words}", "{symbol} {price}, {bars} 봉, {time}: {words}";
    proof_occasions: "After {horizon}, {hit} of {n_eff} separate occasions ({n} signals) went this way (95 %: {low} to {high}); of any bars {base}.",
        "{horizon} 후 독립 사례 {n_eff}건(신호 {n}건) 중 {hit}가 이 방향이었습니다 (95% 신뢰구간 {low} ~ {high}). 임의의 봉에서는 {base}.";
    proof_edge: "Net edge {net} (95 %: {low} to {high}); q {q} with {family} things tried; evidence {age} days old, card {card}.",
        "순우위 {net} (95% 신뢰구간 {low} ~ {high}), {family}건 시험 반영 q {q}, 근거 작성 후 {age}일, 카드 {card}.";
    sizes_title: "Larger moves than usual", "평소보다 큰 변동";
    size_line: "{symbol} {strategy}: larger moves than usual ({times}) within {horizon}, direction unknown; {n_eff} separate occasions.",
        "{symbol} {strategy}: {horizon} 안에 평소보다 큰 변동({times}), 방향은 알 수 없음, 독립 사례 {n_eff}건.";
    card_gone: "card no longer in force", "카드 효력 종료";

    alerts: "Alerts", "알림";
    no_alerts: "No alert was sent, and none was withheld.", "보낸 알림과 보류한 알림이 없습니다.";
    alerts_forgotten: "Alerts before {since} are no longer kept (`retention.said`): what is counted here and in the last 7 days is from then on.",
        "{since} 이전의 알림은 더 이상 보관하지 않습니다 (`retention.said`). 당일과 최근 7일은 그 이후만 셉니다.";
    signals_forgotten: "Signals before {since} are no longer kept (`retention.said`): what is counted here is from then on.",
        "{since} 이전의 신호는 더 이상 보관하지 않습니다 (`retention.said`). 그 이후만 셉니다.";
    none_sent: "No alert was sent.", "보낸 알림이 없습니다.";
    sent: "Decided to send", "전송 결정";
    delivered: "Delivered", "전송 완료";
    queued: "Waiting", "대기 중";
    kept: "Kept, no channel", "보관 (채널 없음)";
    failed: "Failed", "실패";
    expired: "Too old to send", "기한 만료";
    withheld: "Withheld", "보류";
    withheld_why: "Withheld, and why", "보류 사유";
    why: "Why", "사유";
    this_day: "This day", "당일";
    seven_days: "Last 7 days", "최근 7일";
    share_withheld: "Share withheld", "보류 비율";
    of_count: "{share} of {count}", "{count}건 중 {share}";
    held_title: "Held back, by channel", "채널별 보류";
    held_line: "{channel}: held {count} ({why})", "{channel}: 보류 {count}건 ({why})";
    held_reason: "{count} {why}", "{why} {count}건";

    outcomes: "Outcomes that became known", "결과가 확인된 신호";
    no_outcomes: "No outcome of an earlier signal became known: no data.",
        "이전 신호의 결과 중 당일 확인된 것이 없습니다. 데이터 없음.";
    horizon: "After", "기간";
    occasions: "Occasions", "독립 사례";
    mean_net: "Mean after costs", "비용 후 평균";
    outcome_live: "Live signals only.", "실시간 신호만 집계합니다.";
    outcome_simulated: "Simulated signals only.", "모의 신호만 집계합니다.";
    outcome_note: "Return in the declared direction, after {cost} a side; the interval counts separate occasions.",
        "예상 방향 기준 수익률이며 편도 비용 {cost}를 뺐습니다. 신뢰구간은 독립 사례 수로 계산합니다.";
    few: "fewer than 30 occasions: says little", "사례 30건 미만, 의미 제한적";
    no_data: "no data", "데이터 없음";

    evidence: "Evidence in force", "유효한 근거";
    no_cards: "Nothing was measured yet. `finstage verify --symbols …` tests strategies on stored bars.",
        "아직 측정된 근거가 없습니다. `finstage verify --symbols …`로 저장된 봉에서 전략을 검증할 수 있습니다.";
    claim: "Claim", "주장";
    nothing_proven: "Nothing in {count} tests of direction is proven: a normal result. The smallest edge we could have seen: {edges}.",
        "방향 검정 {count}건 중 입증된 것은 없습니다. 흔한 결과입니다. 감지할 수 있었던 최소 우위: {edges}.";
    some_proven: "{proven} of {count} tests of direction are proven.", "방향 검정 {count}건 중 {proven}건이 입증되었습니다.";
    one_edge: "{horizon} on {interval} bars {edge}", "{horizon} 후 {edge} ({interval} 봉)";
    none: "none", "없음";
    expiring: "Expire within 7 days", "7일 이내 만료";
    expires_line: "{strategy} after {horizon} ({scope}), {verdict}: {date}", "{strategy} {horizon} ({scope}), {verdict}: {date}";
    muted: "Muted", "중지된 전략";
    muted_line: "{strategy}: live outcomes no longer look like the evidence.", "{strategy}: 실제 결과가 근거와 더 이상 맞지 않습니다.";
    none_muted: "No strategy is muted.", "중지된 전략이 없습니다.";

    data: "Data", "데이터 품질";
    no_holes: "No bar is missing in {series} series.", "시계열 {series}개에서 빠진 봉이 없습니다.";
    begun: "Begun within the day, with nothing stored of the time before: {list}.",
        "당일 중에 시작하여 그 이전은 저장되어 있지 않음: {list}.";
    no_series: "No series has bars near this day.", "당일 전후의 봉이 있는 시계열이 없습니다.";
    series: "Series", "시계열";
    present: "Bars", "봉";
    missing: "Missing", "누락";
    first_hole: "First hole", "첫 누락 구간";
    withheld_for_data: "Signals withheld because data could not be trusted: {list}.", "데이터를 신뢰할 수 없어 보류한 신호: {list}.";
    none_withheld_for_data: "No signal was withheld for its data.", "데이터 문제로 보류한 신호가 없습니다.";

    track: "Track record", "신호 기록";
    trials: "Trials", "시험 기록";
    track_note: "Posted before the outcomes of the signals above are known. `finstage track-record verify FILE --head HASH` checks any later export against it.",
        "위 신호의 결과가 알려지기 전에 공개됩니다. 이후 내보낸 기록은 `finstage track-record verify FILE --head HASH`로 대조할 수 있습니다.";
    no_head: "empty", "비어 있음";

    glossary: "Words", "용어";
    disclaimer: "What this is not", "유의 사항";
    next: "Next report: {at}.", "다음 보고서: {at}.";
    no_next: "Reports are not sent (report.daily = \"off\").", "보고서 자동 전송이 꺼져 있습니다 (report.daily = \"off\").";
    made_by: "Made by finstage {version}. Statements about prices, no advice.", "finstage {version} 작성. 가격에 대한 진술이며 투자 조언이 아닙니다.";
    not_advice: "Statements about past prices. Not advice.", "과거 가격에 대한 진술이며 투자 조언이 아닙니다.";
    details: "All details: finstage report daily --date {date} --format html -o report.html", "자세한 내용: finstage report daily --date {date} --format html -o report.html";
    short_signals: "{total} said: {verified} verified, {unproven} unproven, {rejected} rejected, {withheld} withheld.",
        "{total}건 발생: 검증됨 {verified}, 미입증 {unproven}, 기각 {rejected}, 보류 {withheld}.";
    short_alerts: "{delivered} delivered, {failed} failed, {expired} too old, {withheld} withheld. Last 7 days: {share} withheld.",
        "전송 {delivered}, 실패 {failed}, 만료 {expired}, 보류 {withheld}. 최근 7일 보류: {share}.";
    short_outcome: "{horizon} {verdict}: {hits} of {n} hit, separate occasions {occasions} (95 %: {low} to {high}), base rate {base}, mean after costs {mean}.",
        "{horizon} {verdict}: {n}건 중 {hits}건 적중, 독립 사례 {occasions}건 (95% 신뢰구간 {low} ~ {high}), 기준 적중률 {base}, 비용 후 평균 {mean}.";
    short_track_one: "{entries} entry, head ", "{entries}개 항목, 최신 해시 ";
    short_track: "{entries} entries, head ", "{entries}개 항목, 최신 해시 ";
    short_missing: "Bars missing: {missing}, in {series} of {all} series.", "시계열 {all}개 중 {series}개에서 봉 {missing}개 누락.";
    short_cards: "Cards in force: {cards}. {verified} verified, {unproven} unproven, {rejected} rejected.",
        "유효 카드 {cards}장: 검증됨 {verified}, 미입증 {unproven}, 기각 {rejected}.";
}

impl Language {
    /// What the words of a report mean: word and meaning.
    // a table: one line a word
    pub(super) const fn glossary(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::En => &[
                (
                    "Verified",
                    "proven on past data: enough separate occasions, better than random entry after costs, not explained by the number of ideas tested.",
                ),
                ("Unproven", "nothing proves it and nothing refutes it. The usual case."),
                ("Rejected", "the data speak against it, or costs eat it."),
                (
                    "Withheld",
                    "the data at that moment could not be trusted, so nothing is claimed.",
                ),
                ("Hit rate", "share of signals after which the price moved the declared way."),
                ("Base rate", "the same share of any bars: what chance alone gives."),
                (
                    "Occasion",
                    "signals that do not overlap in time. Ten signals on one day are about one occasion.",
                ),
                (
                    "q",
                    "the share of false discoveries to be expected if this were accepted, given everything ever tried.",
                ),
                (
                    "Card",
                    "all figures about one strategy, group of instruments and horizon. It expires after 90 days.",
                ),
            ],
            Self::Ko => &[
                (
                    "검증됨",
                    "과거 데이터로 입증됨. 독립 사례가 충분하고, 비용을 뺀 뒤에도 무작위 진입보다 나으며, 시험한 아이디어 수로 설명되지 않습니다.",
                ),
                ("미입증", "입증도 반증도 되지 않음. 가장 흔한 경우입니다."),
                ("기각", "데이터가 반대되거나 비용이 우위를 넘어섭니다."),
                ("보류", "당시 데이터를 신뢰할 수 없어 아무것도 주장하지 않습니다."),
                ("적중률", "신호 이후 가격이 예상 방향으로 움직인 비율."),
                ("기준 적중률", "임의의 봉에서의 같은 비율. 우연만으로 나오는 값입니다."),
                (
                    "독립 사례",
                    "기간이 겹치지 않는 신호. 하루에 나온 신호 열 건은 대략 한 사례입니다.",
                ),
                (
                    "q",
                    "지금까지 시험한 모든 것을 감안해, 이를 받아들일 때 예상되는 거짓 발견의 비율.",
                ),
                ("카드", "전략·종목군·기간 하나에 대한 모든 수치. 90일이 지나면 만료됩니다."),
            ],
        }
    }

    /// What a report cannot say.
    // a table: one line a limit
    pub(super) const fn limits(self) -> &'static [&'static str] {
        match self {
            Self::En => &[
                "These are statements about prices. Nothing here is advice to buy, sell or hold anything.",
                "Only past data was looked at; what held may end.",
                "The list of instruments is today's: those that failed are missing, which flatters what buys.",
                "Conventional parameters were chosen by others, with hindsight.",
                "Published effects lost 26 % out of sample and 58 % after publication (McLean and Pontiff 2016).",
                "Costs are one fraction a side; taxes, borrowing and the effect of large orders are not in it.",
            ],
            Self::Ko => &[
                "가격에 대한 진술일 뿐이며, 매수·매도·보유를 권하는 조언이 아닙니다.",
                "과거 데이터만 살펴보았습니다. 지금까지 성립한 것도 끝날 수 있습니다.",
                "종목 목록은 현재 기준입니다. 사라진 종목이 빠져 있어 매수 전략이 실제보다 좋아 보일 수 있습니다.",
                "관례적인 매개변수는 다른 사람들이 사후에 고른 값입니다.",
                "발표된 효과는 표본 밖에서 26%, 발표 후 58% 줄었습니다 (McLean, Pontiff 2016).",
                "비용은 편도 비율 하나로 계산합니다. 세금, 대차 비용, 대량 주문의 영향은 포함하지 않습니다.",
            ],
        }
    }

    pub(crate) const fn direction(self, direction: Direction) -> &'static str {
        match direction {
            Direction::Long => self.pick("▲ bullish", "▲ 상승"),
            Direction::Short => self.pick("▼ bearish", "▼ 하락"),
        }
    }

    pub(super) const fn claim(self, claim: ClaimKind) -> &'static str {
        match claim {
            ClaimKind::Direction => self.pick("direction", "방향"),
            ClaimKind::Size => self.pick("size of moves", "변동 크기"),
        }
    }

    pub(super) const fn card_verdict(self, verdict: CardVerdict) -> &'static str {
        self.verdict(verdict.as_str())
    }

    /// A verdict on a signal, by its machine word.
    pub(crate) const fn verdict(self, word: &'static str) -> &'static str {
        match word.as_bytes() {
            b"verified" => self.pick("verified", "검증됨"),
            b"unproven" => self.pick("unproven", "미입증"),
            b"rejected" => self.pick("rejected", "기각"),
            b"withheld" => self.pick("withheld", "보류"),
            b"pending" => self.pick("not judged yet", "판정 대기"),
            _ => word,
        }
    }

    pub(super) const fn grade(self, grade: Grade) -> &'static str {
        match grade {
            Grade::Promising => self.pick("promising", "유망하나 우연으로 설명됨"),
            Grade::NoEdgeSeen => self.pick("no edge seen", "우위 없음"),
            Grade::TooLittleData => self.pick("too little data", "데이터 부족"),
            Grade::Inconclusive => self.pick("inconclusive", "판단 불가"),
            Grade::CostExceedsEdge => self.pick("cost exceeds edge", "비용이 우위 초과"),
            Grade::WrongDirection => self.pick("wrong direction", "반대 방향"),
        }
    }

    /// Why a signal is not verified.
    pub(crate) const fn reason(self, reason: Reason) -> &'static str {
        match self {
            Self::En => reason.words(),
            Self::Ko => korean_reason(reason),
        }
    }

    /// What became of an alert, by its machine word; an unknown word stays as it is.
    pub(crate) fn alert_status(self, word: &str) -> String {
        let words = self.words();
        let known = match word {
            "delivered" => words.delivered,
            "queued" => words.queued,
            "kept" => words.kept,
            "failed" => words.failed,
            "expired" => words.expired,
            "withheld" => words.withheld,
            other => other,
        };
        known.to_owned()
    }

    /// Why an alert was not sent, by its machine word; an unknown word stays as it is.
    pub(crate) fn withheld(self, word: &str) -> String {
        let known = match word {
            "cooldown" => {
                self.pick("the same rule alerted shortly before", "같은 규칙의 최근 알림과 중복")
            }
            "muted" => self.pick("muted by the user", "사용자가 일시 중지함"),
            "quiet_hours" => self.pick("in the quiet hours", "조용한 시간"),
            "other_chat" => self.pick("a watch of another chat", "다른 대화방의 감시"),
            "channel_cap" => {
                self.pick("beyond the channel's hourly cap", "채널의 시간당 한도 초과")
            }
            "channel_level" => {
                self.pick("the channel wants verified signals", "채널이 검증된 신호만 받음")
            }
            "hourly_budget" => self.pick("the hourly budget was used up", "시간당 알림 한도 초과"),
            "not_verified" => self.pick("not verified", "검증되지 않음"),
            "data" => self.pick("its data could not be trusted", "데이터 신뢰 불가"),
            "drift" => self.pick("the strategy is muted", "중지된 전략"),
            other => return other.to_owned(),
        };
        known.to_owned()
    }

    /// A length of time such as `1h` or `1mo`, as people of the language write it.
    pub(super) const fn interval(self, interval: Interval) -> &'static str {
        let korean = match interval {
            Interval::M1 => "1분",
            Interval::M5 => "5분",
            Interval::M15 => "15분",
            Interval::M30 => "30분",
            Interval::H1 => "1시간",
            Interval::H4 => "4시간",
            Interval::D1 => "1일",
            Interval::W1 => "1주",
            Interval::Mo1 => "1개월",
        };
        match self {
            Self::En => interval.as_str(),
            Self::Ko => korean,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn places(pattern: &str) -> BTreeSet<&str> {
        pattern.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn both_languages_fill_the_same_places() {
        for (name, english, korean) in PAIRS {
            assert_eq!(places(english), places(korean), "{name}");
            assert!(!english.is_empty() && !korean.is_empty(), "{name}");
        }
        assert_eq!(Language::En.glossary().len(), Language::Ko.glossary().len());
        assert_eq!(Language::En.limits().len(), Language::Ko.limits().len());
    }

    #[test]
    fn no_word_of_a_report_says_what_to_do() {
        for (name, english, korean) in PAIRS {
            for advice in ["buy ", "sell ", "recommend", "should "] {
                assert!(!english.contains(advice), "{name}: {english}");
            }
            assert!(!korean.contains("추천"), "{name}: {korean}");
        }
    }
}
