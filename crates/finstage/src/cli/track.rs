use std::path::PathBuf;

use clap::Subcommand;

/// `finstage track-record`
#[derive(Debug, Subcommand)]
pub enum TrackRecord {
    /// Every signal with its verdict, and its outcomes, one line of JSON each; the last line is the head
    #[command(
        after_help = "Each line holds the hash of the line before it, so none can be changed, taken out or put in\nlater. Keep the head elsewhere, or send it to somebody: only a head that was noted tells a record\nthat was written anew from its beginning. Signals join when nothing can take them back, outcomes\nafter 1h, 4h, 1d, 1w and 1mo. A running service adds them at its start and once an hour; without\none, this command does.\n\nExample:  finstage track-record export -o track.jsonl"
    )]
    Export {
        /// Write to a file, which appears whole or not at all [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check an exported file with nothing but its lines; the first bad one is named and ends with 1
    #[command(
        after_help = "Follows the chain from the first line to the head, computes the id of every signal and the\nreturn of every outcome again. Needs no data folder.\n\nExample:  finstage track-record verify track.jsonl --head 9f86d081…"
    )]
    Verify {
        /// The file; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// A head that was noted earlier: an entry must have this hash
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
    /// What live signals came to: statistics, whether verified cards still hold, whether hit rates are true
    #[command(
        after_help = "Returns are in the declared direction, before costs; `any bar` is the share of all bars of these\ninstruments that went that way, from the first entry of the record to its last exit; `-` where these\nare fewer than 30. A verified card is watched from its proof on: its sum grows with what\nlive occasions lack, and above the limit the card is muted until its next look. Forecasts are the\nhit rates that alerts carried, drawn to the base rate. Outcomes join as for export.\n\nExample:  finstage track-record stats --json"
    )]
    Stats,
}
