//! Nothing escapes the ledger: what was searched is counted, found again by `verify`, and paid for.

use finstage_research::worlds::{Noise, world};
use serde_json::Value;

use super::command::csv;
use crate::cli::shell::Shell;

const GRID: &str = "--grid fast=2..8 slow=10..30:5";

fn noise() -> Shell {
    let shell = Shell::new();
    shell.write("noise.csv", csv(&world(Noise::Normal, 5, 2_000)));
    shell
}

fn trials(shell: &Shell) -> Vec<Value> {
    shell.run("trials list --json").ok().rows()
}

#[test]
fn the_best_of_a_search_pays_for_all_of_it() {
    let shell = noise();
    let sweep = format!("sweep --input noise.csv --strategy golden_cross --hold 5 {GRID}");
    let run = shell.run(&format!("{sweep} --json")).ok();
    assert!(run.err.contains("adds 35 combinations to 0 tried: golden_cross by fast"), "{run}");
    let best = &run.json()["rows"][0];
    let rule = format!("golden_cross(fast={},slow={})", best["fast"], best["slow"]);
    let verify = format!("verify --input noise.csv --strategies {rule} --horizons 1w --json");
    let alone = shell.run(&format!("{verify} --data-dir new")).ok().json();
    let run = shell.run(&verify).ok();
    assert!(run.err.contains("adds 2 trials to 35\n"), "{run}");
    let after = run.json();
    assert_eq!((&alone["trials_total"], &after["trials_total"]), (&2.into(), &37.into()));

    let direction = |said: &Value| {
        let mut rows = said["rows"].as_array().unwrap().iter();
        rows.find(|row| row["claim"] == "direction").unwrap().clone()
    };
    let (alone, after) = (direction(&alone), direction(&after));
    assert_eq!((&alone["parameter_sets"], &after["parameter_sets"]), (&1.into(), &35.into()));
    let [rows, ..] = trials(&shell).try_into().map(|rows: [Value; 3]| rows).unwrap();
    assert_eq!(rows["kind"], "verify");
    let swept = &trials(&shell)[2];
    let rho = swept["search"]["mean_correlation"].as_f64().unwrap();
    assert!(rho > 0.1 && rho < 0.9, "{swept}");
    let k_eff = rho + (1.0 - rho) * 35.0;
    assert!((after["k_eff"].as_f64().unwrap() - k_eff).abs() < 1e-9, "{after}");
    let [p, corrected] = [&alone, &after].map(|row| row["p_value"].as_f64().unwrap());
    assert!((corrected - (1.0 - (1.0 - p).powf(k_eff))).abs() < 1e-9, "{p} {corrected}");
    let [dsr, deflated] = [&alone, &after].map(|row| row["dsr"].as_f64().unwrap());
    assert!(deflated < dsr && deflated < 0.95, "{dsr} {deflated}");
    assert!(after["reasons"].as_array().unwrap().contains(&"swept_dsr".into()), "{after}");
    assert!(!alone["reasons"].as_array().unwrap().contains(&"swept_dsr".into()), "{alone}");
    assert_ne!(after["verdict"], "verified");
}

#[test]
fn a_search_is_a_row_that_is_listed_checked_and_counted_once() {
    let shell = noise();
    let sweep = format!("sweep --input noise.csv --strategy sma_cross {GRID} --top 1");
    let walk = format!("walk-forward --input noise.csv --strategy sma_cross {GRID}");
    shell.run(&sweep).ok();
    // Typed in another way, on another terms, with other threads: the same combinations.
    let again = "sweep --input noise.csv --strategy sma_cross(short=1) --grid slow=30,25,20,15,10 \
                 fast=2..8 --top 1 --threads 1 --cash 5000";
    let run = shell.run(again).ok();
    let said = "repeats 35 combinations that count once, 35 tried: sma_cross";
    assert!(run.err.contains(said), "{run}");
    assert!(shell.run(&walk).ok().err.contains("adds 35 combinations to 35 tried"), "{run}");
    let backtest = "backtest --input noise.csv --strategy sma_cross(3,10) --json";
    assert!(shell.run(backtest).ok().err.contains("adds 1 trial to 70 tried: sma_cross("), "{run}");
    assert!(shell.run(backtest).ok().err.contains("repeats 1 trial that counts once, 71"), "{run}");
    shell.write("mine.csv", "bar,target\n5,1\n9,0\n");
    shell.run("backtest --input noise.csv --targets mine.csv").ok();

    let rows = trials(&shell);
    let kinds: Vec<&str> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["interactive", "walk_forward", "sweep"]);
    for row in &rows[1..] {
        assert_eq!(row["search"]["grid"], "fast=2..8 slow=10..30:5", "{row}");
        assert_eq!((&row["count"], &row["scope"]), (&35.into(), &"file:noise".into()));
        let variance = row["search"]["sharpe_variance"].as_f64().unwrap();
        assert!(variance > 0.0 && variance < 0.01, "{row}");
    }
    assert_eq!(rows[0]["strategy"], "sma_cross(fast=3,slow=10,short=1)");
    let table = shell.run("trials list").ok().out;
    assert!(table.contains("fast=2..8 slow=10..30:5") && table.contains("walk_forward"), "{table}");
    shell.run("trials check").ok();

    // The rule for positions turns where this strategy speaks; the grid was tried once, and the
    // pair by hand is not the one that is judged.
    let verify = "verify --input noise.csv --strategies golden_cross(4,20) --horizons 1w --json";
    let said = shell.run(verify).ok().json();
    assert_eq!(said["rows"][0]["parameter_sets"], 36, "{said}");
    assert_eq!(said["rows"][0]["data_hash"], rows[1]["data_hash"]);

    let records = rusqlite::Connection::open(shell.path("finstage-data/records.db")).unwrap();
    records.execute("DELETE FROM trials WHERE number = 2", ()).unwrap();
    for line in [&sweep, &walk, backtest] {
        let refused = shell.run(line).refused(6);
        assert!(refused.contains("the ledger of trials is not whole: row 2"), "{refused}");
    }
}
