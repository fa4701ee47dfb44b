//! The whole service on real sockets, against the simulated venue and the simulated messenger:
//! what it said is said again by its journal, and by nothing but the bars it stored.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use finstage::check::{Silence, replay};
use finstage::config;
use finstage::config::settings::Settings;
use finstage::live::{Freshness, Names, Observer};
use finstage::service::{self, Plan};
use finstage::wiring::{Store, disk};
use finstage_engine::{Engine, Origin};
use finstage_lab::sim::binance::{BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Market, MarketSpec, Tape};
use finstage_lab::sim::telegram::{Chats, TelegramOptions, TelegramSim};
use finstage_model::{
    Bar, Clock as _, Decision, Event, Instrument, InstrumentId, Interval, Output, Payload, Signal,
    Timestamp,
};
use finstage_net::ScaledClock;
use finstage_store::records::{AlertStatus, Filter, StoreKind};
use finstage_store::suite::journal::read_all;
use finstage_strategies::CATALOG;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How many times faster than the clock on the wall.
const SPEED: f64 = 600.0;
/// Half an hour before a midnight.
const START: &str = "2026-01-05T23:30:00Z";
const CHAT: i64 = 42;
const TOKEN: &str = "123456:simulated-token-of-the-parity-test";
/// A bound on the real time of a service; a test that needs so much is stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the store's lock is tried, and the time between.
const LOCK_LOOKS: u32 = 1_000;
const LOCK_LOOK_EVERY: Duration = Duration::from_millis(2);

/// Strategies on the venue's bars and on bars rolled up from them.
const STRATEGIES: &str = r#"
    [[strategies]]
    name = "rsi_bullish"
    interval = "1m"
    params = { period = 5 }

    [[strategies]]
    name = "rsi_bearish"
    interval = "1m"
    params = { period = 5 }

    [[strategies]]
    name = "macd_bullish_cross"
    interval = "1m"

    [[strategies]]
    name = "bb_break_upper"
    interval = "5m"
    params = { period = 8 }

    [[strategies]]
    name = "ma_breakout_down"
    interval = "5m"
    params = { period = 5 }

    [[strategies]]
    name = "rsi_bearish"
    interval = "15m"
    params = { period = 3 }

    [[strategies]]
    name = "dip"
    interval = "1m"
    when = "within(rsi(5) < 40, 4) and cross_above(close, prev(highest(high, 3)))"

    [[strategies]]
    name = "stretched"
    interval = "5m"
    when = "close > bbands(8).middleband + 0.5 * atr(5)"
    direction = "short"
    every_bar = true
"#;

/// A simulated venue and messenger, and the folder of a service that listens to them.
struct World {
    clock: Arc<ScaledClock>,
    binance: BinanceSim,
    telegram: TelegramSim,
    folder: TempDir,
}

impl World {
    async fn start(seed: u64, scenario: &str) -> Self {
        Self::start_at(START, (seed, scenario)).await
    }

    async fn start_at(start: &str, (seed, scenario): (u64, &str)) -> Self {
        let start: Timestamp = start.parse().unwrap();
        let MarketSpec { tape, .. } = MarketSpec::seeded(seed, start);
        let Tape::Seeded { symbols, .. } = tape else { unreachable!("it is seeded") };
        let tape = Tape::Seeded { symbols, history_days: 3 };
        let market = MarketSpec { tape, ..MarketSpec::seeded(seed, start) };
        let scenario = Scenario::parse(scenario).unwrap();
        let clock = Arc::new(ScaledClock::new(start, SPEED));
        let ledger = Arc::new(Ledger::in_memory());
        let binance = SimOptions {
            market: Market::new(market).unwrap(),
            clock: Arc::clone(&clock) as _,
            faults: scenario.clone(),
            ledger: Arc::clone(&ledger),
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        };
        let telegram = TelegramOptions {
            clock: Arc::clone(&clock) as _,
            faults: scenario,
            ledger,
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            tokens: vec![TOKEN.into()],
            chats: Chats::Only(vec![CHAT]),
        };
        Self {
            clock,
            binance: BinanceSim::start(binance).unwrap(),
            telegram: TelegramSim::start(telegram).unwrap(),
            folder: TempDir::new().unwrap(),
        }
    }

    fn settings(&self, send: &str) -> Settings {
        let (rest, ws) = (self.binance.rest_url(), self.binance.ws_url());
        let telegram = self.telegram.url();
        let text = format!(
            "[alerts]\nsend = \"{send}\"\ncooldown = \"20m\"\nper_hour = 4\nmax_age = \"24h\"\n\
             [venues.binance]\nrest = \"{rest}\"\nws = \"{ws}\"\n\
             [[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\nintervals = [\"1m\", \"5m\"]\n\
             [[notify]]\nkind = \"telegram\"\nchat = \"{CHAT}\"\ntoken = \"{TOKEN}\"\nurl = \"{telegram}\"\n\
             {STRATEGIES}"
        );
        config::parse("the test's configuration", &text, &[]).unwrap()
    }

    /// The store. Other tests start programs, which hold every lock of this process from their
    /// fork until their exec.
    fn store(&self) -> Store {
        let open = || Store::open(self.folder.path(), StoreKind::Demo, disk());
        let waits = (0..LOCK_LOOKS).map(|_| std::thread::park_timeout(LOCK_LOOK_EVERY));
        let mut tries = waits.map(|()| open());
        tries.find_map(Result::ok).unwrap_or_else(|| open().unwrap())
    }

    /// Runs a service until it has applied what was received by `until`, and people have so many
    /// messages.
    async fn serve(&self, settings: &Settings, until: Timestamp, messages: usize) {
        let mut taken = self.telegram.subscribe();
        let (progress, mut applied) = watch::channel(Timestamp::MIN);
        let (stop, stopped) = watch::channel(false);
        let plan = Plan {
            settings: settings.clone(),
            store: self.store(),
            clock: Arc::clone(&self.clock) as _,
            speed: SPEED,
            steady: None,
            observer: Arc::new(Progress(progress)),
            lines: || Box::new(std::io::sink()),
            server: None,
        };
        let service = tokio::spawn(service::run(plan, stopped, |_| {}));
        let reached = applied.wait_for(|at| *at >= until);
        tokio::time::timeout(PATIENCE, reached).await.expect("time goes on").unwrap();
        while self.telegram.messages().len() < messages {
            let next = tokio::time::timeout(PATIENCE, taken.recv()).await;
            next.expect("messages arrive").unwrap();
        }
        stop.send(true).unwrap();
        tokio::time::timeout(PATIENCE, service).await.expect("it ends").unwrap().unwrap();
    }

    async fn stop(self) {
        self.binance.stop().await;
        self.telegram.stop().await;
    }
}

/// Tells how far a service came.
#[derive(Debug)]
struct Progress(watch::Sender<Timestamp>);

impl Observer for Progress {
    fn said(&self, _: &Names, event: &Event, _: &[Output], _: Freshness) {
        if event.payload == Payload::Tick {
            self.0.send_replace(event.ts_recv);
        }
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Every run says the same again, to the last bit.
fn check_replays(store: &Store, days: usize) {
    let found = store.journal.days().unwrap();
    assert_eq!(found.len(), days, "{found:?}");
    for day in found {
        for number in store.journal.runs(day).unwrap() {
            let run = (day, number);
            let replayed = replay(&store.journal, Some(&store.records), run, &mut Silence).unwrap();
            assert_eq!(replayed.matches, Some(true), "{replayed:?}");
            assert!(replayed.outputs > 0, "{replayed:?}");
        }
    }
}

/// What the records call delivered is what people have.
fn check_messages(store: &Store, telegram: &TelegramSim) {
    let texts: Vec<String> = telegram.messages().into_iter().map(|m| m.text).collect();
    let mut delivered = 0;
    for row in store.records.alerts(&Filter::newest(usize::MAX)).unwrap() {
        let id = row.alert.id.to_string();
        let came = texts.iter().filter(|text| text.contains(&id)).count();
        match (row.alert.decision, row.status) {
            (Decision::Send, AlertStatus::Delivered) => {
                delivered += 1;
                assert!(came > 0, "delivered and not there: {row:?}");
            }
            // On its way when the service stopped, or not yet.
            (Decision::Send, AlertStatus::Queued) => {}
            (Decision::Withhold(_), AlertStatus::Withheld) => assert_eq!(came, 0, "{row:?}"),
            _ => panic!("an alert was lost: {row:?}"),
        }
    }
    assert!(delivered >= 2, "{delivered} delivered");
}

/// An engine that knows nothing but the bars in the records says the signals that were said live.
fn check_backtest(store: &Store, settings: &Settings) {
    let day = store.journal.days().unwrap()[0];
    let mut engine = Engine::new(&settings.engine, CATALOG).unwrap();
    let mut outputs = Vec::new();
    let mut ends = BTreeMap::new();
    for event in read_all(&store.journal, day, 1).unwrap() {
        match &event.payload {
            Payload::Instrument(_) => engine.apply(&event, &mut outputs),
            Payload::Past(past) => {
                ends.insert(
                    (past.instrument, past.interval),
                    past.bars.last().unwrap().close_time(),
                );
                engine.apply(&event, &mut outputs);
            }
            _ => {}
        }
    }
    assert!(outputs.is_empty(), "the past says nothing");
    for bar in venue_bars(store, settings, &ends) {
        let ts_recv = bar.close_time().plus(Duration::from_millis(100));
        engine.apply(&Event::new(ts_recv, Payload::Bar(bar)), &mut outputs);
    }
    let said_again: BTreeMap<String, &Signal> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Signal(signal) if signal.interval != Interval::M15 => {
                Some((signal.id.to_string(), &**signal))
            }
            _ => None,
        })
        .collect();
    let rows = store.records.signals(&Filter::newest(usize::MAX)).unwrap();
    let rows: Vec<_> = rows.into_iter().filter(|row| row.interval != Interval::M15).collect();
    let mut said: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    said.sort_unstable();
    assert!(said.len() > 15, "{} signals", said.len());
    for own in ["dip: ", "stretched short every bar: "] {
        assert!(rows.iter().any(|row| row.strategy.starts_with(own)), "{own} is silent");
    }
    assert_eq!(said, said_again.keys().cloned().collect::<Vec<_>>());
    for row in rows {
        let signal = said_again[&row.id.to_string()];
        assert_eq!((row.price, row.at), (signal.price, signal.at), "{row:?}");
        for (fact, (name, value)) in signal.facts.iter().zip(&row.facts) {
            // The engine of a new day remembers less of the past.
            let close = (fact.value - value).abs() <= 1e-9 * value.abs().max(1.0);
            assert!(close, "{name}: {} and {value}", fact.value);
        }
    }
}

/// The stored bars of the venue's series after those ends, as they closed.
fn venue_bars(
    store: &Store,
    settings: &Settings,
    ends: &BTreeMap<(InstrumentId, Interval), Timestamp>,
) -> Vec<Bar> {
    let mut bars = Vec::new();
    for spec in settings.engine.series.iter().filter(|spec| spec.origin == Origin::Venue) {
        let Instrument { id, .. } = store.records.instrument(&spec.symbol).unwrap().unwrap();
        let range = ends[&(id, spec.interval)]..Timestamp::MAX;
        bars.extend(store.history.bars(&spec.symbol, spec.interval, range).unwrap());
    }
    bars.sort_by_key(|bar| (bar.close_time(), bar.instrument, bar.interval));
    bars
}

async fn live_equals_replay_equals_backtest(seed: u64, scenario: &str) {
    let world = World::start(seed, scenario).await;
    let settings = world.settings("unproven");
    world.serve(&settings, at("2026-01-06T00:40:00Z"), 3).await;
    let store = world.store();
    check_replays(&store, 2);
    check_messages(&store, &world.telegram);
    check_backtest(&store, &settings);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_calm_night_live_equals_replay_equals_backtest() {
    live_equals_replay_equals_backtest(1, Scenario::CALM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_rough_night_live_equals_replay_equals_backtest() {
    live_equals_replay_equals_backtest(2, Scenario::ROUGH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_that_a_power_cut_took_from_the_journal_are_fetched_again() {
    // Far from midnight, however slow the machine is: the clock does not wait for it.
    const NOON: &str = "2026-01-05T12:00:00Z";
    let world = World::start_at(NOON, (3, Scenario::CALM)).await;
    // Without alerts: what people were told is synced, and would not be lost.
    let settings = world.settings("verified");
    world.serve(&settings, at("2026-01-05T12:12:00Z"), 0).await;
    let store = world.store();
    let series = [0, 1].map(|id| [Interval::M1, Interval::M5].map(|i| (InstrumentId(id), i)));
    let start: BTreeMap<_, _> = series.into_iter().flatten().map(|one| (one, at(NOON))).collect();
    let before = venue_bars(&store, &settings, &start);
    let day = store.journal.days().unwrap()[0];
    let segment: PathBuf = store.journal.root().join(day.to_string()).join("001/000000.log");
    drop(store);
    let file = OpenOptions::new().write(true).open(segment).unwrap();
    file.set_len(file.metadata().unwrap().len() / 3).unwrap();
    drop(file);

    world.serve(&settings, world.clock.now().plus(Duration::from_secs(600)), 0).await;
    let store = world.store();
    check_replays(&store, 1);
    let after = venue_bars(&store, &settings, &start);
    let lost: Vec<&Bar> = before.iter().filter(|bar| !after.contains(bar)).collect();
    assert!(lost.is_empty(), "not fetched again: {lost:#?}");
    assert!(after.len() > before.len(), "and it went on");
    world.stop().await;
}
