//! One run of a cross of averages, from bars to statistics, beside backtesting.py.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use finstage_model::{Bar, Call, Interval};
use finstage_research::BarSeries;
use finstage_research::backtest::{self, Backtest, CloseFinal, Exit, Options, Plan};
use finstage_store::history::write_csv;
use finstage_strategies::CATALOG;

use super::peer::Peer;
use super::stopwatch::{ns_each, took};
use super::{Session, numbers, walk};
use crate::exit::{Failure, Result};

/// Twenty years of days and a fortnight of minutes.
const SERIES: [(&str, Interval, usize); 2] =
    [("daily", Interval::D1, 5_031), ("minute", Interval::M1, 18_779)];

const RULE: &str = "sma_cross(10,20)";

/// How often ours runs in each round: it is over before a clock has moved much.
const RUNS_A_ROUND: u32 = 20;

/// Agreement of the money at the end that a comparison needs to mean something.
const TOLERANCE: f64 = 1e-9;

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let rule: Call = RULE.parse().map_err(Failure::usage)?;
    // As the peer has them, which closes what is left at the last open.
    let options =
        Options { cash: 1e6, close_final: CloseFinal::Open, size: 0.95, ..Options::default() };
    let mut peer = session.peer("backtesting.py", include_str!("peer_backtesting.py"));
    let folder = tempfile::tempdir()?;
    for (name, interval, count) in SERIES {
        let bars = walk::bars(interval, count);
        let path = folder.path().join(name).with_extension("csv");
        let mut file = BufWriter::new(File::create(&path)?);
        write_csv(&bars, &mut file)?;
        file.flush()?;
        peer = peer.and_then(|mut peer| {
            let loaded = peer.ask(&["load", &path.to_string_lossy()]);
            session.or_say(loaded).map(|_| peer)
        });
        let (ours, done) = rounds(session, &mut peer, || whole(&rule, &bars, &options))?;
        let ns = ns_each(ours, count);
        session.row(format!("backtest.{name}.ns_per_bar"), ns, "ns");
        session.row(format!("backtest.{name}.trades"), done.ours.trades.len() as f64, "trades");
        if let Some(theirs) = done.theirs {
            report(session, name, &done.ours, &theirs);
            let theirs_ns = ns_each(theirs.least, count);
            session.row(format!("backtest.{name}.backtesting_py_ns_per_bar"), theirs_ns, "ns");
            let trades = theirs.trades;
            session.row(format!("backtest.{name}.backtesting_py_trades"), trades, "trades");
            session.row(format!("backtest.{name}.speedup"), theirs_ns / ns, "times as fast");
        }
    }
    Ok(())
}

/// All of it: averages, crosses, fills, equity and statistics.
fn whole(rule: &Call, bars: &[Bar], options: &Options) -> Result<Backtest> {
    let plan = Plan::of_rule(rule, Exit::default(), CATALOG, bars).map_err(Failure::usage)?;
    let series = BarSeries::new(bars).map_err(Failure::usage)?;
    backtest::run(&series, &plan.targets, options).map_err(Failure::usage)
}

/// What came of the same run twice.
struct Both {
    ours: Backtest,
    theirs: Option<Theirs>,
}

#[derive(Clone, Copy)]
struct Theirs {
    least: Duration,
    trades: f64,
    equity: f64,
}

/// Our least time and both results, taking turns.
fn rounds(
    session: &Session<'_>,
    peer: &mut Option<Peer>,
    ours: impl Fn() -> Result<Backtest>,
) -> Result<(Duration, Both)> {
    let mut least = Duration::MAX;
    let mut theirs: Option<Theirs> = None;
    for _ in 0..session.rounds() {
        for _ in 0..RUNS_A_ROUND {
            let (time, done) = took(&ours);
            done?;
            least = least.min(time);
        }
        let Some(running) = peer else { continue };
        let answer = running.ask(&["run"]).and_then(|answer| numbers(&answer));
        let Some([nanos, trades, equity]) = session.or_say(answer) else {
            (*peer, theirs) = (None, None);
            continue;
        };
        let time = Duration::from_nanos(nanos as u64);
        let time = theirs.map_or(time, |before| before.least.min(time));
        theirs = Some(Theirs { least: time, trades, equity });
    }
    Ok((least, Both { ours: ours()?, theirs }))
}

/// Says whether both did the same.
fn report(session: &Session<'_>, name: &str, ours: &Backtest, theirs: &Theirs) {
    let (trades, equity) = (ours.trades.len(), ours.stats.final_equity);
    let near = (equity - theirs.equity).abs() <= TOLERANCE * theirs.equity.abs().max(1.0);
    let judged = if trades as f64 == theirs.trades && near { "agree" } else { "DISAGREE" };
    session.say(&format!(
        "{name}: {judged}: {trades} trades and {equity} at the end, backtesting.py {} and {}",
        theirs.trades, theirs.equity
    ));
}
