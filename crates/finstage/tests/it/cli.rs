//! What can be typed and what is printed: the contract with people and scripts.

pub(crate) mod day;
mod instruments;
mod own;
pub(crate) mod shell;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use shell::{Shell, waves};

/// The groups of commands and their members, as the program's own help lists them.
fn commands(shell: &Shell, group: &str) -> Vec<String> {
    let help = shell.run(&format!("{group} --help")).ok().out;
    let mut all = vec![group.to_owned()];
    let listed = help.split("Commands:\n").nth(1).unwrap_or_default().lines();
    for line in listed.take_while(|line| line.starts_with("  ")) {
        // A line that goes on with the words of the one before is indented further.
        let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
        let name = name.and_then(|rest| rest.split_whitespace().next());
        if let Some(name) = name.filter(|name| *name != "help") {
            all.extend(commands(shell, format!("{group} {name}").trim()));
        }
    }
    all
}

#[test]
fn help_is_what_the_golden_files_say() {
    let shell = Shell::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help");
    let all = commands(&shell, "");
    assert!(all.len() > 20, "the help lists too few commands: {all:?}");
    let mut files = BTreeSet::new();
    for command in &all {
        let help = shell.run(&format!("{command} --help")).ok().quiet();
        let name = format!("finstage {command}").trim().replace(' ', "-") + ".txt";
        golden(&folder.join(&name), &help.out);
        assert!(help.out.lines().all(|line| line.chars().count() <= 100), "too wide: {help}");
        files.insert(name);
    }
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(files.contains(&name), "{name} is left of a command that is gone");
    }
}

#[expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN=1 rewrites the expected texts")]
fn golden(file: &Path, found: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, found).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    let name = file.display();
    assert_eq!(found, expected, "{name} differs: look, then run with UPDATE_GOLDEN=1");
}

#[test]
fn without_a_command_there_is_help_on_standard_error() {
    let shell = Shell::new();
    for group in ["", "signals", "config"] {
        let run = shell.run(group);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run}");
        assert_eq!(run.err, shell.run(&format!("{group} --help")).out);
    }
}

#[test]
fn the_version_is_one_line() {
    let run = Shell::new().run("--version").ok().quiet();
    assert_eq!(run.out, format!("finstage {}\n", finstage::VERSION));
}

#[test]
fn global_options_work_before_and_after_the_command() {
    let shell = Shell::new();
    let before = shell.run("--json --data-dir there config show").ok().json();
    assert_eq!(before, shell.run("config show --data-dir there --json").ok().json());
    assert_eq!(before["store"]["path"], "there");
}

#[test]
fn the_default_file_is_accepted_as_it_is_and_with_every_line_uncommented() {
    let shell = Shell::new().with("TELEGRAM_TOKEN", "1:token");
    let file = shell.run("config default").ok().quiet().out;
    shell.write("finstage.toml", &file);
    let check = shell.run("config check").ok().quiet().out;
    assert!(check.starts_with("ok: finstage.toml: 0 feeds"), "{check}");
    let defaults = shell.run("config show").ok().json();

    let uncommented: String = file
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    shell.write("all.toml", &uncommented);
    let check = shell.run("config check --config all.toml").ok().quiet().out;
    assert_eq!(check, "ok: all.toml: 1 feed with 2 symbols, 1 strategy, 1 watch, 1 notifier\n");
    let all = shell.run("config show --config all.toml").ok().json();
    for section in ["store", "journal", "alerts", "display"] {
        assert_eq!(all[section], defaults[section], "a default is not what it says");
    }
}

#[test]
fn the_file_is_looked_for_here_then_in_the_users_folder() {
    let shell = Shell::new();
    let seen = || shell.run("config check --json").ok().json()["file"].clone();
    assert_eq!(seen(), Value::Null);
    std::fs::create_dir_all(shell.path(".config/finstage")).unwrap();
    shell.write(".config/finstage/finstage.toml", "");
    assert_eq!(seen(), json!(shell.path(".config/finstage/finstage.toml")));
    shell.write("finstage.toml", "");
    assert_eq!(seen(), "finstage.toml");
}

#[test]
fn the_schema_is_json_and_knows_every_section() {
    let schema = Shell::new().run("config schema").ok().quiet().json();
    let sections: BTreeSet<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let known = [
        "alerts",
        "display",
        "feeds",
        "gateway",
        "jobs",
        "journal",
        "llm",
        "log",
        "monitor",
        "news",
        "notify",
        "report",
        "retention",
        "server",
        "stats",
        "store",
        "strategies",
        "venues",
        "watch",
        "watches",
    ];
    assert_eq!(sections, BTreeSet::from(known));
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn completions_know_the_commands_of_every_shell() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish"] {
        let script = shell.run(&format!("completions {name}")).ok().quiet().out;
        for word in ["demo", "replay", "data-dir"] {
            assert!(script.contains(word), "{name} does not know {word}");
        }
    }
}

#[test]
fn the_simulator_says_first_where_it_is_and_ends_when_asked() {
    let shell = Shell::new();
    let mut sim = shell.start("sim -q --seed 3");
    let first = sim.until("binance");
    let places: Value = serde_json::from_str(&first).unwrap();
    for (venue, kind, scheme) in
        [("binance", "rest", "http"), ("binance", "ws", "ws"), ("telegram", "rest", "http")]
    {
        let address = places[venue][kind].as_str().unwrap();
        assert!(address.starts_with(&format!("{scheme}://127.0.0.1:")), "{address}");
    }
    sim.terminate();
    assert_eq!(sim.end().ok().quiet().out, first);
}

/// What a summary says, but for how long it took.
fn story(summary: &Value) -> Value {
    let mut story = summary.clone();
    story.as_object_mut().unwrap().retain(|name, _| !name.starts_with("elapsed"));
    story
}

#[test]
fn one_seed_is_one_story_in_a_new_a_used_and_a_temporary_folder_plain_or_sealed() {
    let (shell, first) = day::played("day");
    assert_eq!(first["parity"], "ok");
    for field in ["events", "bars", "signals", "verified", "unproven", "alerts", "delivered"] {
        assert!(first[field].as_u64().unwrap() > 0, "{field}: {first}");
    }
    for (what, more) in [
        ("a used folder", "--data-dir day"),
        ("a temporary folder and a sealed stream", "--sealed"),
    ] {
        let run = shell.run(&format!("demo --fast --exit --json -q {more}")).ok().quiet();
        assert_eq!(story(&run.json()), story(&first), "{what} changes the story");
    }
    assert!(shell.names("tmp").is_empty(), "the temporary folder is left behind");
    let replayed = shell.run("replay --check --json -q --data-dir day").ok().quiet().json();
    assert_eq!((&replayed["match"], &replayed["hash"]), (&json!(true), &first["hash"]));
}

#[test]
fn another_seed_is_another_story() {
    let (shell, first) = day::played("day");
    let other = shell.run("demo --fast --exit --json -q --seed 8").ok().quiet().json();
    assert_ne!(other["hash"], first["hash"]);
}

#[test]
fn a_demo_that_is_asked_to_end_prints_its_result_and_nothing_else() {
    let shell = Shell::new();
    let mut demo = shell.start("demo --seed 2");
    demo.until("events/s");
    demo.terminate();
    let run = demo.end().ok();
    assert!(run.out.contains("the same to the last bit"), "{run}");

    let demo = shell.start("demo --json -q --data-dir kept");
    // It says nothing before its end; it runs when it has a journal.
    assert!(demo.does(|| shell.names("kept").iter().any(|name| name == "journal")));
    demo.terminate();
    let summary = demo.end().ok().quiet().json();
    assert_eq!(summary["parity"], "ok");
    assert!(shell.names("tmp").is_empty(), "the temporary folder is left behind");
}

/// A shell with a demo of [`waves`] kept in `kept`, and what the demo said.
fn kept_waves() -> (Shell, Value) {
    let shell = Shell::new();
    shell.write("waves.csv", waves(420));
    let run = shell.run("demo --input waves.csv --fast --exit --json -q --data-dir kept").ok();
    (shell, run.quiet().json())
}

#[test]
fn signals_are_listed_newest_first_with_the_fields_of_the_contract() {
    let (shell, summary) = kept_waves();
    let rows = shell.run("signals list --json -q --limit 100000 --data-dir kept").ok().quiet();
    let rows = rows.rows();
    assert_eq!(summary["signals"], rows.len(), "the demo counts what the list shows");
    for row in &rows {
        for field in ["id", "symbol", "interval", "strategy", "direction", "at", "timestamp"] {
            assert!(row[field].is_string(), "{field} of {row}");
        }
        assert!(row["price"].is_number() && row["strength"].is_number(), "{row}");
        assert_eq!(row["symbol"], "file:waves");
        assert_eq!(row["verdict"], "unproven");
        assert_eq!(row["reasons"], json!(["no_evidence"]));
        assert_eq!(row["card"], Value::Null);
        assert!(row["at"].as_str().unwrap().ends_with('Z'));
    }
    let times: Vec<&str> = rows.iter().map(|row| row["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first");

    let some = shell.run("signals list --json --limit 3 --data-dir kept").ok().rows();
    assert_eq!(some, rows[..3]);
    let line = "signals list --json --limit 9999 --strategy macd_bullish_cross --data-dir kept";
    let macd = shell.run(line).ok().rows();
    assert!(!macd.is_empty() && macd.len() < rows.len());
    assert!(macd.iter().all(|row| row["direction"] == "long"));
    for nothing in ["--symbol binance:BTCUSDT", "--strategy no_such"] {
        let run = shell.run(&format!("signals list --json -q --data-dir kept {nothing}")).ok();
        assert_eq!(run.quiet().out, "");
    }
}

#[test]
fn prices_keep_the_digits_of_the_file() {
    let (shell, _) = kept_waves();
    let file = String::from_utf8(shell.read("waves.csv")).unwrap();
    let text = shell.run("signals list --json --limit 100000 --data-dir kept").ok().out;
    let cut = |line: &str, begin: &str, end: char| {
        line.split(begin).nth(1).unwrap().split(end).next().unwrap().to_owned()
    };
    for line in text.lines() {
        let day = cut(line, "\"timestamp\":\"", 'T');
        let row = file.lines().find(|row| row.starts_with(&day)).unwrap();
        let close = row.split(',').nth(4).unwrap();
        let exact = if close.contains('.') { close.trim_end_matches('0') } else { close };
        assert_eq!(cut(line, "\"price\":", ','), exact.trim_end_matches('.'), "{line}");
    }
}

#[test]
fn a_signal_is_shown_by_the_beginning_of_its_id() {
    let (shell, _) = kept_waves();
    let rows = shell.run("signals list --json --limit 100000 --data-dir kept").ok().rows();
    let id = rows[0]["id"].as_str().unwrap();
    for beginning in [id, &id[..12]] {
        let shown = shell.run(&format!("signals show {beginning} --json -q --data-dir kept")).ok();
        assert_eq!(shown.quiet().json(), rows[0]);
    }
    let text = shell.run(&format!("signals show {id} --data-dir kept")).ok().quiet().out;
    assert!(text.starts_with(&format!("id         {id}\n")), "{text}");
    assert!(text.contains("\nverdict    unproven\n"), "{text}");

    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    let first = |n: usize| ids.iter().filter(|id| id.starts_with(&ids[0][..n])).count();
    assert!(first(1) > 1, "too few signals to be ambiguous");
    let refused = shell.run(&format!("signals show {} --data-dir kept", &id[..1])).refused(2);
    assert!(refused.starts_with("more than one signal id begins with"), "{refused}");
    let refused = shell.run("signals show xyz --data-dir kept").refused(2);
    assert_eq!(refused, "no signal has an id that begins with \"xyz\"");
}

#[test]
fn alerts_are_listed_with_the_fields_of_the_contract() {
    let (shell, summary) = kept_waves();
    let run = shell.run("alerts list --json -q --limit 100000 --data-dir kept").ok().quiet();
    let rows = run.rows();
    for row in &rows {
        for field in ["id", "symbol", "kind", "status", "at"] {
            assert!(row[field].is_string(), "{field} of {row}");
        }
        assert!(row["reasons"].is_array(), "{row}");
    }
    let mut counted = 0;
    for status in ["delivered", "queued", "failed", "expired", "withheld", "kept"] {
        let line = format!("alerts list --json -q --limit 99999 --status {status} --data-dir kept");
        let some = shell.run(&line).ok().quiet().rows();
        assert!(some.iter().all(|row| row["status"] == status));
        let count = match status {
            "withheld" => &summary["alerts_withheld"],
            "delivered" | "expired" | "failed" => &summary[status],
            _ => &json!(0),
        };
        assert_eq!(*count, some.len(), "{status}");
        counted += some.len();
    }
    assert_eq!(counted, rows.len());
    assert!(summary["delivered"].as_u64().unwrap() > 0);
}

#[test]
fn a_table_for_people_has_a_row_for_each_line_of_json() {
    let (shell, _) = kept_waves();
    for list in ["signals", "alerts"] {
        let table = shell.run(&format!("{list} list --data-dir kept")).ok().quiet().out;
        let rows = shell.run(&format!("{list} list --json --data-dir kept")).ok().rows();
        assert_eq!(table.lines().count(), rows.len() + 1);
        assert!(table.lines().all(|line| line == line.trim_end()), "trailing spaces");
        let id = &rows[0]["id"].as_str().unwrap()[..12];
        assert!(table.lines().nth(1).unwrap().ends_with(id), "{table}");
    }
}

#[test]
fn a_replay_says_how_much_it_read_and_prints_what_was_said() {
    let (shell, summary) = kept_waves();
    let run = shell.run("replay --check --json -q --data-dir kept").ok().quiet();
    let checked = run.json();
    assert_eq!((&checked["match"], &checked["hash"]), (&json!(true), &summary["hash"]));
    assert!(checked["events"].as_u64() > Some(0) && checked["outputs"].as_u64() > Some(0));
    assert_eq!(shell.run("replay --json -q --data-dir kept").ok().json()["match"], Value::Null);

    let run = shell.run("replay --speed max --data-dir kept -q").ok().quiet();
    let count = |kind: &str| run.out.lines().filter(|line| line.contains(kind)).count();
    assert_eq!(summary["bars"], count("\"type\":\"bar\""));
    assert_eq!(summary["signals"], count("\"type\":\"signal\""));
}

#[test]
fn a_signal_that_was_changed_or_removed_afterwards_is_found_by_a_check() {
    for tamper in [
        "UPDATE signals SET price = price + 1 WHERE id = ?",
        "UPDATE signals SET direction = 'short' WHERE id = ?",
        "DELETE FROM signals WHERE id = ?",
    ] {
        let (shell, _) = kept_waves();
        let rows = shell.run("signals list --json -q --limit 9999 --data-dir kept").ok().rows();
        let long = rows.iter().find(|row| row["direction"] == "long").unwrap();
        let id = long["id"].as_str().unwrap();
        let records = rusqlite::Connection::open(shell.path("kept/records.db")).unwrap();
        assert_eq!(records.execute(tamper, [id]).unwrap(), 1);
        drop(records);
        let run = shell.run("replay --check --json -q --data-dir kept");
        assert_eq!((run.code, &run.json()["match"]), (1, &json!(false)), "{tamper}");
        assert!(run.out.contains(id), "the signal is not named: {run}");
        let run = shell.run("replay --check --data-dir kept");
        assert!(run.err.contains(id) && run.out.trim_end().ends_with(": MISMATCH"), "{run}");
    }
}
