//! `finstage stress`

mod compare;
mod keyboard;
mod live;
mod monitor;
mod present;
mod report;
mod screen;

use std::path::Path;

use finstage_lab::stress::{Language, Outcome};
use jiff::tz::TimeZone;

use super::load_without_channels;
use crate::cli::{Global, Stress};
use crate::exit::{Exit, Failure, Result};
use crate::report::Language as Wanted;

/// Larger files are no results: a long test has 600 slices of some kB.
const MAX_RESULT_BYTES: u64 = 256 << 20;

pub(super) fn run(global: &Global, args: &Stress) -> Result<Exit> {
    match args {
        Stress::Monitor(args) => monitor::run(global, args),
        Stress::Report(args) => report::run(global, args),
        Stress::Compare(args) => compare::run(global, args),
    }
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
