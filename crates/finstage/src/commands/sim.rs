//! `finstage sim`

use std::net::SocketAddr;
use std::sync::Arc;

use finstage_lab::sim::binance::{BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Edge, Market, MarketSpec};
use finstage_lab::sim::telegram::{Chats, TelegramOptions, TelegramSim};
use finstage_lab::sim::yahoo::{YahooOptions, YahooSim};
use finstage_model::{Clock, Timestamp};
use finstage_net::{ScaledClock, SystemClock};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::demo::scenario;
use super::serve::stop_on_signal;
use super::{print_line, say};
use crate::cli::{Global, Sim, SimVenue};
use crate::exit::{Exit, Failure, Result};

pub(super) fn run(global: &Global, args: &Sim) -> Result<Exit> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "--listen {}: the simulator serves this machine only: name 127.0.0.1 or [::1]",
            args.listen
        )));
    }
    if !(args.speed.is_finite() && (0.01..=100_000.0).contains(&args.speed)) {
        return Err(Failure::usage(format!(
            "--speed {}: write a number from 0.01 to 100000",
            args.speed
        )));
    }
    let faults = scenario(args.scenario.as_deref())?;
    let ledger = match &args.ledger {
        Some(file) => Ledger::to_file(file).map_err(Failure::usage)?,
        None => Ledger::in_memory(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(global, args, faults, Arc::new(ledger)))?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    Ok(Exit::Done)
}

async fn serve(global: &Global, args: &Sim, faults: Scenario, ledger: Arc<Ledger>) -> Result<()> {
    let failed = |e: finstage_lab::Error| Failure::new(Exit::Remote, e);
    let stop = stop_on_signal();
    let start = SystemClock.now();
    let clock: Arc<dyn Clock> = if args.speed == 1.0 {
        Arc::new(SystemClock)
    } else {
        Arc::new(ScaledClock::new(start, args.speed))
    };
    let mut addresses = Map::new();
    let (mut binance, mut telegram, mut yahoo) = (None, None, None);
    let mut ports = 0..;
    for venue in &args.venues {
        let listener = bind(args.listen, ports.next().unwrap_or_default()).await?;
        match venue {
            SimVenue::Binance => {
                let options = SimOptions {
                    market: market(args, start).map_err(failed)?,
                    clock: Arc::clone(&clock),
                    faults: faults.clone(),
                    ledger: Arc::clone(&ledger),
                    listener,
                };
                let sim = BinanceSim::start(options).map_err(failed)?;
                addresses
                    .insert("binance".into(), json!({"rest": sim.rest_url(), "ws": sim.ws_url()}));
                binance = Some(sim);
            }
            SimVenue::Telegram => {
                let options = TelegramOptions {
                    clock: Arc::clone(&clock),
                    faults: faults.clone(),
                    ledger: Arc::clone(&ledger),
                    listener,
                    tokens: Vec::new(),
                    chats: Chats::Any,
                };
                let sim = TelegramSim::start(options).map_err(failed)?;
                addresses.insert("telegram".into(), json!({"rest": sim.url()}));
                telegram = Some(sim);
            }
            SimVenue::Yahoo => {
                let second = bind(args.listen, ports.next().unwrap_or_default()).await?;
                let options = YahooOptions {
                    seed: args.seed,
                    clock: Arc::clone(&clock),
                    faults: faults.clone(),
                    ledger: Arc::clone(&ledger),
                    listeners: [listener, second],
                };
                let sim = YahooSim::start(options).map_err(failed)?;
                let [first, second] = sim.urls();
                addresses.insert("yahoo".into(), json!({"rest": first, "rest2": second}));
                yahoo = Some(sim);
            }
        }
    }
    print_line(&Value::Object(addresses).to_string())?;
    say(
        global,
        format_args!(
            "simulating with seed {}, scenario {}; Ctrl-C ends",
            args.seed,
            if faults.name.is_empty() { "calm" } else { &faults.name }
        ),
    );
    let mut stop = stop;
    let _ = stop.wait_for(|stop| *stop).await;
    let counts = ledger.counts();
    say(
        global,
        format_args!(
            "requests: {} ok, {} refused, {} errors",
            counts.ok, counts.refused, counts.errors
        ),
    );
    if let Some(sim) = binance {
        sim.stop().await;
    }
    if let Some(sim) = telegram {
        sim.stop().await;
    }
    if let Some(sim) = yahoo {
        sim.stop().await;
    }
    Ok(())
}

/// The seeded market, with an edge if one is asked for.
fn market(args: &Sim, start: Timestamp) -> std::result::Result<Market, finstage_lab::Error> {
    let edge = args.edge.then_some(Edge::DEMO);
    Market::new(MarketSpec { edge, ..MarketSpec::seeded(args.seed, start) })
}

/// The address of the nth venue: the ports follow each other, or are all free ones.
async fn bind(listen: SocketAddr, i: usize) -> Result<TcpListener> {
    let mut address = listen;
    if listen.port() != 0 {
        let port = u16::try_from(usize::from(listen.port()) + i).map_err(|_| {
            Failure::usage(format!("--listen {listen}: no ports are left above it"))
        })?;
        address.set_port(port);
    }
    TcpListener::bind(address)
        .await
        .map_err(|e| Failure::usage(format!("listening on {address}: {e}; name another --listen")))
}
