//! Holds connections to the simulated venue and says what they cost: `many_sockets serve PORT` in one
//! process, `many_sockets load PORT [CONNECTIONS] [SECONDS]` in another.

#![expect(clippy::print_stdout, reason = "prints what it measured")]

use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::binance::{BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Market, MarketSpec};
use finstage_lab::stress::ws::{self, Feed, Plan, Ramp, STREAMS, SYMBOLS};
use finstage_lab::stress::{Stop, Target, raise_descriptors};
use finstage_model::Clock as _;
use finstage_net::SystemClock;
use tokio::net::TcpListener;

/// As many connections as anyone wants: a venue allows 300 in five minutes.
const OPEN_HOUSE: &str = "name = \"open house\"\n[[faults]]\nat = \"0s\"\nfor = \"1d\"\nkind = \"limit_factor\"\nfactor = 1000\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, or: u32| args.get(i).and_then(|text| text.parse().ok()).unwrap_or(or);
    let port = number(1, 18_080);
    match args.first().map(String::as_str) {
        Some("serve") => serve(port),
        Some("load") => load(port, number(2, 10_000), number(3, 10)),
        _ => Err("write serve PORT, or load PORT [CONNECTIONS] [SECONDS]".into()),
    }
}

fn serve(port: u32) -> Result<(), Box<dyn std::error::Error>> {
    raise_descriptors(60_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let clock = Arc::new(SystemClock);
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        let market = Market::new(MarketSpec::seeded(1, clock.now()))?;
        let faults = Scenario::parse(OPEN_HOUSE)?;
        let ledger = Arc::new(Ledger::in_memory());
        let sim = BinanceSim::start(SimOptions { market, clock, faults, ledger, listener })?;
        println!("{}", sim.ws_url());
        let mut beat = tokio::time::interval(Duration::from_secs(5));
        loop {
            beat.tick().await;
            println!("{:?} {}", sim.stats(), status());
        }
    })
}

fn load(port: u32, connections: u32, seconds: u32) -> Result<(), Box<dyn std::error::Error>> {
    let target = Target::parse(&format!("ws://127.0.0.1:{port}"))?;
    let feed = Feed::binance("", SYMBOLS.map(str::to_owned).to_vec(), &STREAMS.map(str::to_owned));
    let plan = Plan {
        connections,
        ramp: Ramp::FAST,
        hold: Duration::from_secs(u64::from(seconds)),
        ..Plan::new(target, feed)
    };
    let outcome = ws::run(&plan, &SystemClock, (&mut (), &Stop::new()))?;
    println!("{}", serde_json::to_string(&outcome.messages)?);
    println!("{}", serde_json::to_string(&outcome.generator)?);
    println!("{} of {} opened, {:?}", outcome.ok, outcome.sent, outcome.errors);
    println!("{}", status());
    Ok(())
}

fn status() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines =
        status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.collect::<Vec<_>>().join(" ")
}
