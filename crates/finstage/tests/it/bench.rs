//! `finstage bench`: figures are there, peers take part or are left out with a word. No figure is
//! judged here.

use serde_json::Value;

use crate::cli::shell::{Shell, skipped};

/// Few and short: what is asked here is whether it works.
const QUICK: &str = "--json --bars 3000 --rounds 1";

fn names(document: &Value) -> Vec<&str> {
    document["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn every_group_has_figures_with_machine_version_and_date() {
    let run = Shell::new().run(&format!("bench {QUICK}")).ok();
    assert!(run.err.contains("no peers: --python PATH names a Python"), "{run}");
    let document = run.json();
    for name in ["cpu", "os", "version", "date"] {
        assert!(!document[name].as_str().unwrap().is_empty(), "{name}: {document}");
    }
    assert!(document["cores"].as_u64() > Some(0) && document["commit"] != "", "{document}");
    for row in document["rows"].as_array().unwrap() {
        assert!(row["value"].as_f64().unwrap().is_finite() && row["unit"].is_string(), "{row}");
    }
    let names = names(&document);
    for name in [
        "indicators.sma20.ns_per_bar",
        "streaming.macd.ns_per_update",
        "backtest.daily.trades",
        "sweep.ns_per_combination_bar",
        "verify.pooled.threads1.s",
        "verify.each.threads2.block_sums_per_s",
        "history.column_scan.ns_per_bar",
        "engine.trades_per_s",
        "seal.v1.per_s",
        "seal.workers.per_cpu_s",
        "seal.latency.v1.p999",
        "seal.rotation.lost",
        "seal.stream.rss_end",
        "server.prices.per_second",
        "server.stream.p99",
        "service.jobs.parallel",
        "service.api.p99",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(names.iter().all(|name| !name.contains("talib") && !name.contains("speedup")));
}

#[test]
fn groups_are_chosen_by_name() {
    let shell = Shell::new();
    let text = shell.run("bench streaming -q --bars 3000 --rounds 1").ok().quiet().out;
    assert!(text.starts_with("machine  "), "{text}");
    let figures = text.lines().filter(|line| line.starts_with("streaming.")).count();
    assert_eq!((figures, text.lines().count()), (6, 10), "{text}");
    let refused = shell.run("bench streeming").refused(2);
    assert_eq!(refused, "no figures \"streeming\"; did you mean \"streaming\"?");
}

#[cfg(unix)]
#[test]
fn a_peer_that_dies_is_left_out_with_its_last_words() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::new();
    let peer = "#!/bin/sh\necho ready 0.0\nread order\necho ok\nread order\n\
                echo 'Traceback:' >&2\necho 'MemoryError: no room' >&2\n";
    shell.write("peer", peer);
    std::fs::set_permissions(shell.path("peer"), PermissionsExt::from_mode(0o755)).unwrap();
    let run = shell.run(&format!("bench indicators backtest {QUICK} --python ./peer")).ok();
    assert!(run.err.contains("beside TA-Lib 0.0"), "{run}");
    assert!(run.err.contains("TA-Lib is left out: it ended: MemoryError: no room"), "{run}");
    assert!(run.err.contains("backtesting.py is left out: it ended: MemoryError"), "{run}");
    let document = run.json();
    let names = names(&document);
    assert!(names.contains(&"indicators.atr14.ns_per_bar"), "{names:?}");
    assert!(names.iter().all(|name| !name.contains("talib") && !name.contains("speedup")));

    let run = shell.run(&format!("bench indicators {QUICK} --python ./nowhere")).ok();
    assert!(run.err.contains("TA-Lib is left out: starting ./nowhere: "), "{run}");
}

#[test]
fn peers_come_to_the_same_results() {
    #[expect(clippy::disallowed_methods, reason = "only the test command knows the interpreter")]
    let Some(python) = std::env::var_os("FINSTAGE_PEERS") else {
        return skipped(
            "FINSTAGE_PEERS names no python with TA-Lib, backtesting and cryptography (test --all)",
        );
    };
    let python = python.to_string_lossy();
    let run =
        Shell::new().run(&format!("bench indicators backtest seal {QUICK} --python {python}")).ok();
    assert!(
        ["single", "async", "batch", "workers"].iter().all(|way| {
            let said = format!("seal.{way}: agree: 300 records");
            run.err.contains(&said)
        }),
        "{run}"
    );
    assert!(run.err.contains("daily: agree: ") && run.err.contains("minute: agree: "), "{run}");
    for word in ["left out", "DISAGREE", "not comparable"] {
        assert!(!run.err.contains(word), "{run}");
    }
    let document = run.json();
    let ratios = names(&document).into_iter().filter(|name| name.ends_with(".ratio")).count();
    assert_eq!(ratios, 6, "{document}");
}

#[test]
fn the_peer_of_sweeps_has_the_same_money() {
    #[expect(clippy::disallowed_methods, reason = "only the test command knows the interpreter")]
    let Some(python) = std::env::var_os("FINSTAGE_SWEEP_PEER") else {
        return skipped("FINSTAGE_SWEEP_PEER names no python with vectorbt (test --all)");
    };
    let python = python.to_string_lossy();
    let run = Shell::new().run_long(&format!("bench sweep {QUICK} --sweep-python {python}")).ok();
    assert!(run.err.contains("sweep: agree: 25 of 25 combinations"), "{run}");
    assert!(names(&run.json()).contains(&"sweep.speedup"), "{run}");
}
