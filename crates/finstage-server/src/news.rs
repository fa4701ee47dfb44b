//! A document as lists have it.

use finstage_model::{DocumentId, Symbol, Timestamp, Tone};
use finstage_store::records::DocumentRow;
use serde::Serialize;

/// A document in a list, with what was read in it.
#[derive(Debug, Clone, Serialize)]
pub struct NewsItem {
    /// Its name.
    pub id: DocumentId,
    /// When it reached us.
    pub at: Timestamp,
    /// When it was printed, as the feed says.
    pub published: Option<Timestamp>,
    /// The headline.
    pub title: String,
    /// The headline in the language of the settings.
    pub translated: Option<String>,
    /// What stands below it.
    pub summary: String,
    /// Where it can be read.
    pub link: String,
    /// Who printed it.
    pub source: String,
    /// The feed that had it first.
    pub feed: String,
    /// How many feeds had it.
    pub sources: u32,
    /// The document that told the same story before, in other words: this one moves no score.
    pub story: Option<DocumentId>,
    /// What it is about.
    pub symbols: Vec<Symbol>,
    /// How it sounds.
    pub tone: Option<Tone>,
    /// The same as a number from -1 to 1.
    pub score: Option<f64>,
    /// With the weight of urgency and of words of markets.
    pub impact: Option<f64>,
    /// Whether it may move a market.
    pub sensitive: Option<bool>,
    /// How sure its reader is, from 0 to 1.
    pub confidence: Option<f64>,
    /// Who read it.
    pub read_by: Option<String>,
    /// When that was known.
    pub known_at: Option<Timestamp>,
}

impl From<DocumentRow> for NewsItem {
    fn from(row: DocumentRow) -> Self {
        let DocumentRow { document, seen_at, sources, translated, story, insight } = row;
        let read = insight.as_ref();
        Self {
            id: document.id,
            at: seen_at,
            published: document.published,
            title: document.title,
            translated,
            summary: document.summary,
            link: document.link,
            source: document.source,
            feed: document.feed,
            sources,
            story,
            symbols: document.symbols,
            tone: read.map(finstage_model::Insight::tone),
            score: read.map(|read| read.score),
            impact: read.map(|read| read.impact),
            sensitive: read.map(finstage_model::Insight::is_sensitive),
            confidence: read.map(|read| read.confidence),
            read_by: read.map(|read| read.by.clone()),
            known_at: read.map(|read| read.known_at),
        }
    }
}
