//! A second request where the first takes unusually long: the first good answer counts.
//!
//! Source: Dean and Barroso, "The Tail at Scale", CACM 2013.

use std::time::Duration;

/// When a read is asked a second time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeOptions {
    /// After the time within which this share of answers came.
    pub quantile: f64,
    /// At most for this share of the reads.
    pub share: f64,
}

impl Default for HedgeOptions {
    /// After the 95th percentile, for at most 3 %.
    fn default() -> Self {
        Self { quantile: 0.95, share: 0.03 }
    }
}

/// Latencies that are remembered.
const REMEMBERED: usize = 256;
/// The fewest latencies that make a percentile.
const ENOUGH: usize = 40;
/// Latencies between two computations of the percentile.
const REFRESH: u32 = 16;
/// Second requests that can be saved up.
const SAVED: f64 = 5.0;

/// The state for one kind of requests.
#[derive(Debug)]
pub(crate) struct Hedge {
    options: HedgeOptions,
    latencies: Vec<Duration>,
    next: usize,
    fresh: u32,
    after: Option<Duration>,
    credit: f64,
}

impl Hedge {
    pub(crate) const fn new(options: HedgeOptions) -> Self {
        let latencies = Vec::new();
        Self { options, latencies, next: 0, fresh: 0, after: None, credit: 0.0 }
    }

    /// A read begins: after which time a second one would follow.
    pub(crate) fn begin(&mut self) -> Option<Duration> {
        self.credit = (self.credit + self.options.share).min(SAVED);
        self.after
    }

    /// Takes the credit for a second request.
    pub(crate) fn take(&mut self) -> bool {
        let enough = self.credit >= 1.0;
        if enough {
            self.credit -= 1.0;
        }
        enough
    }

    /// A first request was answered after this time.
    pub(crate) fn answered(&mut self, latency: Duration) {
        if self.latencies.len() < REMEMBERED {
            self.latencies.push(latency);
        } else {
            self.latencies[self.next] = latency;
            self.next = (self.next + 1) % REMEMBERED;
        }
        self.fresh += 1;
        let known = self.latencies.len();
        if known >= ENOUGH && (self.after.is_none() || self.fresh >= REFRESH) {
            self.fresh = 0;
            let mut sorted = self.latencies.clone();
            let place = ((known - 1) as f64 * self.options.quantile.clamp(0.0, 1.0)).round();
            self.after = Some(*sorted.select_nth_unstable(place as usize).1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_request_waits_for_the_percentile_of_enough_answers() {
        let mut hedge = Hedge::new(HedgeOptions::default());
        for latency in 1..=39 {
            hedge.answered(Duration::from_millis(latency));
            assert_eq!(hedge.begin(), None);
        }
        (40..=100).for_each(|latency| hedge.answered(Duration::from_millis(latency)));
        let after = hedge.begin().unwrap().as_millis();
        assert!((80..=96).contains(&after), "{after}");
    }

    #[test]
    fn second_requests_stay_within_their_share() {
        let mut hedge = Hedge::new(HedgeOptions::default());
        let taken = (0..10_000)
            .filter(|_| {
                hedge.begin();
                hedge.take()
            })
            .count();
        assert!((295..=300).contains(&taken), "{taken}");
    }
}
