//! Where the real limit of a server lies and how it is counted, found with at most three refusals.
//!
//! The first refusal comes from a burst that begins on the server's clock, when nothing is used: it
//! gives the number. After that nothing is guessed by knocking: admissions cost nothing, so each
//! further experiment is a pattern of requests that is let in as a whole unless the window has the
//! one length, or the one shape, that it asks about. So one refusal tells the length and one the shape.
//!
//! [`Probe`] is pure: it is told the time and the answers, and says what to do next. It reads no
//! clock and opens no socket, so that it can be held against servers in virtual time.
//!
//! Windows are taken to have round lengths, from a tenth of a second to a quarter of an hour; a bucket
//! may have any rate.

mod design;
mod desk;
mod drive;
mod model;
mod report;
mod script;
mod timing;

use std::time::Duration;

use finstage_model::Timestamp;

pub use self::desk::Probe;
pub use self::drive::{ByItself, Date, Driver, Waits, documented, documented_by_binance};
pub use self::report::{Found, Shape, Stopped};

/// Refusals that a probe takes at most.
pub const MAX_REFUSALS: u32 = 3;
/// Requests of a probe at most, where nothing else is said.
pub const MAX_REQUESTS: u64 = 200_000;
/// Requests that are under way at the same time at most, and only where all of them will be let in.
pub const MAX_AT_ONCE: u32 = 32;
/// Experiments at most.
pub const MAX_EXPERIMENTS: u32 = 60;

/// What a probe may do, and what is known before.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The longest window that is looked for, at first; with a rest of it nothing is used any more.
    pub longest: Duration,
    /// Refusals at most.
    pub refusals: u32,
    /// Requests at most.
    pub requests: u64,
    /// What a request costs, in the unit of the limit.
    pub cost: u64,
    /// The documented limit, in the unit of the limit.
    pub documented: Option<u64>,
    /// Whether the documented limit may be passed; where not, no refusal is sought.
    pub beyond: Beyond,
}

/// Whether a probe goes beyond what is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// It stops there.
    Never,
    /// It looks for the real limit.
    Allowed,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            longest: Duration::from_secs(60),
            refusals: MAX_REFUSALS,
            requests: MAX_REQUESTS,
            cost: 1,
            documented: None,
            beyond: Beyond::Allowed,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send so many requests at the same time, and answer with all of their answers.
    Send {
        /// How many.
        count: u32,
    },
    /// Do nothing until then, and answer with nothing.
    Wait {
        /// When, by our clock.
        until: Timestamp,
    },
    /// It is over.
    Done(Box<Found>),
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// When the request left.
    pub left: Timestamp,
    /// When the answer had come.
    pub came: Timestamp,
    /// What it said.
    pub said: Said,
    /// The server's clock in it, and how coarse that is.
    pub server: Option<(Timestamp, Duration)>,
    /// The use so far that a header gave.
    pub used: Option<u64>,
    /// How long to wait, where it said so.
    pub retry_after: Option<Duration>,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It was let in.
    Admitted,
    /// It was too much.
    Refused,
    /// 418 or 403: nothing more is sent.
    Banned,
    /// Something else failed, with this status; 0 where there was no answer.
    Failed(u16),
}

#[cfg(test)]
mod tests;
