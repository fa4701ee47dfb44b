//! The right to send one request, and what became of it.

use std::sync::Arc;

use super::Shared;
use super::share::Entry;
use crate::Settlement;
use crate::quota::Ticket;

/// The right to send one request.
///
/// Dropped before [`Permit::sent`] it is given back; dropped after, the request stays charged,
/// since the server may have counted it.
#[derive(Debug)]
#[must_use = "dropped, it is given back"]
pub struct Permit {
    shared: Arc<Shared>,
    id: u64,
    ticket: Box<Ticket>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Admitted,
    Sent,
    Settled,
}

impl Permit {
    pub(super) fn new(shared: Arc<Shared>, id: u64, ticket: Box<Ticket>) -> Self {
        Self { shared, id, ticket, stage: Stage::Admitted }
    }

    /// The request leaves now. To be said just before it is handed to the network: what it waits
    /// there is taken for delay.
    pub fn sent(&mut self) {
        if self.stage == Stage::Admitted {
            self.stage = Stage::Sent;
            let mut state = self.shared.state();
            let now = state.time.now();
            state.books.sent(now, &mut self.ticket);
            state.say(now, self.id, &Entry::Sent);
        }
    }

    /// Its answer came now. One that was never said to be sent is taken to have been sent now.
    pub fn answered(mut self, answer: &Settlement<'_>) {
        self.sent();
        self.stage = Stage::Settled;
        let mut state = self.shared.state();
        let now = state.time.now();
        let rested = state.books.blocked_until();
        state.books.answered(now, &self.ticket, answer);
        let until = state.books.blocked_until();
        if let Some(share) = &mut state.share {
            share.say_answer(now, self.id, answer);
        }
        let rest = Entry::Blocked(until);
        state.tell(now, self.id, if until > rested { std::slice::from_ref(&rest) } else { &[] });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let entry = match self.stage {
            Stage::Settled => return,
            Stage::Admitted => Entry::GivenBack,
            Stage::Sent => Entry::Lost,
        };
        let mut state = self.shared.state();
        let now = state.time.now();
        match self.stage {
            Stage::Admitted => state.books.give_back(&self.ticket),
            _ => state.books.lost(&self.ticket),
        }
        state.tell(now, self.id, &[entry]);
    }
}
