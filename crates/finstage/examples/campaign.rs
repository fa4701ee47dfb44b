//! Simulated days of the whole client against three venues: frames, limits, faults, and what came of them.
//!
//! ```sh
//! cargo run --release -p finstage --example campaign -- --days 1 --frames-per-day 1500000 --faults 0.05 --seed 1
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its result")]

#[path = "../tests/it/campaign/world/mod.rs"]
mod world;

use std::process::ExitCode;

use clap::Parser;
use finstage_model::Clock as _;
use finstage_net::SystemClock;
use world::{Options, Outcome, run};

/// As the binary has it.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulated days of the whole client
#[derive(Debug, Clone, Copy, Parser)]
struct Arguments {
    /// Days of each world
    #[arg(long, default_value_t = 1)]
    days: u64,
    /// The share of requests that go wrong
    #[arg(long, default_value_t = 0.05)]
    faults: f64,
    /// The first world's seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Trades that the exchange prints a day
    #[arg(long, default_value_t = 1_500_000)]
    frames_per_day: u64,
    /// How often a day more is asked than the limits allow
    #[arg(long, default_value_t = 4)]
    rushes_per_day: u64,
    /// Worlds, each with the next seed
    #[arg(long, default_value_t = 1)]
    worlds: u64,
    /// Worlds at a time
    #[arg(long, default_value_t = 1)]
    threads: u64,
}

/// Plays every `threads`th world; whether all went well.
fn play(arguments: Arguments, first: u64) -> bool {
    let mut is_well = true;
    for place in (first..arguments.worlds).step_by(arguments.threads.max(1) as usize) {
        let options = Options {
            seed: arguments.seed + place,
            days: arguments.days,
            frames_per_day: arguments.frames_per_day,
            faults: arguments.faults,
            rushes_per_day: arguments.rushes_per_day,
        };
        let began = SystemClock.now();
        let outcome = run(options);
        let seconds = SystemClock.now().since(began).as_secs_f64();
        is_well &= tell(options, &outcome, seconds);
    }
    is_well
}

fn tell(options: Options, outcome: &Outcome, seconds: f64) -> bool {
    let Options { seed, days, .. } = options;
    let Outcome { session, lost, doubled, wrong, bars_lost, bars_doubled, .. } = outcome;
    let sum = |count: fn(&world::Ledger) -> u64| outcome.ledgers.iter().map(count).sum::<u64>();
    let (requests, refusals) = (sum(|ledger| ledger.arrived), sum(|ledger| ledger.refused));
    let (bans, faults) = (sum(|ledger| ledger.banned), sum(|ledger| ledger.faults));
    let (impatient, chatty) = (sum(|ledger| ledger.impatient), sum(|ledger| ledger.chatty));
    let retries: u64 = outcome.remotes.iter().map(|remote| remote.retries).sum();
    let late: u64 = outcome.asked.iter().map(|asked| asked.late).sum();
    println!(
        "seed {seed}: {days} days, {} frames, {} trades of {} printed, {} bars, hash {:016x}, {seconds:.2} s",
        session.frames, outcome.trades, outcome.printed, outcome.bars, outcome.hash
    );
    println!(
        "  {} cuts, {} overlaps, {} stalls, {} gaps, {} trades filled; lost {lost}, doubled {doubled}, bars lost {bars_lost}, doubled {bars_doubled}, wrong {wrong}",
        outcome.cuts, session.overlaps, session.stalls, session.gaps, session.trades_filled
    );
    println!(
        "  {requests} requests, {retries} repeated, {faults} faults, {refusals} refused, {bans} banned, {impatient} sent in a rest, {chatty} frames too many, {late} calls too long, {} tokens",
        outcome.tokens
    );
    for ((ledger, asked), remote) in
        outcome.ledgers.iter().zip(&outcome.asked).zip(&outcome.remotes)
    {
        println!(
            "  {}: {} arrived, {} refused, {} without cause, fullest window {}; {} calls, {} told, {} untold, {} failed; opened {} times",
            remote.name,
            ledger.arrived,
            ledger.refused,
            ledger.groundless,
            ledger.fullest,
            asked.calls,
            asked.told,
            asked.untold,
            asked.failed,
            remote.opens
        );
    }
    let bad = [*lost, *doubled, *wrong, *bars_lost, *bars_doubled, bans, impatient, chatty, late];
    bad.iter().all(|count| *count == 0)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_well = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads.max(1))
            .map(|first| scope.spawn(move || play(arguments, first)))
            .collect();
        threads.into_iter().all(|thread| thread.join().expect("a world that panics has said why"))
    });
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
