//! Load over WebSockets against the simulated venue.

use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::binance::{BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Market, MarketSpec};
use finstage_lab::stress::ws::{self, Feed, Plan, Ramp, SYMBOLS};
use finstage_lab::stress::{Kind, Outcome, Stop, Target};
use finstage_model::Clock as _;
use finstage_net::SystemClock;
use tokio::net::TcpListener;

const OPEN_HOUSE: &str = "name = \"open house\"\n[[faults]]\nat = \"0s\"\nfor = \"1d\"\nkind = \"limit_factor\"\nfactor = 1000\n";

async fn venue(faults: &str) -> BinanceSim {
    let clock = Arc::new(SystemClock);
    let market = Market::new(MarketSpec::seeded(1, clock.now())).unwrap();
    let (faults, ledger) = (Scenario::parse(faults).unwrap(), Arc::new(Ledger::in_memory()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    BinanceSim::start(SimOptions { market, clock, faults, ledger, listener }).unwrap()
}

async fn hold(sim: &BinanceSim, (connections, hold): (u32, Duration)) -> Outcome {
    let target = Target::parse(&sim.ws_url()).unwrap();
    let symbols = SYMBOLS.map(str::to_owned).to_vec();
    let feed = Feed::binance("", symbols, &["trade".to_owned(), "bookTicker".to_owned()]);
    let plan = Plan { connections, ramp: Ramp::FAST, hold, ..Plan::new(target, feed) };
    let run = move || ws::run(&plan, &SystemClock, (&mut (), &Stop::new())).unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_opened_heard_and_closed_and_none_is_left() {
    let sim = venue(OPEN_HOUSE).await;
    let outcome = hold(&sim, (50, Duration::from_secs(1))).await;
    let messages = outcome.messages.as_ref().unwrap();
    assert_eq!((outcome.kind, outcome.sent, outcome.ok, outcome.failed), (Kind::Ws, 50, 50, 0));
    assert_eq!((messages.open, messages.connections, messages.unread), (50, 50, 0));
    assert!(messages.received > 0 && messages.latency.count > 0, "{messages:?}");
    assert_eq!((messages.missed, messages.repeated, messages.reconnects), (0, 0, 0));
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    let received: u64 = outcome.slices.iter().map(|slice| slice.ok).sum();
    assert_eq!(received, messages.received, "slices add up to the whole");
    while sim.stats().open_connections > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_of_opening_and_closing_leave_no_socket_behind() {
    let sim = venue(OPEN_HOUSE).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        let outcome = hold(&sim, (20, Duration::ZERO)).await;
        assert_eq!(outcome.ok, 20, "{:?}", outcome.errors);
        while sim.stats().open_connections > 0 {
            tokio::task::yield_now().await;
        }
        seen.push(descriptors());
    }
    // What the first round opened for good (a runtime, a file of the system) stays; nothing is added.
    let (first, last) = (seen[1], seen[5]);
    assert!(last <= first + 8, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_that_refuses_connections_is_counted_as_what_it_says() {
    let sim = venue("name = \"calm\"").await;
    let target = Target::parse(&sim.ws_url()).unwrap();
    let feed = Feed::binance("", SYMBOLS.map(str::to_owned).to_vec(), &["ticker".to_owned()]);
    let plan = Plan {
        connections: 310,
        ramp: Ramp::FAST,
        hold: Duration::ZERO,
        reconnects: 0,
        ..Plan::new(target, feed)
    };
    let run = move || ws::run(&plan, &SystemClock, (&mut (), &Stop::new())).unwrap();
    let outcome = tokio::task::spawn_blocking(run).await.unwrap();
    // It allows 300 in five minutes.
    assert_eq!((outcome.sent, outcome.ok), (310, 300));
    assert_eq!((outcome.rate_limited, outcome.errors["429_RateLimit"]), (10, 10));
}
