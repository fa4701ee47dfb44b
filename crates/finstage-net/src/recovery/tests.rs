use super::*;

fn kind(source: &str, code: &str) -> Trouble {
    look_up(source, code).kind
}

#[test]
fn every_pattern_of_the_broker_has_its_severity_actions_repetitions_and_wait() {
    use Action::{Fail, Notify, Renew, Rest, Retry, Wait};
    let seconds = |seconds: f64| Pause::For(Duration::from_secs_f64(seconds));
    type Row = (&'static str, &'static str, Severity, &'static [Action], u32, Pause);
    let rows: [Row; 10] = [
        ("kis", "EGW00201", Severity::Medium, &[Wait, Retry], 5, Pause::Growing),
        ("kis", "EGW00123", Severity::Low, &[Renew, Retry], 1, Pause::None),
        ("net", "unreachable", Severity::Low, &[Wait, Retry], 3, seconds(1.0)),
        ("net", "timeout", Severity::Low, &[Wait, Retry], 2, seconds(0.5)),
        ("kis", "EGW00103", Severity::High, &[Notify, Fail], 0, Pause::None),
        ("http", "400", Severity::High, &[Fail], 0, Pause::None),
        ("kis", "IGW00007", Severity::Medium, &[Rest, Wait, Retry], 3, seconds(5.0)),
        ("http", "500", Severity::Medium, &[Wait, Retry], 5, seconds(2.0)),
        ("kis", "7", Severity::Low, &[Notify], 0, Pause::None),
        ("kis", "nothing known", Severity::Medium, &[Notify], 0, Pause::None),
    ];
    for (source, code, severity, actions, retries, pause) in rows {
        let expected = Plan { severity, actions, retries, pause };
        assert_eq!(look_up(source, code).kind.plan(), expected, "{source} {code}");
    }
    let waits = |trouble: Trouble| trouble.plan().policy().delays().collect::<Vec<_>>();
    assert_eq!(waits(Trouble::Server), [Duration::from_secs(5); 3]);
    assert_eq!(waits(Trouble::Timeout), [Duration::from_millis(500); 2]);
    assert_eq!(waits(Trouble::RateLimited).last(), Some(&Duration::from_secs(16)));
}

#[test]
fn each_server_says_too_many_in_its_own_way() {
    for (source, code) in [
        ("binance", "429"),
        ("binance", "-1003"),
        ("binance", "403"),
        ("coinbase", "Public rate limit exceeded"),
        ("kraken", "EAPI:Rate limit exceeded"),
        ("kraken", "EGeneral:Too many requests"),
        ("kraken", "EService: Throttled: 1660000000"),
        ("kraken", "Exceeded msg rate"),
        ("yahoo", "429"),
        ("yahoo", "999"),
        ("kis", "EGW00201"),
        ("tardis", "429"),
        ("telegram", "429"),
        ("openai", "rate_limit_exceeded"),
        ("news", "403"),
    ] {
        assert_eq!(kind(source, code), Trouble::RateLimited, "{source} {code}");
    }
    assert_eq!(kind("binance", "418"), Trouble::Banned);
    assert_eq!(kind("openai", "insufficient_quota"), Trouble::Spent);
}

#[test]
fn other_signs_mean_what_the_servers_say() {
    for (source, code, expected) in [
        ("binance", "-1008", Trouble::Server),
        ("binance", "-1001", Trouble::Internal),
        ("binance", "-1007", Trouble::UnknownOutcome),
        ("binance", "-1021", Trouble::Clock),
        ("binance", "-1022", Trouble::Unauthorized),
        ("binance", "-1102", Trouble::BadRequest),
        ("binance", "-1121", Trouble::NoData),
        ("kraken", "EService:Unavailable", Trouble::Server),
        ("kraken", "EService:Busy", Trouble::Server),
        ("kraken", "520", Trouble::Server),
        ("yahoo", "401", Trouble::TokenExpired),
        ("kis", "EGW00133", Trouble::TokenTooSoon),
        ("kis", "OPSP0008", Trouble::BadRequest),
        ("kis", "OPSP8996", Trouble::SessionHeld),
        ("kis", "html", Trouble::Unreadable),
        ("openai", "invalid_api_key", Trouble::Unauthorized),
        ("openai", "503", Trouble::Server),
        ("anyone", "401", Trouble::Unauthorized),
        ("anyone", "502", Trouble::Server),
        ("anyone", "451", Trouble::BadRequest),
    ] {
        assert_eq!(kind(source, code), expected, "{source} {code}");
    }
}

#[test]
fn a_brokers_refusal_is_told_by_msg_cd_and_never_by_rt_cd_1() {
    let judged = |rt_cd, msg_cd, error_code| kind("kis", kis_code(rt_cd, msg_cd, error_code));
    assert_eq!(judged("1", "EGW00201", ""), Trouble::RateLimited);
    assert_eq!(judged("1", "EGW00123", ""), Trouble::TokenExpired);
    assert_eq!(judged("1", "OPSQ2000", ""), Trouble::BadRequest);
    assert_eq!(judged("", "", "EGW00133"), Trouble::TokenTooSoon);
    assert_eq!(judged("7", " ", ""), Trouble::NoData);
    // Where nothing else is said, nothing is known: least of all that a token ended.
    assert_eq!(judged("1", "", ""), Trouble::Unknown);
}

#[test]
fn every_row_is_there_once_and_speaks_both_languages() {
    for (place, row) in CODES.iter().enumerate() {
        let same = |other: &&Code| (other.source, other.code) == (row.source, row.code);
        assert_eq!(CODES.iter().position(|other| same(&other)), Some(place), "{row:?}");
        assert!(row.english.is_ascii() && !row.english.is_empty());
        assert!(row.korean.chars().any(|c| ('가'..='힣').contains(&c)), "{row:?}");
    }
}

#[test]
fn every_error_of_the_client_has_a_row() {
    use ErrorKind::{
        Denied, Invalid, Limited, Protocol, Refused, Resting, Timeout, TooLarge, Unavailable,
    };
    let kinds =
        [Timeout, Unavailable, Protocol, TooLarge, Refused, Invalid, Limited, Resting, Denied];
    for error in kinds.map(|kind| Error::new(kind, "x")) {
        assert_eq!(error.code().source, "net", "{error:?}");
        let named =
            error.is_retryable() == error.code().kind.plan().actions.contains(&Action::Retry);
        assert!(named || !error.is_retryable(), "{error:?}");
    }
}

#[test]
fn counters_name_ends_as_the_document_does() {
    let status = |status| Ok(Response { status, headers: Vec::new(), body: Vec::new() });
    let error = |kind| Err(Error::new(kind, "x"));
    for (end, expected) in [
        (status(204), "ok"),
        (status(401), "401_Unauthorized"),
        (status(429), "429_RateLimit"),
        (status(502), "502_BadGateway"),
        (status(503), "HTTP_503"),
        (error(ErrorKind::Timeout), "TimeoutError"),
        (error(ErrorKind::Unavailable), "ConnectionError"),
        (error(ErrorKind::Resting), "resting"),
    ] {
        assert_eq!(label(&end), expected);
    }
}

/// The guide's rows.
fn table() -> String {
    let mut text = String::new();
    for row in CODES {
        let plan = row.kind.plan();
        let pause = match plan.pause {
            Pause::None => "–".to_owned(),
            Pause::For(time) => finstage_model::format_duration(time),
            Pause::Growing => "growing".to_owned(),
            Pause::Named => "as named".to_owned(),
        };
        let severity = format!("{:?}", plan.severity).to_lowercase();
        text.push_str(&format!(
            "| {} | `{}` | {} | {severity} | {} | {pause} | {} | {} |\n",
            row.source,
            row.code,
            row.kind.as_str(),
            plan.retries,
            row.english,
            row.korean
        ));
    }
    text
}

#[test]
fn the_guide_shows_exactly_this_table() {
    let guide = include_str!("../../../../docs/guides/troubleshooting.md");
    let shown: String = guide
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches('|').count() == 9)
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(shown == table(), "the rows of docs/guides/troubleshooting.md should be:\n{}", table());
}
