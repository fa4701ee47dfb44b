//! Arguments of `capture`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use finstage_model::{Interval, parse_duration};

/// `finstage capture`
#[derive(Debug, Args)]
#[command(
    after_help = "Subscribes as serve does, connects anew after a loss, and writes every frame as it came with the\nmoment of its receipt, a JSON object a line: docs/guides/capture-and-replay.md. FILE.zst is packed.\nWithout -o frames go to standard output. Ends after --duration, or with Ctrl-C.\n\nExample:  finstage capture --venue binance --symbols BTCUSDT --intervals 1m -o today.zst"
)]
pub struct Capture {
    /// Whose frames
    #[arg(long, value_name = "VENUE")]
    pub venue: String,
    /// Which instruments, as the venue writes them [default: those of its feeds in the configuration]
    #[arg(long, value_delimiter = ',', value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// Of which lengths the venue's own bars too [default: as its feeds in the configuration]
    #[arg(long, value_delimiter = ',', value_name = "INTERVAL")]
    pub intervals: Vec<Interval>,
    /// Write to a new file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// End after so long: 90s, 8h, 1d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
}
