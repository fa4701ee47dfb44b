//! The client core: one `send` for HTTP, one [`Socket`] for WebSocket, the clocks and the one way
//! to wait before trying again.
//!
//! It deliberately does not follow redirects, read proxy settings from the environment, keep
//! cookies or retry by itself: a caller that may repeat a call asks [`Error::is_retryable`] and
//! [`Error::maybe_sent`], and waits as [`Backoff`] says.
//!
//! Three types to read first: [`Request`] (a value that can be tested without a network),
//! [`Client`] (sends it) and [`Socket`] (frames in both directions).
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

mod client;
mod clock;
mod crypto;
mod encoding;
mod error;
mod quota;
mod remote;
mod request;
mod response;
mod retry;
mod socket;
mod transport;

pub use client::{Client, ClientOptions};
pub use clock::{ScaledClock, SystemClock};
pub use crypto::install_crypto;
pub use error::{Error, ErrorKind};
pub use quota::{Class, Cost, Reading, Rule, Shape, Sign};
pub use remote::{BreakerState, QuotaSnapshot, Remote, RemoteSnapshot, Terms};
pub use request::{Method, Request};
pub use response::Response;
pub use retry::{Backoff, Jitter, http_date, retry_after};
pub use socket::{CLOSE_TIMEOUT, Frame, Peer, SEND_TIMEOUT, Socket, SocketOptions};
pub use transport::{Carried, Transport};
