//! A whole service, `serve` on a simulated venue: what it takes, how late its clients hear, and how long it is
//! away when it is killed.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use finstage_lab::stress::arrival::Schedule;
use finstage_lab::stress::raise_descriptors;
use finstage_model::{Clock as _, Symbol, Timestamp};
use finstage_net::{Client, ClientOptions, Request, SystemClock};
use finstage_server::{load_token, token_file};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::super::server::{Place, percentile};
use super::api::{DOCUMENT_RATE, ask};
use super::clients::{Fates, listen, polled};
use super::{Effort, Session};
use crate::exit::{Exit, Failure, Result};

/// What is watched.
const INSTRUMENTS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/// What is asked of it.
const PAGES: [&str; 5] = [
    "/api/v1/prices",
    "/api/v1/signals?limit=50",
    "/api/v1/alerts?limit=50",
    "/api/v1/bars?symbol=binance:BTCUSDT&interval=1m&limit=100",
    "/api/v1/indicators?symbol=binance:BTCUSDT&interval=1m&spec=RSI(14)&spec=SMA(20)",
];
/// Sockets of the listeners and what else is open.
const SOCKETS: u64 = 4_096;
/// Listeners whose delays are looked at: few, so that the machine is not what is measured.
const FEW: usize = 3;
/// The longest that a service may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often one looks whether it is.
const LOOK: Duration = Duration::from_millis(20);
const MIB: f64 = (1 << 20) as f64;

pub(super) async fn measure(session: &mut Session<'_>, effort: Effort) -> Result<()> {
    raise_descriptors(SOCKETS);
    let folder = tempfile::tempdir()?;
    let sim = Sim::start()?;
    configure(folder.path(), &sim.places)?;
    let house = House::start(folder.path()).await?;
    quiet(session, &house, effort).await?;
    asked(session, &house, effort).await?;
    delays(session, &house, effort).await?;
    subscribers(session, &house, effort).await?;
    killed(session, house, folder.path()).await
}

/// What it takes while nobody asks.
async fn quiet(session: &mut Session<'_>, house: &House, effort: Effort) -> Result<()> {
    let before = house.system().await?;
    sleep(effort.watched_for).await;
    let after = house.system().await?;
    let how =
        format!("three pairs, some 12 trades/s, {} strategies; of one processor", STRATEGIES.len());
    session.beside(("cpu.watching", after.cpu_since(&before), "%"), ("85", "40"), how);
    let how = "resident, while it watches";
    session.beside(("rss.watching", after.memory_mib, "MiB"), ("1,229", "819"), how);
    Ok(())
}

/// What it takes while as many ask as the document had in the end.
async fn asked(session: &mut Session<'_>, house: &House, effort: Effort) -> Result<()> {
    let before = house.system().await?;
    let steady = Schedule::constant(DOCUMENT_RATE, effort.asked_for);
    let outcome = ask(&house.place, &PAGES, steady).await?;
    let after = house.system().await?;
    let how = format!("the same with {:.0} requests/s, indicators among them", outcome.rps);
    session.beside(("cpu.asked", after.cpu_since(&before), "%"), ("85", "40"), how);
    session.beside(("rss.asked", after.memory_mib, "MiB"), ("1,229", "819"), "after that");
    let p99 = outcome.latency.p99_ms.unwrap_or(f64::NAN);
    let how = "the same questions; a computation of indicators is the slowest";
    session.beside(("api.p99.live", p99, "ms"), ("1,200 (mean)", "300 (mean)"), how);
    Ok(())
}

/// How old a trade is when a client knows it: one who hears the stream, and one who polls.
async fn delays(session: &mut Session<'_>, house: &House, effort: Effort) -> Result<()> {
    let polls = 3;
    let length = effort.polled_every * polls;
    let instruments = symbols()?;
    let listening = listen(&house.place, &instruments[..1], (FEW, length));
    let polling = async {
        let mut answers = Vec::new();
        for _ in 0..=polls {
            let path = format!("/api/v1/prices?symbol={}", instruments[0]);
            let answer = house.get(&path).await?;
            let newest = answer["items"][0]["at"].as_str().and_then(|at| at.parse().ok());
            answers.extend(newest.map(|newest: Timestamp| (SystemClock.now(), newest)));
            sleep(effort.polled_every).await;
        }
        Ok::<_, Failure>(answers)
    };
    let (listened, answers) = tokio::join!(listening, polling);
    let (listened, answers) = (listened?, answers?);
    let mut ages: Vec<f64> = listened.all().map(|heard| heard.age.as_secs_f64() * 1e3).collect();
    let trades: BTreeSet<Timestamp> = listened.all().map(|heard| heard.at).collect();
    let how = format!("from the trade to a client of the stream, {} trades", trades.len());
    let claim = ("30,000-60,000", "1,000-2,000");
    session.beside(("delay.stream.p50", percentile(&mut ages, 0.5), "ms"), claim, how.clone());
    session.beside(("delay.stream.p99", percentile(&mut ages, 0.99), "ms"), claim, how);
    let mut waits: Vec<f64> = polled(&trades, &answers).iter().map(|wait| wait * 1e3).collect();
    let every = effort.polled_every.as_secs_f64();
    let how =
        format!("the same trades, to a client that asks every {every} s, as the document does");
    session.beside(("delay.polling.p50", percentile(&mut waits, 0.5), "ms"), claim, how.clone());
    session.beside(("delay.polling.p99", percentile(&mut waits, 0.99), "ms"), claim, how);
    Ok(())
}

/// How many listeners it bears, and whether each hears everything.
async fn subscribers(session: &mut Session<'_>, house: &House, effort: Effort) -> Result<()> {
    let wanted = (effort.listeners, effort.listened_for);
    let listened = listen(&house.place, &symbols()?, wanted).await?;
    let how = format!("of {} that connected, over {} s", effort.listeners, wanted.1.as_secs_f64());
    let held = listened.listeners() as f64;
    session.beside(("stream.subscribers", held, "clients"), ("", "1,000+"), how);
    let Fates { came, replaced, lost } = listened.fates();
    let due = (came + replaced + lost).max(1);
    let how = format!(
        "of {due} prices to clients; {replaced} more were overtaken by a younger price on the way"
    );
    let share = 100.0 * came as f64 / due as f64;
    session.beside(("stream.delivered", share, "%"), ("", ""), how);
    let how = "prices that neither came nor were overtaken by one that came within a second";
    session.beside(("stream.lost", lost as f64, "prices"), ("", ""), how);
    let mut ages: Vec<f64> = listened.all().map(|heard| heard.age.as_secs_f64() * 1e3).collect();
    let how = format!("with {} clients on the same machine", effort.listeners);
    session.beside(
        ("stream.p99", percentile(&mut ages, 0.99), "ms"),
        ("30,000-60,000", "1,000-2,000"),
        how,
    );
    Ok(())
}

/// Kills it without a word, starts it again, and asks how available it was.
async fn killed(session: &mut Session<'_>, house: House, folder: &Path) -> Result<()> {
    let killed_at = Instant::now();
    drop(house);
    let house = House::start(folder).await?;
    let away = killed_at.elapsed().as_secs_f64();
    session.beside(("recovery", away, "s"), ("", ""), "from kill -9 until it is ready again");
    // Availability is figured now and then: the first of this life.
    let mut available = None;
    let began = Instant::now();
    while available.is_none() && began.elapsed() < PATIENCE {
        available = house.metric("finstage_availability_ratio{span=\"1d\"}").await?;
        sleep(LOOK * 10).await;
    }
    let Some(share) = available else {
        return Err(Failure::new(Exit::Remote, "the service does not say how available it was"));
    };
    let how = "ready minutes of all since it began, as the service notes them; the kill is in them";
    session.beside(("availability", 100.0 * share, "%"), ("", "99.9"), how);
    Ok(())
}

fn symbols() -> Result<Vec<Symbol>> {
    let symbol = |name: &&str| format!("binance:{name}").parse().map_err(Failure::usage);
    INSTRUMENTS.iter().map(symbol).collect()
}

/// Ideas that run on every instrument, each on bars of this length.
const STRATEGIES: [(&str, &str); 10] = [
    ("ma_breakout_up", "1m"),
    ("ma_breakout_down", "1m"),
    ("rsi_overbought", "5m"),
    ("rsi_oversold", "5m"),
    ("macd_bullish_cross", "15m"),
    ("macd_bearish_cross", "15m"),
    ("bb_break_upper", "15m"),
    ("bb_break_lower", "15m"),
    ("golden_cross", "1h"),
    ("dead_cross", "1h"),
];

fn configure(folder: &Path, places: &Value) -> Result<()> {
    let place = |what: &str| places["binance"][what].as_str().unwrap_or_default().to_owned();
    let mut text = format!(
        "[venues.binance]\nrest = \"{}\"\nws = \"{}\"\n[[feeds]]\nvenue = \"binance\"\nsymbols = {INSTRUMENTS:?}\n\
         intervals = [\"1m\", \"5m\", \"15m\", \"1h\", \"1d\"]\n",
        place("rest"),
        place("ws")
    );
    for (name, interval) in STRATEGIES {
        text += &format!("[[strategies]]\nname = \"{name}\"\ninterval = \"{interval}\"\n");
    }
    Ok(std::fs::write(folder.join("finstage.toml"), text)?)
}

/// A process of ours; it is killed with this value.
struct Ours(Child);

impl Ours {
    fn start(arguments: &[&str], (out, err): (Stdio, Stdio)) -> Result<Self> {
        let program = crate::config::own_program()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(err);
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The simulated venue.
struct Sim {
    places: Value,
    _process: Ours,
}

impl Sim {
    fn start() -> Result<Self> {
        let arguments = ["sim", "--quiet", "--venues", "binance"];
        let mut process = Ours::start(&arguments, (Stdio::piped(), Stdio::null()))?;
        let mut line = String::new();
        if let Some(out) = process.0.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let places = serde_json::from_str(&line).map_err(|e| Failure::new(Exit::Remote, e))?;
        Ok(Self { places, _process: process })
    }
}

/// The service.
struct House {
    place: Place,
    client: Client,
    _process: Ours,
}

/// What it said of itself, and when.
struct System {
    at: Instant,
    cpu: f64,
    memory_mib: f64,
}

impl System {
    /// Percent of one processor since an earlier moment.
    fn cpu_since(&self, before: &Self) -> f64 {
        let passed = self.at.duration_since(before.at).as_secs_f64();
        100.0 * (self.cpu - before.cpu) / passed.max(1e-9)
    }
}

impl House {
    /// Starts it and waits until it is ready.
    async fn start(folder: &Path) -> Result<Self> {
        let (config, data) = (folder.join("finstage.toml"), folder.join("data"));
        let (config, data) = (config.to_string_lossy(), data.to_string_lossy());
        let arguments =
            ["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data];
        let mut process = Ours::start(&arguments, (Stdio::null(), Stdio::piped()))?;
        let said = process.0.stderr.take();
        let address = tokio::task::spawn_blocking(move || address(said));
        let address = address.await.map_err(|e| Failure::new(Exit::Remote, e))??;
        let token = load_token(&token_file(&folder.join("data")));
        let token = token.map_err(|e| Failure::new(Exit::Store, e))?.expose().clone();
        let client =
            Client::new(ClientOptions::default()).map_err(|e| Failure::new(Exit::Remote, e))?;
        let house = Self { place: Place { address, token }, client, _process: process };
        let began = Instant::now();
        while house.ask("/readyz").await?.0 != 200 {
            if began.elapsed() > PATIENCE {
                return Err(Failure::new(
                    Exit::Remote,
                    "the service of the bench is not ready in time",
                ));
            }
            sleep(LOOK).await;
        }
        Ok(house)
    }

    async fn ask(&self, path: &str) -> Result<(u16, String)> {
        let url = format!("http://{}{path}", self.place.address);
        let bearer = format!("Bearer {}", self.place.token);
        let request = Request::get(url.as_str()).header("authorization", bearer);
        let answer = self.client.send(&request).await.map_err(|e| Failure::new(Exit::Remote, e))?;
        Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let (_, text) = self.ask(path).await?;
        serde_json::from_str(&text).map_err(|e| Failure::new(Exit::Remote, e))
    }

    async fn system(&self) -> Result<System> {
        let said = self.get("/api/v1/system").await?;
        let number = |name: &str| said[name].as_f64().unwrap_or(f64::NAN);
        let memory_mib = number("memory_bytes") / MIB;
        Ok(System { at: Instant::now(), cpu: number("cpu_seconds"), memory_mib })
    }

    /// The value of a line of `/metrics`.
    async fn metric(&self, name: &str) -> Result<Option<f64>> {
        let (_, page) = self.ask("/metrics").await?;
        Ok(page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()))
    }
}

/// Where a service says that it listens. What it says later is read and dropped: a full pipe would stop it.
fn address(said: Option<std::process::ChildStderr>) -> Result<SocketAddr> {
    let mut kept = String::new();
    let Some(said) = said else {
        return Err(Failure::new(Exit::Remote, "its words cannot be heard"));
    };
    let mut lines = BufReader::new(said).lines();
    for line in lines.by_ref() {
        let line = line?;
        let link = line.split_whitespace().find_map(|word| word.strip_prefix("http://"));
        if let Some(address) = link.and_then(|link| link.split('/').next()?.parse().ok()) {
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(address);
        }
        kept = line;
    }
    Err(Failure::new(Exit::Remote, format!("the service of the bench ended: {kept}")))
}
