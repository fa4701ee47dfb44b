//! A venue that speaks Kraken Spot: the public half of its REST interface, over the same market as the
//! simulated Binance.
//!
//! Served is `/0/public/` `Time SystemStatus Assets AssetPairs Ticker OHLC Trades Depth Spread`, with GET and
//! with POST. An error has status 200 and stands in `error`; `result` then is missing. What is quoted in
//! dollar coins at Binance is quoted in dollars here. Pairs are found by all their names (`XXBTZUSD`, `XBTUSD`,
//! `XBT/USD`, `BTC/USD`); answers are keyed by the first of them.
//!
//! Charts have the newest 720 rows whatever is asked for, and the last row is still open; weeks and spans
//! of 15 days begin where the clock of 1970 began them, on a Thursday. Trades are the newest
//! [`RECENT_TRADES`](super::market::RECENT_TRADES) of a pair. Limits are [`rules`], by address, and for charts
//! and trades by address and pair. Not served: accounts, orders, sessions.

mod answer;
mod pairs;
mod server;

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use finstage_model::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use self::answer::{MAX_DEPTH, MAX_ROWS, MAX_TRADES};
use self::server::Shared;
use super::faults::{Faults, Scenario};
use super::front;
use super::ledger::Ledger;
use super::market::Market;
use super::rulebook::{Rule, Rulebook, Scope, Shape};
use crate::error::{Error, ErrorKind};

/// Calls that are let in at once. The venue names the pace only; this is what it was seen to forgive.
pub const BURST: u32 = 15;
/// The pace: a call is forgotten in this time.
pub const PACE: Duration = Duration::from_secs(1);
/// How long a stop waits for requests that are being answered.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);

/// The venue's limits: `calls` of an address, `charts` of an address about one pair. Refused ones are not
/// counted.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let one = |name, scope| Rule {
        scope,
        // Refusals of this venue have status 200 as everything has.
        status: 200,
        ..Rule::new(name, BURST, Shape::Decaying(PACE))
    };
    vec![one("calls", Scope::Address), one("charts", Scope::AddressAndTopic)]
}

/// What a simulated venue needs.
#[derive(Debug)]
pub struct KrakenOptions {
    /// What is traded, standing at the clock's present.
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
pub struct KrakenSim {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl KrakenSim {
    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// When the listener has no address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: KrakenOptions) -> Result<Self, Error> {
        let KrakenOptions { market, clock, faults, ledger, listener } = options;
        let address = listener.local_addr().map_err(|source| {
            Error::new(ErrorKind::Io, "simulated Kraken: no local address").because(source)
        })?;
        let shared = Arc::new(Shared {
            faults: Faults::new(faults, clock.now()),
            clock,
            ledger,
            pairs: market.listings().enumerate().map(pairs::Pair::of).collect(),
            market: Mutex::new(market),
            book: Mutex::new(Rulebook::new(rules())),
            asked: AtomicU64::new(0),
            stop: watch::Sender::new(false),
        });
        let routes = Router::new().fallback(server::handle).with_state(Arc::clone(&shared));
        let server = front::serve("Kraken", (listener, routes), &shared.stop);
        Ok(Self { shared, address, server })
    }

    /// The base of requests, without a final slash and without `/0`.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        if timeout(STOP_WITHIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for KrakenSim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}
