//! `finstage tasks` and `schedule`, on a store that no service runs on.

use finstage::wiring::open_records;
use finstage_store::records::StoreKind;

use crate::cli::shell::Shell;

#[test]
fn tasks_are_submitted_listed_cancelled_and_retried() {
    let shell = Shell::new();
    shell.run("tasks list").refused(2);
    open_records(&shell.path("finstage-data"), StoreKind::Real).unwrap();
    let first = shell.run("tasks submit verify --priority high --key k --json").ok().json();
    assert_eq!((&first["type"], &first["priority"]), (&"verify".into(), &"high".into()));
    assert_eq!(shell.run("tasks submit verify --key k --json").ok().json()["id"], first["id"]);
    shell.run("tasks submit backfill --delay 2h").ok();
    let list = shell.run("tasks list --json --limit 1").ok();
    let newest = list.json();
    assert_eq!((&newest["id"], &newest["state"]), (&2.into(), &"waiting".into()));
    assert_eq!(shell.run("tasks list --json --before 2").ok().json()["state"], "ready");
    assert_eq!(shell.run("tasks cancel 1 --json").ok().json()["state"], "cancelled");
    assert_eq!(shell.run("tasks retry 1 --json").ok().json()["state"], "ready");
    assert_eq!(shell.run("tasks show 1 --json").ok().json()["key"], "k");
    let why = shell.run("tasks show 99").refused(2);
    assert!(why.contains("there is no task 99"), "{why}");
    let why = shell.run("tasks submit retention --delay 400d").refused(2);
    assert!(why.contains("--delay") && why.contains("30d at most"), "{why}");
    let why = shell.run("tasks submit sleep").refused(2);
    assert!(why.contains("write one of outcomes report"), "{why}");
    let why = shell.run("tasks submit verify --data [1]").refused(2);
    assert!(why.contains("it takes {\"symbols\""), "{why}");
    for (submitted, words) in [
        ("verify --data []", "verify: data: it is no JSON object: it takes {\"symbols\""),
        ("verify --data {bad", "verify: data: it is no JSON ("),
        ("verify --data {\"symbols\":[]}", "verify: symbols: none is named"),
        ("verify --data {\"interval\":1}", "verify: interval: "),
        ("backfill --data {\"symbol\":1}", "backfill: symbol: there is no such field: it takes"),
        ("replay_check --data {\"date\":\"soon\"}", "replay_check: date: "),
        ("replay_check --data {\"date\":\"2200-01-01\"}", "date: 2200-01-01 has not begun"),
        ("outcomes --key k", "key \"k\" is that of task 1 of type \"verify\""),
    ] {
        let why = shell.run(&format!("tasks submit {submitted}")).refused(2);
        assert!(why.contains(words), "{submitted}: {why}");
    }
    let feeds = "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n";
    shell.write("finstage.toml", feeds);
    for kind in ["backfill", "verify"] {
        let data = |symbol: &str| {
            format!("tasks submit {kind} --data {{\"symbols\":[\"{symbol}\"]}} --key {kind}")
        };
        let why = shell.run(&data("binance:NOPE")).refused(2);
        assert!(why.contains("symbols: binance:NOPE is not watched"), "{why}");
        shell.run(&data("binance:BTCUSDT")).ok();
        shell.run(&format!("tasks cancel {}", if kind == "backfill" { 3 } else { 4 })).ok();
    }
    let stats = shell.run("tasks stats --json").ok().json();
    assert_eq!((&stats["ready"], &stats["waiting"]), (&1.into(), &1.into()));
}

#[test]
fn schedules_are_listed_as_the_settings_say_and_run_when_they_are_told_to() {
    let shell = Shell::new();
    open_records(&shell.path("finstage-data"), StoreKind::Real).unwrap();
    shell.write(
        "finstage.toml",
        "[display]\ntimezone = \"Asia/Seoul\"\n[jobs.verify]\ncron = \"0 3 * * 6\"\n[jobs.compact]\nenabled = false\n",
    );
    let list = shell.run("schedule list --json").ok().json();
    let find =
        |name: &str| list.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(find("verify")["when"], "0 3 * * 6 Asia/Seoul");
    assert_eq!(find("verify")["next"].as_array().unwrap().len(), 3);
    assert_eq!(find("compact")["enabled"], false);
    assert!(find("compact")["next"].as_array().unwrap().is_empty());
    assert_eq!(shell.run("schedule run verify --json").ok().json()["lane"], "verify");
    let why = shell.run("schedule run sleep").refused(2);
    assert!(why.contains("there is no job \"sleep\""), "{why}");
}
