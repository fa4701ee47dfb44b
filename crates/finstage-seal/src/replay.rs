//! Messages that came before.
//!
//! Encryption does not stop anyone from sending a message again. Of each sender the latest
//! [`WIDTH`] sequence numbers are remembered, as IPsec does (RFC 4303, section 3.4.3; the bits turn
//! in a ring as in RFC 6479). Older ones are refused: nobody remembers whether they came.

use std::collections::HashMap;

use crate::envelope::Place;
use crate::{Keyring, Keys, UnixTime};

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

/// Which message of whom under which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// [`Material::mark`](crate::key::Material).
    pub(crate) mark: u64,
    pub(crate) place: Place,
}

/// What is remembered of all senders.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    senders: Vec<Sender>,
    places: HashMap<(u64, u32), usize>,
    /// Where the last message was from: the next one often is too.
    last: usize,
}

#[derive(Debug)]
struct Sender {
    mark: u64,
    sid: u32,
    window: Window,
}

impl Memory {
    /// Whether the message is new; it is not any more. Where no more senders can be remembered, one
    /// that is not known yet is refused: forgetting another would let its messages in again.
    pub(crate) fn admit(&mut self, origin: Origin, keys: &Keys, now: UnixTime) -> bool {
        let Origin { mark, place: Place { sid, seq } } = origin;
        let is_same = |sender: &Sender| sender.mark == mark && sender.sid == sid;
        if !self.senders.get(self.last).is_some_and(is_same) {
            match self.places.get(&(mark, sid)) {
                Some(&place) => self.last = place,
                None => return self.meet(origin, keys, now),
            }
        }
        self.senders[self.last].window.admit(seq)
    }

    fn meet(&mut self, origin: Origin, keys: &Keys, now: UnixTime) -> bool {
        if self.senders.len() >= MAX_SENDERS {
            self.forget_those_that_cannot_come(&keys.current(), now);
        }
        if self.senders.len() >= MAX_SENDERS {
            return false;
        }
        let Origin { mark, place: Place { sid, seq } } = origin;
        self.last = self.senders.len();
        self.places.insert((mark, sid), self.last);
        self.senders.push(Sender { mark, sid, window: Window::new(seq) });
        true
    }

    /// Messages under keys that open nothing are refused anyway.
    fn forget_those_that_cannot_come(&mut self, ring: &Keyring, now: UnixTime) {
        let open = ring.keys().iter().filter(|key| key.may_open(now));
        let marks: Vec<u64> = open.filter_map(|key| Some(key.material.as_ref()?.mark)).collect();
        self.senders.retain(|sender| marks.contains(&sender.mark));
        self.places.clear();
        for (place, sender) in self.senders.iter().enumerate() {
            self.places.insert((sender.mark, sender.sid), place);
        }
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{NewKey, Secret};

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

    #[test]
    fn a_sender_that_begins_at_the_end_of_a_word_is_remembered_as_any() {
        for first in [0, 1, 62, 63, 64, 65, WIDTH - 1, WIDTH, 2 * WIDTH - 1, 2 * WIDTH] {
            let mut window = Window::new(first);
            assert!(!window.admit(first));
            assert!(window.admit(first + 1) && !window.admit(first + 1));
            assert_eq!(first > 0, first.checked_sub(1).is_some_and(|seq| window.admit(seq)));
        }
    }

    #[test]
    fn admissions_are_those_of_a_set_of_all_numbers() {
        let mut state = 7_u64;
        let mut dice = |sides: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % sides
        };
        for _ in 0..200 {
            let mut top = dice(3000);
            let mut window = Window::new(top);
            let mut seen = HashSet::from([top]);
            for _ in 0..2000 {
                let seq = match dice(10) {
                    0..=4 => top + dice(3),
                    5..=7 => top.saturating_sub(dice(WIDTH + 10)),
                    8 => top + dice(100),
                    _ => top + dice(3 * WIDTH),
                };
                let expected = seq + WIDTH > top && seen.insert(seq);
                assert_eq!(window.admit(seq), expected, "{seq} below {top}");
                top = top.max(seq);
            }
        }
    }

    fn origin(mark: u64, sid: u32, seq: u64) -> Origin {
        Origin { mark, place: Place { sid, seq } }
    }

    #[test]
    fn senders_and_keys_are_remembered_apart() {
        let now = UnixTime::from_secs(0);
        let key = NewKey::of("k".parse().unwrap(), Secret::new([1; 32]));
        let keys = Keys::new(Keyring::new(key, now));
        let mut memory = Memory::default();
        for (mark, sid) in [(1, 1), (1, 2), (2, 1), (1, 1), (1, 2), (2, 1)] {
            let seq = if memory.senders.len() < 3 { 5 } else { 6 };
            assert!(memory.admit(origin(mark, sid, seq), &keys, now));
            assert!(!memory.admit(origin(mark, sid, seq), &keys, now));
        }
        assert_eq!(memory.senders.len(), 3);
    }

    #[test]
    fn where_no_more_senders_fit_those_of_dead_keys_are_forgotten_and_no_others() {
        let now = UnixTime::from_secs(0);
        let key = NewKey::of("k".parse().unwrap(), Secret::new([1; 32]));
        let keys = Keys::new(Keyring::new(key, now));
        let mark = keys.current().keys()[0].material.as_ref().unwrap().mark;
        let mut memory = Memory::default();
        for sid in 0..MAX_SENDERS as u32 {
            let of = if sid % 2 == 0 { mark } else { mark ^ 1 };
            assert!(memory.admit(origin(of, sid, 0), &keys, now));
        }
        assert!(memory.admit(origin(mark, u32::MAX, 0), &keys, now));
        assert_eq!(memory.senders.len(), MAX_SENDERS / 2 + 1);
        for sid in (0..MAX_SENDERS as u32).step_by(2) {
            assert!(!memory.admit(origin(mark, sid, 0), &keys, now), "{sid} came before");
        }
        for sid in MAX_SENDERS as u32.. {
            if !memory.admit(origin(mark, sid, 0), &keys, now) {
                break;
            }
        }
        assert_eq!(memory.senders.len(), MAX_SENDERS, "then new ones are refused");
        assert!(!memory.admit(origin(mark, 0, 0), &keys, now));
    }
}
