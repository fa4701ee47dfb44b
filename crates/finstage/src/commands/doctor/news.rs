//! Checks on the feeds of news: whether each answers, can be read, and is still written.

use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::news::{Collector, FeedSpec, Heard, Tagger};
use finstage_model::{Timestamp, format_duration};
use finstage_net::{Client, SystemClock};
use futures_util::future::join_all;

use super::Check;
use crate::config::settings::Settings;
use crate::news::{feeds, once};
use crate::pace::Pace;

/// The most feeds that are looked at: the settings may name hundreds.
const MOST_FEEDS: usize = 20;
/// A feed with nothing newer is hardly written any more.
const OLD: Duration = Duration::from_secs(7 * 86_400);

/// A line for each of the first feeds; none where no news is collected.
pub(super) async fn check(settings: &Settings, client: &Client) -> Vec<Check> {
    let watched: Vec<_> = settings.feeds.iter().flat_map(|feed| feed.symbols.clone()).collect();
    let mut feeds = feeds::of(&settings.news, &watched);
    let count = feeds.len();
    feeds.truncate(MOST_FEEDS);
    let mut checks = join_all(feeds.into_iter().map(|feed| look(feed, client))).await;
    if count > MOST_FEEDS {
        let others = count - MOST_FEEDS;
        checks.push(Check::ok("news", format!("{others} more feeds are not looked at here")));
    }
    checks
}

async fn look(feed: FeedSpec, client: &Client) -> Check {
    let (name, url) = (format!("news {}", feed.name), feed.url.clone());
    let pace = Pace { clock: Arc::new(SystemClock), speed: 1.0 };
    let mut collector = Collector::new(vec![feed], Tagger::default(), (1, pace.clock.now()));
    let heard = once(&mut collector, client, &pace).await;
    let why = collector.health().map(|health| health.why.clone()).next().unwrap_or_default();
    match why.as_str() {
        "" => judge(name, &heard, pace.clock.now()),
        why => Check::fail(name, format!("{url}: {why}: open it in a browser, and check [news]")),
    }
}

/// What a feed that can be read says of itself.
fn judge(name: String, heard: &[Heard], now: Timestamp) -> Check {
    let documents = || heard.iter().flat_map(|heard| &heard.documents);
    let (count, unreadable) =
        (documents().count(), heard.iter().map(|heard| heard.unreadable).sum::<u32>());
    let items = match (count, unreadable) {
        (1, 0) => "1 item".to_owned(),
        (n, 0) => format!("{n} items"),
        (n, bad) => format!("{n} items, {bad} more cannot be read"),
    };
    if count == 0 {
        return Check::warn(name, format!("answers, and lists nothing that can be read: {items}"));
    }
    let Some(newest) = documents().filter_map(|document| document.published).max() else {
        return Check::ok(name, format!("{items} without a date"));
    };
    let age = now.since(newest);
    let unit = match age.as_secs() {
        0..7_200 => 60,
        7_200..172_800 => 3_600,
        _ => 86_400,
    };
    let age = Duration::from_secs(age.as_secs() / unit * unit);
    let age_said = match age.is_zero() {
        true => "less than a minute".to_owned(),
        false => format_duration(age),
    };
    let said = format!("{items}, the newest {age_said} old");
    match age > OLD {
        true => Check::warn(name, format!("{said}: is it still written? Look for its successor")),
        false => Check::ok(name, said),
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::{Document, DocumentId};

    use super::super::State;
    use super::*;

    #[test]
    fn a_feed_is_judged_by_its_newest_item() {
        let now: Timestamp = "2026-11-21T09:30:00Z".parse().unwrap();
        let said = |published: &[Option<&str>]| {
            let document = |published: &Option<&str>| Document {
                id: DocumentId(1),
                feed: String::new(),
                title: "T".to_owned(),
                summary: String::new(),
                link: String::new(),
                source: String::new(),
                published: published.map(|at| at.parse().unwrap()),
                symbols: Vec::new(),
            };
            let documents = published.iter().map(document).collect();
            let check = judge("n".to_owned(), &[Heard { documents, ..Heard::default() }], now);
            (check.state, check.detail)
        };
        let (state, detail) =
            said(&[Some("2026-11-21T07:00:00Z"), None, Some("2026-11-20T07:00:00Z")]);
        assert_eq!((state, detail.as_str()), (State::Ok, "3 items, the newest 2h old"));
        let (_, detail) = said(&[Some("2026-11-21T09:29:30Z")]);
        assert_eq!(detail, "1 item, the newest less than a minute old");
        assert_eq!(said(&[None]), (State::Ok, "1 item without a date".to_owned()));
        let (state, detail) = said(&[Some("2026-10-01T00:00:00Z")]);
        assert!(state == State::Warn && detail.contains("still written"), "{detail}");
        assert_eq!(said(&[]).0, State::Warn);
    }
}
