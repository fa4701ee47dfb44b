//! A relay that seals: what a venue streams, or what a recording holds, as envelopes.
//!
//! For each client a connection of its own is made to the venue, at the same path with the same query. What
//! the client sends goes up as it is, for commands are no secret; what comes down is sealed, the frames
//! that are there together in one envelope, a frame a line, at most [`RelayOptions::batch`]. Pings are
//! answered on each of the two lines by themselves. When one side leaves, the other is left.
//!
//! The relay works with any venue's streams, not only simulated ones: it knows nothing of what it seals.
//! A recording is played to each client from its beginning; a command with an `id` is acknowledged as
//! Binance does it, because a client waits for that.
//!
//! Where the keyring is a file, the relay rotates it when that is due, by age or by the number of
//! messages; readers have the next key already, as pending.

mod connection;
mod vault;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use finstage_model::{Clock, Timestamp};
use finstage_seal::{Counters, KeyringFile, Keys, Secret};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::connection::Connection;
use self::vault::Vault;
use super::faults::{Faults, Scenario};
use super::front;
use super::ledger::{Ledger, Line, Outcome};
use crate::error::{Error, ErrorKind};

/// Frames of one envelope, where nothing else is said.
pub const BATCH: usize = 100;
/// How long a stop waits for connections.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);
/// The largest message of a client.
const MAX_COMMAND_BYTES: usize = 64 * 1_024;

/// What a relay needs.
pub struct RelayOptions {
    /// What is sealed.
    pub source: Source,
    /// With which keys.
    pub keys: Keys,
    /// The file that they are from, where it is this relay that rotates them.
    pub keyring: Option<KeyringFile>,
    /// Where sequence numbers are reserved.
    pub counters: Box<dyn Counters>,
    /// The most frames of one envelope; see [`BATCH`].
    pub batch: usize,
    /// What clients must show as `Authorization: Bearer …`; nothing where it is `None`.
    pub token: Option<Secret<String>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What goes wrong with envelopes; offsets count from the clock's present.
    pub faults: Scenario,
    /// Where connections are entered.
    pub ledger: Arc<Ledger>,
    /// Where it listens.
    pub listener: TcpListener,
}

/// What a relay seals.
#[derive(Clone)]
pub enum Source {
    /// The streams of a venue, under this address without a final slash.
    Venue(String),
    /// A recording: the frames and when each was received, from the beginning.
    Recording {
        /// Opens it anew.
        open: Arc<dyn Fn() -> Box<dyn Frames> + Send + Sync>,
        /// How many times faster than it was recorded; `None`: as fast as it goes.
        speed: Option<f64>,
    },
}

/// The frames of a recording, in the order of their receipt.
pub trait Frames: Iterator<Item = (Timestamp, String)> + Send {}

impl<T: Iterator<Item = (Timestamp, String)> + Send> Frames for T {}

impl fmt::Debug for RelayOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayOptions").field("source", &self.source).finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Venue(base) => f.debug_tuple("Venue").field(base).finish(),
            Self::Recording { speed, .. } => write!(f, "Recording at {speed:?}"),
        }
    }
}

/// What a relay has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RelayStats {
    /// Connections that were opened.
    pub connections: u64,
    /// Frames that went into envelopes.
    pub frames: u64,
    /// Envelopes sealed.
    pub sealed: u64,
    /// Envelopes that a scenario changed.
    pub tampered: u64,
    /// Envelopes that a scenario sent again.
    pub repeated: u64,
    /// Envelopes that a scenario kept back.
    pub dropped: u64,
    /// Rotations of the keyring that this relay made.
    pub rotations: u64,
}

#[derive(Debug, Default)]
struct Tally {
    connections: AtomicU64,
    frames: AtomicU64,
    sealed: AtomicU64,
    tampered: AtomicU64,
    repeated: AtomicU64,
    dropped: AtomicU64,
}

/// What the connections share.
struct Shared {
    source: Source,
    vault: Vault,
    batch: usize,
    token: Option<Secret<String>>,
    clock: Arc<dyn Clock>,
    faults: Faults,
    ledger: Arc<Ledger>,
    tally: Tally,
    stop: watch::Sender<bool>,
}

/// A running relay. Ends when it is stopped or dropped.
pub struct SealedRelay {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl fmt::Debug for SealedRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedRelay").field("address", &self.address).finish_non_exhaustive()
    }
}

impl SealedRelay {
    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// When the listener has no address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: RelayOptions) -> Result<Self, Error> {
        let RelayOptions {
            source,
            keys,
            keyring,
            counters,
            batch,
            token,
            clock,
            faults,
            ledger,
            listener,
        } = options;
        let address = listener.local_addr().map_err(|source| {
            Error::new(ErrorKind::Io, "sealing relay: no local address").because(source)
        })?;
        let vault = Vault::new(keys, counters, keyring);
        let shared = Arc::new(Shared {
            source,
            vault,
            batch: batch.max(1),
            token,
            faults: Faults::new(faults, clock.now()),
            clock,
            ledger,
            tally: Tally::default(),
            stop: watch::Sender::new(false),
        });
        let routes = Router::new().fallback(any(open)).with_state(Arc::clone(&shared));
        let server = front::serve("relay", (listener, routes), &shared.stop);
        Ok(Self { shared, address, server })
    }

    /// The base of stream connections, without a final slash.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> RelayStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &self.shared.tally;
        RelayStats {
            connections: read(&tally.connections),
            frames: read(&tally.frames),
            sealed: read(&tally.sealed),
            tampered: read(&tally.tampered),
            repeated: read(&tally.repeated),
            dropped: read(&tally.dropped),
            rotations: self.shared.vault.rotations(),
        }
    }

    /// Closes all connections and ends.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        if timeout(STOP_WITHIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for SealedRelay {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}

async fn open(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal.into_response(),
    };
    if !shared.lets_in(&headers) {
        shared.enter(uri.path(), 401);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    shared.enter(uri.path(), 101);
    shared.tally.connections.fetch_add(1, Ordering::Relaxed);
    let path = uri.path_and_query().map_or_else(String::new, ToString::to_string);
    upgrade
        .max_message_size(MAX_COMMAND_BYTES)
        .on_upgrade(move |socket| Connection::serve(shared, socket, path))
}

impl Shared {
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        shown.and_then(|shown| shown.strip_prefix("Bearer ")).is_some_and(|t| t == token.expose())
    }

    fn enter(&self, path: &str, status: u16) {
        let (at, outcome) = (self.clock.now(), Outcome::of_status(status));
        self.ledger.enter(&Line { at, venue: "sealed", path, weight: 0, status, outcome, who: "" });
    }
}
