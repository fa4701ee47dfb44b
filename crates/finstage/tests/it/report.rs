//! The daily report through the binary, and through a service to a chat.

use std::sync::Arc;
use std::time::Duration;

use finstage::report::Language;
use finstage::report::job::Job;
use finstage::wiring;
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::telegram::{Chats, TelegramOptions as SimOptions, TelegramSim};
use finstage_model::{ManualClock, Position, Timestamp};
use finstage_notify::notifiers::{Telegram, TelegramOptions};
use finstage_notify::{Courier, Dispatcher, DispatcherOptions, MAX_AGE, Template};
use finstage_seal::Secret;
use finstage_store::FolderLock;
use finstage_store::records::Records;
use jiff::civil::time;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::cli::day;
use crate::cli::shell::Shell;

const DAY: &str = "report daily --data-dir d --date 2026-01-05";
const PATIENCE: Duration = Duration::from_secs(60);
const EVERYTHING: Position = Position::from_i64(i64::MAX);

/// A shell with the folder of a demo.
fn played() -> Shell {
    day::played("d").0
}

#[test]
fn the_figures_of_a_report_are_those_of_the_lists() {
    let shell = played();
    let report = shell.run(&format!("{DAY} --json")).ok().quiet().json();
    let lines = |list: &str| {
        let line = format!("{list} list --json --limit 100000 --data-dir d");
        let out = shell.run(&line).ok().out;
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()
    };
    let (signals, alerts): (Vec<serde_json::Value>, Vec<serde_json::Value>) =
        (lines("signals"), lines("alerts"));
    assert_eq!(report["signals"]["total"], signals.len());
    let with = |rows: &[serde_json::Value], key: &str, value: &str| {
        rows.iter().filter(|row| row[key] == value).count()
    };
    assert_eq!(report["signals"]["unproven"], with(&signals, "verdict", "unproven"));
    assert_eq!(report["alerts"]["total"], alerts.len());
    for status in ["delivered", "withheld", "failed"] {
        assert_eq!(report["alerts"][status], with(&alerts, "status", status), "{status}");
    }
    let groups = report["signals"]["groups"].as_array().unwrap();
    let counted: u64 = groups.iter().map(|group| group["count"].as_u64().unwrap()).sum();
    let proven = report["signals"]["proven"].as_array().unwrap().len();
    assert_eq!(proven, with(&signals, "verdict", "verified"));
    assert!(proven > 0, "the planted edge was heard");
    assert_eq!(counted as usize + proven, signals.len());
    let first = groups[0]["signals"][0].as_str().unwrap();
    shell.run(&format!("signals show {first} --data-dir d")).ok();
    let track = shell.run("track-record export --data-dir d").ok().out;
    let last: serde_json::Value = serde_json::from_str(track.lines().last().unwrap()).unwrap();
    assert_eq!(report["track_record"]["head"], last["head"]);
    let known: u64 = report["outcomes"]["total"].as_u64().unwrap();
    assert!(known > 100, "{known}");
}

#[test]
fn a_report_is_the_same_every_time_and_in_every_form() {
    let shell = played();
    for format in ["text", "telegram", "html", "json"] {
        for lang in ["en", "ko"] {
            let line = format!("{DAY} --format {format} --lang {lang}");
            let one = shell.run(&line).ok().quiet().out;
            assert_eq!(shell.run(&line).ok().out, one, "{line}");
            assert!(one.contains("binance:BTCUSDT"), "{line}: {one}");
        }
    }
    shell.run(&format!("{DAY} -o report.html -q")).ok().quiet();
    let page = String::from_utf8(shell.read("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && !page.contains("<script"));
    assert!(!page.contains("http"), "the page is alone");
    // Beside a service, what it has added so far is read.
    let lock = FolderLock::acquire(&shell.path("d")).unwrap();
    assert!(shell.run(DAY).ok().err.contains("once an hour"));
    drop(lock);
}

#[test]
fn a_day_without_anything_still_has_its_report_and_settings_are_read() {
    let shell = played();
    let config =
        "[display]\ntimezone = \"Asia/Seoul\"\n[report]\ndaily = \"06:30\"\nlanguage = \"ko\"\n";
    shell.write("finstage.toml", config);
    let said = shell.run("report daily --data-dir d").ok().quiet().out;
    for part in ["일일 보고서", "발생한 신호가 없습니다.", "06:30 Asia/Seoul", "조언이 아닙니다"]
    {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let refused = shell.run("report daily --data-dir d --date 2200-01-01").refused(2);
    assert!(refused.starts_with("--date: 2200-01-01 has no report: today is"), "{refused}");
    shell.write("finstage.toml", "[report]\ndaily = \"25:00\"\n");
    let refused = shell.run("report daily --data-dir d").refused(2);
    assert_eq!(
        refused,
        "finstage.toml:2: report.daily: \"25:00\" is not a time of the day: write \"08:00\", or \"off\""
    );
    shell.write("finstage.toml", "[report]\nlanguage = \"kr\"\n");
    let refused = shell.run("config check").refused(2);
    assert!(refused.contains("report.language: \"kr\": write \"en\" or \"ko\""), "{refused}");
    std::fs::remove_file(shell.path("finstage.toml")).unwrap();
    let refused = shell.run("report daily --data-dir nowhere").refused(2);
    assert!(refused.contains("no records here yet"), "{refused}");
}

#[tokio::test]
async fn a_chat_gets_the_report_of_a_day_when_nothing_was_sent_and_once() {
    let start: Timestamp = "2026-01-05T07:59:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::new(start));
    let sim = TelegramSim::start(SimOptions {
        clock: Arc::clone(&clock) as _,
        faults: Scenario::default(),
        ledger: Arc::new(Ledger::in_memory()),
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        tokens: vec!["1:token".into()],
        chats: Chats::Only(vec![42]),
    })
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open_in_memory().unwrap();
    let job = || Job {
        records: records.clone(),
        history: wiring::history(dir.path(), &records),
        zone: TimeZone::UTC,
        daily: Some(time(8, 0, 0, 0)),
        language: Language::Ko,
        watched: vec!["binance:BTCUSDT".parse().unwrap()],
        notifiers: vec!["telegram".into()],
    };
    let telegram = Telegram::new(TelegramOptions {
        name: "telegram".into(),
        base_url: sim.url(),
        token: Secret::new("1:token".into()),
        chat: "42".into(),
        template: Template::default(),
        buttons: Vec::new(),
    });
    let client = wiring::client().unwrap();
    let lines = Box::new(std::io::sink());
    let courier = Courier::new(Arc::new(telegram.unwrap()), client, lines, Arc::clone(&clock) as _);
    let options = DispatcherOptions {
        records: records.clone(),
        clock: Arc::clone(&clock) as _,
        synced: Arc::new(|| Position::START),
        wake: Arc::<Notify>::default(),
        max_age: MAX_AGE,
        explain: None,
        holding: finstage_notify::Holding::default(),
    };
    let (stop, stopped) = watch::channel(false);
    let mut taken = sim.subscribe();
    let dispatcher = tokio::spawn(Dispatcher::new(courier, options).run(stopped));
    assert_eq!(job().step(start, EVERYTHING).unwrap(), None);
    clock.advance(Duration::from_secs(3_600));
    let now = start.plus(Duration::from_secs(3_600));
    assert!(job().step(now, EVERYTHING).unwrap().is_some());
    tokio::time::timeout(PATIENCE, taken.recv()).await.expect("it arrives").unwrap();
    assert_eq!(job().step(now, EVERYTHING).unwrap(), None, "as after a restart");
    stop.send_replace(true);
    tokio::time::timeout(PATIENCE, dispatcher).await.expect("it stops").unwrap();
    let messages = sim.messages();
    assert_eq!(messages.len(), 1);
    let text = &messages[0].text;
    for part in ["일일 보고서: 2026년 1월 4일 (일)", "발생한 신호가 없습니다.", "조언이 아닙니다"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
