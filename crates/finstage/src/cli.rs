//! The command line: what can be typed. What it does is in [`crate::commands`].

mod alerts;
mod backfill;
mod bench;
mod capture;
mod decode;
mod instruments;
mod keys;
mod llm;
mod man;
mod metrics;
mod news;
mod patterns;
mod prices;
mod replay;
mod report;
mod seal;
mod server;
mod setup;
mod sim;
mod store;
mod stress;
mod sweep;
mod tasks;
mod track;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use finstage_model::{Call, Day, Direction, Interval, Symbol, Timestamp};

pub use self::alerts::{AlertList, AlertMute, AlertTest, Alerts, Watch, WatchAdd};
pub use self::backfill::Backfill;
pub use self::bench::Bench;
pub use self::capture::Capture;
pub use self::decode::Decode;
pub use self::instruments::{InstrumentAdd, Instruments, ListingArgs};
pub use self::keys::{KeyringArgs, Keys, KeysCheck, KeysDestroy, KeysDisable, KeysNew, KeysRotate};
pub use self::llm::{
    Gateway, Llm, LlmAsk, LlmBatch, LlmBatchCommand, LlmCheck, LlmCommand, LlmCost, LlmForm,
    LlmProvider, LlmRun, LlmTarget,
};
pub use self::man::Man;
pub use self::metrics::Metrics;
pub use self::news::{News, NewsFetch, NewsLift, NewsList};
pub use self::patterns::Patterns;
pub use self::prices::Prices;
pub use self::replay::{Replay, Speed};
pub use self::report::{Report, ReportDaily, ReportFormat, ReportHourly, StatusFormat};
pub use self::seal::{Open, Seal};
pub use self::server::{Serve, Token};
pub use self::setup::{Health, Init, Preset};
pub use self::sim::{OpenAiArgs, RssArgs, Sim, SimHints, SimVenue};
pub use self::store::{Store, StorePrune};
pub use self::stress::{
    Fail, Stress, StressBurst, StressCompare, StressFormat, StressHttp, StressLoad, StressMonitor,
    StressOpening, StressProbe, StressReport, StressResult, StressTarget, StressVenue, StressWs,
};
pub use self::sweep::{Search, Sweep, WalkForward};
pub use self::tasks::{Schedule, TaskList, TaskSubmit, Tasks};
pub use self::track::TrackRecord;
pub use self::verify::{Trials, Verify};

/// Watches markets around the clock; every alert carries its proof.
#[derive(Debug, Parser)]
#[command(name = "finstage", version = crate::VERSION, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Start here:  finstage demo     the whole product, offline\n             finstage init     a configuration; then finstage doctor, finstage serve\n\nExit codes: 0 done, 1 a check did not hold, 2 usage or input, 3 remote, 4 authentication, 5 budget\nspent, 6 local store, 130 interrupted"
)]
pub struct Cli {
    /// Options that every command takes, before or after it
    #[command(flatten)]
    pub global: Global,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Configuration file [default: finstage.toml here, else the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Options of every command")]
    pub config: Option<PathBuf>,
    /// Folder of journal and records [default: store.path of the configuration, else ./finstage-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Options of every command")]
    pub data_dir: Option<PathBuf>,
    /// Print the result as JSON (NDJSON where it is a stream)
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub json: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Options of every command")]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, help_heading = "Options of every command")]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole product offline, on a simulated market or on your own bars
    Demo(Demo),
    /// Write a configuration that runs without keys; --telegram connects a chat
    Init(Init),
    /// Run the service from the configuration file
    Serve(Serve),
    /// The token that opens the server, and one-time links to the dashboard
    #[command(subcommand)]
    Token(Token),
    /// One local address for programs in any language: models and venues; keys stay here
    Gateway(Gateway),
    /// Check configuration, folders, clock, venues, channels and hours, a line each
    Doctor,
    /// Ask the running service whether it is ready
    Health(Health),
    /// Read bar files into the store; a second time writes nothing
    Import(Import),
    /// History from venues into the store: what is missing, and the holes in what is there
    Backfill(Backfill),
    /// What instruments cost now: a list of any length, in its order, at the pace of the venues
    Prices(Box<Prices>),
    /// Stored bars: what there is, what is missing, what is odd, and bars for other programs
    #[command(subcommand)]
    Bars(Bars),
    /// Instruments by English and Korean name, and when their markets are open; your own
    #[command(subcommand)]
    Instruments(Instruments),
    /// Send the journal or a recording through the engine again; --check compares what is said
    Replay(Replay),
    /// The catalogue of strategies
    #[command(subcommand)]
    Strategies(Strategies),
    /// One run of a strategy or of your own targets over a bar file
    Backtest(Box<Backtest>),
    /// Evidence for strategies, corrected for everything that was tried
    Verify(Box<Verify>),
    /// The ledger of everything that was tried
    #[command(subcommand)]
    Trials(Trials),
    /// What was said and what became of it, in a chain that anyone can check
    #[command(subcommand)]
    TrackRecord(TrackRecord),
    /// Signals that come together: which ones, and whether the price went their way
    Patterns(Patterns),
    /// The daily report: what happened, what was withheld and why, what became of earlier signals
    #[command(subcommand)]
    Report(Report),
    /// Headlines about what is watched: collect, list, and what prices did after them
    #[command(subcommand)]
    News(News),
    /// The queue of what a service is to do: list, submit, cancel, retry
    #[command(subcommand)]
    Tasks(Tasks),
    /// What a service does by itself, and when next; run it now
    #[command(subcommand)]
    Schedule(Schedule),
    /// Backup, restore, check and tidy the data folder
    #[command(subcommand)]
    Store(Store),
    /// Files for Prometheus and Grafana, made of the same table as /metrics
    #[command(subcommand)]
    Metrics(Metrics),
    /// Indicators, and their values over a bar file
    #[command(subcommand)]
    Indicators(Indicators),
    /// A strategy with every combination of a grid of parameters
    Sweep(Box<Sweep>),
    /// What a search for parameters is worth: chosen on the past, tried on what came after
    WalkForward(Box<WalkForward>),
    /// Run the simulator: a Binance, a Yahoo and a Telegram on this machine, with faults on demand
    Sim(Box<Sim>),
    /// Load tests that know venues: how much a server takes, and when it refuses
    #[command(subcommand)]
    Stress(Stress),
    /// Signals in the store
    #[command(subcommand)]
    Signals(Signals),
    /// Alerts sent and withheld; a test alert; muting
    #[command(subcommand)]
    Alerts(Alerts),
    /// Alerts on the price alone: add, list, remove
    #[command(subcommand)]
    Watch(Watch),
    /// Raw frames of a venue to events, by the very path that live data takes
    Decode(Decode),
    /// Record what a venue's stream brings, frame by frame, for replay --input
    Capture(Capture),
    /// Questions to language models: many at a time, inside limits and a budget
    Llm(Llm),
    /// Keys that seal data: make, list, check, rotate, disable, destroy
    #[command(subcommand)]
    Keys(Keys),
    /// Lines to sealed envelopes, which only who has the key can read, and nobody can change unseen
    Seal(Seal),
    /// Sealed envelopes back to lines, byte for byte; what was changed or repeated is refused
    Open(Open),
    /// Check, show or write the configuration
    #[command(subcommand)]
    Config(Config),
    /// Measure this build on this machine, beside TA-Lib, backtesting.py, vectorbt and Python's
    /// cryptography where they are
    Bench(Bench),
    /// Print the completion script of a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program or of a command, for `man -l -`
    Man(Man),
}

/// `finstage demo`
#[derive(Debug, Args)]
#[command(
    after_help = "Without --fast the simulated market runs 60 times faster than the clock, until Ctrl-C.\nThe folder is temporary unless --data-dir names one; a folder of real records is refused."
)]
pub struct Demo {
    /// Seed of the simulated market; one seed, one result
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Port of the server and the dashboard; the next free one where it is taken
    #[arg(long, value_name = "P", default_value_t = 8_080)]
    pub port: u16,
    /// Play these bars instead of a simulated market: CSV as from finstage, yfinance, TradingView or Binance
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// How the bars of --input are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// A simulated day (or the whole file) in virtual time, as fast as it goes
    #[arg(long)]
    pub fast: bool,
    /// End when the day or the file has been played, instead of staying until Ctrl-C
    #[arg(long)]
    pub exit: bool,
    /// The market's stream comes sealed (AES-256-GCM), and is opened on the way in
    #[arg(long)]
    pub sealed: bool,
    /// Faults to play: calm, rough, or a scenario file
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Option<String>,
}

/// How a bar file is to be read.
#[derive(Debug, Clone, Args)]
pub struct BarArgs {
    /// Name of the instrument, venue:SYMBOL [default: file:NAME]
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<Symbol>,
    /// Length of the bars [default: inferred from the stamps]
    #[arg(long, value_name = "INTERVAL")]
    pub interval: Option<Interval>,
    /// Zone of stamps that carry none: an IANA name [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Drop bad rows and count them, instead of refusing the file
    #[arg(long)]
    pub lenient: bool,
}

/// `finstage import`
#[derive(Debug, Args)]
#[command(
    after_help = "Reads CSV with the header timestamp,open,high,low,close,volume, files as yfinance, TradingView\nand Binance write them, and Parquet. A stamp is the open time of the bar. A bar that is stored\nstays; one that says otherwise is named and counted as rejected.\n\nFactors are CSV with the header date,price_factor,split_factor: prices up to and including a day\nare multiplied by both, volumes divided by the second. They are kept beside the bars, which stay\nraw; bars export --adjusted applies them."
)]
pub struct Import {
    /// The files
    #[arg(required_unless_present = "factors", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How they are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// Factors of splits and dividends, in place of those stored; with or without bar files
    #[arg(long, value_name = "FILE")]
    pub factors: Option<PathBuf>,
}

/// `finstage bars`
#[derive(Debug, Subcommand)]
pub enum Bars {
    /// Every stored series: how many bars, from when to when, and where its files are
    List(SeriesArgs),
    /// Bars of one series as CSV, Parquet or Arrow
    Export(BarExport),
    /// Bars that are missing, and what was expected
    Gaps(SeriesArgs),
    /// What is odd, place by place, and a score from 0 to 100
    Quality(SeriesArgs),
}

/// Which stored series.
#[derive(Debug, Args)]
pub struct SeriesArgs {
    /// Only these instruments [default: all that are stored]
    #[arg(value_delimiter = ',', value_name = "SYMBOL")]
    pub symbols: Vec<Symbol>,
    /// Only bars of these lengths
    #[arg(long, value_delimiter = ',', value_name = "INTERVAL")]
    pub interval: Vec<Interval>,
}

/// `finstage bars export`
#[derive(Debug, Args)]
#[command(
    after_help = "CSV has the exact digits; Parquet and Arrow have doubles where each comes back as the same\ndecimal, else decimals. Adjusted numbers are doubles. Arrow is an IPC file with -o (what pandas\ncalls Feather), an IPC stream on standard output. With --json bars are NDJSON."
)]
pub struct BarExport {
    /// The instrument
    #[arg(value_name = "SYMBOL")]
    pub symbol: Symbol,
    /// Length of the bars [default: the one that is stored]
    #[arg(long, value_name = "INTERVAL")]
    pub interval: Option<Interval>,
    /// Bars that open at or after this moment: YYYY-MM-DD or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Bars that open before this moment; YYYY-MM-DD is included whole
    #[arg(long, value_name = "TIME")]
    pub to: Option<Until>,
    /// Prices and volumes adjusted by the stored factors
    #[arg(long)]
    pub adjusted: bool,
    /// What to write [default: as the ending of -o says, else csv]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<BarFormat>,
    /// Write to a file, which appears whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A form of bars for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BarFormat {
    /// Text with our own header.
    Csv,
    /// As the shelf has it.
    Parquet,
    /// Arrow IPC.
    Arrow,
}

/// The end of a range: a moment that is not in it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until(pub Timestamp);

impl std::str::FromStr for Until {
    type Err = <Timestamp as std::str::FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Day>().map(Day::end).or_else(|_| text.parse()).map(Self)
    }
}

/// `finstage strategies`
#[derive(Debug, Subcommand)]
pub enum Strategies {
    /// Every strategy with its parameters
    List,
    /// One strategy: what it says, when, and what it needs
    Show {
        /// Its name
        name: String,
    },
}

/// `finstage backtest`
#[derive(Debug, Args)]
#[command(
    after_help = "A decision on the close of a bar is filled at the next open, all of it. A strategy of the\ncatalogue or --when says when to begin; its counterpart, --exit, --exit-when or --hold say when\nto end. sma_cross, rsi_levels and donchian state a position for every bar.\n\nOne run over one history is an illustration, not evidence. It is counted in the ledger of trials,\nwhere finstage verify finds what was tried; targets of your own are not."
)]
pub struct Backtest {
    /// The bars
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// How they are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// The rule: NAME, NAME(50,200) or NAME(fast=50,slow=200)
    #[arg(long, value_name = "RULE", conflicts_with = "targets")]
    pub strategy: Option<Call>,
    /// A condition of your own in place of the rule: 'cross_above(sma(10), sma(20))'
    #[arg(long, value_name = "EXPR", conflicts_with_all = ["strategy", "targets"])]
    pub when: Option<String>,
    /// Where the price is expected to go when the condition becomes true [default: long]
    #[arg(long, value_name = "SIDE", value_enum, requires = "when")]
    pub direction: Option<Side>,
    /// Positions of your own: CSV with the header bar,target; bars from 0, targets from -1 to 1
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// The strategy whose signal ends a position [default: the counterpart]
    #[arg(long, value_name = "RULE", conflicts_with = "targets")]
    pub exit: Option<Call>,
    /// The condition that ends a position where it becomes true
    #[arg(long, value_name = "EXPR", conflicts_with_all = ["exit", "targets"])]
    pub exit_when: Option<String>,
    /// End a position after so many bars
    #[arg(long, value_name = "BARS", conflicts_with = "targets")]
    pub hold: Option<usize>,
    /// Take the other side where a position ends
    #[arg(long, conflicts_with = "targets")]
    pub reverse: bool,
    /// Money at the start
    #[arg(long, value_name = "MONEY", default_value_t = 10_000.0)]
    pub cash: f64,
    /// Fraction of the value taken at every fill: 0.001 is 0.1 %
    #[arg(long, value_name = "FRACTION", default_value_t = 0.001)]
    pub commission: f64,
    /// Below 1 the fraction of the cash in a position, from 1 on a number of units
    #[arg(long, value_name = "SIZE", default_value_t = 0.95)]
    pub size: f64,
    /// Price of the last bar at which an open position is closed
    #[arg(long, value_name = "PRICE", value_enum, default_value_t = ClosePrice::Close)]
    pub close_final: ClosePrice,
    /// How far fills miss the open, in hundredths of a percent
    #[arg(long, value_name = "BPS", conflicts_with = "slippage_range")]
    pub slippage_bps: Option<f64>,
    /// How far fills miss the open, as a fraction of the range of the bar before
    #[arg(long, value_name = "FRACTION")]
    pub slippage_range: Option<f64>,
    /// Close when the price has gone this fraction against the position
    #[arg(long, value_name = "FRACTION")]
    pub stop_loss: Option<f64>,
    /// Close when the price has gone this fraction in favour of the position
    #[arg(long, value_name = "FRACTION")]
    pub take_profit: Option<f64>,
    /// Write a report with charts: one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Where the price is expected to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Side {
    /// Up.
    #[default]
    Long,
    /// Down.
    Short,
}

impl From<Side> for Direction {
    fn from(side: Side) -> Self {
        match side {
            Side::Long => Self::Long,
            Side::Short => Self::Short,
        }
    }
}

/// A price of the last bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ClosePrice {
    /// Its close.
    Close,
    /// Its open.
    Open,
}

/// `finstage indicators`
#[derive(Debug, Subcommand)]
pub enum Indicators {
    /// Every indicator with its inputs, parameters and outputs
    List,
    /// One indicator: what it reads and says, its bounds, how many bars it needs
    Show {
        /// Its name, with parameters or without: MACD, MACD(5,35) or MACD(signalperiod=5)
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Values of indicators for every bar of a file
    Compute(IndicatorCompute),
}

/// `finstage indicators compute`
#[derive(Debug, Args)]
#[command(
    after_help = "Names and parameters are TA-Lib's where it has them; \"finstage indicators list\" has all. Columns\nare timestamp, then SPEC.output with SPEC as typed. What is not known yet is an empty field (null\nin JSON). The file runs through: memory does not grow with it.\n\nExample:  finstage indicators compute --input bars.csv 'SMA(20)' 'MACD(12,26,9)' -o out.csv"
)]
pub struct IndicatorCompute {
    /// What to compute: NAME, NAME(14) or NAME(timeperiod=14); several one by one or by comma
    #[arg(required = true, value_name = "SPEC")]
    pub specs: Vec<String>,
    /// The bars: CSV as from finstage, yfinance, TradingView or Binance, or Parquet; - is standard input
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// How they are to be read
    #[command(flatten)]
    pub bars: BarArgs,
    /// Form of the result; json is a document a line [default: csv, with --json json]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<TableFormat>,
    /// Write to this file, which appears when it is whole, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A form of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TableFormat {
    /// Text with a header.
    Csv,
    /// A JSON document a line.
    Json,
    /// Parquet with doubles.
    Parquet,
}

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

/// `finstage config`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Config {
    /// Check the file and say what it means
    Check,
    /// Print the settings in force; secrets stay hidden
    Show,
    /// Print a commented file with every setting and its default
    Default,
    /// Print the JSON schema of the file, for editors
    Schema,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_go_before_or_after_the_command() {
        for words in
            [["finstage", "--json", "config", "show"], ["finstage", "config", "show", "--json"]]
        {
            assert!(Cli::parse_from(words).global.json);
        }
    }
}
