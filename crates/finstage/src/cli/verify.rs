//! Arguments of `verify` and `trials`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use finstage_model::{CardVerdict, ClaimKind, Horizon, Interval, Symbol};
use finstage_research::sweep::Axis;

use super::Side;

/// `finstage verify`
#[derive(Debug, Args)]
#[command(
    after_help = "Every strategy is tested on every group of instruments at every horizon: enter at the open after\na signal, leave at the open after the horizon, compare with random entry, pay the costs. What was\ntried is written into the ledger of the data folder and counts for ever; a trial repeated on the\nsame data counts once. The first run on files may spend the whole --fdr.\n\nParameters that were searched on the same data (sweep, walk-forward, backtest) pay for the search.\n--grid searches without that price: it chooses on the bars before each of six folds, and judges the\nfolds.\n\nExamples:  finstage verify --input spy.csv aapl.csv --factors file:aapl=aapl_factors.csv --report evidence.html\n           finstage verify --input spy.csv --strategies golden_cross --grid fast=5..20 slow=50..200:50"
)]
pub struct Verify {
    /// Bar files, each an instrument
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "symbols", conflicts_with = "symbols")]
    pub input: Vec<PathBuf>,
    /// Names of the instruments of the files, in their order [default: file:NAME]
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',', requires = "input")]
    pub symbol: Vec<Symbol>,
    /// Instruments of the store
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    pub symbols: Vec<Symbol>,
    /// Length of the bars [default: inferred from the stamps; of the store 1d]
    #[arg(long, value_name = "INTERVAL")]
    pub interval: Option<Interval>,
    /// Zone of stamps that carry none: an IANA name [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Drop bad rows and count them, instead of refusing the file
    #[arg(long)]
    pub lenient: bool,
    /// Factors of splits and dividends: a file for each input in their order, or SYMBOL=FILE
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "input")]
    pub factors: Vec<String>,
    /// Only these strategies: NAME, NAME(20) or NAME(period=20), or the name of a condition of the configuration
    /// [default: the whole catalogue]
    #[arg(long, value_name = "RULE", num_args = 1..)]
    pub strategies: Vec<String>,
    /// Values of a parameter of the one strategy, of which each part of the bars is judged with those
    /// that were best before it: p=5..50, p=5..50:5 or p=5,10,20; several, up to 5 parameters
    #[arg(long, value_name = "P=A..B[:STEP]", num_args = 1.., requires = "strategies", conflicts_with = "when")]
    pub grid: Vec<Axis>,
    /// Conditions of your own: 'cross_above(sma(10), sma(20))', each a strategy
    #[arg(long, value_name = "CONDITION")]
    pub when: Vec<String>,
    /// Where the price is expected to go when they become true [default: long]
    #[arg(long, value_name = "SIDE", value_enum, requires = "when")]
    pub direction: Option<Side>,
    /// How instruments are put together: each, or NAME=SYMBOL,SYMBOL once or more [default: all in one group]
    #[arg(long, value_name = "GROUP", num_args = 1..)]
    pub groups: Vec<String>,
    /// How long after a signal [default: 1d,1w,1mo, as far as the bars are that short]
    #[arg(long, value_name = "HORIZON", value_delimiter = ',')]
    pub horizons: Vec<Horizon>,
    /// What is claimed: direction, size
    #[arg(long, value_name = "CLAIM", value_delimiter = ',', default_values_t = ClaimKind::ALL)]
    pub claims: Vec<ClaimKind>,
    /// Fraction of the value that a side costs: 0.001 is 0.1 %
    #[arg(long, value_name = "FRACTION", default_value_t = 0.001)]
    pub cost: f64,
    /// Share of false discoveries among the verified that is accepted
    #[arg(long, value_name = "RATE", default_value_t = 0.05)]
    pub fdr: f64,
    /// End with 1 unless every strategy named reaches this at least once; without names, any
    #[arg(long, value_name = "VERDICT")]
    pub require: Option<CardVerdict>,
    /// Write a report: one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write all figures to a file that ends in .json or .csv
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Threads; the result does not depend on them [default: as many as the machine has]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Seed of the bootstrap
    #[arg(long, value_name = "N", default_value_t = finstage_research::evidence::SEED)]
    pub seed: u64,
}

/// `finstage trials`
#[derive(Debug, Subcommand)]
pub enum Trials {
    /// What was tried, newest first
    List {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Follow the chain of hashes; a row that is missing or changed ends with 1
    Check,
}
