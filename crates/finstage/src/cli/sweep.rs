//! `finstage sweep` and `finstage walk-forward`: what can be typed.

use std::path::PathBuf;

use clap::Args;
use finstage_model::Call;
use finstage_research::sweep::Axis;

use super::{BarArgs, ClosePrice};

/// `finstage sweep`
#[derive(Debug, Args)]
#[command(
    after_help = "Each combination is the single run of finstage backtest, to the last digit; those that make no\nsense (fast not less than slow) are left out.\n\nThe best of many combinations looks good by luck alone; finstage walk-forward says what the\nsearch itself was worth. All of them are written into the ledger of trials, once: finstage verify\nfinds them, and asks more of parameters that were searched on the same data."
)]
pub struct Sweep {
    /// What is tried on what
    #[command(flatten)]
    pub search: Search,
    /// Print the best so many by Sharpe ratio [default: 20; all with --json]
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Write every row, in the order of the grid: FILE.csv or FILE.parquet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw a grid of two parameters: one HTML file
    #[arg(long, value_name = "FILE")]
    pub heatmap: Option<PathBuf>,
}

/// `finstage walk-forward`
#[derive(Debug, Args)]
#[command(
    after_help = "Parameters are chosen by the greatest t of the bar returns on all bars before a fold, and tried\non the fold: the first train part is --train of the bars, at least --min-train of them.\n\nThe combinations are written into the ledger of trials, once. For a verdict with intervals and q on\nparameters that were chosen on earlier data only: finstage verify --strategies NAME --grid P=A..B"
)]
pub struct WalkForward {
    /// What is tried on what
    #[command(flatten)]
    pub search: Search,
    /// Number of test folds
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub folds: usize,
    /// First train part, as a fraction of the bars
    #[arg(long, value_name = "FRACTION", default_value_t = 0.4)]
    pub train: f64,
    /// Fewest bars of the first train part
    #[arg(long, value_name = "BARS", default_value_t = 504)]
    pub min_train: usize,
    /// Bars until a decision has shown what it was worth; twice as many are left out before a fold
    #[arg(long, value_name = "BARS", default_value_t = 1)]
    pub horizon: usize,
    /// Write the joined equity of the folds: FILE.csv or FILE.parquet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A rule, a grid of its parameters, bars, and the terms of the runs.
#[derive(Debug, Args)]
pub struct Search {
    /// The bars
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// How they are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// The rule: NAME, or NAME(p=v) where the grid leaves p alone
    #[arg(long, value_name = "RULE")]
    pub strategy: Call,
    /// The strategy whose signal ends a position [default: the counterpart]
    #[arg(long, value_name = "RULE")]
    pub exit: Option<Call>,
    /// End a position after so many bars
    #[arg(long, value_name = "BARS")]
    pub hold: Option<usize>,
    /// Take the other side where a position ends
    #[arg(long)]
    pub reverse: bool,
    /// Values of a parameter: p=5..50, p=5..50:5 or p=5,10,20; several, up to 5 parameters
    #[arg(long, value_name = "P=A..B[:STEP]", required = true, num_args = 1..)]
    pub grid: Vec<Axis>,
    /// Money at the start
    #[arg(long, value_name = "MONEY", default_value_t = 10_000.0)]
    pub cash: f64,
    /// Fraction of the value taken at every fill: 0.001 is 0.1 %
    #[arg(long, value_name = "FRACTION", default_value_t = 0.001)]
    pub commission: f64,
    /// Below 1 the fraction of the cash in a position, from 1 on a number of units
    #[arg(long, value_name = "SIZE", default_value_t = 0.95)]
    pub size: f64,
    /// Price of the last bar at which an open position is closed
    #[arg(long, value_name = "PRICE", value_enum, default_value_t = ClosePrice::Close)]
    pub close_final: ClosePrice,
    /// Threads that work [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub threads: Option<u16>,
}
