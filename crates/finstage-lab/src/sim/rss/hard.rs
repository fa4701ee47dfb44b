//! Feeds as they are met in the wild, one address each.

use finstage_model::Timestamp;

use super::shapes::rfc822;
use crate::sim::front::Reply;

/// The addresses below `/hard/`.
pub const CASES: [&str; 14] = [
    "no-guid",
    "no-zone",
    "escaped",
    "broken",
    "cut",
    "challenge",
    "retitled",
    "huge",
    "euc-kr",
    "empty",
    "busy",
    "gone",
    "moved",
    "slow-ttl",
];
/// How large the document at `/hard/huge` is: more than a reader should take.
pub const HUGE_BYTES: usize = 6 << 20;

/// The answer of a case; `None` where there is no such address.
pub(super) fn answer(case: &str, opened: Timestamp, now: Timestamp) -> Option<Reply> {
    let with = |status, text, header: Option<(&'static str, &str)>| {
        let mut reply = Reply::page(status, text);
        reply.headers.extend(header.map(|(name, value)| (name, value.to_owned())));
        Some(reply)
    };
    match case {
        "challenge" => {
            let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>";
            with(403, page, None)
        }
        "euc-kr" => Some(euc_kr()),
        "busy" => with(429, "Too Many Requests", Some(("retry-after", "600"))),
        "gone" => with(410, "Gone", None),
        "moved" => with(301, "", Some(("location", "/feed/0"))),
        _ => {
            let body = document(case, opened, now)?;
            Some(Reply { media: "application/rss+xml", ..Reply::page(200, &body) })
        }
    }
}

/// The document of a case that has one.
fn document(case: &str, opened: Timestamp, now: Timestamp) -> Option<String> {
    let date = rfc822(opened);
    let guid = |n: u32| format!("<guid isPermaLink=\"false\">hard-{n}</guid>");
    let item = |title: &str, rest: &str| format!("<item><title>{title}</title>{rest}</item>\n");
    let dated = |n: u32| format!("{}<pubDate>{date}</pubDate>", guid(n));
    Some(match case {
        "no-guid" => rss(&[
            item(
                "One without a guid",
                "<link>HTTPS://Hard.example:443/a/?b=2&amp;a=1&amp;utm_medium=x#top</link>",
            ),
            item(
                "One without a guid",
                "<link>https://hard.example/a?a=1&amp;b=2&amp;fbclid=z</link>",
            ),
            item("Neither guid nor link", ""),
            item("neither GUID nor link!", ""),
        ]),
        "no-zone" => rss(&[item(
            "A date without a zone",
            "<pubDate>2025-09-26 10:17:15</pubDate><author>Investing.com</author><link>https://www.investing.example/news/x-4257237</link>",
        )]),
        "escaped" => rss(&[
            item("<![CDATA[Profit <b>up</b> 5% &amp; rising]]>", &dated(1)),
            item(
                "AT&amp;amp;T says &amp;lt;b&amp;gt;yes&amp;lt;/b&amp;gt; &amp;#8212; really",
                &dated(2),
            ),
            item(
                "Q&amp;A: &#x27;fine&#39;",
                &format!(
                    "{}<description>&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two&amp;nbsp;three.&lt;/p&gt;&lt;script&gt;no()&lt;/script&gt;</description>",
                    dated(3)
                ),
            ),
        ]),
        "broken" => rss(&[
            item("Before the broken one", &dated(1)),
            format!(
                "<item><title>Profit & loss < 5 &nbsp;of <b>all</title>{}<link>https://hard.example/2",
                dated(2)
            ),
            "<item><description><![CDATA[never closed</description></item>\n".to_owned(),
            item("After the \u{1}broken one", &dated(4)),
        ]),
        "cut" => {
            let whole = rss(&[item("Whole", &dated(1)), item("Cut in two", &dated(2))]);
            whole[..whole.len() - 60].to_owned()
        }
        "retitled" => {
            let minutes = now.since(opened).as_secs() / 60;
            rss(&[item(&format!("A headline, edited {minutes} times"), &dated(1))])
        }
        "huge" => {
            rss(&[item("Huge", &format!("<description>{}</description>", "x".repeat(HUGE_BYTES)))])
        }
        "empty" => rss(&[]),
        "slow-ttl" => {
            rss(&[item("Asked for twice an hour", &dated(1))]).replace("<ttl>1<", "<ttl>30<")
        }
        _ => return None,
    })
}

/// A feed of these items behind a byte order mark and a blank line, as some are.
fn rss(items: &[String]) -> String {
    let head = "\u{feff}\n<?xml version=\"1.0\" encoding=\"utf-8\"?><rss version=\"2.0\"><channel><title>Hard</title><ttl>1</ttl>\n";
    format!("{head}{}</channel></rss>", items.concat())
}

/// "삼성전자 급등" in the encoding that old Korean sites use.
fn euc_kr() -> Reply {
    const TITLE: [u8; 13] =
        [0xbb, 0xef, 0xbc, 0xba, 0xc0, 0xfc, 0xc0, 0xda, b' ', 0xb1, 0xde, 0xb5, 0xee];
    let mut body =
        b"<?xml version=\"1.0\" encoding=\"euc-kr\"?><rss version=\"2.0\"><channel><item><title>"
            .to_vec();
    body.extend(TITLE);
    body.extend(b"</title><guid>k1</guid></item></channel></rss>");
    Reply { media: "text/xml", body, ..Reply::page(200, "") }
}
