//! The best that can be done beside another process: who sees the counter of the server itself, and
//! nothing of the future.

use std::collections::VecDeque;

use finstage_net::Shape;

use super::world::{Answer, Client, Manner, Other, Scene, Seen};

/// Sees what the server counts as late as an answer could bring it, knows the other's rate and the
/// size of its requests, and takes no risk. What remains unknown is when the other's next request
/// arrives, and when one's own does. Its figures exceed one where windows that it knows to begin anew
/// need no guard, and in a window that slides where a refused request of the other leaves its room.
pub(super) struct Oracle {
    is_sliding: bool,
    limit: u64,
    window: u64,
    /// The least and the most that a way takes.
    way: (u64, u64),
    /// How late the counter is seen.
    lag: u64,
    other: Other,
    /// What was counted and is not seen yet.
    coming: VecDeque<Seen>,
    /// What is seen and counts.
    seen: VecDeque<(u64, u64)>,
    sum: u64,
    /// Ours that is not seen yet.
    ours: u64,
    ends: Option<u64>,
    /// Whether it sees the counter at its own requests only, as answers show it.
    by_answers: bool,
    /// Up to when the counter is seen.
    seen_to: u64,
}

impl Oracle {
    /// One that sees no more than what its own answers say.
    pub(super) fn by_answers(scene: &Scene) -> Self {
        Self { by_answers: true, ..Self::new(scene) }
    }

    /// One that sees the counter all the time.
    pub(super) fn new(scene: &Scene) -> Self {
        let window = scene.rule.window.as_nanos() as u64;
        Self {
            is_sliding: scene.rule.shape == Shape::Sliding,
            limit: scene.rule.limit,
            // As long as a slow clock makes it.
            window: window + window / 1_000_000 * scene.slow_ppm + 1,
            way: scene.delay,
            lag: u64::midpoint(scene.delay.0, scene.delay.1),
            other: scene.other.expect("beside another"),
            coming: VecDeque::new(),
            seen: VecDeque::new(),
            sum: 0,
            ours: 0,
            ends: None,
            by_answers: false,
            seen_to: 0,
        }
    }

    fn look(&mut self, now: u64) {
        let arrives_at = now + self.way.0;
        let is_shown =
            |seen: &Seen| seen.at + self.lag <= now && (seen.is_ours || !self.by_answers);
        let last = self.coming.iter().rposition(is_shown);
        for _ in 0..last.map_or(0, |last| last + 1) {
            let Some(seen) = self.coming.pop_front() else { break };
            self.seen_to = seen.at;
            if seen.is_ours {
                self.ours -= seen.weight;
            }
            let is_same = |ends: u64| {
                seen.window_ends.is_none_or(|other| other.abs_diff(ends) < self.window / 2)
            };
            if !self.is_sliding && !self.ends.is_some_and(is_same) {
                self.ends = seen.window_ends;
                self.seen.clear();
                self.sum = 0;
            }
            if seen.is_counted {
                self.sum += seen.weight;
                self.seen.push_back((seen.at, seen.weight));
            }
        }
        let window = self.window;
        let is_over = |at: u64| self.is_sliding && at + window <= arrives_at;
        while let Some((_, weight)) = self.seen.pop_front_if(|(at, _)| is_over(*at)) {
            self.sum -= weight;
        }
        if self.ends.is_some_and(|ends| ends <= arrives_at) {
            self.seen.clear();
            self.sum = 0;
        }
    }

    /// The most that the other sends in `time`.
    fn others_in(&self, time: u64) -> u64 {
        let Other { amount, weight, manner } = self.other;
        let each = (self.window * weight).checked_div(amount).unwrap_or(u64::MAX);
        let time = time + self.way.1 - self.way.0;
        match manner {
            Manner::Steady => (time / each + 1) * weight,
            Manner::Spells => (time / (each / 2) + 1) * weight,
            Manner::Chance => {
                // So many that more come once in ten million times.
                let mean = time as f64 / each as f64;
                let (mut count, mut share) = (0u64, (-mean).exp());
                let mut rest = 1.0 - share;
                while rest > 1e-7 {
                    count += 1;
                    share *= mean / count as f64;
                    rest -= share;
                }
                count * weight
            }
        }
    }
}

impl Client for Oracle {
    fn ask(&mut self, now: u64, weight: u64) -> Result<u32, u64> {
        self.look(now);
        // Of a window that ends, also what the other still needs; of a new one all of it.
        let rest = match self.ends {
            _ if self.is_sliding => 0,
            Some(ends) if now + self.way.0 < ends => ends.saturating_sub(now),
            _ => self.window,
        };
        let before = if self.by_answers { now.saturating_sub(self.seen_to) } else { self.lag };
        let unseen = self.others_in(before.min(self.window) + rest.max(self.way.1));
        if self.sum + self.ours + unseen + weight <= self.limit {
            self.ours += weight;
            return Ok(0);
        }
        let shown = self.coming.iter().map(|seen| seen.at + self.lag).find(|at| *at > now);
        let over = self.seen.front().filter(|_| self.is_sliding);
        let over = over.map(|(at, _)| (at + self.window).saturating_sub(self.way.0));
        let ended = self.ends.map(|ends| ends.saturating_sub(self.way.0));
        let later = [shown, over, ended].into_iter().flatten().filter(|at| *at > now);
        Err(later.min().unwrap_or(u64::MAX).min(now + self.window / 256))
    }

    fn answered(&mut self, _: u64, _: u32, _: &Answer) {}

    fn counted(&mut self, seen: Seen) {
        self.coming.push_back(seen);
    }
}
