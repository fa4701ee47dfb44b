//! A token that is issued seldom and used by many.
//!
//! Venues issue a token once a minute at most and tell the owner of the key about each. So there is
//! one [`TokenCell`] for a key: fifty callers that need a token at once cause one request, the token is
//! kept in a file that only its owner can read, and processes that share the file share the token.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::{Clock, Timestamp, format_duration};
use finstage_seal::Secret;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{Client, Error, ErrorKind, Request, Response};

/// How tokens are issued by a venue. Plain functions of its file.
pub struct TokenTerms {
    /// Asks for a token.
    pub request: Box<dyn Fn() -> Request + Send + Sync>,
    /// Reads the answer, whatever its status.
    pub read: fn(&Response, Timestamp) -> Result<Token, TokenRefusal>,
    /// The shortest time between two requests for a token.
    pub spacing: Duration,
    /// How long before its end a token is not used any more.
    pub early: Duration,
}

/// A token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub secret: Secret<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why there is no token in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The last one is not long enough ago.
    TooSoon(Duration),
    /// The credentials are refused, in the venue's words.
    Denied(String),
    /// The answer cannot be read.
    Unreadable(String),
}

/// What became of a [`TokenCell`] so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenSnapshot {
    /// Requests for a token.
    pub issues: u64,
    /// Tokens that were found in the file.
    pub from_file: u64,
    /// Tokens that the venue did not accept any more.
    pub expired: u64,
    /// Times that the file could not be written. The token is used all the same.
    pub unsaved: u64,
    /// When the present token ends; `None` without one.
    pub expires_at: Option<Timestamp>,
}

/// How often a token is asked for by one caller, where the venue answers "too soon".
const MAX_ASKS: u32 = 3;
/// The longest rest that a venue may ask for between two tokens.
const MAX_REST: Duration = Duration::from_secs(600);
/// How long another process may take to issue a token before it is held for stuck.
const OTHER_PROCESS: Duration = Duration::from_secs(30);
/// How often it is looked whether it is done.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// The first line of the file.
const HEADER: &str = "finstage token 1";

/// The token of one key. Cheap to clone; clones are the same cell.
#[derive(Clone)]
pub struct TokenCell(Arc<Inner>);

struct Inner {
    terms: TokenTerms,
    client: Client,
    clock: Arc<dyn Clock>,
    file: Option<PathBuf>,
    state: Mutex<State>,
    /// Held by who issues.
    issuing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    current: Option<Token>,
    /// The last one that the venue refused: not to be read from the file again.
    refused: Option<Secret<String>>,
    /// No request for a token before.
    not_before: Option<Instant>,
    issues: u64,
    from_file: u64,
    expired: u64,
    unsaved: u64,
}

impl TokenCell {
    /// A cell without a token. It asks through `client`, under whatever limits that has, and keeps the
    /// token in `file` with mode 0600.
    #[must_use]
    pub fn new(
        terms: TokenTerms,
        client: Client,
        clock: Arc<dyn Clock>,
        file: Option<PathBuf>,
    ) -> Self {
        let (state, issuing) = Default::default();
        Self(Arc::new(Inner { terms, client, clock, file, state, issuing }))
    }

    /// A valid token: the present one, that of the file, or a new one.
    ///
    /// # Errors
    /// `Denied` where the venue refuses the credentials or its answer cannot be read, else why it
    /// cannot be reached.
    pub async fn get(&self) -> Result<Token, Error> {
        if let Some(token) = self.0.present() {
            return Ok(token);
        }
        let turn = Arc::clone(&self.0.issuing).lock_owned().await;
        if let Some(token) = self.0.present() {
            return Ok(token);
        }
        let inner = Arc::clone(&self.0);
        // A task of its own: a caller that gives up must not lose a token that was issued for all.
        let issue = tokio::spawn(async move {
            let token = inner.renew().await;
            drop(turn);
            token
        });
        issue.await.unwrap_or_else(|why| {
            Err(Error::new(ErrorKind::Unavailable, "the request for a token broke off")
                .because(why))
        })
    }

    /// The venue does not accept this token any more. Nothing happens where it is not the present one:
    /// somebody else has said so before.
    pub fn expire(&self, token: &Token) {
        let mut state = self.0.state();
        if state.current.as_ref().is_some_and(|current| same(&current.secret, &token.secret)) {
            state.current = None;
            state.refused = Some(token.secret.clone());
            state.expired += 1;
        }
    }

    /// Its figures of this moment.
    #[must_use]
    pub fn snapshot(&self) -> TokenSnapshot {
        let state = self.0.state();
        TokenSnapshot {
            issues: state.issues,
            from_file: state.from_file,
            expired: state.expired,
            unsaved: state.unsaved,
            expires_at: state.current.as_ref().map(|token| token.expires_at),
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present token, while it is valid.
    fn present(&self) -> Option<Token> {
        let now = self.clock.now();
        self.state().current.clone().filter(|token| self.is_valid(token, now))
    }

    fn is_valid(&self, token: &Token, now: Timestamp) -> bool {
        now < token.expires_at.minus(self.terms.early)
    }

    /// A token from the file, or a new one. Only one task does so at a time.
    async fn renew(&self) -> Result<Token, Error> {
        let _alone = match &self.file {
            Some(file) => lock_beside(file).await,
            None => None,
        };
        if let Some(token) = self.read_file() {
            let mut state = self.state();
            state.from_file += 1;
            state.current = Some(token.clone());
            return Ok(token);
        }
        for _ in 0..MAX_ASKS {
            let not_before = self.state().not_before;
            if let Some(moment) = not_before {
                sleep_until(moment).await;
            }
            let asked_at = self.clock.now();
            {
                let mut state = self.state();
                state.not_before = Some(Instant::now() + self.terms.spacing);
                state.issues += 1;
            }
            let response = self.client.send_without_token(&(self.terms.request)()).await?;
            match (self.terms.read)(&response, self.clock.now()) {
                Ok(token) => {
                    self.keep(&token, asked_at);
                    return Ok(token);
                }
                Err(TokenRefusal::TooSoon(rest)) => {
                    self.state().not_before = Some(Instant::now() + rest.min(MAX_REST));
                }
                Err(TokenRefusal::Denied(words)) => {
                    return Err(self.denied(&format!("no token for these credentials: {words}")));
                }
                Err(TokenRefusal::Unreadable(words)) => {
                    return Err(self.denied(&format!("unreadable answer: {words}")));
                }
            }
        }
        let rest = self
            .state()
            .not_before
            .map_or(Duration::ZERO, |moment| moment.saturating_duration_since(Instant::now()));
        let words = format!("too soon for a new token, {} to wait", format_duration(rest));
        Err(Error::new(ErrorKind::Limited, self.about(&words)).retry_in(rest))
    }

    fn keep(&self, token: &Token, asked_at: Timestamp) {
        self.state().current = Some(token.clone());
        let Some(file) = &self.file else { return };
        if write_file(file, token, asked_at).is_err() {
            self.state().unsaved += 1;
        }
    }

    /// The token of the file, where it is valid and was not refused. Also learns from it when a token
    /// was last asked for.
    fn read_file(&self) -> Option<Token> {
        let (token, asked_at) = read_file(self.file.as_deref()?)?;
        let now = self.clock.now();
        let mut state = self.state();
        let rest = asked_at.plus(self.terms.spacing).since(now).min(self.terms.spacing);
        let moment = Instant::now() + rest;
        state.not_before = Some(state.not_before.map_or(moment, |known| known.max(moment)));
        let was_refused = state.refused.as_ref().is_some_and(|known| same(known, &token.secret));
        (!was_refused && self.is_valid(&token, now)).then_some(token)
    }

    fn denied(&self, words: &str) -> Error {
        Error::new(ErrorKind::Denied, self.about(words))
    }

    /// The words with the call in front, and without what the call wants hidden.
    fn about(&self, words: &str) -> String {
        let request = (self.terms.request)();
        format!("{request}: {}", request.redact(words))
    }
}

fn same(a: &Secret<String>, b: &Secret<String>) -> bool {
    a.expose() == b.expose()
}

/// Locks a file beside `file`, so that only one process issues. A process that ends or crashes gives
/// the lock back; one that hangs is waited for only so long, and a folder that cannot be written to
/// does not keep anyone from issuing.
async fn lock_beside(file: &Path) -> Option<File> {
    let lock = OpenOptions::new().create(true).append(true).open(beside(file, "lock")).ok()?;
    let end = Instant::now() + OTHER_PROCESS;
    while lock.try_lock().is_err() {
        if Instant::now() >= end {
            return None;
        }
        sleep(LOOK_AGAIN).await;
    }
    Some(lock)
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    file.with_file_name(name)
}

/// The token and when it was asked for. A file that others may read or write is not believed.
fn read_file(path: &Path) -> Option<(Token, Timestamp)> {
    let mut file = File::open(path).ok()?;
    if !is_private(&file) || file.metadata().ok()?.len() > MAX_FILE_BYTES {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    // Wiped when it is dropped.
    let text = Secret::new(text);
    let mut lines = text.expose().lines();
    let (header, expires, asked, secret) =
        (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
    if header != HEADER || secret.is_empty() {
        return None;
    }
    let time = |nanos: &str| nanos.parse().ok().map(Timestamp::from_nanos);
    let token = Token { secret: Secret::new(secret.to_owned()), expires_at: time(expires)? };
    Some((token, time(asked)?))
}

/// Writes a new file beside the old one and puts it in its place, so that nobody reads half of it.
fn write_file(path: &Path, token: &Token, asked_at: Timestamp) -> io::Result<()> {
    if token.secret.expose().contains('\n') {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let new = beside(path, "new");
    // One that a crash left behind may have another mode.
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    let (expires, asked) = (token.expires_at.nanos(), asked_at.nanos());
    let text = Secret::new(format!("{HEADER}\n{expires}\n{asked}\n{}\n", token.secret.expose()));
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

#[cfg(unix)]
fn is_private(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|about| about.mode() & 0o077 == 0)
}

#[cfg(not(unix))]
fn is_private(_file: &File) -> bool {
    true
}

impl fmt::Debug for TokenTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("TokenTerms");
        f.field("spacing", &self.spacing).field("early", &self.early).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenCell").field(&self.snapshot()).finish()
    }
}
