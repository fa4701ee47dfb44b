//! News: feeds as publishers write them become documents, each once.
//!
//! [`Collector`] says what is to be asked and when, and takes the answers; it has no socket and no clock.
//! [`read`] makes items of the bytes of RSS 0.9 to 2.0 and Atom, and keeps what can be kept of a feed that
//! is broken. [`Shelf`] knows what was seen. [`Tagger`] finds instruments by their names. [`Lexicon`] says how
//! a text sounds.

mod address;
mod collector;
mod date;
mod lexicon;
mod pacing;
mod place;
mod quiet;
mod read;
mod resemblance;
mod shelf;
mod tags;
mod text;
mod title;
mod xml;

pub use address::{canonical, google, investing, yahoo};
pub use collector::{Collector, Heard, NewsStep};
pub use date::{Moment, moment};
pub use lexicon::{Lexicon, Reading, Valence};
pub use pacing::{FeedHealth, FeedSpec, LEAST_EVERY, LONGEST_WAIT, MAX_REDIRECTS};
pub use place::FeedPlace;
pub use quiet::Quiet;
pub use read::{Feed, Item, MAX_FEED_BYTES, MAX_ITEMS, read};
pub use resemblance::{LIKE_TITLE, MAX_COMPARED, SAME_TEXT, SAME_TITLE};
pub use shelf::{Copy, MAX_REMEMBERED, SAME_STORY, Seen, Shelf};
pub use tags::Tagger;
pub use title::{normal, without_publisher};
