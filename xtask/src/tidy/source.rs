//! Rust text cut into what rules ask about: code without comments and literals, functions, tests.
//!
//! Not a parser. It is right on code that rustfmt has formatted and the compiler accepts.

use std::ops::RangeInclusive;

/// A Rust file, looked at.
#[derive(Debug)]
pub(crate) struct Source {
    lines: Vec<Line>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// As written.
    pub(super) text: String,
    /// With comments and the contents of literals blanked.
    pub(super) code: String,
    /// Belongs to a test.
    pub(super) is_test: bool,
}

/// Where a function begins and ends, counted from 0.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) lines: RangeInclusive<usize>,
}

impl Source {
    /// Looks at the file at `path`, which tells whether it holds nothing but tests.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = mask(text);
        let is_test = is_test_file(path);
        let line =
            |(text, code): (&str, &str)| Line { text: text.into(), code: code.into(), is_test };
        let mut source = Self { lines: text.lines().zip(code.lines()).map(line).collect() };
        for first in 0..source.lines.len() {
            if is_test_attribute(source.lines[first].code.trim()) {
                let last = source.end_of_item(first);
                source.lines[first..=last].iter_mut().for_each(|line| line.is_test = true);
            }
        }
        source
    }

    /// The lines with their numbers, from 1.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// All functions with a body, nested ones too.
    pub(super) fn functions(&self) -> Vec<Function> {
        let named = |(index, line): (usize, &Line)| {
            let after = find_word(&line.code, "fn")?;
            let rest = line.code[after..].trim_start();
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            let last = self.end_of_item(index);
            let has_body = self.lines[last].code.contains('}');
            (end > 0 && has_body)
                .then(|| Function { name: rest[..end].into(), lines: index..=last })
        };
        self.lines.iter().enumerate().filter_map(named).collect()
    }

    /// The line on which the item that begins on line `first` ends: at its closing brace, or at
    /// the first semicolon outside brackets.
    fn end_of_item(&self, first: usize) -> usize {
        let mut depth = 0i32;
        for (index, line) in self.lines.iter().enumerate().skip(first) {
            for c in line.code.chars() {
                match c {
                    '{' | '(' | '[' => depth += 1,
                    ')' | ']' => depth -= 1,
                    '}' => {
                        depth -= 1;
                        if depth <= 0 {
                            return index;
                        }
                    }
                    ';' if depth == 0 => return index,
                    _ => {}
                }
            }
        }
        self.lines.len() - 1
    }

    /// How many of these lines hold code.
    pub(super) fn code_lines_in(&self, lines: &RangeInclusive<usize>) -> usize {
        self.lines[lines.clone()].iter().filter(|line| line.has_code()).count()
    }

    /// The text above line `first` that belongs to it: attributes and comments.
    pub(super) fn above(&self, first: usize) -> impl Iterator<Item = &str> {
        let texts = self.lines[..first].iter().rev().map(|line| line.text.trim());
        texts.take_while(|text| text.starts_with("//") || text.starts_with("#["))
    }

    /// Lines of code outside tests.
    pub(crate) fn code_lines(&self) -> usize {
        self.lines.iter().filter(|line| line.has_code() && !line.is_test).count()
    }

    /// Lines of code in tests.
    pub(crate) fn test_lines(&self) -> usize {
        self.lines.iter().filter(|line| line.has_code() && line.is_test).count()
    }

    /// Lines that hold a comment and nothing else.
    pub(crate) fn comment_lines(&self) -> usize {
        self.lines.iter().filter(|line| !line.has_code() && !line.text.trim().is_empty()).count()
    }

    /// All lines outside tests, blank ones and comments too.
    pub(super) fn lines_outside_tests(&self) -> usize {
        self.lines.iter().filter(|line| !line.is_test).count()
    }
}

impl Line {
    fn has_code(&self) -> bool {
        !self.code.trim().is_empty()
    }
}

/// Whether a file holds nothing but tests.
pub(super) fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/benches/")
}

fn is_test_attribute(code: &str) -> bool {
    code.starts_with("#[cfg(test)]")
        || code.starts_with("#[test]")
        || code.starts_with("#[tokio::test")
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the text goes on behind `word`, if it stands there by itself.
pub(super) fn find_word(text: &str, word: &str) -> Option<usize> {
    text.match_indices(word).map(|(at, _)| (at, at + word.len())).find_map(|(from, to)| {
        let free = !text[..from].ends_with(is_word) && !text[to..].starts_with(is_word);
        free.then_some(to)
    })
}

/// The text with comments and the contents of literals blanked, line by line as long as before.
fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            masked.push(chars[at]);
            at += 1;
            continue;
        }
        let blanks = chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' });
        if chars[at] == '/' {
            masked.extend(blanks);
        } else {
            // A literal is code even when nothing of it shows: keep its first character.
            masked.push('"');
            masked.extend(blanks.skip(1));
        }
        at = end;
    }
    masked
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |ahead: usize| chars.get(at + ahead).copied();
    let begins_word = at == 0 || !is_word(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == Some('/') => line_end(chars, at),
        '/' if next(1) == Some('*') => comment_end(chars, at),
        '"' => quote_end(chars, at + 1, '"'),
        '\'' if next(1) == Some('\\') => quote_end(chars, at + 1, '\''),
        '\'' if next(2) == Some('\'') => at + 3,
        'r' if begins_word || at > 0 && matches!(chars[at - 1], 'b' | 'c') => raw_end(chars, at),
        _ => at,
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| at + length)
}

/// Block comments nest.
fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn quote_end(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `r"…"`, `r#"…"#`, and not a word that begins with an r.
fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes = |from: usize| {
        chars[from] == '"'
            && chars.len() > from + hashes
            && chars[from + 1..=from + hashes].iter().all(|&c| c == '#')
    };
    (open + 1..chars.len()).find(|&from| closes(from)).map_or(chars.len(), |end| end + hashes + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"
//! Essay with fn words() {
/* block /* nested */ fn no() {} */
fn one<'a>(x: &'a str) -> char {
    let s = "}\"}"; // }
    let r = r#"fn two() { "#;
    let c = ['{', '\'', '\\'];
    c[0]
}

trait T {
    fn declared(&self) -> [u8; 2];
    fn given(&self) {}
}

#[cfg(test)]
mod tests {
    #[test]
    fn three() {
        assert!(true);
    }
}

fn four() {}
"##;

    #[test]
    fn functions_are_found_between_strings_and_comments() {
        let source = Source::new("crates/a/src/x.rs", TEXT);
        let found = source.functions();
        let names: Vec<_> = found.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["one", "given", "three", "four"]);
        assert_eq!(found[0].lines, 3..=8);
        assert_eq!(source.code_lines_in(&found[0].lines), 6);
        assert_eq!(found[2].lines, 18..=20);
    }

    #[test]
    fn tests_are_told_from_code() {
        let source = Source::new("crates/a/src/x.rs", TEXT);
        let tests: Vec<_> = source.numbered().filter(|(_, l)| l.is_test).map(|(n, _)| n).collect();
        assert_eq!(tests, (16..=22).collect::<Vec<_>>());
        assert!(is_test_file("crates/a/tests/it/main.rs") && is_test_file("a/src/x/tests.rs"));
        assert!(!is_test_file("crates/a/src/latest.rs"));
    }

    #[test]
    fn masking_keeps_lines_and_code() {
        let masked = mask("let a = \"x\ny\"; // b\nlet r = radius;");
        assert_eq!(masked, "let a = \" \n  ;     \nlet r = radius;");
    }
}
