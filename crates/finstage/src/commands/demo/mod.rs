//! `finstage demo`: the whole product offline.

mod delivery;
mod evidence;
mod live;
mod plan;
mod screen;
mod tally;
mod virtual_day;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::market::{Market, MarketSpec};
use finstage_model::{Clock as _, Timestamp};
use finstage_net::SystemClock;
use finstage_store::Files;
use serde::Serialize;
use tempfile::TempDir;

use super::config::count;
use super::{print_json, print_line};
use crate::check::{RunReplay, Silence, combined_hash, replay};
use crate::cli::{Demo, Global};
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Store;
use evidence::Findings;
use tally::Tally;

pub(super) use virtual_day::stop_on_interrupt;

/// Where a simulated market begins: a Monday, so that weeks and days begin together.
const START: &str = "2026-01-05T00:00:00Z";

pub(super) fn run(global: &Global, args: &Demo) -> Result<Exit> {
    let began = SystemClock.now();
    let summary = if args.fast || args.input.is_some() {
        virtual_day::run(global, args, began)?
    } else {
        live::run(global, args, began)?
    };
    if global.json {
        print_json(&summary)?;
    } else if !global.quiet {
        print_line(&summary.words())?;
    }
    Ok(if summary.parity == "ok" { Exit::Done } else { Exit::CheckFailed })
}

fn start() -> Timestamp {
    START.parse().expect("the constant is a moment")
}

/// The simulated market, with its planted edge.
fn market(seed: u64) -> Result<Market> {
    let spec = MarketSpec { edge: Some(evidence::EDGE), ..MarketSpec::seeded(seed, start()) };
    Market::new(spec).map_err(Failure::usage)
}

/// The keyring of a sealed demo, in its folder.
fn keyring(folder: &Path) -> PathBuf {
    folder.join("keyring.toml")
}

/// The scenario of `--scenario`: a name, or a file.
pub(super) fn scenario(given: Option<&str>) -> Result<Scenario> {
    let text = match given {
        None | Some("calm") => Scenario::CALM.to_owned(),
        Some("rough") => Scenario::ROUGH.to_owned(),
        Some(file) => std::fs::read_to_string(file).map_err(|e| {
            Failure::usage(format!("scenario {file}: {e}; write calm, rough, or a scenario file"))
        })?,
    };
    Scenario::parse(&text)
        .map_err(|e| Failure::usage(format!("scenario {}: {e}", given.unwrap_or("calm"))))
}

/// The demo's folder: named, or temporary and gone at the end.
enum Folder {
    Named(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn make(global: &Global) -> Result<Self> {
        Ok(match &global.data_dir {
            Some(dir) => Self::Named(dir.clone()),
            None => Self::Temporary(tempfile::Builder::new().prefix("finstage-demo-").tempdir()?),
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Named(dir) => dir,
            Self::Temporary(dir) => dir.path(),
        }
    }

    fn is_kept(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    fn open(&self, files: Arc<dyn Files>) -> Result<Store> {
        Store::fresh_demo(self.path(), files)
    }

    /// What a person does next with it.
    fn words(&self) -> String {
        match self {
            Self::Named(dir) => {
                format!("kept in {0}; look: finstage signals list --data-dir {0}", dir.display())
            }
            Self::Temporary(_) => "was temporary and is gone; --data-dir DIR keeps it".into(),
        }
    }
}

/// What a demo did. Two runs of one seed differ in nothing but `elapsed_s`.
#[derive(Debug, Serialize)]
struct Summary {
    seed: u64,
    events: u64,
    trades: u64,
    bars: u64,
    signals: u64,
    verified: u64,
    unproven: u64,
    rejected: u64,
    withheld: u64,
    alerts: u64,
    alerts_withheld: u64,
    withheld_by: BTreeMap<&'static str, u64>,
    delivered: u64,
    expired: u64,
    failed: u64,
    undecodable: u64,
    /// Verdicts on idea and horizon; 0 where nothing was measured.
    tests: usize,
    /// The idea whose edge is planted in the simulated market.
    planted: Option<String>,
    verified_strategies: Vec<String>,
    days: usize,
    parity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
    hash: String,
    elapsed_s: f64,
    #[serde(skip)]
    evidence: Vec<String>,
    #[serde(skip)]
    folder: String,
}

impl Summary {
    /// Replays every day and counts what came of it.
    fn of(seed: u64, tally: &Tally, store: &Store, ending: Ending) -> Result<Self> {
        let runs = replay_all(store)?;
        let difference = runs.iter().find_map(|run| {
            run.difference.clone().map(|d| format!("{} run {}: {d}", run.day, run.run))
        });
        let findings = ending.evidence.findings();
        let matches = runs.iter().all(|run| run.matches == Some(true));
        let outbox = store.records.outbox_counts()?;
        let mut days: Vec<&str> = runs.iter().map(|run| run.day.as_str()).collect();
        days.dedup();
        Ok(Self {
            seed,
            events: Tally::get(&tally.events),
            trades: Tally::get(&tally.trades),
            bars: Tally::get(&tally.bars),
            signals: Tally::get(&tally.signals),
            verified: Tally::get(&tally.verified),
            unproven: Tally::get(&tally.unproven),
            rejected: Tally::get(&tally.rejected),
            withheld: Tally::get(&tally.withheld),
            alerts: Tally::get(&tally.alerts),
            alerts_withheld: tally.held_back().values().sum(),
            withheld_by: tally.held_back(),
            delivered: outbox.delivered,
            expired: outbox.expired,
            failed: outbox.failed,
            undecodable: ending.undecodable,
            tests: findings.map_or(0, Findings::tests),
            planted: findings.and_then(Findings::planted),
            verified_strategies: findings.map_or_else(Vec::new, Findings::verified),
            days: days.len(),
            parity: if matches { "ok" } else { "mismatch" },
            difference,
            hash: combined_hash(&runs),
            elapsed_s: SystemClock.now().since(ending.began).as_secs_f64(),
            evidence: ending.evidence.words(),
            folder: ending.folder,
        })
    }

    fn words(&self) -> String {
        let replayed = match &self.difference {
            None => "every day sent through the engine again: the same to the last bit".to_owned(),
            Some(difference) => format!("MISMATCH: {difference}"),
        };
        let reasons: Vec<String> =
            self.withheld_by.iter().map(|(why, n)| format!("{why} {n}")).collect();
        let held_back =
            if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
        let rate = self.events as f64 / self.elapsed_s.max(1e-9);
        format!(
            "\n\
             seed      {}, {}, {:.1} s\n\
             events    {} ({:.0}/s), {} trades, {} bars, {} frames undecodable\n\
             signals   {}: {} verified, {} unproven, {} rejected, {} withheld\n\
             alerts    {}: {} delivered, {} expired, {} failed; {} more held back{held_back}\n\
             evidence  {}\n\
             replay    {replayed}\n\
             hash      {}\n\
             folder    {}",
            self.seed,
            count(self.days, "day", "days"),
            self.elapsed_s,
            self.events,
            rate,
            self.trades,
            self.bars,
            self.undecodable,
            self.signals,
            self.verified,
            self.unproven,
            self.rejected,
            self.withheld,
            self.alerts,
            self.delivered,
            self.expired,
            self.failed,
            self.alerts_withheld,
            self.evidence.join("\n          "),
            self.hash,
            self.folder,
        )
    }
}

/// What only the demo's own run knows.
struct Ending {
    began: Timestamp,
    undecodable: u64,
    evidence: Evidence,
    folder: String,
}

/// What is known of the ideas that the demo watches.
#[derive(Debug)]
enum Evidence {
    /// The market's past was judged.
    Of(Findings),
    /// A user's own bars are not judged by the way.
    NotOf(PathBuf),
}

impl Evidence {
    const fn findings(&self) -> Option<&Findings> {
        match self {
            Self::Of(findings) => Some(findings),
            Self::NotOf(_) => None,
        }
    }

    /// Lines of the summary.
    fn words(&self) -> Vec<String> {
        match self {
            Self::Of(findings) => {
                let mut lines = vec![findings.verdicts()];
                lines.extend(findings.proven());
                lines
            }
            Self::NotOf(file) => vec![format!(
                "not measured in the demo, so every signal is unproven; run finstage verify --input {}",
                file.display()
            )],
        }
    }
}

fn replay_all(store: &Store) -> Result<Vec<RunReplay>> {
    let mut runs = Vec::new();
    for day in store.journal.days()? {
        for number in store.journal.runs(day)? {
            runs.push(replay(&store.journal, Some(&store.records), (day, number), &mut Silence)?);
        }
    }
    Ok(runs)
}
