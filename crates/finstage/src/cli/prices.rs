//! Arguments of `prices`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use finstage_model::{Symbol, parse_duration};

/// `finstage prices`
#[derive(Debug, Args)]
#[command(
    after_help = "Rows come in the order of the list, as soon as they are known, one JSON document a line. What is\nin the list several times is asked for once. A symbol that fails has its error in its row; the\nothers are not touched, and the exit code is 1. All at the pace that the venues allow; batches are\nfor those who want to leave room for others. Statistics of each batch go to standard error.\n\nFields: symbol price currency at error\n\nExample:  finstage prices binance:BTCUSDT kraken:XBTUSD yahoo:AAPL\n          finstage prices --file watchlist.txt --dynamic --stats run.csv > prices.ndjson"
)]
pub struct Prices {
    /// Instruments, venue:SYMBOL
    #[arg(value_delimiter = ',', value_name = "SYMBOL", required_unless_present = "file")]
    pub symbols: Vec<Symbol>,
    /// Instruments from a file, one or several a line, after those that are named; # begins a remark; - is standard input
    #[arg(long, value_name = "LIST")]
    pub file: Option<PathBuf>,
    /// All of them as one batch
    #[arg(long, conflicts_with_all = ["batch_size", "delay", "dynamic"])]
    pub all_at_once: bool,
    /// In batches of so many, each symbol a request; with --dynamic the size to begin with
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: Option<u32>,
    /// Pause between two batches [default: 1s]
    #[arg(long, value_name = "D", value_parser = duration)]
    pub delay: Option<Duration>,
    /// Batches whose size (5 to 100, from 50) and pause (500ms to 5s, from 1s) follow the share of errors
    #[arg(long)]
    pub dynamic: bool,
    /// The symbols name one thing at several places: the first good answer only
    #[arg(long, conflicts_with_all = ["all_at_once", "batch_size", "delay", "dynamic", "stats", "progress_every"])]
    pub first: bool,
    /// Say on standard error after every N how far it is [default: every tenth]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub progress_every: Option<u32>,
    /// Write statistics of the batches: .json, .jsonl or .csv
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
    /// The most requests that are out at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub concurrency: u32,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|why| why.to_string())
}
