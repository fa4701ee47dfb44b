//! Browsers that are signed in. They outlive a restart: the records hold a hash of each one's secret, which
//! depends on the token too, so another token ends them all, and a backup signs nobody in.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use finstage_model::Timestamp;
use finstage_store::records::Records;
use sha2::{Digest as _, Sha256};

use crate::Error;

/// Browsers that can be signed in at once; a new one takes the place of the one that ends first.
const MAX_SESSIONS: usize = 64;
/// Where they stand in the table `meta`: hash and end of each, in JSON.
const KEY: &str = "sessions";

/// The sessions of a server.
#[derive(Debug)]
pub(crate) struct Sessions {
    records: Records,
    /// Hash of each, in hexadecimal, and when it ends.
    open: Mutex<BTreeMap<String, i64>>,
    /// Held while they are written, so that the last to write knows of all; never where requests are looked at.
    keeping: Mutex<()>,
}

impl Sessions {
    /// Those that the records know.
    pub(crate) fn open(records: Records) -> Result<Self, Error> {
        let kept = records.meta(KEY)?.unwrap_or_default();
        // What cannot be read signs nobody in.
        let open = serde_json::from_str(&kept).unwrap_or_default();
        Ok(Self { records, open: Mutex::new(open), keeping: Mutex::default() })
    }

    /// Whether this is one that is open. They are found by a hash of what was sent, so how long the
    /// search takes says nothing about the secret.
    pub(crate) fn know(&self, token: &[u8], secret: &str, now: Timestamp) -> bool {
        lock(&self.open).get(&hash(token, secret)).is_some_and(|until| *until > now.nanos())
    }

    /// Opens one; [`Sessions::keep`] writes it down.
    pub(crate) fn add(&self, hash: String, until: Timestamp, now: Timestamp) {
        let mut open = lock(&self.open);
        open.retain(|_, until| *until > now.nanos());
        if open.len() >= MAX_SESSIONS
            && let Some(first) = open.iter().min_by_key(|(_, until)| **until)
        {
            let first = first.0.clone();
            open.remove(&first);
        }
        open.insert(hash, until.nanos());
    }

    /// Ends one; [`Sessions::keep`] writes it down.
    pub(crate) fn end(&self, token: &[u8], secret: &str) {
        lock(&self.open).remove(&hash(token, secret));
    }

    /// Ends all, since there is another token. What the records have of them opens nothing with it, and is
    /// written over by the next that signs in.
    pub(crate) fn clear(&self) {
        lock(&self.open).clear();
    }

    /// Writes them down, which takes its turn among all that write.
    ///
    /// # Errors
    /// When the records do not take it: after a restart the sessions are those of before.
    pub(crate) fn keep(&self) -> Result<(), Error> {
        let _turn = lock(&self.keeping);
        let text = serde_json::to_string(&*lock(&self.open))
            .expect("a map of texts and numbers is always JSON");
        Ok(self.records.set_meta(KEY, &text)?)
    }
}

/// What is kept of a session: nothing that signs in, and nothing to anybody with another token.
pub(crate) fn hash(token: &[u8], secret: &str) -> String {
    let hash = Sha256::new().chain_update(token).chain_update(secret.as_bytes()).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn t(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn they_are_bounded_and_only_hashes_are_kept() {
        let records = Records::open_in_memory().unwrap();
        let sessions = Sessions::open(records.clone()).unwrap();
        for n in 0..200 {
            sessions.add(hash(b"token", &format!("secret {n}")), t(1_000 + n), t(0));
        }
        sessions.keep().unwrap();
        assert_eq!(lock(&sessions.open).len(), MAX_SESSIONS);
        assert!(!sessions.know(b"token", "secret 0", t(0)), "it would have ended first");
        let kept = records.meta(KEY).unwrap().unwrap();
        assert!(
            kept.len() < 8_192 && !kept.contains("secret") && !kept.contains("token"),
            "{kept}"
        );
        sessions.add(hash(b"token", "last"), t(9_000), t(5_000));
        assert_eq!(lock(&sessions.open).len(), 1, "what is over is forgotten");
    }

    #[test]
    fn another_token_knows_none_of_them_and_what_is_unreadable_signs_nobody_in() {
        let records = Records::open_in_memory().unwrap();
        let sessions = Sessions::open(records.clone()).unwrap();
        sessions.add(hash(b"old", "secret"), t(9), t(0));
        sessions.keep().unwrap();
        let next = Sessions::open(records.clone()).unwrap();
        assert!(next.know(b"old", "secret", t(1)) && !next.know(b"new", "secret", t(1)));
        assert!(!next.know(b"old", "secret", t(9)), "over");
        records.set_meta(KEY, "{\"x\": [").unwrap();
        assert!(!Sessions::open(records).unwrap().know(b"old", "secret", t(1)));
    }
}
