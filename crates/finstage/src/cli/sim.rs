//! Arguments of `sim`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// `finstage sim`
#[derive(Debug, Args)]
#[command(
    after_help = "The first line on stdout is JSON: {\"binance\":{\"rest\":…,\"ws\":…},\"telegram\":{\"rest\":…}}.\nEach venue has a port of its own, yahoo one for each of its two hosts; --listen names the first,\nthe others follow. Faults are TOML: docs/guides/simulator.md lists them.\nWith --sealed each venue that streams has a third address, \"sealed\": the same streams, sealed.\n\nExample:  finstage sim --venues yahoo,binance,telegram,kis,kraken --scenario faults.toml\n          finstage sim --sealed keyring.toml --play day.ndjson.zst --speed 60"
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
}

impl std::fmt::Display for SimVenue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Binance => "binance",
            Self::Telegram => "telegram",
            Self::Yahoo => "yahoo",
            Self::Kis => "kis",
            Self::Kraken => "kraken",
        })
    }
}
