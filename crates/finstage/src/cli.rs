//! The command line: what can be typed. What it does is in [`crate::commands`].

mod alerts;
mod backfill;
mod backtest;
mod bars;
mod bench;
mod capture;
mod decode;
mod indicators;
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
mod signals;
mod sim;
mod store;
mod stress;
mod sweep;
mod tasks;
mod track;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::alerts::{AlertList, AlertMute, AlertTest, Alerts, Watch, WatchAdd};
pub use self::backfill::Backfill;
pub use self::backtest::{Backtest, ClosePrice, Side};
pub use self::bars::{BarArgs, BarExport, BarFormat, Bars, Import, SeriesArgs, Until};
pub use self::bench::Bench;
pub use self::capture::Capture;
pub use self::decode::Decode;
pub use self::indicators::{IndicatorCompute, Indicators, TableFormat};
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
pub use self::signals::{SignalGenerate, SignalList, Signals};
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
