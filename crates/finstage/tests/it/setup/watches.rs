//! Watches that are added while a service runs, the log that it writes, and frames decoded.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::cli::shell::{Running, Shell};

/// A service on a simulated venue, with its log in a file.
fn service(shell: &Shell) -> (Running, Running) {
    let mut sim = shell.start("sim --venues binance --seed 3");
    let addresses: Value = serde_json::from_str(&sim.until("binance")).unwrap();
    let address = |kind: &str| addresses["binance"][kind].as_str().unwrap().to_owned();
    shell.write(
        "finstage.toml",
        format!(
            "[venues.binance]\nrest = \"{}\"\nws = \"{}\"\n\
             [[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\nintervals = [\"1m\", \"1d\"]\n\
             [[strategies]]\nname = \"golden_cross\"\ninterval = \"1d\"\n\
             [[watches]]\nsymbol = \"binance:BTCUSDT\"\nrule = \"prev_low\"\n\
             [[notify]]\nkind = \"telegram\"\nchat = \"1\"\ntoken = \"env:BOT\"\nurl = \"http://127.0.0.1:1\"\n\
             [log]\nfile = \"logs/finstage.log\"\nformat = \"json\"\nlevel = \"debug\"\n",
            address("rest"),
            address("ws"),
        ),
    );
    let service = shell.start("serve");
    (sim, service)
}

fn log(shell: &Shell) -> String {
    std::fs::read_to_string(shell.path("logs/finstage.log")).unwrap_or_default()
}

#[test]
fn a_watch_added_beside_a_service_speaks_and_a_replay_says_the_same() {
    let shell = Shell::new().with("BOT", "7:canary-that-must-not-be-seen");
    let (_sim, mut service) = service(&shell);
    service.until("watching 1 feed");
    assert!(service.does(|| log(&shell).contains("the feed is up")), "{}", log(&shell));
    // The price is above or below yesterday's close, by however little.
    let added = shell.run("watch add binance:BTCUSDT rise=0.0000001% drop=0.0000001% --json").ok();
    let rows = added.rows();
    assert_eq!(
        (rows.len(), &rows[0]["origin"], &rows[0]["repeat_s"]),
        (2, &json!("added"), &json!(180))
    );
    let said = || {
        let rows = shell.run("alerts list --json").ok().rows();
        rows.iter().any(|row| {
            row["kind"] == "watch" && row["rule"].as_str().is_some_and(|r| r.contains("0.0000001%"))
        })
    };
    assert!(service.does(said), "{}", log(&shell));
    let listed = shell.run("watch list --json").ok().rows();
    assert_eq!(listed.len(), 3);
    assert_eq!((&listed[0]["rule"], &listed[0]["origin"]), (&json!("prev_low"), &json!("config")));
    let id = rows[0]["id"].as_str().unwrap();
    shell.run(&format!("watch remove {id}")).ok();
    assert!(service.does(|| log(&shell).contains("% taken out")), "{}", log(&shell));
    // What is muted is heard as well, and is in the journal.
    shell.run("alerts mute drop --for 2h").ok();
    assert!(service.does(|| log(&shell).contains("muted until")), "{}", log(&shell));
    service.terminate();
    service.end().ok();
    let check = shell.run("replay --check --json").ok().json();
    assert_eq!(check["match"], true, "{check}");

    // The log: JSON, a document a line, without the token that is in every address asked.
    let log = log(&shell);
    assert!(!log.contains("canary"), "{log}");
    assert!(log.contains("bot[redacted]"), "the channel was tried: {log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["at"].is_string() && line["level"].is_string(), "{line}");
    }
}

#[test]
fn rules_and_instruments_are_muted_for_a_while_and_speak_again() {
    let shell = Shell::new();
    shell.write(
        "finstage.toml",
        "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n[[strategies]]\nname = \"golden_cross\"\ninterval = \"1d\"\n",
    );
    for what in
        ["binance:BTCUSDT", "golden_cross", "golden_cross(fast=50,slow=200)", "rise", "rise=3%"]
    {
        let run = shell.run(&format!("alerts mute {what} --for 2h --json")).ok();
        assert_eq!(run.rows()[0]["what"], what);
    }
    let rows = shell.run("alerts mute --list --json").ok().quiet().rows();
    assert_eq!(rows.len(), 5);
    shell.run("alerts mute rise --off").ok();
    let said = shell.run("alerts mute rise --off").refused(2);
    assert!(said.starts_with("rise is not muted"), "{said}");
    let said = shell.run("alerts mute golden_cros --for 2h").refused(2);
    assert!(said.ends_with("did you mean golden_cross?"), "{said}");
    assert!(shell.run("alerts mute rise --for 31d").refused(2).contains("30d is the longest"));
}

#[test]
fn watches_are_added_with_thresholds_of_the_instrument_and_taken_out_again() {
    let shell = Shell::new();
    shell.write("finstage.toml", "[watch.categories]\nindex = { rise = 1.5 }\n");
    let run = shell.run("watch add yahoo:^GSPC").ok();
    for rule in ["rise=1.5%", "drop=1%", "new_high", "drop_from_high=2%", "prev_high", "prev_low"] {
        assert!(run.out.contains(rule), "{rule}: {run}");
    }
    assert!(run.err.contains("yahoo:^GSPC is in no [[feeds]]"), "{run}");
    shell.run("watch add yahoo:^GSPC rise").ok();
    let rows = shell.run("watch list --json").ok().quiet().rows();
    assert_eq!(rows.len(), 6, "the same watch is the same");
    let rules: Vec<&str> = rows.iter().map(|row| row["rule"].as_str().unwrap()).collect();
    assert!(rules.is_sorted(), "{rules:?}");
    let rise = rows.iter().find(|row| row["kind"] == "rise").unwrap();
    assert_eq!((&rise["threshold"], &rise["repeat_s"]), (&json!(1.5), &json!(180)));
    assert!(shell.run("watch add yahoo:^GSPC fall=3%").refused(2).contains("is not a watch rule"));
    assert!(
        shell.run("watch add nope:BTCUSDT rise=3%").refused(2).contains("\"nope\" is no venue")
    );
    assert!(shell.run("watch remove zz").refused(2).starts_with("no watch zz"));
    assert!(
        shell
            .run("watch add yahoo:^GSPC rise --cooldown 48h")
            .refused(2)
            .contains("24h is the longest")
    );
    let rules: Vec<String> = (1..=17).map(|drop| format!("drop_from_high={drop}%")).collect();
    let many = shell.run(&format!("watch add yahoo:^IXIC {} --json", rules.join(" "))).ok().rows();
    let ids: Vec<&str> = many.iter().map(|row| row["id"].as_str().unwrap()).collect();
    let of = |digit: &str| ids.iter().filter(|id| id.starts_with(digit)).count();
    let digit = ids.iter().map(|id| &id[..1]).find(|digit| of(digit) > 1).expect("17 in 16");
    let said = shell.run(&format!("watch remove {digit}")).refused(2);
    assert!(said.contains(" watches: write more of one of "), "{said}");
    let named = ids.iter().filter(|id| said.contains(**id)).count();
    assert!(named >= of(digit).min(2) && said.starts_with(&format!("{digit} fits ")), "{said}");
    shell.run(&format!("watch remove {}", ids.join(" "))).ok();
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    shell.run(&format!("watch remove {}", ids.join(" "))).ok();
    let none = shell.run("watch list").ok();
    assert_eq!((none.out.as_str(), none.err.as_str()), ("", "no watches yet\n"));
}

#[test]
fn frames_become_events_and_bad_ones_are_named_by_their_line() {
    let shell = Shell::new();
    let trade = |id: u64| {
        format!(
            "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":1700000000123,\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"42850.10\",\"q\":\"0.00100000\",\"T\":1700000000120,\"m\":true,\"M\":true}}}}\n"
        )
    };
    shell.write("frames", format!("{}not json\n\n{}", trade(7), trade(8)));
    let mut command = shell.command("decode --venue binance");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&shell.read("frames")).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{out}");
    assert_eq!(rows[0]["type"], "trade");
    assert_eq!(rows[0]["symbol"], "binance:BTCUSDT");
    assert_eq!(rows[0]["venue"], "binance");
    assert!(out.contains("\"price\":42850.1"), "{out}");
    assert!(
        err.starts_with("line 2: ") && err.contains("3 frames, 2 events, 1 bad frames"),
        "{err}"
    );
    assert!(shell.run("decode --venue nyse").refused(2).contains("write one of binance"));
}
