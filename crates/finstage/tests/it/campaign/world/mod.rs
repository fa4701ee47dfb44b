//! Simulated days of the whole client against three venues within this process.
//!
//! The client is the real one: [`Client`] at a [`Remote`] with limits, breaker and retries, a feeds session
//! over in-memory sockets, the venues' own translators, a token cell. Time is tokio's, paused: it moves when
//! there is nothing left to do. One seed makes one run; its [`Outcome::hash`] is over everything sent,
//! received and said, with its moments.

mod client;
mod faults;
mod referee;
mod stream;
mod tape;
mod trace;
mod venues;

use std::time::Duration;

use finstage_feeds::SessionSnapshot;
use finstage_net::RemoteSnapshot;
use tokio::time::sleep;

use client::{Asked, Askers, Listener, watch};
pub(crate) use referee::Ledger;
use venues::World;

/// What a campaign is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) days: u64,
    /// Trades that the exchange prints a day.
    pub(crate) frames_per_day: u64,
    /// The share of requests that go wrong; connections and frames go wrong in proportion.
    pub(crate) faults: f64,
    /// How often a day more is asked of all venues at once than their limits allow.
    pub(crate) rushes_per_day: u64,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) session: SessionSnapshot,
    pub(crate) remotes: Vec<RemoteSnapshot>,
    pub(crate) ledgers: [Ledger; 3],
    pub(crate) asked: [Asked; 3],
    pub(crate) printed: u64,
    pub(crate) trades: u64,
    pub(crate) bars: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Trades and bars that are not what the exchange printed.
    pub(crate) wrong: u64,
    pub(crate) bars_lost: u64,
    pub(crate) bars_doubled: u64,
    pub(crate) cuts: u64,
    pub(crate) tokens: u64,
    pub(crate) hash: u64,
}

/// The longest time after the last fault in which everything must be whole again.
const RECOVERY: Duration = Duration::from_secs(4 * 3_600);
/// So long nothing may be missing before the end.
const QUIET: Duration = Duration::from_secs(600);

/// Plays the days from the first moment to the last.
pub(crate) fn run(options: Options) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output needs nothing of the system");
    runtime.block_on(play(options))
}

async fn play(options: Options) -> Outcome {
    let world = World::new(options.seed, options.faults);
    let askers = Askers::new(&world);
    let watched = watch(&world, askers.remote());
    let listener = tokio::spawn(Listener::new(&world).listen(watched.events));
    tokio::spawn(stream::trade(world.clone(), options.frames_per_day));
    let asking = tokio::spawn(askers.clone().ask(options));
    asking.await.expect("the askers do not panic");
    recover(&world, &watched.stats).await;
    world.state().is_closed = true;
    sleep(Duration::from_secs(60)).await;
    watched.stop.send_replace(true);
    watched.session.await.expect("the session does not panic");
    let listener = listener.await.expect("the listener does not panic");
    let state = world.state();
    let ends = || state.tapes.iter().map(|tape| (tape.next() - tape.first, tape.minutes.len()));
    let lost = ends().zip(&listener.trades).map(|((end, _), tally)| tally.lost(end)).sum();
    let bars_lost = ends().zip(&listener.bars).map(|((_, end), tally)| tally.lost(end as u64));
    let all = || listener.trades.iter().chain(&listener.bars);
    Outcome {
        session: watched.stats.snapshot(),
        remotes: askers.snapshots(),
        ledgers: [0, 1, 2].map(|place| state.referees[place].ledger),
        asked: askers.asked(),
        printed: ends().map(|(end, _)| end).sum(),
        trades: listener.trades.iter().map(|tally| tally.came).sum(),
        bars: listener.bars.iter().map(|tally| tally.came).sum(),
        lost,
        doubled: listener.trades.iter().map(|tally| tally.doubled).sum(),
        wrong: all().map(|tally| tally.wrong).sum(),
        bars_lost: bars_lost.sum(),
        bars_doubled: listener.bars.iter().map(|tally| tally.doubled).sum(),
        cuts: state.cuts,
        tokens: askers.tokens(),
        hash: state.trace.hash(),
    }
}

/// Nothing goes wrong any more, and what is missing comes.
async fn recover(world: &World, stats: &finstage_feeds::SessionStats) {
    world.state().faults.iter_mut().for_each(faults::Faults::stop);
    let begun = tokio::time::Instant::now();
    let mut quiet = Duration::ZERO;
    while quiet < QUIET && begun.elapsed() < RECOVERY {
        let step = Duration::from_secs(10);
        sleep(step).await;
        let seen = stats.snapshot();
        let is_whole = seen.gaps_open == 0 && seen.trades_missing == 0;
        quiet = if is_whole { quiet + step } else { Duration::ZERO };
    }
}
