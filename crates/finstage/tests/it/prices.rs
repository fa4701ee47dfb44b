//! `finstage prices` against simulated venues, and the recipes of its guide.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::shell::{Running, Shell, skipped};
use crate::setup::listener;

/// Simulated venues, and a shell whose configuration knows where they are.
fn on_simulated_venues() -> (Shell, Running) {
    let shell = Shell::new();
    let mut sim = shell.start("sim --venues binance,yahoo --seed 3");
    let places: Value = serde_json::from_str(&sim.until("binance")).unwrap();
    let rest = |venue: &str| places[venue]["rest"].as_str().unwrap().to_owned();
    let config = format!(
        "[venues.binance]\nrest = \"{}\"\n[venues.yahoo]\nrest = \"{}\"\n",
        rest("binance"),
        rest("yahoo")
    );
    shell.write("finstage.toml", config);
    (shell, sim)
}

#[test]
fn rows_come_in_the_order_of_the_list_and_each_has_its_own_error() {
    let (shell, _sim) = on_simulated_venues();
    let asked = "yahoo:AAPL binance:NOSUCH binance:BTCUSDT yahoo:NOSUCH binance:BTCUSDT";
    let run = shell.run(&format!("prices {asked}"));
    assert_eq!(run.code, 1, "{run}");
    let rows = run.rows();
    let symbols: Vec<&str> = rows.iter().map(|row| row["symbol"].as_str().unwrap()).collect();
    assert_eq!(symbols.join(" "), asked);
    for (row, is_good) in rows.iter().zip([true, false, true, false, true]) {
        let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["at", "currency", "error", "price", "symbol"]);
        assert_eq!((row["price"].is_number(), row["error"].is_null()), (is_good, is_good), "{row}");
    }
    assert_eq!(rows[2], rows[4], "asked for once");
    assert!(run.err.contains("batch 1: size 4, submit_ms "), "{run}");
    assert!(run.err.contains("errors no_such_symbol 2"), "{run}");
    assert!(shell.run("prices -q yahoo:AAPL").ok().quiet().rows()[0]["price"].is_number());
}

#[test]
fn batches_are_counted_one_by_one_and_kept_in_a_file() {
    let (shell, _sim) = on_simulated_venues();
    let list = "binance:BTCUSDT,binance:ETHUSDT,yahoo:AAPL,yahoo:MSFT,yahoo:NOSUCH";
    let batches = "--batch-size 2 --delay 50ms";
    let run = shell.run(&format!("prices {list} {batches} --json --stats s.json"));
    assert_eq!(run.code, 1, "{run}");
    let document: Value = serde_json::from_slice(&shell.read("s.json")).unwrap();
    let sizes: Vec<u64> = document["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["size"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(document["rows"][2]["errors"]["no_such_symbol"], 1);
    assert_eq!((&document["batch_size"], &document["delay_ms"]), (&2.into(), &50.into()));
    assert_eq!(document["history"], document["rows"]);
    assert!((document["error_rate"].as_f64().unwrap() - 0.2).abs() < 1e-12);
    let told: Vec<Value> =
        run.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(told.len(), 4, "three batches and the whole, as JSON on standard error: {run}");
    shell.run(&format!("prices {list} {batches} -q --stats s.csv"));
    let csv = String::from_utf8(shell.read("s.csv")).unwrap();
    assert!(
        csv.starts_with("batch,size,submit_ms,took_ms,ok,failed,per_second,errors\n1,2,"),
        "{csv}"
    );
    assert!(csv.lines().last().unwrap().ends_with(",no_such_symbol=1"), "{csv}");
    shell.run(&format!("prices {list} {batches} -q --stats s.jsonl"));
    assert_eq!(String::from_utf8(shell.read("s.jsonl")).unwrap().lines().count(), 4);
    let said = shell.run("prices yahoo:AAPL --stats s.txt").refused(2);
    assert_eq!(said, "--stats s.txt: name a file that ends in .json, .jsonl or .csv");
}

/// KIS simulated, and a shell whose configuration has keys of the venue's form.
fn on_simulated_kis() -> (Shell, Running) {
    let shell = Shell::new();
    let mut sim = shell.start("sim --venues kis --seed 3 --ledger ledger.ndjson");
    let places: Value = serde_json::from_str(&sim.until("kis")).unwrap();
    let rest = places["kis"]["rest"].as_str().unwrap();
    let (key, secret) = ("k".repeat(36), "s".repeat(180));
    shell.write(
        "finstage.toml",
        format!(
            "[venues.kis]\nrest = \"{rest}\"\napp_key = \"{key}\"\napp_secret = \"{secret}\"\n"
        ),
    );
    (shell, sim)
}

#[test]
fn a_long_list_passes_the_limit_of_a_second_without_one_refusal_and_with_one_token() {
    let (shell, _sim) = on_simulated_kis();
    let codes = finstage_lab::sim::kis::codes();
    let mut list: Vec<String> = codes[..49].iter().map(|code| format!("kis:{code}")).collect();
    list.insert(20, "kis:999999".to_owned());
    shell.write("list.txt", list.join("\n"));
    let run = shell.run("prices --file list.txt");
    assert_eq!(run.code, 1, "{run}");
    let rows = run.rows();
    let symbols: Vec<&str> = rows.iter().map(|row| row["symbol"].as_str().unwrap()).collect();
    assert_eq!(symbols, list, "in the order of the list");
    let failed = rows.iter().filter(|row| !row["error"].is_null());
    assert_eq!(failed.map(|row| &row["symbol"]).collect::<Vec<_>>(), ["kis:999999"]);
    let ledger = String::from_utf8(shell.read("ledger.ndjson")).unwrap();
    let lines: Vec<Value> =
        ledger.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcome = |of: &str| lines.iter().filter(|line| line["outcome"] == of).count();
    assert_eq!(outcome("refused"), 0, "{ledger}");
    let tokens = lines.iter().filter(|line| line["path"] == "/oauth2/tokenP");
    assert_eq!(tokens.count(), 1, "{ledger}");
    // The next command finds the token, and what the first one sent.
    assert_eq!(shell.run("prices kis:005930").ok().rows().len(), 1);
}

#[test]
fn dynamic_batches_say_where_they_begin_and_end() {
    let (shell, _sim) = on_simulated_venues();
    let run = shell.run("prices yahoo:AAPL --dynamic --stats s.json").ok();
    assert!(run.err.contains("batch_size 50, delay_ms 1000, adjustments 0"), "{run}");
    let run = shell.run("prices yahoo:AAPL --dynamic --batch-size 20 --delay 2s").ok();
    assert!(run.err.contains("batch_size 20, delay_ms 2000, adjustments 0"), "{run}");
}

#[test]
fn progress_is_said_after_every_so_many() {
    let (shell, _sim) = on_simulated_venues();
    let list = ["binance:BTCUSDT"; 25].join(" ");
    let run = shell.run(&format!("prices {list} --progress-every 10")).ok();
    let said: Vec<&str> = run.err.lines().filter(|line| line.ends_with("of 25 prices")).collect();
    assert_eq!(said, ["10 of 25 prices", "20 of 25 prices"]);
    assert_eq!(run.rows().len(), 25);
}

#[test]
fn the_first_good_answer_is_the_only_row_and_all_failed_is_one_error() {
    let (shell, _sim) = on_simulated_venues();
    let run = shell.run("prices --first binance:NOSUCH yahoo:AAPL").ok();
    assert_eq!((run.rows().len(), &run.rows()[0]["symbol"]), (1, &"yahoo:AAPL".into()));
    // A place that wants keys leaves the race to the others.
    shell.run("prices --first kis:AAPL yahoo:AAPL").ok();
    let said = shell.run("prices --first binance:NOSUCH yahoo:NOSUCH").refused(3);
    assert!(said.starts_with("no source answered: binance:NOSUCH: "), "{said}");
    assert!(said.contains("; yahoo:NOSUCH: yahoo: the venue refused: No data found"), "{said}");
}

#[test]
fn a_venue_out_of_reach_is_exit_3_and_a_missing_or_wrong_key_is_exit_4() {
    let shell = Shell::new()
        .with("APP_KEY", "PScanary-that-must-not-be-seen")
        .with("APP_SECRET", "canary/that+must=not==be-seen");
    let keys = "app_key = \"env:APP_KEY\"\napp_secret = \"env:APP_SECRET\"\n";
    let said = shell.run("prices kis:005930").refused(4);
    assert!(said.starts_with("kis:005930: kis wants keys: app_key is missing: write app_key = \"env:KIS_APP_KEY\" in [venues.kis]"), "{said}");
    shell.write(
        "finstage.toml",
        "[venues.kis]\napp_key = \"env:APP_KEY\"\napp_secret = \"env:NO_SUCH\"\n",
    );
    let said = shell.run("prices kis:005930").refused(4);
    assert!(said.contains("app_secret: the environment variable NO_SUCH is not set"), "{said}");
    // Who needs no key is told of none.
    shell.run("strategies list").ok();
    let (kis, requests) = listener(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 77\r\nconnection: close\r\n\r\n{\"error_code\":\"EGW00103\",\"error_description\":\"canary/that+must=not==be-seen\"}",
    );
    shell.write("finstage.toml", format!("[venues.kis]\nrest = \"{kis}\"\n{keys}"));
    for line in [
        "prices -vv kis:005930 kis:000660",
        "doctor",
        "config show",
        "backfill -vv --symbols kis:005930 --from 2026-11-01",
    ] {
        let run = shell.run(line);
        assert!(!(run.out.clone() + &run.err).contains("canary"), "{run}");
        if !line.starts_with("config") && !line.starts_with("doctor") {
            assert_eq!(run.code, 4, "{run}");
            assert!(run.err.contains("[redacted] (EGW00103)"), "{run}");
        }
    }
    assert!(requests.recv().unwrap().starts_with("POST /oauth2/tokenP HTTP/1.1"));
    shell.write("finstage.toml", "[venues.yahoo]\nrest = \"http://127.0.0.1:1\"\n");
    let run = shell.run("prices -q yahoo:AAPL yahoo:MSFT");
    assert_eq!((run.code, run.rows().len()), (3, 2), "{run}");
}

#[test]
fn every_recipe_of_the_guide_runs() {
    let guide = include_str!("../../../../docs/guides/prices.md");
    let blocks = marked(guide);
    assert!(blocks.len() >= 6, "{} blocks are marked", blocks.len());
    let (shell, _sim) = on_simulated_venues();
    let program = Path::new(env!("CARGO_BIN_EXE_finstage")).parent().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", program.display());
    if Command::new("python3").arg("--version").output().is_err() {
        return skipped("no python3 here");
    }
    for (language, code) in blocks {
        let mut command = match language {
            "sh" => Command::new("sh"),
            "python" => Command::new("python3"),
            other => panic!("no block in {other} can be run"),
        };
        if language == "sh" {
            command.arg("-e");
        }
        command.args(["-c", code]).current_dir(shell.path(".")).env_clear().env("PATH", &path);
        let output = command.env("HOME", shell.path(".")).output().unwrap();
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(
            output.status.success(),
            "{language}:\n{code}\n--- {}\n{out}\n---\n{err}",
            output.status
        );
        assert!(!out.trim().is_empty(), "it prints something:\n{code}");
    }
}

/// The fenced blocks behind the remark that they run, with their language.
fn marked(guide: &str) -> Vec<(&str, &str)> {
    guide
        .split("<!-- runs -->\n```")
        .skip(1)
        .map(|rest| {
            let (language, rest) = rest.split_once('\n').unwrap();
            (language, rest.split("\n```").next().unwrap())
        })
        .collect()
}
