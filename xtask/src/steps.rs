//! Runs programs one after another: shows what they print, takes their time, stops at the first
//! that fails.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// Lines of a program's output that are kept for counting; the rest is shown only.
const MAX_LINES_KEPT: usize = 200_000;

/// One thing that must succeed.
#[derive(Debug)]
pub(crate) struct Step {
    name: &'static str,
    command: Command,
}

impl Step {
    /// A run of cargo.
    pub(crate) fn cargo(name: &'static str, arguments: &str) -> Result<Self> {
        let mut command = Command::new("cargo");
        command.args(arguments.split_whitespace()).current_dir(crate::root()?);
        Ok(Self { name, command })
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it. Everything it prints goes to stderr at once, and comes back as text.
    pub(crate) fn run(mut self) -> Result<Finished> {
        let started = begin(self.name);
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| format!("starting {}", self.name))?;
        let stdout = child.stdout.take().context("stdout was piped")?;
        let stderr = child.stderr.take().context("stderr was piped")?;
        let text = thread::scope(|scope| {
            let printed = scope.spawn(|| show(stdout));
            let told = show(stderr);
            let printed = printed.join().map_err(|_| anyhow!("reading stdout panicked"))?;
            anyhow::Ok(printed + &told)
        })?;
        let status = child.wait()?;
        Ok(Finished { name: self.name, success: status.success(), took: started.elapsed(), text })
    }
}

/// A step that ended, well or not.
#[derive(Debug)]
pub(crate) struct Finished {
    name: &'static str,
    success: bool,
    took: Duration,
    /// What it printed, stdout first.
    pub(crate) text: String,
}

impl Finished {
    /// Says how it went; an error unless it went well.
    pub(crate) fn done(self) -> Result<String> {
        if !self.success {
            bail!("step `{}` failed after {}", self.name, seconds(self.took));
        }
        end(self.name, self.took);
        Ok(self.text)
    }
}

/// Runs a step that is a function of ours.
pub(crate) fn step<T>(name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = begin(name);
    let result = work().with_context(|| format!("step `{name}`"))?;
    end(name, started.elapsed());
    Ok(result)
}

#[expect(clippy::disallowed_methods, reason = "the durations of steps, shown to people only")]
fn begin(name: &str) -> Instant {
    eprintln!("==> {name}");
    Instant::now()
}

fn end(name: &str, took: Duration) {
    eprintln!("    {name}: ok, {}", seconds(took));
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn show(from: impl Read) -> String {
    let mut kept = String::new();
    let lines = BufReader::new(from).split(b'\n').map_while(Result::ok);
    for (count, line) in lines.enumerate() {
        let line = String::from_utf8_lossy(&line);
        eprintln!("{line}");
        if count < MAX_LINES_KEPT {
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    kept
}
