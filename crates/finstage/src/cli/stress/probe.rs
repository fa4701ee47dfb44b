//! Arguments of `stress probe`.

use std::time::Duration;

use clap::Args;
use finstage_model::parse_duration;

use super::StressTarget;

/// `finstage stress probe`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Finds how much a server lets in and how it counts: windows of the clock (aligned), windows that\nbegin with the first request (anchored), the last so many seconds (sliding), or a bucket that fills.\nIt takes at most three refusals, stops at the first 418 or 403, and takes some minutes: it rests for\n--longest between experiments, so that nothing of the last one counts. Nobody else should use the\nlimit meanwhile. On another machine the documented limit is not passed unless --beyond says so.\n\nExample:  finstage sim --venues kraken &\n          finstage stress probe --venue kraken --json"
)]
pub struct StressProbe {
    /// What is tested
    #[command(flatten)]
    pub target: StressTarget,
    /// A line for every request, 'Name: value'; the value may be env:NAME or file:PATH
    #[arg(short = 'H', long, value_name = "LINE")]
    pub header: Vec<String>,
    /// Send this instead of asking with GET
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,
    /// The longest window that is looked for
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub longest: Duration,
    /// Refusals at most
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3))]
    pub refusals: u32,
    /// Requests at most
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    pub requests: u64,
    /// What a request costs in the unit of the limit [default: as headers of used weight say, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub cost: Option<u64>,
    /// The documented limit [default: as the server's headers and listings say]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub documented: Option<u64>,
    /// Go beyond the documented limit on another machine, too
    #[arg(long)]
    pub beyond: bool,
}
