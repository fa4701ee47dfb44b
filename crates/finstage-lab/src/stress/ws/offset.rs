//! How far the clock of a server is from ours, out of the seconds that its answers say.

use finstage_model::Timestamp;

const SECOND_US: i64 = 1_000_000;

/// Bounds on the server's clock less ours, in µs. Each answer that says a second narrows them: the
/// server stood within that second at some moment between our question and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offset {
    low: i64,
    high: i64,
}

impl Default for Offset {
    fn default() -> Self {
        Self { low: i64::MIN, high: i64::MAX }
    }
}

impl Offset {
    /// A server said `second` to a question that left at the first and was answered at the second
    /// moment of our clock, in µs.
    pub(crate) fn hear(&mut self, second: Timestamp, (left, came): (i64, i64)) {
        let said = second.nanos() / 1_000;
        let low = self.low.max(said - came);
        let high = self.high.min(said + SECOND_US - left);
        // A clock that was set meanwhile, or a server that says an old second: begin again.
        *self = if low <= high {
            Self { low, high }
        } else {
            Self { low: said - came, high: said + SECOND_US - left }
        };
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        if low <= high {
            *self = Self { low, high };
        }
    }

    /// The middle and how far the truth may be from it, in ms; `None` where nothing was heard.
    pub(crate) fn estimate_ms(&self) -> Option<(f64, f64)> {
        (self.low != i64::MIN && self.high != i64::MAX).then(|| {
            let (low, high) = (self.low as f64 / 1_000.0, self.high as f64 / 1_000.0);
            (f64::midpoint(low, high), (high - low) / 2.0)
        })
    }

    /// What to add to our clock, in µs: nothing as long as both may agree.
    pub(crate) fn correction_us(&self) -> i64 {
        match self.estimate_ms() {
            Some((middle, error)) if middle.abs() > error => (middle * 1_000.0) as i64,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_narrow_the_clock_of_a_server_down_to_the_time_of_a_question() {
        let (truth, rtt) = (1_234_567, 2_000);
        let mut offset = Offset::default();
        assert_eq!((offset.estimate_ms(), offset.correction_us()), (None, 0));
        for i in 0..200_i64 {
            let left = 1_700_000_000_000_000 + i * 10_007;
            let server = left + rtt / 2 + truth;
            let second = Timestamp::from_secs(server.div_euclid(SECOND_US));
            offset.hear(second, (left, left + rtt));
        }
        let (middle, error) = offset.estimate_ms().unwrap();
        assert!(error < 8.0, "{error}");
        assert!((middle - truth as f64 / 1_000.0).abs() <= error, "{middle}");
        assert_ne!(offset.correction_us(), 0);
    }

    #[test]
    fn clocks_that_may_agree_are_not_corrected() {
        let mut offset = Offset::default();
        offset.hear(
            Timestamp::from_secs(1_700_000_000),
            (1_700_000_000_400_000, 1_700_000_000_500_000),
        );
        assert_eq!(offset.correction_us(), 0);
    }
}
