use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::BarArgs;

/// `finstage indicators`
#[derive(Debug, Subcommand)]
pub enum Indicators {
    /// Every indicator with its inputs, parameters and outputs
    List,
    /// One indicator: what it reads and says, its bounds, how many bars it needs
    Show {
        /// Its name, with parameters or without: MACD, MACD(5,35) or MACD(signalperiod=5)
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Values of indicators for every bar of a file
    Compute(IndicatorCompute),
}

/// `finstage indicators compute`
#[derive(Debug, Args)]
#[command(
    after_help = "Names and parameters are TA-Lib's where it has them; \"finstage indicators list\" has all. Columns\nare timestamp, then SPEC.output with SPEC as typed. What is not known yet is an empty field (null\nin JSON). The file runs through: memory does not grow with it.\n\nExample:  finstage indicators compute --input bars.csv 'SMA(20)' 'MACD(12,26,9)' -o out.csv"
)]
pub struct IndicatorCompute {
    /// What to compute: NAME, NAME(14) or NAME(timeperiod=14); several one by one or by comma
    #[arg(required = true, value_name = "SPEC")]
    pub specs: Vec<String>,
    /// The bars: CSV as from finstage, yfinance, TradingView or Binance, or Parquet; - is standard input
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// How they are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// Form of the result; json is a document a line [default: csv, with --json json]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<TableFormat>,
    /// Write to this file, which appears when it is whole, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A form of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TableFormat {
    /// Text with a header.
    Csv,
    /// A JSON document a line.
    Json,
    /// Parquet with doubles.
    Parquet,
}
