use std::path::PathBuf;

use clap::Args;
use finstage_model::{Call, Direction};

use super::BarArgs;

/// `finstage backtest`
#[derive(Debug, Args)]
#[command(
    after_help = "A decision on the close of a bar is filled at the next open, all of it. A strategy of the\ncatalogue or --when says when to begin; its counterpart, --exit, --exit-when or --hold say when\nto end. sma_cross, rsi_levels and donchian state a position for every bar.\n\nOne run over one history is an illustration, not evidence. It is counted in the ledger of trials,\nwhere finstage verify finds what was tried; targets of your own are not."
)]
pub struct Backtest {
    /// The bars
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// How they are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// The rule: NAME, NAME(50,200) or NAME(fast=50,slow=200)
    #[arg(long, value_name = "RULE", conflicts_with = "targets")]
    pub strategy: Option<Call>,
    /// A condition of your own in place of the rule: 'cross_above(sma(10), sma(20))'
    #[arg(long, value_name = "EXPR", conflicts_with_all = ["strategy", "targets"])]
    pub when: Option<String>,
    /// Where the price is expected to go when the condition becomes true [default: long]
    #[arg(long, value_name = "SIDE", value_enum, requires = "when")]
    pub direction: Option<Side>,
    /// Positions of your own: CSV with the header bar,target; bars from 0, targets from -1 to 1
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// The strategy whose signal ends a position [default: the counterpart]
    #[arg(long, value_name = "RULE", conflicts_with = "targets")]
    pub exit: Option<Call>,
    /// The condition that ends a position where it becomes true
    #[arg(long, value_name = "EXPR", conflicts_with_all = ["exit", "targets"])]
    pub exit_when: Option<String>,
    /// End a position after so many bars
    #[arg(long, value_name = "BARS", conflicts_with = "targets")]
    pub hold: Option<usize>,
    /// Take the other side where a position ends
    #[arg(long, conflicts_with = "targets")]
    pub reverse: bool,
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
    /// How far fills miss the open, in hundredths of a percent
    #[arg(long, value_name = "BPS", conflicts_with = "slippage_range")]
    pub slippage_bps: Option<f64>,
    /// How far fills miss the open, as a fraction of the range of the bar before
    #[arg(long, value_name = "FRACTION")]
    pub slippage_range: Option<f64>,
    /// Close when the price has gone this fraction against the position
    #[arg(long, value_name = "FRACTION")]
    pub stop_loss: Option<f64>,
    /// Close when the price has gone this fraction in favour of the position
    #[arg(long, value_name = "FRACTION")]
    pub take_profit: Option<f64>,
    /// Write a report with charts: one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Where the price is expected to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Side {
    /// Up.
    #[default]
    Long,
    /// Down.
    Short,
}

impl From<Side> for Direction {
    fn from(side: Side) -> Self {
        match side {
            Side::Long => Self::Long,
            Side::Short => Self::Short,
        }
    }
}

/// A price of the last bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ClosePrice {
    /// Its close.
    Close,
    /// Its open.
    Open,
}
