//! Thousands of WebSocket connections on few threads: how long they take to open, what comes over
//! them, how late, and what is missing.
//!
//! A connection that has nothing to read costs no buffer: what is read lies in one buffer of its
//! thread, and is looked at there. So ten thousand of them take some 2 KB each.
//!
//! Latency of messages is from the event's own time to its arrival, by the server's clock as far as
//! it could be told; the error of that is in the result.

mod cursor;
mod feed;
mod frame;
mod gather;
mod line;
mod offset;
mod opening;
mod pace;
mod reader;
mod reading;
mod sequences;
mod tally;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::Value;

pub use self::feed::{Feed, PRODUCTS, STREAMS, SYMBOLS};
pub use self::frame::MAX_MESSAGE_BYTES;
pub use self::gather::run;
pub use self::line::{FIRST_BACKOFF, LONGEST_BACKOFF};
pub use self::pace::{read_tickers, ticker_frames};
pub use self::reading::{Dialect, FieldPaths, Ticker};
pub use self::sequences::MAX_FOLLOWED_STREAMS;
use super::Target;

/// Connections of one test at most: what one address can have to another.
pub const MAX_CONNECTIONS: u32 = 60_000;
/// How long goodbyes may take at the end.
pub const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A load of connections that stay open.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to; its path is the feed's.
    pub target: Target,
    /// What they ask for.
    pub feed: Feed,
    /// How many.
    pub connections: u32,
    /// How they are opened.
    pub ramp: Ramp,
    /// How long they are held once all are due.
    pub hold: Duration,
    /// The longest time to an open connection.
    pub timeout: Duration,
    /// How often a connection that broke is opened again.
    pub reconnects: u32,
    /// Threads that share them.
    pub threads: u32,
    /// Seed of masks, keys and waits.
    pub seed: u64,
    /// Trust, where it is not the system's.
    pub tls: Option<Arc<ClientConfig>>,
    /// The server's clock less ours in ms, and how far that may be off; else it is told from dates.
    pub offset_ms: Option<(f64, f64)>,
    /// Whether the first 418 or 403 ends the test.
    pub heed_refusals: bool,
    /// What is written down as settings.
    pub settings: BTreeMap<String, Value>,
}

impl Plan {
    /// 100 connections for a minute, gently, as the source document has it (S2-09).
    #[must_use]
    pub fn new(target: Target, feed: Feed) -> Self {
        Self {
            target,
            feed,
            connections: 100,
            ramp: Ramp::GENTLE,
            hold: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            reconnects: 10,
            threads: 1,
            seed: 1,
            tls: None,
            offset_ms: None,
            heed_refusals: false,
            settings: BTreeMap::new(),
        }
    }

    /// From the start to the end of the hold.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.ramp.due(self.connections.saturating_sub(1)) + self.hold
    }
}

/// How connections are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    /// So many are due together.
    pub batch: u32,
    /// The pause between two batches.
    pub pause: Duration,
    /// So many open at the same time, in each thread; who is due waits.
    pub at_once: u32,
}

impl Ramp {
    /// Ten, and 50 ms later the next ten.
    pub const GENTLE: Self = Self { batch: 10, pause: Duration::from_millis(50), at_once: 64 };
    /// All at once, 64 at the same time.
    pub const FAST: Self = Self { batch: u32::MAX, pause: Duration::ZERO, at_once: 64 };

    /// When the connection of this number is due, since the start.
    #[must_use]
    pub fn due(&self, n: u32) -> Duration {
        self.pause * (n / self.batch.max(1))
    }
}
