//! Where one stands with a feed, in a form that outlives the process.

use finstage_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::quiet::Quiet;

/// The longest `ETag` or `Last-Modified` that is kept for another process.
pub(super) const MAX_TAG_BYTES: usize = 1_000;

/// When a feed was asked, when it is due, and what it said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPlace {
    /// When a question last ended, by an answer or by none.
    pub asked: Timestamp,
    /// When it is asked next.
    pub due: Timestamp,
    /// How often the settings wanted it asked then.
    pub(super) every_s: u64,
    /// Failures since its last answer.
    pub(super) failures: u32,
    pub(super) etag: String,
    pub(super) modified: String,
    pub(super) ttl_s: u64,
    pub(super) quiet: Quiet,
}
