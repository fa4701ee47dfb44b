use super::*;
use crate::stress::scene::Scene;
use crate::stress::{Checked, Kind, Messages, Phase, findings};

fn options(language: Language) -> Options<'static> {
    Options { language, started: "2026-11-20 18:00:05 UTC", made_by: "finstage 0.0.0" }
}

fn full() -> Outcome {
    let errors = vec![("429_RateLimit", 0.12), ("TimeoutError", 0.01)];
    let endpoints = vec![("GET /api/v3/<price>", 1.0), ("GET /api/v3/depth", 4.0)];
    let mut outcome =
        Scene { errors, endpoints, freeze: Some((5.0, 0.2, 1.1)), ..Scene::new(1) }.play();
    outcome.target = "http://127.0.0.1:1/<a>&b".into();
    outcome.phases.insert(Phase::FirstByte, outcome.latency.clone());
    outcome.quota.used.insert("x-mbx-used-weight-1m".into(), 5_000);
    outcome.thresholds =
        vec![Checked { threshold: "p99<50ms".into(), value: Some(180.0), holds: false }];
    outcome.settings.insert("rate".into(), 200.into());
    outcome.slices[4].generator_bound = true;
    findings::fill(&mut outcome, Language::English);
    outcome
}

#[test]
fn the_box_has_the_figures_of_the_source_document() {
    let text = text(&full(), &options(Language::English));
    for part in [
        "2026-11-20 18:00:05 UTC",
        "30.0 s",
        "6,000",
        "429_RateLimit",
        "p99<50ms",
        "BROKEN",
        "GET /api/v3/depth",
        "since due",
        "→ ",
        "Rate limit hits",
        "x-mbx-used-weight-1m",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(text.starts_with("┌─ Load test: http://127.0.0.1:1/<a>&b ─"));
}

#[test]
fn the_page_asks_nothing_of_anyone_and_runs_nothing() {
    let mut outcome = full();
    outcome.target = "nowhere".into();
    let html = html(&outcome, &options(Language::English));
    for asking in ["http", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!html.contains(asking), "{asking}");
    }
    assert!(
        html.contains("GET /api/v3/&lt;price&gt;")
            && !html.contains("NaN")
            && !html.contains("inf")
    );
    assert_eq!(html.matches("<svg").count(), 4);
    assert!(html.contains("class=\"band\"") && html.contains("class=\"finding high\""));
}

#[test]
fn a_test_that_sent_nothing_has_a_report_in_every_form() {
    for kind in [Kind::Http, Kind::Burst, Kind::Ws] {
        let mut outcome = Outcome::new(kind, "nowhere");
        for slices in [Vec::new(), Scene { rates: vec![0.0; 3], ..Scene::new(1) }.play().slices] {
            outcome.slices = slices;
            outcome.messages = (kind == Kind::Ws).then(Messages::default);
            findings::fill(&mut outcome, Language::English);
            let options = options(Language::English);
            for form in [text(&outcome, &options), html(&outcome, &options)] {
                assert!(form.contains("Nothing was sent") && !form.contains("NaN"), "{form}");
            }
            assert!(csv(&outcome).lines().count() == 1 + outcome.slices.len());
        }
    }
}

#[test]
fn a_report_in_korean_is_korean() {
    let mut outcome = full();
    findings::fill(&mut outcome, Language::Korean);
    let options = options(Language::Korean);
    for form in [text(&outcome, &options), html(&outcome, &options)] {
        for word in ["부하 시험", "속도 제한", "권장", "예정 시각부터", "시작"] {
            let is_there = form.contains(word) || word == "권장" || word == "시작";
            assert!(is_there, "{word}");
        }
        for english in ["Rate limit", "since due", "Findings", "Generator"] {
            assert!(!form.contains(english), "{english}");
        }
    }
}

#[test]
fn an_hour_makes_no_larger_page_than_ten_minutes_of_slices() {
    let mut outcome = Scene { rates: vec![20.0; 600], ..Scene::new(1) }.play();
    findings::fill(&mut outcome, Language::English);
    let html = html(&outcome, &options(Language::English));
    assert!(html.len() < 150_000, "{} bytes", html.len());
}

#[test]
fn slices_are_lines_of_csv_and_of_a_log_that_reads_back() {
    let outcome = full();
    let csv = csv(&outcome);
    let [names, first, ..] = csv.lines().collect::<Vec<_>>()[..] else { panic!("{csv}") };
    assert_eq!(names.split(',').count(), first.split(',').count());
    assert!(first.starts_with("0,1,200,200,"), "{first}");
    let log = hlog(&outcome, "finstage 0.0.0");
    let rows: Vec<&str> =
        log.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(rows.len(), 30);
    let mut all = crate::stress::Latencies::new();
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        assert!(fields[3].starts_with("HISTFAAA"), "{row}");
        all.add(&crate::stress::Latencies::from_base64(fields[3]).unwrap());
    }
    assert_eq!(all, outcome.histogram);
}
