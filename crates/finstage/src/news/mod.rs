//! News of a service and of `finstage news`: which feeds, who reads what they bring, where it is kept.
//!
//! What is new is kept before it is told: a document that was kept and not told, because the process
//! ended between, is among what the next run begins with.

pub mod feeds;
pub mod reader;
pub mod stats;
pub mod stored;

use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::news::{Collector, FeedPlace, Heard, NewsStep, Tagger};
use finstage_feeds::registry;
use finstage_model::{DocumentId, Event, Payload, Symbol, Timestamp};
use finstage_net::Client;
use finstage_store::Records;
use finstage_store::records::{DocumentPage, DocumentRow};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::reader::Reader;
use self::stats::NewsStats;
use crate::config::settings::NewsSettings;
use crate::exit::{Exit, Failure, Result};
use crate::pace::Pace;

/// Documents of this time are known to a new process.
const RECALLED: Duration = Duration::from_secs(3 * 86_400);
/// The most of them.
const MAX_RECALLED: usize = 100_000;
/// The collector is asked this often at least: the clock may run fast, or jump.
const NAP: Duration = Duration::from_secs(1);
/// The shortest real time between two looks.
const NAP_MIN_REAL: Duration = Duration::from_millis(10);
/// The most documents that are read at once.
const READ_AT_ONCE: usize = 200;

/// A collector of the feeds of the settings that knows what is kept, and tags every instrument known by name:
/// what is watched first, as if there were nothing else.
///
/// # Errors
/// When the records cannot be read.
pub fn collector(
    settings: &NewsSettings,
    watched: &[Symbol],
    records: Option<&Records>,
    (seed, now): (u64, Timestamp),
) -> Result<Collector> {
    let of = |symbols: &mut dyn Iterator<Item = &Symbol>| {
        let symbols: Vec<Symbol> = symbols.cloned().collect();
        Tagger::new(&symbols, registry::everything())
    };
    let all = of(&mut registry::everything().map(|listing| &listing.symbol));
    let tagger = match watched {
        [] => all,
        watched => of(&mut watched.iter()).with_others(all),
    };
    let mut collector = Collector::new(feeds::of(settings, watched), tagger, (seed, now));
    if let Some(records) = records {
        let since = Some(now.minus(RECALLED));
        let page = DocumentPage { since, limit: MAX_RECALLED, ..DocumentPage::default() };
        // The oldest first: what was seen last is forgotten last.
        for mut row in records.document_page(&page)?.into_iter().rev() {
            // Stories are told apart by what is watched.
            row.document.symbols.retain(|symbol| watched.is_empty() || watched.contains(symbol));
            collector.shelf().recall(&row.document, row.seen_at, row.story);
        }
        for (url, text) in records.feed_places()? {
            // What another version wrote is as good as nothing.
            if let Ok(place) = serde_json::from_str(&text) {
                collector.recall(&url, &place, now);
            }
        }
    }
    Ok(collector)
}

/// Where the collector stands with these feeds, as it is kept.
#[must_use]
pub fn places(
    collector: &Collector,
    feeds: impl IntoIterator<Item = usize>,
) -> Vec<(String, String)> {
    let text = |(url, place): (&str, FeedPlace)| {
        let json = serde_json::to_string(&place).expect("texts and numbers are always JSON");
        (url.to_owned(), json)
    };
    feeds.into_iter().filter_map(|feed| collector.place(feed).map(text)).collect()
}

/// What was heard and read, to be kept.
#[derive(Debug, Clone, Default)]
pub struct Fresh {
    /// Documents with what was read in them.
    pub rows: Vec<DocumentRow>,
    /// Documents that another feed has as well, and that feed.
    copies: Vec<(DocumentId, String)>,
    /// Where the feeds stand that brought it: kept with it, since they do not bring it again.
    pub places: Vec<(String, String)>,
}

/// Reads what was heard.
pub async fn read(heard: Heard, reader: &Reader, pace: &Pace) -> Fresh {
    let seen_at = pace.clock.now();
    let mut rows = Vec::with_capacity(heard.documents.len());
    let mut documents = heard.documents.into_iter().peekable();
    while documents.peek().is_some() {
        let batch: Vec<_> = documents.by_ref().take(READ_AT_ONCE).collect();
        rows.extend(reader.read(batch, seen_at, pace.clock.as_ref()).await);
    }
    for (document, story) in heard.retold {
        if let Some(row) = rows.iter_mut().find(|row| row.document.id == document) {
            row.story = Some(story);
        }
    }
    let copies = heard.copies.into_iter().map(|copy| (copy.document, copy.feed)).collect();
    Fresh { rows, copies, places: Vec::new() }
}

/// Keeps it; what is kept already stays as it is.
///
/// # Errors
/// When the records cannot be written.
pub async fn keep(fresh: &Fresh, records: &Records) -> Result<()> {
    let (records, fresh) = (records.clone(), fresh.clone());
    let write = move || {
        records.documents_add(&fresh.rows)?;
        records.documents_copied(&fresh.copies)?;
        records.set_feed_places(&fresh.places)
    };
    match tokio::task::spawn_blocking(write).await {
        Ok(written) => Ok(written?),
        Err(error) => Err(Failure::new(Exit::Store, format!("keeping news: {error}"))),
    }
}

/// What a service is told of a document: that it was seen, and what was read in it, unless an earlier one
/// told the same story.
#[must_use]
pub fn told(row: DocumentRow) -> Vec<Event> {
    let DocumentRow { document, seen_at, insight, story, .. } = row;
    let mut events = vec![Event::new(seen_at, Payload::Document(Box::new(document)))];
    // A story moves a score once, however many publishers tell it in their own words.
    events.extend(
        insight
            .filter(|_| story.is_none())
            .map(|insight| Event::new(insight.known_at, Payload::Insight(Box::new(insight)))),
    );
    events
}

/// What the news of a service needs.
#[derive(Debug)]
pub struct Desk {
    /// Whom it asks, and when.
    pub collector: Collector,
    /// Who reads.
    pub reader: Reader,
    /// Where it is kept.
    pub records: Records,
    /// Over what it asks.
    pub client: Client,
    /// The time.
    pub pace: Pace,
    /// What came of it.
    pub stats: Arc<NewsStats>,
}

impl Desk {
    /// Collects until `quit`, or until nobody hears the events any more. News stops no service: what goes
    /// wrong is said in the log.
    pub async fn run(mut self, events: mpsc::Sender<Vec<Event>>, quit: watch::Receiver<bool>) {
        let mut turns = self.pace.turns(NAP, NAP_MIN_REAL, quit);
        while turns.next().await {
            while let NewsStep::Ask(place, request) = self.collector.next(self.pace.clock.now()) {
                let answer = self.client.send(&request).await;
                let heard = self.collector.on_answer(place, answer.as_ref(), self.pace.clock.now());
                if let Some(feed) = self.collector.health().nth(place) {
                    self.stats.heard(&feed.name, &heard);
                }
                let (began, is_new) = (Instant::now(), !heard.documents.is_empty());
                let mut fresh = read(heard, &self.reader, &self.pace).await;
                fresh.places = places(&self.collector, [place]);
                // The feed will not bring it again: it is kept before anything else is asked.
                let mut waits = false;
                while let Err(why) = keep(&fresh, &self.records).await {
                    if !waits {
                        tracing::warn!("news waits until it can be kept: {why}");
                        waits = true;
                    }
                    if !turns.next().await {
                        return;
                    }
                }
                if is_new {
                    self.stats.kept(began.elapsed());
                }
                let batch: Vec<Event> = fresh.rows.into_iter().flat_map(told).collect();
                if !batch.is_empty() && events.send(batch).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Asks every feed of the collector once, redirects followed, and tells what came.
pub async fn once(collector: &mut Collector, client: &Client, pace: &Pace) -> Vec<Heard> {
    let mut all = Vec::new();
    collector.hurry(pace.clock.now());
    while let NewsStep::Ask(place, request) = collector.next(pace.clock.now()) {
        let answer = client.send(&request).await;
        all.push(collector.on_answer(place, answer.as_ref(), pace.clock.now()));
    }
    all
}
