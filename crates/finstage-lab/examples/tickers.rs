//! How many tickers one thread reads in a second of processor time: frames in memory.

#![expect(clippy::print_stdout, reason = "prints what it measured")]

use finstage_lab::stress::moment::process_cpu;
use finstage_lab::stress::ws::{read_tickers, ticker_frames};

fn main() {
    let wire = ticker_frames(20_000);
    for _ in 0..5 {
        let (before, mut tickers) = (process_cpu(), 0);
        for _ in 0..50 {
            tickers += read_tickers(&wire);
        }
        let spent = (process_cpu() - before).as_secs_f64();
        println!(
            "{tickers} tickers of {} B in {spent:.3} s: {:.2} M a processor second, {:.0} ns each",
            wire.len() / 20_000,
            tickers as f64 / spent / 1e6,
            spent * 1e9 / tickers as f64
        );
    }
}
