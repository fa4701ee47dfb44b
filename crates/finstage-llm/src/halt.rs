use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

/// Why a run ended before its rows did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// What is missing.
    pub why: Why,
    /// A line for people.
    pub message: String,
}

/// What a run lacks to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The right to ask: the key is wrong, or its quota is used up.
    Denied,
    /// Money: the budget is spent.
    Budget,
    /// A server: nothing ever answered.
    Unreachable,
    /// A reason: it was cancelled.
    Cancelled,
}

/// Says that nothing more is to be sent. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Halt(Arc<watch::Sender<Option<Stopped>>>);

impl Default for Halt {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Halt {
    /// Stops. The first reason counts.
    pub fn stop(&self, why: Why, message: impl Into<String>) {
        let stopped = Stopped { why, message: message.into() };
        self.0.send_if_modified(|state| {
            let is_first = state.is_none();
            state.get_or_insert(stopped);
            is_first
        });
    }

    /// Why it stopped; `None` while it has not.
    #[must_use]
    pub fn reason(&self) -> Option<Stopped> {
        self.0.borrow().clone()
    }

    /// Whether it stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until it stops.
    pub async fn stopped(&self) {
        let mut state = self.0.subscribe();
        // The sender is in `self`.
        let _ = state.wait_for(Option::is_some).await;
    }
}

impl fmt::Debug for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Halt").field(&self.reason()).finish()
    }
}
