//! A stream that comes sealed.
//!
//! A sealed feed is a venue's own stream, each frame of it (or several, one a line) inside an envelope that
//! only who has the keys can make or read. [`SealedTransport`] stands between a [`crate::Session`] and the
//! network: it chooses the address, says who asks, and puts an opener in front of every socket. What the
//! opener refuses is counted and goes no further. So the session and the venue file read what they would
//! read of the plain stream, and a frame that is missing is noticed as any other loss is: by the venue's
//! numbers, or by silence.
//!
//! Only the stream is sealed: requests for history and for what was missed go to the venue as they are, and
//! the events that they bring do not count as sealed ([`finstage_model::Event::sealed`]).
//!
//! A stream of this kind never falls back to a plain one. The fallback address is a second server that
//! seals, with keys of the same ring.
//!
//! Sources: S0-05 (headers), S0-11 (form of the messages), S0-12 (counters, 5 ms), S0-15 to S0-17 and S0-31
//! (attempts, the fallback, looking at the first address again). Nothing here waits or repeats: when to
//! connect is the session's matter, where to is decided here.

mod place;
mod reader;
mod stats;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::Clock;
use finstage_net::{
    Carried, Error, ErrorKind, Request, Response, Socket, SocketOptions, Traffic, Transport,
};
use finstage_seal::{Keys, Opener, Secret};
use tokio::time::Instant;
use tracing::{info, warn};

use place::{Choice, Place};
use reader::{Desk, Reader};

pub use place::Patience;
pub use reader::MAX_LINES;
pub use stats::{SealedSnapshot, SealedStats};

/// Opening a frame that takes longer is counted, and said (S0-12).
pub const SLOW: Duration = Duration::from_millis(5);

/// What `X-Data-Stream` says unless told otherwise (S0-03).
pub const DATA_STREAM: &str = "realtime-market-data";

/// Where a sealed stream comes from, and what opens it.
#[derive(Debug, Clone)]
pub struct SealedOptions {
    /// The venue whose stream it is, which the server is told as well (`X-API-Provider`).
    pub venue: String,
    /// What opens the frames.
    pub keys: Keys,
    /// The address of the server that seals, as far as all its streams have it in common.
    pub address: String,
    /// The address of another one, for when that one is not there.
    pub fallback: Option<String>,
    /// When that is.
    pub patience: Patience,
    /// Who asks: sent as a bearer.
    pub token: Option<Secret<String>>,
    /// Which of the server's streams is wanted (`X-Data-Stream`).
    pub data_stream: String,
    /// Opening a frame that takes longer is counted.
    pub slow: Duration,
    /// Judges which keys still open.
    pub clock: Arc<dyn Clock>,
}

/// Carries the connections of one session: they share what they remember, so that a frame that came over
/// one of them is refused over the next.
pub struct SealedTransport {
    inner: Arc<dyn Transport>,
    address: String,
    fallback: Option<String>,
    headers: Vec<(String, Secret<String>)>,
    shared: Arc<Shared>,
}

/// What a session is told of the sealed stream that it reads. Clones are the same.
#[derive(Clone)]
pub struct SealedFeed(Arc<Shared>);

/// What all connections have in common.
struct Shared {
    venue: String,
    desk: Mutex<Desk>,
    choice: Mutex<Choice>,
    stats: Arc<SealedStats>,
    slow: Duration,
    clock: Arc<dyn Clock>,
}

impl SealedTransport {
    /// Requests go through `inner` as they are, sockets are opened by it and read through an opener.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, options: SealedOptions) -> Self {
        let SealedOptions { venue, keys, address, fallback, .. } = options;
        let header = |name: &str, value: String| (name.to_owned(), Secret::new(value));
        let bearer = options.token.map(|token| format!("Bearer {}", token.expose()));
        let mut headers: Vec<_> =
            bearer.into_iter().map(|bearer| header("Authorization", bearer)).collect();
        headers.push(header("X-API-Provider", venue.clone()));
        headers.push(header("X-Data-Stream", options.data_stream));
        headers.push(header("Content-Type", "application/json".to_owned()));
        let shared = Shared {
            desk: Mutex::new(Desk::new(Opener::new(keys.clone()), keys)),
            choice: Mutex::new(Choice::new(options.patience, fallback.is_some())),
            stats: Arc::default(),
            slow: options.slow,
            clock: options.clock,
            venue,
        };
        Self { inner, address, fallback, headers, shared: Arc::new(shared) }
    }

    /// For the session whose connections it carries.
    #[must_use]
    pub fn feed(&self) -> SealedFeed {
        SealedFeed(Arc::clone(&self.shared))
    }

    /// The address of this place for a stream of the first one.
    fn url_at(&self, place: Place, url: &str) -> Result<String, Error> {
        let Some(stream) = url.strip_prefix(&self.address) else {
            // The path may carry keys.
            let message = format!(
                "connecting for {}: the stream is not at its sealed address",
                self.shared.venue
            );
            return Err(Error::new(ErrorKind::Invalid, message));
        };
        Ok(match (place, &self.fallback) {
            (Place::Fallback, Some(fallback)) => format!("{fallback}{stream}"),
            _ => url.to_owned(),
        })
    }

    async fn open(&self, url: &str, options: &SocketOptions) -> Result<Socket, Error> {
        let place = lock(&self.shared.choice).next(Instant::now());
        let url = self.url_at(place, url)?;
        let headers = options.headers.iter().chain(&self.headers).cloned().collect();
        let options = SocketOptions { headers, ..options.clone() };
        match self.inner.connect(&url, &options).await {
            Ok(socket) => {
                let reader = Reader::new(Arc::clone(&self.shared), place);
                Ok(socket.through(Box::new(reader)))
            }
            Err(error) => {
                self.shared.failed(place);
                Err(error)
            }
        }
    }
}

impl Transport for SealedTransport {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        self.inner.send(request)
    }

    fn connect<'a>(&'a self, url: &'a str, options: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(self.open(url, options))
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

impl SealedFeed {
    /// What became of the frames.
    #[must_use]
    pub fn stats(&self) -> &Arc<SealedStats> {
        &self.0.stats
    }

    /// While the stream comes from the fallback: when the first address is to be looked at again.
    pub(crate) fn look_at(&self) -> Option<Instant> {
        lock(&self.0.choice).look_at()
    }

    /// The first address was looked at, and the stream did not come from there.
    pub(crate) fn stays_away(&self) {
        lock(&self.0.choice).stays_away(Instant::now());
        self.0.stats.set_on_fallback(true);
    }
}

impl Shared {
    /// A connection was not made, or brought nothing that could be opened.
    fn failed(&self, place: Place) {
        let mut choice = lock(&self.choice);
        let was_given_up = choice.look_at().is_some();
        choice.failed(place, Instant::now());
        if !was_given_up && choice.look_at().is_some() {
            warn!(venue = %self.venue, "the sealed stream does not come, going on at the fallback");
        }
    }

    /// The first frame of a connection was opened.
    fn answered(&self, place: Place) {
        lock(&self.choice).answered(place);
        let on_fallback = place == Place::Fallback;
        if self.stats.set_on_fallback(on_fallback) != on_fallback {
            let from = if on_fallback { "the fallback" } else { "its first address again" };
            info!(venue = %self.venue, from, "the sealed stream has another source");
        }
    }
}

impl fmt::Debug for SealedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedTransport").field("venue", &self.shared.venue).finish_non_exhaustive()
    }
}

impl fmt::Debug for SealedFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealedFeed").field(&self.0.stats.snapshot()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
