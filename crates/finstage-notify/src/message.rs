//! What people read, before a channel gives it its own clothes.
//!
//! A message is lines of styled pieces of text. Each channel writes the styles its own way (or
//! not at all) and all of them share the two things that are easy to get wrong: foreign text is
//! cleaned before it enters, and a long message is divided on line borders, so that a style never
//! spans two parts and every tag is closed where it was opened.

/// A message as lines of styled text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    lines: Vec<Line>,
}

impl Message {
    /// A message of these lines.
    #[must_use]
    pub const fn new(lines: Vec<Line>) -> Self {
        Self { lines }
    }

    /// The lines, first to last.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The text without any style, lines divided by `\n`.
    #[must_use]
    pub fn plain(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(Line::plain).collect();
        lines.join("\n")
    }

    /// Divides the message into parts of at most `limit` UTF-16 code units each (line breaks
    /// counted, styles not). It breaks on line borders; only a line longer than a whole part
    /// breaks inside, after a word, and only a word longer than a part between any characters.
    ///
    /// A limit below 2 counts as 2: the longest character has two units.
    #[must_use]
    pub fn split(&self, limit: usize) -> Vec<Self> {
        let limit = limit.max(2);
        let mut parts: Vec<Self> = Vec::new();
        let mut room = 0_usize; // what the last part still takes, a line break included
        for line in &self.lines {
            let first = if line.units() > limit { room.saturating_sub(1) } else { limit };
            for piece in line.pieces(first, limit) {
                let units = piece.units();
                match parts.last_mut() {
                    Some(part) if units < room => {
                        room -= units + 1;
                        part.lines.push(piece);
                    }
                    _ => {
                        room = limit - units;
                        parts.push(Self::new(vec![piece]));
                    }
                }
            }
        }
        parts
    }
}

/// One line of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    spans: Vec<Span>,
}

impl Line {
    /// A line of one style.
    #[must_use]
    pub fn new(style: Style, text: impl Into<String>) -> Self {
        Self::default().then(style, text)
    }

    /// The line with more text at its end.
    #[must_use]
    pub fn then(mut self, style: Style, text: impl Into<String>) -> Self {
        self.spans.push(Span { style, text: text.into() });
        self
    }

    /// Its pieces, left to right.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The text without any style.
    #[must_use]
    pub fn plain(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    fn units(&self) -> usize {
        self.spans.iter().map(|span| utf16_units(&span.text)).sum()
    }

    /// The line cut so that the first piece has at most `first` units and no other more than
    /// `limit`. Nothing is forced into the first piece: it is left out where no word fits.
    fn pieces(&self, first: usize, limit: usize) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut current = Self::default();
        let mut room = first;
        for span in &self.spans {
            let mut rest = span.text.as_str();
            while utf16_units(rest) > room {
                let words_only = pieces.is_empty() && room < limit;
                let (head, tail) = rest.split_at(break_at(rest, room, words_only));
                if !head.is_empty() {
                    current = current.then(span.style, head);
                }
                pieces.push(std::mem::take(&mut current));
                room = limit;
                rest = tail.trim_start();
            }
            if !rest.is_empty() {
                room -= utf16_units(rest);
                current = current.then(span.style, rest);
            }
        }
        pieces.push(current);
        pieces.retain(|piece| !piece.plain().trim().is_empty());
        pieces
    }
}

/// A piece of text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// How it looks.
    pub style: Style,
    /// What it says.
    pub text: String,
}

/// How a piece of text looks, where the channel can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As the channel writes ordinary text.
    Plain,
    /// What must be seen first.
    Bold,
    /// Remarks.
    Italic,
    /// Ids: fixed width, copied with one touch.
    Code,
}

/// Foreign text made harmless: one line, no control characters, no characters that turn the
/// reading direction, white space collapsed, at most `max_chars` characters (cut with `…`).
#[must_use]
pub fn clean(text: &str, max_chars: usize) -> String {
    let visible: String = text.chars().map(harmless).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max_chars) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(max_chars.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// The character itself, or a space in place of one that controls the line or its direction.
pub(crate) fn harmless(c: char) -> char {
    if c.is_control() || turns_direction(c) { ' ' } else { c }
}

const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// The length as Telegram and browsers count it.
fn utf16_units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The byte to break `text` at so that at most `room` units come before it: after the last white
/// space that fits, else between characters unless `words_only`. 0 when nothing fits.
fn break_at(text: &str, room: usize, words_only: bool) -> usize {
    let mut units = 0;
    let mut after_space = None;
    for (byte, c) in text.char_indices() {
        units += c.len_utf16();
        if units > room {
            return after_space.unwrap_or(if words_only { 0 } else { byte });
        }
        if c.is_whitespace() {
            after_space = Some(byte + c.len_utf8());
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(lines: &[&str]) -> Message {
        Message::new(lines.iter().map(|text| Line::new(Style::Plain, *text)).collect())
    }

    fn split(lines: &[&str], limit: usize) -> Vec<String> {
        plain(lines).split(limit).iter().map(Message::plain).collect()
    }

    #[test]
    fn a_short_message_is_one_part() {
        assert_eq!(split(&["ab", "cd"], 5), ["ab\ncd"]);
    }

    #[test]
    fn a_long_message_breaks_on_line_borders() {
        assert_eq!(split(&["ab", "cd", "ef"], 5), ["ab\ncd", "ef"]);
        assert_eq!(split(&["ab", "cd"], 4), ["ab", "cd"]);
    }

    #[test]
    fn a_long_line_breaks_after_a_word_and_a_long_word_anywhere() {
        assert_eq!(split(&["one two three"], 8), ["one two ", "three"]);
        assert_eq!(split(&["abcdefgh"], 3), ["abc", "def", "gh"]);
    }

    #[test]
    fn a_line_longer_than_a_part_begins_where_the_line_before_it_ends() {
        assert_eq!(split(&["ab", "one two three"], 8), ["ab\none ", "two ", "three"]);
        assert_eq!(split(&["abcdef", "one two three"], 8), ["abcdef", "one two ", "three"]);
    }

    #[test]
    fn a_character_of_two_units_is_never_cut() {
        assert_eq!(split(&["a📈📈"], 2), ["a", "📈", "📈"]);
        assert_eq!(split(&["📈📈"], 0), ["📈", "📈"]);
    }

    #[test]
    fn both_halves_of_a_cut_line_keep_their_style() {
        let line = Line::new(Style::Plain, "see ").then(Style::Code, "0123456789");
        let parts = Message::new(vec![line]).split(8);
        assert_eq!(parts.len(), 2);
        assert_eq!(
            parts[0].lines()[0].spans()[1],
            Span { style: Style::Code, text: "0123".into() }
        );
        assert_eq!(parts[1].lines()[0].spans()[0].style, Style::Code);
    }

    #[test]
    fn foreign_text_becomes_one_harmless_line() {
        assert_eq!(clean(" a\r\n\u{1b}[31m b\t\u{202e}c ", 99), "a [31m b c");
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
    }

    proptest! {
        #[test]
        fn no_part_is_longer_than_the_limit_and_no_word_is_lost(
            lines in prop::collection::vec("[a-z📈é ]{1,30}", 1..8), limit in 2usize..40,
        ) {
            let lines: Vec<String> =
                lines.iter().map(|l| clean(l, 99)).filter(|l| !l.is_empty()).collect();
            let message = plain(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            let parts = message.split(limit);
            let squeeze = |text: String| text.replace(char::is_whitespace, "");
            for part in &parts {
                prop_assert!(part.plain().encode_utf16().count() <= limit);
                prop_assert!(!part.plain().trim().is_empty());
            }
            let joined: String = parts.iter().map(Message::plain).map(squeeze).collect();
            prop_assert_eq!(joined, squeeze(message.plain()));
        }
    }
}
