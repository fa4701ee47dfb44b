//! News as it reached the house, and what was made of it.

use serde::{Deserialize, Serialize};

use crate::{DocumentId, Symbol, Timestamp};

/// A headline with what belongs to it, as it was first seen. When that was is the moment of receipt of
/// the event that brings it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its identity.
    pub id: DocumentId,
    /// The feed that had it first, by its name in the settings.
    pub feed: String,
    /// The headline, without markup and at most [`Document::MAX_TITLE`] bytes.
    pub title: String,
    /// A few sentences, without markup and at most [`Document::MAX_SUMMARY`] bytes; may be empty.
    pub summary: String,
    /// Where it can be read; empty where the feed does not say.
    pub link: String,
    /// Who printed it; empty where the feed does not say.
    pub source: String,
    /// When it was printed, as the feed says; often late, wrong, or missing.
    pub published: Option<Timestamp>,
    /// Instruments that it names, at most [`Document::MAX_SYMBOLS`].
    pub symbols: Vec<Symbol>,
}

impl Document {
    /// The longest headline, in bytes.
    pub const MAX_TITLE: usize = 400;
    /// The longest summary, in bytes.
    pub const MAX_SUMMARY: usize = 2_000;
    /// The most instruments that a document is about.
    pub const MAX_SYMBOLS: usize = 8;
}

/// What was read in a [`Document`], by rules or by a model. A replay takes it as it was said then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insight {
    /// The document.
    pub document: DocumentId,
    /// When this was known: nothing before may follow from it. At a new day insights are told again,
    /// and keep this moment.
    pub known_at: Timestamp,
    /// Who read it: `lexicon`, or the name of a model.
    pub by: String,
    /// The instruments that it is about.
    pub symbols: Vec<Symbol>,
    /// How it sounds, from -1 to 1.
    pub score: f64,
    /// The score with the weight of urgency and of words about markets; see the guide on news.
    pub impact: f64,
    /// How sure the reader is, from 0 to 1.
    pub confidence: f64,
}

impl Insight {
    /// Beyond this absolute impact a document is sensitive.
    pub const SENSITIVE: f64 = 0.5;

    /// The label of the score.
    #[must_use]
    pub fn tone(&self) -> Tone {
        Tone::of_score(self.score)
    }

    /// Whether it may move a market: its absolute impact is more than [`Insight::SENSITIVE`].
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.impact.abs() > Self::SENSITIVE
    }
}

/// How a document sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// A score of at least 0.05.
    Positive,
    /// In between.
    Neutral,
    /// A score of at most -0.05.
    Negative,
}

impl Tone {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Positive, Self::Neutral, Self::Negative];
    /// The score from which on, and below whose negative, a document has a tone.
    pub const EDGE: f64 = 0.05;

    /// The label of a score; what is no number is neutral.
    #[must_use]
    pub fn of_score(score: f64) -> Self {
        if score >= Self::EDGE {
            Self::Positive
        } else if score <= -Self::EDGE {
            Self::Negative
        } else {
            Self::Neutral
        }
    }

    /// The word: `positive`, `neutral`, `negative`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Neutral => "neutral",
            Self::Negative => "negative",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_a_tone_belong_to_it() {
        let tones = [0.05, 0.049, 0.0, -0.049, -0.05, f64::NAN].map(Tone::of_score);
        use Tone::{Negative, Neutral, Positive};
        assert_eq!(tones, [Positive, Neutral, Neutral, Neutral, Negative, Neutral]);
    }
}
