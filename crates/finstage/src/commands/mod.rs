//! One file a command. The only place that prints: results to stdout, people's text to stderr.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what commands are for")]

mod alerts;
mod backfill;
mod backtest;
mod bars;
mod bench;
mod capture;
mod config;
mod decode;
mod demo;
mod doctor;
mod gateway;
mod health;
mod import;
mod indicators;
mod init;
mod instruments;
mod keys;
mod ledger;
mod lines;
mod llm;
mod man;
mod metrics;
mod news;
mod open;
mod patterns;
mod prices;
mod progress;
mod replay;
mod report;
mod running;
mod schedule;
mod seal;
mod search;
mod serve;
mod signals;
mod sim;
mod store;
pub(crate) mod strategies;
mod stress;
mod sweep;
mod tasks;
mod token;
pub(crate) mod track_record;
mod trials;
mod verify;
mod walk_forward;
mod watch;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use finstage_model::Symbol;
use finstage_store::records::Filter;
use serde::Serialize;

use crate::cli::{Cli, Command, Global};
use crate::config::{Loaded, Wanted};
use crate::exit::{Exit, Failure, Result};
use crate::logging::{self, LogOptions};

/// The folder where nothing else is said.
const DEFAULT_DATA_DIR: &str = "finstage-data";

/// Parses the command line, runs the command, prints its failure, returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(misunderstood(&error) as u8),
    };
    match start_log(&cli).and_then(|()| run(&cli)) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            complain(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// What clap has to say: help and version are results, a missing command gets the help, and
/// anything else is an error on one line like every other.
fn misunderstood(error: &clap::Error) -> Exit {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A reader that went away wants no help.
        let _ = error.print();
        return if error.use_stderr() { Exit::Usage } else { Exit::Done };
    }
    let text = error.render().to_string();
    let said = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let said = said.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let said: Vec<String> = said.map(|line| line.replacen("tip: ", "; ", 1)).collect();
    let said = said.join(" ").replace(" ; ", "; ");
    let said = said.trim_start_matches("error: ");
    complain(&Failure::usage(format!("{said}; --help says more")));
    Exit::Usage
}

fn complain(failure: &Failure) {
    // Whoever closed standard error does not want to hear it.
    let _ = writeln!(std::io::stderr().lock(), "finstage: {failure}");
}

fn run(cli: &Cli) -> Result<Exit> {
    let global = &cli.global;
    match &cli.command {
        Command::Demo(args) => demo::run(global, args),
        Command::Serve(args) => serve::run(global, args),
        Command::Gateway(args) => gateway::run(global, args),
        Command::Token(args) => token::run(global, args),
        Command::Init(args) => init::run(global, args),
        Command::Doctor => doctor::run(global),
        Command::Health(args) => health::run(global, args),
        Command::Import(args) => import::run(global, args),
        Command::Backfill(args) => backfill::run(global, args),
        Command::Prices(args) => prices::run(global, args),
        Command::Bars(args) => bars::run(global, args),
        Command::Instruments(args) => instruments::run(global, args),
        Command::Replay(args) => replay::run(global, args),
        Command::Strategies(args) => strategies::run(global, args),
        Command::Backtest(args) => backtest::run(global, args),
        Command::Verify(args) => verify::run(global, args),
        Command::Trials(args) => trials::run(global, args),
        Command::TrackRecord(args) => track_record::run(global, args),
        Command::Patterns(args) => patterns::run(global, args),
        Command::Report(args) => report::run(global, args),
        Command::News(args) => news::run(global, args),
        Command::Tasks(args) => tasks::run(global, args),
        Command::Schedule(args) => schedule::run(global, args),
        Command::Store(args) => store::run(global, args),
        Command::Metrics(args) => metrics::run(*args),
        Command::Indicators(args) => indicators::run(global, args),
        Command::Sweep(args) => sweep::run(global, args),
        Command::WalkForward(args) => walk_forward::run(global, args),
        Command::Sim(args) => sim::run(global, args),
        Command::Stress(args) => stress::run(global, args),
        Command::Signals(args) => signals::run(global, args),
        Command::Alerts(args) => alerts::run(global, args),
        Command::Watch(args) => watch::run(global, args),
        Command::Decode(args) => decode::run(global, args),
        Command::Capture(args) => capture::run(global, args),
        Command::Keys(args) => keys::run(global, args),
        Command::Llm(args) => llm::run(global, args),
        Command::Seal(args) => seal::run(global, args),
        Command::Open(args) => open::run(global, args),
        Command::Config(args) => config::run(global, *args),
        Command::Bench(args) => bench::run(global, args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "finstage", &mut script);
            print_line(String::from_utf8_lossy(&script).trim_end())?;
            Ok(Exit::Done)
        }
        Command::Man(args) => man::run(args),
    }
}

/// Logs are people's text: they go to stderr, quiet unless asked for. A service reads first where its
/// own are to go.
fn start_log(cli: &Cli) -> Result<()> {
    if matches!(cli.command, Command::Serve(_) | Command::Gateway(_)) {
        return Ok(());
    }
    logging::start(LogOptions { level: level(&cli.global), ..LogOptions::default() })
}

/// The level of the log that flags ask for.
const fn level(global: &Global) -> Option<&'static str> {
    match (global.quiet, global.verbose) {
        (true, _) => Some("error"),
        (_, 0) => None,
        (_, 1) => Some("info"),
        (_, 2) => Some("debug"),
        _ => Some("trace"),
    }
}

/// The whole configuration of a command, with its warnings said.
fn load(global: &Global) -> Result<Loaded> {
    load_for(global, Wanted::Everything)
}

/// The configuration of a command that sends nothing.
fn load_without_channels(global: &Global) -> Result<Loaded> {
    load_for(global, Wanted::NoChannels)
}

fn load_for(global: &Global, wanted: Wanted) -> Result<Loaded> {
    let loaded = crate::config::load(global.config.as_deref(), wanted)?;
    for warning in &loaded.settings.warnings {
        say(global, format_args!("warning: {warning}"));
    }
    Ok(loaded)
}

/// The data folder: flag, else configuration, else the default.
fn data_dir(global: &Global, loaded: &Loaded) -> PathBuf {
    let configured = || loaded.settings.data_dir.clone();
    global.data_dir.clone().or_else(configured).unwrap_or_else(|| DEFAULT_DATA_DIR.into())
}

/// People's text, unless `--quiet`.
fn say(global: &Global, text: std::fmt::Arguments<'_>) {
    if !global.quiet {
        // As in `complain`.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// Says why a list is empty: `what` was asked for, under conditions or not.
fn say_none(global: &Global, what: &str, conditions: bool) {
    let why = if conditions { "fit what was asked for" } else { "yet" };
    say(global, format_args!("no {what} {why}"));
}

/// An instrument of `venue` as `flag` names it, with the venue in front or without.
fn symbol_at(flag: &str, venue: &str, text: &str) -> Result<Symbol> {
    let name = text.strip_prefix(venue).and_then(|rest| rest.strip_prefix(':')).unwrap_or(text);
    let usual = crate::config::venues::usual_name(venue, name);
    match format!("{venue}:{name}").parse() {
        Ok(symbol) if usual == name => Ok(symbol),
        _ if usual.is_empty() || usual.contains(char::is_whitespace) => {
            let example = crate::config::venues::example_of(venue);
            Err(Failure::usage(format!(
                "{flag}: \"{text}\" is not a name at {venue}: write {example}"
            )))
        }
        _ => Err(Failure::usage(format!(
            "{flag}: \"{text}\" is not how {venue} writes it: write {usual}"
        ))),
    }
}

/// One filter per symbol, or one for all.
fn filters(symbols: &[Symbol], limit: usize) -> Vec<Filter> {
    match symbols {
        [] => vec![Filter::newest(limit)],
        symbols => symbols.iter().map(|symbol| Filter::newest(limit).of(symbol.clone())).collect(),
    }
}

/// One JSON document on stdout, on several lines.
fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Failure::usage(format!("writing JSON: {e}")))?;
    print_line(&text)
}

/// A line on stdout. A reader that went away (`| head`) ends the command without a word.
fn print_line(text: &str) -> Result<()> {
    written_or_gone(writeln!(std::io::stdout().lock(), "{text}"))
}

fn written_or_gone(written: std::io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            std::process::exit(Exit::Done as i32)
        }
        other => {
            other.map_err(|e| Failure::new(Exit::Store, format!("writing standard output: {e}")))
        }
    }
}

/// Writes what there is to stdout at once, and empties it. As [`print_line`] where nobody reads.
fn write_out(out: &mut Vec<u8>) -> Result<()> {
    if out.is_empty() {
        return Ok(());
    }
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(out).and_then(|()| stdout.flush());
    out.clear();
    written_or_gone(written)
}

/// Says what is wrong with a line of standard input.
fn complain_of(line: u64, why: &dyn std::fmt::Display) {
    // As in `complain`.
    let _ = writeln!(std::io::stderr().lock(), "line {line}: {why}");
}

/// Rows under their names, columns aligned; numbers are given as text already.
fn print_table(names: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let width = |i: usize| {
        rows.iter().map(|row| row[i].chars().count()).chain([names[i].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    print_line(&line(&mut names.iter().copied()))?;
    for row in rows {
        print_line(&line(&mut row.iter().map(String::as_str)))?;
    }
    Ok(())
}
