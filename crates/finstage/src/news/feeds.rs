//! Which feeds the settings mean.

use finstage_feeds::news::{FeedSpec, google, investing, yahoo};
use finstage_feeds::registry;
use finstage_model::Symbol;

use crate::config::settings::NewsSettings;

/// The most feeds; those behind are left out.
pub const MAX_FEEDS: usize = 200;
/// How many symbols one question to Yahoo names.
const SYMBOLS_AT_ONCE: usize = 10;
/// Files of Investing.com: all news, and news of shares.
const INVESTING: [&str; 2] = ["news.rss", "news_25.rss"];

/// The feeds of the sources and the addresses that are named, each once.
#[must_use]
pub fn of(settings: &NewsSettings, watched: &[Symbol]) -> Vec<FeedSpec> {
    let mut feeds: Vec<FeedSpec> = Vec::new();
    let mut add = |name: String, url: String| {
        if feeds.len() < MAX_FEEDS && !feeds.iter().any(|feed| feed.url == url) {
            feeds.push(FeedSpec { name, url, every: settings.every });
        }
    };
    for source in &settings.sources {
        let base = settings.bases.get(source.as_str()).map_or("", String::as_str);
        match source.as_str() {
            "yahoo" => {
                let own = watched.iter().filter(|symbol| symbol.venue() == "yahoo");
                let names: Vec<&str> = own.map(Symbol::name).collect();
                for names in names.chunks(SYMBOLS_AT_ONCE) {
                    add(format!("yahoo/{}", names.join(",")), yahoo(base, names));
                }
            }
            "investing" => INVESTING.into_iter().for_each(|file| {
                add(format!("investing/{file}"), investing(base, file));
            }),
            "google" => {
                for symbol in watched {
                    let name = registry::find(symbol).map_or(symbol.name(), |listing| listing.name);
                    add(format!("google/{name}"), google(base, &format!("\"{name}\"")));
                }
            }
            _ => {}
        }
    }
    for url in &settings.feeds {
        add(name_of(url), url.clone());
    }
    feeds
}

/// An address without its protocol: documents carry it.
#[must_use]
pub fn name_of(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, rest)| rest).to_owned()
}
