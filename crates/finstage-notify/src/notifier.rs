//! What a channel is: two pure functions, from an alert or a notice to requests and from an answer to its
//! meaning.
//!
//! A notifier opens no connection, reads no clock and keeps no state. Pacing, retries, leases and
//! the memory of what was sent exist once, in [`Courier`](crate::Courier) and
//! [`Dispatcher`](crate::Dispatcher); so a new channel is one file that can be tested with texts.

use std::fmt;
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_net::Request;
use finstage_store::records::{Item, Sent};

use crate::pacer::Pace;
use crate::template::Repeat;

/// A channel that alerts leave by.
pub trait Notifier: Send + Sync + fmt::Debug {
    /// Its name in the outbox, the log and the metrics; one per configured channel.
    fn name(&self) -> &str;

    /// How fast its service may be asked.
    fn pace(&self) -> Pace;

    /// What to send for `item`, an alert or a notice of the service, in order.
    ///
    /// The same item, `repeat` and `note` give the same number of parts in every form and to every
    /// address, so that a sender that changes either goes on with the part it stopped at.
    fn render(&self, item: &Item, delivery: &Delivery<'_>) -> Vec<Outgoing>;

    /// What the service's answer to one part means.
    fn accepted(&self, reply: &Reply<'_>) -> Accepted;
}

/// The circumstances of one delivery.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Whether people may have this alert already.
    pub repeat: Repeat,
    /// Whether the channel may use its markup.
    pub form: Form,
    /// Plain words to stand beside an alert; the same in every attempt of one message.
    pub note: Option<&'a str>,
    /// The address that an earlier answer moved the channel to, in place of the configured one.
    pub address: Option<&'a str>,
    /// The moment of sending, by the wall's clock: for channels that sign it.
    pub at: Timestamp,
}

impl Delivery<'_> {
    /// A first delivery with markup to the configured address.
    pub const FIRST: Self = Self {
        repeat: Repeat::No,
        form: Form::Rich,
        note: None,
        address: None,
        at: Timestamp::EPOCH,
    };
}

/// With or without markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With the channel's markup.
    Rich,
    /// Text only: the service could not read the markup.
    Plain,
}

/// One thing to send.
#[derive(Debug)]
pub enum Outgoing {
    /// A request to the channel's service.
    Http(Request),
    /// A line for the writer that the courier was given.
    Line(String),
}

/// A service's answer, as far as a notifier may know it.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The wait that the `Retry-After` header asks for.
    pub retry_after: Option<Duration>,
    /// The body, complete.
    pub body: &'a [u8],
}

/// What an answer means. Texts name the cause in the service's words, without any secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It arrived; the service's own id of the message (empty where it gives none).
    Delivered(String),
    /// Too fast: nothing may be sent to this address until the wait is over.
    RetryAfter(Duration),
    /// No answer of the service itself, or trouble on its side: try again later.
    Retry {
        /// Whether the alert may have arrived all the same.
        sent: Sent,
        /// What came instead of an answer.
        reason: String,
    },
    /// The service could not read the markup: send the same part as [`Form::Plain`].
    PlainAgain,
    /// The channel lives at another address now: send the same part there.
    Moved {
        /// The new address.
        address: String,
    },
    /// The service says no, in words we do not know to be final: try again a few times.
    Refused {
        /// Its words.
        reason: String,
    },
    /// The service says no for good.
    Rejected {
        /// Its words, and what to do about it.
        reason: String,
        /// Whether every later alert would be refused as well.
        then: Then,
    },
}

/// What a final refusal means for the alerts behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It concerns this alert alone.
    GoOn,
    /// It concerns the channel: nothing more is sent until somebody mends it and restarts.
    Disable,
}
