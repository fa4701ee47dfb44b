use std::time::Duration;

use finstage_research::BarSeries;
use finstage_research::backtest::{Backtest, Exit, Options, Plan, Slippage, Stops, run};

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
        let plan = || {
            Plan::of_rule(&call, Exit::default(), finstage_engine::Catalog::default(), &bars)
                .unwrap()
        };
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

/// The result, and the least time of nine repetitions.
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn least_of<T>(work: impl Fn() -> T) -> (T, Duration) {
    let mut least = Duration::MAX;
    for _ in 0..8 {
        let began = std::time::Instant::now();
        std::hint::black_box(work());
        least = least.min(began.elapsed());
    }
    let began = std::time::Instant::now();
    let result = work();
    (result, least.min(began.elapsed()))
}
