//! Searches for parameters: every row is a backtest, and what is written is what was found.

use serde_json::Value;

use crate::cli::shell::{Shell, waves};

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("waves.csv", waves(900));
    shell
}

#[test]
fn every_row_of_a_sweep_is_the_backtest_of_its_parameters() {
    let shell = shell();
    // A rule that states positions, and a strategy of the catalogue that says when to begin.
    for (strategy, grid, combinations, skipped) in [
        ("sma_cross", "fast=5..25:10 slow=10,20,40", 6, 3),
        ("golden_cross", "fast=5..25:10 slow=10,20,40", 6, 3),
        ("rsi_levels(period=5)", "lower=20..40:7.5 upper=70", 3, 0),
    ] {
        let terms = "--input waves.csv --commission 0.002 --size 0.5 --close-final open --json -q";
        let line = format!("sweep --strategy {strategy} --grid {grid} {terms}");
        let swept = shell.run(&line).ok().quiet().json();
        assert_eq!(swept["combinations"], combinations, "{strategy}");
        assert_eq!(swept["skipped"], skipped, "{strategy}");
        let rows = swept["rows"].as_array().unwrap();
        assert_eq!(rows.len(), combinations);
        for row in rows {
            let axes = grid.split_whitespace().map(|axis| axis.split('=').next().unwrap());
            let values = axes.map(|axis| format!("{axis}={}", row[axis])).collect::<Vec<_>>();
            let (name, fixed) = strategy.split_once('(').unwrap_or((strategy, ")"));
            let fixed = fixed.trim_end_matches(')').split(',').filter(|fixed| !fixed.is_empty());
            let all: Vec<String> = fixed.map(str::to_owned).chain(values).collect();
            let rule = format!("{name}({})", all.join(","));
            let one = shell.run(&format!("backtest --strategy {rule} {terms}")).ok().json();
            for (of_row, of_one) in [
                ("final_equity", "final_equity"),
                ("return_pct", "return_pct"),
                ("sharpe", "sharpe_bar_sqrt252"),
                ("max_drawdown_pct", "max_drawdown_pct"),
                ("trades", "trades"),
            ] {
                assert_eq!(row[of_row], one[of_one], "{rule}: {of_row}");
            }
        }
        let sharpes = rows.iter().map(|row| row["sharpe"].as_f64().unwrap_or(f64::NEG_INFINITY));
        assert!(sharpes.is_sorted_by(|a, b| a >= b), "{strategy}: the best come first");
    }
}

#[test]
fn a_sweep_writes_all_rows_and_prints_the_best() {
    let shell = shell();
    let line = "sweep --input waves.csv --strategy sma_cross --grid fast=2..9 --grid slow=10..19";
    let run = shell.run(&format!("{line} --top 3 -o rows.csv --heatmap map.html")).ok();
    assert!(run.err.contains("adds 80 combinations to 0 tried"), "{run}");
    assert_eq!(run.out.lines().count(), 4, "{run}");
    let rows = String::from_utf8(shell.read("rows.csv")).unwrap();
    let mut rows = rows.lines();
    let header = "fast,slow,final_equity,return_pct,sharpe,max_drawdown_pct,trades";
    assert_eq!(rows.next(), Some(header));
    assert!(rows.next().unwrap().starts_with("2,10,"));
    assert_eq!(rows.count(), 79);
    let map = String::from_utf8(shell.read("map.html")).unwrap();
    assert!(map.contains("viewBox=\"0 0 8 10\""));
    assert!(map.contains("<title>fast 9, slow 19: Sharpe "));
    shell.run(&format!("{line} -q -o rows.parquet")).ok().quiet();
    assert_eq!(shell.read("rows.parquet")[..4], *b"PAR1");
    let json = |threads| shell.run(&format!("{line} -q --json --threads {threads}")).ok().out;
    assert_eq!(json(1), json(2));
}

#[test]
fn a_search_that_makes_no_sense_is_refused_before_it_begins() {
    let shell = shell();
    for (words, complaint) in [
        ("--strategy sma_cross --grid fast", "it has no =; write NAME=FROM..TO"),
        ("--strategy sma_cross --grid fast=9..1", "1 is less than 9"),
        ("--strategy sma_cross --grid slip=1..9", "it has fast, slow, short"),
        ("--strategy sma_cros --grid fast=1..9", "did you mean \"sma_cross\"?"),
        ("--strategy sma_cross --grid fast=1..4000 slow=1..4000", "more than 10000000"),
        ("--strategy golden_cross --grid fast=60 slow=50", "no combination of the grid"),
        ("--strategy sma_cross --grid fast=1..9 -o rows.txt", "name it .csv or .parquet"),
        ("--strategy sma_cross --grid fast=1..9 --heatmap map.html", "a grid of two parameters"),
        ("--strategy sma_cross --grid fast=1..9 --cash 0", "cash = 0 is not more than 0"),
        ("--strategy sma_cross --grid fast=1..9 --threads 0", "--threads"),
    ] {
        let said = shell.run(&format!("sweep --input waves.csv {words}")).refused(2);
        assert!(said.contains(complaint), "{words}: {said}");
    }
    let short =
        "walk-forward --input waves.csv --strategy sma_cross --grid fast=1..9 -q --folds 40";
    let said = shell.run(short).refused(2);
    assert!(said.contains("take a longer history or fewer folds"), "{said}");
}

#[test]
fn a_walk_forward_tells_what_was_chosen_and_what_came_of_it() {
    let shell = shell();
    let line =
        "walk-forward --input waves.csv --strategy sma_cross --grid fast=2..6:2 slow=8..20:4";
    let found = shell.run(&format!("{line} --folds 3 --json -q -o equity.csv")).ok().quiet().json();
    let folds = found["folds"].as_array().unwrap();
    assert_eq!((folds.len(), &found["combinations"]), (3, &Value::from(12)));
    for fold in folds {
        assert!(fold["parameters"]["fast"].is_u64(), "{fold}");
        assert!(fold["in_sample"]["sharpe_bar_sqrt252"].is_f64(), "{fold}");
        assert!(fold["out_of_sample"]["trades"].is_u64(), "{fold}");
    }
    let equity = String::from_utf8(shell.read("equity.csv")).unwrap();
    let last = equity.lines().last().unwrap().rsplit(',').next().unwrap();
    let joined = &found["joined"]["final_equity"];
    assert_eq!(last.parse::<f64>().unwrap(), joined.as_f64().unwrap());
    // The bar before the first fold, and the 396 bars after the first 504.
    assert_eq!(equity.lines().count(), 1 + 1 + 396);
    let people = shell.run(&format!("{line} --folds 3")).ok();
    assert!(people.out.contains("all folds"), "{people}");
}
