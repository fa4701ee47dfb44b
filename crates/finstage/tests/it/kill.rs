//! Real processes and real kills: `finstage serve` is ended by SIGKILL at random moments and
//! started again. What it said before and after is one story, and no alert is lost in between.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use finstage::wiring;
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::telegram::{Chats, TelegramOptions, TelegramSim};
use finstage_model::{Interval, Price, Timestamp};
use finstage_net::{Request, SystemClock};
use finstage_store::history::History;
use finstage_store::records::Records;
use finstage_store::suite::Rng;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::cli::shell::{Running, Shell};

/// Kills in the usual run of the tests; `FINSTAGE_KILLS` names another number.
const KILLS: usize = 20;
/// What the shortest lives see is their own start; the longest deliver a message or two.
const SHORT_LIFE_MS: usize = 150;
const LONG_LIFE_MS: usize = 3_000;
/// From one watched price to the next: about as far as the market goes in a second.
const STEP: f64 = 1.2e-4;
/// How often one looks whether all messages are out, and how many looks each may take: a message
/// a second is what the messenger allows.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_PER_MESSAGE: usize = 40;
const DRAIN_LOOKS: usize = 300;
/// A service that is asked to end does so within this time.
const END_WITHIN: Duration = Duration::from_secs(10);
/// The first words of a message that people may have had before.
const REPEAT: &str = "(may repeat an earlier message with the same id)";
/// Every message is taken, and answered so late that many a sender is dead by then.
const SLOW: &str = "name = \"slow\"\n\
    [[faults]]\nkind = \"telegram_slow\"\nat = \"0s\"\nfor = \"30d\"\nby = \"400ms\"\n";
const SYMBOLS: [&str; 2] = ["BTCUSDT", "SOLUSDT"];
const SERVE: &str = "serve --config finstage.toml --data-dir data";

/// A simulated venue in a process of its own, and a messenger that outlives every service.
struct World {
    shell: Shell,
    runtime: Runtime,
    binance: Running,
    telegram: TelegramSim,
}

impl World {
    fn start(seed: usize) -> Self {
        let shell = Shell::new().with("TOKEN", "123456:simulated-token-of-the-kill-test");
        let mut binance = shell.start(&format!("sim --venues binance --seed {seed}"));
        let addresses: Value = serde_json::from_str(&binance.until("binance")).unwrap();
        let runtime = Runtime::new().unwrap();
        let telegram = runtime.block_on(async {
            let options = TelegramOptions {
                clock: Arc::new(SystemClock),
                faults: Scenario::parse(SLOW).unwrap(),
                ledger: Arc::new(Ledger::in_memory()),
                listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
                tokens: Vec::new(),
                chats: Chats::Any,
            };
            TelegramSim::start(options).unwrap()
        });
        let world = Self { shell, runtime, binance, telegram };
        world.write_config(&addresses["binance"]);
        world
    }

    /// Watches so close to the price that it crosses one every second or two.
    fn write_config(&self, binance: &Value) {
        let (rest, ws) = (binance["rest"].as_str().unwrap(), binance["ws"].as_str().unwrap());
        let telegram = self.telegram.url();
        let mut text = format!(
            "[alerts]\nsend = \"unproven\"\ncooldown = \"1s\"\nper_hour = 10000\nmax_age = \"24h\"\n[report]\ndaily = \"off\"\n\
             [venues.binance]\nrest = \"{rest}\"\nws = \"{ws}\"\n\
             [[feeds]]\nvenue = \"binance\"\nsymbols = {SYMBOLS:?}\nintervals = [\"1m\"]\n\
             [[notify]]\nkind = \"telegram\"\nchat = \"42\"\ntoken = \"env:TOKEN\"\nurl = \"{telegram}\"\n"
        );
        for strategy in ["rsi_bullish", "rsi_bearish", "ma_breakout_up", "ma_breakout_down"] {
            let _ = write!(
                text,
                "[[strategies]]\nname = \"{strategy}\"\ninterval = \"1m\"\nparams = {{ period = 2 }}\n"
            );
        }
        for symbol in SYMBOLS {
            let price = self.price_of(rest, symbol).to_f64();
            for step in -25..=25 {
                let level = price * (1.0 + f64::from(step) * STEP);
                let level = Price::from_f64_rounded(level, 4).unwrap();
                for rule in ["above", "below"] {
                    let _ = write!(
                        text,
                        "[[watches]]\nsymbol = \"binance:{symbol}\"\nrule = \"{rule}={level}\"\n"
                    );
                }
            }
        }
        self.shell.write("finstage.toml", text);
    }

    fn price_of(&self, rest: &str, symbol: &str) -> Price {
        let client = wiring::client().unwrap();
        let request = Request::get(format!("{rest}/api/v3/ticker/price?symbol={symbol}"));
        let response = self.runtime.block_on(client.send(&request)).unwrap();
        let answer: Value = serde_json::from_str(&response.text()).unwrap();
        answer["price"].as_str().unwrap().parse().unwrap()
    }

    /// Lives of seeded length, each ended by SIGKILL.
    fn kill(&self, kills: usize, rng: &mut Rng) {
        for _ in 0..kills {
            let life_ms = match rng.below(3) {
                0 => rng.below(SHORT_LIFE_MS),
                _ => SHORT_LIFE_MS + rng.below(LONG_LIFE_MS - SHORT_LIFE_MS),
            };
            let service = self.shell.start(SERVE);
            thread::park_timeout(Duration::from_millis(life_ms as u64));
            drop(service);
        }
    }
}

#[test]
fn a_service_that_is_killed_again_and_again_loses_no_alert() {
    let kills = kills();
    let mut rng = Rng::new(kills as u64);
    let world = World::start(7);
    world.kill(kills, &mut rng);

    // The market ends, so that nothing new is said; what was said goes out.
    let mut service = world.shell.start(SERVE);
    service.until("watching");
    a_second_service_is_refused(&world.shell, service.pid());
    let World { shell, runtime, binance, telegram } = world;
    drop(binance);
    let records = wiring::read_records(&shell.path("data")).unwrap();
    drain(&records);
    service.terminate();
    service.end_within(END_WITHIN).ok();

    let replayed = shell.run("replay --check --json --config finstage.toml --data-dir data").ok();
    assert_eq!(replayed.json()["match"], true, "{replayed}");
    check_messages(&shell, &telegram, kills);
    check_bars(&records, &wiring::history(&shell.path("data"), &records));
    drop(telegram);
    runtime.shutdown_background();
}

/// Waits until all that was said is told. An alert that was on its way when its sender was killed
/// has its turn like the others, and does not wait until the dead sender's time is over.
fn drain(records: &Records) {
    let waiting = || {
        let outbox = records.outbox_counts().unwrap();
        outbox.ready + outbox.sending
    };
    let looks = DRAIN_LOOKS + waiting() as usize * LOOKS_PER_MESSAGE;
    let mut looks = (0..looks).map(|_| thread::park_timeout(LOOK_EVERY));
    let is_drained = looks.any(|()| waiting() == 0);
    assert!(is_drained, "alerts wait too long: {:?}", records.outbox_counts());
}

fn a_second_service_is_refused(shell: &Shell, owner: u32) {
    let refused = shell.run(SERVE);
    assert_eq!(refused.code, 6, "{refused}");
    assert!(refused.complaint().contains(&format!("process {owner}")), "{refused}");
}

/// Every alert that was to be sent was delivered, people have it, and who has it twice was told.
fn check_messages(shell: &Shell, telegram: &TelegramSim, kills: usize) {
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in telegram.messages() {
        let id = message.text.lines().find_map(|line| line.strip_prefix("id ")).unwrap();
        came.entry(id.to_owned()).or_default().push(message.text);
    }
    let list = "alerts list --json --limit 100000 --config finstage.toml --data-dir data";
    let mut delivered = Vec::new();
    for alert in shell.run(list).ok().rows() {
        match alert["status"].as_str().unwrap() {
            "delivered" => delivered.push(alert["id"].as_str().unwrap().to_owned()),
            "withheld" => {}
            _ => panic!("an alert was lost: {alert}"),
        }
    }
    delivered.sort_unstable();
    assert!(delivered.len() > kills / 4, "{} alerts are too few to tell", delivered.len());
    assert_eq!(
        came.keys().cloned().collect::<Vec<_>>(),
        delivered,
        "people have each, and no other"
    );
    for texts in came.values() {
        let is_told = texts[1..].iter().all(|text| text.starts_with(REPEAT));
        assert!(is_told, "a repeat does not say so: {texts:#?}");
    }
}

/// What was missed while no service ran was fetched: the venue's bars have no hole.
fn check_bars(records: &Records, history: &History) {
    for instrument in records.instruments().unwrap() {
        let all = Timestamp::MIN..Timestamp::MAX;
        let bars = history.bars(&instrument.symbol, Interval::M1, all).unwrap();
        for pair in bars.windows(2) {
            assert_eq!(pair[0].close_time(), pair[1].open_time, "{}", instrument.symbol);
        }
        assert!(bars.len() > 10, "{} bars", bars.len());
    }
}

#[expect(clippy::disallowed_methods, reason = "the test command names the number of kills")]
fn kills() -> usize {
    std::env::var("FINSTAGE_KILLS").map_or(KILLS, |number| number.parse().unwrap())
}
