//! What settings follow from the venue of a feed.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_engine::{FeedTiming, SeriesSpec};
use finstage_feeds::{AFTER_INTERVAL, Server, registry, venues};
use finstage_seal::Secret;

use super::raw::Raw;
use super::settings::{FeedSettings, Resolver};
use super::{Reference, dereference};
use crate::exit::Result;

/// Bars that are rolled up from those of a venue that is asked wait so long for a late part.
const POLL_GRACE: Duration = Duration::from_secs(15 * 60);

/// A key that was found, or why it was not: only who needs it is told.
pub type Key = std::result::Result<Secret<String>, String>;

/// The account of `[venues.NAME]`.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// `app_key`, where it is written.
    pub app_key: Option<Key>,
    /// `app_secret`, where it is written.
    pub app_secret: Option<Key>,
    /// Which of the venue's servers the keys are for.
    pub server: Server,
    /// Calls a second that the account allows, where they are not the usual ones.
    pub per_second: Option<u32>,
}

impl AccountSettings {
    /// Every text in it that must not be seen.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret<String>> {
        let both = [&self.app_key, &self.app_secret].into_iter();
        both.filter_map(|key| key.as_ref()?.as_ref().ok())
    }

    /// Why one of the keys that are written was not found.
    pub fn trouble(&self) -> impl Iterator<Item = &str> {
        let both = [&self.app_key, &self.app_secret].into_iter();
        both.filter_map(|key| key.as_ref()?.as_ref().err().map(String::as_str))
    }
}

/// The most calls a second that can be asked for: more than any account is allowed.
const MAX_PER_SECOND: u32 = 1_000;

impl Resolver<'_> {
    /// The series of a feed, unless it, or a feed before it, has one of them already.
    pub(super) fn listed_once(
        &self,
        feed: usize,
        own: Vec<SeriesSpec>,
        before: &[SeriesSpec],
    ) -> Result<Vec<SeriesSpec>> {
        let id = |one: &SeriesSpec| (one.symbol.clone(), one.interval);
        for (place, one) in own.iter().enumerate() {
            if before.iter().chain(&own[..place]).any(|other| id(other) == id(one)) {
                let why = format!("{} is listed twice: name it once, in one [[feeds]]", one.symbol);
                return self.refuse(&format!("feeds[{feed}].symbols"), why);
            }
        }
        Ok(own)
    }

    /// The accounts of all venues, whose addresses are looked at as well. Keys that are not there are no error yet: most commands need none.
    pub(super) fn accounts(&mut self, raw: &Raw) -> Result<BTreeMap<String, AccountSettings>> {
        self.venues(raw)?;
        let mut accounts = BTreeMap::new();
        for (name, venue) in &raw.venues {
            let place = format!("venues.{name}");
            let wants_keys = venues::find(name).is_some_and(|venue| venue.access.is_some());
            let typed = [
                ("app_key", venue.app_key.is_some()),
                ("app_secret", venue.app_secret.is_some()),
                ("mock", venue.mock.is_some()),
                ("per_second", venue.per_second.is_some()),
            ];
            if let (false, Some((key, _))) = (wants_keys, typed.iter().find(|(_, is)| *is)) {
                return self.refuse(&format!("{place}.{key}"), format!("{name} wants no keys"));
            }
            if let Some(0) | Some(MAX_PER_SECOND..) = venue.per_second {
                let why = format!("write a number from 1 to {}", MAX_PER_SECOND - 1);
                return self.refuse(&format!("{place}.per_second"), why);
            }
            if wants_keys {
                let app_key = venue.app_key.as_deref();
                let app_key = app_key.map(|typed| self.key(&format!("{place}.app_key"), typed));
                let secret = venue.app_secret.as_deref();
                let secret = secret.map(|typed| self.key(&format!("{place}.app_secret"), typed));
                let server = if venue.mock == Some(true) { Server::Mock } else { Server::Real };
                let per_second = venue.per_second;
                let account = AccountSettings { app_key, app_secret: secret, server, per_second };
                accounts.insert(name.clone(), account);
            }
        }
        Ok(accounts)
    }

    pub(super) fn key(&mut self, key: &str, typed: &str) -> Key {
        match dereference(typed, self.place.beside)? {
            Reference::Outside(text) => Ok(Secret::new(text)),
            Reference::Literal(text) => {
                // A variable that stands for the setting is no file.
                if !self.place.of(key).starts_with("environment ") {
                    let better = "\"env:NAME\" or \"file:PATH\" is safer";
                    self.warn(key, &format!("the secret stands in the file; {better}"));
                }
                Ok(Secret::new(text))
            }
        }
    }
}

/// How a venue's messages behave in time. What is asked for comes when a bar has settled, and later
/// where it was not there yet: bars that are made of it must wait as long.
pub(super) fn timing(venue: &str, feeds: &[FeedSettings]) -> FeedTiming {
    let ordered = FeedTiming::ordered(venue);
    if venues::find(venue).is_none_or(|venue| venue.stream.is_some()) {
        return ordered;
    }
    let symbols = feeds.iter().filter(|feed| feed.venue == venue).flat_map(|feed| &feed.symbols);
    let late_s = symbols.filter_map(registry::quote_delay_s).max().unwrap_or(0);
    let late = Duration::from_secs(late_s.into()) + AFTER_INTERVAL;
    let millis = |duration: Duration| duration.as_millis() as u64;
    FeedTiming { delay_ms: millis(late), grace_ms: millis(POLL_GRACE), ..ordered }
}

/// The addresses of `[venues.NAME]`; empty ones are none.
pub(super) fn addresses(raw: &Raw) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let own = raw.venues.iter();
    own.map(|(name, venue)| (name.clone(), (given(&venue.rest), given(&venue.ws)))).collect()
}

/// How a venue would write a name: in capitals, and only of Tardis the place in front of it in small
/// letters.
pub(crate) fn usual_name(venue: &str, name: &str) -> String {
    match name.split_once('.') {
        Some((place, symbol)) if venue == "tardis" => {
            format!("{}.{}", place.to_lowercase(), symbol.to_uppercase())
        }
        _ => name.rsplit(':').next().unwrap_or_default().to_uppercase(),
    }
}

/// A name as it is listed at a venue.
pub(crate) fn example_of(venue: &str) -> &'static str {
    match venue {
        "yahoo" => "AAPL",
        "kis" => "005930",
        "kraken" => "XBTUSD",
        "tardis" => "bitmex.XBTUSD",
        _ => "BTCUSDT",
    }
}
