//! What settings follow from the venue of a feed.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_engine::FeedTiming;
use finstage_feeds::{AFTER_INTERVAL, registry, venues};

use super::raw::Raw;
use super::settings::FeedSettings;

/// Bars that are rolled up from those of a venue that is asked wait so long for a late part.
const POLL_GRACE: Duration = Duration::from_secs(15 * 60);

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

/// A name as it is listed at a venue.
pub(super) fn example_of(venue: &str) -> &'static str {
    if venue == "yahoo" { "AAPL" } else { "BTCUSDT" }
}
