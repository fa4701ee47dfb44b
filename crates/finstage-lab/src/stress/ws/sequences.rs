//! Numbers that a stream left out, and numbers that came twice.

use super::reading::Numbers;

/// Streams of one connection that are followed; further ones are not.
pub const MAX_FOLLOWED_STREAMS: usize = 1_024;

/// The last number of each stream of a connection. It outlives the connection: what came while it was
/// open again is missed all the same.
#[derive(Debug, Default)]
pub(crate) struct Sequences(Vec<(u64, i64)>);

/// What one message meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Held {
    pub(crate) missed: u64,
    pub(crate) repeated: u64,
}

impl Sequences {
    #[inline]
    pub(crate) fn note(&mut self, numbers: Numbers) -> Held {
        let Numbers { stream, first, last } = numbers;
        let Some((_, seen)) = self.0.iter_mut().find(|(own, _)| *own == stream) else {
            if self.0.len() < MAX_FOLLOWED_STREAMS {
                self.0.reserve_exact(1);
                self.0.push((stream, last));
            }
            return Held::default();
        };
        let next = seen.saturating_add(1);
        let missed = first.saturating_sub(next).max(0).unsigned_abs();
        let again = last.min(*seen).saturating_sub(first).saturating_add(1);
        *seen = last.max(*seen);
        Held { missed, repeated: again.max(0).unsigned_abs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_repeats_are_counted_by_stream() {
        let mut sequences = Sequences::default();
        let mut note = |stream, first, last| {
            let held = sequences.note(Numbers { stream, first, last });
            (held.missed, held.repeated)
        };
        assert_eq!(note(1, 10, 10), (0, 0), "the first is the beginning");
        assert_eq!(note(1, 11, 11), (0, 0));
        assert_eq!(note(1, 14, 14), (2, 0));
        assert_eq!(note(1, 14, 14), (0, 1));
        assert_eq!(note(1, 12, 12), (0, 1), "late is a repeat, and does not go back");
        assert_eq!(note(1, 15, 15), (0, 0));
        assert_eq!(note(2, 157, 160), (0, 0));
        assert_eq!(note(2, 159, 165), (0, 2));
        assert_eq!(note(2, 170, 171), (4, 0));
    }
}
