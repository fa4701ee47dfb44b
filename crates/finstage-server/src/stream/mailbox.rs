//! What waits for a client. Of prices only the newest of each instrument waits; of everything else a
//! bounded number, and when that is reached the client is closed with a reason: nothing is dropped
//! between two messages.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::ask::Wants;

/// A client as the hub sees it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    /// Its number since the start.
    pub(crate) id: u64,
    /// How often the token had been replaced when it came.
    pub(crate) renewals: u64,
    max_waiting: usize,
    wants: Mutex<Wants>,
    inbox: Mutex<Inbox>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: VecDeque<Pushed>,
    prices: BTreeMap<usize, Utf8Bytes>,
    end: Option<End>,
}

/// A message that must not be lost.
#[derive(Debug, Clone)]
pub(crate) struct Pushed {
    pub(crate) text: Utf8Bytes,
    /// What it says, where that is in the records too.
    pub(crate) said: Option<Said>,
}

/// A row of the records, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Signal(i64),
    Alert(i64),
}

/// Why a client is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It does not take what waits for it.
    TooSlow,
    /// Its token opens nothing any more.
    Renewed,
}

/// Everything that waited.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) waiting: VecDeque<Pushed>,
    pub(crate) prices: BTreeMap<usize, Utf8Bytes>,
    pub(crate) end: Option<End>,
}

impl Mailbox {
    pub(crate) fn new(id: u64, renewals: u64, max_waiting: usize) -> Self {
        Self {
            id,
            renewals,
            max_waiting,
            wants: Mutex::default(),
            inbox: Mutex::default(),
            ready: Notify::new(),
        }
    }

    pub(crate) fn wants(&self) -> MutexGuard<'_, Wants> {
        self.wants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in; false when there is no more room, and then the client ends.
    pub(crate) fn push(&self, pushed: Pushed) -> bool {
        let mut inbox = self.inbox();
        if inbox.end.is_some() {
            return true;
        }
        let fits = inbox.waiting.len() < self.max_waiting;
        if fits {
            inbox.waiting.push_back(pushed);
        } else {
            inbox.end = Some(End::TooSlow);
        }
        drop(inbox);
        self.ready.notify_one();
        fits
    }

    /// Puts a price in, in place of the one of the same instrument; true when there was one.
    pub(crate) fn price(&self, place: usize, text: Utf8Bytes) -> bool {
        let mut inbox = self.inbox();
        if inbox.end.is_some() {
            return false;
        }
        let is_conflated = inbox.prices.insert(place, text).is_some();
        drop(inbox);
        self.ready.notify_one();
        is_conflated
    }

    /// Ends the client, unless it ends already.
    pub(crate) fn end(&self, why: End) {
        self.inbox().end.get_or_insert(why);
        self.ready.notify_one();
    }

    /// Takes everything that waits.
    pub(crate) fn take(&self) -> Mail {
        let mut inbox = self.inbox();
        Mail {
            waiting: std::mem::take(&mut inbox.waiting),
            prices: std::mem::take(&mut inbox.prices),
            end: inbox.end,
        }
    }

    /// Waits until something may wait.
    pub(crate) async fn ready(&self) {
        self.ready.notified().await;
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(text: &'static str) -> Pushed {
        Pushed { text: Utf8Bytes::from_static(text), said: None }
    }

    #[test]
    fn prices_are_conflated_and_messages_are_not() {
        let mailbox = Mailbox::new(1, 0, 3);
        assert!(!mailbox.price(7, Utf8Bytes::from_static("1")));
        assert!(mailbox.price(7, Utf8Bytes::from_static("2")));
        assert!(mailbox.push(pushed("a")) && mailbox.push(pushed("b")));
        let mail = mailbox.take();
        assert_eq!(mail.prices[&7].as_str(), "2");
        assert_eq!(mail.waiting.len(), 2);
        assert!(mailbox.take().waiting.is_empty());
    }

    #[test]
    fn a_full_mailbox_ends_its_client_instead_of_losing_a_message() {
        let mailbox = Mailbox::new(1, 0, 2);
        assert!(mailbox.push(pushed("a")) && mailbox.push(pushed("b")));
        assert!(!mailbox.push(pushed("c")));
        assert!(mailbox.push(pushed("d")), "counted once");
        let mail = mailbox.take();
        assert_eq!((mail.waiting.len(), mail.end), (2, Some(End::TooSlow)));
        mailbox.end(End::Renewed);
        assert_eq!(mailbox.take().end, Some(End::TooSlow), "the first reason counts");
    }
}
