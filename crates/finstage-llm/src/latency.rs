//! Percentiles of times in a fixed number of counters, as HdrHistogram keeps them.

use std::time::Duration;

/// Counters for each doubling: a percentile is off by at most a sixteenth.
const STEPS: usize = 16;
/// Doublings of a microsecond: up to nine hours.
const DOUBLINGS: usize = 36;
/// Times of the past weigh half as much after so many new ones, so that a server which changed is believed.
const HALF_AFTER: u64 = 4_096;

/// Times and how often they were seen.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    counts: Box<[u32; STEPS * DOUBLINGS]>,
    seen: u64,
    since_halved: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: Box::new([0; STEPS * DOUBLINGS]), seen: 0, since_halved: 0 }
    }
}

impl Latencies {
    /// Takes a time.
    pub(crate) fn add(&mut self, time: Duration) {
        self.since_halved += 1;
        if self.since_halved > HALF_AFTER {
            self.since_halved = 0;
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.seen = self.counts.iter().map(|count| u64::from(*count)).sum();
        }
        self.counts[place(time)] += 1;
        self.seen += 1;
    }

    /// How many are counted.
    pub(crate) const fn seen(&self) -> u64 {
        self.seen
    }

    /// The time that this share of all does not pass; nothing where there is none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let wanted = (share * self.seen as f64).ceil().max(1.0) as u64;
        let mut sum = 0;
        let place = self.counts.iter().position(|count| {
            sum += u64::from(*count);
            sum >= wanted
        });
        place.map_or(Duration::ZERO, upper)
    }
}

/// The counter of a time.
fn place(time: Duration) -> usize {
    let micros = (time.as_micros() as u64).max(1);
    let doubling = micros.ilog2() as usize;
    let step = match doubling {
        0..4 => ((micros << 4) >> doubling) as usize % STEPS,
        _ => (micros >> (doubling - 4)) as usize % STEPS,
    };
    (doubling * STEPS + step).min(STEPS * DOUBLINGS - 1)
}

/// The end of a counter's times.
fn upper(place: usize) -> Duration {
    let (doubling, step) = (place / STEPS, place % STEPS);
    let micros = ((STEPS + step + 1) as f64 / STEPS as f64) * (1_u64 << doubling) as f64;
    Duration::from_secs_f64(micros / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_off_by_a_sixteenth_at_most() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.95), Duration::ZERO);
        (1..=1_000).for_each(|ms| latencies.add(Duration::from_millis(ms)));
        for (share, exact) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let found = latencies.quantile(share).as_secs_f64() * 1_000.0;
            assert!(found >= exact && found <= exact * 1.0626, "{found} for {exact}");
        }
    }

    #[test]
    fn a_server_that_changed_is_believed_and_extremes_have_a_place() {
        let mut latencies = Latencies::default();
        (0..4_000).for_each(|_| latencies.add(Duration::from_millis(10)));
        (0..40_000).for_each(|_| latencies.add(Duration::from_secs(2)));
        assert!(latencies.quantile(0.5) >= Duration::from_secs(2));
        assert!(latencies.seen() < 44_000);
        latencies.add(Duration::ZERO);
        latencies.add(Duration::MAX);
        assert!(latencies.quantile(1.0) > Duration::from_secs(3_600));
    }
}
