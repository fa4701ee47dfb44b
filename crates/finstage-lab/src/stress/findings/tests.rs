use super::*;
use crate::stress::scene::Scene;
use crate::stress::{Kind, Messages};

fn words(outcome: &Outcome) -> Vec<String> {
    find(outcome, Language::English).0.into_iter().map(|finding| finding.what).collect()
}

fn finding(outcome: &Outcome, what: &str) -> Finding {
    let (findings, _) = find(outcome, Language::English);
    findings.into_iter().find(|finding| finding.what == what).unwrap_or_else(|| panic!("no {what}"))
}

#[test]
fn a_server_that_is_well_gets_no_finding() {
    for seed in 0..20 {
        for poisson in [false, true] {
            let endpoints = vec![("GET /a", 1.0), ("GET /b", 1.1), ("GET /c", 0.9)];
            let outcome = Scene { poisson, endpoints, ..Scene::new(seed) }.play();
            assert_eq!(words(&outcome), Vec::<String>::new(), "{seed}");
        }
    }
}

#[test]
fn an_empty_run_divides_by_nothing_and_says_that_nothing_was_sent() {
    for kind in [Kind::Http, Kind::Burst, Kind::Ws] {
        let mut outcome = Outcome::new(kind, "http://127.0.0.1:1");
        assert_eq!(words(&outcome), ["nothing_sent"]);
        outcome.slices = Scene { rates: vec![0.0; 10], ..Scene::new(1) }.play().slices;
        outcome.shed = 7;
        outcome.messages = Some(Messages::default());
        let finding = finding(&outcome, "nothing_sent");
        assert!(finding.text.contains("7 arrivals") && finding.value == 0.0, "{finding:?}");
    }
}

#[test]
fn ten_percent_refused_is_named_with_what_passed() {
    let outcome = Scene { errors: vec![("429_RateLimit", 0.12)], ..Scene::new(3) }.play();
    let found = finding(&outcome, "rate_limit");
    assert_eq!((found.severity, found.figure.as_str()), (Severity::High, "rate_limited"));
    assert!(found.value > found.bound && found.text.contains("of 6,000 requests"), "{found:?}");
    let (_, advice) = find(&outcome, Language::English);
    assert!(advice[0].text.contains("cache") && advice[0].text.contains("200/s"), "{advice:?}");
    let severity = |share| {
        let outcome = Scene { errors: vec![("429_RateLimit", share)], ..Scene::new(3) }.play();
        finding(&outcome, "rate_limit").severity
    };
    assert_eq!((severity(0.07), severity(0.02)), (Severity::Medium, Severity::Low));
}

#[test]
fn the_rules_of_timeouts_and_of_slowness_hold() {
    let outcome = Scene { errors: vec![("TimeoutError", 0.08)], ..Scene::new(3) }.play();
    assert_eq!(finding(&outcome, "timeout").severity, Severity::Medium);
    let few = Scene { errors: vec![("TimeoutError", 0.01)], ..Scene::new(3) }.play();
    assert_eq!(finding(&few, "timeout").severity, Severity::Low);
    let slow = Scene { median_ms: 700.0, ..Scene::new(3) }.play();
    let (findings, advice) = find(&slow, Language::English);
    assert_eq!(findings[0].what, "slow");
    assert!(advice[0].text.contains("CDN"), "{advice:?}");
}

#[test]
fn a_server_that_freezes_is_found_at_every_phase_with_its_period_and_length() {
    for every in [2.0, 5.0, 10.0] {
        for phase in [0.05, 0.3, 0.85, 0.95, 1.5] {
            let rates = vec![500.0; 60];
            let outcome =
                Scene { rates, freeze: Some((every, 0.2, phase)), ..Scene::new(5) }.play();
            assert!(stalls(&outcome.slices).is_some(), "{every} {phase}");
            let found = finding(&outcome, "stall");
            assert!((found.value / 200.0 - 1.0).abs() < 0.15, "{every} {phase} {found:?}");
            let period = stalls(&outcome.slices).unwrap().period_s;
            assert!(period.is_some_and(|p| (p - every).abs() < 0.3), "{every} {phase} {period:?}");
            assert!(!words(&outcome).contains(&"tail".to_owned()));
        }
    }
}

#[test]
fn one_stall_is_one_and_an_overload_is_none() {
    let once = Scene { freeze: Some((1000.0, 1.5, 12.2)), ..Scene::new(5) }.play();
    assert!(finding(&once, "stall").text.starts_with("Once, at 12.0 s"));
    let overload = Scene {
        rates: [vec![100.0; 20], vec![300.0; 10]].concat(),
        capacity: 200.0,
        ..Scene::new(5)
    };
    assert!(!words(&overload.play()).contains(&"stall".to_owned()));
}

#[test]
fn a_slow_endpoint_is_named_and_one_that_fails() {
    let endpoints = vec![("GET /price", 1.0), ("GET /depth", 4.0), ("GET /trades", 1.2)];
    let mut outcome = Scene { endpoints, ..Scene::new(5) }.play();
    let found = finding(&outcome, "slow_endpoint");
    assert!(found.text.starts_with("GET /depth is ") && found.value > found.bound, "{found:?}");
    let broken = &mut outcome.endpoints[2];
    (broken.ok, broken.failed) = (broken.ok - 300, 300);
    assert!(finding(&outcome, "failing_endpoint").text.starts_with("GET /trades"));
}

#[test]
fn lost_connections_and_failing_servers_are_told_apart() {
    let errors = vec![
        ("ConnectionError", 0.02),
        ("502_BadGateway", 0.02),
        ("401_Unauthorized", 0.02),
        ("HTTP_404", 0.002),
    ];
    let outcome = Scene { errors, ..Scene::new(3) }.play();
    let words = words(&outcome);
    for what in ["reset", "server_error", "unauthorized", "client_error"] {
        assert!(words.contains(&what.to_owned()), "{what} in {words:?}");
    }
    assert_eq!(finding(&outcome, "client_error").severity, Severity::Low);
    let nobody = Scene { errors: vec![("ConnectionError", 1.0)], ..Scene::new(3) }.play();
    assert_eq!(finding(&nobody, "unreachable").severity, Severity::High);
}

#[test]
fn where_the_generator_was_the_limit_the_rate_is_a_lower_bound() {
    let mut outcome = Scene::new(3).play();
    outcome.generator.bound_slices = 12;
    outcome.generator.bound_by = vec!["processor at 97 %".into()];
    let found = finding(&outcome, "generator_bound");
    assert!(found.text.contains("the least that the server takes"), "{}", found.text);
    assert_eq!(found.severity, Severity::High);
}

#[test]
fn shed_arrivals_a_tail_a_ban_and_weights_are_said() {
    let mut outcome = Scene { endpoints: vec![("a", 1.0); 20], ..Scene::new(3) }.play();
    outcome.shed = 1000;
    outcome.latency.p99_ms = Some(400.0);
    outcome.quota.banned_s = Some(3.0);
    outcome.quota.used.insert("x-mbx-used-weight-1m".into(), 5_900);
    let words = words(&outcome);
    for what in ["shed", "tail", "banned", "used_weight"] {
        assert!(words.contains(&what.to_owned()), "{what} in {words:?}");
    }
    assert_eq!(finding(&outcome, "used_weight").severity, Severity::Medium);
}

#[test]
fn littles_law_notices_waiting_that_is_not_counted() {
    let mut outcome = Scene { median_ms: 50.0, ..Scene::new(3) }.play();
    assert!(!words(&outcome).contains(&"littles_law".to_owned()));
    outcome.service.mean_ms = Some(5.0);
    assert!(finding(&outcome, "littles_law").text.contains("do not add up"));
}

#[test]
fn streams_that_break_and_leave_out_are_found() {
    let mut outcome = Outcome::new(Kind::Ws, "ws://127.0.0.1:1");
    outcome.sent = 100;
    outcome.messages = Some(Messages {
        connections: 100,
        open: 90,
        received: 10_000,
        missed: 50,
        reconnects: 20,
        unread: 1,
        ..Messages::default()
    });
    assert_eq!(words(&outcome), ["connections", "gaps", "reconnects", "unread"]);
}

#[test]
fn every_finding_has_both_languages_and_every_recommendation_a_figure() {
    let errors = vec![
        ("429_RateLimit", 0.2),
        ("TimeoutError", 0.06),
        ("ConnectionError", 0.02),
        ("502_BadGateway", 0.02),
        ("401_Unauthorized", 0.02),
        ("HTTP_404", 0.02),
    ];
    let endpoints = vec![("GET /price", 1.0), ("GET /depth", 4.0)];
    let freeze = Some((5.0, 0.5, 1.1));
    let mut outcome = Scene { errors, endpoints, freeze, ..Scene::new(3) }.play();
    outcome.shed = 10;
    outcome.generator.bound_slices = 3;
    let (english, advice) = find(&outcome, Language::English);
    let (korean, korean_advice) = find(&outcome, Language::Korean);
    assert!(english.len() >= 9 && english.len() == korean.len(), "{english:#?}");
    assert!(english.is_sorted_by(|a, b| a.severity >= b.severity));
    let is_korean = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
    assert!(
        korean.iter().all(|f| is_korean(&f.text)) && english.iter().all(|f| !is_korean(&f.text))
    );
    assert!(korean_advice.iter().all(|a| is_korean(&a.text)));
    for advice in advice {
        assert!(advice.text.contains(|c: char| c.is_ascii_digit()), "{}", advice.text);
    }
}
