//! Who may come in: the token of programs, one-time codes, and the sessions that they open.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_store::records::Records;
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::random::unguessable;
use crate::sessions::{self, Sessions};
use crate::token::{load_or_make_token, load_token};

/// How long a one-time code can be used.
pub const CODE_LIFE: Duration = Duration::from_secs(600);
/// How long a browser stays signed in.
pub const SESSION_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// Codes that can be open at once; a new one takes the place of the oldest.
const MAX_CODES: usize = 16;
/// The cookie of a session.
pub(crate) const COOKIE: &str = "finstage_session";

type Hash = [u8; 32];

/// Every way in. Of secrets only hashes are kept.
#[derive(Debug)]
pub(crate) struct Keys {
    file: PathBuf,
    token: RwLock<Hash>,
    /// Hash of each open code, and when it ends.
    codes: Mutex<Vec<(Hash, Timestamp)>>,
    sessions: Sessions,
    /// How often the token has been replaced.
    renewals: AtomicU64,
}

/// How a request proved who it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The token, which no browser sends by itself.
    Token,
    /// A cookie, which a browser sends whoever asks it to.
    Cookie,
}

impl Keys {
    /// Opens or makes the token in `file`; sessions are those that the records know.
    pub(crate) fn open(file: PathBuf, records: Records) -> Result<Self, Error> {
        let token = hash(load_or_make_token(&file)?.expose());
        Ok(Self {
            file,
            token: RwLock::new(token),
            codes: Mutex::default(),
            sessions: Sessions::open(records)?,
            renewals: AtomicU64::new(0),
        })
    }

    /// Looks whether the token was replaced. Whoever came in by the old one is out.
    pub(crate) fn reload(&self) {
        let Ok(found) = load_token(&self.file) else { return };
        let found = hash(found.expose());
        let before = std::mem::replace(
            &mut *self.token.write().unwrap_or_else(PoisonError::into_inner),
            found,
        );
        if before != found {
            lock(&self.codes).clear();
            self.sessions.clear();
            self.renewals.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often the token has been replaced: what was let in before is out.
    pub(crate) fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// Whether this is the token.
    pub(crate) fn knows_token(&self, given: &str) -> bool {
        is_same(&hash(given), &self.token())
    }

    fn token(&self) -> Hash {
        *self.token.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new one-time code.
    pub(crate) fn code(&self, now: Timestamp) -> Result<String, Error> {
        let code = unguessable()?;
        let mut codes = lock(&self.codes);
        codes.retain(|(_, until)| *until > now);
        if codes.len() >= MAX_CODES {
            codes.remove(0);
        }
        codes.push((hash(&code), now.plus(CODE_LIFE)));
        Ok(code)
    }

    /// Opens a session for a code that was not used yet; the value of its cookie. A restart knows
    /// it after [`Keys::keep_sessions`].
    pub(crate) fn sign_in(&self, code: &str, now: Timestamp) -> Result<Option<String>, Error> {
        let given = hash(code);
        let mut codes = lock(&self.codes);
        let Some(place) = codes.iter().position(|(known, _)| is_same(known, &given)) else {
            return Ok(None);
        };
        let (_, until) = codes.remove(place);
        drop(codes);
        if until <= now {
            return Ok(None);
        }
        let session = unguessable()?;
        let known = sessions::hash(&self.token(), &session);
        self.sessions.add(known, now.plus(SESSION_LIFE), now);
        Ok(Some(session))
    }

    /// Whether this is the cookie of a session that is open.
    pub(crate) fn knows_session(&self, given: &str, now: Timestamp) -> bool {
        self.sessions.know(&self.token(), given, now)
    }

    /// Ends a session, after [`Keys::keep_sessions`] for good.
    pub(crate) fn sign_out(&self, given: &str) {
        self.sessions.end(&self.token(), given);
    }

    /// Writes down who is signed in, which takes its turn among all that write records.
    pub(crate) fn keep_sessions(&self) -> Result<(), Error> {
        self.sessions.keep()
    }
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// Compares in a time that does not depend on where they differ.
fn is_same(a: &Hash, b: &Hash) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{make_token, token_file};

    fn keys() -> (tempfile::TempDir, Keys) {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(token_file(dir.path()), Records::open_in_memory().unwrap()).unwrap();
        (dir, keys)
    }

    fn t(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_code_opens_one_session_once_and_not_for_long() {
        let (_dir, keys) = keys();
        let code = keys.code(t(0)).unwrap();
        assert_eq!(keys.sign_in("", t(1)).unwrap(), None);
        let session = keys.sign_in(&code, t(1)).unwrap().unwrap();
        assert_eq!(keys.sign_in(&code, t(2)).unwrap(), None, "used");
        assert!(keys.knows_session(&session, t(2)) && !keys.knows_session(&code, t(2)));
        assert!(!keys.knows_session(&session, t(1).plus(SESSION_LIFE)));
        let late = keys.code(t(0)).unwrap();
        assert_eq!(keys.sign_in(&late, t(600)).unwrap(), None, "too late");
        keys.sign_out(&session);
        assert!(!keys.knows_session(&session, t(3)));
    }

    #[test]
    fn a_new_token_shuts_out_whoever_came_in_by_the_old_one() {
        let (dir, keys) = keys();
        let file = token_file(dir.path());
        let old = load_token(&file).unwrap();
        let session = keys.sign_in(&keys.code(t(0)).unwrap(), t(1)).unwrap().unwrap();
        keys.reload();
        assert!(keys.knows_token(old.expose()) && keys.knows_session(&session, t(1)));
        let new = make_token(&file).unwrap();
        keys.reload();
        assert!(keys.knows_token(new.expose()) && !keys.knows_token(old.expose()));
        assert!(!keys.knows_session(&session, t(1)));
        assert_eq!(keys.renewals(), 1);
        assert!(!format!("{keys:?}").contains(new.expose().as_str()));
    }

    #[test]
    fn codes_are_bounded() {
        let (_dir, keys) = keys();
        for _ in 0..200 {
            keys.code(t(0)).unwrap();
        }
        assert!(lock(&keys.codes).len() <= MAX_CODES);
    }
}
