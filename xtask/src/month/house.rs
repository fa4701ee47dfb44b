//! The processes: a simulator, and a service that watches it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{now, pause};

/// The longest that a service may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often one looks whether it is.
const LOOK: Duration = Duration::from_millis(20);
/// The longest that an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Ideas, each on bars of this length.
const STRATEGIES: [(&str, &str); 8] = [
    ("ma_breakout_up", "15m"),
    ("ma_breakout_down", "15m"),
    ("rsi_overbought", "15m"),
    ("rsi_oversold", "15m"),
    ("macd_bullish_cross", "15m"),
    ("bb_break_upper", "15m"),
    ("golden_cross", "1h"),
    ("dead_cross", "1h"),
];

/// Where it all lies.
#[derive(Debug)]
pub(super) struct Scene {
    binary: PathBuf,
    folder: PathBuf,
    pub(super) data: PathBuf,
}

impl Scene {
    pub(super) fn new(binary: &Path, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { binary: binary.to_owned(), folder: folder.to_owned(), data: folder.join("data") })
    }

    /// Writes what the service is to watch.
    pub(super) fn configure(&self, sim: &Sim, symbols: u32, more: &str) -> Result<()> {
        let place =
            |what: &str| sim.places["binance"][what].as_str().unwrap_or_default().to_owned();
        let mut names: Vec<String> = ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(String::from).to_vec();
        names.extend((3..symbols).map(|n| format!("P{n:03}USDT")));
        let mut text = format!(
            "{more}[alerts]\nsend = \"unproven\"\n[venues.binance]\nrest = \"{}\"\nws = \"{}\"\n\
             [[feeds]]\nvenue = \"binance\"\nsymbols = {names:?}\nintervals = [\"1m\", \"1d\"]\n",
            place("rest"),
            place("ws")
        );
        for (name, interval) in STRATEGIES {
            text += &format!("[[strategies]]\nname = \"{name}\"\ninterval = \"{interval}\"\n");
        }
        fs::write(self.folder.join("finstage.toml"), text).context("writing the configuration")
    }

    /// Says whether the journal leads to what was said, once nobody holds the folder.
    pub(super) fn replays(&self) -> Result<Value> {
        let done = Command::new(&self.binary)
            .args(["replay", "--check", "--json", "--quiet", "--data-dir"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        serde_json::from_slice(&done.stdout).with_context(|| format!("replay --check: {said}"))
    }
}

/// A process that is killed with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The simulated venue.
pub(super) struct Sim {
    places: Value,
    /// What gives another process the same clock.
    clock: Vec<String>,
    _process: Process,
}

impl Sim {
    /// Starts one, on a faster clock if a speed is given.
    pub(super) fn start(scene: &Scene, arguments: &[&str], speed: Option<f64>) -> Result<Self> {
        let clock = match speed {
            Some(speed) => {
                let moment = crate::output_of("date", &["-u", "+%Y-%m-%dT%H:%M:%S.%NZ"])?;
                vec!["--speed".into(), speed.to_string(), "--right-at".into(), moment.trim().into()]
            }
            None => Vec::new(),
        };
        let mut child = Command::new(&scene.binary)
            .args(["sim", "--quiet", "--venues", "binance", "--seed", "7"])
            .args(arguments)
            .args(&clock)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the simulator")?;
        let out = child.stdout.take().context("stdout was piped")?;
        let process = Process(child);
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let places =
            serde_json::from_str(&line).context("the simulator did not say where it is")?;
        Ok(Self { places, clock, _process: process })
    }

    /// Where it listens: another can take its place there.
    pub(super) fn address(&self) -> Result<String> {
        let rest =
            self.places["binance"]["rest"].as_str().context("the simulator has no address")?;
        Ok(rest.trim_start_matches("http://").to_owned())
    }
}

/// The service.
pub(super) struct House {
    address: String,
    token: String,
    process: Process,
    data: PathBuf,
    /// What limits its memory, if anything does.
    group: Option<PathBuf>,
}

impl Drop for House {
    fn drop(&mut self) {
        let Some(group) = self.group.take() else { return };
        // Only an empty group can be removed.
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        let _ = fs::remove_dir(group);
    }
}

impl House {
    /// Starts it, on the clock of `sim` if one is given, with these variables of the environment.
    pub(super) fn start(
        scene: &Scene,
        sim: Option<&Sim>,
        environment: &[(&str, String)],
    ) -> Result<Self> {
        let said = scene.folder.join("serve.log");
        let log = fs::File::create(&said)?;
        let child = Command::new(&scene.binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(scene.folder.join("finstage.toml"))
            .arg("--data-dir")
            .arg(&scene.data)
            .args(sim.map_or(&[][..], |sim| &sim.clock))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("starting the service")?;
        let mut process = Process(child);
        let began = now();
        let address = loop {
            let text = fs::read_to_string(&said)?;
            let found = text.split_whitespace().find_map(|word| {
                let (address, _) = word.strip_prefix("http://")?.split_once("/?login=")?;
                Some(address.to_owned())
            });
            if let Some(address) = found {
                break address;
            }
            if let Some(status) = process.0.try_wait()? {
                bail!("the service ended with {status}:\n{text}");
            }
            ensure!(now().duration_since(began) < PATIENCE, "the service does not listen:\n{text}");
            pause(LOOK);
        };
        let token = fs::read_to_string(scene.data.join("token")).context("reading the token")?;
        Ok(Self {
            address,
            token: token.trim().to_owned(),
            process,
            data: scene.data.clone(),
            group: None,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Waits until it is ready; how long that took.
    pub(super) fn wait_until_ready(&self) -> Result<Duration> {
        self.wait_until("ready", |house| Ok(house.is_ready()))
    }

    /// Waits until something holds; how long that took.
    pub(super) fn wait_until(
        &self,
        what: &str,
        holds: impl Fn(&Self) -> Result<bool>,
    ) -> Result<Duration> {
        let began = now();
        while !holds(self)? {
            let passed = now().duration_since(began);
            if passed > PATIENCE {
                let checks = self.get("/readyz").map_or_else(|e| e.to_string(), |(_, body)| body);
                bail!("the service is not {what} after {} s: {checks}", passed.as_secs());
            }
            pause(LOOK);
        }
        Ok(now().duration_since(began))
    }

    pub(super) fn is_ready(&self) -> bool {
        self.get("/readyz").is_ok_and(|(status, _)| status == 200)
    }

    /// Its answer: status and body.
    pub(super) fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            self.address, self.token
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok((status.context("an answer without a status")?, body.to_owned()))
    }

    /// Its answer as JSON.
    pub(super) fn json(&self, path: &str) -> Result<Value> {
        let (_, body) = self.get(path)?;
        serde_json::from_str(&body).with_context(|| format!("{path}: {body}"))
    }

    /// Asks it to end and waits.
    pub(super) fn stop(mut self) -> Result<()> {
        crate::output_of("kill", &["-TERM", &self.pid().to_string()])?;
        self.process.0.wait()?;
        Ok(())
    }

    /// Puts it into a group of its own that may have no more memory; says how.
    pub(super) fn limit_memory(&mut self, most: u64) -> Result<String> {
        let name = format!("finstage-month-{}", self.pid());
        for (root, limit) in
            [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")]
        {
            let group = Path::new(root).join(&name);
            if fs::create_dir(&group).is_err() {
                continue;
            }
            // A folder of a file system that is none of groups takes any file and limits nothing.
            if !group.join(limit).exists() {
                let _ = fs::remove_dir(&group);
                continue;
            }
            let set = fs::write(group.join(limit), most.to_string())
                .and_then(|()| fs::write(group.join("cgroup.procs"), self.pid().to_string()));
            if set.is_ok() {
                self.group = Some(group);
                return Ok(format!("the service may have {} MiB ({limit})", most >> 20));
            }
            let _ = fs::remove_dir(&group);
        }
        bail!("memory cannot be limited here: no group can be made below /sys/fs/cgroup");
    }
}
