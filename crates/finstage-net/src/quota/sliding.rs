//! Servers whose window slides: what others use that send now much and now nothing.
//!
//! The most that they were seen to use in a window tells nothing of the next one. So what of theirs
//! was seen and still counts is kept as ours is, and what they may have sent since comes on top.

use crate::quota::rhythm::Rhythm;
use crate::quota::wheel::Wheel;

/// What is found after a while is taken to have come in even parts, so many in a window.
const PARTS: u64 = 64;

/// What others were seen to send and what of it counts.
#[derive(Debug, Default)]
pub(super) struct Sliding {
    seen: Option<Wheel>,
    /// When the last request left whose answer told of them.
    read_at: u64,
    /// From when what they send is seen as it comes.
    known_from: Option<u64>,
}

impl Sliding {
    /// When a request arrived that had left at `sent_at`, others had used at least `used` of a window
    /// of this `length`.
    pub(super) fn read(&mut self, sent_at: u64, length: u64, used: u64, others: &mut Rhythm) {
        if sent_at <= self.read_at {
            return;
        }
        let known_from = *self.known_from.get_or_insert(sent_at + length);
        let seen = self.seen.get_or_insert_with(|| Wheel::new(length, length));
        let before = seen.sum();
        seen.advance(sent_at);
        let came = used.saturating_sub(seen.sum());
        let time = (sent_at - self.read_at).min(length);
        if sent_at < known_from {
            // What takes the place of what is over came now; what is found beyond that in the first
            // window may have come at any time before.
            let now = came.min(before - seen.sum());
            add_evenly(seen, (sent_at, time, length), now);
            add_evenly(seen, (sent_at, length, length), came - now);
        } else {
            add_evenly(seen, (sent_at, time, length), came);
            others.came(time, 0, came);
        }
        self.read_at = sent_at;
    }

    /// The most that others have used by `at`.
    pub(super) fn most(&self, at: u64, others: &Rhythm) -> u64 {
        let seen = self.seen.as_ref().map_or(0, Wheel::sum);
        seen + others.most_in(at.saturating_sub(self.read_at))
    }
}

/// Adds what came in even parts in the `time` before `at`.
fn add_evenly(seen: &mut Wheel, (at, time, length): (u64, u64, u64), amount: u64) {
    let parts = u128::from(time) * u128::from(PARTS) / u128::from(length.max(1));
    let parts = u64::try_from(parts).unwrap_or(PARTS).max(1);
    for place in 1..=parts {
        let part = amount * place / parts - amount * (place - 1) / parts;
        seen.add(at + length - time + time / parts * place, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_of_others_counts_for_a_window_and_a_burst_comes_on_top() {
        const LENGTH: u64 = 64_000;
        let mut others = Rhythm::new(LENGTH);
        let mut sliding = Sliding::default();
        // Ten at once at the beginning of each window.
        for step in 1..=512 {
            let now = step * 1000;
            sliding.read(now, LENGTH, 10, &mut others);
        }
        assert_eq!(sliding.most(512_000, &others), 10 + others.most_in(0));
        sliding.read(513_000, LENGTH, 30, &mut others);
        assert_eq!(sliding.most(513_000, &others), 30 + others.most_in(0));
        assert!(others.most_in(0) >= 19, "twenty came at once");
        sliding.read(513_000 + LENGTH + 1000, LENGTH, 10, &mut others);
        assert_eq!(sliding.seen.as_ref().map(Wheel::sum), Some(10), "the burst is over");
    }
}
