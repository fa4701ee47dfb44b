//! Arguments of `stress http` and `stress burst`.

use std::time::Duration;

use clap::Args;
use finstage_model::parse_duration;

use super::{StressResult, StressTarget};

/// `finstage stress http`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Requests leave when the plan says, and latency counts from then: a server that stands still\ncannot hide it by slowing us down. --closed asks as fast as it is answered instead, --sequential\none at a time. Scenarios: light 5 a second for 1m over 10 connections, medium 50 for 2m over 50,\nheavy 200 for 5m over 100, stress 500 for 1m over 500; flags go over them; docs/guides/stress.md\nhas the form of a file.\n\nExample:  finstage sim &\n          finstage stress http --venue binance --rate 100 --duration 30s --threshold 'p99<50ms'"
)]
pub struct StressHttp {
    /// What is tested
    #[command(flatten)]
    pub target: StressTarget,
    /// How hard: light, medium, heavy, stress, or a file [default: light]
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Option<String>,
    /// Requests a second
    #[arg(long, value_name = "N", conflicts_with_all = ["closed", "ramp"])]
    pub rate: Option<f64>,
    /// How long requests are made
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// At random as of many who do not know of each other, instead of evenly
    #[arg(long, conflicts_with = "closed")]
    pub poisson: bool,
    /// Each connection asks again when it was answered
    #[arg(long)]
    pub closed: bool,
    /// One request at a time: one connection, and as fast as it answers unless --rate says
    #[arg(long, conflicts_with_all = ["concurrency", "threads"])]
    pub sequential: bool,
    /// Raise the rate step by step from one to another until the server cannot keep up: 100..10000
    #[arg(long, value_name = "FROM..TO", value_parser = range, conflicts_with_all = ["closed", "sequential"])]
    pub ramp: Option<(f64, f64)>,
    /// How long a step of --ramp is, in seconds
    #[arg(long, value_name = "N", default_value_t = 5, requires = "ramp", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub step: u32,
    /// How requests are sent
    #[command(flatten)]
    pub load: StressLoad,
    /// What becomes of the result
    #[command(flatten)]
    pub result: StressResult,
}

/// `finstage stress burst`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "All requests of a burst are due at once; pauses count from one burst's begin to the next one's.\n\nExample:  finstage stress burst --venue binance --size 100 --cycles 3 --pause 2s"
)]
pub struct StressBurst {
    /// What is tested
    #[command(flatten)]
    pub target: StressTarget,
    /// Requests in a burst
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub size: u32,
    /// Bursts
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub cycles: u32,
    /// From burst to burst: 10s, or at random between two
    #[arg(long, value_name = "TIME", default_value = "5s..15s")]
    pub pause: String,
    /// How requests are sent
    #[command(flatten)]
    pub load: StressLoad,
    /// What becomes of the result
    #[command(flatten)]
    pub result: StressResult,
}

/// How requests are sent.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How requests are sent")]
pub struct StressLoad {
    /// Connections at most [default: as the scenario says; in a burst one for each request]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<u32>,
    /// How long an answer may take [default: 10s, in a burst 5s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Threads that send
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: u32,
    /// Decides what is asked, and when where that is left to chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// HTTP/2: requests of a connection side by side
    #[arg(long)]
    pub http2: bool,
    /// A line for every request, 'Name: value'; the value may be env:NAME or file:PATH
    #[arg(short = 'H', long, value_name = "LINE")]
    pub header: Vec<String>,
    /// Ask also for what only an account sees, signed: a key that may read, as env:NAME or file:PATH
    #[arg(long, value_name = "REF", requires = "secret")]
    pub key: Option<String>,
    /// What signs, as env:NAME or file:PATH
    #[arg(long, value_name = "REF", requires = "key")]
    pub secret: Option<String>,
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let numbers = text.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match numbers {
        Some((from, to)) if 0.0 < from && from <= to => Ok((from, to)),
        _ => Err("write two rates, the lower first: 100..10000".into()),
    }
}
