use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use finstage_model::Day;

use crate::report::Language;

/// `finstage report`
#[derive(Debug, Subcommand)]
pub enum Report {
    /// What happened on a day, what was withheld and why, and what became of earlier signals
    Daily(ReportDaily),
    /// Where each price stands now between its averages and bands, and the score of that
    Hourly(ReportHourly),
}

/// `finstage report hourly`
#[derive(Debug, Args)]
#[command(
    after_help = "The numbers are computed of stored bars that are closed: of days where there are 30 or more, else of\nthe longest bars below. A number that the bars do not give is missing, and its part of the score with\nit: RSI, MACD, stochastic, averages and volume, each from -2 to +2. A running service sends it every\nhour where report.hourly is true.\n\nExample:  finstage report hourly --format json"
)]
pub struct ReportHourly {
    /// Its language [default: report.language of the configuration, else en]
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: Option<Language>,
    /// What to write [default: text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<StatusFormat>,
}

/// A form of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
}

/// `finstage report daily`
#[derive(Debug, Args)]
#[command(
    after_help = "A day is one of the [display] zone. Every figure stands in the JSON beside the ids that it was counted\nfrom, and the same call prints the same bytes. A running service sends the report itself, once a\nday at report.daily.\n\nExample:  finstage report daily --date 2026-11-20 -o report.html"
)]
pub struct ReportDaily {
    /// The day [default: the last one that is over]
    #[arg(long, value_name = "DAY")]
    pub date: Option<Day>,
    /// Its language [default: report.language of the configuration, else en]
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: Option<Language>,
    /// What to write [default: as the ending of -o says, else text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<ReportFormat>,
    /// Write to a file, which appears whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a terminal or a mail.
    Text,
    /// The message that a chat gets, in Telegram's markup.
    Telegram,
    /// A page in one file.
    Html,
    /// For programs.
    Json,
}
