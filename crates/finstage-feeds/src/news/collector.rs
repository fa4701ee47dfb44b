//! Many feeds, one list of what is new.

use std::time::Duration;

use finstage_model::{Document, DocumentId, Timestamp};
use finstage_net::{Error, Jitter, Request, Response};
use tracing::{info, warn};

use super::pacing::{FeedHealth, FeedSpec, LONGEST_WAIT, Meaning, Pace, asked_for};
use super::place::FeedPlace;
use super::read::{Feed, Item, MAX_FEED_BYTES, read};
use super::shelf::{Copy, Seen, Shelf};
use super::tags::Tagger;

/// Feeds are asked for the first time within this, so that they do not come all at once.
const SPREAD: Duration = Duration::from_secs(10);
/// A document that says to be printed later than this after now has no date.
const MAX_AHEAD: Duration = Duration::from_secs(86_400);

/// Says which feed is to be asked when, and makes documents of what they answer.
#[derive(Debug)]
pub struct Collector {
    feeds: Vec<Pace>,
    shelf: Shelf,
    tagger: Tagger,
    jitter: Jitter,
}

/// What to do now.
#[derive(Debug)]
pub enum NewsStep {
    /// Ask this feed, and give what came to [`Collector::on_answer`].
    Ask(usize, Request),
    /// Nothing for so long.
    Wait(Duration),
}

/// What an answer brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Documents that nobody had before, in the order in which they were printed.
    pub documents: Vec<Document>,
    /// Which of them tell a story in other words that another one told before: document and story.
    pub retold: Vec<(DocumentId, DocumentId)>,
    /// Stories that another feed had first, word for word.
    pub copies: Vec<Copy>,
    /// Items that this feed listed before.
    pub known: u32,
    /// Items that could not be read.
    pub unreadable: u32,
}

impl Collector {
    /// A collector of these feeds, which are all due soon after `now`; `seed` spreads their questions.
    #[must_use]
    pub fn new(feeds: Vec<FeedSpec>, tagger: Tagger, (seed, now): (u64, Timestamp)) -> Self {
        let mut jitter = Jitter::seeded(seed);
        let due = |spec| Pace::new(spec, now.plus(SPREAD.mul_f64(jitter.fraction())));
        Self {
            feeds: feeds.into_iter().map(due).collect(),
            shelf: Shelf::default(),
            tagger,
            jitter,
        }
    }

    /// What was seen, to tell it of an earlier process.
    pub const fn shelf(&mut self) -> &mut Shelf {
        &mut self.shelf
    }

    /// Where a feed stands, with its address, for another process: to be kept after what its answer brought.
    #[must_use]
    pub fn place(&self, place: usize) -> Option<(&str, FeedPlace)> {
        let pace = self.feeds.get(place)?;
        Some((&pace.spec.url, pace.place()?))
    }

    /// Goes on where an earlier process stood with the feed at `url`: it is not asked sooner than that process
    /// would have, and is reminded of what it said.
    pub fn recall(&mut self, url: &str, place: &FeedPlace, now: Timestamp) {
        if let Some(pace) = self.feeds.iter_mut().find(|pace| pace.spec.url == url) {
            pace.recall(place, now);
        }
    }

    /// How the feeds do, in the order given.
    pub fn health(&self) -> impl Iterator<Item = &FeedHealth> {
        self.feeds.iter().map(|feed| &feed.health)
    }

    /// Makes all feeds due that are not gone.
    pub fn hurry(&mut self, now: Timestamp) {
        for feed in &mut self.feeds {
            feed.health.due = feed.health.due.map(|_| now);
        }
    }

    /// What to do at `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> NewsStep {
        let due = |(place, feed): (usize, &Pace)| Some((feed.health.due?, place));
        match self.feeds.iter().enumerate().filter_map(due).min() {
            None => NewsStep::Wait(LONGEST_WAIT),
            Some((due, _)) if due > now => NewsStep::Wait(due.since(now)),
            Some((_, place)) => NewsStep::Ask(place, self.feeds[place].request()),
        }
    }

    /// Takes what came of a question.
    pub fn on_answer(
        &mut self,
        place: usize,
        answer: Result<&Response, &Error>,
        now: Timestamp,
    ) -> Heard {
        let Some(pace) = self.feeds.get_mut(place) else { return Heard::default() };
        let response = match answer {
            Ok(response) => response,
            Err(why) => {
                let wait = why.wait().unwrap_or_default();
                warn!(feed = pace.spec.name, %why, "no news");
                pace.fail((why.to_string(), wait), now, &mut self.jitter);
                return Heard::default();
            }
        };
        let wait = asked_for(response, now);
        let why = match pace.on_response(response, now) {
            Meaning::Same => {
                if !pace.is_led_on() {
                    pace.rest(wait, now, &mut self.jitter);
                }
                return Heard::default();
            }
            Meaning::Nothing(why) => why,
            Meaning::Document(_) if response.body.len() > MAX_FEED_BYTES => {
                format!("more than {} MB", MAX_FEED_BYTES >> 20)
            }
            Meaning::Document(address) => {
                let media = response.header("content-type").unwrap_or_default();
                match read(&response.body, &address, media) {
                    Some(feed) => {
                        pace.remember(response, &feed);
                        pace.rest(wait, now, &mut self.jitter);
                        return self.hear(place, feed, now);
                    }
                    None => "not a feed".to_owned(),
                }
            }
        };
        warn!(feed = pace.spec.name, %why, "no news");
        pace.fail((why, wait), now, &mut self.jitter);
        Heard::default()
    }

    fn hear(&mut self, place: usize, feed: Feed, now: Timestamp) -> Heard {
        let name = self.feeds[place].spec.name.clone();
        let mut heard = Heard { unreadable: feed.unreadable, ..Heard::default() };
        let Feed { mut items, title, .. } = feed;
        // Feeds list the newest first, or in no order.
        items.sort_by_key(|item| item.published.map(|moment| moment.at));
        for item in items {
            match self.shelf.see(&name, &item, now) {
                Seen::Known(_) => heard.known += 1,
                Seen::Copied(document) => heard.copies.push(Copy { document, feed: name.clone() }),
                Seen::New(id) => {
                    let Item { title: headline, summary, link, source, published, .. } = item;
                    let published = published.map(|moment| moment.at);
                    let text = format!("{headline}\n{summary}");
                    let mut document = Document {
                        id,
                        feed: name.clone(),
                        symbols: self.tagger.tags(&text),
                        title: headline,
                        summary,
                        link,
                        source: if source.is_empty() { title.clone() } else { source },
                        published: published.filter(|at| *at <= now.plus(MAX_AHEAD)),
                    };
                    // Stories are told apart by what is watched: what else a text names changes no score.
                    let story = self.shelf.story(&document, now);
                    self.tagger.add_others(&text, &mut document.symbols);
                    heard.retold.extend(story.map(|story| (id, story)));
                    heard.documents.push(document);
                }
            }
        }
        let (new, copies) = (heard.documents.len(), heard.copies.len());
        if new > 0 || heard.unreadable > 0 {
            info!(feed = name, new, copies, unreadable = heard.unreadable, "news");
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-11-21T09:30:00Z".parse().unwrap()
    }

    fn collector(feeds: usize) -> Collector {
        let every = Duration::from_secs(5);
        let spec =
            |n| FeedSpec { name: format!("f{n}"), url: format!("https://x.example/{n}"), every };
        Collector::new((0..feeds).map(spec).collect(), Tagger::default(), (7, start()))
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Response { status, headers: headers.iter().map(owned).collect(), body: body.into() }
    }

    /// Waits until something is to be asked and answers it; gives the request, how long that was, and
    /// what was heard.
    fn turn(
        collector: &mut Collector,
        now: &mut Timestamp,
        response: &Response,
    ) -> (Request, u64, Heard) {
        let begin = *now;
        loop {
            match collector.next(*now) {
                NewsStep::Wait(wait) => *now = now.plus(wait),
                NewsStep::Ask(place, request) => {
                    let heard = collector.on_answer(place, Ok(response), *now);
                    return (request, now.since(begin).as_secs(), heard);
                }
            }
        }
    }

    const ONE: &str =
        "<rss><channel><title>T</title><item><title>A</title><guid>1</guid></item></channel></rss>";

    #[test]
    fn a_feed_is_reminded_of_what_it_said_word_for_word() {
        let (mut collector, mut now) = (collector(1), start());
        let tags = [("etag", "W/\"odd \""), ("last-modified", "yesterday")];
        let (request, _, heard) = turn(&mut collector, &mut now, &answer(200, &tags, ONE));
        assert!(!request.headers().iter().any(|(name, _)| name.starts_with("if-")));
        assert_eq!((heard.documents.len(), heard.documents[0].source.as_str()), (1, "T"));
        let (request, waited, heard) = turn(&mut collector, &mut now, &answer(304, &[], ""));
        assert_eq!(heard, Heard::default());
        assert!((60..=66).contains(&waited), "{waited}");
        let has =
            |name: &str, value: &str| request.headers().contains(&(name.into(), value.into()));
        assert!(has("if-none-match", "W/\"odd \"") && has("if-modified-since", "yesterday"));
    }

    #[test]
    fn who_wants_to_be_left_alone_is() {
        let ttl = ONE.replace("<item>", "<ttl>30</ttl><item>");
        for (response, least, most) in [
            (answer(200, &[], &ttl), 1_800, 1_980),
            (answer(200, &[("cache-control", "public, max-age=600")], ONE), 600, 660),
            (answer(429, &[("retry-after", "7200")], ""), 7_200, 7_200),
            (answer(503, &[("retry-after", "99999999")], ""), 86_400, 86_400),
            (answer(403, &[], "<html>Just a moment..."), 300, 330),
            (answer(200, &[], "<html>"), 300, 330),
        ] {
            let (mut collector, mut now) = (collector(1), start());
            let _ = turn(&mut collector, &mut now, &response);
            let (_, waited, _) = turn(&mut collector, &mut now, &response);
            assert!((least..=most).contains(&waited), "{response:?} {waited}");
        }
    }

    #[test]
    fn what_a_feed_says_of_its_hours_is_kept_to_after_304_and_failures_too() {
        // 2026-11-21, where it starts at 09:30, is a Saturday.
        let quiet = ONE.replace(
            "<item>",
            "<ttl>90</ttl><skipDays><day>Sunday</day></skipDays><skipHours><hour>11</hour><hour>12</hour></skipHours><item>",
        );
        let (mut collector, mut now) = (collector(1), start());
        let _ = turn(&mut collector, &mut now, &answer(200, &[], &quiet));
        let mut asked = |response: &Response| {
            let _ = turn(&mut collector, &mut now, response);
            now.to_string()[5..16].replace('T', " ")
        };
        // An hour and a half later is eleven: at one, then.
        assert_eq!(&asked(&answer(304, &[], ""))[..8], "11-21 13");
        let next = asked(&answer(304, &[], ""));
        assert!(next.as_str() >= "11-21 14:30" && next.as_str() < "11-21 14:41", "{next}");
        let mut last = next;
        while last.starts_with("11-21") {
            last = asked(&answer(503, &[], ""));
        }
        assert_eq!(&last[..11], "11-23 00:00", "Sunday is left out");
    }

    #[test]
    fn a_feed_that_moved_is_followed_and_one_that_is_gone_is_left() {
        let (mut collector, mut now) = (collector(1), start());
        let _ = turn(&mut collector, &mut now, &answer(301, &[("location", "/new")], ""));
        let (request, waited, _) = turn(&mut collector, &mut now, &answer(200, &[], ONE));
        assert_eq!((request.url(), waited), ("https://x.example/new", 0));
        let _ = turn(&mut collector, &mut now, &answer(302, &[("location", "https://y/")], ""));
        let (request, ..) = turn(&mut collector, &mut now, &answer(200, &[], ONE));
        assert_eq!(request.url(), "https://y/");
        let (request, ..) = turn(&mut collector, &mut now, &answer(410, &[], ""));
        assert_eq!(request.url(), "https://x.example/new", "a detour is taken once");
        assert!(matches!(collector.next(now.plus(LONGEST_WAIT)), NewsStep::Wait(_)));
        assert_eq!(collector.health().next().unwrap().due, None);
    }

    #[test]
    fn another_process_asks_no_sooner_and_reminds_the_feed() {
        let tags = [("etag", "\"v1\""), ("cache-control", "max-age=600")];
        let (mut first, mut now) = (collector(2), start());
        let (asked, ..) = turn(&mut first, &mut now, &answer(200, &tags, ONE));
        let at = usize::from(asked.url().ends_with("/1"));
        let (url, place) = first.place(at).unwrap();
        let text = serde_json::to_string(&place).unwrap();
        let place: FeedPlace = serde_json::from_str(&text).unwrap();
        assert!(first.place(1 - at).is_none(), "it was not asked yet");

        let later = now.plus(Duration::from_secs(12));
        let mut next = collector(2);
        next.recall(url, &place, later);
        next.recall("https://x.example/unknown", &place, later);
        let due: Vec<_> =
            next.health().map(|feed| feed.due.unwrap().since(now).as_secs()).collect();
        assert!((600..=660).contains(&due[at]) && due[1 - at] < 60, "{due:?}");
        next.hurry(later);
        let request = next.feeds[at].request();
        assert!(request.headers().contains(&("if-none-match".into(), "\"v1\"".into())));

        // A clock that was ahead then does not silence a feed, and failures go on waiting longer.
        let mut wrong = collector(2);
        wrong.recall(url, &place, now.minus(Duration::from_secs(86_400)));
        assert!(wrong.health().all(|feed| feed.due.unwrap() <= start().plus(SPREAD)));
        let (mut fails, mut now) = (collector(1), start());
        for _ in 0..3 {
            let _ = turn(&mut fails, &mut now, &answer(500, &[], ""));
        }
        let (url, place) = fails.place(0).unwrap();
        let mut next = collector(1);
        next.recall(url, &place, now);
        let waits = next.health().next().unwrap().due.unwrap().since(now).as_secs();
        assert!((1_200..=1_320).contains(&waits), "{waits}");
    }

    #[test]
    fn what_is_not_watched_is_named_behind_what_is_and_changes_no_story() {
        let symbol = |text: &str| -> finstage_model::Symbol { text.parse().unwrap() };
        let all = || crate::registry::all().iter();
        let others = Tagger::new(all().map(|row| &row.symbol), all());
        let apple = symbol("yahoo:AAPL");
        let tagger = Tagger::new([&apple], all()).with_others(others);
        let spec = FeedSpec {
            name: "f".to_owned(),
            url: "https://x.example/f".to_owned(),
            every: Duration::from_secs(60),
        };
        let mut collector = Collector::new(vec![spec], tagger, (7, start()));
        let item = |title: &str| format!("<item><title>{title}</title><guid>{title}</guid></item>");
        let titles = [
            "Tesla and Apple open a plant in Ohio together",
            "Tesla opens a large plant for batteries in Ohio",
            "Tesla opens a large plant for batteries in Iowa",
        ];
        let feed = format!("<rss><channel>{}</channel></rss>", titles.map(item).concat());
        let mut now = start();
        let (_, _, heard) = turn(&mut collector, &mut now, &answer(200, &[], &feed));
        let names = |place: usize| -> Vec<&str> {
            heard.documents[place].symbols.iter().map(finstage_model::Symbol::as_str).collect()
        };
        assert_eq!(names(0)[0], "yahoo:AAPL", "what is watched comes first");
        assert!((0..3).all(|place| names(place).contains(&"yahoo:TSLA")), "{heard:?}");
        assert!(heard.retold.is_empty(), "nothing that is watched in common: {heard:?}");
    }

    #[test]
    fn redirects_in_a_circle_end() {
        let (mut collector, mut now) = (collector(1), start());
        let circle = answer(302, &[("location", "/again")], "");
        let waited: Vec<u64> = (0..8).map(|_| turn(&mut collector, &mut now, &circle).1).collect();
        assert!(waited[1..6].iter().all(|&waited| waited == 0) && waited[6] >= 300, "{waited:?}");
    }
}
