//! Public clients against the simulator: what was written for the real venues must work with ours,
//! with nothing but the address changed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{pages, python, root};

/// The clients, one script each in `xtask/python/clients`.
const CLIENTS: [&str; 9] = [
    "binance_rest",
    "binance_ws",
    "ccxt_binance",
    "telegram_bot",
    "yahoo",
    "kis_mojito",
    "kis_pykis",
    "kraken",
    "openai_sdk",
];
/// The venues that they ask.
const VENUES: &str = "binance,telegram,yahoo,kis,kraken,openai";
/// A client that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a client is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Starts the simulator and runs every client against it.
pub(crate) fn run() -> Result<()> {
    let python = python::CLIENTS.python()?;
    let program = pages::build()?;
    let mut simulator = Simulator::start(&program)?;
    let places = simulator.places()?;
    for client in CLIENTS {
        let script = root()?.join("xtask/python/clients").join(format!("{client}.py"));
        let said = tell(&python, &script, &places).with_context(|| format!("client {client}"))?;
        eprintln!("    {said}");
    }
    Ok(())
}

/// A running simulator; it ends with this value.
struct Simulator(Child);

impl Simulator {
    fn start(program: &Path) -> Result<Self> {
        let child = Command::new(program)
            .args(["sim", "--quiet", "--venues", VENUES, "--seed", "7"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        Ok(Self(child.with_context(|| format!("starting {}", program.display()))?))
    }

    /// Its first line: where each venue is.
    fn places(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("stdout was piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.starts_with('{'), "the simulator did not say where it is: {line:?}");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a script; its line that begins with `ok`.
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
