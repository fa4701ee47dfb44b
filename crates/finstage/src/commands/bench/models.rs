//! Questions to a simulated model server, by the very command that people type, beside what they use from
//! Python: processor time of a request, and how near the time comes to what the limits allow.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::{Counts, Ledger};
use finstage_lab::sim::openai::{Hints, Latency, Limits, Manners, OpenAiOptions, OpenAiSim};
use finstage_net::SystemClock;
use serde_json::json;

use super::Session;
use super::peer::Peer;
use super::stopwatch::{cpu, own_cpu, waited};
use super::{super::llm, numbers};
use crate::cli::{Cli, Command, Global, LlmCommand};
use crate::exit::{Exit, Failure, Result};

/// Fewer bars than this ask for a short look, not for figures.
const SHORT_BELOW: usize = 100_000;
const SHORT: usize = 50;
/// What the simulated keys begin with.
const KEY: &str = "sk-bench";
const PEERS: [&str; 3] = ["aiohttp", "openai", "litellm"];

/// One scene: what the server allows, and what is asked of it.
struct Scene {
    name: &'static str,
    rows: usize,
    at_once: usize,
    latency: Duration,
    /// Requests a minute, of which a second's worth may come at once.
    rpm: Option<u32>,
    /// Whether we are told that.
    is_told: bool,
    /// The shortest time in which it can be done.
    ideal: Duration,
    /// How often a peer tries again; no peers where it is `None`.
    peers: Option<[u32; 3]>,
}

const SCENES: [Scene; 5] = [
    Scene {
        name: "open",
        rows: 2_000,
        at_once: 100,
        latency: Duration::from_millis(20),
        rpm: None,
        is_told: false,
        ideal: Duration::from_millis(400),
        peers: Some([5, 2, 2]),
    },
    Scene {
        name: "known",
        rows: 2_000,
        at_once: 100,
        latency: Duration::from_millis(20),
        rpm: Some(12_000),
        is_told: true,
        ideal: Duration::from_secs(9),
        peers: Some([5, 2, 2]),
    },
    Scene {
        name: "unknown",
        rows: 2_000,
        at_once: 100,
        latency: Duration::from_millis(20),
        rpm: Some(12_000),
        is_told: false,
        ideal: Duration::from_secs(9),
        peers: None,
    },
    Scene {
        name: "rpm600",
        rows: 300,
        at_once: 100,
        latency: Duration::from_millis(20),
        rpm: Some(600),
        is_told: true,
        ideal: Duration::from_secs(29),
        peers: Some([5, 2, 2]),
    },
    Scene {
        name: "slow",
        rows: 1_000,
        at_once: 100,
        latency: Duration::from_secs(2),
        rpm: None,
        is_told: false,
        ideal: Duration::from_secs(20),
        peers: None,
    },
];

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let share = if session.bars() < SHORT_BELOW { SHORT } else { 1 };
    let python = session.args.llm_python.clone();
    let script = include_str!("peer_llm.py");
    let mut peer = python.and_then(|python| session.peer_of(&python, "models", script));
    for scene in &SCENES {
        let rows = scene.rows / share;
        ours(session, scene, rows)?;
        for (kind, retries) in PEERS.into_iter().zip(scene.peers.into_iter().flatten()) {
            let Some(running) = peer.as_mut() else { break };
            if theirs(session, scene, (rows, kind, retries), running)?.is_none() {
                peer = None;
            }
        }
    }
    Ok(())
}

fn ours(session: &mut Session<'_>, scene: &Scene, rows: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(scene)?;
    let input = input(dir.path(), rows)?;
    let out = dir.path().join("out.jsonl");
    let rpm = scene.rpm.filter(|_| scene.is_told).map(|rpm| format!("--rpm={rpm}"));
    let data = text(dir.path());
    let config = config(dir.path())?;
    let words = [
        "finstage",
        "--config",
        &config,
        "--data-dir",
        &data,
        "-q",
        "llm",
        "run",
        &text(&input),
        "-o",
        &text(&out),
        "--base-url",
        &server.base,
        "--concurrency",
        &scene.at_once.to_string(),
    ]
    .map(str::to_owned);
    let cli = Cli::try_parse_from(words.into_iter().chain(rpm)).map_err(Failure::usage)?;
    let Command::Llm(llm) = cli.command else { unreachable!("it was just written so") };
    let LlmCommand::Run(args) = llm.command else { unreachable!("it was just written so") };
    let before = (cpu(), server.spent()?);
    let (time, told) = waited(|| llm::run::perform(&Global { quiet: true, ..cli.global }, &args));
    let told = told?;
    if let Some(stopped) = told.summary.stopped {
        return Err(Failure::new(Exit::Remote, format!("llm.{}: {}", scene.name, stopped.message)));
    }
    let spent =
        cpu().saturating_sub(before.0).saturating_sub(server.spent()?.saturating_sub(before.1));
    let name = |figure: &str| format!("llm.{}.{figure}", scene.name);
    let counts = server.counts();
    session.row(name("done"), told.summary.done as f64, "rows");
    session.row(name("refused"), counts.refused as f64, "requests");
    session.row(
        name("cpu"),
        spent.as_nanos() as f64 / 1e3 / rows as f64,
        "us of processor time a row",
    );
    session.row(name("waited"), time.as_secs_f64(), "s");
    if rows == scene.rows {
        session.row(
            name("of_ideal"),
            time.as_secs_f64() / scene.ideal.as_secs_f64(),
            "times the ideal",
        );
    }
    Ok(())
}

fn theirs(
    session: &mut Session<'_>,
    scene: &Scene,
    (rows, kind, retries): (usize, &str, u32),
    peer: &mut Peer,
) -> Result<Option<()>> {
    let server = Server::start(scene)?;
    let (rows_text, at_once, retries) =
        (rows.to_string(), scene.at_once.to_string(), retries.to_string());
    let order = ["run", kind, &server.base, &rows_text, &at_once, &retries];
    let answer = peer.ask(&order).and_then(|answer| numbers(&answer));
    let Some([done, spent, time]) = session.or_say(answer) else { return Ok(None) };
    let name = |figure: &str| format!("llm.{}.{kind}.{figure}", scene.name);
    session.row(name("done"), done, "rows");
    session.row(name("refused"), server.counts().refused as f64, "requests");
    session.row(name("cpu"), spent / 1e3 / rows as f64, "us of processor time a row");
    session.row(name("waited"), time / 1e9, "s");
    Ok(Some(()))
}

/// Settings with the key that the server knows.
fn config(dir: &Path) -> Result<String> {
    let (file, key) = (dir.join("finstage.toml"), dir.join("key"));
    std::fs::write(&key, KEY)?;
    std::fs::write(&file, format!("[llm]\napi_key = \"file:{}\"\n", text(&key)))?;
    Ok(text(&file))
}

/// Rows in a file, no two alike.
fn input(dir: &Path, rows: usize) -> Result<PathBuf> {
    let mut lines = String::new();
    for row in 0..rows {
        let said = format!("Sentiment of headline {row}: markets rise on news {row}");
        let messages = json!([{"role": "user", "content": said}]);
        let body = json!({"model": "gpt-4o-mini", "messages": messages, "temperature": 0});
        let _ = writeln!(lines, "{}", json!({"custom_id": row.to_string(), "body": body}));
    }
    let file = dir.join("in.jsonl");
    std::fs::write(&file, lines)?;
    Ok(file)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A simulated server on a thread of its own, whose processor time is told apart.
struct Server {
    base: String,
    ledger: Arc<Ledger>,
    ask: Sender<Sender<Duration>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Server {
    fn start(scene: &Scene) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let ledger = Arc::new(Ledger::in_memory());
        let limits = Limits { rpm: scene.rpm, burst: Duration::from_secs(1), ..Limits::none() };
        let manners = Manners {
            limits,
            latency: Latency::Fixed(scene.latency),
            hints: Hints::Seconds,
            ..Manners::default()
        };
        let (ask, asked) = channel::<Sender<Duration>>();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (said, base) = channel();
        let entered = Arc::clone(&ledger);
        thread::spawn(move || serve((listener, manners, entered), &said, &asked, stopped));
        let base =
            base.recv().map_err(|_| Failure::new(Exit::Remote, "the simulator did not start"))?;
        Ok(Self { base, ledger, ask, stop: Some(stop) })
    }

    /// The processor time of its thread so far.
    fn spent(&self) -> Result<Duration> {
        let (tell, told) = channel();
        let _ = self.ask.send(tell);
        told.recv().map_err(|_| Failure::new(Exit::Remote, "the simulator is gone"))
    }

    fn counts(&self) -> Counts {
        self.ledger.counts()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone, which is as good.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}

/// How often the server's thread looks whether somebody asks what it used.
const LOOK: Duration = Duration::from_millis(1);

fn serve(
    (listener, manners, ledger): (TcpListener, Manners, Arc<Ledger>),
    said: &Sender<String>,
    asked: &Receiver<Sender<Duration>>,
    mut stopped: tokio::sync::oneshot::Receiver<()>,
) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let options = OpenAiOptions {
            seed: 7,
            clock: Arc::new(SystemClock),
            speed: 1.0,
            faults: Scenario::default(),
            ledger,
            listener,
            keys: vec![KEY.to_owned()],
            manners,
        };
        let Ok(sim) = OpenAiSim::start(options) else { return };
        if said.send(sim.rest_url()).is_err() {
            return;
        }
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                () = tokio::time::sleep(LOOK) => {
                    for tell in asked.try_iter() {
                        let _ = tell.send(own_cpu());
                    }
                }
            }
        }
        sim.stop().await;
    });
}
