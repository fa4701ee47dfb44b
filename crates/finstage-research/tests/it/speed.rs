use finstage_engine::Catalog;
use std::time::Duration;

use finstage_research::BarSeries;
use finstage_research::backtest::{Backtest, Exit, Options, Plan, Slippage, Stops, run};
use finstage_research::sweep::{Grid, Sweep, Work};

use crate::shared::Shared;
use crate::walk;

#[test]
#[ignore = "a measurement: cargo test --release -p finstage-research -- --ignored --nocapture speed"]
fn nanoseconds_for_each_bar() {
    const BARS: usize = 1_000_000;
    let bars = walk(BARS);
    // Rich enough to pay the commission of every trade.
    let plain = Options { cash: 1e9, size: 1.0, ..Options::default() };
    let stops = Stops { loss: Some(0.05), profit: Some(0.1) };
    let guarded = Options { stops, slippage: Slippage::Bps(1.0), ..plain };
    let say = |name: &str, least: Duration| {
        println!("{name:<40} {:>6.2} ns/bar", least.as_nanos() as f64 / BARS as f64);
    };
    say("columns", least_of(|| BarSeries::new(&bars).unwrap()).1);
    for rule in ["sma_cross(10,30)", "rsi_levels(14)", "donchian(20,10)"] {
        let call = rule.parse().unwrap();
        let plan = || Plan::of_rule(&call, Exit::default(), Catalog::default(), &bars).unwrap();
        say(&format!("{rule}: targets"), least_of(plan).1);
        let targets = plan().targets;
        let series = BarSeries::new(&bars).unwrap();
        let (done, least) = least_of(|| run(&series, &targets, &plain).unwrap());
        say(&format!("{rule}: run of {} trades", done.trades.len()), least);
        let (done, least) = least_of(|| run(&series, &targets, &guarded).unwrap());
        say(&format!("{rule}: stops, slippage, {} trades", done.trades.len()), least);
        let whole = || -> Backtest {
            let series = BarSeries::new(&bars).unwrap();
            run(&series, &plan().targets, &plain).unwrap()
        };
        say(&format!("{rule}: all, from bars to numbers"), least_of(whole).1);
    }
}

#[test]
#[ignore = "a measurement, as the one above"]
fn nanoseconds_for_each_bar_and_combination() {
    // Ten years of days, and a year of minutes.
    for (count, grids) in [(2_520, ["5..104", "105..204"]), (525_600, ["5..14", "105..114"])] {
        // Real days, where there are some.
        let real = Shared::find().filter(|_| count < 5_000);
        let real = real.map(|shared| shared.bars("gspc_d_1999_2018.csv")[..count].to_vec());
        let bars = real.unwrap_or_else(|| walk(count));
        for (rule, names) in [
            ("sma_cross", ["fast", "slow"]),
            ("sma_cross(short=0)", ["fast", "slow"]),
            ("donchian", ["entry", "exit"]),
        ] {
            let axes = names.iter().zip(grids).map(|(name, range)| format!("{name}={range}"));
            let axes = axes.map(|axis| axis.parse().unwrap()).collect();
            let (rule, grid) = (rule.parse().unwrap(), Grid::new(axes).unwrap());
            let sweep = Sweep::new(&rule, Exit::default(), Catalog::default(), grid).unwrap();
            let run = || sweep.run(&bars, &Options::default(), &Work::default()).unwrap();
            let (rows, least) = least_of(run);
            let search = || sweep.search(&bars, &Options::default(), &Work::default()).unwrap();
            let (_, counted) = least_of(search);
            let more = 100.0 * (counted.as_secs_f64() / least.as_secs_f64() - 1.0);
            println!("{rule}: what the ledger wants to know takes {more:.1} % more");
            let trades: usize = rows.iter().map(|row| row.trades).sum();
            println!(
                "{rule:<20} {count} bars, {} combinations, {} trades each: {:.4} s, {:.2} ns/bar",
                rows.len(),
                trades / rows.len(),
                least.as_secs_f64(),
                least.as_nanos() as f64 / (count * rows.len()) as f64
            );
        }
    }
}

/// The result, and the least time of nine repetitions.
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn least_of<T>(work: impl Fn() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    // What this thread worked, where the system tells it: others may want the processor too.
    let spent = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
        let nanos = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
        nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
    };
    let mut least = Duration::MAX;
    for _ in 0..8 {
        let began = spent();
        std::hint::black_box(work());
        least = least.min(spent() - began);
    }
    let began = spent();
    let result = work();
    (result, least.min(spent() - began))
}
