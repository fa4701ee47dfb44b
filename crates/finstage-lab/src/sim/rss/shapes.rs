//! The same stories in the forms of five publishers.

use std::fmt::Write as _;

use super::newsroom::Story;
use finstage_model::Timestamp;

/// How a feed is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// RSS 2.0 with everything.
    Plain,
    /// Atom, with a base address and relative links.
    Atom,
    /// As Investing.com: no guid, a date without a zone.
    Investing,
    /// As Google News: the publisher behind the headline, escaped markup below.
    Google,
    /// As Yahoo Finance: the guid is no address.
    Yahoo,
}

impl Shape {
    pub(super) const fn of_feed(feed: u32) -> Self {
        match feed % 5 {
            0 => Self::Plain,
            1 => Self::Atom,
            2 => Self::Investing,
            3 => Self::Google,
            _ => Self::Yahoo,
        }
    }

    pub(super) const fn media(self) -> &'static str {
        match self {
            Self::Atom => "application/atom+xml; charset=utf-8",
            _ => "application/rss+xml; charset=utf-8",
        }
    }

    /// The document of a feed with this number.
    pub(super) fn write(self, feed: u32, stories: &[Story]) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        out += match self {
            Self::Atom => {
                "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"https://atom.example/wire/\"><title>Wire</title><id>urn:wire</id>\n"
            }
            Self::Google => {
                "<rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\"><channel><generator>NFE/5.0</generator><title>Search</title><language>en-US</language>\n"
            }
            _ => {
                "<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel><title>Wire</title><link>https://wire.example</link><language>en-US</language><ttl>1</ttl>\n"
            }
        };
        stories.iter().for_each(|story| self.item(feed, story, &mut out));
        out + if self == Self::Atom { "</feed>\n" } else { "</channel></rss>\n" }
    }

    fn item(self, feed: u32, story: &Story, out: &mut String) {
        let (title, summary) = (escaped(&story.title), escaped(&story.summary));
        let (number, date) = (story.number, story.at);
        let written = match self {
            Self::Plain => writeln!(
                out,
                "<item><title><![CDATA[{}]]></title><link>https://wire{feed}.example/a/{number}?utm_source=rss</link><description><![CDATA[<p>{summary}</p>]]></description><guid>https://wire{feed}.example/a/{number}</guid><pubDate>{}</pubDate><dc:creator>Desk</dc:creator></item>",
                story.title,
                rfc822(date)
            ),
            Self::Atom => writeln!(
                out,
                "<entry><id>urn:wire{feed}:{number}</id><title type=\"html\">{}</title><link rel=\"self\" href=\"x\"/><link href=\"{feed}/{number}\"/><published>{date}</published><updated>{date}</updated><summary>{summary}</summary></entry>",
                escaped(&title)
            ),
            Self::Investing => writeln!(
                out,
                "<item><enclosure url=\"https://i.example/{number}.jpg\" length=\"1\" type=\"image/jpeg\"/><title>{title}</title><pubDate>{}</pubDate><author>Investing.com</author><link>https://www.investing.example/news/stock-market-news/story-{feed}-{number}</link></item>",
                date.to_string().replace('T', " ").trim_end_matches('Z')
            ),
            Self::Google => writeln!(
                out,
                "<item><title>{title} - Wire {feed}</title><link>https://news.example/rss/articles/CBM{feed}x{number}?oc=5</link><guid isPermaLink=\"false\">CBM{feed}x{number}</guid><pubDate>{}</pubDate><description>&lt;a href=\"https://news.example/rss/articles/CBM{feed}x{number}?oc=5\" target=\"_blank\"&gt;{}&lt;/a&gt;&amp;nbsp;&amp;nbsp;Wire {feed}</description><source url=\"https://wire{feed}.example\">Wire {feed}</source></item>",
                rfc822(date),
                escaped(&title)
            ),
            Self::Yahoo => writeln!(
                out,
                "<item><description>{summary}</description><guid isPermaLink=\"false\">{feed:08x}-{number:012x}</guid><link>https://finance.yahoo.example/news/story-{feed}-{number}.html?.tsrc=rss</link><pubDate>{}</pubDate><title>{title}</title></item>",
                rfc822(date).replace("GMT", "+0000")
            ),
        };
        written.expect("writing to a string cannot fail");
    }
}

/// Text as it stands between tags.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `Tue, 22 Sep 2026 08:10:00 GMT`.
pub(super) fn rfc822(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = at.secs();
    let day = DAYS[seconds.div_euclid(86_400).rem_euclid(7) as usize];
    // `2026-09-22T08:10:00Z`
    let text = Timestamp::from_secs(seconds).to_string();
    let month: usize = text.get(5..7).and_then(|month| month.parse().ok()).unwrap_or(1);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{day}, {} {} {} {} GMT", part(8, 10), MONTHS[month - 1], part(0, 4), part(11, 19))
}
