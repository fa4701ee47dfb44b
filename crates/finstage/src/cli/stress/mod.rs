//! `finstage stress`: load tests.

mod view;

use clap::Subcommand;

pub use self::view::{Fail, StressCompare, StressFormat, StressMonitor, StressReport};

/// `finstage stress`
#[derive(Debug, Subcommand)]
pub enum Stress {
    /// Ask a URL once a second, or look at a test that runs: answers, times, how often it was up
    Monitor(StressMonitor),
    /// Results of load tests as a text, a page, CSV or a log of histograms; several are added up
    Report(StressReport),
    /// Two results side by side, with a verdict: better, same, worse or unclear
    Compare(StressCompare),
}
