//! Messages that came before.
//!
//! Encryption does not stop anyone from sending a message again. Of each sender the latest
//! [`WIDTH`] sequence numbers are remembered, as IPsec does (RFC 4303, section 3.4.3; the bits turn
//! in a ring as in RFC 6479). Older ones are refused: nobody remembers whether they came.

use std::collections::HashMap;

use crate::Keyring;
use crate::UnixTime;
use crate::envelope::Origin;
use crate::key::KeyId;

/// How many of the latest numbers of a sender are remembered.
pub const WIDTH: u64 = 1024;
/// The most senders that are remembered at once.
pub const MAX_SENDERS: usize = 4096;

/// Twice the width, so that the word that is being filled never holds numbers still remembered.
const WORDS: u64 = 2 * WIDTH / 64;

/// What is remembered of one sender.
#[derive(Debug, Clone)]
struct Window {
    /// The highest number so far.
    top: u64,
    bits: [u64; WORDS as usize],
}

impl Window {
    fn new(first: u64) -> Self {
        let mut window = Self { top: first, bits: [0; WORDS as usize] };
        window.mark(first);
        window
    }

    /// Whether the number is new; it is not any more.
    fn admit(&mut self, seq: u64) -> bool {
        if seq > self.top {
            // Words between the old top and the new one hold numbers from a turn ago.
            let (from, to) = (self.top / 64, seq / 64);
            for word in 0..(to - from).min(WORDS) {
                self.bits[((to - word) % WORDS) as usize] = 0;
            }
            self.top = seq;
        } else if self.top - seq >= WIDTH || self.bits[word(seq)] & bit(seq) != 0 {
            return false;
        }
        self.mark(seq);
        true
    }

    fn mark(&mut self, seq: u64) {
        self.bits[word(seq)] |= bit(seq);
    }
}

const fn word(seq: u64) -> usize {
    (seq / 64 % WORDS) as usize
}

const fn bit(seq: u64) -> u64 {
    1 << (seq % 64)
}

/// What is remembered of all senders.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    senders: Vec<(KeyId, u32, Window)>,
    places: HashMap<(KeyId, u32), usize>,
    /// Where the last message was from: the next one often is too.
    last: usize,
}

impl Memory {
    /// Whether the message is new; it is not any more. Where no more senders can be remembered, one
    /// that is not known yet is refused: forgetting another would let its messages in again.
    pub(crate) fn admit(&mut self, origin: &Origin, ring: &Keyring, now: UnixTime) -> bool {
        let &Origin { key, sid, seq } = origin;
        let is_same = |sender: &(KeyId, u32, Window)| sender.1 == sid && sender.0 == key;
        if !self.senders.get(self.last).is_some_and(is_same) {
            match self.places.get(&(key, sid)) {
                Some(&place) => self.last = place,
                None => return self.meet(origin, ring, now),
            }
        }
        self.senders[self.last].2.admit(seq)
    }

    fn meet(&mut self, origin: &Origin, ring: &Keyring, now: UnixTime) -> bool {
        if self.senders.len() >= MAX_SENDERS {
            self.forget_those_that_cannot_come(ring, now);
        }
        if self.senders.len() >= MAX_SENDERS {
            return false;
        }
        self.last = self.senders.len();
        self.places.insert((origin.key, origin.sid), self.last);
        self.senders.push((origin.key, origin.sid, Window::new(origin.seq)));
        true
    }

    /// Messages under keys that open nothing are refused anyway.
    fn forget_those_that_cannot_come(&mut self, ring: &Keyring, now: UnixTime) {
        self.senders.retain(|(key, ..)| ring.key(*key).is_some_and(|key| key.may_open(now)));
        self.places.clear();
        for (place, (key, sid, _)) in self.senders.iter().enumerate() {
            self.places.insert((*key, *sid), place);
        }
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_admitted_once_within_the_width_and_never_below() {
        let mut window = Window::new(5000);
        assert!(!window.admit(5000));
        assert!(window.admit(5000 - WIDTH + 1));
        assert!(!window.admit(5000 - WIDTH + 1));
        assert!(!window.admit(5000 - WIDTH));
        assert!(window.admit(5001));
        assert!(!window.admit(5001 - WIDTH));
        assert!(window.admit(u64::MAX));
        assert!(!window.admit(u64::MAX));
        assert!(window.admit(u64::MAX - WIDTH + 1));
        assert!(!window.admit(u64::MAX - WIDTH));
        assert!(!window.admit(5002));
    }
}
