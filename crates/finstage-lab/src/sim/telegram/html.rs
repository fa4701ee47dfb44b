//! The messenger's HTML: text with entities out of text with tags, or the error it would give.
//!
//! Offsets and lengths count UTF-16 code units, byte offsets in errors count the text as sent. Tags
//! and attribute names are those of the Bot API's documentation; errors have its words.

use serde::Serialize;

/// A styled part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entity {
    /// Where it begins, in UTF-16 code units.
    pub offset: usize,
    /// How long it is, in UTF-16 code units.
    pub length: usize,
    /// The messenger's name of the style.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The language of a block of code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The id of a custom emoji.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_emoji_id: Option<String>,
}

/// A text and its styles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Styled {
    pub(crate) text: String,
    pub(crate) entities: Vec<Entity>,
}

/// Parses a text of `parse_mode=HTML`.
pub(crate) fn parse(source: &str) -> Result<Styled, String> {
    let mut parser = Parser { source, at: 0, out: Styled::default(), utf16: 0, open: Vec::new() };
    while let Some(c) = parser.peek() {
        match c {
            '<' if parser.rest().starts_with("</") => parser.end_tag()?,
            '<' => parser.start_tag()?,
            '&' => {
                let c = parser.reference();
                parser.push(c);
            }
            _ => {
                parser.at += c.len_utf8();
                parser.push(c);
            }
        }
    }
    if let Some(open) = parser.open.last() {
        return Err(format!("Can't find end tag corresponding to start tag \"{}\"", open.tag));
    }
    let mut styled = parser.out;
    for code in styled.entities.iter_mut().filter(|entity| entity.kind == "code") {
        code.language = None;
    }
    styled.entities.sort_by_key(|entity| (entity.offset, usize::MAX - entity.length));
    Ok(styled)
}

/// Cuts white space off both ends, as the messenger does, and moves the entities with the text.
pub(crate) fn trim(styled: Styled) -> Styled {
    let text = styled.text.trim_end();
    let trimmed = text.trim_start();
    let skipped = utf16_len(&text[..text.len() - trimmed.len()]);
    let end = skipped + utf16_len(trimmed);
    let entities = styled.entities.into_iter().filter_map(|entity| {
        let from = entity.offset.max(skipped);
        let to = (entity.offset + entity.length).min(end);
        (from < to).then(|| Entity { offset: from - skipped, length: to - from, ..entity })
    });
    Styled { entities: entities.collect(), text: trimmed.to_owned() }
}

fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    out: Styled,
    /// Length of the text so far in UTF-16 code units.
    utf16: usize,
    open: Vec<Open>,
}

struct Open {
    tag: String,
    argument: String,
    offset: usize,
    text_at: usize,
}

const TAGS: [&str; 16] = [
    "a",
    "b",
    "strong",
    "i",
    "em",
    "s",
    "strike",
    "del",
    "u",
    "ins",
    "tg-spoiler",
    "tg-emoji",
    "span",
    "pre",
    "code",
    "blockquote",
];

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, c: char) {
        self.out.text.push(c);
        self.utf16 += c.len_utf16();
    }

    /// Takes characters while they fit.
    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes a character reference; an ampersand that begins none stands for itself.
    fn reference(&mut self) -> char {
        let begin = self.at;
        self.at += 1;
        let decoded = if self.rest().starts_with('#') {
            self.at += 1;
            let radix = if self.rest().starts_with('x') { 16 } else { 10 };
            self.at += usize::from(radix == 16);
            let digits = self.take_while(|c| c.is_digit(radix));
            let code = u32::from_str_radix(digits, radix).ok();
            code.filter(|code| *code != 0 && self.at - begin < 10).and_then(char::from_u32)
        } else {
            match self.take_while(|c| c.is_ascii_alphabetic()) {
                "lt" => Some('<'),
                "gt" => Some('>'),
                "amp" => Some('&'),
                "quot" => Some('"'),
                _ => None,
            }
        };
        let Some(c) = decoded else {
            self.at = begin + 1;
            return '&';
        };
        if self.rest().starts_with(';') {
            self.at += 1;
        }
        c
    }

    fn start_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        self.at += 1;
        let tag = self.take_while(|c| !c.is_ascii_whitespace() && c != '>').to_ascii_lowercase();
        if self.peek().is_none() {
            return Err(format!("Unclosed start tag at byte offset {begin}"));
        }
        if !TAGS.contains(&tag.as_str()) {
            return Err(format!("Unsupported start tag \"{tag}\" at byte offset {begin}"));
        }
        let mut argument = String::new();
        loop {
            self.take_while(|c| c.is_ascii_whitespace());
            match self.peek() {
                Some('>') => break,
                None => return Err(format!("Unclosed start tag at byte offset {begin}")),
                Some(_) => self.attribute(&tag, begin, &mut argument)?,
            }
        }
        self.at += 1;
        if tag == "span" && argument != "spoiler" {
            return Err(format!(
                "Tag \"span\" must have class \"tg-spoiler\" at byte offset {begin}"
            ));
        }
        let (offset, text_at) = (self.utf16, self.out.text.len());
        self.open.push(Open { tag, argument, offset, text_at });
        Ok(())
    }

    fn attribute(&mut self, tag: &str, begin: usize, argument: &mut String) -> Result<(), String> {
        let name = self.take_while(|c| !c.is_ascii_whitespace() && c != '=' && c != '>');
        if name.is_empty() {
            return Err(format!(
                "Empty attribute name in the tag \"{tag}\" at byte offset {begin}"
            ));
        }
        self.take_while(|c| c.is_ascii_whitespace());
        if !self.rest().starts_with('=') {
            if tag == "blockquote" && name == "expandable" {
                *argument = name.to_owned();
                return Ok(());
            }
            return Err(format!(
                "Expected equal sign in declaration of an attribute of the tag \"{tag}\" at byte \
                 offset {begin}"
            ));
        }
        self.at += 1;
        self.take_while(|c| c.is_ascii_whitespace());
        let value = self.value(tag, begin)?;
        let prefixed = |prefix| value.strip_prefix(prefix).map(str::to_owned);
        let meant = match (tag, name) {
            ("a", "href") | ("tg-emoji", "emoji-id") => Some(value),
            ("code", "class") => prefixed("language-"),
            ("span", "class") => prefixed("tg-"),
            _ => None,
        };
        if let Some(meant) = meant {
            *argument = meant;
        }
        Ok(())
    }

    fn value(&mut self, tag: &str, begin: usize) -> Result<String, String> {
        let unclosed = format!("Unclosed start tag at byte offset {begin}");
        let quote = match self.peek() {
            None => {
                return Err(format!("Unclosed start tag \"{tag}\" at byte offset {begin}"));
            }
            Some(quote @ ('"' | '\'')) => quote,
            Some(_) => {
                let token_at = self.at;
                let token = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
                return match self.peek() {
                    None => Err(unclosed),
                    Some(c) if c.is_ascii_whitespace() || c == '>' => {
                        Ok(token.to_ascii_lowercase())
                    }
                    Some(_) => {
                        Err(format!("Unexpected end of name token at byte offset {token_at}"))
                    }
                };
            }
        };
        self.at += 1;
        let mut value = String::new();
        loop {
            match self.peek() {
                None => return Err(unclosed),
                Some(c) if c == quote => {
                    self.at += 1;
                    break;
                }
                Some('&') => value.push(self.reference()),
                Some(c) => {
                    self.at += c.len_utf8();
                    value.push(c);
                }
            }
        }
        if self.peek().is_none() { Err(unclosed) } else { Ok(value) }
    }

    fn end_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        let Some(open) = self.open.pop() else {
            return Err(format!("Unexpected end tag at byte offset {begin}"));
        };
        self.at += 2;
        let tag = self.take_while(|c| !c.is_ascii_whitespace() && c != '>').to_ascii_lowercase();
        self.take_while(|c| c.is_ascii_whitespace());
        if !self.rest().starts_with('>') {
            return Err(format!("Unclosed end tag at byte offset {begin}"));
        }
        self.at += 1;
        if !tag.is_empty() && tag != open.tag {
            return Err(format!(
                "Unmatched end tag at byte offset {begin}, expected \"</{}>\", found \"</{tag}>\"",
                open.tag
            ));
        }
        if self.utf16 > open.offset {
            self.style(&open)?;
        }
        Ok(())
    }

    /// Notes the style of a tag that ended.
    fn style(&mut self, open: &Open) -> Result<(), String> {
        let kind = match open.tag.as_str() {
            "b" | "strong" => "bold",
            "i" | "em" => "italic",
            "u" | "ins" => "underline",
            "s" | "strike" | "del" => "strikethrough",
            "tg-spoiler" | "span" => "spoiler",
            "blockquote" if open.argument == "expandable" => "expandable_blockquote",
            "blockquote" => "blockquote",
            "a" => "text_link",
            "tg-emoji" => "custom_emoji",
            "pre" => "pre",
            _ => "code",
        };
        let (offset, length) = (open.offset, self.utf16 - open.offset);
        let mut entity =
            Entity { offset, length, kind, url: None, language: None, custom_emoji_id: None };
        let argument = (!open.argument.is_empty()).then(|| open.argument.clone());
        match kind {
            "custom_emoji" => {
                let id = argument.filter(|id| id.parse::<i64>().is_ok_and(|id| id != 0));
                entity.custom_emoji_id =
                    Some(id.ok_or("Invalid custom emoji identifier specified")?);
            }
            "text_link" => {
                let url = argument.unwrap_or_else(|| self.out.text[open.text_at..].to_owned());
                // What cannot be a link stays as plain text.
                if !url.contains('.') && !url.contains("://") && !url.starts_with("tg:") {
                    return Ok(());
                }
                entity.url = Some(url);
            }
            // A block with a language is code with a class and pre around the same text.
            "code" | "pre" => {
                entity.language = argument;
                let last = self.out.entities.pop_if(|last| {
                    let same = last.offset == offset && last.length == length;
                    let pair = [last.kind, kind];
                    let language = last.language.is_some() || entity.language.is_some();
                    same && language && (pair == ["code", "pre"] || pair == ["pre", "code"])
                });
                if let Some(last) = last {
                    entity.kind = "pre";
                    entity.language = last.language.or(entity.language);
                }
            }
            _ => {}
        }
        self.out.entities.push(entity);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn styles(source: &str) -> String {
        let styled = trim(parse(source).unwrap());
        let entities: Vec<String> = styled
            .entities
            .iter()
            .map(|e| {
                let more = e.url.as_ref().or(e.language.as_ref()).or(e.custom_emoji_id.as_ref());
                let more = more.map_or(String::new(), |more| format!("={more}"));
                format!(" {}@{}+{}{more}", e.kind, e.offset, e.length)
            })
            .collect();
        format!("{:?}{}", styled.text, entities.concat())
    }

    #[test]
    fn tags_become_entities_in_utf16_units() {
        for (source, expected) in [
            ("plain", r#""plain""#),
            ("<b>BTC</b> 43,000", r#""BTC 43,000" bold@0+3"#),
            ("\u{1f4c8} <b>up</b>", "\"\u{1f4c8} up\" bold@3+2"),
            ("비트코인 <i>상승</i>", r#""비트코인 상승" italic@5+2"#),
            ("<B>a</b>", r#""a" bold@0+1"#),
            ("<b><i>x</i>y</b>", r#""xy" bold@0+2 italic@0+1"#),
            ("<u>a</u><ins>b</ins>", r#""ab" underline@0+1 underline@1+1"#),
            (
                "<s>a</s><del>b</del><strike>c</strike>",
                r#""abc" strikethrough@0+1 strikethrough@1+1 strikethrough@2+1"#,
            ),
            (
                "<tg-spoiler>a</tg-spoiler><span class=\"tg-spoiler\">b</span>",
                r#""ab" spoiler@0+1 spoiler@1+1"#,
            ),
            (
                "<a href=\"http://x.org/?a=1&amp;b=2\">l</a>",
                r#""l" text_link@0+1=http://x.org/?a=1&b=2"#,
            ),
            ("<a>nothing</a>", r#""nothing""#),
            ("<code>x</code>", r#""x" code@0+1"#),
            ("<code class=\"language-rust\">x</code>", r#""x" code@0+1"#),
            ("<code class=\"language-rust\"><pre>fn</pre></code>", r#""fn" pre@0+2=rust"#),
            ("<pre><code class=\"language-rust\">fn</code></pre>", r#""fn" pre@0+2=rust"#),
            ("<blockquote expandable>q</blockquote>", r#""q" expandable_blockquote@0+1"#),
            (
                "<tg-emoji emoji-id=\"5368324170671202286\">x</tg-emoji>",
                r#""x" custom_emoji@0+1=5368324170671202286"#,
            ),
            ("1 &lt; 2 &amp;&amp; 3 &gt; 2 &quot;&#39;&#x41;", r#""1 < 2 && 3 > 2 \"'A""#),
            ("&nbsp; & &copy;", r#""&nbsp; & &copy;""#),
            ("<b></b>x", r#""x""#),
            ("  <b> x </b> ", r#""x" bold@0+1"#),
        ] {
            assert_eq!(styles(source), expected, "{source}");
        }
    }

    #[test]
    fn what_does_not_parse_is_refused_in_the_messengers_words() {
        for (source, expected) in [
            ("<b>x", "Can't find end tag corresponding to start tag \"b\""),
            ("x<h1>y</h1>", "Unsupported start tag \"h1\" at byte offset 1"),
            ("가<br>", "Unsupported start tag \"br\" at byte offset 3"),
            ("1 < 2", "Unsupported start tag \"\" at byte offset 2"),
            ("1 <2", "Unclosed start tag at byte offset 2"),
            ("1 < 2 > 1", "Unsupported start tag \"\" at byte offset 2"),
            ("x</b>", "Unexpected end tag at byte offset 1"),
            (
                "<b><i>x</b></i>",
                "Unmatched end tag at byte offset 7, expected \"</i>\", found \"</b>\"",
            ),
            ("<b>x</b", "Unclosed end tag at byte offset 4"),
            ("<span>x</span>", "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0"),
            (
                "<a href>x</a>",
                "Expected equal sign in declaration of an attribute of the tag \"a\" at byte offset 0",
            ),
            ("<a =x>x</a>", "Empty attribute name in the tag \"a\" at byte offset 0"),
            ("<a href=\"x", "Unclosed start tag at byte offset 0"),
            ("<a href=", "Unclosed start tag \"a\" at byte offset 0"),
            ("<a href=x_y>x</a>", "Unexpected end of name token at byte offset 8"),
            ("<tg-emoji emoji-id=\"x\">x</tg-emoji>", "Invalid custom emoji identifier specified"),
        ] {
            assert_eq!(parse(source).unwrap_err(), expected, "{source}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_entities_lie_inside(source in "[<>/bai=\" &;#x가\u{1f4c8}]{0,40}") {
            if let Ok(styled) = parse(&source) {
                let styled = trim(styled);
                let end = utf16_len(&styled.text);
                for entity in styled.entities {
                    proptest::prop_assert!(entity.offset + entity.length <= end);
                }
            }
        }
    }
}
