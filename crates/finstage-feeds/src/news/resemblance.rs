//! Whether two documents tell the same story in slightly other words.
//!
//! *Resemblance* is that of A. Z. Broder, *On the resemblance and containment of documents*, 1997: the share of
//! words (of the text below, of runs of three words) that two texts have in common among all that either
//! has. Documents of one instrument are few, so it is counted and not estimated by sketches. Two documents
//! tell the same story where
//!
//! 1. they are about an instrument in common and were printed within 48 hours;
//! 2. neither headline has a number that contradicts the other's: "up 5 %" is another story than "up 7 %",
//!    Q2 another than Q3;
//! 3. their headlines resemble each other by [`SAME_TITLE`], or their texts by [`SAME_TEXT`] and their
//!    headlines by [`LIKE_TITLE`];
//! 4. they do not sound opposite: one word makes "rises" of "falls".
//!
//! Of 40 pairs of headlines that were written for it (`pairs.tsv`), and that the bounds were chosen by, 17 of the
//! 20 that are one story are found, and one of the other 20 is taken for one: "opens a plant", "shuts a plant".

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use finstage_model::{Document, DocumentId, IdHasher, Symbol, Timestamp, Tone};

use super::lexicon::Lexicon;
use super::shelf::SAME_STORY;
use super::title::normal;

/// Headlines with so many of their words in common are the same.
pub const SAME_TITLE: f64 = 0.6;
/// Texts with so many of their runs of three words in common are the same.
pub const SAME_TEXT: f64 = 0.4;
/// What headlines of the same text have in common at least.
pub const LIKE_TITLE: f64 = 0.1;
/// The most documents of an instrument among which a story is looked for: an engine hears no more.
pub const MAX_COMPARED: usize = 64;
/// Words in a run.
const RUN: usize = 3;
/// Headlines and texts of fewer words say too little to be compared.
const LEAST_WORDS: usize = 4;
const LEAST_RUNS: usize = 6;

/// What is compared of a document.
#[derive(Debug)]
struct Gist {
    story: DocumentId,
    printed: Timestamp,
    title: String,
    words: BTreeSet<u64>,
    numbers: BTreeSet<String>,
    runs: BTreeSet<u64>,
}

/// The newest documents of every instrument.
#[derive(Debug, Default)]
pub(super) struct Stories {
    by_symbol: HashMap<Symbol, VecDeque<Arc<Gist>>>,
}

impl Stories {
    /// The story that a document tells once more, if any; it is remembered in any case.
    pub(super) fn see(&mut self, document: &Document, printed: Timestamp) -> Option<DocumentId> {
        let gist = Gist::of(document, printed);
        let of = |symbol: &Symbol| self.by_symbol.get(symbol).into_iter().flatten().rev();
        let same = document.symbols.iter().flat_map(of).find(|other| gist.is_same(other));
        let story = same.map(|other| other.story);
        self.keep(document, Gist { story: story.unwrap_or(document.id), ..gist });
        story
    }

    /// Remembers a document of an earlier process, and the story that it tells.
    pub(super) fn recall(&mut self, document: &Document, printed: Timestamp, story: DocumentId) {
        let gist = Gist::of(document, printed);
        self.keep(document, Gist { story, ..gist });
    }

    fn keep(&mut self, document: &Document, gist: Gist) {
        let gist = Arc::new(gist);
        for symbol in &document.symbols {
            let all = self.by_symbol.entry(symbol.clone()).or_default();
            if all.len() >= MAX_COMPARED {
                all.pop_front();
            }
            all.push_back(Arc::clone(&gist));
        }
    }
}

impl Gist {
    fn of(document: &Document, printed: Timestamp) -> Self {
        let (title, text) = (normal(&document.title), normal(&document.summary));
        let hash = |words: &[&str]| {
            words.iter().fold(IdHasher::new(), |hash, word| hash.text(word)).finish() as u64
        };
        let words: Vec<&str> = title.split(' ').filter(|word| !word.is_empty()).collect();
        let below: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let is_number = |word: &&&str| word.contains(|c: char| c.is_ascii_digit());
        Self {
            story: document.id,
            printed,
            words: words.iter().map(|word| hash(&[word])).collect(),
            numbers: words.iter().filter(is_number).map(|word| (*word).to_owned()).collect(),
            runs: below.windows(RUN).map(hash).collect(),
            title: document.title.clone(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        let apart = self.printed.since(other.printed).max(other.printed.since(self.printed));
        if apart > SAME_STORY || self.contradicts(other) {
            return false;
        }
        let title = resemblance(&self.words, &other.words, LEAST_WORDS);
        let text = || resemblance(&self.runs, &other.runs, LEAST_RUNS);
        let is_like = title >= SAME_TITLE || (title >= LIKE_TITLE && text() >= SAME_TEXT);
        is_like && !self.sounds_opposite(other)
    }

    fn contradicts(&self, other: &Self) -> bool {
        let (one, two) = (&self.numbers, &other.numbers);
        !one.is_subset(two) && !two.is_subset(one)
    }

    fn sounds_opposite(&self, other: &Self) -> bool {
        let tone = |one: &Self| Tone::of_score(Lexicon::markets().valence(&one.title).compound);
        matches!(
            (tone(self), tone(other)),
            (Tone::Positive, Tone::Negative) | (Tone::Negative, Tone::Positive)
        )
    }
}

/// The share of members in common; 0 where either has fewer than `least`.
fn resemblance(one: &BTreeSet<u64>, two: &BTreeSet<u64>, least: usize) -> f64 {
    if one.len() < least || two.len() < least {
        return 0.0;
    }
    let common = one.intersection(two).count();
    common as f64 / (one.len() + two.len() - common) as f64
}

#[cfg(test)]
mod tests;
