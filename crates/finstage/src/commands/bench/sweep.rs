//! Ten thousand crosses of averages over ten years of days, beside vectorbt.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use finstage_model::{Bar, Interval, Price};
use finstage_research::backtest::{Exit, Options};
use finstage_research::sweep::{Grid, Sweep, Trial, Work};
use finstage_store::history::write_csv;
use finstage_strategies::CATALOG;

use super::peer::Peer;
use super::stopwatch::{ns_each, took};
use super::{Session, numbers, walk};
use crate::exit::{Failure, Result};

/// Ten years of days.
const BARS: usize = 2_520;
/// The first values of fast and slow; each takes as many as [`edge`] says.
const FIRST: [usize; 2] = [5, 105];
/// The greatest number of values of a parameter.
const MAX_EDGE: usize = 100;
/// The most rounds with the peer, which takes its time.
const MAX_PEER_ROUNDS: u32 = 3;
/// Long or flat, one hundred units: what both can do to the last digit.
const RULE: &str = "sma_cross(short=0)";
/// Agreement of the money before the last bar that a comparison needs to mean something.
const TOLERANCE: f64 = 1e-9;

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let edge = edge(session.bars());
    let bars = in_cents(walk::bars(Interval::D1, BARS));
    let options = Options { cash: 1e8, size: 100.0, ..Options::default() };
    let sweep = sweep(edge)?;
    let (mut least, mut trades) = (Duration::MAX, 0);
    for _ in 0..session.rounds() {
        let (time, found) = took(|| sweep.search(&bars, &options, &Work::default()));
        trades = found.map_err(Failure::usage)?.rows.iter().map(|row| row.trades).sum();
        least = least.min(time);
    }
    let count = sweep.combinations();
    let ns = ns_each(least, count * BARS);
    session.row("sweep.combinations".into(), count as f64, "combinations");
    session.row("sweep.trades".into(), trades as f64, "trades");
    session.row("sweep.ns_per_combination_bar".into(), ns, "ns");
    session.row("sweep.s".into(), least.as_secs_f64(), "s of one core");
    let Some(theirs) = peer(session, &bars, edge)? else { return Ok(()) };
    compare(session, &sweep, (&bars, &options), &theirs)?;
    let theirs_ns = ns_each(theirs.least, count * BARS);
    session.row("sweep.vectorbt_ns_per_combination_bar".into(), theirs_ns, "ns");
    session.row("sweep.speedup".into(), theirs_ns / ns, "times as fast");
    Ok(())
}

/// The same bars with cents as their unit: sums of whole numbers are exact, so that two equal averages
/// are equal and do not cross by a rounding.
fn in_cents(mut bars: Vec<Bar>) -> Vec<Bar> {
    for bar in &mut bars {
        for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
            *price = Price::from_nanos(price.nanos() * 100);
        }
    }
    bars
}

/// Values of each parameter: a hundred for a million bars, fewer where less is to be done.
fn edge(bars: usize) -> usize {
    (bars / 100).isqrt().clamp(2, MAX_EDGE)
}

fn sweep(edge: usize) -> Result<Sweep> {
    let axis = |name: &str, first: usize| format!("{name}={first}..{}", first + edge - 1).parse();
    let axes = ["fast", "slow"].iter().zip(FIRST).map(|(name, first)| axis(name, first));
    let axes: Vec<_> = axes.collect::<std::result::Result<_, _>>().map_err(Failure::usage)?;
    let grid = Grid::new(axes).map_err(Failure::usage)?;
    let rule = RULE.parse().map_err(Failure::usage)?;
    Sweep::new(&rule, Exit::default(), CATALOG, grid).map_err(Failure::usage)
}

struct Theirs {
    least: Duration,
    /// Money at the close before the last, by combination, fast changing slowest.
    equity: Vec<f64>,
}

/// What the peer needs and comes to; `None` without one.
fn peer(session: &Session<'_>, bars: &[Bar], edge: usize) -> Result<Option<Theirs>> {
    let Some(python) = session.args.sweep_python.as_ref() else { return Ok(None) };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("daily.csv");
    let mut file = BufWriter::new(File::create(&path)?);
    write_csv(bars, &mut file)?;
    file.flush()?;
    let script = include_str!("peer_vectorbt.py");
    let Some(mut peer) = session.peer_of(python, "vectorbt", script) else { return Ok(None) };
    let mut ask = |words: &[&str]| -> Option<String> {
        let answer = peer.ask(words);
        session.or_say(answer)
    };
    let edge = edge.to_string();
    let loaded = ask(&["load", &path.to_string_lossy(), &edge]);
    let Some(()) = loaded.map(|_| ()) else { return Ok(None) };
    let mut least = Duration::MAX;
    for _ in 0..session.rounds().min(MAX_PEER_ROUNDS) {
        let answer = ask(&["run"]).map(|answer| numbers(&answer));
        let Some([nanos]) = answer.and_then(|answer| session.or_say(answer)) else {
            return Ok(None);
        };
        least = least.min(Duration::from_nanos(nanos as u64));
    }
    let Some(equity) = equities(&mut peer, session) else { return Ok(None) };
    Ok(Some(Theirs { least, equity }))
}

/// The money of every combination: a hundred in an answer.
fn equities(peer: &mut Peer, session: &Session<'_>) -> Option<Vec<f64>> {
    let mut all = Vec::new();
    loop {
        let answer = session.or_say(peer.ask(&["equity", &all.len().to_string()]))?;
        let more: Vec<f64> =
            answer.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        if more.is_empty() {
            return Some(all);
        }
        all.extend(more);
    }
}

/// Says for how many combinations both have the same money.
fn compare(
    session: &Session<'_>,
    sweep: &Sweep,
    (bars, options): (&[Bar], &Options),
    theirs: &Theirs,
) -> Result<()> {
    // On the last bar we close what is left, and pay for it.
    let before = bars.len() - 2;
    let look = |trial: &Trial<'_>| trial.equity[before];
    let ours = sweep.map(bars, options, &Work::default(), &look).map_err(Failure::usage)?;
    let (count, other) = (ours.len(), theirs.equity.len());
    let differs = |&place: &usize| {
        let (ours, theirs) = (ours[place], theirs.equity[place]);
        (ours - theirs).abs() > TOLERANCE * theirs.abs().max(1.0)
    };
    let differing: Vec<usize> = (0..count.min(other)).filter(differs).collect();
    let tied = differing.iter().filter(|&&place| has_tie(bars, place, count.isqrt())).count();
    let explained = other == count && tied == differing.len();
    let judged = if explained { "agree" } else { "DISAGREE" };
    session.say(&format!(
        "sweep: {judged}: {} of {count} combinations have the same money one bar before the end; in {tied} \
         more the averages are equal on a bar, which vectorbt takes for a step of a cross and ours, as \
         backtesting.py, does not",
        count - differing.len()
    ));
    Ok(())
}

/// Whether the two averages of a combination are equal on any bar.
fn has_tie(bars: &[Bar], place: usize, edge: usize) -> bool {
    let (fast, slow) = (FIRST[0] + place / edge, FIRST[1] + place % edge);
    let mut sums = vec![0_i128];
    for bar in bars {
        sums.push(sums[sums.len() - 1] + i128::from(bar.close.nanos()));
    }
    let sum = |end: usize, length: usize| sums[end] - sums[end - length];
    (slow..=bars.len()).any(|end| sum(end, fast) * slow as i128 == sum(end, slow) * fast as i128)
}
