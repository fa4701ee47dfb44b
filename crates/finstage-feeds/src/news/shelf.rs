//! What was seen: each document once, whoever lists it how often.

use std::collections::HashMap;
use std::time::Duration;

use finstage_model::{Document, DocumentId, IdHasher, Timestamp};

use super::address::canonical;
use super::read::Item;
use super::resemblance::Stories;
use super::title::normal;

/// The most identities that are remembered. Every one that is seen again stays; of the others the
/// older half goes when there are too many.
pub const MAX_REMEMBERED: usize = 400_000;
/// Headlines that are the same, printed within this time by several feeds, are one story.
pub const SAME_STORY: Duration = Duration::from_secs(48 * 3_600);

/// What was seen before. Pure: the time is an argument.
#[derive(Debug, Default)]
pub struct Shelf {
    items: Turning<DocumentId>,
    stories: Turning<(DocumentId, Timestamp)>,
    /// By the page; `None` where a feed gives several items the same one.
    pages: Turning<Option<(DocumentId, Timestamp, u128)>>,
    gists: Stories,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// New: this is its document's name.
    New(DocumentId),
    /// This feed listed it before, maybe with another headline.
    Known(DocumentId),
    /// Another feed had the story first.
    Copied(DocumentId),
}

/// A feed that has a story another one had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The story.
    pub document: DocumentId,
    /// The feed that has it as well.
    pub feed: String,
}

impl Shelf {
    /// Says what an item of a feed is, and remembers it.
    pub fn see(&mut self, feed: &str, item: &Item, now: Timestamp) -> Seen {
        let printed = item.published.map_or(now, |moment| moment.at.min(now));
        let title = normal(&item.title);
        let key = identity(feed, item, &title, printed);
        if let Some(known) = self.items.get(key.0) {
            return Seen::Known(known);
        }
        let story = IdHasher::new().text("story").text(&title).finish();
        let same =
            self.stories.get(story).filter(|_| !title.is_empty()).filter(|(_, at)| {
                at.since(printed) <= SAME_STORY && printed.since(*at) <= SAME_STORY
            });
        let same =
            same.map(|(document, _)| document).or_else(|| self.on_page(feed, &item.link, printed));
        let document = same.unwrap_or(key);
        self.items.put(key.0, document);
        if same.is_some() {
            return Seen::Copied(document);
        }
        self.stories.put(story, (key, printed));
        self.put_on_page(feed, &item.link, (key, printed));
        Seen::New(key)
    }

    /// The document that another feed had of the same page.
    fn on_page(&mut self, feed: &str, link: &str, printed: Timestamp) -> Option<DocumentId> {
        let (document, at, by) = self.pages.get(page(link)?)??;
        let is_near = at.since(printed) <= SAME_STORY && printed.since(at) <= SAME_STORY;
        (is_near && by != of_feed(feed)).then_some(document)
    }

    /// Takes note of whose page that is. One that a feed gives to several items says nothing: it is the page
    /// of all its news.
    fn put_on_page(
        &mut self,
        feed: &str,
        link: &str,
        (document, printed): (DocumentId, Timestamp),
    ) {
        let Some(page) = page(link) else { return };
        let by = of_feed(feed);
        let is_shared = match self.pages.get(page) {
            Some(Some((_, _, before))) => before == by,
            Some(None) => true,
            None => false,
        };
        self.pages.put(page, (!is_shared).then_some((document, printed, by)));
    }

    /// The story that a new document tells in other words than the one that told it first; `None` where it
    /// is the first.
    pub fn story(&mut self, document: &Document, now: Timestamp) -> Option<DocumentId> {
        self.gists.see(document, printed(document, now))
    }

    /// Remembers a document of an earlier process, seen at that moment, and the story that it tells, if that is
    /// another's.
    pub fn recall(&mut self, document: &Document, seen_at: Timestamp, story: Option<DocumentId>) {
        let (id, printed) = (document.id, printed(document, seen_at));
        self.items.put(id.0, id);
        let title = IdHasher::new().text("story").text(&normal(&document.title)).finish();
        self.stories.put(title, (id, printed));
        self.put_on_page(&document.feed, &document.link, (id, printed));
        self.gists.recall(document, printed, story.unwrap_or(id));
    }

    /// How many identities are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing was seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// When a document was printed, or seen where that is sooner or the feed does not say.
fn printed(document: &Document, seen_at: Timestamp) -> Timestamp {
    document.published.unwrap_or(seen_at).min(seen_at)
}

/// What names a page; `None` for the first page of a site, which many items share.
fn page(link: &str) -> Option<u128> {
    let page = canonical(link);
    let (_, place) = page.split_once("://")?;
    place.contains('/').then(|| IdHasher::new().text("page").text(&page).finish())
}

fn of_feed(feed: &str) -> u128 {
    IdHasher::new().text("feed").text(feed).finish()
}

/// The guid within its feed; else the page; else the headline and the day.
fn identity(feed: &str, item: &Item, title: &str, printed: Timestamp) -> DocumentId {
    let hasher = IdHasher::new();
    let hasher = if !item.guid.is_empty() {
        hasher.text("guid").text(feed).text(&item.guid)
    } else if !item.link.is_empty() {
        hasher.text("page").text(&canonical(&item.link))
    } else {
        hasher.text("title").text(title).text(&printed.day().to_string())
    };
    DocumentId(hasher.finish())
}

/// A map that forgets: when the young half is full it becomes the old one, and what was old and not
/// asked for since is gone.
#[derive(Debug)]
struct Turning<T> {
    young: HashMap<u128, T>,
    old: HashMap<u128, T>,
}

impl<T> Default for Turning<T> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<T: std::marker::Copy> Turning<T> {
    fn get(&mut self, key: u128) -> Option<T> {
        if let Some(found) = self.young.get(&key) {
            return Some(*found);
        }
        let found = self.old.remove(&key)?;
        self.put(key, found);
        Some(found)
    }

    fn put(&mut self, key: u128, value: T) {
        if self.young.len() >= MAX_REMEMBERED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::news::Moment;

    fn item(guid: &str, link: &str, title: &str) -> Item {
        let texts = [guid, link, title].map(str::to_owned);
        let [guid, link, title] = texts;
        Item { guid, link, title, ..Item::default() }
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + hour * 3_600)
    }

    #[test]
    fn an_item_is_the_same_by_its_guid_else_its_page_else_its_headline_and_day() {
        let mut shelf = Shelf::default();
        let mut is_new =
            |feed: &str, item: &Item| matches!(shelf.see(feed, item, at(0)), Seen::New(_));
        assert!(is_new("a", &item("1", "https://x/1", "One")));
        assert!(!is_new("a", &item("1", "https://x/other", "One, edited")), "the guid is the same");
        assert!(
            is_new("b", &item("1", "https://x/2", "Two")),
            "a guid means something in its feed only"
        );
        assert!(is_new("a", &item("", "https://x/3?utm_source=a", "Three")));
        assert!(!is_new("b", &item("", "HTTPS://X/3", "Three, edited")), "the page is the same");
        assert!(is_new("a", &item("", "", "Four: it is")));
        assert!(!is_new("b", &item("", "", "four it IS!")));
    }

    #[test]
    fn the_same_headline_of_another_feed_is_a_copy_within_two_days() {
        let mut shelf = Shelf::default();
        let Seen::New(first) = shelf.see("a", &item("1", "", "Rates “cut” again"), at(0))
        else {
            panic!()
        };
        let copy = item("z9", "", "RATES 'CUT' AGAIN");
        assert_eq!(shelf.see("b", &copy, at(47)), Seen::Copied(first));
        assert_eq!(shelf.see("b", &copy, at(48)), Seen::Known(first));
        let later = item("77", "", "Rates cut again");
        assert!(
            matches!(shelf.see("c", &later, at(49)), Seen::New(_)),
            "an old headline comes again"
        );
        // What counts is when it was printed, not when it was fetched.
        let printed = Some(Moment { at: at(20), has_zone: true });
        let slow = Item { published: printed, ..item("5", "", "Rates cut again") };
        assert!(matches!(shelf.see("d", &slow, at(60)), Seen::Copied(_)));
    }

    #[test]
    fn the_same_page_of_another_feed_is_a_copy_unless_a_feed_gives_it_to_all_its_items() {
        let mut shelf = Shelf::default();
        let first = item("1", "https://x.example/a?utm_source=1", "Chips are scarce");
        let Seen::New(id) = shelf.see("a", &first, at(0)) else { panic!() };
        let other = item("9", "https://X.example/a?fbclid=3", "Chips are scarce - Wire");
        assert_eq!(shelf.see("b", &other, at(1)), Seen::Copied(id));
        let later = item("12", "https://x.example/a", "Chips are scarce, again");
        assert!(
            matches!(shelf.see("c", &later, at(60)), Seen::New(_)),
            "two days later it is news"
        );
        for (number, title) in ["One", "Two"].into_iter().enumerate() {
            let one = item(&format!("n{number}"), "https://y.example/news", title);
            assert!(matches!(shelf.see("a", &one, at(0)), Seen::New(_)));
        }
        let three = item("3", "https://y.example/news", "Three");
        assert!(matches!(shelf.see("b", &three, at(0)), Seen::New(_)), "the page of all its news");
        for (feed, title) in [("a", "Four"), ("b", "Five")] {
            let front = item("4", "https://z.example/", title);
            assert!(matches!(shelf.see(feed, &front, at(0)), Seen::New(_)));
        }
    }

    #[test]
    fn a_new_process_knows_what_the_old_one_stored() {
        let (mut shelf, one) = (Shelf::default(), item("1", "", "One"));
        let Seen::New(id) = shelf.see("a", &one, at(0)) else { panic!() };
        let mut next = Shelf::default();
        let document = Document {
            id,
            feed: "a".to_owned(),
            title: "One".to_owned(),
            summary: String::new(),
            link: String::new(),
            source: String::new(),
            published: None,
            symbols: Vec::new(),
        };
        next.recall(&document, at(0), None);
        assert_eq!(next.see("a", &one, at(1)), Seen::Known(id));
        assert_eq!(next.see("b", &item("7", "", "one."), at(1)), Seen::Copied(id));
    }

    #[test]
    fn memory_is_bounded_and_what_is_still_listed_is_not_forgotten() {
        let mut map = Turning::default();
        for key in 0..MAX_REMEMBERED as u128 * 2 {
            map.put(key, ());
            assert_eq!(map.get(0), Some(()));
        }
        assert!(map.len() <= MAX_REMEMBERED);
        assert_eq!(map.get(1), None);
    }
}
