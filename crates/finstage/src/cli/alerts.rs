//! Arguments of `alerts` and `watch`.

use clap::{Args, Subcommand};
use finstage_model::{Symbol, parse_duration};

/// `finstage alerts`
#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// Newest alerts first: delivered, queued, failed, expired and withheld, with the reason
    List(AlertList),
    /// Send one test alert through every channel, really
    Test(AlertTest),
    /// Send no alerts of a rule, or about an instrument, for a while
    Mute(AlertMute),
}

/// `finstage alerts list`
#[derive(Debug, Args)]
pub struct AlertList {
    /// Only these instruments
    #[arg(long, value_delimiter = ',', value_name = "SYMBOL")]
    pub symbol: Vec<Symbol>,
    /// Only with this status
    #[arg(long, value_name = "STATUS", value_parser = ["delivered", "queued", "failed", "expired", "withheld", "kept"])]
    pub status: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

/// `finstage alerts test`
#[derive(Debug, Args)]
#[command(
    after_help = "The message says that it is a test; nothing is recorded. Exit codes: 3 a channel did not take it,\n4 a channel does not accept our token or secret."
)]
pub struct AlertTest {
    /// Only through this channel, or these: a name, or a kind such as telegram
    #[arg(long, value_name = "NAME")]
    pub notify: Option<String>,
}

/// `finstage alerts mute`
#[derive(Debug, Args)]
#[command(
    after_help = "Alerts that are muted are recorded as withheld, with the word \"muted\". A running service hears of\nit within seconds.\n\nExamples:  finstage alerts mute binance:BTCUSDT --for 2h\n           finstage alerts mute golden_cross --for 7d\n           finstage alerts mute golden_cross --off\n           finstage alerts mute --list"
)]
pub struct AlertMute {
    /// A symbol; or a rule: a strategy with or without its parameters, a watch with or without its value
    #[arg(value_name = "SYMBOL|RULE", required_unless_present = "list")]
    pub what: Option<String>,
    /// For how long, at most 30d
    #[arg(long = "for", value_name = "DURATION", required_unless_present_any = ["list", "off"], conflicts_with_all = ["list", "off"], value_parser = crate::mutes::span)]
    pub span: Option<std::time::Duration>,
    /// Let it speak again
    #[arg(long, conflicts_with = "list")]
    pub off: bool,
    /// What is muted at present
    #[arg(long, conflicts_with = "what")]
    pub list: bool,
}

/// `finstage watch`
#[derive(Debug, Subcommand)]
pub enum Watch {
    /// Add watches on the price of an instrument
    #[command(
        after_help = "Rules: rise=3% drop=3% above=PRICE below=PRICE new_high drop_from_high=5% prev_high prev_low.\nA bare rise, drop or drop_from_high takes the percentage of [watch.symbols], [watch.categories],\nelse: indices 1 1 2, futures 5 5 10, everything else 3 3 5. Without a rule all but above and below\nare added. A running service hears of it within seconds; an alert comes at most every 3 minutes,\nof new_high and drop_from_high every 6 hours.\n\nExamples:  finstage watch add binance:BTCUSDT rise=5% drop=5%\n           finstage watch add yahoo:^GSPC"
    )]
    Add(WatchAdd),
    /// Watches in force, added or configured
    List {
        /// Only these instruments
        #[arg(value_delimiter = ',', value_name = "SYMBOL")]
        symbol: Vec<Symbol>,
    },
    /// Take out watches that were added; those of the configuration are taken out there
    Remove {
        /// Their ids, or enough of the beginning
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// `finstage watch add`
#[derive(Debug, Args)]
pub struct WatchAdd {
    /// Whose price
    #[arg(value_name = "SYMBOL")]
    pub symbol: Symbol,
    /// The rules [default: rise drop new_high drop_from_high prev_high prev_low]
    #[arg(value_name = "RULE")]
    pub rules: Vec<String>,
    /// Least time between two alerts of a rule, at most 24h [default: 3m, 6h for records]
    #[arg(long, value_name = "DURATION", value_parser = cooldown)]
    pub cooldown: Option<std::time::Duration>,
}

fn cooldown(text: &str) -> Result<std::time::Duration, String> {
    match parse_duration(text) {
        Ok(cooldown) if cooldown <= std::time::Duration::from_secs(24 * 3_600) => Ok(cooldown),
        Ok(_) => Err("24h is the longest".into()),
        Err(why) => Err(why.to_string()),
    }
}
