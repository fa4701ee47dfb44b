//! Public clients against the simulator, and against the gateway in front of it: what was written for the
//! real venues must work with ours, with nothing but the address changed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use serde_json::Value;

use crate::{browser, pages, python, root};

/// The clients, one script each in `xtask/python/clients`.
const CLIENTS: [&str; 11] = [
    "binance_rest",
    "binance_ws",
    "ccxt_binance",
    "telegram_bot",
    "telegram_telebot",
    "yahoo",
    "kis_mojito",
    "kis_pykis",
    "kraken",
    "openai_sdk",
    "vader",
];
/// The clients that ask through the gateway, faster than what is behind it allows.
const THROUGH: [&str; 3] = ["gateway_openai", "gateway_ccxt", "gateway_curl"];
/// Where the clients in JavaScript lie.
const NODE: &str = "xtask/node";
/// The venues that they ask.
const VENUES: &str = "binance,telegram,yahoo,kis,kraken,openai";
/// A client that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a client is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Has what the clients are written with.
pub(crate) fn install() -> Result<()> {
    python::CLIENTS.python()?;
    browser::ensure_node()?;
    browser::packages(&root()?.join(NODE))
}

/// Starts the simulator and runs every client against it.
pub(crate) fn run() -> Result<()> {
    install()?;
    let python = python::CLIENTS.python()?;
    let program = pages::build()?;
    let mut simulator = Running::start(
        Command::new(&program).args(["sim", "--quiet", "--venues", VENUES, "--seed", "7"]),
    )?;
    let places = simulator.places()?;
    for client in CLIENTS {
        let script = root()?.join("xtask/python/clients").join(format!("{client}.py"));
        let said = tell(&python, &script, &places).with_context(|| format!("client {client}"))?;
        eprintln!("    {said}");
    }
    drop(simulator);
    through_the_gateway(&program, &python)
}

/// Runs clients through the gateway: nothing may be refused behind it.
fn through_the_gateway(program: &Path, python: &Path) -> Result<()> {
    let folder = python::target_folder()?.join("clients-gateway");
    fs::create_dir_all(&folder)?;
    let ledger = folder.join("ledger.jsonl");
    if ledger.exists() {
        fs::remove_file(&ledger)?;
    }
    let mut simulator = Running::start(
        Command::new(program)
            .args(["sim", "--quiet", "--venues", "binance,kraken,openai", "--seed", "7"])
            // A busy machine loses parts of a second between a decision and the wire: so much more it takes at once.
            .args([
                "--rpm", "1200", "--burst", "2s", "--hints", "none", "--keys", "sk-house",
                "--ledger",
            ])
            .arg(&ledger),
    )?;
    let places: Value = serde_json::from_str(&simulator.places()?)?;
    let rest = |venue: &str| places[venue]["rest"].as_str().unwrap_or_default().to_owned();
    let (binance, kraken, openai) = (rest("binance"), rest("kraken"), rest("openai"));
    let config = format!(
        "[venues.binance]\nrest = \"{binance}\"\n[venues.kraken]\nrest = \"{kraken}\"\n\
         [llm]\nbase_url = \"{openai}\"\napi_key = \"sk-house\"\nrpm = 1200\n\
         prices = \"{}\"\n",
        folder.join("prices.toml").display()
    );
    let prices =
        "as_of = \"2026-11-29\"\n[[models]]\nname = \"echo\"\ninput = 0.15\noutput = 0.6\n";
    fs::write(folder.join("prices.toml"), prices)?;
    let file = folder.join("finstage.toml");
    fs::write(&file, config)?;
    let mut gateway = Running::start(
        Command::new(program)
            .args(["gateway", "--quiet", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .arg("--data-dir")
            .arg(folder.join("data")),
    )?;
    let places = gateway.places()?;
    for client in THROUGH {
        let script = root()?.join("xtask/python/clients").join(format!("{client}.py"));
        let said = tell(python, &script, &places).with_context(|| format!("client {client}"))?;
        eprintln!("    {said}");
    }
    let node = root()?.join(NODE);
    let said = tell(Path::new("node"), &node.join("openai.mjs"), &places).context("npm openai")?;
    eprintln!("    {said}");
    let text = fs::read_to_string(&ledger).context("reading the ledger")?;
    let refused = text.lines().filter(|line| line.contains("\"outcome\":\"refused\"")).count();
    ensure!(
        refused == 0,
        "{refused} requests were refused behind the gateway: {}",
        ledger.display()
    );
    eprintln!("    {} requests behind the gateway, none refused", text.lines().count());
    Ok(())
}

/// A running program of ours; it ends with this value.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self(child.with_context(|| format!("starting {command:?}"))?))
    }

    /// Its first line: where each venue is.
    fn places(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("stdout was piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.starts_with('{'), "it did not say where it is: {line:?}");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a script with its interpreter; its line that begins with `ok`.
#[expect(clippy::disallowed_methods, reason = "a program outside is waited for, on real time")]
fn tell(python: &Path, script: &Path, places: &str) -> Result<String> {
    let mut child = Command::new(python)
        .arg(script)
        .arg(places)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", script.display()))?;
    let mut waited = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if waited >= PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("no end after {} s", PATIENCE.as_secs());
        }
        thread::sleep(LOOK);
        waited += LOOK;
    };
    let stdout = child.stdout.take().context("stdout was piped")?;
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let said = lines.filter(|line| line.starts_with("ok ")).last();
    match said {
        Some(said) if status.success() => Ok(said),
        _ => bail!("failed ({status}): what it says stands above"),
    }
}
