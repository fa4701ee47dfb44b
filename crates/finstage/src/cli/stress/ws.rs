//! Arguments of `stress ws`.

use std::time::Duration;

use clap::Args;
use finstage_model::parse_duration;

use super::{StressResult, StressTarget};

/// `finstage stress ws`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Connections are opened ten at a time with pauses, held, and closed with 1000. --venue binance and\ncoinbase know what to ask for; any other server is asked by --subscribe, where {symbol} is one of\n--symbols and {n} the number of the connection. Latency is from the event's own time to its arrival.\nNumbers that are left out or come twice are counted.\n\nExample:  finstage sim --scenario open.toml &\n          finstage stress ws --venue binance --connections 10000 --fast --duration 30s\n          finstage stress ws --target ws://localhost:9000/feed --subscribe '{\"op\":\"sub\",\"ch\":\"{symbol}\"}' \\\n            --symbols A,B --time-field data.ts --sequence-field data.seq"
)]
pub struct StressWs {
    /// What is tested
    #[command(flatten)]
    pub target: StressTarget,
    /// How many connections
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub connections: u32,
    /// How long they are held once all are due
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub duration: Duration,
    /// What connections ask for, in turn [default: five of the venue's]
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    pub symbols: Vec<String>,
    /// Streams of each symbol at Binance
    #[arg(long, value_name = "STREAM", value_delimiter = ',', default_values = finstage_lab::stress::ws::STREAMS)]
    pub streams: Vec<String>,
    /// What a connection says first; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub subscribe: Vec<String>,
    /// Where a message carries its time: data.E
    #[arg(long, value_name = "PATH")]
    pub time_field: Option<String>,
    /// Where a message carries its number, one more each time
    #[arg(long, value_name = "PATH")]
    pub sequence_field: Option<String>,
    /// Where a message names what is numbered by itself
    #[arg(long, value_name = "PATH")]
    pub stream_field: Option<String>,
    /// How they are opened
    #[command(flatten)]
    pub opening: StressOpening,
    /// What becomes of the result
    #[command(flatten)]
    pub result: StressResult,
}

/// How connections are opened.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How connections are opened")]
pub struct StressOpening {
    /// So many are opened together
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "fast", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// The pause to the next ones
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = parse_duration, conflicts_with = "fast")]
    pub pause: Duration,
    /// As fast as can be, 64 at the same time
    #[arg(long)]
    pub fast: bool,
    /// The longest time to an open connection
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub timeout: Duration,
    /// How often a connection that broke is opened again
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub reconnects: u32,
    /// Threads that share the connections
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Decides keys, masks and waits
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}
