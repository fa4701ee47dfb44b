//! `finstage stress`: load tests.

mod compare;
mod http;
mod keyboard;
mod live;
mod monitor;
mod place;
mod probe;
mod report;
mod result;
mod screen;
mod ws;

use std::path::Path;

use finstage_lab::stress::{Language, Outcome, Stop};
use jiff::tz::TimeZone;

use super::load_without_channels;
use crate::cli::{Global, Stress};
use crate::exit::{Exit, Failure, Result};
use crate::report::Language as Wanted;

/// Larger files are no results: a long test has 600 slices of some kB.
const MAX_RESULT_BYTES: u64 = 256 << 20;

pub(super) fn run(global: &Global, args: &Stress) -> Result<Exit> {
    match args {
        Stress::Http(args) => http::run(global, args),
        Stress::Burst(args) => http::burst(global, args),
        Stress::Monitor(args) => monitor::run(global, args),
        Stress::Report(args) => report::run(global, args),
        Stress::Compare(args) => compare::run(global, args),
        Stress::Ws(args) => ws::run(global, args),
        Stress::Probe(args) => probe::run(global, args),
    }
}

/// What the lab says, with the exit code that fits.
fn failure(error: finstage_lab::Error) -> Failure {
    match error.kind() {
        finstage_lab::ErrorKind::Remote => Failure::new(Exit::Remote, error),
        finstage_lab::ErrorKind::Io => Failure::new(Exit::Store, error),
        _ => Failure::usage(error),
    }
}

/// Pulls a stop at the first Ctrl-C or SIGTERM; the second ends the program at once.
fn stop_on_signal() -> Result<Stop> {
    let stop = Stop::new();
    let pulled = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // It waits for signals as long as the program lives.
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            let mut signal = super::serve::stop_on_signal();
            let _ = signal.wait_for(|stop| *stop).await;
            pulled.pull();
            let mut again = super::serve::stop_on_signal();
            let _ = again.wait_for(|stop| *stop).await;
            keyboard::restore();
            std::process::exit(Exit::Interrupted as i32);
        });
    })?;
    Ok(stop)
}

/// How results are told: the language and the zone of the user.
#[derive(Debug, Clone)]
pub(super) struct Telling {
    pub(super) language: Language,
    pub(super) zone: TimeZone,
}

impl Telling {
    /// As the command line says, else the configuration.
    pub(super) fn new(global: &Global, lang: Option<Wanted>) -> Result<Self> {
        let settings = load_without_channels(global)?.settings;
        let language = match lang.unwrap_or(settings.report.language) {
            Wanted::En => Language::English,
            Wanted::Ko => Language::Korean,
        };
        let zone = TimeZone::get(&settings.timezone).map_err(Failure::usage)?;
        Ok(Self { language, zone })
    }

    /// When a test began, as its reader writes moments.
    pub(super) fn started(&self, outcome: &Outcome) -> String {
        let at = outcome.started_at;
        let instant = jiff::Timestamp::from_second(at.secs());
        instant.map_or_else(
            |_| at.to_string(), // cannot happen: jiff's range is the wider one
            |instant| {
                instant.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
            },
        )
    }
}

/// Reads a result.
pub(super) fn read(file: &Path) -> Result<Outcome> {
    let text = read_text(file)?;
    serde_json::from_str(&text).map_err(|e| {
        let name = file.display();
        Failure::usage(format!("{name}: not a result of a load test ({e}): `finstage stress http --json > FILE` writes one"))
    })
}

fn read_text(file: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Failure::usage(format!("reading {}: {e}", file.display()));
    let size = std::fs::metadata(file).map_err(failed)?.len();
    if size > MAX_RESULT_BYTES {
        return Err(Failure::usage(format!(
            "{}: {size} bytes are more than a result has",
            file.display()
        )));
    }
    std::fs::read_to_string(file).map_err(failed)
}
