//! A venue that speaks KIS Developers: tokens, quotations of Seoul and New York, files of symbols, and
//! sessions with trades and books.
//!
//! Served are `/oauth2/` `tokenP revokeP Approval`, `/uapi/hashkey`, the quotations `inquire-price`
//! (shares and funds) `inquire-ccnl inquire-asking-price-exp-ccn inquire-daily-itemchartprice
//! inquire-time-itemchartprice inquire-time-dailychartprice search-info search-stock-info chk-holiday`,
//! overseas `price price-detail dailyprice`, `/common/master/` `kospi_code.mst.zip kosdaq_code.mst.zip`,
//! and sessions at `/tryitout` (`H0STCNT0`, `H0STASP0`). Not served: orders, accounts, overseas minutes
//! and sessions, indexes, ETN.
//!
//! Any appkey of 36 characters with a secret of 180 is known, unless pairs are named. Names of parameters
//! and headers are read in any case and slashes at the front of a path are taken for one, as the venue
//! does. Limits are [`rules`]; they count by the clock that the venue is given, tokens as well. Prices are
//! seeded, in the hours of their markets; whoever asks earlier or later is told the same past.

mod about;
mod answer;
mod clock;
mod domestic;
mod keys;
mod listings;
mod master;
mod overseas;
mod server;
mod stream;
mod view;
mod wire;

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use finstage_model::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::keys::Keys;
pub use self::keys::{KEY_LENGTHS, SAME_TOKEN, TOKEN_LIFE};
pub use self::listings::codes;
use self::server::Shared;
pub use self::stream::{MAX_REGISTRATIONS, PINGPONG_EVERY, PINGPONG_WITHIN};
use super::faults::{Faults, Scenario};
use super::front;
use super::ledger::Ledger;
use super::rulebook::{Rule, Rulebook, Shape};
use crate::error::{Error, ErrorKind};

/// Calls of one appkey in a second of the clock, at the real venue.
pub const CALLS_PER_SECOND: u32 = 20;
/// How long a stop waits for requests that are being answered.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);

/// The venue's limits: `calls` in a second of its clock and one of `tokens` a minute, each by appkey.
/// Refused ones are not counted.
#[must_use]
pub fn rules(calls_per_second: u32) -> Vec<Rule> {
    let second = Shape::Aligned(Duration::from_secs(1));
    let minute = Shape::Sliding(Duration::from_secs(60));
    vec![
        Rule { status: 500, ..Rule::new("calls", calls_per_second, second) },
        Rule { status: 403, ..Rule::new("tokens", 1, minute) },
    ]
}

/// What a simulated venue needs.
#[derive(Debug)]
pub struct KisOptions {
    /// Where its prices come from.
    pub seed: u64,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// What goes wrong; offsets count from the clock's present.
    pub faults: Scenario,
    /// Where requests are entered.
    pub ledger: Arc<Ledger>,
    /// Where it listens.
    pub listener: TcpListener,
    /// Appkeys and secrets that it knows; all of [`KEY_LENGTHS`] where there are none.
    pub keys: Vec<(String, String)>,
    /// Calls of one appkey in a second: [`CALLS_PER_SECOND`], or 2 as the venue's mock server.
    pub calls_per_second: u32,
}

/// A running venue. Ends when it is stopped or dropped.
#[derive(Debug)]
pub struct KisSim {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl KisSim {
    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// When the listener has no address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: KisOptions) -> Result<Self, Error> {
        let KisOptions { seed, clock, faults, ledger, listener, keys, calls_per_second } = options;
        let address = listener.local_addr().map_err(|source| {
            Error::new(ErrorKind::Io, "simulated KIS: no local address").because(source)
        })?;
        let shared = Arc::new(Shared {
            seed,
            faults: Faults::new(faults, clock.now()),
            clock,
            ledger,
            keys: Mutex::new(Keys::new(seed, keys)),
            book: Mutex::new(Rulebook::new(rules(calls_per_second))),
            sessions: Mutex::default(),
            stop: watch::Sender::new(false),
            charts: Mutex::default(),
            calls: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        });
        let routes = Router::new()
            .route("/tryitout", get(stream::open))
            .route("/tryitout/{tr}", get(stream::open))
            .fallback(server::handle)
            .with_state(Arc::clone(&shared));
        let server = front::serve("KIS", (listener, routes), &shared.stop);
        Ok(Self { shared, address, server })
    }

    /// The base of requests, without a final slash.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base of sessions, without a final slash and without `/tryitout`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Closes all sessions and ends.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        if timeout(STOP_WITHIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for KisSim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}
