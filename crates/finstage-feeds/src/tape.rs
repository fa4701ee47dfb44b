//! Continuity of numbered trades.
//!
//! Venues number trades without holes per symbol. So the numbers tell what the transport does not:
//! a jump is a loss, a number seen before is a duplicate, and a number that fills a hole is a late
//! trade. Three rules:
//!
//! 1. The first trade of an instrument sets where counting begins; smaller numbers count as seen.
//! 2. A jump leaves a hole and is reported with the times on both sides.
//! 3. A number inside a hole passes once (late); any other that is not new is a duplicate.
//!
//! A late trade does not take back the report of its loss: whoever heard of the hole has acted on
//! it, and the missing bars are fetched anyway.

use finstage_model::{FeedKind, Timestamp};

/// How many holes of one instrument are remembered. A trade that fills an older one counts as a
/// duplicate.
pub const MAX_HOLES: usize = 64;

/// What a trade number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequel {
    /// The next one, or the first.
    Next,
    /// Trades are missing in front of it.
    AfterGap(FeedKind),
    /// Older, but not seen before.
    Late,
    /// Seen before.
    Duplicate,
}

/// The numbers of one instrument's trades.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    newest: Option<(u64, Timestamp)>,
    /// Numbers not seen yet, each `first..end`, oldest first.
    holes: Vec<(u64, u64)>,
}

impl Tape {
    pub(crate) fn admit(&mut self, id: u64, ts_event: Timestamp) -> Sequel {
        let Some((newest, newest_at)) = self.newest else {
            self.newest = Some((id, ts_event));
            return Sequel::Next;
        };
        if id <= newest {
            return self.fill(id);
        }
        self.newest = Some((id, ts_event));
        if id == newest + 1 {
            return Sequel::Next;
        }
        if self.holes.len() == MAX_HOLES {
            self.holes.remove(0);
        }
        self.holes.push((newest + 1, id));
        Sequel::AfterGap(FeedKind::Gap { from: newest_at, to: ts_event.max(newest_at) })
    }

    fn fill(&mut self, id: u64) -> Sequel {
        let Some(at) = self.holes.iter().position(|&(first, end)| (first..end).contains(&id))
        else {
            return Sequel::Duplicate;
        };
        let (first, end) = self.holes.remove(at);
        if id + 1 < end {
            self.holes.insert(at, (id + 1, end));
        }
        if first < id && self.holes.len() < MAX_HOLES {
            self.holes.insert(at, (first, id));
        }
        Sequel::Late
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn admit(tape: &mut Tape, id: u64) -> Sequel {
        tape.admit(id, Timestamp::from_secs(id as i64))
    }

    #[test]
    fn a_jump_is_reported_with_the_times_on_both_sides() {
        let mut tape = Tape::default();
        assert_eq!(admit(&mut tape, 10), Sequel::Next);
        assert_eq!(admit(&mut tape, 11), Sequel::Next);
        let gap = FeedKind::Gap { from: Timestamp::from_secs(11), to: Timestamp::from_secs(14) };
        assert_eq!(admit(&mut tape, 14), Sequel::AfterGap(gap));
    }

    #[test]
    fn a_late_trade_passes_once_and_a_duplicate_never() {
        let mut tape = Tape::default();
        for id in [10, 14] {
            admit(&mut tape, id);
        }
        assert_eq!(admit(&mut tape, 12), Sequel::Late);
        assert_eq!(admit(&mut tape, 12), Sequel::Duplicate);
        assert_eq!(admit(&mut tape, 14), Sequel::Duplicate);
        assert_eq!(admit(&mut tape, 11), Sequel::Late);
        assert_eq!(admit(&mut tape, 13), Sequel::Late);
        assert_eq!(admit(&mut tape, 13), Sequel::Duplicate);
        assert_eq!(admit(&mut tape, 9), Sequel::Duplicate, "before the first");
        assert_eq!(admit(&mut tape, 15), Sequel::Next);
    }

    #[test]
    fn memory_is_bounded_by_the_number_of_holes() {
        let mut tape = Tape::default();
        for id in (0..10_000).step_by(4) {
            admit(&mut tape, id);
        }
        assert_eq!(tape.holes.len(), MAX_HOLES);
        for id in (0..10_000).rev() {
            admit(&mut tape, id);
        }
        assert!(tape.holes.len() <= MAX_HOLES);
    }

    proptest! {
        #[test]
        fn no_number_passes_twice_and_few_holes_lose_nothing(
            ids in proptest::collection::vec(0u64..60, 1..300),
        ) {
            let mut tape = Tape::default();
            let mut passed = BTreeSet::new();
            for &id in &ids {
                let expected_new = id >= ids[0] && !passed.contains(&id);
                let passes = admit(&mut tape, id) != Sequel::Duplicate;
                prop_assert_eq!(passes, expected_new);
                if passes {
                    passed.insert(id);
                }
            }
        }
    }
}
