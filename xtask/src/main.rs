//! Chores of the workspace: the test command, tidy rules, generated pages, line counts.
//!
//! ```text
//! cargo xtask test [--all] [--kills N]   everything a change must pass
//! cargo xtask bench [WORDS]              the release build beside TA-Lib and backtesting.py
//! cargo xtask dist                       what is handed out, in target/dist
//! cargo xtask clients                    public clients of the venues against the simulator
//! cargo xtask api [--all]                schemathesis: the server does what its document says
//! cargo xtask month [WORDS]              a month of a service in an hour, looked at from outside
//! cargo xtask tidy                       the rules that no compiler checks
//! cargo xtask pages [--check]            docs/reference, written by the program itself
//! cargo xtask book                       the docs as a book, in target/book
//! cargo xtask lines                      lines of each crate
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line tool: its result goes to stdout")]
#![expect(clippy::print_stderr, reason = "a command line tool: its progress goes to stderr")]

mod api;
mod bench;
mod book;
mod browser;
mod clients;
mod day;
mod debian;
mod dist;
mod lines;
mod month;
mod pages;
mod prometheus;
mod python;
mod steps;
mod suite;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--all] [--kills N]   format, clippy, tests, doctests, docs, pages, one simulated day;
                             --all also the long tests, a timed release run and figures,
                             --kills N sets how often recovery tests kill the process
  bench [WORDS]              figures of the release build beside its peers; WORDS go to
                             finstage bench
  dist                       the release as an archive and as the image of a container, in target/dist
  clients                    python-binance, ccxt, yfinance and python-telegram-bot against
                             the simulator; a part of test
  api [--all]                schemathesis asks the server what its document promises; a part of test
  month [--days N] [--symbols N] [--speed N] [--memory MIB] [--binary FILE] [--faults]
                             a service on a clock that runs faster, 30 days in an hour: memory,
                             disk, files, processor; --faults also what may happen to it
  tidy                       the rules that no compiler checks
  pages [--check]            write docs/reference from the program, or compare
  book                       the docs as a book, in target/book; brings mdBook
  lines                      lines of each crate as a table";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["test", ref options @ ..] => {
            return suite::Options::parse(options)
                .and_then(suite::run)
                .unwrap_or_else(|error| failure(&error));
        }
        ["bench", ref words @ ..] => bench::run(words),
        ["dist"] => dist::make(),
        ["clients"] => clients::run(),
        ["api"] => api::check(api::Effort::Short),
        ["api", "--all"] => api::check(api::Effort::Long),
        ["month", ref words @ ..] => {
            month::Options::parse(words).and_then(|options| month::run(&options))
        }
        ["tidy"] => tidy::run(),
        ["pages"] => pages::write(),
        ["pages", "--check"] => pages::check(),
        ["book"] => book::build(),
        ["lines"] => lines::run(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    done.map_or_else(|error| failure(&error), |()| ExitCode::SUCCESS)
}

/// Says what went wrong.
fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// The folder of the workspace.
fn root() -> Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).context("xtask lies in no folder")
}

/// The text that a program prints, if it succeeds.
fn output_of(program: &str, arguments: &[&str]) -> Result<String> {
    let output = std::process::Command::new(program)
        .args(arguments)
        .current_dir(root()?)
        .output()
        .with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", arguments.join(" "), words.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}
