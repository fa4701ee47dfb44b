//! The HTTP side: which document, and whether it is new to who asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::response::Response;
use finstage_model::{Clock, Timestamp};
use tokio::sync::watch;

use super::newsroom::{Newsroom, is_about};
use super::shapes::{Shape, rfc822};
use super::{LEAST_WAIT, hard};
use crate::sim::front::{Ask, Reply, nickname};
use crate::sim::ledger::{Ledger, Line, Outcome};

/// Addresses whose last asking is remembered.
const MAX_REMEMBERED: usize = 10_000;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) newsroom: Newsroom,
    pub(super) opened: Timestamp,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) asked: Mutex<BTreeMap<String, Timestamp>>,
    pub(super) hasty: AtomicU64,
    pub(super) stop: watch::Sender<bool>,
}

pub(super) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let ask = Ask::read(request).await;
    let now = shared.clock.now();
    shared.remember(&ask, now);
    let reply = shared.answer(&ask, now);
    let (status, outcome) = (reply.status, reply.outcome);
    let (path, who) = (ask.path.as_str(), ask.address.as_str());
    shared.ledger.enter(&Line { at: now, venue: "rss", path, weight: 1, status, outcome, who });
    reply.into_response()
}

impl Shared {
    fn remember(&self, ask: &Ask, now: Timestamp) {
        let key = format!("{} {:?}", ask.path, ask.params);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= MAX_REMEMBERED && !asked.contains_key(&key) {
            return;
        }
        if asked.insert(key, now).is_some_and(|last| now.since(last) < LEAST_WAIT) {
            self.hasty.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn answer(&self, ask: &Ask, now: Timestamp) -> Reply {
        let path = ask.path.as_str();
        if let Some(case) = path.strip_prefix("/hard/") {
            let reply = hard::answer(case, self.opened, now);
            return reply.map_or_else(not_found, |reply| conditional(ask, reply, self.opened));
        }
        let newsroom = &self.newsroom;
        let listed = if let Some(feed) = path.strip_prefix("/feed/") {
            let feed = feed.parse().ok().filter(|&feed: &u32| feed < newsroom.feeds());
            feed.map(|feed| (feed, Shape::of_feed(feed), newsroom.of_feed(now, feed)))
        } else if path == "/rss/2.0/headline" {
            let symbols = ask.param("s");
            Some((4, Shape::Yahoo, newsroom.list(now, &|story| is_about(story, symbols))))
        } else if path == "/rss/search" {
            // Operators of the search are not words to look for: `when:1d`.
            let is_word = |word: &&str| !word.is_empty() && !word.contains(':');
            let words: Vec<String> = ask
                .param("q")
                .replace('"', "")
                .split(' ')
                .filter(is_word)
                .map(str::to_lowercase)
                .collect();
            let has = |title: &str| words.iter().all(|word| title.to_lowercase().contains(word));
            Some((3, Shape::Google, newsroom.list(now, &|story| has(&story.title))))
        } else if path.starts_with("/rss/") && path.ends_with(".rss") {
            Some((2, Shape::Investing, newsroom.list(now, &|_| true)))
        } else {
            None
        };
        let Some((feed, shape, stories)) = listed else { return not_found() };
        let changed = stories.first().map_or(self.opened, |story| story.at);
        let body = shape.write(feed, &stories);
        let reply = Reply { media: shape.media(), ..Reply::page(200, &body) };
        conditional(ask, reply, changed)
    }
}

fn not_found() -> Reply {
    Reply::page(404, "<html>Not Found</html>")
}

/// The reply with what it can be asked for again by, or 304 to who has it already.
fn conditional(ask: &Ask, mut reply: Reply, changed: Timestamp) -> Reply {
    if reply.status != 200 {
        return reply;
    }
    let tag = format!("W/\"{}\"", nickname(&String::from_utf8_lossy(&reply.body)));
    let date = rfc822(changed);
    let named = ask.header("if-none-match");
    // A tag that is named counts alone.
    let is_known =
        if named.is_empty() { ask.header("if-modified-since") == date } else { named == tag };
    if is_known {
        reply = Reply { status: 304, outcome: Outcome::Ok, body: Vec::new(), ..reply };
    }
    reply.headers.extend([("etag", tag), ("last-modified", date)]);
    reply
}
