use clap::Args;
use finstage_model::{Horizon, Symbol, Timestamp};
use finstage_research::patterns::Kind;

/// `finstage patterns`
#[derive(Debug, Args)]
#[command(
    after_help = "Success is what the price did after the last signal, against all bars of the same time. q is\ncorrected for every figure of the call: below 5 %, with 30 separate occasions, a pattern stands\nout. That is a reason to write it as a strategy and to verify it, not more.\n\nExample:  finstage patterns --since 2026-01-01 --kind sequential --json"
)]
pub struct Patterns {
    /// Signals that could be known at or after this moment
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Signals that could be known before this moment
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Signals about these instruments [default: all]
    #[arg(long = "symbol", value_name = "SYMBOL", value_delimiter = ',')]
    pub symbols: Vec<Symbol>,
    /// Only these kinds: sequential, concurrent, leading [default: all]
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub kinds: Vec<Kind>,
    /// How long after the last signal: in the table, for clusters and by hour [1h 4h 1d 1w 1mo]
    #[arg(long, value_name = "HORIZON", default_value = "1d")]
    pub horizon: Horizon,
    /// Put the patterns into so many groups, 2 to 20 [default: the number that parts them best]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u8).range(2..=20))]
    pub clusters: Option<u8>,
    /// What the draws of the groups begin with
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Print also what came by hour, weekday, part of the week, quarter and length of bars
    #[arg(long)]
    pub times: bool,
    /// Patterns in the table; --json has all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| "write sequential, concurrent or leading".to_owned())
}
