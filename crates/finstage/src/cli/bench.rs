//! Arguments of `bench`.

use std::path::PathBuf;

use clap::Args;

/// `finstage bench`
#[derive(Debug, Args)]
#[command(
    after_help = "Groups: indicators, streaming, backtest, sweep, verify, history, tasks, engine, seal, client,\nllm, server, service, stress. Figures are processor times, the least of all rounds, those of\nverify, tasks, server and service times to wait, those of seal as each says; columns exist before\nthe clock starts. With --python, TA-Lib's C library and backtesting.py take turns with ours round\nby round, on the same bars, and cryptography opens the same sealed messages; with --sweep-python\nvectorbt runs the same 10,000 crosses over ten years of days, on one core as ours does; stress\nruns beside oha and wrk where they are on PATH; ratios say how many times as fast ours is.\nservice takes three minutes: it starts a simulator and a service, and stands beside what a source\ndocument said. These are figures, not tests: nothing fails because of them, and they vary with\nthe machine and what else it does."
)]
pub struct Bench {
    /// Only these groups
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// A Python that has TA-Lib, backtesting and cryptography
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// A Python that has vectorbt
    #[arg(long, value_name = "PATH")]
    pub sweep_python: Option<PathBuf>,
    /// A Python that has aiohttp, openai and litellm
    #[arg(long, value_name = "PATH")]
    pub llm_python: Option<PathBuf>,
    /// Bars, or trades, of a long series; a million also mean 10,000 combinations, 100 instruments and
    /// 100,000 sealed messages, or 10,000,000 as a stream
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub bars: u32,
    /// How often everything is measured
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
}
