//! Arguments of `replay`.

use std::path::PathBuf;

use clap::Args;
use finstage_model::Day;

/// `finstage replay`
#[derive(Debug, Args)]
#[command(
    after_help = "Without --input: the journal of the data folder, with the settings of each day.\n\nWith --input: recorded frames through the venue's decoder to the configured strategies, which are\nwarmed with bars of the data folder from before the recording. Nothing is written there and\nnothing is sent. FILE is of finstage capture, or of Tardis: raw messages (with --venue), CSV of\ntrades, normalized messages; or records {symbol, price, volume, timestamp}; plain, gzip or zstd.\n- reads standard input. Lines that cannot be read are named and counted.\n\nExample:  finstage replay --input today.zst --speed max"
)]
pub struct Replay {
    /// The UTC day [default: every day in the journal]
    #[arg(long, value_name = "DAY", conflicts_with_all = ["from", "to"])]
    pub date: Option<Day>,
    /// First day
    #[arg(long, value_name = "DAY")]
    pub from: Option<Day>,
    /// Last day
    #[arg(long, value_name = "DAY")]
    pub to: Option<Day>,
    /// Play recorded frames instead of the journal
    #[arg(long, value_name = "FILE", conflicts_with_all = ["date", "from", "to"])]
    pub input: Option<PathBuf>,
    /// Whose frames they are, where the file does not say
    #[arg(long, value_name = "VENUE", requires = "input")]
    pub venue: Option<String>,
    /// Only these instruments, as the venue writes them [default: those of the file, else those configured]
    #[arg(long, value_delimiter = ',', value_name = "SYMBOL", requires = "input")]
    pub symbols: Vec<String>,
    /// Compare with what was said then; with --input, play twice and compare; a difference ends with 1
    #[arg(long)]
    pub check: bool,
    /// Print every output as it is said, with the pace of the original times this, or max
    #[arg(long, value_name = "N|max")]
    pub speed: Option<Speed>,
}

/// How fast a replay prints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as it goes.
    Max,
    /// Times the original pace.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            _ => Err("write a number above 0, or max".into()),
        }
    }
}
