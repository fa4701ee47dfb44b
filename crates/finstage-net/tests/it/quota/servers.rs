//! Reference servers: each counts by a log or a counter of its own and shares nothing with the
//! limiter, not even its types of time.

use std::collections::VecDeque;

use finstage_net::{Rule, Shape};

/// A server with one limit, in nanoseconds of its own clock.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) limit: u64,
    window: u64,
    counts_refused: bool,
    log: Log,
}

#[derive(Debug)]
enum Log {
    /// The number of the present window, and what it holds.
    Aligned(u64, u64),
    /// When the present window began, and what it holds.
    Anchored(Option<u64>, u64),
    /// Who came when in the last window, and their sum.
    Sliding(VecDeque<(u64, u64)>, u64),
    /// What has not drained, times the window; and when that was.
    Bucket(u128, u64),
}

impl Server {
    pub(super) fn new(rule: &Rule) -> Self {
        let log = match rule.shape {
            Shape::Aligned => Log::Aligned(0, 0),
            Shape::Anchored => Log::Anchored(None, 0),
            Shape::Sliding => Log::Sliding(VecDeque::new(), 0),
            Shape::Bucket => Log::Bucket(0, 0),
            Shape::Paced => unreachable!("no server counts so"),
        };
        let window = rule.window.as_nanos() as u64;
        Self { limit: rule.limit, window, counts_refused: rule.counts_refused, log }
    }

    /// Whether a request is accepted that comes at `t`, which never goes back.
    pub(super) fn takes(&mut self, t: u64, weight: u64) -> bool {
        self.forget(t);
        let accepts = self.used() + weight <= self.limit;
        if accepts || self.counts_refused {
            match &mut self.log {
                Log::Aligned(_, used) => *used += weight,
                Log::Anchored(start, used) => {
                    start.get_or_insert(t);
                    *used += weight;
                }
                Log::Sliding(log, sum) => {
                    log.push_back((t, weight));
                    *sum += weight;
                }
                Log::Bucket(level, _) => *level += u128::from(weight) * u128::from(self.window),
            }
        }
        accepts
    }

    /// What counts, as of the last request.
    pub(super) fn used(&self) -> u64 {
        match &self.log {
            Log::Aligned(_, used) | Log::Anchored(_, used) | Log::Sliding(_, used) => *used,
            Log::Bucket(level, _) => level.div_ceil(u128::from(self.window)) as u64,
        }
    }

    /// How long the present window goes on, if it is one that ends.
    pub(super) fn window_left(&self, t: u64) -> Option<u64> {
        match &self.log {
            Log::Aligned(number, _) => Some(((number + 1) * self.window).saturating_sub(t)),
            Log::Anchored(start, _) => start.map(|start| (start + self.window).saturating_sub(t)),
            Log::Sliding(..) | Log::Bucket(..) => None,
        }
    }

    fn forget(&mut self, t: u64) {
        match &mut self.log {
            Log::Aligned(number, used) => {
                if *number != t / self.window {
                    (*number, *used) = (t / self.window, 0);
                }
            }
            Log::Anchored(start, used) => {
                if start.is_some_and(|start| t >= start + self.window) {
                    (*start, *used) = (None, 0);
                }
            }
            Log::Sliding(log, sum) => {
                while log.front().is_some_and(|(at, _)| at + self.window <= t) {
                    *sum -= log.pop_front().map_or(0, |(_, weight)| weight);
                }
            }
            Log::Bucket(level, at) => {
                *level = level.saturating_sub(u128::from(t - *at) * u128::from(self.limit));
                *at = t;
            }
        }
    }
}

#[test]
fn each_server_counts_as_its_kind_does() {
    let takes = |shape, counts_refused, times: &[u64]| -> String {
        let window = std::time::Duration::from_nanos(100);
        let rule = Rule { name: "", shape, limit: 2, window, default_cost: 1, counts_refused };
        let mut server = Server::new(&rule);
        times.iter().map(|t| if server.takes(*t, 1) { 'y' } else { 'n' }).collect()
    };
    let times = [150, 160, 170, 205, 206, 249, 255, 301];
    assert_eq!(takes(Shape::Aligned, false, &times), "yynyynny");
    assert_eq!(takes(Shape::Anchored, false, &times), "yynnnnyy");
    assert_eq!(takes(Shape::Sliding, false, &times), "yynnnnyy");
    assert_eq!(takes(Shape::Sliding, true, &times), "yynnnnnn");
    assert_eq!(takes(Shape::Bucket, false, &times), "yynynnyy");
}
