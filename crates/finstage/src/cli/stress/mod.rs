//! Arguments of `stress`.

mod http;
mod probe;
mod view;
mod ws;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use finstage_lab::stress::Threshold;

use crate::report::Language;

pub use self::http::{StressBurst, StressHttp, StressLoad};
pub use self::probe::StressProbe;
pub use self::view::{Fail, StressCompare, StressFormat, StressMonitor, StressReport};
pub use self::ws::{StressOpening, StressWs};

/// `finstage stress`
#[derive(Debug, Subcommand)]
pub enum Stress {
    /// Requests at a rate, whatever the server does, or as fast as it answers
    Http(Box<StressHttp>),
    /// Many requests at once, a pause, and again
    Burst(Box<StressBurst>),
    /// Ask a URL once a second, or look at a test that runs: answers, times, how often it was up
    Monitor(StressMonitor),
    /// Results of load tests as a text, a page, CSV or a log of histograms; several are added up
    Report(StressReport),
    /// Two results side by side, with a verdict: better, same, worse or unclear
    Compare(StressCompare),
    /// Connections that stay open, thousands of them: opening, messages, what is late and missing
    Ws(Box<StressWs>),
    /// How much a server lets in and how it counts, found with at most three refusals
    Probe(Box<StressProbe>),
}

/// What is tested.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is tested")]
pub struct StressTarget {
    /// Its address; another machine than this one must be named by --i-may-test, too
    #[arg(long, value_name = "URL", required_unless_present = "venue")]
    pub target: Option<String>,
    /// What users of this venue ask; without --target the simulator that is running here
    #[arg(long, value_name = "NAME")]
    pub venue: Option<StressVenue>,
    /// A host that is not this machine and whose owner lets you test it; limits hold all the same
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub i_may_test: Vec<String>,
    /// Take any certificate; of this machine only
    #[arg(long)]
    pub insecure: bool,
}

/// What becomes of the result.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Result")]
pub struct StressResult {
    /// A condition that must hold, else the exit code is 1: 'p99<50ms', 'failed<1%', 'rps>100'
    #[arg(long, value_name = "CONDITION")]
    pub threshold: Vec<Threshold>,
    /// Write a report: one HTML file with drawings; also .txt, .json, .csv and .hlog
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Language of findings and report [default: display.language of the configuration]
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: Option<Language>,
    /// Write how the test is doing to a file, once a second, for stress monitor
    #[arg(long, value_name = "FILE")]
    pub status: Option<PathBuf>,
    /// Write the result, one JSON document, for stress report and compare
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A venue whose users' questions are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StressVenue {
    /// Binance spot.
    Binance,
    /// Coinbase Exchange.
    Coinbase,
    /// Kraken.
    Kraken,
    /// Yahoo Finance.
    Yahoo,
    /// KIS Developers; keys as --header.
    Kis,
}

impl StressVenue {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
            Self::Yahoo => "yahoo",
            Self::Kis => "kis",
        }
    }
}
