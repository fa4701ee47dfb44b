//! Arguments of `init`, `doctor` and `health`: the first ten minutes.

use std::time::Duration;

use clap::Args;
use finstage_model::parse_duration;

/// `finstage init`
#[derive(Debug, Args)]
#[command(
    after_help = "A file that is there is never overwritten without --force; --telegram alone adds your chat to it.\nThe token goes into .env beside the file (mode 0600), as TELEGRAM_TOKEN.\n\nExamples:  finstage init --preset us\n           finstage init --telegram\n           finstage init --telegram --token env:MY_TOKEN --preset crypto"
)]
pub struct Init {
    /// What to watch [default: asked on a terminal, else crypto]
    #[arg(long, value_name = "PRESET", value_enum)]
    pub preset: Option<Preset>,
    /// Connect a Telegram bot: asks for its token, waits for /start, sends a test message
    #[arg(long)]
    pub telegram: bool,
    /// The bot's token, env:NAME or file:PATH [default: asked for, not shown]
    #[arg(long, value_name = "REFERENCE", requires = "telegram")]
    pub token: Option<String>,
    /// The chat, instead of waiting for /start
    #[arg(long, value_name = "ID", requires = "telegram", allow_negative_numbers = true)]
    pub chat: Option<i64>,
    /// How long to wait for /start, at most 10m
    #[arg(long, value_name = "DURATION", requires = "telegram", default_value = "60s", value_parser = patience)]
    pub wait: Duration,
    /// Address of the Bot API, where it is not Telegram's own
    #[arg(long, value_name = "URL", requires = "telegram")]
    pub base_url: Option<String>,
    /// Overwrite a file that is there
    #[arg(long)]
    pub force: bool,
}

/// What `finstage init` can begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Cryptocurrencies at Binance
    Crypto,
    /// Shares and indices of the United States, by Yahoo
    Us,
    /// Shares and indices of Korea, by Yahoo
    Kr,
}

/// `finstage health`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 ready, 1 not ready or not there. For a container's or a supervisor's health check."
)]
pub struct Health {
    /// The service's address [default: server.listen of the configuration]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

fn patience(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(600);
    match parse_duration(text) {
        Ok(wait) if wait <= longest => Ok(wait),
        Ok(_) => Err("10m is the longest".into()),
        Err(why) => Err(why.to_string()),
    }
}
