use finstage_model::Timestamp;

use super::*;
use crate::rng::Rng;
use crate::sim::rulebook::{Caller, Rule, Rulebook, Shape as Counted, Verdict};

/// A server in virtual time, and the way to it.
struct World {
    book: Rulebook,
    now: Timestamp,
    /// The server's clock less ours, in ms.
    skew_ms: i64,
    /// One way, at least and at most, in µs.
    delay_us: (u64, u64),
    /// Whether answers say the second of the server.
    says_date: bool,
    /// Whether refusals say how long to wait.
    says_wait: bool,
    refused: u32,
    sent: u64,
    rng: Rng,
}

impl World {
    fn new(rule: Rule, seed: u64) -> Self {
        let mut rng = Rng::named(seed, "world");
        let now = Timestamp::from_millis(1_700_000_000_000 + rng.below(3_600_000) as i64);
        Self {
            book: Rulebook::new(vec![rule]),
            now,
            skew_ms: 0,
            delay_us: (50, 150),
            says_date: false,
            says_wait: false,
            refused: 0,
            sent: 0,
            rng,
        }
    }

    fn server(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_nanos(at.nanos() + self.skew_ms * 1_000_000)
    }

    fn way(&mut self) -> Duration {
        let (low, high) = self.delay_us;
        Duration::from_micros(low + self.rng.below(high - low + 1))
    }

    fn send(&mut self, count: u32) -> Vec<Answer> {
        let left = self.now;
        let mut arrivals: Vec<Timestamp> = (0..count).map(|_| left.plus(self.way())).collect();
        arrivals.sort_unstable();
        let mut answers = Vec::new();
        for arrived in arrivals {
            let server = self.server(arrived);
            self.sent += 1;
            let verdict = self.book.admit(server, &Caller::default(), &[("calls", 1)]);
            let came = arrived.plus(self.way());
            let second = Timestamp::from_secs(server.secs());
            let mut answer = Answer {
                left,
                came,
                said: Said::Admitted,
                server: self.says_date.then_some((second, Duration::from_secs(1))),
                used: None,
                retry_after: None,
            };
            if let Verdict::Refused(refusal) = verdict {
                self.refused += 1;
                answer.said = if refusal.status == 429 { Said::Refused } else { Said::Banned };
                if self.says_wait {
                    answer.retry_after = Some(Duration::from_secs(refusal.retry_after_s()));
                }
            }
            self.now = self.now.max(came);
            answers.push(answer);
        }
        self.now = self.now.plus(Duration::from_micros(20));
        answers
    }

    fn probe(&mut self, options: Options) -> Found {
        let mut probe = Probe::new(options);
        let mut answers = Vec::new();
        loop {
            match probe.step(self.now, std::mem::take(&mut answers)) {
                Action::Send { count } => answers = self.send(count),
                Action::Wait { until } => {
                    let late = Duration::from_micros(self.rng.below(1_000));
                    self.now = self.now.max(until).plus(late);
                }
                Action::Done(found) => {
                    assert_eq!((found.refusals, found.requests), (self.refused, self.sent));
                    return *found;
                }
            }
        }
    }
}

fn counted(shape: Shape, window: Duration, limit: u32) -> Counted {
    match shape {
        Shape::Aligned => Counted::Aligned(window),
        Shape::Anchored => Counted::Anchored(window),
        Shape::Sliding => Counted::Sliding(window),
        Shape::Bucket => Counted::Decaying(window / limit),
    }
}

/// What is wrong with what was found; nothing if it is right.
fn wrong(found: &Found, (shape, window, limit): (Shape, Duration, u32)) -> Option<String> {
    let near = |a: f64, b: f64, by: f64| (a / b - 1.0).abs() <= by;
    // With a limit of one these are the same.
    let same =
        |a: Shape| a == shape || (limit == 1 && a != Shape::Aligned && shape != Shape::Aligned);
    let is_shape = found.shape.is_some_and(same);
    let is_limit = found.limit.is_some_and(|n| near(n as f64, f64::from(limit), 0.0101));
    // The rate of a bucket is told as well as what is left of refusals lets it; it says how well.
    let slack = if shape == Shape::Bucket { 0.35 } else { 0.02 };
    let is_window = found.window_s.is_some_and(|w| near(w, window.as_secs_f64(), slack));
    let is_right = is_shape && is_limit && is_window && found.refusals <= 3;
    (!is_right).then(|| format!("{shape:?} {window:?} {limit}: {found:?}"))
}

const SEEDS: u64 = 2;
const SHAPES: [Shape; 4] = [Shape::Aligned, Shape::Anchored, Shape::Sliding, Shape::Bucket];
/// One way in µs.
const WAYS: [(u64, u64); 3] = [(50, 150), (1_000, 3_000), (10_000, 30_000)];

#[test]
fn shapes_limits_and_windows_are_found_whatever_the_way() {
    let (mut tried, mut failed, mut most) = (0, Vec::new(), [0_u32; 4]);
    for seed in 0..SEEDS {
        for (w, window) in
            [1_000_u64, 10_000, 60_000].map(Duration::from_millis).into_iter().enumerate()
        {
            for limit in [4_u32, 5, 15, 20, 100, 360, 1_200] {
                for way in WAYS {
                    for (s, shape) in SHAPES.into_iter().enumerate() {
                        let round = Duration::from_micros((way.0 + way.1) * u64::from(limit));
                        let share = if shape == Shape::Bucket { 0.06 } else { 0.15 };
                        if round > window.mul_f64(share) {
                            continue;
                        }
                        let seed = seed * 1_000 + (w * 100 + s * 10) as u64 + u64::from(limit);
                        let rule = Rule::new("calls", limit, counted(shape, window, limit));
                        let mut world = World { delay_us: way, ..World::new(rule, seed) };
                        world.says_date = true;
                        world.skew_ms = world.rng.below(4_000) as i64 - 2_000;
                        let found = world.probe(Options::default());
                        tried += 1;
                        most[found.refusals.min(3) as usize] += 1;
                        failed.extend(
                            wrong(&found, (shape, window, limit)).map(|w| format!("{way:?} {w}")),
                        );
                    }
                }
            }
        }
    }
    println!("{tried} tried, {} wrong, refusals {most:?}", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
