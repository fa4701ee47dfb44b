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

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    #[inline]
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
    #[inline]
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.expect(b':')?;
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

    /// A string as it is written.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let (bytes, start) = (self.bytes(), self.at);
        let mut at = start;
        loop {
            at += quote_or_escape(bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                self.at = at + 1;
                return self.text.get(start..at);
            }
            // What an escape names is not looked at; a quotation mark behind it is no end.
            at += 2;
        }
    }

    /// The text of a string or a number, or of `true`, `false` and `null`; anything else is skipped,
    /// and is `""`.
    #[inline]
    pub(crate) fn scalar(&mut self) -> Option<&'a str> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => self.skip().map(|()| ""),
            _ => self.word(),
        }
    }

    #[inline]
    fn word(&mut self) -> Option<&'a str> {
        let (bytes, start) = (self.bytes(), self.at);
        let is_part =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
        let length = bytes[start..].iter().take_while(is_part).count();
        let word = self.text.get(start..start + length)?;
        let is_value = match *word.as_bytes().first()? {
            b'-' | b'0'..=b'9' => true,
            _ => matches!(word, "true" | "false" | "null"),
        };
        self.at += length;
        is_value.then_some(word)
    }

    /// Any value, however deep it goes.
    pub(crate) fn skip(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        loop {
            match self.peek()? {
                b'"' => self.string().map(|_| ())?,
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

/// How far the next quotation mark or backslash is; `None` where none follows. Eight bytes at a time:
/// a byte that equals the one looked for is zero after XOR, and only zero bytes borrow from their
/// neighbour so that their highest bit, clear before, is set.
#[inline]
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let (quote, escape) = (word ^ (LOW * 0x22), word ^ (LOW * 0x5c));
        let quotes = quote.wrapping_sub(LOW) & !quote & HIGH;
        let escapes = escape.wrapping_sub(LOW) & !escape & HIGH;
        let found = quotes | escapes;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
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
            let value = if name == "d" {
                let mut inner = "";
                cursor.object(|cursor, _| cursor.scalar().map(|value| inner = value))?;
                inner
            } else {
                cursor.scalar()?
            };
            said.push(format!("{name}={value}"));
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
