//! News servers: RSS and Atom as publishers write them, and as they should not.
//!
//! Served are `/feed/N` (each feed in one of five shapes, by its number), the addresses of Yahoo Finance
//! (`/rss/2.0/headline?s=SYMBOLS`), Investing.com (`/rss/news.rss`, `/rss/news_25.rss` …) and Google News
//! (`/rss/search?q=WORD`) over the same stories, and `/hard/CASE` for what breaks readers ([`CASES`]).
//! Some stories are carried by three feeds, each under its own address. Answers have an `ETag` and a
//! `Last-Modified`; who names either gets 304 and no body until there is something new. An address below
//! [`LEAST_WAIT`] since its last asking is no fault, but counted: [`NewsSim::hasty`].

mod hard;
mod newsroom;
mod server;
mod shapes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use finstage_model::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use self::hard::{CASES, HUGE_BYTES};
pub use self::newsroom::{MAX_LISTED, Newsroom, NewsroomSpec, SHARED_ONE_IN, Story};
use self::server::Shared;
use super::front;
use super::ledger::Ledger;
use crate::error::{Error, ErrorKind};

/// Who asks an address again sooner than this is counted as hasty.
pub const LEAST_WAIT: Duration = Duration::from_secs(60);
/// How long a stop waits for requests that are being answered.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What simulated news servers need.
#[derive(Debug)]
pub struct NewsOptions {
    /// What is written.
    pub newsroom: Newsroom,
    /// Their time.
    pub clock: Arc<dyn Clock>,
    /// Where requests are entered.
    pub ledger: Arc<Ledger>,
    /// Where they listen.
    pub listener: TcpListener,
}

/// Running news servers, all at one address. Ends when it is stopped or dropped.
#[derive(Debug)]
pub struct NewsSim {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl NewsSim {
    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// When the listener has no address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: NewsOptions) -> Result<Self, Error> {
        let NewsOptions { newsroom, clock, ledger, listener } = options;
        let address = listener.local_addr().map_err(|source| {
            Error::new(ErrorKind::Io, "simulated news: no local address").because(source)
        })?;
        let shared = Arc::new(Shared {
            opened: clock.now(),
            newsroom,
            clock,
            ledger,
            asked: Mutex::new(BTreeMap::new()),
            hasty: AtomicU64::new(0),
            stop: watch::Sender::new(false),
        });
        let routes = Router::new().fallback(server::handle).with_state(Arc::clone(&shared));
        let server = front::serve("news", (listener, routes), &shared.stop);
        Ok(Self { shared, address, server })
    }

    /// The base of all addresses, without a final slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Questions that came sooner than [`LEAST_WAIT`] after the one before, to the same address.
    #[must_use]
    pub fn hasty(&self) -> u64 {
        self.shared.hasty.load(Ordering::Relaxed)
    }

    /// Ends.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        if timeout(STOP_WITHIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for NewsSim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}
