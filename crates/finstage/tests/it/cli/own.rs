//! Strategies of a user's own, on the command line and in the file.

use serde_json::{Value, json};

use super::shell::{Shell, waves};

const CROSS: &str = "cross_above(sma(50),sma(200))";

#[test]
fn a_condition_on_the_command_line_says_what_the_catalogue_says() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(900));
    let run = |rule: &str| {
        shell.run(&format!("signals generate --input waves.csv --json -q {rule}")).ok().rows()
    };
    let (own, listed) = (run(&format!("--when {CROSS}")), run("--strategy golden_cross"));
    assert!(!listed.is_empty());
    let stand_on = |rows: &[serde_json::Value]| -> Vec<_> {
        rows.iter().map(|row| (row["timestamp"].clone(), row["strength"].clone())).collect()
    };
    assert_eq!(stand_on(&own), stand_on(&listed));
    assert_eq!(own[0]["strategy"], "when: cross_above(sma(50), sma(200))");
    let facts = own[0]["facts"].as_object().unwrap();
    assert_eq!(facts.keys().collect::<Vec<_>>(), ["sma(200)", "sma(50)"]);
    let short = run(&format!("--when {CROSS} --direction short"));
    assert_eq!(short.len(), own.len());
    assert!(short.iter().all(|row| row["direction"] == "short"));
}

#[test]
fn a_condition_opens_positions_and_another_one_ends_them() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(900));
    let run =
        |rule: &str| shell.run(&format!("backtest --input waves.csv --json -q {rule}")).ok().json();
    let own = run(&format!("--when {CROSS} --exit-when cross_below(sma(50),sma(200))"));
    let listed = run("--strategy golden_cross");
    assert!(listed["trades"].as_u64() > Some(0), "{listed}");
    assert_eq!(own["trade_list"], listed["trade_list"]);
    assert_eq!(
        own["strategy"],
        "when: cross_above(sma(50), sma(200)) exit when short: cross_below(sma(50), sma(200))"
    );
    let refused = shell.run(&format!("backtest --input waves.csv --when {CROSS}")).refused(2);
    assert!(refused.contains("say when it ends"), "{refused}");
}

#[test]
fn a_condition_of_the_settings_is_judged_by_its_name() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(900));
    shell.write(
        "finstage.toml",
        "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n\
         [[strategies]]\nname = \"dip\"\ninterval = \"1h\"\nwhen = \"close < sma(20)\"\ndirection = \"short\"\n",
    );
    let judged = |names: &str| {
        let rows = shell
            .run(&format!("verify --input waves.csv --json -q --horizons 1d --strategies {names}"))
            .ok()
            .json();
        let name = |row: &Value| row["strategy"].as_str().unwrap().to_owned();
        let mut names: Vec<String> = rows["rows"].as_array().unwrap().iter().map(name).collect();
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(judged("dip"), ["dip short: close < sma(20)"]);
    assert_eq!(
        judged("dip golden_cross"),
        ["dip short: close < sma(20)", "golden_cross(fast=50,slow=200)"]
    );
    let refused = shell.run("verify --input waves.csv -q --strategies dipp").refused(2);
    assert!(refused.contains("dipp"), "{refused}");
}

#[test]
fn an_error_in_a_condition_is_one_line_and_the_place_under_it() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(30));
    let run = shell.run("signals generate --input waves.csv -q --when close>smaa(20)");
    assert_eq!(run.code, 2, "{run}");
    assert_eq!(
        run.err,
        "finstage: when: line 1, column 7: nothing is called \"smaa\"; did you mean \"sma\"?\n  | close>smaa(20)\n  |       ^^^^\n"
    );
    shell.write(
        "f.toml",
        "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n\
         [[strategies]]\nname = \"dip\"\ninterval = \"1d\"\nwhen = \"rsi(14) < 30 &&\\n close > 1\"\n",
    );
    let run = shell.run("config check --config f.toml");
    assert_eq!(run.code, 2, "{run}");
    assert_eq!(
        run.err,
        "finstage: f.toml:7: strategies[0].when: dip: line 1, column 14: \"&&\" is no sign of this language; write \"and\"\n  | rsi(14) < 30 &&\n  |              ^^\n"
    );
}

#[test]
fn a_strategy_that_reads_longer_bars_says_where_their_history_comes_from() {
    let shell = Shell::new();
    let file = |intervals: &str| {
        format!(
            "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\nintervals = [{intervals}]\n\
             [[strategies]]\nname = \"trend_agreement_up\"\ninterval = \"1h\"\n"
        )
    };
    let warnings = |intervals: &str| {
        shell.write("f.toml", file(intervals));
        shell.run("config check --json --config f.toml").ok().json()["warnings"].clone()
    };
    assert_eq!(warnings("\"1h\", \"4h\""), json!([]));
    let said = warnings("\"1h\"").to_string();
    assert!(said.contains("f.toml:5: strategies[0]: reads 4h bars too"), "{said}");
}

#[test]
fn a_strategy_that_reads_longer_bars_is_tested_on_one_file() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(900));
    let run = "backtest --input waves.csv --json -q --strategy trend_agreement_up --hold 5";
    let tested = shell.run(run).ok().json();
    assert!(tested["trades"].as_u64() > Some(0), "{tested}");
}
