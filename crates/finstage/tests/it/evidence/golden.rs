//! Real series against the golden figures: the events of our strategies, and what followed them.

use std::collections::BTreeSet;
use std::path::Path;

use finstage::generate;
use finstage_model::{Direction, Interval, Timestamp};
use finstage_quant::stats::event_study::{Claim, Member, Scope};
use finstage_quant::stats::inference::{Estimate, mean_block};
use finstage_research::study::{Adjustment, Instrument, listen};
use finstage_store::history::{ReadOptions, read_bar_file, read_factor_file};
use finstage_strategies::CATALOG;
use serde_json::Value;

use crate::cli::shell::shared;

/// The first eligible bar of all golden cases.
const FIRST: usize = 260;

fn series(folder: &Path, name: &str) -> Instrument {
    let (file, factors) = match name {
        "GSPC" => ("gspc_d_1999_2018.csv", None),
        "AAPL" => ("aapl_d_1998_2021.csv", Some("aapl_factors.csv")),
        "BAC" => ("bac_d_1998_2021.csv", Some("bac_factors.csv")),
        "GOOG" => ("goog_d_2004_2013.csv", None),
        "NVDA" => ("nvda_d_1999_2014.csv", None),
        _ => panic!("no series {name}"),
    };
    let data = folder.join("data");
    let bars = read_bar_file(&data.join(file), &ReadOptions::default()).unwrap().bars;
    let factors = factors.map(|file| read_factor_file(&data.join(file)).unwrap());
    let adjust = |day| match &factors {
        None => Adjustment::NONE,
        Some(factors) => {
            let scale = factors.on(day);
            Adjustment { price: scale.price, split: scale.split }
        }
    };
    Instrument::new(format!("golden:{name}").parse().unwrap(), &bars, &adjust).unwrap()
}

fn rule(signal: &str) -> &'static str {
    match signal {
        "MA50_up" => "ma_breakout_up(50)",
        "dead" => "dead_cross",
        "RSI_oversold" => "rsi_oversold",
        "BB_break_upper" => "bb_break_upper",
        "Sto_oversold" => "stochastic_oversold",
        _ => panic!("no signal {signal}"),
    }
}

fn ours(instrument: &Instrument, signal: &str) -> Vec<usize> {
    let specs = generate::strategies(&[rule(signal).parse().unwrap()], &[], Interval::D1).unwrap();
    let heard = listen(&specs, CATALOG, instrument).unwrap();
    assert_eq!(heard.repaints, [false]);
    heard.events[0].iter().copied().filter(|&bar| bar >= FIRST).collect()
}

fn bars(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|bar| bar.as_u64().unwrap() as usize).collect()
}

fn close(said: f64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().unwrap();
    let off = (said - wanted).abs() / wanted.abs().max(1e-300);
    assert!(off <= 1e-9, "{what}: {said} is not {wanted}");
}

#[test]
fn our_strategies_reproduce_the_golden_events_and_figures() {
    let Some(folder) = shared() else { return };
    let text = std::fs::read_to_string(folder.join("golden/statistics.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let mut events = Value::Null;
    let mut checked = 0;
    for case in golden["event_study"]["cases"].as_array().unwrap() {
        let signal = case["signal"].as_str().unwrap();
        if case["event_bars"].is_object() {
            events = case["event_bars"].clone();
        }
        let names: Vec<&str> =
            case["series"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let instruments: Vec<Instrument> = names.iter().map(|name| series(&folder, name)).collect();
        let h = case["h"].as_u64().unwrap() as usize;
        let said: Vec<Vec<usize>> = instruments.iter().map(|one| ours(one, signal)).collect();
        let wanted: Vec<Vec<usize>> = names.iter().map(|name| bars(&events[*name])).collect();
        match signal {
            "MA50_up" | "dead" | "RSI_oversold" => assert_eq!(said, wanted, "{signal} {names:?}"),
            // Ours are other definitions: sample deviations, and the stochastic without smoothing.
            _ if h == 1 => compare(signal, &names, &said, &wanted),
            _ => {}
        }
        // Opens of the old index are no prices, and ours are closes there: the golden ones are not.
        if !names.contains(&"GSPC") {
            figures(case, &instruments, &wanted, h);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

/// Most events are the same though the definitions differ.
#[expect(clippy::print_stdout, reason = "says how far they differ")]
fn compare(signal: &str, names: &[&str], said: &[Vec<usize>], wanted: &[Vec<usize>]) {
    for ((name, said), wanted) in names.iter().zip(said).zip(wanted) {
        let (said, wanted): (BTreeSet<_>, BTreeSet<_>) =
            (said.iter().collect(), wanted.iter().collect());
        let shared = said.intersection(&wanted).count();
        println!("{signal} {name}: ours {}, golden {}, shared {shared}", said.len(), wanted.len());
        let share = shared as f64 / said.union(&wanted).count() as f64;
        assert!(share > 0.4, "{signal} {name}: {share}");
    }
}

/// The figures of a case, from our returns and eligible bars.
fn figures(case: &Value, instruments: &[Instrument], events: &[Vec<usize>], h: usize) {
    let direction = match case["direction"].as_i64() {
        Some(1) => Direction::Long,
        _ => Direction::Short,
    };
    let times: Vec<Vec<Timestamp>> = instruments
        .iter()
        .map(|one| one.bars().iter().map(|bar| bar.open_time).collect())
        .collect();
    let returns: Vec<Vec<f64>> = instruments.iter().map(|one| one.returns(h)).collect();
    let eligible: Vec<Vec<bool>> = instruments.iter().map(|one| one.eligible(FIRST, h).0).collect();
    let members: Vec<Member<'_>> = (0..instruments.len())
        .map(|place| Member {
            name: instruments[place].symbol().as_str(),
            times: &times[place],
            returns: &returns[place],
            eligible: &eligible[place],
            volatility: &[],
        })
        .collect();
    let events: Vec<&[usize]> = events.iter().map(Vec::as_slice).collect();
    let study =
        Scope::new(&members, h).unwrap().study(Claim::Direction(direction), &events).unwrap();
    let estimate = Estimate::of(&study, 0.001, mean_block(h)).unwrap();
    let result = &case["result"];
    let what = format!("{} {} h={h}", case["series"], case["signal"]);
    assert_eq!(study.n_eff as u64, result["n_eff"].as_u64().unwrap(), "{what}");
    close(study.theta, &result["theta"], &what);
    close(estimate.se, &result["se"], &what);
    close(estimate.t, &result["t_net"], &what);
}
