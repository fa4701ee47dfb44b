//! What a server of each shape would let in of a pattern of requests: twenty lines each.

use std::collections::VecDeque;

use super::report::Shape;

/// Lengths that windows are taken to have, in seconds; all divide the longer grids.
pub(super) const WINDOWS_S: [f64; 13] =
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 300.0, 900.0];
/// Neighbouring drain times of buckets differ by this.
pub(super) const BUCKET_STEP: f64 = 1.15;
const SHORTEST_DRAIN_S: f64 = 0.2;
const LONGEST_DRAIN_S: f64 = 4.0 * 3_600.0;
/// A group of requests is looked at in so many pieces.
const PIECES: u32 = 6;

/// A way in which the server may count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hypothesis {
    pub(super) shape: Shape,
    /// The window, or the time in which a whole bucket comes back, in seconds.
    pub(super) window: f64,
    pub(super) burst: Burst,
    pub(super) weight: f64,
}

impl Hypothesis {
    /// What is let in from rest.
    pub(super) fn limit(&self) -> f64 {
        let count = f64::from(self.burst.count);
        match self.shape {
            // While the burst went on, some of it came back.
            Shape::Bucket => (count / (1.0 + self.burst.length / self.window) - 1e-6).ceil(),
            _ => count,
        }
    }

    /// Whether both say the same of the server: a bucket is one whatever its rate.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.shape == other.shape && (self.shape == Shape::Bucket || self.window == other.window)
    }
}

/// What the first burst said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Burst {
    /// Requests that were let in before the first refusal.
    pub(super) count: u32,
    /// How long that took, in seconds.
    pub(super) length: f64,
}

/// All ways in which a server may count that refused after this burst, up to a longest window.
pub(super) fn all(burst: Burst, (shortest, longest): (f64, f64)) -> Vec<Hypothesis> {
    let mut all = Vec::new();
    for window in WINDOWS_S.into_iter().filter(|w| (shortest..=longest).contains(w)) {
        let is_usual = [1.0, 10.0, 60.0].contains(&window);
        for shape in [Shape::Aligned, Shape::Anchored, Shape::Sliding] {
            // A window that is over before the burst is cannot have refused it.
            if window > burst.length * 1.02 {
                all.push(Hypothesis {
                    shape,
                    window,
                    burst,
                    weight: if is_usual { 2.0 } else { 1.0 },
                });
            }
        }
    }
    let mut window = SHORTEST_DRAIN_S.max(shortest).max(burst.length * 1.1);
    while window < LONGEST_DRAIN_S {
        all.push(bucket(burst, window));
        window *= BUCKET_STEP;
    }
    all
}

/// A bucket that drains in `window` seconds and refused after this burst.
pub(super) fn bucket(burst: Burst, window: f64) -> Hypothesis {
    Hypothesis { shape: Shape::Bucket, window, burst, weight: 0.3 }
}

/// Requests that are sent one after another from a moment on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group {
    /// Seconds since the start of the pattern, which is on the grid of the server's clock.
    pub(super) at: f64,
    pub(super) count: u32,
    /// How long they take.
    pub(super) length: f64,
}

/// What is not known of moments.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noise {
    /// The server's clock less what we take it for, in seconds.
    pub(super) clock: f64,
    /// How much later groups arrive than they are taken to, alternately.
    pub(super) late: [f64; 2],
    /// What a bucket that is not full holds more than it is taken to.
    pub(super) more: f64,
}

/// The state of a server that counts in one way.
#[derive(Debug, Clone)]
pub(super) struct Server {
    how: Hypothesis,
    limit: f64,
    noise: Noise,
    entries: VecDeque<(f64, f64)>,
    used: f64,
    /// When the window began, or the bucket was last looked at.
    since: Option<f64>,
}

impl Server {
    pub(super) fn new(how: Hypothesis, noise: Noise) -> Self {
        Self { how, limit: how.limit(), noise, entries: VecDeque::new(), used: 0.0, since: None }
    }

    /// How many are let in of a group that comes at a bucket, which fills while they come.
    fn admit_flowing(&mut self, at: f64, group: &Group) -> u32 {
        self.admit(at, 0.0);
        let count = f64::from(group.count);
        let back = group.length / count.max(1.0) * self.limit / self.how.window;
        // A bucket that is full is known to be.
        let used = if self.used > 0.0 { (self.used - self.noise.more).max(0.0) } else { 0.0 };
        let room = self.limit - used;
        // What is nearly a whole token is one, since rates are no round numbers.
        let admitted = if back >= 1.0 {
            count
        } else {
            (room / (1.0 - back) + 1e-6).floor().clamp(0.0, count)
        };
        self.used = (self.used + admitted * (1.0 - back)).max(0.0);
        self.since = Some(at + group.length * admitted / count.max(1.0));
        admitted as u32
    }

    /// How many are let in of `count` that come at `at`.
    fn admit(&mut self, at: f64, count: f64) -> f64 {
        let window = self.how.window;
        match self.how.shape {
            Shape::Aligned => {
                let begun = ((at + self.noise.clock) / window).floor();
                if self.since != Some(begun) {
                    (self.since, self.used) = (Some(begun), 0.0);
                }
            }
            Shape::Anchored => {
                if self.since.is_none_or(|since| at - since >= window) {
                    (self.since, self.used) = (Some(at), 0.0);
                }
            }
            Shape::Sliding => {
                while let Some((_, gone)) = self.entries.front().filter(|(t, _)| at - t >= window) {
                    self.used -= gone;
                    self.entries.pop_front();
                }
            }
            Shape::Bucket => {
                let passed = at - self.since.replace(at).unwrap_or(at);
                self.used = (self.used - passed * self.limit / window).max(0.0);
            }
        }
        let room = (self.limit - self.used + 1e-9).floor().max(0.0);
        let admitted = count.min(room);
        self.used += admitted;
        if self.how.shape == Shape::Sliding && admitted > 0.0 {
            self.entries.push_back((at, admitted));
        }
        admitted
    }

    /// What was let in before, whatever it was: only a bucket remembers it over a rest.
    pub(super) fn remember(&mut self, history: &[Group]) {
        if self.how.shape == Shape::Bucket {
            for group in history {
                self.admit(group.at, 0.0);
                self.used = (self.used + f64::from(group.count)).min(self.limit);
            }
        }
    }

    /// Where the first request is refused in all groups.
    pub(super) fn first_refused(&mut self, groups: &[Group]) -> Place {
        let mut before = 0;
        for (i, group) in groups.iter().enumerate() {
            let at = group.at + self.noise.late[i % 2];
            let admitted = if self.how.shape == Shape::Bucket {
                self.admit_flowing(at, group)
            } else {
                self.admit_pieces(at, group)
            };
            if admitted < group.count {
                return Place { group: i, request: before + admitted };
            }
            before += group.count;
        }
        Place { group: groups.len(), request: before }
    }

    /// How many are let in of a group that comes at a window, piece by piece where it takes long.
    fn admit_pieces(&mut self, at: f64, group: &Group) -> u32 {
        let is_long = group.length * 40.0 > self.how.window;
        let pieces = if is_long { group.count.clamp(1, PIECES) } else { 1 };
        for piece in 0..pieces {
            let (from, to) =
                (share(group.count, piece, pieces), share(group.count, piece + 1, pieces));
            let at = at + group.length * f64::from(piece) / f64::from(pieces);
            let admitted = self.admit(at, f64::from(to - from)) as u32;
            if admitted < to - from {
                return from + admitted;
            }
        }
        group.count
    }
}

/// Where in a pattern the first refusal fell: its group, and its place among all requests. Behind both
/// ends where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: usize,
    pub(super) request: u32,
}

fn share(count: u32, piece: u32, pieces: u32) -> u32 {
    (u64::from(count) * u64::from(piece) / u64::from(pieces)) as u32
}

/// How exactly moments are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exactness {
    /// The error of the server's clock, in seconds.
    pub(super) clock: f64,
    /// How much later than another a request may arrive, in seconds.
    pub(super) delay: f64,
}

/// How much of its surroundings a hypothesis speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// A bucket for all rates up to its neighbours.
    Coarse,
    /// For itself alone.
    Fine,
}

/// A pattern, and what was let in before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) history: &'a [Group],
    pub(super) groups: &'a [Group],
}

/// Where the first refusal may fall: in each group, and behind them, from one place to another.
pub(super) fn places(
    how: &Hypothesis,
    asked: Asked<'_>,
    (exact, grain): (Exactness, Grain),
) -> Vec<Option<(u32, u32)>> {
    let Exactness { clock, delay } = exact;
    // Of a token, what is not known of moments and of how often one comes.
    let some = 0.05 + delay * how.limit() / how.window;
    let noises = [
        Noise::default(),
        Noise { clock, late: [0.0, delay], more: some },
        Noise { clock: -clock, late: [delay, 0.0], more: -some },
        Noise { clock, late: [delay, 0.0], more: some },
        Noise { clock: -clock, late: [0.0, delay], more: -some },
    ];
    let is_bucket = how.shape == Shape::Bucket;
    let widths: &[f64] =
        if is_bucket && grain == Grain::Coarse { &[0.93, 1.0, 1.075] } else { &[1.0] };
    let mut places: Vec<Option<(u32, u32)>> = vec![None; asked.groups.len() + 1];
    for (noise, width) in noises.iter().flat_map(|noise| widths.iter().map(move |w| (noise, w))) {
        let how = Hypothesis { window: how.window * width, ..*how };
        let mut server = Server::new(how, *noise);
        server.remember(asked.history);
        let Place { group, request } = server.first_refused(asked.groups);
        let (low, high) = places[group].get_or_insert((request, request));
        (*low, *high) = ((*low).min(request), (*high).max(request));
    }
    for (low, high) in places.iter_mut().flatten().filter(|(low, high)| low != high) {
        // Between two moments anything may happen.
        (*low, *high) = (low.saturating_sub(1), *high + 1);
    }
    places
}
