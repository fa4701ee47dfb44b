//! What a venue's limits make of the client: the simulator's rulebook, which counts each window by brute
//! force, and beside it what no server tells, whether the client rests when it is told to.

use finstage_lab::sim::rulebook::{Caller, Refusal, Rule, Rulebook, Verdict};
use finstage_model::Timestamp;

/// The one client.
const CLIENT: Caller<'static> =
    Caller { key: "campaign", address: "10.0.0.1", connection: 0, topic: "" };

/// Counts of one venue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Requests that arrived.
    pub(crate) arrived: u64,
    /// Of those, refused because a limit was passed.
    pub(crate) refused: u64,
    /// Of those, refused by a ban, its pronouncement included.
    pub(crate) banned: u64,
    /// Answers "too many requests" without a cause: a fault.
    pub(crate) groundless: u64,
    /// Other faults.
    pub(crate) faults: u64,
    /// Requests that left although a rest had been asked for and its answer was read.
    pub(crate) impatient: u64,
    /// The most that one window of the venue's main limit held.
    pub(crate) fullest: u32,
    /// Frames of one connection beyond what it may send.
    pub(crate) chatty: u64,
}

#[derive(Debug)]
pub(crate) struct Referee {
    book: Rulebook,
    /// The limit whose fullest window is told.
    main: &'static str,
    pub(crate) ledger: Ledger,
    /// Until when the client was asked to rest, by an answer that it has read.
    rests_until: Timestamp,
}

impl Referee {
    pub(crate) fn new(rules: Vec<Rule>, main: &'static str) -> Self {
        let (book, ledger) = (Rulebook::new(rules), Ledger::default());
        Self { book, main, ledger, rests_until: Timestamp::EPOCH }
    }

    /// A request leaves the client.
    pub(crate) fn leaves(&mut self, now: Timestamp) {
        self.ledger.impatient += u64::from(now < self.rests_until);
    }

    /// An answer is read that asks for a rest of so many seconds.
    pub(crate) fn asks_for_rest(&mut self, now: Timestamp, seconds: u64) {
        let until = now.plus(std::time::Duration::from_secs(seconds));
        self.rests_until = self.rests_until.max(until);
    }

    /// A request arrives.
    pub(crate) fn admit(&mut self, now: Timestamp, costs: &[(&str, u32)]) -> Option<Refusal> {
        self.ledger.arrived += 1;
        let verdict = self.book.admit(now, &CLIENT, costs);
        let used = self.book.used(now, &CLIENT, self.main);
        self.ledger.fullest = self.ledger.fullest.max(used);
        match verdict {
            Verdict::Admitted => None,
            Verdict::Refused(refusal) => {
                self.ledger.refused += 1;
                self.ledger.banned += u64::from(refusal.banned_until.is_some());
                Some(refusal)
            }
        }
    }

    /// What the present window of the main limit holds.
    pub(crate) fn used(&mut self, now: Timestamp) -> u32 {
        self.book.used(now, &CLIENT, self.main)
    }

    /// Something arrives that is no request: an attempt to connect.
    pub(crate) fn lets_connect(&mut self, now: Timestamp) -> bool {
        let may = self.book.admit(now, &CLIENT, &[("connects", 1)]).is_admitted();
        self.ledger.refused += u64::from(!may);
        may
    }

    /// A frame of a connection arrives; whether it may.
    pub(crate) fn hears(&mut self, now: Timestamp, connection: u64) -> bool {
        let who = Caller { connection, ..CLIENT };
        let may = self.book.admit(now, &who, &[("messages", 1)]).is_admitted();
        self.ledger.chatty += u64::from(!may);
        may
    }
}
