//! Yahoo on this machine: its history in the store, and a service that asks it.

use std::time::Duration;

use serde_json::Value;

use crate::cli::shell::{Running, Shell};

/// A port that nobody listens on.
const NOBODY: &str = "http://127.0.0.1:9";

/// A simulated Yahoo, and a shell whose configuration knows where it is.
fn on_a_simulated_yahoo(config: &str) -> (Shell, Running) {
    let shell = Shell::new();
    let mut sim = shell.start("sim --venues yahoo --seed 3");
    let places: Value = serde_json::from_str(&sim.until("yahoo")).unwrap();
    let address = |kind: &str| places["yahoo"][kind].as_str().unwrap().to_owned();
    let (first, second) = (address("rest"), address("rest2"));
    shell.write("finstage.toml", config.replace("FIRST", &first).replace("SECOND", &second));
    (shell, sim)
}

const VENUE: &str = "[venues.yahoo]\nrest = \"FIRST,SECOND\"\n";

fn backfill(shell: &Shell, arguments: &str) -> Value {
    let run = shell.run(&format!("backfill -q --json {arguments}")).ok();
    serde_json::from_str(&run.out).unwrap()
}

#[test]
fn a_backfill_writes_what_is_missing_and_a_second_one_nothing() {
    let (shell, _sim) = on_a_simulated_yahoo(VENUE);
    let year = "--symbols yahoo:AAPL,yahoo:^GSPC,yahoo:005930.KS --from 2020-01-01 --to 2021-01-01";
    let first = backfill(&shell, year);
    let american = &first["series"][0];
    assert_eq!((&american["requested"], &american["written"]), (&253.into(), &253.into()));
    assert_eq!(first["requested"], 253 + 253 + first["series"][2]["requested"].as_u64().unwrap());
    assert_eq!((&first["gaps_found"], &first["gaps_filled"]), (&0.into(), &0.into()));
    let again = backfill(&shell, "--symbols yahoo:AAPL --from 2020-01-01 --to 2021-01-01");
    assert_eq!((&again["requested"], &again["written"]), (&0.into(), &0.into()));
}

#[test]
fn bars_stay_as_they_were_traded_and_adjusted_ones_know_the_split() {
    let (shell, _sim) = on_a_simulated_yahoo(VENUE);
    backfill(&shell, "--symbols yahoo:AAPL --from 2020-08-01 --to 2020-10-01");
    let closes = |arguments: &str| -> Vec<f64> {
        let export = format!("bars export yahoo:AAPL --interval 1d {arguments}");
        let text = shell.run(&export).ok().out;
        let row = |day: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(day)).unwrap();
            line.split(',').nth(4).unwrap().parse().unwrap()
        };
        vec![row("2020-08-28"), row("2020-08-31")]
    };
    let (raw, adjusted) = (closes(""), closes("--adjusted"));
    assert!(raw[0] / raw[1] > 3.5, "four became one: {raw:?}");
    let jump = adjusted[0] / adjusted[1];
    assert!((0.9..1.1).contains(&jump), "{adjusted:?}");
}

#[test]
fn a_hole_between_stored_bars_is_found_and_filled() {
    let (shell, _sim) = on_a_simulated_yahoo(VENUE);
    backfill(&shell, "--symbols yahoo:MSFT --from 2020-01-01 --to 2020-03-01");
    backfill(&shell, "--symbols yahoo:MSFT --from 2020-06-01 --to 2020-09-01");
    let whole = backfill(&shell, "--symbols yahoo:MSFT --from 2020-01-01 --to 2020-09-01");
    // March to May 2020 had 63 sessions.
    assert_eq!((&whole["gaps_found"], &whole["gaps_filled"]), (&1.into(), &1.into()));
    assert_eq!((&whole["requested"], &whole["written"]), (&63.into(), &63.into()));
}

#[test]
fn the_other_host_answers_when_the_first_is_down() {
    let (shell, _sim) =
        on_a_simulated_yahoo("[venues.yahoo]\nrest = \"http://127.0.0.1:9,SECOND\"\n");
    let got = backfill(&shell, "--symbols yahoo:AAPL --from 2020-01-01 --to 2020-02-01");
    assert_eq!(got["written"], 21);
}

#[test]
fn a_venue_out_of_reach_is_exit_3_and_a_symbol_that_it_does_not_have_is_exit_1() {
    let shell = Shell::new();
    shell.write("finstage.toml", format!("[venues.yahoo]\nrest = \"{NOBODY}\"\n"));
    let run = shell.run("backfill -q --symbols yahoo:AAPL --from 2020-01-01 --to 2020-02-01");
    assert_eq!(run.code, 3, "{run}");
    assert!(
        run.err.contains("cannot connect") && run.err.contains("the same command goes on"),
        "{run}"
    );
    let (shell, _sim) = on_a_simulated_yahoo(VENUE);
    let run =
        shell.run("backfill --symbols yahoo:NOSUCH,yahoo:AAPL --from 2020-01-01 --to 2020-02-01");
    assert_eq!(run.code, 1, "{run}");
    assert!(run.err.contains("yahoo:NOSUCH 1d: yahoo: the venue refused: No data found"), "{run}");
    assert!(run.out.contains("yahoo:AAPL"), "the others are fetched: {run}");
    let run = shell.run("backfill --symbols file:X");
    assert_eq!(
        (run.code, run.err.contains("write binance, yahoo, kis or kraken:SYMBOL")),
        (2, true),
        "{run}"
    );
}

const FEED: &str = "[[feeds]]\nvenue = \"yahoo\"\nsymbols = [\"AAPL\", \"005930.KS\"]\n\
    intervals = [\"15m\", \"1d\"]\n[[strategies]]\nname = \"golden_cross\"\ninterval = \"1d\"\n";

#[test]
fn a_service_asks_a_venue_without_a_stream_and_fetches_history_beside() {
    let (shell, _sim) = on_a_simulated_yahoo(&format!("{VENUE}{FEED}"));
    let mut service = shell.start("serve -v");
    service.until("watching 1 feed");
    service.until("yahoo:AAPL: the feed is up");
    service.until("yahoo:AAPL 1d: ");
    service.terminate();
    let run = service.end().ok();
    assert!(!run.err.contains("WARN"), "{run}");
    let bars = shell.run("bars list yahoo:AAPL").ok().out;
    assert!(bars.contains("yahoo:AAPL"), "{bars}");
}

#[test]
fn without_a_network_a_service_keeps_asking_and_says_so() {
    let shell = Shell::new();
    shell.write("finstage.toml", format!("[venues.yahoo]\nrest = \"{NOBODY}\"\n{FEED}"));
    let mut service = shell.start("serve");
    service.until("watching 1 feed");
    service.until("yahoo:AAPL 15m: no bars: GET");
    service.terminate();
    service.end_within(Duration::from_secs(10)).ok();
}
