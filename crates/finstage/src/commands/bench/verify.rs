//! Evidence for the whole catalogue on a hundred instruments over ten years of days: what a person
//! waits for, pooled and each instrument for itself.

use std::time::Duration;

use finstage_model::{Card, Interval};
use finstage_research::evidence::{Evidence, Groups, Ledger, Options, Plan};
use finstage_research::study::{Adjustment, Instrument};
use finstage_research::worlds::panel;
use finstage_strategies::CATALOG;

use super::Session;
use super::stopwatch::waited;
use crate::exit::{Failure, Result};
use crate::generate;

/// Ten years of days.
const BARS: usize = 2_520;
/// The fewest bars with which anything can be said.
const LEAST_BARS: usize = 300;
/// The most instruments.
const MAX_INSTRUMENTS: usize = 100;
/// The most rounds: a person waits for each.
const MAX_ROUNDS: u32 = 1;
const SEED: u64 = 2_520;
const THREADS: [usize; 2] = [1, 2];
/// How groups are called in the figures.
const GROUPS: [(&str, Groups); 2] = [("pooled", Groups::Pooled), ("each", Groups::Each)];

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let bars = (session.bars() / 4).clamp(LEAST_BARS, BARS);
    let instruments = (session.bars() / BARS).clamp(1, MAX_INSTRUMENTS);
    let series = panel(instruments, 0.3, SEED, bars);
    let mut all = Vec::with_capacity(instruments);
    for (number, bars) in series.iter().enumerate() {
        let symbol = format!("bench:W{number:03}").parse().map_err(Failure::usage)?;
        let one = Instrument::new(symbol, bars, &|_| Adjustment::NONE);
        all.push(one.map_err(Failure::usage)?);
    }
    session.row("verify.instruments".into(), instruments as f64, "instruments");
    for (name, groups) in &GROUPS {
        for threads in THREADS {
            let (mut least, mut sums, mut count) = (Duration::MAX, 0.0, 0);
            for _ in 0..session.rounds().min(MAX_ROUNDS) {
                let (time, evidence) = waited(|| evidence(&all, groups, threads));
                let evidence = evidence?;
                sums = evidence.rows.iter().map(|card| block_sums(card, bars)).sum();
                (least, count) = (least.min(time), evidence.rows.len());
            }
            let seconds = least.as_secs_f64();
            let row = |figure: &str| format!("verify.{name}.threads{threads}.{figure}");
            session.row(row("s"), seconds, "s to wait");
            session.row(row("hypotheses"), count as f64, "hypotheses");
            session.row(row("block_sums_per_s"), sums / seconds.max(1e-9), "block sums/s");
        }
    }
    Ok(())
}

/// A single look with everything that is known.
fn evidence(all: &[Instrument], groups: &Groups, threads: usize) -> Result<Evidence> {
    let specs = generate::strategies(&[], &[], Interval::D1)?;
    let options = Options { threads, ..Options::default() };
    let plan = Plan::new(all.to_vec(), groups, (specs, CATALOG), options);
    let measured = plan.and_then(Plan::measure).map_err(Failure::usage)?;
    Ok(measured.judge(&Ledger::of_files(&[])))
}

/// Sums of blocks that the draws of a card took, about: dates over the mean block, for each draw.
fn block_sums(card: &Card, bars: usize) -> f64 {
    let dates = bars.saturating_sub(card.warmup_bars + card.horizon_bars + 1);
    card.draws as f64 * dates as f64 / card.mean_block
}
