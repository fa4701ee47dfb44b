//! Watches, wherever they come from: those of the configuration, and those that were added beside it.

use finstage_engine::WatchSpec;
use finstage_model::Timestamp;
use finstage_store::Error;
use finstage_store::records::{AddedWatch, Records};
use serde_json::{Value, json};

/// A watch with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownWatch {
    /// The watch; one of the configuration was added at no time.
    pub watch: AddedWatch,
    /// Whether it stands in the configuration.
    pub is_configured: bool,
}

impl KnownWatch {
    /// A watch that was added.
    #[must_use]
    pub const fn added(watch: AddedWatch) -> Self {
        Self { watch, is_configured: false }
    }

    /// Where it comes from, in a word.
    #[must_use]
    pub const fn origin(&self) -> &'static str {
        if self.is_configured { "config" } else { "added" }
    }

    /// As lists of programs have it.
    #[must_use]
    pub fn value(&self) -> Value {
        let AddedWatch { id, symbol, rule, cooldown_ms, added_at } = &self.watch;
        json!({
            "id": id,
            "symbol": symbol,
            "rule": rule,
            "kind": rule.kind(),
            "threshold": rule.threshold(),
            "repeat_s": cooldown_ms / 1_000,
            "created_at": (!self.is_configured).then_some(added_at),
            "origin": self.origin(),
        })
    }
}

/// The watches of the configuration.
#[must_use]
pub fn configured(watches: &[WatchSpec]) -> Vec<KnownWatch> {
    let known = |spec: &WatchSpec| {
        let (symbol, rule) = (spec.symbol.clone(), spec.rule);
        let watch = AddedWatch::new(symbol, rule, spec.cooldown_ms, Timestamp::EPOCH);
        KnownWatch { watch, is_configured: true }
    };
    watches.iter().map(known).collect()
}

/// The watches that were added, by symbol and rule.
///
/// # Errors
/// When the records cannot be read.
pub fn added(records: &Records) -> Result<Vec<KnownWatch>, Error> {
    let mut all = records.watches_added()?;
    all.sort_by_cached_key(|watch| (watch.symbol.clone(), watch.rule.to_string()));
    Ok(all.into_iter().map(KnownWatch::added).collect())
}
