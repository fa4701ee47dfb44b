//! How a text sounds: VADER's rules and words, and a few words of markets.
//!
//! The rules are those of Hutto and Gilbert (2014) as `vaderSentiment` 3.3.2 has them, quirks included: scores
//! of [`Lexicon::plain`] equal that package's. [`Lexicon::markets`] knows the words of `markets.tsv` as well.

mod rules;

use std::collections::HashMap;
use std::sync::LazyLock;

use finstage_model::{Document, Insight, Timestamp};

const VADER: &str = include_str!("lexicon/vader.tsv");
const EMOJI: &str = include_str!("lexicon/emoji.tsv");
const MARKETS: &str = include_str!("lexicon/markets.tsv");

/// The longest text that is looked at, in bytes.
const MAX_TEXT: usize = Document::MAX_TITLE + Document::MAX_SUMMARY + 2;
/// The longest Korean word that others begin with, in characters.
const LONGEST_STEM: usize = 4;
/// The weight of a text that is urgent, and of one that has words of markets.
const URGENT: f64 = 1.3;
const OF_MARKETS: f64 = 1.2;
/// The least confidence.
const LEAST_CONFIDENCE: f64 = 0.3;

/// Words and what they weigh.
#[derive(Debug)]
pub struct Lexicon {
    words: HashMap<&'static str, f64>,
    emoji: &'static HashMap<char, &'static str>,
    kinds: HashMap<&'static str, Kind>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Kind {
    is_of_markets: bool,
    is_urgent: bool,
}

/// Shares and the sum of the tones of a text.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Valence {
    /// From -1 to 1.
    pub compound: f64,
    /// The share that sounds good, 0 to 1.
    pub positive: f64,
    /// The share without a tone, 0 to 1.
    pub neutral: f64,
    /// The share that sounds bad, 0 to 1.
    pub negative: f64,
}

/// What was read in a text.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// How it sounds.
    pub valence: Valence,
    /// The compound, times 1.3 where the text is urgent, times 1.2 where it has words of markets.
    pub impact: f64,
    /// 1 less the neutral share; at least 0.3.
    pub confidence: f64,
}

impl Lexicon {
    /// What insights name as their reader.
    pub const NAME: &'static str = "lexicon";

    /// VADER alone.
    #[must_use]
    pub fn plain() -> &'static Self {
        static PLAIN: LazyLock<Lexicon> = LazyLock::new(|| Lexicon {
            words: rows(VADER)
                .filter_map(|(word, rest)| Some((word, rest.parse().ok()?)))
                .collect(),
            emoji: emoji(),
            kinds: HashMap::new(),
        });
        &PLAIN
    }

    /// VADER and the words of markets, English and Korean.
    #[must_use]
    pub fn markets() -> &'static Self {
        static MARKET: LazyLock<Lexicon> = LazyLock::new(|| {
            let (mut words, mut kinds) = (Lexicon::plain().words.clone(), HashMap::new());
            for (word, rest) in rows(MARKETS).filter(|(word, _)| !word.starts_with("# ")) {
                let (valence, kind) = rest.split_once('\t').unwrap_or((rest, ""));
                words.insert(word, valence.parse().unwrap_or(0.0));
                let is = |letter| kind.contains(letter);
                kinds.insert(word, Kind { is_of_markets: is('f'), is_urgent: is('u') });
            }
            Lexicon { words, emoji: emoji(), kinds }
        });
        &MARKET
    }

    /// How a text sounds.
    #[must_use]
    pub fn valence(&self, text: &str) -> Valence {
        rules::valence(self, &text[..text.floor_char_boundary(MAX_TEXT)])
    }

    /// What a reader of markets makes of it.
    #[must_use]
    pub fn read(&self, text: &str) -> Reading {
        let valence = self.valence(text);
        Reading {
            valence,
            impact: valence.compound * self.urgency(text),
            confidence: (1.0 - valence.neutral).max(LEAST_CONFIDENCE),
        }
    }

    /// What a score of a document is multiplied with for its impact: 1.3 where it is urgent, 1.2 where it
    /// has words of markets.
    #[must_use]
    pub fn weight_of(&self, document: &Document) -> f64 {
        self.urgency(&text_of(document))
    }

    fn urgency(&self, text: &str) -> f64 {
        let (mut of_markets, mut urgent) = (1.0, 1.0);
        for word in rules::words(text) {
            let word = word.to_lowercase();
            let kind = self.kinds.get(word.as_str()).or_else(|| self.kinds.get(self.stem(&word)?));
            let kind = kind.copied().unwrap_or_default();
            if kind.is_of_markets {
                of_markets = OF_MARKETS;
            }
            if kind.is_urgent {
                urgent = URGENT;
            }
        }
        urgent * of_markets
    }

    /// An insight into a document, known at `known_at`.
    #[must_use]
    pub fn insight(&self, document: &Document, known_at: Timestamp) -> Insight {
        let Document { id, symbols, .. } = document;
        let reading = self.read(&text_of(document));
        Insight {
            document: *id,
            known_at,
            by: Self::NAME.to_owned(),
            symbols: symbols.clone(),
            score: reading.valence.compound,
            impact: reading.impact,
            confidence: reading.confidence,
        }
    }

    /// The valence of a word in small letters.
    fn weight(&self, word: &str) -> Option<f64> {
        self.words.get(word).or_else(|| self.words.get(self.stem(word)?)).copied()
    }

    /// The Korean word of markets that a word begins with: what follows are endings.
    fn stem(&self, word: &str) -> Option<&'static str> {
        if self.kinds.is_empty() || !word.starts_with(|c| matches!(c, '가'..='힣')) {
            return None;
        }
        let mut ends = word.char_indices().map(|(at, c)| at + c.len_utf8()).take(LONGEST_STEM);
        let known = |end| self.kinds.get_key_value(&word[..end]).map(|(stem, _)| *stem);
        ends.find_map(known)
    }
}

/// Headline and text as one. Nothing is put between them: beside a sign, or a word of two letters, a full stop
/// would make another word of it (`OK` is one, `OK.` is not).
fn text_of(document: &Document) -> String {
    format!("{} {}", document.title.trim_end(), document.summary)
}

fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with("#!")).filter_map(|line| line.split_once('\t'))
}

fn emoji() -> &'static HashMap<char, &'static str> {
    static SIGNS: LazyLock<HashMap<char, &'static str>> = LazyLock::new(|| {
        rows(EMOJI).filter_map(|(sign, words)| Some((sign.chars().next()?, words))).collect()
    });
    &SIGNS
}

#[cfg(test)]
mod tests;
