use std::path::PathBuf;

use clap::{Args, Subcommand};
use finstage_model::{Call, Symbol};

use super::{BarArgs, Side};

/// `finstage signals`
#[derive(Debug, Subcommand)]
pub enum Signals {
    /// Newest signals first
    List(SignalList),
    /// Signals of a bar file, computed afresh and stored nowhere
    Generate(SignalGenerate),
    /// One signal with everything known about it
    Show {
        /// Its id, or enough of its beginning
        id: String,
        /// Write its proof: one HTML file with rule, chart, verdict, outcomes and place in the chain
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
    },
}

/// `finstage signals generate`
#[derive(Debug, Args)]
pub struct SignalGenerate {
    /// The bars
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// How they are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// Only these strategies: NAME, NAME(20) or NAME(period=20) [default: the whole catalogue]
    #[arg(long, value_name = "RULE")]
    pub strategy: Vec<Call>,
    /// Conditions of your own: 'cross_above(sma(10), sma(20))'
    #[arg(long, value_name = "EXPR")]
    pub when: Vec<String>,
    /// Where the price is expected to go when they become true [default: long]
    #[arg(long, value_name = "SIDE", value_enum, requires = "when")]
    pub direction: Option<Side>,
}

/// `finstage signals list`
#[derive(Debug, Args)]
pub struct SignalList {
    /// Only these instruments
    #[arg(long, value_delimiter = ',', value_name = "SYMBOL")]
    pub symbol: Vec<Symbol>,
    /// Only this strategy, with or without its parameters
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}
