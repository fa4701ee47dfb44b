//! The table of codes. Sources: the venues' documentation as read in `feeds`, S4 §3.3, S0-30, S1-12, S2-07.

use super::{Code, Trouble};

/// What is not in the table.
pub(super) const UNKNOWN: Code = Code {
    source: "http",
    code: "?",
    kind: Trouble::Unknown,
    english: "an error that is not in the table: look at the answer itself",
    korean: "표에 없는 오류입니다: 응답 내용을 확인하세요",
};

const fn row(place: (&'static str, &'static str), kind: Trouble, words: [&'static str; 2]) -> Code {
    Code { source: place.0, code: place.1, kind, english: words[0], korean: words[1] }
}

/// All codes that are known.
#[rustfmt::skip]
pub const CODES: &[Code] = &[
    row(("net", "unreachable"), Trouble::Connection, [
        "the server cannot be reached: look at the network, the address and a firewall",
        "서버에 연결할 수 없습니다: 네트워크, 주소, 방화벽을 확인하세요",
    ]),
    row(("net", "broken"), Trouble::Connection, [
        "the connection broke before the answer was there",
        "응답을 받기 전에 연결이 끊어졌습니다",
    ]),
    row(("net", "timeout"), Trouble::Timeout, [
        "no answer in time: the server is slow, or something between holds the line",
        "시간 안에 응답이 없습니다: 서버가 느리거나 중간에서 막혀 있습니다",
    ]),
    row(("net", "protocol"), Trouble::Unreadable, [
        "the other side does not speak the protocol, or its certificate is not trusted: look at address and clock",
        "상대가 프로토콜에 맞지 않거나 인증서를 신뢰할 수 없습니다: 주소와 시계를 확인하세요",
    ]),
    row(("net", "too_large"), Trouble::Unreadable, [
        "the answer is larger than allowed: ask for less",
        "응답이 허용 크기를 넘었습니다: 요청 범위를 줄이세요",
    ]),
    row(("net", "refused"), Trouble::Server, [
        "the server refused to open a stream",
        "서버가 스트림 연결을 거부했습니다",
    ]),
    row(("net", "invalid"), Trouble::BadRequest, [
        "the request cannot be sent as written: look at address and headers",
        "요청을 보낼 수 없습니다: 주소와 헤더를 확인하세요",
    ]),
    row(("net", "limited"), Trouble::RateLimited, [
        "not sent: the server asked for a rest",
        "보내지 않았습니다: 서버가 대기를 요청했습니다",
    ]),
    row(("net", "resting"), Trouble::Server, [
        "not sent: the server failed too often and is left alone for a moment",
        "보내지 않았습니다: 서버 오류가 잦아 잠시 쉽니다",
    ]),
    row(("net", "denied"), Trouble::Unauthorized, [
        "no token for these credentials: look at key and secret",
        "토큰을 받을 수 없습니다: 앱키와 시크릿을 확인하세요",
    ]),
    row(("http", "400"), Trouble::BadRequest, [
        "the server does not understand the request",
        "서버가 요청을 이해하지 못했습니다",
    ]),
    row(("http", "401"), Trouble::Unauthorized, [
        "the key is missing, wrong or ended: look at it, make a new one where it ended",
        "키가 없거나 잘못되었거나 만료되었습니다: 확인하고 만료되었으면 재발급하세요",
    ]),
    row(("http", "403"), Trouble::Unauthorized, [
        "the key does not allow this, or a firewall in front refuses: look at its rights and addresses",
        "권한이 없거나 방화벽이 거부했습니다: 키 권한과 허용 IP를 확인하세요",
    ]),
    row(("http", "404"), Trouble::NoData, [
        "there is nothing under this address or symbol",
        "해당 주소나 종목에 데이터가 없습니다",
    ]),
    row(("http", "408"), Trouble::Timeout, [
        "the server waited too long for the request",
        "서버가 요청을 기다리다 시간이 초과되었습니다",
    ]),
    row(("http", "413"), Trouble::BadRequest, [
        "the request is too large: ask for fewer at once",
        "요청이 너무 큽니다: 한 번에 더 적게 요청하세요",
    ]),
    row(("http", "418"), Trouble::Banned, [
        "shut out for a while: nothing is sent before the ban ends",
        "일정 시간 차단되었습니다: 해제 전까지 보내지 않습니다",
    ]),
    row(("http", "429"), Trouble::RateLimited, [
        "too many requests: wait as long as the server says",
        "요청이 너무 많습니다: 서버가 알린 시간만큼 기다립니다",
    ]),
    row(("http", "4*"), Trouble::BadRequest, [
        "the server refuses the request",
        "서버가 요청을 거부했습니다",
    ]),
    row(("http", "500"), Trouble::Internal, [
        "the server failed on this request",
        "서버가 이 요청을 처리하지 못했습니다",
    ]),
    row(("http", "502"), Trouble::Server, [
        "the gateway does not reach the server behind it",
        "게이트웨이가 뒤쪽 서버에 닿지 못했습니다",
    ]),
    row(("http", "503"), Trouble::Server, [
        "the server is overloaded or maintained",
        "서버가 과부하이거나 점검 중입니다",
    ]),
    row(("http", "504"), Trouble::Server, [
        "the gateway had no answer in time",
        "게이트웨이가 시간 안에 응답을 받지 못했습니다",
    ]),
    row(("http", "5*"), Trouble::Server, [
        "the server is down",
        "서버에 장애가 있습니다",
    ]),
    row(("http", "html"), Trouble::Unreadable, [
        "a page for people instead of data: something in front of the server answers",
        "데이터 대신 웹 페이지가 왔습니다: 서버 앞단이 응답했습니다",
    ]),
    row(("http", "999"), Trouble::RateLimited, [
        "blocked for too many requests, for minutes up to hours",
        "요청이 많아 수 분에서 수 시간 차단되었습니다",
    ]),
    row(("kis", "0"), Trouble::Harmless, [
        "done",
        "정상 처리되었습니다",
    ]),
    row(("kis", "1"), Trouble::Unknown, [
        "refused without a code: rt_cd 1 says nothing, look at msg_cd",
        "코드 없이 거부되었습니다: rt_cd 1로는 알 수 없으니 msg_cd를 보세요",
    ]),
    row(("kis", "7"), Trouble::NoData, [
        "there is nothing of what was asked for",
        "조회된 데이터가 없습니다",
    ]),
    row(("kis", "EGW00103"), Trouble::Unauthorized, [
        "the app key is not valid: look at app_key",
        "유효하지 않은 앱키입니다: app_key를 확인하세요",
    ]),
    row(("kis", "EGW00105"), Trouble::Unauthorized, [
        "the app secret is not valid: look at app_secret",
        "유효하지 않은 앱시크릿입니다: app_secret을 확인하세요",
    ]),
    row(("kis", "EGW00121"), Trouble::TokenExpired, [
        "the token is not valid: a new one is fetched",
        "유효하지 않은 토큰입니다: 새로 발급합니다",
    ]),
    row(("kis", "EGW00123"), Trouble::TokenExpired, [
        "the token has ended: a new one is fetched",
        "만료된 토큰입니다: 새로 발급합니다",
    ]),
    row(("kis", "EGW00133"), Trouble::TokenTooSoon, [
        "one token a minute: the next one comes after it",
        "토큰은 1분에 한 번만 발급됩니다: 1분 뒤에 다시 발급합니다",
    ]),
    row(("kis", "EGW00201"), Trouble::RateLimited, [
        "too many calls in a second",
        "초당 거래건수를 초과했습니다",
    ]),
    row(("kis", "EGW00304"), Trouble::Unauthorized, [
        "the check of the customer failed: look at app key and secret",
        "고객 확인에 실패했습니다: 앱키와 앱시크릿을 확인하세요",
    ]),
    row(("kis", "IGW*"), Trouble::Server, [
        "the gateway does not reach the server behind it",
        "게이트웨이가 뒤쪽 서버에 닿지 못했습니다",
    ]),
    row(("kis", "OPSQ*"), Trouble::BadRequest, [
        "refused for its content: look at symbol and parameters",
        "요청 내용이 거부되었습니다: 종목과 매개변수를 확인하세요",
    ]),
    row(("kis", "MCA00000"), Trouble::Harmless, [
        "done",
        "정상 처리되었습니다",
    ]),
    row(("kis", "MCA*"), Trouble::BadRequest, [
        "refused for its content: look at symbol and market hours",
        "요청 내용이 거부되었습니다: 종목과 장 운영 시간을 확인하세요",
    ]),
    row(("kis", "OPSP0000"), Trouble::Harmless, [
        "subscribed",
        "구독되었습니다",
    ]),
    row(("kis", "OPSP0001"), Trouble::Harmless, [
        "unsubscribed",
        "구독이 해지되었습니다",
    ]),
    row(("kis", "OPSP0002"), Trouble::Harmless, [
        "subscribed already",
        "이미 구독 중입니다",
    ]),
    row(("kis", "OPSP0003"), Trouble::Harmless, [
        "was not subscribed",
        "구독 중이 아닙니다",
    ]),
    row(("kis", "OPSP0007"), Trouble::Internal, [
        "the server failed on this subscription",
        "서버가 구독을 처리하지 못했습니다",
    ]),
    row(("kis", "OPSP0008"), Trouble::BadRequest, [
        "too many subscriptions in one session: at most 41",
        "한 세션의 구독 한도(41개)를 넘었습니다",
    ]),
    row(("kis", "OPSP0011"), Trouble::TokenExpired, [
        "the approval key is not valid: a new one is fetched",
        "유효하지 않은 승인키입니다: 새로 발급합니다",
    ]),
    row(("kis", "OPSP8996"), Trouble::SessionHeld, [
        "another session holds the key: end it, or wait until the server lets go of it",
        "다른 세션이 앱키를 사용 중입니다: 종료하거나 해제될 때까지 기다리세요",
    ]),
    row(("kis", "OPSP*"), Trouble::BadRequest, [
        "the stream refuses the command",
        "스트림이 명령을 거부했습니다",
    ]),
    row(("binance", "-1000"), Trouble::Unknown, [
        "an error that the venue does not name",
        "거래소가 밝히지 않은 오류입니다",
    ]),
    row(("binance", "-1001"), Trouble::Internal, [
        "the venue lost the connection inside itself",
        "거래소 내부 연결 오류입니다",
    ]),
    row(("binance", "-1002"), Trouble::Unauthorized, [
        "not allowed with this key",
        "이 키로는 허용되지 않습니다",
    ]),
    row(("binance", "-1003"), Trouble::RateLimited, [
        "too much weight used in this minute",
        "이번 분의 요청 가중치를 초과했습니다",
    ]),
    row(("binance", "-1006"), Trouble::UnknownOutcome, [
        "nobody knows whether it was done: ask before sending it again",
        "처리 여부를 알 수 없습니다: 다시 보내기 전에 조회하세요",
    ]),
    row(("binance", "-1007"), Trouble::UnknownOutcome, [
        "nobody knows whether it was done: ask before sending it again",
        "처리 여부를 알 수 없습니다: 다시 보내기 전에 조회하세요",
    ]),
    row(("binance", "-1008"), Trouble::Server, [
        "the venue is overloaded",
        "거래소가 과부하 상태입니다",
    ]),
    row(("binance", "-1015"), Trouble::RateLimited, [
        "too many new orders",
        "신규 주문이 너무 많습니다",
    ]),
    row(("binance", "-1021"), Trouble::Clock, [
        "the clocks differ: set this machine's clock",
        "시계가 맞지 않습니다: 이 컴퓨터의 시계를 맞추세요",
    ]),
    row(("binance", "-1022"), Trouble::Unauthorized, [
        "the signature is wrong: look at the secret, and sign exactly what is sent",
        "서명이 잘못되었습니다: 시크릿을 확인하고 보내는 내용 그대로 서명하세요",
    ]),
    row(("binance", "-1034"), Trouble::RateLimited, [
        "too many connections",
        "연결이 너무 많습니다",
    ]),
    row(("binance", "-11*"), Trouble::BadRequest, [
        "a parameter is wrong: look at symbol, interval and limits",
        "매개변수가 잘못되었습니다: 종목, 주기, 개수를 확인하세요",
    ]),
    row(("binance", "-1121"), Trouble::NoData, [
        "there is no such symbol",
        "없는 종목입니다",
    ]),
    row(("binance", "-2014"), Trouble::Unauthorized, [
        "the key is malformed",
        "키 형식이 잘못되었습니다",
    ]),
    row(("binance", "-2015"), Trouble::Unauthorized, [
        "the key, its addresses or its rights are wrong",
        "키, 허용 IP 또는 권한이 잘못되었습니다",
    ]),
    row(("binance", "403"), Trouble::RateLimited, [
        "the firewall in front of the venue refuses: slower",
        "거래소 방화벽이 거부했습니다: 더 천천히 요청하세요",
    ]),
    row(("binance", "serverShutdown"), Trouble::Harmless, [
        "the venue ends this stream soon: another one is opened before",
        "곧 스트림이 종료됩니다: 미리 새로 연결합니다",
    ]),
    row(("kraken", "EAPI:Rate limit exceeded"), Trouble::RateLimited, [
        "too many calls: the counter decays with time",
        "호출이 너무 많습니다: 시간이 지나면 회복됩니다",
    ]),
    row(("kraken", "EGeneral:Too many requests"), Trouble::RateLimited, [
        "too many requests from this address",
        "이 주소의 요청이 너무 많습니다",
    ]),
    row(("kraken", "EService: Throttled*"), Trouble::RateLimited, [
        "throttled until the time it names",
        "표시된 시각까지 제한됩니다",
    ]),
    row(("kraken", "EService:*"), Trouble::Server, [
        "the service is not available or busy",
        "서비스를 사용할 수 없거나 혼잡합니다",
    ]),
    row(("kraken", "EQuery:Unknown asset pair"), Trouble::NoData, [
        "there is no such pair",
        "없는 종목입니다",
    ]),
    row(("kraken", "EAPI:Invalid*"), Trouble::Unauthorized, [
        "the key or the signature is wrong",
        "키 또는 서명이 잘못되었습니다",
    ]),
    row(("kraken", "Exceeded msg rate"), Trouble::RateLimited, [
        "too many messages on the stream",
        "스트림 메시지가 너무 많습니다",
    ]),
    row(("coinbase", "Public rate limit exceeded"), Trouble::RateLimited, [
        "too many requests from this address",
        "이 주소의 요청이 너무 많습니다",
    ]),
    row(("yahoo", "401"), Trouble::TokenExpired, [
        "the crumb is not known any more: a new one is fetched",
        "크럼이 만료되었습니다: 새로 가져옵니다",
    ]),
    row(("yahoo", "429"), Trouble::RateLimited, [
        "too many requests: blocks last for minutes up to hours",
        "요청이 너무 많습니다: 수 분에서 수 시간 제한됩니다",
    ]),
    row(("tardis", "429"), Trouble::RateLimited, [
        "too many requests: at least 60 s of rest",
        "요청이 너무 많습니다: 60초 이상 쉽니다",
    ]),
    row(("telegram", "401"), Trouble::Unauthorized, [
        "the bot's token is wrong: ask BotFather",
        "봇 토큰이 잘못되었습니다: BotFather에서 확인하세요",
    ]),
    row(("telegram", "403"), Trouble::Unauthorized, [
        "the bot was blocked, or /start was never sent to it",
        "봇이 차단되었거나 /start를 보내지 않았습니다",
    ]),
    row(("telegram", "429"), Trouble::RateLimited, [
        "too many messages: wait retry_after",
        "메시지가 너무 많습니다: retry_after만큼 기다립니다",
    ]),
    row(("openai", "invalid_api_key"), Trouble::Unauthorized, [
        "the key is wrong: keys begin with sk- and have no blanks",
        "키가 잘못되었습니다: sk-로 시작하고 공백이 없어야 합니다",
    ]),
    row(("openai", "rate_limit_exceeded"), Trouble::RateLimited, [
        "requests or tokens of this minute are used up",
        "이번 분의 요청 또는 토큰을 모두 썼습니다",
    ]),
    row(("openai", "insufficient_quota"), Trouble::Spent, [
        "the account's credit is used up: asking again does not help",
        "계정 잔액이 소진되었습니다: 다시 요청해도 소용없습니다",
    ]),
    row(("openai", "credit_balance_exhausted"), Trouble::Spent, [
        "the account's credit is used up: asking again does not help",
        "계정 잔액이 소진되었습니다: 다시 요청해도 소용없습니다",
    ]),
    row(("openai", "server_error"), Trouble::Internal, [
        "the server failed on this request",
        "서버가 이 요청을 처리하지 못했습니다",
    ]),
    row(("openai", "model_not_found"), Trouble::BadRequest, [
        "there is no such model for this key",
        "이 키로 쓸 수 없는 모델입니다",
    ]),
    row(("news", "403"), Trouble::RateLimited, [
        "a check for people stands in front of the feed: slower, or not at all",
        "피드 앞에 사람 확인 절차가 있습니다: 더 천천히 요청하세요",
    ]),
];
