//! The demo proves something: one planted edge, and nothing else.

use serde_json::{Value, json};

use crate::cli::day;
use crate::cli::shell::{Shell, skipped, waves};
use crate::input::is_long;

const PLANTED: &str = "volume_breakout_up(period=20,ratio=2,change=1)";

#[test]
fn the_planted_edge_is_verified_and_nothing_else_is() {
    let (shell, day) = day::played("day");
    assert_eq!((&day["planted"], &day["parity"]), (&json!(PLANTED), &json!("ok")));
    assert_eq!(day["verified_strategies"], json!([PLANTED]));
    assert_eq!(day["tests"], 171);
    let counts = ["verified", "unproven"].map(|field| day[field].as_u64().unwrap());
    assert!(counts[0] > 0 && counts[0] + counts[1] == day["signals"], "{day}");

    let rows = shell.run("signals list --json -q --limit 9999 --data-dir day").ok().rows();
    let of = |row: &Value| row["strategy"] == PLANTED;
    for row in &rows {
        assert_eq!(row["verdict"] == "verified", of(row), "{row}");
    }
    let card = &rows.iter().find(|row| of(row)).unwrap()["card"];
    assert_eq!((&card["verdict"], &card["horizon"]), (&json!("verified"), &json!("1h")));
    assert!(card["expires"].as_str().unwrap().starts_with("2026-04-05"), "{card}");
    assert!(card["hit_low"].as_f64() > card["base_rate"].as_f64(), "{card}");
    let alerts = shell.run("alerts list --json -q --limit 9999 --data-dir day").ok().rows();
    let sent: Vec<&Value> = alerts.iter().filter(|row| row["rule"] == PLANTED).collect();
    assert_eq!(sent.len() as u64, counts[0], "an alert of every verified signal");
    for alert in sent {
        assert_eq!((&alert["status"], &alert["card"]), (&json!("delivered"), card));
    }
    assert_eq!(shell.run("trials list --json --limit 9999 --data-dir day").ok().rows().len(), 171);
}

#[test]
fn the_page_of_a_verified_signal_shows_its_card() {
    let shell = Shell::new();
    let said = shell.run("demo --fast --exit --data-dir day").ok();
    assert!(said.out.contains(": 1 verified, 56 unproven, 0 rejected\n"), "{said}");
    assert!(said.out.contains(&format!("verified: {PLANTED}, the planted one")), "{said}");
    for part in ["one planted edge", "VERIFIED by card", "of any bars", "The evidence is"] {
        assert!(said.err.contains(part), "{part} is not in {said}");
    }
    let line = "signals list --json -q --strategy volume_breakout_up --limit 1 --data-dir day";
    let row = shell.run(line).ok().rows().remove(0);
    let id = row["id"].as_str().unwrap();
    shell.run(&format!("signals show {id} --proof p.html -q --data-dir day")).ok().quiet();
    let html = String::from_utf8(shell.read("p.html")).unwrap();
    for part in [
        "How often was it right?",
        "Was it worth the cost?",
        "Could it be luck?",
        "How fresh is it?",
        "Proven on past data",
        "Nothing stands against it",
        row["card"]["id"].as_str().unwrap(),
        row["card"]["data_hash"].as_str().unwrap(),
    ] {
        assert!(html.contains(part), "{part} is not in the page");
    }
}

#[test]
fn a_users_own_bars_have_no_planted_edge_and_the_demo_says_where_evidence_comes_from() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(420));
    let said = shell.run("demo --input waves.csv --fast --exit").ok();
    let advice = "not measured in the demo, so every signal is unproven; run finstage verify --input waves.csv";
    assert!(said.out.contains(advice), "{said}");
    let own = shell.run("demo --input waves.csv --fast --exit --json -q").ok().quiet().json();
    assert_eq!((&own["planted"], &own["tests"]), (&Value::Null, &json!(0)));
    assert_eq!((&own["verified_strategies"], &own["verified"]), (&json!([]), &json!(0)));
}

#[test]
fn twenty_seeds_verify_the_planted_edge_and_hardly_anything_else() {
    if !is_long() {
        return skipped("twenty demos (set FINSTAGE_LONG)");
    }
    let shell = Shell::new();
    let (mut found, mut others) = (0, 0);
    for seed in 1..=20 {
        let day =
            shell.run_long(&format!("demo --fast --exit --json -q --seed {seed}")).ok().json();
        let verified = day["verified_strategies"].as_array().unwrap();
        found += verified.iter().filter(|name| **name == PLANTED).count();
        others += verified.iter().filter(|name| **name != PLANTED).count();
    }
    assert!(found >= 19 && others <= 2, "{found} of 20 found, {others} others verified");
}
