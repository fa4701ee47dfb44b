//! Arguments of `news`.

use clap::{Args, Subcommand};
use finstage_model::{Interval, Symbol, Timestamp};

/// `finstage news`
#[derive(Debug, Subcommand)]
pub enum News {
    /// Ask the feeds of the settings once, or these, and keep what is new
    #[command(
        after_help = "A feed that is asked by hand is asked although its time has not come: leave a minute between.\nWhat is new is counted once, however many feeds have it: copies are stories that another had first.\n\nExamples:  finstage news fetch\n           finstage news fetch https://www.coindesk.com/arc/outboundfeeds/rss/ --json"
    )]
    Fetch(NewsFetch),
    /// Documents that are kept, the newest first, with how they sound
    List(NewsList),
    /// What prices did after news, by how it sounded, beside a control with the tones dealt out anew
    #[command(
        after_help = "A position in the direction of the tone is entered at the open of the bar after the news was known,\nand left after each of --bars. lift is its mean return less that after any news, before cost, p the\nshare of shuffles that lift as much. The control must show no lift. Neutral news is measured as if\nit were good.\n\nExample:  finstage news lift --symbols yahoo:AAPL,yahoo:MSFT --interval 1d --bars 1,5"
    )]
    Lift(NewsLift),
}

/// `finstage news fetch`
#[derive(Debug, Args)]
pub struct NewsFetch {
    /// Feeds to ask instead of those of the settings
    #[arg(value_name = "ADDRESS")]
    pub feeds: Vec<String>,
    /// Keep nothing: print the documents, an NDJSON line each
    #[arg(long)]
    pub dry_run: bool,
}

/// `finstage news list`
#[derive(Debug, Args)]
pub struct NewsList {
    /// Only about this instrument
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<Symbol>,
    /// Only seen at this moment or later
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// `finstage news lift`
#[derive(Debug, Args)]
pub struct NewsLift {
    /// Instruments, parted by commas [default: those that are watched]
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    pub symbols: Vec<Symbol>,
    /// Length of the stored bars
    #[arg(long, value_name = "INTERVAL", default_value = "1d")]
    pub interval: Interval,
    /// For how many bars a position is held
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 5], value_parser = clap::value_parser!(u16).range(1..=500))]
    pub bars: Vec<u16>,
    /// Shuffles of the control
    #[arg(long, value_name = "N", default_value_t = 999, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub shuffles: u32,
    /// Where the shuffles come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}
