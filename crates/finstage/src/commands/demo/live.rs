//! The demo on real sockets: simulator, sessions, service and messenger in one process, on a clock
//! that runs faster.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use finstage_feeds::LinkState;
use finstage_lab::sim::binance::{BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::Market;
use finstage_lab::sim::sealed::{BATCH, RelayOptions, SealedRelay, Source};
use finstage_lab::sim::telegram::{Chats, TakenMessage, TelegramOptions, TelegramSim};
use finstage_model::{Clock, Timestamp};
use finstage_net::ScaledClock;
use finstage_server::ServerOptions;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

use super::evidence::{self, Findings};
use super::plan::{self, Addresses, CHAT, SYMBOLS, TOKEN};
use super::screen::Screen;
use super::tally::{Patience, Shown, Tally};
use super::{Ending, Evidence, Folder, Summary, keyring, market, scenario, start};
use crate::cli::{Demo, Global};
use crate::commands::serve::{announce, stop_on_signal};
use crate::exit::{Exit, Failure, Result};
use crate::sealing::Sealing;
use crate::service::{self, Gauges, Plan};
use crate::serving::{self, Announcement};
use crate::wiring::{Store, disk};

/// How many times faster than the clock on the wall.
const SPEED: f64 = 60.0;
/// Lines that may wait for the screen.
const SCREEN_LINES: usize = 4_096;
/// How often the screen looks for new lines.
const FRAME: Duration = Duration::from_millis(100);
/// How often the status line changes: on a terminal, and where lines pile up.
const STATUS_EVERY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// How long `--exit` lets the market run.
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn run(global: &Global, args: &Demo, began: Timestamp) -> Result<Summary> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = Folder::make(global)?;
    let store = folder.open(disk())?;
    let (send, receive) = sync_channel(SCREEN_LINES);
    let tally = Arc::new(Tally::new(Some((send, Patience::Skip))));
    let scene = (&store, folder.path());
    let (undecodable, findings) = runtime.block_on(play(global, args, (scene, &tally), receive))?;
    runtime.shutdown_timeout(Duration::from_secs(2));
    let evidence = Evidence::Of(findings);
    let ending = Ending { began, undecodable, evidence, folder: folder.words() };
    Summary::of(args.seed, &tally, &store, ending)
}

/// The simulated world.
struct World {
    clock: Arc<ScaledClock>,
    binance: BinanceSim,
    telegram: TelegramSim,
    relay: Option<SealedRelay>,
}

impl World {
    async fn start(market: Market, scenario: Scenario, keyring: Option<&Path>) -> Result<Self> {
        let failed = |e: finstage_lab::Error| Failure::new(Exit::Remote, e);
        let clock = Arc::new(ScaledClock::new(start(), SPEED));
        let ledger = Arc::new(Ledger::in_memory());
        let binance = SimOptions {
            market,
            clock: Arc::clone(&clock) as _,
            faults: scenario.clone(),
            ledger: Arc::clone(&ledger),
            listener: TcpListener::bind("127.0.0.1:0").await?,
        };
        let binance = BinanceSim::start(binance).map_err(failed)?;
        let relay = match keyring {
            Some(keyring) => {
                let Sealing { keys, file, counters } = Sealing::open_or_make(keyring, start())?;
                let options = RelayOptions {
                    source: Source::Venue(binance.ws_url()),
                    keys,
                    keyring: Some(file),
                    counters: Box::new(counters),
                    batch: BATCH,
                    token: None,
                    clock: Arc::clone(&clock) as _,
                    faults: scenario.clone(),
                    ledger: Arc::clone(&ledger),
                    listener: TcpListener::bind("127.0.0.1:0").await?,
                };
                Some(SealedRelay::start(options).map_err(failed)?)
            }
            None => None,
        };
        let telegram = TelegramOptions {
            clock: Arc::clone(&clock) as _,
            faults: scenario,
            ledger,
            listener: TcpListener::bind("127.0.0.1:0").await?,
            tokens: vec![TOKEN.into()],
            chats: Chats::Only(vec![CHAT]),
        };
        Ok(Self { clock, binance, telegram: TelegramSim::start(telegram).map_err(failed)?, relay })
    }
}

async fn play(
    global: &Global,
    args: &Demo,
    ((store, dir), tally): ((&Store, &Path), &Arc<Tally>),
    lines: Receiver<Shown>,
) -> Result<(u64, Findings)> {
    let signal = stop_on_signal();
    let scenario = scenario(args.scenario.as_deref())?;
    let market = market(args.seed)?;
    let unconnected = plan::market(&Addresses::default())?;
    let findings = evidence::gather(&market, store, &unconnected, start())?;
    let keyring = args.sealed.then(|| keyring(dir));
    let world = World::start(market, scenario, keyring.as_deref()).await?;
    let addresses = Addresses {
        rest: world.binance.rest_url(),
        ws: world.binance.ws_url(),
        telegram: world.telegram.url(),
        sealed: world.relay.as_ref().map(SealedRelay::ws_url).zip(keyring),
    };
    let mut screen = Screen::new(global.quiet || global.json, None);
    screen.line(&format!(
        "finstage demo, seed {}: a simulated Binance at {}, a simulated Telegram at {}",
        args.seed, addresses.rest, addresses.telegram
    ));
    screen.line(&format!(
        "{} at {SPEED} times the speed of the clock. Ctrl-C ends.\n",
        SYMBOLS.join(", ")
    ));
    if let Some((ws, keyring)) = &addresses.sealed {
        let keyring = keyring.display();
        screen
            .line(&format!("Its stream comes sealed, from {ws}, and is opened with {keyring}.\n"));
    }
    screen.findings(&findings);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let options = ServerOptions::new(listen);
    let server = serving::open_next(options, dir, announcing(global, dir)).await?;
    let settings = plan::market(&addresses)?;
    let until = if args.exit { start().plus(DAY) } else { Timestamp::MAX };
    let (stop, stopped) = watch::channel(false);
    let plan = Plan {
        settings,
        store: store.clone(),
        clock: Arc::clone(&world.clock) as _,
        speed: SPEED,
        steady: None,
        observer: Arc::clone(tally) as _,
        lines: || Box::new(std::io::sink()),
        server: Some(server),
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    let service = tokio::spawn(service::run(plan, stopped, move |gauges| drop(tell.send(gauges))));
    let desk = Desk {
        screen,
        tally: Arc::clone(tally),
        lines,
        messages: world.telegram.subscribe(),
        gauges: Gauges::default(),
        last_events: 0,
    };
    let desk = desk.watch(service, (signal, stop, told), (&world.clock, until)).await?;
    let undecodable = desk.gauges.sessions.iter().map(|s| s.snapshot().decode_errors).sum();
    if let Some(relay) = world.relay {
        relay.stop().await;
    }
    world.binance.stop().await;
    world.telegram.stop().await;
    Ok((undecodable, findings))
}

/// Everything the screen reads.
struct Desk {
    screen: Screen,
    tally: Arc<Tally>,
    lines: Receiver<Shown>,
    messages: broadcast::Receiver<TakenMessage>,
    gauges: Gauges,
    last_events: u64,
}

type Running = tokio::task::JoinHandle<Result<()>>;
/// What stops the demo, what stops its service, and where the service tells its gauges.
type Strings = (watch::Receiver<bool>, watch::Sender<bool>, tokio::sync::oneshot::Receiver<Gauges>);

impl Desk {
    /// Shows what happens until the service ends, or a signal or the end of time stops it.
    async fn watch(
        mut self,
        mut service: Running,
        (mut signal, stop, mut told): Strings,
        (clock, until): (&Arc<ScaledClock>, Timestamp),
    ) -> Result<Self> {
        let mut frame = tokio::time::interval(FRAME);
        let every = if self.screen.is_terminal() { STATUS_EVERY.0 } else { STATUS_EVERY.1 };
        let mut status = tokio::time::interval(every);
        loop {
            tokio::select! {
                ended = &mut service => {
                    self.drain();
                    self.screen.clear();
                    ended.map_err(|e| Failure::new(Exit::Store, e))??;
                    return Ok(self);
                }
                _ = signal.wait_for(|stop| *stop), if !*stop.borrow() => {
                    let _ = stop.send(true);
                }
                // A service that ends early tells nothing, and is not asked twice.
                Ok(gauges) = &mut told, if !told.is_terminated() => self.gauges = gauges,
                _ = frame.tick() => {
                    self.drain();
                    if clock.now() >= until {
                        let _ = stop.send(true);
                    }
                }
                _ = status.tick() => self.status(clock.now(), every),
            }
        }
    }

    fn drain(&mut self) {
        while let Ok(shown) = self.lines.try_recv() {
            self.screen.show(&shown);
        }
        while let Ok(message) = self.messages.try_recv() {
            self.screen.show(&Shown::Message { at: message.at, text: message.text });
        }
    }

    fn status(&mut self, now: Timestamp, every: Duration) {
        let events = Tally::get(&self.tally.events);
        let rate = (events - self.last_events) as f64 / every.as_secs_f64();
        self.last_events = events;
        let newest =
            Timestamp::from_nanos(self.tally.newest.load(std::sync::atomic::Ordering::Relaxed));
        let feeds: Vec<&str> =
            self.gauges.sessions.iter().map(|s| link(s.snapshot().state)).collect();
        let delivered: u64 = self.gauges.notifiers.iter().map(|(_, s)| s.delivered()).sum();
        let age = if newest.nanos() == i64::MIN {
            "no data yet".into()
        } else {
            format!("data {:.1} s old", now.since(newest).as_secs_f64())
        };
        let moment = now.to_string();
        self.screen.status(&format!(
            "{} {}  feed {}  {rate:.0} events/s  {age}  {} bars  {} signals  {} alerts  {delivered} delivered",
            &moment[..10], &moment[11..19], feeds.join(" "),
            Tally::get(&self.tally.bars), Tally::get(&self.tally.signals), Tally::get(&self.tally.alerts),
        ));
    }
}

/// Says where the dashboard is.
fn announcing(global: &Global, dir: &Path) -> impl FnOnce(&Announcement) + Send + 'static {
    let (global, dir) = (global.clone(), dir.to_owned());
    move |at| announce(&global, (Some(&dir), Some(at.address)), at)
}

fn link(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::Stale => "silent",
        LinkState::Connecting => "connecting",
        _ => "waiting",
    }
}
