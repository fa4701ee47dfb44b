use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use finstage_lab::stress::Threshold;
use finstage_lab::stress::compare::Verdict;

use crate::report::Language;

/// `finstage stress report`
#[derive(Debug, Args)]
#[command(
    after_help = "A result is what stress http, burst or ws prints with --json. Several results of the same moment are\nthose of several machines and add up; of different moments they follow each other. Counts and\nhistograms add up exactly; percentiles that come without a histogram are left out.\n\nCSV has a line a second. hlog is an HdrHistogram log (version 1.3, microseconds), which other\ntools of HdrHistogram read. Thresholds are written as in stress http --threshold; exit code 1\nwhere one does not hold.\n\nExample:  finstage stress report result.json -o report.html"
)]
pub struct StressReport {
    /// The results
    #[arg(required = true, value_name = "RESULT.json")]
    pub results: Vec<PathBuf>,
    /// What to write [default: as the ending of -o says, else text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<StressFormat>,
    /// Write to a file, which appears whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What must hold, such as p99<50ms, failed<1% or rps>100; may be repeated
    #[arg(long, value_name = "CONDITION")]
    pub threshold: Vec<Threshold>,
    /// Its language [default: display.language of the configuration, else the system's]
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: Option<Language>,
}

/// A form of a report of a load test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StressFormat {
    /// A box for a terminal.
    Text,
    /// A page in one file, with drawings.
    Html,
    /// The document, findings made anew.
    Json,
    /// The seconds, a line each.
    Csv,
    /// A log of histograms.
    Hlog,
}

/// `finstage stress compare`
#[derive(Debug, Args)]
#[command(
    after_help = "The seconds of both runs are drawn again in blocks, 600 times, which tells how far a figure varies\nby itself. A figure is better or worse where its 99 % interval leaves out \"no change\" and the change\nis 5 % at least (0.1 percentage points of failures); it is the same where the interval lies within\n10 %. One that is worse makes the whole worse. Runs of fewer than 8 seconds are unclear.\n\nExample:  finstage stress compare before.json after.json --fail-if worse"
)]
pub struct StressCompare {
    /// The first result
    #[arg(value_name = "A.json")]
    pub a: PathBuf,
    /// The second result
    #[arg(value_name = "B.json")]
    pub b: PathBuf,
    /// Exit code 1 for these verdicts
    #[arg(long, value_delimiter = ',', value_name = "VERDICT", value_enum)]
    pub fail_if: Vec<Fail>,
    /// Seed of the draws; one seed, one answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Its language [default: display.language of the configuration, else the system's]
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: Option<Language>,
}

/// A verdict that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fail {
    /// The second is better.
    Better,
    /// There is no difference that matters.
    Same,
    /// The second is worse.
    Worse,
    /// It cannot be told.
    Unclear,
}

impl Fail {
    /// The verdict.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Better => Verdict::Better,
            Self::Same => Verdict::Same,
            Self::Worse => Verdict::Worse,
            Self::Unclear => Verdict::Unclear,
        }
    }
}

/// `finstage stress monitor`
#[derive(Debug, Args)]
#[command(
    after_help = "A URL is asked gently: once a second unless told otherwise. Anything faster is a test, and wants\n--i-may-test HOST where the host is not this machine. Up is an answer of 2xx or 3xx; the latency is\nthat of answers, whatever their status. Ctrl-C ends; with --json each answer is a line.\n\nA file is the --status of a test that runs, or its result.\n\nExample:  finstage stress monitor http://127.0.0.1:8080/healthz\n          finstage stress http --venue binance --status now.json    and elsewhere\n          finstage stress monitor now.json"
)]
pub struct StressMonitor {
    /// URL to ask, or the file of a test
    #[arg(value_name = "URL|FILE")]
    pub target: String,
    /// Time between two questions
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = finstage_model::parse_duration)]
    pub every: Duration,
    /// End after so many questions [default: with Ctrl-C]
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = finstage_model::parse_duration)]
    pub timeout: Duration,
    /// A host that its owner lets you test; needed to ask faster than once a second
    #[arg(long, value_name = "HOST")]
    pub i_may_test: Vec<String>,
    /// Its language [default: display.language of the configuration, else the system's]
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: Option<Language>,
}
