//! From text to words: numbers, names and signs, each with its place.

use std::ops::Range;

use super::error::ExpressionError;

/// One word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Number(f64),
    /// In lower case.
    Name(String),
    Sign(&'static str),
    End,
}

/// The signs, longer ones before their beginnings.
const SIGNS: [&str; 15] =
    ["<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", ",", ".", "="];

/// Signs of other languages, and what to write.
const FOREIGN: [(&str, &str); 6] = [
    ("&&", "write \"and\""),
    ("||", "write \"or\""),
    ("!", "write \"not\""),
    ("%", "write the fraction, 0.02 for 2 percent"),
    ("^", "multiply instead"),
    ("[", "write prev(x, n) for the value n bars ago"),
];

/// The words of `text`; the last one is its end.
pub(super) fn words(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        if first.is_whitespace() {
            start += first.len_utf8();
            continue;
        }
        let rest = &text[start..];
        let (kind, length) = if first.is_ascii_digit() {
            number(text, start)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = run(rest, |b| b.is_ascii_alphanumeric() || b == b'_');
            (TokenKind::Name(rest[..length].to_ascii_lowercase()), length)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (TokenKind::Sign(sign), sign.len())
        } else {
            let foreign = FOREIGN.iter().find(|(sign, _)| rest.starts_with(sign));
            let length = foreign.map_or(first.len_utf8(), |(sign, _)| sign.len());
            let hint = foreign.map_or(String::new(), |(_, hint)| format!("; {hint}"));
            let message = format!("\"{}\" is no sign of this language{hint}", &rest[..length]);
            return Err(ExpressionError::new(text, start..start + length, message));
        };
        tokens.push(Token { kind, at: start..start + length });
        start += length;
    }
    tokens.push(Token { kind: TokenKind::End, at: text.len()..text.len() });
    Ok(tokens)
}

/// A number that begins at `start`, and its length: `14`, `1.5`, `2e-3`.
fn number(text: &str, start: usize) -> Result<(TokenKind, usize), ExpressionError> {
    let rest = &text[start..];
    let digits = |from: usize| run(&rest[from..], |b| b.is_ascii_digit());
    let mut length = digits(0);
    if rest[length..].starts_with('.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if rest[length..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    match rest[..length].parse::<f64>() {
        Ok(value) if value <= MAX_NUMBER => Ok((TokenKind::Number(value), length)),
        _ => {
            let message = format!("a number is at most {MAX_NUMBER:e}");
            Err(ExpressionError::new(text, start..start + length, message))
        }
    }
}

/// The greatest number that can be written.
const MAX_NUMBER: f64 = 1e15;

/// How many bytes of the beginning are of a kind.
fn run(text: &str, is_kind: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&b| is_kind(b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_kinds_and_places() {
        let kinds: Vec<TokenKind> =
            words("RSI(14) <= 2.5e1\n.x").unwrap().into_iter().map(|token| token.kind).collect();
        let name = |text: &str| TokenKind::Name(text.into());
        let expected = [
            name("rsi"),
            TokenKind::Sign("("),
            TokenKind::Number(14.0),
            TokenKind::Sign(")"),
            TokenKind::Sign("<="),
            TokenKind::Number(25.0),
            TokenKind::Sign("."),
            name("x"),
            TokenKind::End,
        ];
        assert_eq!(kinds, expected);
        assert_eq!(words("ab  <x").unwrap()[1].at, 4..5);
    }

    #[test]
    fn a_foreign_sign_is_named_with_what_to_write() {
        let refused = |text: &str| words(text).unwrap_err().to_string();
        assert_eq!(
            refused("a && b"),
            "line 1, column 3: \"&&\" is no sign of this language; write \"and\"\n  | a && b\n  |   ^^"
        );
        assert!(refused("close\n> €").starts_with("line 2, column 3: \"€\" is no sign"));
        assert!(refused("close > 1e99").contains("a number is at most 1e15"));
    }
}
