//! `finstage bench`: our own figures, with what they mean nothing without.
//!
//! Figures are processor times, the least of several rounds, because that is what a busy machine
//! disturbs least. Where a peer is there, both take turns round by round.

mod backtest;
mod client;
mod engine;
mod history;
mod indicators;
mod machine;
mod models;
mod peer;
mod seal;
mod server;
mod service;
mod stopwatch;
mod streaming;
mod stress;
mod sweep;
mod tasks;
mod verify;
mod walk;

use std::path::Path;

use finstage_engine::nearest;
use finstage_net::SystemClock;
use serde::Serialize;
use serde_json::json;

use super::{print_json, print_line, print_table, say};
use crate::cli::{Bench as Args, Global};
use crate::exit::{Exit, Failure, Result};
use machine::Machine;
use peer::Peer;

/// Measures one group of figures.
type Group = fn(&mut Session<'_>) -> Result<()>;

/// All groups, in the order in which they run.
const GROUPS: [(&str, Group); 14] = [
    ("indicators", indicators::measure),
    ("streaming", streaming::measure),
    ("backtest", backtest::measure),
    ("sweep", sweep::measure),
    ("verify", verify::measure),
    ("history", history::measure),
    ("tasks", tasks::measure),
    ("engine", engine::measure),
    ("seal", seal::measure),
    ("client", client::measure),
    ("llm", models::measure),
    ("server", server::measure),
    ("service", service::measure),
    ("stress", stress::measure),
];

/// What to add so that ours can be compared.
const HOW_TO_ADD_PEERS: &str = "no peers: --python PATH names a Python with TA-Lib, backtesting and cryptography (pip install \
     TA-Lib backtesting cryptography), --sweep-python one with vectorbt; in a checkout, cargo xtask bench brings both";

pub(super) fn run(global: &Global, args: &Args) -> Result<Exit> {
    let groups = chosen(&args.names)?;
    let machine = Machine::here(&SystemClock);
    if !machine.is_optimised() {
        say(global, format_args!("this build is not optimised: its figures say nothing"));
    }
    if args.python.is_none() && args.sweep_python.is_none() {
        say(global, format_args!("{HOW_TO_ADD_PEERS}"));
    }
    let mut session = Session { global, args, rows: Vec::new() };
    for (name, measure) in groups {
        say(global, format_args!("measuring {name} …"));
        measure(&mut session)?;
    }
    let rows = session.rows;
    if global.json {
        let mut value = serde_json::to_value(machine).map_err(Failure::usage)?;
        value["rows"] = json!(rows);
        print_json(&value)?;
    } else {
        machine.lines().iter().try_for_each(|line| print_line(line))?;
        let (beside, plain): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.claim.is_some());
        if !plain.is_empty() || beside.is_empty() {
            let cells = |row: &Row| vec![row.name.clone(), spoken(row.value), row.unit.to_owned()];
            print_table(&["name", "value", "unit"], &plain.iter().map(cells).collect::<Vec<_>>())?;
        }
        if !beside.is_empty() {
            let head = ["what", "document: before", "document: after", "here", "unit", "how"];
            print_table(&head, &beside.iter().map(Row::beside).collect::<Vec<_>>())?;
        }
    }
    Ok(Exit::Done)
}

/// The groups that were asked for, each once, in their own order; all where none was named.
fn chosen(names: &[String]) -> Result<Vec<(&'static str, Group)>> {
    let known = || GROUPS.iter().map(|(name, _)| *name);
    if let Some(name) = names.iter().find(|name| known().all(|known| known != *name)) {
        return Err(Failure::usage(match nearest(name.as_str(), known()) {
            Some(near) => format!("no figures \"{name}\"; did you mean \"{near}\"?"),
            None => format!(
                "no figures \"{name}\"; there are {}",
                known().collect::<Vec<_>>().join(", ")
            ),
        }));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    Ok(GROUPS.into_iter().filter(|(name, _)| wanted(name)).collect())
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    /// What a source document said of the same.
    #[serde(flatten)]
    claim: Option<Claim>,
}

/// What a document said of a figure, in its own words, and how ours was measured.
#[derive(Debug, Clone, Serialize)]
struct Claim {
    document_before: &'static str,
    document_after: &'static str,
    how: String,
}

impl Row {
    /// The row beside what the document said.
    fn beside(&self) -> Vec<String> {
        let (before, after, how) = self.claim.as_ref().map_or(("", "", ""), |claim| {
            (claim.document_before, claim.document_after, claim.how.as_str())
        });
        let said = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let here = spoken(self.value);
        vec![
            self.name.clone(),
            said(before),
            said(after),
            here,
            self.unit.to_owned(),
            how.to_owned(),
        ]
    }
}

/// What groups share: how much is measured, the figures so far, and people's text.
struct Session<'a> {
    global: &'a Global,
    args: &'a Args,
    rows: Vec<Row>,
}

impl Session<'_> {
    fn bars(&self) -> usize {
        self.args.bars as usize
    }

    fn rounds(&self) -> u32 {
        self.args.rounds
    }

    fn row(&mut self, name: String, value: f64, unit: &'static str) {
        self.rows.push(Row { name, value, unit, claim: None });
    }

    fn say(&self, text: &str) {
        say(self.global, format_args!("{text}"));
    }

    /// Starts a peer, where there is a Python; what keeps it away is said.
    fn peer(&self, name: &'static str, script: &str) -> Option<Peer> {
        self.peer_of(self.args.python.as_ref()?, name, script)
    }

    fn peer_of(&self, python: &Path, name: &'static str, script: &str) -> Option<Peer> {
        let started = Peer::start(python, name, script);
        self.or_say(started).inspect(|peer| self.say(&format!("beside {name} {}", peer.version)))
    }

    /// What a peer answered, unless its words have to be passed on.
    fn or_say<T>(&self, answer: std::result::Result<T, String>) -> Option<T> {
        answer.map_err(|words| self.say(&words)).ok()
    }
}

/// A number with as many digits as a figure deserves.
fn spoken(value: f64) -> String {
    match value.abs() {
        1_000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// The numbers of an answer, as many as are expected.
fn numbers<const N: usize>(answer: &str) -> std::result::Result<[f64; N], String> {
    let numbers: Option<Vec<f64>> =
        answer.split_whitespace().map(|word| word.parse().ok()).collect();
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| format!("a peer is left out: it answers \"{answer}\""))
}
