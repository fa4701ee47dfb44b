//! Arguments of `backfill`.

use clap::Args;
use finstage_model::{Interval, Symbol, Timestamp};

/// `finstage backfill`
#[derive(Debug, Args)]
#[command(
    after_help = "Asks for what is not stored, at the pace of the venue, and for the holes between stored bars.\nRunning it again asks for nothing that is there; what broke off goes on where it stopped.\nDividends and splits come with it: bars stay raw, bars export --adjusted applies them.\n\nFields: requested (bars that were missing and asked for) written gaps_found gaps_filled\n\nExample:  finstage backfill --symbols yahoo:AAPL,yahoo:^GSPC --interval 1d --from 2016-01-01"
)]
pub struct Backfill {
    /// Instruments, venue:SYMBOL [default: all of the configuration]
    #[arg(long, value_delimiter = ',', value_name = "SYMBOL")]
    pub symbols: Vec<Symbol>,
    /// First moment: RFC 3339 or YYYY-MM-DD [default: ten years ago, for bars of an hour two, for shorter ones 60 days]
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// First moment that is not wanted [default: now]
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
    /// Lengths of bars [default: those of the feed, else 1d]
    #[arg(long, value_delimiter = ',', value_name = "INTERVAL")]
    pub interval: Vec<Interval>,
}
