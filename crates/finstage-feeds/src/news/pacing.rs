//! When a feed is asked again.

use std::time::Duration;

use finstage_model::Timestamp;
use finstage_net::{Backoff, Jitter, Request, Response, retry_after};

use super::place::{FeedPlace, MAX_TAG_BYTES};
use super::quiet::Quiet;
use super::read::Feed;

/// The shortest time between two questions to a feed, whatever is configured.
pub const LEAST_EVERY: Duration = Duration::from_secs(60);
/// The longest time between them, whatever the feed asks for; hours and days that it skips are not in it.
pub const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
/// How often an answer may name another address.
pub const MAX_REDIRECTS: u32 = 5;
/// After an answer that is none; later by up to a tenth.
const BACKOFF: Backoff =
    Backoff { base: Duration::from_secs(300), factor: 2, cap: Duration::from_secs(6 * 3_600) };

/// A feed that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSpec {
    /// Its name, which documents carry.
    pub name: String,
    /// Its address.
    pub url: String,
    /// How often it is asked; at least [`LEAST_EVERY`] apart.
    pub every: Duration,
}

/// How a feed does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedHealth {
    /// Its name.
    pub name: String,
    /// When it last answered, 304 included.
    pub answered: Option<Timestamp>,
    /// When it is asked next; `None` when it is gone for good.
    pub due: Option<Timestamp>,
    /// Failures since its last answer.
    pub failures: u32,
    /// Why the last question failed; empty when it did not.
    pub why: String,
}

/// One feed's place in time.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) spec: FeedSpec,
    pub(super) health: FeedHealth,
    /// Where it is asked now: it may have moved.
    url: String,
    /// Once only, in place of `url`.
    detour: Option<String>,
    redirects: u32,
    /// When a question last ended, by an answer or by none.
    asked: Option<Timestamp>,
    etag: String,
    modified: String,
    /// What the feed last said of itself.
    ttl: Duration,
    quiet: Quiet,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A document, fetched at this address.
    Document(String),
    /// Nothing new.
    Same,
    /// Nothing at all, for this reason.
    Nothing(String),
}

impl Pace {
    pub(super) fn new(spec: FeedSpec, due: Timestamp) -> Self {
        let (name, why) = (spec.name.clone(), String::new());
        Self {
            url: spec.url.clone(),
            health: FeedHealth { name, answered: None, due: Some(due), failures: 0, why },
            spec,
            detour: None,
            redirects: 0,
            asked: None,
            etag: String::new(),
            modified: String::new(),
            ttl: Duration::ZERO,
            quiet: Quiet::default(),
        }
    }

    /// The question, with what the feed wants to be reminded of, word for word.
    pub(super) fn request(&self) -> Request {
        let url = self.detour.as_ref().unwrap_or(&self.url);
        let accept =
            "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8";
        let mut request = Request::get(url.clone()).header("accept", accept).endpoint("news");
        if !self.etag.is_empty() {
            request = request.header("if-none-match", self.etag.clone());
        }
        if !self.modified.is_empty() {
            request = request.header("if-modified-since", self.modified.clone());
        }
        request
    }

    /// Takes an answer's head; for a document, [`Pace::rest`] follows.
    pub(super) fn on_response(&mut self, response: &Response, now: Timestamp) -> Meaning {
        let asked = self.detour.take().unwrap_or_else(|| self.url.clone());
        match response.status {
            200 => {
                self.redirects = 0;
                Meaning::Document(asked)
            }
            304 => {
                self.redirects = 0;
                Meaning::Same
            }
            status @ (301 | 302 | 303 | 307 | 308) => {
                let to = response.header("location").unwrap_or_default();
                let to = super::address::resolved(to, &asked);
                if !to.starts_with("http") || self.redirects >= MAX_REDIRECTS {
                    self.redirects = 0;
                    return Meaning::Nothing(format!("status {status} leads nowhere"));
                }
                self.redirects += 1;
                if matches!(status, 301 | 308) {
                    self.url = to;
                } else {
                    self.detour = Some(to);
                }
                self.health.due = Some(now);
                Meaning::Same
            }
            410 => {
                self.health.due = None;
                Meaning::Nothing("gone for good (410): take it out of [news]".to_owned())
            }
            status => {
                let page = if response.is_page() { ", a page for people" } else { "" };
                Meaning::Nothing(format!("status {status}{page}"))
            }
        }
    }

    /// Remembers what an answer is called by, now that it was read: of one that was not, 304 would be no news.
    /// When the feed wants to be left alone holds after a 304 too.
    pub(super) fn remember(&mut self, response: &Response, feed: &Feed) {
        (self.ttl, self.quiet) = (feed.ttl.unwrap_or_default(), feed.quiet);
        let header = |name| response.header(name).unwrap_or_default().to_owned();
        (self.etag, self.modified) = (header("etag"), header("last-modified"));
    }

    /// Whether the next question follows at once: the feed named another address.
    pub(super) const fn is_led_on(&self) -> bool {
        self.redirects > 0
    }

    /// Where it stands, for another process; `None` before the first question.
    pub(super) fn place(&self) -> Option<FeedPlace> {
        let asked = self.asked?;
        let short = |tag: &String| match tag.len() {
            0..=MAX_TAG_BYTES => tag.clone(),
            _ => String::new(),
        };
        Some(FeedPlace {
            asked,
            // One that is gone is asked once more after a day: whoever runs it may have put it right.
            due: self.health.due.unwrap_or_else(|| asked.plus(LONGEST_WAIT)),
            every_s: self.spec.every.as_secs(),
            failures: self.health.failures,
            etag: short(&self.etag),
            modified: short(&self.modified),
            ttl_s: self.ttl.as_secs(),
            quiet: self.quiet,
        })
    }

    /// Goes on where an earlier process stood.
    pub(super) fn recall(&mut self, place: &FeedPlace, now: Timestamp) {
        (self.etag, self.modified) = (place.etag.clone(), place.modified.clone());
        self.ttl = Duration::from_secs(place.ttl_s).min(LONGEST_WAIT);
        (self.quiet, self.health.failures) = (place.quiet, place.failures);
        // What a clock that was ahead wrote down says nothing of when.
        if place.asked > now {
            return;
        }
        self.asked = Some(place.asked);
        let least = place.asked.plus(self.spec.every.max(LEAST_EVERY));
        let was_own = Duration::from_secs(place.every_s).max(LEAST_EVERY).mul_f64(1.1);
        // The settings may name another time since; what the feed asked for, or failures ask for, holds.
        let is_own = place.due.since(place.asked) <= was_own;
        let due =
            if is_own && place.every_s != self.spec.every.as_secs() { least } else { place.due };
        self.health.due = self.health.due.map(|soon| soon.max(due));
    }

    /// After an answer: when to ask again. `asked_for` is what feed and answer ask for.
    pub(super) fn rest(&mut self, asked_for: Duration, now: Timestamp, jitter: &mut Jitter) {
        (self.health.answered, self.health.failures) = (Some(now), 0);
        self.asked = Some(now);
        self.health.why.clear();
        let asked_for = asked_for.max(self.ttl);
        let wait = self.spec.every.max(asked_for).clamp(LEAST_EVERY, LONGEST_WAIT);
        // Never sooner: feeds that started together part, and nobody is asked too soon.
        let due = now.plus(wait).plus(wait.mul_f64(jitter.fraction() / 10.0));
        self.health.due = Some(self.unless_quiet(due, jitter));
    }

    /// The moment, or a little after the end of the quiet hours and days in which it lies.
    fn unless_quiet(&self, due: Timestamp, jitter: &mut Jitter) -> Timestamp {
        match self.quiet.after(due) {
            end if end == due => due,
            end => end.plus(LEAST_EVERY.mul_f64(jitter.fraction())),
        }
    }

    /// After no answer, or a bad one.
    pub(super) fn fail(
        &mut self,
        (why, wait): (String, Duration),
        now: Timestamp,
        jitter: &mut Jitter,
    ) {
        let own = BACKOFF.ceiling(self.health.failures);
        let own = own.mul_f64(1.0 + jitter.fraction() / 10.0).min(BACKOFF.cap);
        self.asked = Some(now);
        self.health.failures = self.health.failures.saturating_add(1);
        self.health.why = why;
        if self.health.due.is_some() {
            let due = now.plus(own.max(wait).min(LONGEST_WAIT));
            self.health.due = Some(self.unless_quiet(due, jitter));
        }
    }
}

/// For how long an answer asks to be left alone.
pub(super) fn asked_for(response: &Response, now: Timestamp) -> Duration {
    let age = response.header("cache-control").and_then(|control| {
        let age = control.split(',').find_map(|word| word.trim().strip_prefix("max-age="))?;
        age.parse().ok().map(Duration::from_secs)
    });
    retry_after(response, now).unwrap_or_default().max(age.unwrap_or_default()).min(LONGEST_WAIT)
}
