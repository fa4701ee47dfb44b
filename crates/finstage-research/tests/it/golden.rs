//! Twenty runs that two other engines agree on, each under both conventions of the last bar.

use finstage_engine::Catalog;
use finstage_model::Call;
use finstage_research::BarSeries;
use finstage_research::backtest::{
    Backtest, CloseFinal, Exit, Maker, Options, Plan, Target, Trade, run,
};
use finstage_research::sweep::{Axis, Grid, Row, Sweep, Work};
use serde_json::Value;

use crate::shared::Shared;

/// Relative agreement of money and statistics; counts, sizes and bars agree exactly.
const TOLERANCE: f64 = 1e-9;

#[test]
fn twenty_runs_agree_trade_by_trade_and_in_every_number() {
    let Some(shared) = Shared::find() else { return };
    let cases = cases(&shared);
    for case in &cases {
        let series = BarSeries::new(&shared.bars(case["data"].as_str().unwrap())).unwrap();
        let targets = targets(case);
        for (close_final, result) in [
            (CloseFinal::Open, "result_final_at_last_open"),
            (CloseFinal::Close, "result_final_at_last_close"),
        ] {
            let name = format!("{} {result}", case["name"]);
            let options = options(case, close_final);
            let done = run(&series, &targets, &options).unwrap();
            compare_numbers(&name, &serde_json::to_value(&done).unwrap(), &case[result]);
            if close_final == CloseFinal::Open {
                compare_trades(&name, &done, case);
                compare_equity(&name, &done, case);
            }
        }
    }
    println!("{} cases agree", cases.len());
}

#[test]
fn a_sweep_brings_what_the_reference_says() {
    let Some(shared) = Shared::find() else { return };
    for case in &cases(&shared) {
        let bars = shared.bars(case["data"].as_str().unwrap());
        let rule: Call = rule(case["strategy"].as_str().unwrap()).parse().unwrap();
        let (name, axes) = axes(&rule);
        let sweep =
            Sweep::new(&name, Exit::default(), Catalog::default(), Grid::new(axes).unwrap())
                .unwrap();
        for (close_final, result) in [
            (CloseFinal::Open, "result_final_at_last_open"),
            (CloseFinal::Close, "result_final_at_last_close"),
        ] {
            let options = options(case, close_final);
            let work = Work { threads: 2, ..Work::default() };
            let rows = sweep.run(&bars, &options, &work).unwrap();
            let values: Vec<f64> = rule.args.iter().take(2).map(|(_, value)| *value).collect();
            let is_it = |row: &&Row| sweep.grid().values(row.place) == values;
            let row = rows.iter().find(is_it).unwrap();
            let (name, expected) = (format!("{} {result}", case["name"]), &case[result]);
            assert_eq!(row.trades, count(&expected["trades"]), "{name}");
            for (ours, field) in [
                (row.final_equity, "final_equity"),
                (row.return_pct, "return_pct"),
                (row.sharpe.unwrap(), "sharpe_bar_sqrt252"),
                (row.max_drawdown_pct, "max_drawdown_pct"),
            ] {
                assert_close(&format!("{name} {field}"), ours, number(&expected[field]));
            }
        }
    }
}

/// The first two parameters as axes with two neighbours each, the rest fixed.
fn axes(rule: &Call) -> (Call, Vec<Axis>) {
    let maker = Maker::find(&rule.name).unwrap();
    let args = rule.args.iter();
    let axes = args.zip(maker.params).take(2).map(|((_, value), spec)| Axis {
        name: spec.name.to_owned(),
        values: vec![value - 1.0, *value, value + 1.0],
    });
    let axes = axes.collect();
    let rest = rule.args.iter().zip(maker.params).skip(2);
    let rest = rest.map(|((_, value), spec)| (Some(spec.name.to_owned()), *value)).collect();
    (Call { name: rule.name.clone(), args: rest }, axes)
}

fn options(case: &Value, close_final: CloseFinal) -> Options {
    Options {
        cash: number(&case["cash"]),
        commission: number(&case["commission"]),
        size: number(&case["size"]),
        close_final,
        ..Options::default()
    }
}

#[test]
fn the_rules_want_what_the_reference_wants() {
    let Some(shared) = Shared::find() else { return };
    for case in &cases(&shared) {
        let rule = rule(case["strategy"].as_str().unwrap());
        let bars = shared.bars(case["data"].as_str().unwrap());
        let plan =
            Plan::of_rule(&rule.parse().unwrap(), Exit::default(), Catalog::default(), &bars)
                .unwrap();
        assert_eq!(plan.targets, targets(case), "{} by {rule}", case["name"]);
    }
}

#[test]
fn holding_the_thing_brings_what_the_reference_says() {
    let Some(shared) = Shared::find() else { return };
    for case in &cases(&shared) {
        let series = BarSeries::new(&shared.bars(case["data"].as_str().unwrap())).unwrap();
        let done = run(&series, &[], &Options::default()).unwrap();
        let expected = number(&case["backtesting_py"]["stats"]["Buy & Hold Return [%]"]);
        assert_close("buy and hold", done.stats.buy_hold_return_pct.unwrap(), expected);
    }
}

fn cases(shared: &Shared) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(&shared.read("golden/backtests.json")).unwrap();
    assert_eq!(cases.len(), 20);
    cases
}

/// Our text for the reference's words.
fn rule(words: &str) -> String {
    let numbers: Vec<&str> =
        words.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let (a, b) = (numbers[0], numbers[1]);
    if words.starts_with("SMA cross") {
        let short = u8::from(words.contains("long and short"));
        format!("sma_cross({a},{b},short={short})")
    } else if words.starts_with("Wilder RSI") {
        format!("rsi_levels({a},{b},{})", numbers[2])
    } else {
        format!("donchian({a},{b})")
    }
}

fn targets(case: &Value) -> Vec<Target> {
    let pairs = case["targets"].as_array().unwrap().iter();
    let target = |pair: &Value| Target { bar: count(&pair[0]), want: number(&pair[1]) };
    pairs.map(target).collect()
}

fn compare_numbers(name: &str, ours: &Value, expected: &Value) {
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 13, "{name}");
    for (field, expected) in expected {
        let name = format!("{name} {field}");
        if expected.is_u64() {
            assert_eq!(count(&ours[field]), count(expected), "{name}");
        } else {
            assert_close(&name, number(&ours[field]), number(expected));
        }
    }
}

fn compare_trades(name: &str, done: &Backtest, case: &Value) {
    let list = |field: &str| case[field].as_array().cloned().unwrap_or_default();
    let (all, first, last) = (list("trades"), list("first_trades"), list("last_trades"));
    let count = done.trades.len();
    assert!(all.is_empty() || all.len() == count, "{name}");
    assert!(!first.is_empty() && !last.is_empty(), "{name}");
    let ours = done.trades.iter();
    for (ours, expected) in ours.clone().zip(&all).chain(ours.clone().zip(&first)) {
        compare_trade(name, ours, expected);
    }
    for (ours, expected) in ours.skip(count - last.len()).zip(&last) {
        compare_trade(name, ours, expected);
    }
}

fn compare_trade(name: &str, ours: &Trade, expected: &Value) {
    let name = format!("{name}, trade of bar {}", ours.entry_bar);
    assert_eq!(ours.entry_bar, count(&expected["entry_bar"]), "{name}");
    assert_eq!(ours.exit_bar, count(&expected["exit_bar"]), "{name}");
    assert_eq!(serde_json::to_value(ours).unwrap()["size"], expected["size"], "{name}");
    assert_close(&name, ours.entry_price, number(&expected["entry_price"]));
    assert_close(&name, ours.exit_price, number(&expected["exit_price"]));
    assert_close(&name, ours.commission, number(&expected["commission"]));
    assert_close(&name, ours.pnl, number(&expected["pnl"]));
}

fn compare_equity(name: &str, done: &Backtest, case: &Value) {
    let samples = case["equity_samples"].as_array().unwrap();
    assert!(samples.len() >= 40, "{name}");
    for sample in samples {
        let bar = count(&sample[0]);
        assert_close(&format!("{name}, bar {bar}"), done.equity[bar], number(&sample[1]));
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count")) as usize
}

fn assert_close(name: &str, ours: f64, expected: f64) {
    // Below a billionth of a money unit or of a percent only rounding is left.
    let bound = TOLERANCE * expected.abs().max(1e-9);
    assert!((ours - expected).abs() <= bound, "{name}: {ours} is not {expected}");
}
