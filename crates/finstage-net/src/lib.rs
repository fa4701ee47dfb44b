//! The client core: one `send` for HTTP, one [`Socket`] for WebSocket, the clocks, and what all
//! requests to one server share.
//!
//! It deliberately does not follow redirects, read proxy settings from the environment or keep
//! cookies. A bare [`Client`] sends once; [`Client::at`] a [`Remote`] it keeps limits, repeats what may
//! be repeated and leaves alone who fails. Nobody else in the house repeats requests.
//!
//! [`batch`] is how many calls are parted, and how their results come in order.
//!
//! Four types to read first: [`Request`] (a value that can be tested without a network),
//! [`Client`] (sends it), [`Remote`] (what is known of a server) and [`Socket`] (frames in both
//! directions).
//!
//! ```
//! use finstage_net::Request;
//! use finstage_seal::Secret;
//!
//! let token = Secret::new(String::from("123:ABC"));
//! let url = format!("https://api.example.org/bot{}/sendMessage", token.expose());
//! let request = Request::post(&url).json(r#"{"text":"hello"}"#).hide(&token);
//! assert_eq!(
//!     request.to_string(),
//!     "POST https://api.example.org/bot[redacted]/sendMessage"
//! );
//! ```
#![forbid(unsafe_code)]

pub mod batch;
mod breaker;
mod budget;
mod cache;
mod call;
mod client;
mod clock;
mod concurrency;
mod crypto;
mod encoding;
mod error;
mod failover;
mod hedge;
mod limiter;
mod network;
mod policy;
mod quota;
pub mod recovery;
mod remote;
mod request;
mod response;
mod retry;
mod signing;
mod socket;
mod steady;
mod streamed;
mod token;
mod transport;
mod trust;

pub use breaker::BreakerOptions;
pub use budget::BudgetOptions;
pub use cache::{Cache, CacheOptions, CacheSnapshot, MarketPhase};
pub use client::{Client, ClientOptions};
pub use clock::{ScaledClock, SteadyClock, SystemClock};
pub use concurrency::{AdaptiveOptions, Concurrency};
pub use crypto::install_crypto;
pub use error::{Error, ErrorKind, Phase};
pub use failover::first_good;
pub use hedge::HedgeOptions;
pub use limiter::{Limiter, LimiterOptions, LimiterSnapshot, Permit};
pub use network::Network;
pub use policy::{Asked, Failure, Growth, Refusals, RetryPolicy, Spread};
pub use quota::{
    Amounts, Books, Class, Cost, MAX_RULES, Reading, Refusal, Rule, Settlement, Shape, Sign, Ticket,
};
pub use remote::{BreakerState, QuotaSnapshot, Remote, RemoteOptions, RemoteSnapshot, Terms};
pub use request::{Method, Request};
pub use response::Response;
pub use retry::{Backoff, Jitter, http_date, retry_after};
pub use socket::{CLOSE_TIMEOUT, Frame, FrameReader, Peer, SEND_TIMEOUT, Socket, SocketOptions};
pub use steady::{ClockTurn, LEAP_DOUBT, LEAP_MIN, WITNESS_NEAR};
pub use streamed::{Opened, Pieces, Streamed};
pub use token::{Token, TokenCell, TokenRefusal, TokenSnapshot, TokenTerms};
pub use transport::{Carried, Traffic, Transport};
pub use trust::Certificate;
