//! `[venues.NAME.sealed]`: where a venue's stream comes sealed, and with which keys.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use finstage_feeds::sealed::{DATA_STREAM, Patience};
use finstage_feeds::venues;
use serde::Deserialize;

use super::raw::Raw;
use super::settings::Resolver;
use super::venues::Key;
use crate::exit::Result;

/// `[venues.NAME.sealed]` as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSealed {
    pub(crate) ws: Option<String>,
    pub(crate) fallback: Option<String>,
    pub(crate) patience: Option<String>,
    pub(crate) keyring: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) stream: Option<String>,
}

/// How the stream of a venue comes sealed.
#[derive(Debug, Clone)]
pub struct SealedSettings {
    /// Address of the server that seals.
    pub ws: String,
    /// Address of another one, for when that one is not there.
    pub fallback: Option<String>,
    /// When that is.
    pub patience: Patience,
    /// The keyring; that of the data folder where it is `None`.
    pub keyring: Option<PathBuf>,
    /// The bearer, where one is written, or why it was not found.
    pub token: Option<Key>,
    /// Which of the server's streams is asked for.
    pub data_stream: String,
}

impl Resolver<'_> {
    /// The sealed streams of all venues. A token that is not there is no error yet, and nor is a keyring:
    /// most commands need none.
    pub(super) fn sealed(&mut self, raw: &Raw) -> Result<BTreeMap<String, SealedSettings>> {
        let mut sealed = BTreeMap::new();
        for (name, venue) in &raw.venues {
            let Some(typed) = &venue.sealed else { continue };
            let place = format!("venues.{name}.sealed");
            if venues::find(name).is_none_or(|venue| venue.stream.is_none()) {
                return self.refuse(&place, format!("{name} streams nothing that could be sealed"));
            }
            sealed.insert(name.clone(), self.sealed_stream(&place, typed)?);
        }
        Ok(sealed)
    }

    fn sealed_stream(&mut self, place: &str, typed: &RawSealed) -> Result<SealedSettings> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let Some(ws) = given(&typed.ws) else {
            let why = "is missing: write ws = \"wss://HOST\", the address of the server that seals";
            return self.refuse(&format!("{place}.ws"), why);
        };
        let fallback = given(&typed.fallback);
        for (key, address) in [("ws", Some(&ws)), ("fallback", fallback.as_ref())] {
            let key = format!("{place}.{key}");
            self.address(&key, address.map(String::as_str), ["ws", "wss"])?;
        }
        let patience = match typed.patience.as_deref() {
            None => Patience::default(),
            Some(name) => match Patience::named(name) {
                Some(patience) => patience,
                None => {
                    let names = Patience::PRESETS.map(|preset| format!("\"{}\"", preset.name));
                    let why = format!("\"{name}\": write {}", names.join(" or "));
                    return self.refuse(&format!("{place}.patience"), why);
                }
            },
        };
        let token_key = format!("{place}.token");
        let token = given(&typed.token).map(|typed| self.key(&token_key, &typed));
        let in_the_clear = |address: &&String| is_in_the_clear(address);
        if let Some(address) =
            [Some(&ws), fallback.as_ref()].into_iter().flatten().find(in_the_clear)
            && token.is_some()
        {
            let message =
                format!("{address} is not encrypted, and all on the way see it: use wss://");
            self.warn(&token_key, &message);
        }
        Ok(SealedSettings {
            // Paths are put behind it.
            ws: ws.trim_end_matches('/').to_owned(),
            fallback: fallback.map(|address| address.trim_end_matches('/').to_owned()),
            patience,
            keyring: given(&typed.keyring).map(PathBuf::from),
            token,
            data_stream: given(&typed.stream).unwrap_or_else(|| DATA_STREAM.to_owned()),
        })
    }
}

/// Whether what is said to an address can be read on the way.
fn is_in_the_clear(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("ws://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::settings::Settings;
    use super::*;

    const LEAST: &str = "[venues.binance.sealed]\nws = \"ws://127.0.0.1:9/\"\n";

    fn settings(text: &str) -> Settings {
        parse("finstage.toml", text, &[]).unwrap_or_else(|why| panic!("{why}"))
    }

    fn refused(text: &str) -> String {
        parse("finstage.toml", text, &[]).unwrap_err().to_string()
    }

    #[test]
    fn an_address_is_enough_and_everything_else_has_a_default() {
        let found = settings(LEAST).sealed.remove("binance").unwrap();
        assert_eq!((found.ws.as_str(), found.fallback), ("ws://127.0.0.1:9", None));
        assert_eq!(found.patience, Patience::STREAM_FALLBACK);
        assert_eq!((found.keyring, found.token.is_some()), (None, false));
        assert_eq!(found.data_stream, "realtime-market-data");
        let more = "fallback = \"wss://b/\"\npatience = \"connection\"\nkeyring = \"k.toml\"\nstream = \"x\"\n";
        let found = settings(&format!("{LEAST}{more}")).sealed.remove("binance").unwrap();
        assert_eq!(found.fallback.as_deref(), Some("wss://b"));
        assert_eq!((found.patience, found.data_stream.as_str()), (Patience::CONNECTION, "x"));
        assert_eq!(found.keyring, Some(PathBuf::from("k.toml")));
    }

    #[test]
    fn what_makes_no_sense_is_named_with_what_to_write() {
        assert_eq!(
            refused("[venues.binance.sealed]\nkeyring = \"k\"\n"),
            "finstage.toml:1: venues.binance.sealed.ws: is missing: write ws = \"wss://HOST\", the address of the server that seals"
        );
        assert!(refused("[venues.binance.sealed]\nws = \"http://h\"\n").contains("wss://HOST, or"));
        assert!(refused(&format!("{LEAST}fallback = \"h\"\n")).contains("sealed.fallback"));
        assert!(
            refused(&format!("{LEAST}patience = \"none\"\n"))
                .ends_with("\"none\": write \"stream-fallback\" or \"connection\"")
        );
        let yahoo = refused("[venues.yahoo.sealed]\nws = \"ws://h\"\n");
        assert!(yahoo.contains("yahoo streams nothing that could be sealed"), "{yahoo}");
        assert!(refused(&format!("{LEAST}kering = \"k\"\n")).contains("did you mean \"keyring\"?"));
    }

    #[test]
    fn the_environment_reaches_it() {
        let variables = [
            ("FINSTAGE_VENUES__BINANCE__SEALED__WS".to_owned(), "wss://other".to_owned()),
            ("FINSTAGE_VENUES__BINANCE__SEALED__STREAM".to_owned(), "y".to_owned()),
        ];
        let found = parse("f", LEAST, &variables).unwrap().sealed.remove("binance").unwrap();
        assert_eq!((found.ws.as_str(), found.data_stream.as_str()), ("wss://other", "y"));
    }

    #[test]
    fn a_token_is_never_shown_and_one_that_all_can_read_is_warned_of() {
        let with = |ws: &str| {
            let text = format!("[venues.binance.sealed]\nws = \"{ws}\"\ntoken = \"c4n4ry\"\n");
            let settings = settings(&text);
            assert!(!format!("{settings:?}").contains("c4n4ry"));
            settings.warnings
        };
        let is_seen = |warnings: &[String]| warnings.iter().any(|w| w.contains("not encrypted"));
        for quiet in ["wss://far", "ws://localhost", "ws://127.0.0.1:8443/x", "ws://[::1]:8443"] {
            assert!(!is_seen(&with(quiet)), "{quiet}");
        }
        assert!(is_seen(&with("ws://far.example:80")));
    }
}
