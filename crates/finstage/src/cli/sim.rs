//! Arguments of `sim`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use finstage_model::Timestamp;

/// `finstage sim`
#[derive(Debug, Args)]
#[command(
    after_help = "The first line on stdout is JSON: {\"binance\":{\"rest\":…,\"ws\":…},\"telegram\":{\"rest\":…}}.\nEach venue has a port of its own, yahoo one for each of its two hosts; --listen names the first,\nthe others follow. Faults are TOML: docs/guides/simulator.md lists them.\nWith --sealed each venue that streams has a third address, \"sealed\": the same streams, sealed.\n\nExample:  finstage sim --venues yahoo,binance,telegram,kis,kraken --scenario faults.toml\n          finstage sim --sealed keyring.toml --play day.ndjson.zst --speed 60\n          finstage sim --venues openai --rpm 600 --burst 1s --latency 20ms~0.5"
)]
pub struct Sim {
    /// Address of the first venue; port 0 takes free ports
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Which venues
    #[arg(long, value_delimiter = ',', default_values_t = [SimVenue::Binance, SimVenue::Telegram])]
    pub venues: Vec<SimVenue>,
    /// Faults to play: calm, rough, or a scenario file
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Option<String>,
    /// Seed of the simulated market
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Plant an edge in the market, as in the demo: after volume_breakout_up on 15m bars the price drifts up for an hour
    #[arg(long)]
    pub edge: bool,
    /// Write a line for every request: at venue path weight status outcome
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// How many times faster than the clock the market runs, and a recording is played
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub speed: f64,
    /// When its clock was right, so that others can have the same (`serve --speed --right-at`)
    #[arg(long, value_name = "TIME", hide = true)]
    pub right_at: Option<Timestamp>,
    /// How many pairs Binance and Kraken list: BTCUSDT, ETHUSDT, SOLUSDT, P003USDT, P004USDT …
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(3..=500))]
    pub symbols: u16,
    /// Mean number of trades in a second of the market, of each pair
    #[arg(long, value_name = "N", default_value_t = 4.0)]
    pub trades: f64,
    /// Also give every stream sealed, with the keys of this file (`finstage keys new` makes one)
    #[arg(long, value_name = "KEYRING")]
    pub sealed: Option<PathBuf>,
    /// Play a recording instead of venues, sealed: a capture, or what Tardis gives
    #[arg(long, value_name = "FILE", requires = "sealed", conflicts_with = "venues")]
    pub play: Option<PathBuf>,
    /// What readers of sealed streams must show as `Authorization: Bearer`, as env:NAME or file:PATH
    #[arg(long, value_name = "REF", requires = "sealed")]
    pub sealed_token: Option<String>,
    /// The most frames that go into one envelope: those that are there together
    #[arg(long, value_name = "N", default_value_t = 100, requires = "sealed")]
    pub sealed_batch: u32,
    /// What openai alone has
    #[command(flatten)]
    pub openai: OpenAiArgs,
    /// What rss alone has
    #[command(flatten)]
    pub rss: RssArgs,
}

/// What can be chosen about the simulated news.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Options of rss")]
pub struct RssArgs {
    /// Feeds that there are, at /feed/0, /feed/1 …
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rss_feeds: u32,
    /// Stories that are written in a minute; one in seven is carried by three feeds
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rss_per_minute: u32,
    /// Stories that a feed lists, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub rss_listed: u32,
}

/// What can be chosen about the simulated openai.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of openai")]
pub struct OpenAiArgs {
    /// Requests a minute of each key and model; 0 is no limit [default: 10000]
    #[arg(long, value_name = "N")]
    pub rpm: Option<u32>,
    /// Tokens a minute of each key and model, prompt and max tokens; 0 is no limit [default: 4000000]
    #[arg(long, value_name = "N")]
    pub tpm: Option<u32>,
    /// So much of a minute's requests may come at once [default: 1m]
    #[arg(long, value_name = "DURATION")]
    pub burst: Option<String>,
    /// Requests of each key at the same time [default: no limit]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<u32>,
    /// How long an answer takes: 20ms, 10ms..50ms, or 20ms~0.5 (median and spread) [default: 0s]
    #[arg(long, value_name = "TIME")]
    pub latency: Option<String>,
    /// How long it takes from one token of a stream to the next [default: 0s]
    #[arg(long, value_name = "DURATION")]
    pub token_time: Option<String>,
    /// How long a line of a batch takes [default: 10ms]
    #[arg(long, value_name = "DURATION")]
    pub batch_line: Option<String>,
    /// What headers say about limits [default: ms]
    #[arg(long, value_enum, value_name = "STYLE")]
    pub hints: Option<SimHints>,
    /// Speak as a LiteLLM gateway before it does
    #[arg(long)]
    pub gateway: bool,
    /// What a key may spend before it gets insufficient_quota [default: no limit]
    #[arg(long, value_name = "USD")]
    pub spend_cap: Option<f64>,
    /// Keys that are known; all that begin with sk- where none is named
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub keys: Vec<String>,
}

/// What headers of the simulated openai say about limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SimHints {
    /// x-ratelimit-*, retry-after and retry-after-ms.
    Ms,
    /// retry-after in whole seconds only.
    Seconds,
    /// Nothing.
    None,
}

/// What `finstage sim` can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SimVenue {
    /// Binance spot: REST and WebSocket streams.
    Binance,
    /// The Telegram Bot API.
    Telegram,
    /// Yahoo Finance: charts, quotes, search; two hosts.
    Yahoo,
    /// KIS Developers: tokens, quotations of Seoul and New York, sessions.
    Kis,
    /// Kraken: public REST.
    Kraken,
    /// The OpenAI API: chats, embeddings, files, batches.
    Openai,
    /// News: RSS and Atom in the shapes of several publishers, and feeds that are broken.
    Rss,
}

impl std::fmt::Display for SimVenue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Binance => "binance",
            Self::Telegram => "telegram",
            Self::Yahoo => "yahoo",
            Self::Kis => "kis",
            Self::Kraken => "kraken",
            Self::Openai => "openai",
            Self::Rss => "rss",
        })
    }
}
