use std::path::PathBuf;

use clap::{Args, Subcommand};
use finstage_model::{Day, Interval, Symbol, Timestamp};

/// How a bar file is to be read.
#[derive(Debug, Clone, Args)]
pub struct BarArgs {
    /// Name of the instrument, venue:SYMBOL [default: file:NAME]
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<Symbol>,
    /// Length of the bars [default: inferred from the stamps]
    #[arg(long, value_name = "INTERVAL")]
    pub interval: Option<Interval>,
    /// Zone of stamps that carry none: an IANA name [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Drop bad rows and count them, instead of refusing the file
    #[arg(long)]
    pub lenient: bool,
}

/// `finstage import`
#[derive(Debug, Args)]
#[command(
    after_help = "Reads CSV with the header timestamp,open,high,low,close,volume, files as yfinance, TradingView\nand Binance write them, and Parquet. A stamp is the open time of the bar. A bar that is stored\nstays; one that says otherwise is named and counted as rejected.\n\nFactors are CSV with the header date,price_factor,split_factor: prices up to and including a day\nare multiplied by both, volumes divided by the second. They are kept beside the bars, which stay\nraw; bars export --adjusted applies them."
)]
pub struct Import {
    /// The files
    #[arg(required_unless_present = "factors", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How they are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// Factors of splits and dividends, in place of those stored; with or without bar files
    #[arg(long, value_name = "FILE")]
    pub factors: Option<PathBuf>,
}

/// `finstage bars`
#[derive(Debug, Subcommand)]
pub enum Bars {
    /// Every stored series: how many bars, from when to when, and where its files are
    List(SeriesArgs),
    /// Bars of one series as CSV, Parquet or Arrow
    Export(BarExport),
    /// Bars that are missing, and what was expected
    Gaps(SeriesArgs),
    /// What is odd, place by place, and a score from 0 to 100
    Quality(SeriesArgs),
}

/// Which stored series.
#[derive(Debug, Args)]
pub struct SeriesArgs {
    /// Only these instruments [default: all that are stored]
    #[arg(value_delimiter = ',', value_name = "SYMBOL")]
    pub symbols: Vec<Symbol>,
    /// Only bars of these lengths
    #[arg(long, value_delimiter = ',', value_name = "INTERVAL")]
    pub interval: Vec<Interval>,
}

/// `finstage bars export`
#[derive(Debug, Args)]
#[command(
    after_help = "CSV has the exact digits; Parquet and Arrow have doubles where each comes back as the same\ndecimal, else decimals. Adjusted numbers are doubles. Arrow is an IPC file with -o (what pandas\ncalls Feather), an IPC stream on standard output. With --json bars are NDJSON."
)]
pub struct BarExport {
    /// The instrument
    #[arg(value_name = "SYMBOL")]
    pub symbol: Symbol,
    /// Length of the bars [default: the one that is stored]
    #[arg(long, value_name = "INTERVAL")]
    pub interval: Option<Interval>,
    /// Bars that open at or after this moment: YYYY-MM-DD or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Bars that open before this moment; YYYY-MM-DD is included whole
    #[arg(long, value_name = "TIME")]
    pub to: Option<Until>,
    /// Prices and volumes adjusted by the stored factors
    #[arg(long)]
    pub adjusted: bool,
    /// What to write [default: as the ending of -o says, else csv]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<BarFormat>,
    /// Write to a file, which appears whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A form of bars for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BarFormat {
    /// Text with our own header.
    Csv,
    /// As the shelf has it.
    Parquet,
    /// Arrow IPC.
    Arrow,
}

/// The end of a range: a moment that is not in it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until(pub Timestamp);

impl std::str::FromStr for Until {
    type Err = <Timestamp as std::str::FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Day>().map(Day::end).or_else(|_| text.parse()).map(Self)
    }
}
