//! What the demo watches: a configuration, written as a user would write it and read by the same
//! code.

use std::fmt::Write as _;
use std::path::PathBuf;

use finstage_engine::Entry;
use finstage_model::{Interval, Symbol};
use finstage_strategies::CATALOG;

use crate::config;
use crate::config::settings::Settings;
use crate::exit::Result;

/// The simulated market of the demo.
pub(super) const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/// The idea that is planted in that market, on bars of [`super::evidence::INTERVAL`].
pub(super) const PLANTED: &str = "volume_breakout_up";
/// The demo's chat and token, known to the simulated messenger.
pub(super) const CHAT: i64 = 42;
pub(super) const TOKEN: &str = "123456:simulated-token-of-the-finstage-demo";

/// Addresses of the simulator; none of them is used in virtual time.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    pub(super) rest: String,
    pub(super) ws: String,
    pub(super) telegram: String,
    /// Where the stream comes sealed, and the keyring that opens it.
    pub(super) sealed: Option<(String, PathBuf)>,
}

/// The demo on the simulated market.
pub(super) fn market(addresses: &Addresses) -> Result<Settings> {
    let mut text =
        head(addresses, &SYMBOLS.map(String::from), &["1m", "5m", "15m", "1h", "1d"], 20);
    let slow = "params = { period = 50 }\n";
    for (name, interval, params) in [
        ("ma_breakout_up", "1m", ""),
        ("ma_breakout_down", "1m", ""),
        ("rsi_overbought", "5m", ""),
        ("rsi_oversold", "5m", ""),
        ("macd_bullish_cross", "15m", ""),
        ("macd_bearish_cross", "15m", ""),
        ("bb_break_upper", "15m", ""),
        ("bb_break_lower", "15m", ""),
        (PLANTED, "15m", ""),
        ("volume_breakout_down", "15m", ""),
        ("ma_breakout_up", "15m", slow),
        ("ma_breakout_down", "15m", slow),
        ("golden_cross", "1h", ""),
        ("dead_cross", "1h", ""),
        ("rsi_oversold", "4h", "params = { period = 9 }\n"),
    ] {
        strategy(&mut text, name, interval, params);
    }
    for symbol in SYMBOLS {
        for rule in ["rise=3%", "drop=3%", "new_high", "prev_high", "prev_low"] {
            let _ = write!(
                text,
                "\n[[watches]]\nsymbol = \"binance:{symbol}\"\nrule = \"{rule}\"\ncooldown = \"6h\"\n"
            );
        }
    }
    config::parse("the demo's configuration", &text, &[])
}

/// The demo on a user's own bars: the whole catalogue, with the classic averages. What reads longer
/// bars is left out: it would add bars that are not in the file.
pub(super) fn own_bars(
    addresses: &Addresses,
    symbol: &Symbol,
    interval: Interval,
) -> Result<Settings> {
    let length = interval;
    let interval = interval.as_str();
    let wire = wire_name(symbol);
    let mut text = head(addresses, std::slice::from_ref(&wire), &[interval], 20);
    let reads_longer = |entry: &Entry| {
        entry.params(&[]).is_ok_and(|params| (entry.build)(&params).longer(length).is_some())
    };
    let is_for_bars = |entry: &&Entry| !reads_longer(entry) && !entry.hears_news();
    for entry in CATALOG.iter().filter(is_for_bars) {
        if entry.name.starts_with("ma_breakout") {
            for period in [20, 50, 200] {
                strategy(
                    &mut text,
                    entry.name,
                    interval,
                    &format!("params = {{ period = {period} }}\n"),
                );
            }
        } else {
            strategy(&mut text, entry.name, interval, "");
        }
    }
    let mut settings = config::parse("the demo's configuration", &text, &[])?;
    rename(&mut settings, symbol);
    Ok(settings)
}

/// The name that the simulated venue knows a user's instrument by.
pub(super) fn wire_name(symbol: &Symbol) -> String {
    symbol.name().to_uppercase()
}

/// The instrument keeps the user's name, although the simulated Binance plays it.
fn rename(settings: &mut Settings, symbol: &Symbol) {
    for feed in &mut settings.feeds {
        feed.symbols = vec![symbol.clone()];
    }
    for series in &mut settings.engine.series {
        series.symbol = symbol.clone();
    }
}

fn head(addresses: &Addresses, symbols: &[String], intervals: &[&str], per_hour: u32) -> String {
    let Addresses { rest, ws, telegram, sealed } = addresses;
    let sealed = sealed.as_ref().map_or_else(String::new, |(ws, keyring)| {
        format!("[venues.binance.sealed]\nws = \"{ws}\"\nkeyring = {keyring:?}\n\n")
    });
    format!(
        "[alerts]\nsend = \"unproven\"\nper_hour = {per_hour}\n\n\
         [venues.binance]\nrest = \"{rest}\"\nws = \"{ws}\"\n\n\
         {sealed}[[feeds]]\nvenue = \"binance\"\nsymbols = {symbols:?}\nintervals = {intervals:?}\n\n\
         [[notify]]\nkind = \"telegram\"\nchat = \"{CHAT}\"\ntoken = \"{TOKEN}\"\nurl = \"{telegram}\"\n"
    )
}

fn strategy(text: &mut String, name: &str, interval: &str, params: &str) {
    let _ =
        write!(text, "\n[[strategies]]\nname = \"{name}\"\ninterval = \"{interval}\"\n{params}");
}
