//! XML as it is met: items are cut out first, so that a broken one spoils no other; a tag that is never
//! closed ends where it must.

/// The pieces of a feed.
#[derive(Debug, Default)]
pub(super) struct Pieces<'a> {
    /// What stands before the first item.
    pub(super) head: &'a str,
    /// What stands between the tags of each item.
    pub(super) items: Vec<&'a str>,
    /// Whether the text ends inside an item, which then is left out.
    pub(super) is_cut: bool,
}

const CDATA: &str = "<![CDATA[";

/// Cuts a document into its head and at most `most` items.
pub(super) fn pieces(text: &str, most: usize) -> Pieces<'_> {
    let mut pieces = Pieces { head: text, ..Pieces::default() };
    let (mut open, mut is_first) = (None, true);
    let mut at = 0;
    while let Some(found) = text[at..].find('<') {
        let start = at + found;
        let rest = &text[start..];
        if let Some(end) = verbatim(rest) {
            at = start + end;
            continue;
        }
        at = start + 1;
        let Some((is_end, after)) = item_tag(rest) else { continue };
        if is_first {
            (pieces.head, is_first) = (&text[..start], false);
        }
        // One that begins inside another ends it: the other was never closed.
        if let Some(from) = open.take() {
            if pieces.items.len() == most {
                return pieces;
            }
            pieces.items.push(&text[from..start]);
        }
        if !is_end {
            open = Some(start + after);
        }
    }
    if let Some(from) = open {
        match text[from..].find("</channel").or_else(|| text[from..].find("</feed")) {
            Some(end) => pieces.items.push(&text[from..from + end]),
            None => pieces.is_cut = true,
        }
    }
    pieces
}

/// The end of a CDATA section or a comment that begins here. One that is not closed before the item is
/// was meant to be closed there.
fn verbatim(rest: &str) -> Option<usize> {
    let close = match () {
        () if rest.starts_with(CDATA) => "]]>",
        () if rest.starts_with("<!--") => "-->",
        () => return None,
    };
    let inner = &rest[4..];
    let end = inner.find(close).map(|end| end + close.len());
    let item = ["</item>", "</entry>"].iter().filter_map(|tag| inner.find(tag)).min();
    let end = match (end, item) {
        (Some(end), Some(item)) if item < end => item,
        (Some(end), _) => end,
        (None, Some(item)) => item,
        (None, None) => inner.len(),
    };
    Some(4 + end)
}

/// Whether an item begins or ends here, and how long the tag is.
fn item_tag(rest: &str) -> Option<(bool, usize)> {
    let (is_end, name) = match rest[1..].strip_prefix('/') {
        Some(name) => (true, name),
        None => (false, &rest[1..]),
    };
    let name = name.strip_prefix("item").or_else(|| name.strip_prefix("entry"))?;
    let is_whole = name.starts_with(|c: char| c == '>' || c == '/' || c.is_whitespace());
    let end = rest.find('>')?;
    is_whole.then_some((is_end, end + 1))
}

/// One element of an item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) name: &'a str,
    attributes: &'a str,
    /// What stands between its tags, as it stands there.
    pub(super) content: &'a str,
}

impl<'a> Element<'a> {
    /// The value of an attribute, entities not decoded.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        while let Some((key, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| ['"', '\''].contains(c))?;
            let (value, next) = after[1..].split_once(quote)?;
            if key.trim() == name {
                return Some(value);
            }
            rest = next;
        }
        None
    }
}

/// The elements of these names, in the order of the text. What is inside one of them is its content.
pub(super) fn elements<'a>(text: &'a str, names: &[&str]) -> Vec<Element<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find('<') {
        let start = at + next;
        let rest = &text[start..];
        if let Some(end) = verbatim(rest) {
            at = start + end;
            continue;
        }
        at = start + 1;
        let Some(close) = rest.find('>') else { break };
        let tag = &rest[1..close];
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let name = name.trim_end_matches('/');
        if !names.contains(&name) {
            continue;
        }
        let body = start + close + 1;
        if tag.ends_with('/') {
            at = body;
            found.push(Element { name, attributes: attributes.trim_end_matches('/'), content: "" });
            continue;
        }
        let length = content_length(&text[body..], name);
        found.push(Element { name, attributes, content: &text[body..body + length] });
        at = body + length;
    }
    found
}

/// How far the content of an element reaches: to its end tag, else to the next tag, else to the end.
fn content_length(text: &str, name: &str) -> usize {
    let mut at = 0;
    let mut first = None;
    while let Some(next) = text[at..].find('<') {
        let start = at + next;
        let rest = &text[start..];
        if let Some(end) = verbatim(rest) {
            at = start + end;
            continue;
        }
        at = start + 1;
        if let Some(end) = rest[1..].strip_prefix('/')
            && let Some(after) = end.strip_prefix(name)
            && after.trim_start().starts_with('>')
        {
            return start;
        }
        let is_tag = rest[1..].starts_with(|c: char| c == '/' || c.is_ascii_alphabetic());
        first = first.or(is_tag.then_some(start));
    }
    first.unwrap_or(text.len())
}

/// The text of a content: CDATA as it stands, `decode` applied to the rest.
pub(super) fn uncovered(content: &str, decode: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, inside)) = rest.split_once(CDATA) {
        out += &decode(before);
        let (inside, after) = inside.split_once("]]>").unwrap_or((inside, ""));
        out += inside;
        rest = after;
    }
    out + &decode(rest)
}
