//! A server that speaks the OpenAI API: chats, plain and streamed, embeddings, files and batches.
//!
//! Served are `/v1/` `chat/completions embeddings models models/{id} files files/{id} files/{id}/content
//! batches batches/{id} batches/{id}/cancel usage`, with and without `/v1`. The models are scripted: what
//! they say follows from the question and the seed ([`count_tokens`] says how they count). Tokens are
//! reserved on arrival, the prompt's and the most that the answer may have, and nothing is given back, as
//! the venue does it. Whoever leaves before an answer is charged for it.
//!
//! Any key that begins with `sk-` is known, unless keys are named. Limits are buckets by key and model
//! ([`Limits`]), counted by the [`Rulebook`](super::rulebook::Rulebook) on the clock that the server is given;
//! what they say in headers has three styles ([`Hints`]), and errors have two ([`Dialect`]). In streams,
//! comments stand between events and pieces are cut anywhere, inside letters too: by the seed, always.
//!
//! Batches are worked off one line after the other, at the pace of
//! [`Manners::batch_line`]; their output is in no order. Not served: responses, assistants, images, sound,
//! fine-tuning, completions of the old kind.

mod answering;
mod batches;
mod catalog;
mod chat;
mod completion;
mod embedding;
mod failure;
mod files;
mod latency;
mod limits;
mod options;
mod reply;
mod schema;
mod script;
mod server;
mod storage;
mod stream;
mod tokens;

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use self::batches::{
    COMPLETION_WINDOW, FINALIZING, MAX_BATCHES, MAX_LINES, PRICE_PERCENT, VALIDATING,
};
pub use self::chat::{DEFAULT_MAX_TOKENS, MAX_ANSWER_TOKENS, MAX_CHOICES, MAX_MESSAGES};
pub use self::embedding::{MAX_INPUTS, MAX_NUMBERS};
pub use self::files::{MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};
pub use self::latency::{Latency, MAX_LATENCY};
use self::limits::Admission;
pub use self::limits::MAX_KEYS;
pub use self::options::{
    Dialect, Hints, Limits, Manners, OpenAiOptions, REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE,
};
pub use self::server::MAX_BODY_BYTES;
use self::server::Shared;
pub use self::stream::MAX_HANG;
pub use self::tokens::{PER_ANSWER, PER_IMAGE, PER_MESSAGE, TOKEN_BYTES, count_tokens};
use super::faults::Faults;
use super::front;
use crate::error::{Error, ErrorKind};

/// How long a stop waits for requests that are being answered.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);

/// A running server. Ends when it is stopped or dropped.
#[derive(Debug)]
pub struct OpenAiSim {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl OpenAiSim {
    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// When the listener has no address, or the speed is not a positive number.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: OpenAiOptions) -> Result<Self, Error> {
        let OpenAiOptions { seed, clock, speed, faults, ledger, listener, keys, manners } = options;
        let address = listener.local_addr().map_err(|source| {
            Error::new(ErrorKind::Io, "simulated OpenAI: no local address").because(source)
        })?;
        if !(speed.is_finite() && speed > 0.0) {
            let text = format!("simulated OpenAI: speed {speed}: write a positive number");
            return Err(Error::new(ErrorKind::Scenario, text));
        }
        let shared = Arc::new(Shared {
            seed,
            speed,
            faults: Faults::new(faults, clock.now()),
            clock,
            ledger,
            keys,
            admission: Arc::new(Mutex::new(Admission::new(manners.limits))),
            manners,
            store: Mutex::default(),
            asked: AtomicU64::new(0),
            stop: watch::Sender::new(false),
        });
        let routes = Router::new().fallback(server::handle).with_state(Arc::clone(&shared));
        let server = front::serve("OpenAI", (listener, routes), &shared.stop);
        Ok(Self { shared, address, server })
    }

    /// The base of requests, with `/v1` and without a final slash.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Ends, and with it answers that hang.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        if timeout(STOP_WITHIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for OpenAiSim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}
