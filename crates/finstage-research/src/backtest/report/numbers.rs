//! Numbers as people read them, and text that HTML cannot misread.

use std::fmt::{self, Write as _};

/// Text with the characters replaced that mean something in HTML.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                letter if letter.is_control() => f.write_char(' ')?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// A number with thousands parted by a thin space: `12 345.60`.
pub(crate) fn amount(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut parted = String::with_capacity(text.len() + 8);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && value.is_finite() {
            parted.push('\u{202f}');
        }
        parted.push(digit);
    }
    if !fraction.is_empty() {
        parted.push('.');
        parted.push_str(fraction);
    }
    // A value that rounds to nothing has no sign.
    let is_zero = text.bytes().all(|b| b == b'0' || b == b'.');
    if value < 0.0 && !is_zero { format!("−{parted}") } else { parted }
}

/// Percent with its sign: `+12.34 %`.
pub(crate) fn percent(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{} %", amount(value, 2))
}

/// A value, or a dash where it is undefined.
pub(super) fn maybe(value: Option<f64>, words: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), words)
}

/// A price or quantity: at most eight digits, no zeros at the end.
pub(super) fn price(value: f64) -> String {
    amount(value, decimals(value))
}

/// The decimals that a price or quantity needs, so that a column can be written with the same.
pub(super) fn decimals(value: f64) -> usize {
    let whole_digits = if value.abs() >= 1.0 { value.abs().log10() as usize + 1 } else { 0 };
    let text = format!("{:.*}", 8usize.saturating_sub(whole_digits), value);
    text.trim_end_matches('0').split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_parted_and_signed() {
        assert_eq!(amount(1_234_567.891, 2), "1\u{202f}234\u{202f}567.89");
        assert_eq!(amount(-999.5, 1), "−999.5");
        assert_eq!(amount(-0.001, 2), "0.00");
        assert_eq!(percent(0.126), "+0.13 %");
        assert_eq!(percent(-3.0), "−3.00 %");
        assert_eq!(maybe(None, percent), "–");
    }

    #[test]
    fn prices_keep_eight_digits() {
        assert_eq!(price(1.08977), "1.08977");
        assert_eq!(price(1184.73999), "1\u{202f}184.74");
        assert_eq!(price(0.000_040_2), "0.0000402");
        assert_eq!(price(46_821.75), "46\u{202f}821.75");
        assert_eq!(price(1_000.0), "1\u{202f}000");
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(Escaped("<b a='1'>&\"").to_string(), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;");
    }
}
