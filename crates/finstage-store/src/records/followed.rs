//! What became of signals, read back for those who judge cards by it.

use finstage_model::Timestamp;
use rusqlite::params;

use super::Records;
use super::db::Trouble;
use super::track::{TrackEntry, TrackOutcome, TrackSignal};
use crate::Error;

/// The greatest number of entries of the track record that are read at once.
pub const MAX_FOLLOWED: usize = 1_000_000;

/// A signal of the track record with what became of it so far.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowedSignal {
    /// The signal.
    pub signal: TrackSignal,
    /// Its outcomes, in the order in which they joined.
    pub outcomes: Vec<TrackOutcome>,
}

impl Records {
    /// Signals of the track record that could be known at or after `since`, of one strategy
    /// (canonical text) or of all, oldest first. Beyond [`MAX_FOLLOWED`] entries the oldest are left
    /// out.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn followed(
        &self,
        strategy: Option<&str>,
        since: Timestamp,
    ) -> Result<Vec<FollowedSignal>, Error> {
        self.0.read("reading the track record in", |tx| {
            let sql = "SELECT track.body FROM signals JOIN track ON track.signal = signals.id
                WHERE signals.at >= ?1 AND (?2 IS NULL OR signals.strategy = ?2)
                ORDER BY signals.at DESC, signals.id DESC, track.number LIMIT ?3";
            let mut query = tx.prepare_cached(sql)?;
            let limit = MAX_FOLLOWED as i64;
            let mut rows = query.query(params![since.nanos(), strategy, limit])?;
            let mut followed: Vec<FollowedSignal> = Vec::new();
            while let Some(row) = rows.next()? {
                let body: String = row.get(0)?;
                let entry = serde_json::from_str(&body)
                    .map_err(|e| Trouble::BadRow(format!("an entry of the track: {e}")))?;
                match (entry, followed.last_mut()) {
                    (TrackEntry::Signal(signal), _) => {
                        followed.push(FollowedSignal { signal, outcomes: Vec::new() });
                    }
                    (TrackEntry::Outcome(outcome), Some(last)) if last.signal.id == outcome.id => {
                        last.outcomes.push(outcome);
                    }
                    (TrackEntry::Outcome(outcome), _) => {
                        let id = outcome.id;
                        let why = format!("an outcome of signal {id}, which is not in the track");
                        return Err(Trouble::BadRow(why));
                    }
                }
            }
            followed.reverse();
            Ok(followed)
        })
    }
}
