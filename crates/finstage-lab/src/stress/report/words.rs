//! Every fixed word of a report, in both languages side by side: one that lacks the other does not compile.

use super::Language;

macro_rules! words {
    ($($name:ident: $english:literal, $korean:literal;)*) => {
        /// The words of a report in one language.
        pub(super) struct Words {
            $(pub(super) $name: &'static str,)*
        }

        const ENGLISH: Words = Words { $($name: $english,)* };
        const KOREAN: Words = Words { $($name: $korean,)* };
    };
}

/// The words of a language.
pub(super) const fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Korean => &KOREAN,
    }
}

words! {
    title: "Load test", "부하 시험";
    kind_http: "requests", "요청";
    kind_burst: "bursts", "버스트";
    kind_ws: "WebSocket", "WebSocket";
    start: "Start", "시작";
    duration: "Duration", "소요 시간";
    sent: "Sent", "전체 요청";
    ok: "Good answers", "성공";
    failed: "Failed", "실패";
    rate_limited: "Rate limit hits", "속도 제한";
    shed: "Never left", "보내지 못함";
    rps: "Mean rate", "평균 RPS";
    per_second: "/s", "/초";

    latency: "Latency", "지연 시간";
    since_due: "since due", "예정 시각부터";
    since_sent: "since sent", "전송 시각부터";
    mean: "Mean", "평균";
    std: "Deviation", "표준편차";
    max: "Longest", "최대";
    count: "Answers", "응답 수";
    latency_note: "Since due: from the moment a request should have left, so that a server that stands still cannot hide it. Since sent: from when it did.",
        "예정 시각부터: 요청을 보냈어야 할 시각부터 잰 값으로, 서버가 멈춘 시간이 가려지지 않습니다. 전송 시각부터: 실제로 보낸 시각부터 잰 값입니다.";

    phases: "Where the time goes", "구간별 시간";
    phase: "Part", "구간";
    queue: "Waiting for a connection", "연결 대기";
    dns: "Name", "이름 조회";
    connect: "Connecting", "연결";
    tls: "TLS", "TLS";
    upgrade: "WebSocket handshake", "WebSocket 협상";
    first_byte: "First byte", "첫 바이트";
    body: "Body", "본문";

    errors: "Errors", "오류 분포";
    error: "Error", "오류";
    number: "Number", "건수";
    share: "Share", "비율";
    no_errors: "None.", "없음.";

    endpoints: "Endpoints", "엔드포인트";
    endpoint: "Endpoint", "엔드포인트";

    messages: "Streams", "스트림";
    connections: "Connections, open at once", "연결 수, 동시 최대";
    ramp: "Until all were open", "모두 열리기까지";
    received: "Messages", "메시지";
    bytes: "Bytes", "바이트";
    message_latency: "Latency of messages p50 / p99", "메시지 지연 p50 / p99";
    connect_time: "Opening p50 / p95 / p99", "연결 시간 p50 / p95 / p99";
    clock: "Clock of the server, ±", "서버 시계 차이, ±";
    reconnects: "Reconnects", "재연결";
    missed: "Missed / repeated / unread", "누락 / 반복 / 해독 불가";
    memory_each: "Memory a connection", "연결당 메모리";

    quota: "What the server counted", "서버가 센 사용량";
    first_429: "First refusal after", "첫 거부까지";
    retry_after: "Longest Retry-After", "최장 Retry-After";
    banned: "Banned after", "차단까지";

    thresholds: "Thresholds", "기준";
    threshold: "Threshold", "기준";
    measured: "Measured", "측정값";
    holds: "holds", "충족";
    broken: "BROKEN", "미달";

    findings: "Findings", "진단";
    no_findings: "Nothing stands out.", "눈에 띄는 문제가 없습니다.";
    high: "high", "높음";
    medium: "medium", "중간";
    low: "low", "낮음";
    info: "info", "참고";

    generator: "This machine", "부하 생성기";
    lag: "Own delay p50 / p99", "자체 지연 p50 / p99";
    cpu: "Processor, per answer", "CPU, 응답당";
    memory: "Memory", "메모리";
    opened: "Connections, opened again", "연결, 다시 연 연결";
    descriptors: "Files open, of", "열린 파일, 한도";
    bound: "Seconds in which it was the limit", "생성기가 한계였던 시간";
    under_way: "Under way, by rate × time", "진행 중, 속도 × 시간";

    settings: "Settings", "설정";
    over_time: "Latency over time", "시간별 지연";
    distribution: "Latency by percentile", "백분위 지연 분포";
    rates: "Rate over time", "시간별 처리량";
    in_flight: "Under way over time", "시간별 진행 중 요청";
    open_over_time: "Open connections over time", "시간별 열린 연결";
    due: "due", "예정";
    good: "good", "성공";
    bad: "failed", "실패";
    refused: "refused", "거부";
    not_sent: "never left", "보내지 못함";
    bound_band: "shaded: this machine was the limit", "음영: 부하 생성기가 한계";
    percentile_note: "Each step to the right is ten times rarer.", "오른쪽으로 한 칸마다 열 배 드뭅니다.";
    made: "Made by {by}. Percentiles are of an HdrHistogram with three digits; nothing is averaged.",
        "{by} 작성. 백분위수는 유효 숫자 3자리 HdrHistogram에서 구했으며 평균하지 않았습니다.";
}
