//! JSON that is walked once, where it lies: nothing is built, and what nobody asks for is skipped.
//!
//! It accepts what is JSON and some of what is not (a number such as `1-2`): it tells a message from
//! rubbish, and no more. Strings are given as they are written, escapes included.

/// How deep values may lie in each other; deeper ones do not read.
const MAX_DEPTH: u32 = 64;

/// A place in a text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        let byte = *self.bytes().get(self.at)?;
        if byte > b' ' { Some(byte) } else { self.peek_behind_space() }
    }

    #[cold]
    fn peek_behind_space(&mut self) -> Option<u8> {
        let rest = self.bytes().get(self.at..)?;
        let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += spaces.count();
        self.bytes().get(self.at).copied()
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Whether nothing follows but white space.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Whether an object begins here.
    pub(crate) fn is_object(&mut self) -> bool {
        self.peek() == Some(b'{')
    }

    /// The members of an object: `each` is given the name, and must read or skip the value.
    #[inline(always)]
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.name()?;
            each(self, name)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// The name of a member, and the colon behind it.
    #[inline(always)]
    fn name(&mut self) -> Option<&'a [u8]> {
        let bytes = self.bytes();
        // Names of one letter are the most of what venues send.
        if let Some([b'"', letter, b'"', b':']) = bytes.get(self.at..self.at + 4)
            && !matches!(letter, b'"' | b'\\')
        {
            self.at += 4;
            return Some(&bytes[self.at - 3..self.at - 2]);
        }
        let (from, to) = self.quoted()?;
        self.expect(b':')?;
        Some(&bytes[from..to])
    }

    /// Goes over a string; where it lies, without its quotation marks.
    #[inline(always)]
    fn quoted(&mut self) -> Option<(usize, usize)> {
        self.expect(b'"')?;
        let (bytes, start) = (self.bytes(), self.at);
        let mut at = start;
        loop {
            at += quote_or_escape(bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                self.at = at + 1;
                return Some((start, at));
            }
            // What an escape names is not looked at; a quotation mark behind it is no end.
            at += 2;
        }
    }

    /// A string as it is written.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        let (from, to) = self.quoted()?;
        self.text.get(from..to)
    }

    /// Goes over a value.
    #[inline(always)]
    pub(crate) fn pass(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.quoted().map(|_| ()),
            b'{' | b'[' => self.skip(),
            _ => self.word().map(|_| ()),
        }
    }

    /// The text of a string or a number, or of `true`, `false` and `null`; anything else is skipped,
    /// and is `""`.
    #[inline(always)]
    pub(crate) fn scalar(&mut self) -> Option<&'a str> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => self.skip().map(|()| ""),
            _ => self.word(),
        }
    }

    /// A number, or one of the three words.
    #[inline(always)]
    fn word(&mut self) -> Option<&'a str> {
        let (bytes, start) = (self.bytes(), self.at);
        let first = *bytes.get(start)?;
        if NUMBER[usize::from(first)] {
            let mut at = start + 1;
            while bytes.get(at).is_some_and(|byte| NUMBER[usize::from(*byte)]) {
                at += 1;
            }
            self.at = at;
            return self.text.get(start..at);
        }
        let rest = self.text.get(start..)?;
        let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word))?;
        self.at += word.len();
        rest.get(..word.len())
    }

    /// Any value, however deep it goes.
    pub(crate) fn skip(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        loop {
            match self.peek()? {
                b'"' => self.quoted().map(|_| ())?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    if depth > MAX_DEPTH {
                        return None;
                    }
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                _ => self.word().map(|_| ())?,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// The bytes that numbers are made of.
const NUMBER: [bool; 256] = {
    let (mut table, mut i) = ([false; 256], 0);
    let parts = b"0123456789+-.eE";
    while i < parts.len() {
        table[parts[i] as usize] = true;
        i += 1;
    }
    table
};

/// How far the next quotation mark or backslash is; `None` where none follows. Sixteen bytes at a time:
/// a byte that equals the one looked for is zero after XOR, and only zero bytes borrow from their
/// neighbour so that their highest bit, clear before, is set.
#[inline(always)]
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    const LOW: u128 = u128::from_le_bytes([0x01; 16]);
    const HIGH: u128 = u128::from_le_bytes([0x80; 16]);
    let mut at = 0;
    while let Some(some) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let word = u128::from_le_bytes(*some);
        let (quote, escape) = (word ^ (LOW * 0x22), word ^ (LOW * 0x5c));
        let quotes = quote.wrapping_sub(LOW) & !quote & HIGH;
        let escapes = escape.wrapping_sub(LOW) & !escape & HIGH;
        let found = quotes | escapes;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 16;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|i| at + i)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn reads(text: &str) -> bool {
        let mut cursor = Cursor::new(text);
        cursor.skip().is_some() && cursor.is_at_end()
    }

    #[test]
    fn what_is_no_json_does_not_read() {
        for text in ["", "{", "[1,2", "\"open", "}", "{\"a\":\"b}", "nul", "hello", "<html>"] {
            assert!(!reads(text), "{text}");
        }
        assert!(!reads(&"[".repeat(100_000)), "and costs no stack");
    }

    #[test]
    fn members_are_given_in_their_order_and_the_rest_is_skipped() {
        let text = r#" {"a" : "x\"y", "b":[1,{"a":"}"}], "c":-1.5e+3,"d":{"e":7}, "f":null} "#;
        let mut said = Vec::new();
        let mut cursor = Cursor::new(text);
        cursor.object(|cursor, name| {
            let value = if name == b"d" {
                let mut inner = "";
                cursor.object(|cursor, _| cursor.scalar().map(|value| inner = value))?;
                inner
            } else {
                cursor.scalar()?
            };
            said.push(format!("{}={value}", String::from_utf8_lossy(name)));
            Some(())
        });
        assert!(cursor.is_at_end());
        assert_eq!(said, ["a=x\\\"y", "b=", "c=-1.5e+3", "d=7", "f=null"]);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,9}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_json_reads_and_what_is_cut_off_does_not(value in json(), at in 0_usize..400) {
            let text = value.to_string();
            prop_assert!(reads(&text));
            if value.is_object() && at < text.len() && text.is_char_boundary(at) {
                prop_assert!(!reads(&text[..at]));
            }
        }
    }
}
