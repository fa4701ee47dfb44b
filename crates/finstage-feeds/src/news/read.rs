//! Bytes of a feed become items.

use std::borrow::Cow;
use std::time::Duration;

use encoding_rs::{Encoding, WINDOWS_1252};
use finstage_model::Document;

use super::address::resolved;
use super::date::{Moment, moment};
use super::quiet::Quiet;
use super::text::{decoded, plain};
use super::title::without_publisher;
use super::xml::{Element, elements, pieces, uncovered};

/// The largest document that is read.
pub const MAX_FEED_BYTES: usize = 5 << 20;
/// The most items of one document; what is listed behind them is left out.
pub const MAX_ITEMS: usize = 2_000;
/// The longest guid and the longest address, in bytes; a longer one is none.
const MAX_GUID: usize = 2_000;
/// How far into a document its encoding is looked for.
const DECLARED_WITHIN: usize = 300;

/// What a feed lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Feed {
    /// Its own name.
    pub title: String,
    /// How long it wants to be left alone after an answer.
    pub ttl: Option<Duration>,
    /// When it wants to be left alone.
    pub quiet: Quiet,
    /// What it lists, in its order.
    pub items: Vec<Item>,
    /// Items that have neither headline nor text, or end in the middle.
    pub unreadable: u32,
}

/// One entry of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// Its identity in the feed, as it is written there; empty where there is none.
    pub guid: String,
    /// The headline without the publisher behind it; the begin of the text where there is none.
    pub title: String,
    /// The text below; may be empty.
    pub summary: String,
    /// Its page; may be empty.
    pub link: String,
    /// Who printed it; may be empty.
    pub source: String,
    /// When it was printed.
    pub published: Option<Moment>,
}

const FIELDS: [&str; 14] = [
    "title",
    "link",
    "guid",
    "id",
    "description",
    "summary",
    "content",
    "content:encoded",
    "pubDate",
    "published",
    "updated",
    "dc:date",
    "source",
    "author",
];

/// Reads RSS and Atom. `address` is where it was fetched, for links that are relative; `media` is the
/// Content-Type of the answer, which may name an encoding. `None` where the bytes are no feed at all.
#[must_use]
pub fn read(bytes: &[u8], address: &str, media: &str) -> Option<Feed> {
    let text = text_of(bytes, media);
    let pieces = pieces(&text, MAX_ITEMS);
    let is_feed =
        ["<rss", "<feed", "<rdf:RDF", "<channel"].iter().any(|tag| pieces.head.contains(tag));
    if !is_feed {
        return None;
    }
    let head = elements(pieces.head, &["title", "ttl"]);
    let of_head = |name| head.iter().find(|element| element.name == name);
    let base = base_of(pieces.head, address);
    let ttl = of_head("ttl").and_then(|ttl| ttl.content.trim().parse::<u64>().ok());
    let mut feed = Feed {
        title: of_head("title").map(|title| plain(title.content, 200)).unwrap_or_default(),
        ttl: ttl.map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
        quiet: Quiet::of(pieces.head),
        unreadable: u32::from(pieces.is_cut),
        items: Vec::with_capacity(pieces.items.len()),
    };
    for piece in pieces.items {
        match item(piece, &base) {
            Some(item) => feed.items.push(item),
            None => feed.unreadable += 1,
        }
    }
    Some(feed)
}

/// Bytes that are UTF-8 are UTF-8, whatever they say of themselves; else what they say counts.
fn text_of<'a>(bytes: &'a [u8], media: &str) -> Cow<'a, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARED_WITHIN)]);
    let declared =
        head.split_once("encoding=").and_then(|(_, rest)| rest.get(1..)?.split(['"', '\'']).next());
    let of_answer = media.split_once("charset=").map(|(_, name)| name.trim_matches(['"', ' ']));
    let find = |name: Option<&str>| Encoding::for_label(name?.as_bytes());
    let encoding = find(declared).or_else(|| find(of_answer)).unwrap_or(WINDOWS_1252);
    encoding.decode(bytes).0
}

/// `xml:base` of the document, else where it was fetched.
fn base_of(head: &str, address: &str) -> String {
    let named = elements(head, &["feed"]).first().and_then(|feed| feed.attribute("xml:base"));
    named.map_or_else(|| address.to_owned(), |base| resolved(base, address))
}

fn item(piece: &str, base: &str) -> Option<Item> {
    let found = elements(piece, &FIELDS);
    let first = |names: &[&str]| {
        let of =
            |name: &&str| found.iter().find(|e| e.name == *name && !e.content.trim().is_empty());
        names.iter().find_map(of).map(|element| element.content)
    };
    let text =
        |names: &[&str], most| first(names).map(|content| plain(content, most)).unwrap_or_default();
    let word = |names: &[&str]| {
        let word = first(names).map(|content| uncovered(content, decoded).trim().to_owned());
        word.filter(|word| word.len() <= MAX_GUID).unwrap_or_default()
    };
    let summary =
        text(&["description", "summary", "content:encoded", "content"], Document::MAX_SUMMARY);
    let title = text(&["title"], Document::MAX_TITLE);
    if title.is_empty() && summary.is_empty() {
        return None;
    }
    let source = text(&["source"], 200);
    let title = match without_publisher(&title, &source) {
        "" => summary[..summary.floor_char_boundary(Document::MAX_TITLE)].to_owned(),
        title => title.to_owned(),
    };
    let date = ["pubDate", "published", "dc:date", "updated"];
    Some(Item {
        guid: word(&["guid", "id"]),
        link: resolved(&link(&found), base),
        published: date.iter().find_map(|name| moment(&word(&[name]))),
        // The markup of what Google lists repeats the headline and says nothing.
        summary: if summary.starts_with(&title) && summary.len() < title.len() + 80 {
            String::new()
        } else {
            summary
        },
        title,
        source,
    })
}

/// Atom has addresses in attributes, several of them; RSS one in the content.
fn link(found: &[Element<'_>]) -> String {
    let mut links = found.iter().filter(|element| element.name == "link");
    let address = links.find_map(|link| match link.attribute("href") {
        Some(href) if link.attribute("rel").is_none_or(|rel| rel == "alternate") => {
            Some(decoded(href))
        }
        Some(_) => None,
        None => Some(uncovered(link.content, decoded)).filter(|address| !address.trim().is_empty()),
    });
    address.filter(|address| address.len() <= MAX_GUID).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(text: &str) -> Vec<String> {
        let feed = read(text.as_bytes(), "https://x.example/f", "").unwrap();
        feed.items.into_iter().map(|item| item.title).collect()
    }

    #[test]
    fn one_broken_item_loses_no_other() {
        let good = "<item><title>A</title><link>https://x/a</link></item>";
        for (bad, title) in [
            ("<item><title>B & C</title></item>", "B & C"),
            ("<item><title>B&nbsp;C</title></item>", "B C"),
            ("<item><title>B <b>x</title></item>", "B x"),
            ("<item><title>B < C</title></item>", "B < C"),
            ("<item><title>B</title>", "B"),
            ("<item><title>B<link>https://x/b</link></item>", "B"),
            ("<item><description><![CDATA[B</description></item>", "B"),
            ("<item><title>B\u{1}C</title></item>", "B C"),
            ("<item><description>B</description></item>", "B"),
        ] {
            let text = format!(
                "\u{feff}\n<?xml version=\"1.0\"?><rss><channel><title>t</title>{good}{bad}{good}</channel></rss>"
            );
            assert_eq!(titles(&text), ["A", title, "A"], "{bad}");
        }
    }

    #[test]
    fn what_is_no_feed_is_none_and_an_empty_one_is_empty() {
        assert_eq!(read(b"<!DOCTYPE html><html><title>Just a moment...</title>", "", ""), None);
        assert_eq!(read(b"", "", ""), None);
        let empty =
            read(b"<rss><channel><title>E</title><ttl>5</ttl></channel></rss>", "", "").unwrap();
        assert_eq!(
            (empty.title.as_str(), empty.ttl, empty.items.len()),
            ("E", Some(Duration::from_secs(300)), 0)
        );
        let cut =
            read(b"<rss><channel><item><title>A</title></item><item><title>B", "", "").unwrap();
        assert_eq!((cut.items.len(), cut.unreadable), (1, 1));
    }

    #[test]
    fn atom_has_its_links_in_attributes_relative_to_a_base() {
        let text = br#"<feed xmlns="http://www.w3.org/2005/Atom" xml:base="/wire/"><entry><id>u:1</id>
            <title type="html">Q&amp;amp;A</title><link rel="self" href="x"/><link href='7?a=1&amp;b=2'/>
            <author><name>N</name></author><updated>2026-09-22T08:00:00Z</updated></entry></feed>"#;
        let feed = read(text, "https://x.example/feeds/all", "").unwrap();
        let item = &feed.items[0];
        assert_eq!(item.link, "https://x.example/wire/7?a=1&b=2");
        assert_eq!((item.title.as_str(), item.guid.as_str()), ("Q&A", "u:1"));
        assert_eq!(item.published.unwrap().at, "2026-09-22T08:00:00Z".parse().unwrap());
    }

    #[test]
    fn an_old_korean_encoding_is_read_and_a_wrong_declaration_is_not_believed() {
        let (title, ..) = encoding_rs::EUC_KR.encode("삼성전자 급등");
        let wrap = |title: &[u8]| {
            [b"<?xml encoding=\"euc-kr\"?><rss><item><title>", title, b"</title></item></rss>"]
                .concat()
        };
        for bytes in [wrap(&title), wrap("삼성전자 급등".as_bytes())] {
            assert_eq!(read(&bytes, "", "").unwrap().items[0].title, "삼성전자 급등");
        }
        let bare = [&b"<rss><item><title>"[..], &title, b"</title></item></rss>"].concat();
        assert_eq!(
            read(&bare, "", "text/xml; charset=EUC-KR").unwrap().items[0].title,
            "삼성전자 급등"
        );
    }
}
