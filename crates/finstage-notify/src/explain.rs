//! Plain words beside an alert, from somebody who can write but may not invent.
//!
//! Whoever explains, a language model say, is shown the lines that people read anyway, and nothing
//! else. What it writes goes out only where [`checked`] finds no figure that is not in those lines, no
//! advice, no promise and no address. A text that is not fit is left out, and the alert goes as it is: the
//! proof never waits for prose.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use finstage_model::Alert;

use crate::message::clean;

/// The longest that an alert waits for words; then it goes without them.
pub const MAX_EXPLAIN: Duration = Duration::from_secs(10);
/// The most characters of an explanation; a longer one is not fit.
pub const MAX_NOTE_CHARS: usize = 400;

/// A future of words, where there are any.
pub type Explained<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

/// Puts an alert into plain words.
pub trait Explain: Send + Sync + fmt::Debug {
    /// Words that passed [`checked`], or `None`. It is dropped after [`MAX_EXPLAIN`].
    fn explain<'a>(&'a self, alert: &'a Alert) -> Explained<'a>;
}

/// Why an explanation is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// There is none.
    Empty,
    /// It is longer than [`MAX_NOTE_CHARS`].
    Long,
    /// A figure that is not in the lines, with its sign and its unit.
    Figure(String),
    /// A figure in letters, or in digits that are not 0 to 9: it cannot be compared.
    Unread(String),
    /// Advice or a promise.
    Advice(String),
    /// An address, or markup.
    Address,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("says nothing"),
            Self::Long => write!(f, "is longer than {MAX_NOTE_CHARS} characters"),
            Self::Figure(figure) => write!(f, "has {figure}, which the alert does not have"),
            Self::Unread(word) => write!(f, "has \"{word}\", a figure that cannot be compared"),
            Self::Advice(word) => write!(f, "says \"{word}\", which is advice or a promise"),
            Self::Address => f.write_str("has an address or markup"),
        }
    }
}

/// Words that are figures, however they are meant.
const FIGURES: [&str; 33] = [
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty",
    "ninety", "hundred", "thousand", "million", "billion", "dozen", "half", "third", "quarter",
    "double", "twice", "triple", "thrice",
];
/// Words that tell people what to do, or what is going to happen.
const ADVICE: [&str; 14] = [
    "buy",
    "buying",
    "sell",
    "selling",
    "should",
    "must",
    "will",
    "recommend",
    "recommended",
    "guarantee",
    "guaranteed",
    "certain",
    "certainly",
    "advice",
];

/// The text as it may be sent beside `facts`, the lines of the alert: one line of plain words whose every
/// figure stands in them.
///
/// # Errors
/// The first reason against it.
pub fn checked(text: &str, facts: &[String]) -> Result<String, Unfit> {
    let text = clean(text, usize::MAX);
    if text.is_empty() {
        return Err(Unfit::Empty);
    }
    if text.chars().count() > MAX_NOTE_CHARS {
        return Err(Unfit::Long);
    }
    let lower = text.to_lowercase();
    if ["://", "www.", "<", ">", "@", "](", "`"].iter().any(|sign| lower.contains(sign)) {
        return Err(Unfit::Address);
    }
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if FIGURES.contains(&word) || word.chars().any(|c| c.is_numeric() && !c.is_ascii_digit()) {
            return Err(Unfit::Unread(word.to_owned()));
        }
        if ADVICE.contains(&word) {
            return Err(Unfit::Advice(word.to_owned()));
        }
    }
    let known: Vec<Figure> = facts.iter().flat_map(|line| figures(line)).collect();
    match figures(&text).into_iter().find(|figure| !known.contains(figure)) {
        Some(figure) => Err(Unfit::Figure(figure.to_string())),
        None => Ok(text),
    }
}

/// A figure as it is written, without what does not change it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Figure {
    is_negative: bool,
    /// Digits and a point, no zeros at the end behind it, none too many in front.
    digits: String,
    is_percent: bool,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        let unit = if self.is_percent { " %" } else { "" };
        write!(f, "{sign}{}{unit}", self.digits)
    }
}

/// All figures of a text: digits with points or commas between them.
fn figures(text: &str) -> Vec<Figure> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if !chars[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let goes_on = |at: usize| match chars.get(at) {
            Some(c) if c.is_ascii_digit() => true,
            Some('.' | ',') => chars.get(at + 1).is_some_and(char::is_ascii_digit),
            _ => false,
        };
        while goes_on(at) {
            at += 1;
        }
        let before = |back: usize| start.checked_sub(back).map(|place| chars[place]);
        let is_negative = before(1).is_some_and(|c| matches!(c, '-' | '−' | '–'))
            && before(2).is_none_or(|c| !c.is_alphanumeric() && c != '%');
        let rest: String = chars[at..].iter().take(9).collect();
        let rest = rest.trim_start();
        found.push(Figure {
            is_negative,
            digits: plain_digits(&chars[start..at]),
            is_percent: rest.starts_with('%') || rest.starts_with("percent"),
        });
    }
    found
}

/// A comma parts thousands: that is how all our own lines are written.
fn plain_digits(written: &[char]) -> String {
    let digits: String = written.iter().filter(|c| **c != ',').collect();
    let digits = match digits.split_once('.') {
        // Several points are a date or a version, and compared as they stand.
        Some((_, part)) if !part.contains('.') => {
            digits.trim_end_matches('0').trim_end_matches('.')
        }
        _ => digits.as_str(),
    };
    let trimmed = digits.trim_start_matches('0');
    match trimmed.chars().next() {
        Some(c) if c.is_ascii_digit() => trimmed.to_owned(),
        _ => format!("0{trimmed}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> Vec<String> {
        [
            "▲ bullish golden_cross(fast=50,slow=200)",
            "binance:BTCUSDT at 61,250.10 USDT, 1h bars",
            "Separate occasions: 212 (signals: 240). After 1d 61.2 % had gone this way (95 %: 55 % to 67 %)",
            "Mean after costs −0.30 %, against random entry +0.54 %; q 0.012",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn check(text: &str) -> Result<String, Unfit> {
        checked(text, &facts())
    }

    #[test]
    fn figures_of_the_alert_may_be_repeated_as_they_are_usually_written() {
        for text in [
            "The 50 average rose above the 200 average at 61250.1; on 212 occasions 61.2% went this way.",
            "Against random entry it was 0.54 percent better, after costs -0.3 %.",
            "Its q is 0.0120, on 1h bars.",
            "Between 55 % and 67 % of the time.",
        ] {
            assert_eq!(check(text), Ok(text.to_owned()), "{:?}", figures(text));
        }
        assert_eq!(check("  On\n212 occasions. "), Ok("On 212 occasions.".into()));
    }

    #[test]
    fn a_figure_that_the_alert_does_not_have_is_refused() {
        for (text, figure) in [
            ("On 213 occasions", "213"),
            ("61.2 occasions", "61.2"),
            ("costs left 0.30 %", "0.3 %"),
            ("against random entry -0.54 %", "-0.54 %"),
            ("q of 12", "12"),
            ("the price of 61.250", "61.25"),
        ] {
            assert_eq!(check(text), Err(Unfit::Figure(figure.into())), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for word in ["twice", "half", "½", "٢١٢", "hundred"] {
            assert_eq!(check(&format!("It rose {word} so")), Err(Unfit::Unread(word.into())));
        }
    }

    #[test]
    fn advice_promises_addresses_and_markup_are_refused() {
        assert_eq!(check("Buy now"), Err(Unfit::Advice("buy".into())));
        assert_eq!(check("It will rise"), Err(Unfit::Advice("will".into())));
        for text in
            ["see https://x.example", "<b>up</b>", "ask @someone", "[up](x)", "www.x.example"]
        {
            assert_eq!(check(text), Err(Unfit::Address), "{text}");
        }
        assert_eq!(check(" \n"), Err(Unfit::Empty));
        assert_eq!(check(&"a ".repeat(MAX_NOTE_CHARS)), Err(Unfit::Long));
    }

    proptest! {
        #[test]
        fn one_digit_more_or_another_one_is_always_noticed(place in 0..3_usize, digit in 0..10_u8) {
            let written = "212";
            let mut other = written.to_owned();
            other.replace_range(place..=place, &digit.to_string());
            let told = format!("on {other} occasions");
            prop_assert_eq!(check(&told).is_ok(), other == written);
            let longer = format!("{written}{digit}");
            let told = format!("on {longer} occasions");
            prop_assert!(check(&told).is_err());
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = check(&text);
        }
    }
}
