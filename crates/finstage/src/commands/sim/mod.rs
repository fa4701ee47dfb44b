//! `finstage sim`

mod openai;
mod sealed;

use std::net::SocketAddr;
use std::sync::Arc;

use finstage_lab::sim::binance::{BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::kis::{CALLS_PER_SECOND, KisOptions, KisSim};
use finstage_lab::sim::kraken::{KrakenOptions, KrakenSim};
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Edge, Market, MarketSpec, SymbolSpec, Tape};
use finstage_lab::sim::openai::OpenAiSim;
use finstage_lab::sim::rss::{NewsOptions, NewsSim, Newsroom, NewsroomSpec};
use finstage_lab::sim::sealed::{SealedRelay, Source};
use finstage_lab::sim::telegram::{Chats, TelegramOptions, TelegramSim};
use finstage_lab::sim::yahoo::{YahooOptions, YahooSim};
use finstage_model::{Clock, Price, Timestamp};
use finstage_net::{ScaledClock, SystemClock};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::demo::scenario;
use super::serve::stop_on_signal;
use super::{print_line, say};
use crate::cli::{Global, RssArgs, Sim, SimVenue};
use crate::exit::{Exit, Failure, Result};
use crate::rendezvous::Note;

/// Sockets that a simulator may have, if the system lets it.
const MAX_SOCKETS: u64 = 60_000;

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
    openai::check(args)?;
    let faults = scenario(args.scenario.as_deref())?;
    let ledger = match &args.ledger {
        Some(file) => Ledger::to_file(file).map_err(Failure::usage)?,
        None => Ledger::in_memory(),
    };
    // Load tests open thousands of connections; what the system does not give is missed when it is used up.
    finstage_lab::stress::raise_descriptors(MAX_SOCKETS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(global, args, faults, Arc::new(ledger)))?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    Ok(Exit::Done)
}

async fn serve(global: &Global, args: &Sim, faults: Scenario, ledger: Arc<Ledger>) -> Result<()> {
    let mut stop = stop_on_signal();
    let clock = clock(args.speed, args.right_at);
    let start = clock.now();
    let name = if faults.name.is_empty() { "calm".to_owned() } else { faults.name.clone() };
    let world = World { args, start, clock, faults, ledger };
    let (mut addresses, mut running) = (Map::new(), Vec::new());
    let venues: &[SimVenue] = if args.play.is_some() { &[] } else { &args.venues };
    for venue in venues {
        let (venue, places) = world.start(*venue, &mut running).await?;
        addresses.insert(venue.to_owned(), places);
    }
    let mut port = running.iter().map(Running::ports).sum();
    if let Some(file) = &args.play {
        let source = sealed::recording(file, args.speed)?;
        let relay = world.relay(source, bind(args.listen, port).await?)?;
        addresses.insert("recording".to_owned(), json!({"sealed": relay.ws_url()}));
        running.push(Running::Sealed(relay));
    } else if args.sealed.is_some() {
        for places in addresses.values_mut() {
            let Some(ws) = places["ws"].as_str() else { continue };
            let source = Source::Venue(ws.to_owned());
            let relay = world.relay(source, bind(args.listen, port).await?)?;
            places["sealed"] = json!(relay.ws_url());
            running.push(Running::Sealed(relay));
            port += 1;
        }
    }
    let note = Note::leave(&addresses);
    if let Err(error) = &note {
        say(global, format_args!("load tests must name a --target: leaving a note: {error}"));
    }
    print_line(&Value::Object(addresses).to_string())?;
    let seed = args.seed;
    say(global, format_args!("simulating with seed {seed}, scenario {name}; Ctrl-C ends"));
    let _ = stop.wait_for(|stop| *stop).await;
    let counts = world.ledger.counts();
    say(
        global,
        format_args!(
            "requests: {} ok, {} refused, {} errors",
            counts.ok, counts.refused, counts.errors
        ),
    );
    drop(note);
    stop_all(global, running).await;
    Ok(())
}

/// Stops all, relays before what they relay.
async fn stop_all(global: &Global, running: Vec<Running>) {
    for venue in running.into_iter().rev() {
        match venue {
            Running::Binance(sim) => sim.stop().await,
            Running::Telegram(sim) => sim.stop().await,
            Running::Yahoo(sim) => sim.stop().await,
            Running::Kis(sim) => sim.stop().await,
            Running::Kraken(sim) => sim.stop().await,
            Running::OpenAi(sim) => sim.stop().await,
            Running::Rss(sim) => {
                say(
                    global,
                    format_args!(
                        "rss: {} questions came within a minute of the one before",
                        sim.hasty()
                    ),
                );
                sim.stop().await;
            }
            Running::Sealed(relay) => {
                let stats = relay.stats();
                say(
                    global,
                    format_args!(
                        "sealed: {} frames in {} envelopes, {} tampered, {} repeated, {} dropped, {} rotations",
                        stats.frames,
                        stats.sealed,
                        stats.tampered,
                        stats.repeated,
                        stats.dropped,
                        stats.rotations
                    ),
                );
                relay.stop().await;
            }
        }
    }
}

/// A venue that is being played.
enum Running {
    Binance(BinanceSim),
    Telegram(TelegramSim),
    Yahoo(YahooSim),
    Kis(KisSim),
    Kraken(KrakenSim),
    OpenAi(OpenAiSim),
    Rss(NewsSim),
    Sealed(SealedRelay),
}

impl Running {
    /// How many ports it has: Yahoo has two hosts.
    const fn ports(&self) -> usize {
        if matches!(self, Self::Yahoo(_)) { 2 } else { 1 }
    }
}

/// What all venues share.
struct World<'a> {
    args: &'a Sim,
    start: Timestamp,
    clock: Arc<dyn Clock>,
    faults: Scenario,
    ledger: Arc<Ledger>,
}

impl World<'_> {
    /// Starts a venue on the next free ports; gives its name and where it is.
    async fn start(
        &self,
        venue: SimVenue,
        running: &mut Vec<Running>,
    ) -> Result<(&'static str, Value)> {
        let failed = |e: finstage_lab::Error| Failure::new(Exit::Remote, e);
        let port: usize = running.iter().map(Running::ports).sum();
        let listener = bind(self.args.listen, port).await?;
        let (clock, faults) = (Arc::clone(&self.clock), self.faults.clone());
        let ledger = Arc::clone(&self.ledger);
        Ok(match venue {
            SimVenue::Binance => {
                let market = market(self.args, self.start).map_err(failed)?;
                let options = SimOptions { market, clock, faults, ledger, listener };
                let sim = BinanceSim::start(options).map_err(failed)?;
                let places = json!({"rest": sim.rest_url(), "ws": sim.ws_url()});
                running.push(Running::Binance(sim));
                ("binance", places)
            }
            SimVenue::Telegram => {
                let (tokens, chats) = (Vec::new(), Chats::Any);
                let options = TelegramOptions { clock, faults, ledger, listener, tokens, chats };
                let sim = TelegramSim::start(options).map_err(failed)?;
                let places = json!({"rest": sim.url()});
                running.push(Running::Telegram(sim));
                ("telegram", places)
            }
            SimVenue::Yahoo => {
                let listeners = [listener, bind(self.args.listen, port + 1).await?];
                let seed = self.args.seed;
                let options = YahooOptions { seed, clock, faults, ledger, listeners };
                let sim = YahooSim::start(options).map_err(failed)?;
                let [first, second] = sim.urls();
                running.push(Running::Yahoo(sim));
                ("yahoo", json!({"rest": first, "rest2": second}))
            }
            SimVenue::Kis => {
                let (seed, keys) = (self.args.seed, Vec::new());
                let calls_per_second = CALLS_PER_SECOND;
                let options =
                    KisOptions { seed, clock, faults, ledger, listener, keys, calls_per_second };
                let sim = KisSim::start(options).map_err(failed)?;
                let places = json!({"rest": sim.rest_url(), "ws": sim.ws_url()});
                running.push(Running::Kis(sim));
                ("kis", places)
            }
            SimVenue::Kraken => {
                let market = market(self.args, self.start).map_err(failed)?;
                let options = KrakenOptions { market, clock, faults, ledger, listener };
                let sim = KrakenSim::start(options).map_err(failed)?;
                let places = json!({"rest": sim.rest_url()});
                running.push(Running::Kraken(sim));
                ("kraken", places)
            }
            SimVenue::Openai => {
                let sim = OpenAiSim::start(self.openai(listener)?).map_err(failed)?;
                let places = json!({"rest": sim.rest_url()});
                running.push(Running::OpenAi(sim));
                ("openai", places)
            }
            SimVenue::Rss => {
                let sim = self.news(listener).map_err(failed)?;
                let places = json!({"rest": sim.url()});
                running.push(Running::Rss(sim));
                ("rss", places)
            }
        })
    }

    /// Publishers of news. Feeds list a day: it is there from the beginning.
    fn news(&self, listener: TcpListener) -> std::result::Result<NewsSim, finstage_lab::Error> {
        let RssArgs { rss_feeds: feeds, rss_per_minute: per_minute, rss_listed } = self.args.rss;
        let opened = self.start.minus(std::time::Duration::from_secs(86_400));
        let (seed, listed) = (self.args.seed, rss_listed as usize);
        let newsroom = Newsroom::new(NewsroomSpec { seed, opened, per_minute, feeds, listed });
        let (clock, ledger) = (Arc::clone(&self.clock), Arc::clone(&self.ledger));
        NewsSim::start(NewsOptions { newsroom, clock, ledger, listener })
    }
}

/// The machine's clock, or a faster one that was right at `right_at`, else now.
pub(super) fn clock(speed: f64, right_at: Option<Timestamp>) -> Arc<dyn Clock> {
    if speed == 1.0 {
        return Arc::new(SystemClock);
    }
    let right_at = right_at.unwrap_or_else(|| SystemClock.now());
    Arc::new(ScaledClock::right_at(right_at, speed))
}

/// The seeded market, with an edge if one is asked for.
fn market(args: &Sim, start: Timestamp) -> std::result::Result<Market, finstage_lab::Error> {
    let edge = args.edge.then_some(Edge::DEMO);
    let mut spec = MarketSpec { edge, ..MarketSpec::seeded(args.seed, start) };
    if let Tape::Seeded { symbols, .. } = &mut spec.tape {
        for n in symbols.len()..usize::from(args.symbols) {
            // From 10 up, in steps of 7.
            let price = Price::from_nanos((10 + 7 * n as i64) * 1_000_000_000);
            symbols.push(SymbolSpec::new(&format!("P{n:03}USDT"), price));
        }
        for symbol in symbols {
            symbol.trades_per_second_milli = (args.trades * 1e3) as u32;
        }
    }
    Market::new(spec)
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
