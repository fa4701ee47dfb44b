//! `finstage verify` and `finstage trials` as a script sees them.

use std::fmt::Write as _;

use finstage_research::worlds::{Edge, Noise, planted, world};
use serde_json::Value;

use crate::cli::shell::Shell;

const SOME: &str = "--strategies volume_breakout_up,rsi_oversold --horizons 1d,1w";

pub(super) fn csv(bars: &[finstage_model::Bar]) -> String {
    let mut text = String::from("timestamp,open,high,low,close,volume\n");
    for bar in bars {
        let day = bar.open_time.day();
        let (open, high, low, close) = (bar.open, bar.high, bar.low, bar.close);
        writeln!(text, "{day},{open},{high},{low},{close},{}", bar.volume).unwrap();
    }
    text
}

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("noise.csv", csv(&world(Noise::Normal, 3, 700)));
    let edge = Edge { events: 100, drift: 0.03 };
    shell.write("edge.csv", csv(&planted(edge, 4, 2_000).0));
    shell
}

#[test]
fn rows_have_the_fields_of_the_contract_and_a_second_run_the_same_bytes() {
    let shell = shell();
    let line = format!("verify --input edge.csv {SOME} --json");
    let first = shell.run(&line).ok();
    assert!(first.err.contains("adds 8 trials to 0\n"), "{first}");
    let again = shell.run(&format!("{line} --threads 1")).ok();
    assert!(again.err.contains("adds 0 trials to 8, repeats 8 that count once\n"), "{again}");
    assert_eq!(again.out, first.out);
    let elsewhere = shell.run(&format!("{line} --data-dir other")).ok();
    assert_eq!(elsewhere.out, first.out);
    let said: Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!(said["trials_total"], 8);
    let rows = said["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    for field in [
        "strategy",
        "scope",
        "horizon",
        "claim",
        "n",
        "n_eff",
        "base_rate",
        "hit_rate",
        "hit_low",
        "hit_high",
        "mean_return",
        "p_value",
        "q_value",
        "verdict",
        "reasons",
    ] {
        assert!(rows.iter().all(|row| row.get(field).is_some()), "{field}");
    }
    let best = &rows[0];
    assert_eq!(best["verdict"], "verified", "{best}");
    assert_eq!(best["strategy"], "volume_breakout_up(period=20,ratio=2,change=1)");
    assert_eq!((&best["horizon"], &best["scope"]), (&"1d".into(), &"file:edge".into()));
}

#[test]
fn what_is_required_decides_the_exit_code() {
    let shell = shell();
    let line = |file: &str| format!("verify --input {file} {SOME} --claims direction --require");
    shell.run(&format!("{} unproven", line("noise.csv"))).ok();
    let refused = shell.run(&format!("{} verified", line("noise.csv")));
    assert!(refused.complaint().contains("--require verified: "), "{refused}");
    assert_eq!((refused.code, refused.out.lines().count()), (1, 5), "{refused}");
    let only = "verify --input edge.csv --strategies volume_breakout_up --require verified";
    shell.run(&format!("{only} --data-dir fresh")).ok();
}

#[test]
fn files_hold_what_the_table_says_and_the_page_stands_alone() {
    let shell = shell();
    let line = format!("verify --input edge.csv noise.csv {SOME} --groups each -o all.csv");
    let run = shell.run(&format!("{line} --report page.html")).ok();
    let table = String::from_utf8(shell.read("all.csv")).unwrap();
    assert_eq!(table.lines().count(), 17);
    assert!(table.starts_with("strategy,scope,horizon,claim,n,n_eff,base_rate,"), "{table}");
    assert_eq!(run.out.lines().count(), 17, "{run}");
    let page = String::from_utf8(shell.read("page.html")).unwrap();
    assert!(page.contains("What this cannot say") && page.contains("file:noise"));
    for elsewhere in ["http://", "https://", "<script", "src=", "@import"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn the_store_is_judged_as_its_files_are() {
    let shell = shell();
    shell.run("import edge.csv --symbol file:edge --data-dir kept").ok();
    let stored =
        shell.run(&format!("verify --symbols file:edge {SOME} --json --data-dir kept")).ok();
    let filed = shell.run(&format!("verify --input edge.csv {SOME} --json --data-dir new")).ok();
    let figures = |text: &str| -> Vec<Value> {
        let said: Value = serde_json::from_str(text).unwrap();
        let rows = said["rows"].as_array().unwrap().iter();
        rows.map(|row| serde_json::json!([row["strategy"], row["n"], row["p_value"]])).collect()
    };
    assert_eq!(figures(&stored.out), figures(&filed.out));
    let said: Value = serde_json::from_str(&stored.out).unwrap();
    assert_eq!(said["rows"][0]["threshold"], 0.03, "the first of several looks");
}

#[test]
fn a_deleted_trial_is_found() {
    let shell = shell();
    shell.run(&format!("verify --input noise.csv {SOME} --data-dir kept")).ok();
    let whole: Value =
        serde_json::from_str(&shell.run("trials check --json --data-dir kept").ok().out).unwrap();
    assert_eq!((&whole["ok"], &whole["entries"]), (&true.into(), &8.into()));
    let list = shell.run("trials list --json --limit 3 --data-dir kept").ok();
    assert_eq!(list.out.lines().count(), 3);
    shell.run("trials list --limit 0 --data-dir kept").refused(2);
    let records = rusqlite::Connection::open(shell.path("kept/records.db")).unwrap();
    records.execute("DELETE FROM trials WHERE number = 8", ()).unwrap();
    let broken = shell.run("trials check --data-dir kept").refused(1);
    assert!(broken.contains("row 8: it is missing"), "{broken}");
    let refused = shell.run(&format!("verify --input noise.csv {SOME} --data-dir kept")).refused(6);
    assert!(refused.contains("the ledger of trials is not whole"), "{refused}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let shell = shell();
    for (line, why) in [
        ("--horizons 1h", "--horizons 1h is shorter than one bar of 1d"),
        ("--strategies nonsense", "no strategy \"nonsense\""),
        ("--cost 0.7", "cost = 0.7 is not a fraction"),
        ("--fdr 0", "fdr = 0 is not between 0 and 1"),
        ("--groups us", "write each, or NAME=SYMBOL,SYMBOL"),
        ("--groups us=x:B", "x:B is not among the inputs"),
        ("--factors x:B=f.csv", "whose are they?"),
        ("-o out.txt", "must end in .json or .csv"),
        ("--threads 0", "at least one thread"),
    ] {
        let said = shell.run(&format!("verify --input noise.csv {line}")).refused(2);
        assert!(said.contains(why), "{line}: {said}");
    }
    let none = shell.run("verify --symbols x:NONE --data-dir kept").refused(2);
    assert!(none.contains("no 1d bars are stored of it"), "{none}");
}
