//! What a server allows, and what a request costs there.

mod account;
mod books;
mod bucket;
mod delay;
mod effective;
mod fixed;
mod others;
mod pace;
mod queue;
mod rhythm;
mod sends;
mod sliding;
mod wheel;

use std::time::Duration;

pub use books::{Amounts, Books, Ticket};
pub(crate) use queue::{Next, Queue, Waiter};

/// The most rules that a server has.
pub const MAX_RULES: usize = 8;

/// One limit of a server. Several may apply to a request; it leaves when all of them admit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What requests, readings and people call it: `weight`, `orders`, `requests`.
    pub name: &'static str,
    /// How the server counts.
    pub shape: Shape,
    /// The most in one window; the capacity of a bucket. 0 for [`Shape::Paced`]: nobody knows it yet.
    pub limit: u64,
    /// The length of a window; the time in which an empty bucket fills.
    pub window: Duration,
    /// What a request costs that says nothing; 0 where only some requests are counted.
    pub default_cost: u32,
    /// Whether refused requests count as well.
    pub counts_refused: bool,
}

/// How a server counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Windows begin with the server's clock: each minute, each second.
    Aligned,
    /// A window begins with the first request after the last window.
    Anchored,
    /// What was counted in the last window, at every moment.
    Sliding,
    /// Tokens come back steadily. A counter that decays is the same, seen from the other side.
    Bucket,
    /// Nobody knows how the server counts, or how much it takes: what is sent is spread, never more at
    /// once than what comes in a second, except where the server's own figures show that there is more,
    /// and never more in any window than the limit. A limit that is not known is learned from what
    /// answers say, or from refusals. A request is charged when it is sent: where it cost less in the end
    /// nothing is given back.
    Paced,
}

/// Who goes first where requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Class {
    /// Somebody waits, or a gap is open.
    Urgent,
    /// What is asked regularly.
    #[default]
    Normal,
    /// History, refills.
    Background,
}

/// What a request costs under one [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// The rule's name.
    pub rule: &'static str,
    /// How much.
    pub amount: u32,
}

/// What an answer says about a [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The rule's name.
    pub rule: &'static str,
    /// Used in the present window, others with the same key included.
    pub used: Option<u64>,
    /// The limit itself, where the server says it.
    pub limit: Option<u64>,
}

/// What an answer says about the limits, all of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settlement<'a> {
    /// What the server says is used and allowed.
    pub readings: &'a [Reading],
    /// It said "too many requests".
    pub refused: Option<Refusal>,
    /// What it cost in the end, where that is known only now; else it cost what was estimated.
    pub actual: &'a [Cost],
}

/// A server said "too many requests".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refusal {
    /// The wait that it names.
    pub retry_after: Option<Duration>,
    /// It shuts us out, beyond this one request.
    pub banned: bool,
}

/// What an answer means to the client core, whatever its status. Each venue maps its own signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The server did what was asked, or refused it for a reason of its own that no repetition
    /// mends.
    Fine,
    /// Too many requests: none before the wait is over.
    Limited {
        /// The wait that the server names.
        retry_after: Option<Duration>,
    },
    /// Too many at once, not too fast: this one is sent again later, fewer are out at once where that
    /// number is learned, and nobody else waits for it.
    Crowded {
        /// The wait that the server names.
        retry_after: Option<Duration>,
    },
    /// Shut out: nothing is sent before the wait is over, not even a probe.
    Banned {
        /// The wait that the server names.
        retry_after: Option<Duration>,
    },
    /// The token is not valid any more: a new one is needed, once.
    TokenExpired,
    /// The credentials are wrong: repeating is of no use.
    Unauthorized,
    /// The server failed or is overloaded: it may answer later.
    Unavailable {
        /// The wait that the server names.
        retry_after: Option<Duration>,
    },
    /// It failed in a way that leaves open whether the work was done.
    UnknownOutcome,
}

/// A duration as nanoseconds; beyond 584 years the most there is.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
