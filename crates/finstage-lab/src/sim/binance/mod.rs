//! A venue that speaks Binance Spot: REST under `/api/v3/`, streams under `/ws` and `/stream`.
//!
//! Served are public market data only, as the venue documents them: `ping time exchangeInfo depth
//! trades historicalTrades aggTrades klines uiKlines avgPrice ticker/24hr ticker/price
//! ticker/bookTicker`, and the streams `trade aggTrade kline_* bookTicker miniTicker ticker
//! depth5|10|20`. Not served: diff depth, rolling tickers, signed requests, time units other than
//! milliseconds, and the intervals `1s 3m 2h 6h 8h 12h 3d`. A subscription to something that is not
//! served is acknowledged and stays silent, as the venue does with symbols it does not know.
//!
//! The venue's time is the clock it is given, rate windows and bans included; pings and network
//! deadlines are real time.

mod connection;
mod feed;
mod hub;
mod limits;
mod number;
mod rest;
mod server;
mod stream;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use finstage_model::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

pub use self::connection::{LIFETIME, PING_EVERY, PONG_WITHIN, WRITE_WITHIN};
pub use self::feed::{FeedStream, VirtualFeed};
pub use self::hub::{QUEUED_FRAMES, SLICE_EVENTS, SLOW_READER_GRACE};
pub use self::limits::{
    CONNECTS_PER_5_MIN, FIRST_BAN, INCOMING_PER_SECOND, LONGEST_BAN, REFUSALS_BEFORE_BAN,
    REQUESTS_PER_5_MIN, WEIGHT_PER_MINUTE, rules,
};
pub use self::server::MAX_COMMAND_BYTES;
use self::server::{Shared, routes};
pub use self::stream::{FrameForm, MAX_STREAMS};
use super::faults::{Faults, Scenario};
use super::front::stopped;
use super::ledger::{Counts, Ledger};
use super::market::Market;
use crate::error::{Error, ErrorKind};

/// How often the market is carried to the present of the clock.
pub const PUMP_EVERY: Duration = Duration::from_millis(5);
/// How long a stop waits for requests that are being answered.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What a simulated venue needs.
#[derive(Debug)]
pub struct SimOptions {
    /// The market it speaks for.
    pub market: Market,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// What goes wrong; offsets count from the clock's present.
    pub faults: Scenario,
    /// Where requests are entered.
    pub ledger: Arc<Ledger>,
    /// Where it listens.
    pub listener: TcpListener,
}

/// A running venue. Ends when it is stopped or dropped.
#[derive(Debug)]
pub struct BinanceSim {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
    pump: JoinHandle<()>,
}

/// What a venue has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimStats {
    /// Connections that are open.
    pub open_connections: usize,
    /// Connections that were opened.
    pub connections: u64,
    /// Connections dropped by a scenario.
    pub resets: u64,
    /// Connections whose reader was too slow.
    pub slow_readers: u64,
    /// Frames put into queues.
    pub frames: u64,
    /// Requests, connections included.
    pub requests: Counts,
}

impl BinanceSim {
    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// When the listener has no address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: SimOptions) -> Result<Self, Error> {
        let SimOptions { market, clock, faults, ledger, listener } = options;
        let address = listener.local_addr().map_err(|source| {
            Error::new(ErrorKind::Io, "simulated venue: no local address").because(source)
        })?;
        let faults = Faults::new(faults, clock.now());
        let shared = Arc::new(Shared::new(market, clock, faults, ledger));
        let server = tokio::spawn({
            let mut stop = shared.stop.subscribe();
            let routes = routes(Arc::clone(&shared));
            // Small frames must not wait for the acknowledgement of the ones before.
            let listener = listener.tap_io(|socket| {
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "simulated venue: nodelay refused");
                }
            });
            async move {
                let serving = axum::serve(listener, routes)
                    .with_graceful_shutdown(async move { stopped(&mut stop).await });
                if let Err(error) = serving.await {
                    tracing::warn!(%error, "simulated venue ended");
                }
            }
        });
        let pump = tokio::spawn(pump(Arc::clone(&shared)));
        Ok(Self { shared, address, server, pump })
    }

    /// The base of REST requests, without a final slash.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base of stream connections, without a final slash.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Shows the market as it is, for checks.
    pub fn market<R>(&self, look: impl FnOnce(&Market) -> R) -> R {
        look(&self.shared.market())
    }

    /// Lets the market happen until the clock's present now, instead of at the next beat.
    pub async fn catch_up(&self) {
        self.shared.catch_up().await;
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> SimStats {
        let shared = &self.shared;
        SimStats {
            open_connections: shared.hub.open_connections(),
            connections: shared.connects.load(Ordering::Relaxed),
            resets: shared.resets.load(Ordering::Relaxed),
            slow_readers: shared.hub.slow.load(Ordering::Relaxed),
            frames: shared.hub.frames.load(Ordering::Relaxed),
            requests: shared.ledger.counts(),
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

impl Drop for BinanceSim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
        self.pump.abort();
    }
}

async fn pump(shared: Arc<Shared>) {
    let mut beat = interval(PUMP_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        shared.catch_up().await;
        shared.tell();
    }
}
