//! From what is left of the hypotheses to what is said of the server.

use super::super::model::{self, Grain, Hypothesis};
use super::super::report::{Found, Shape, Stopped};
use super::Story;

/// How far a window or a drain time is followed beyond what is left, and in what steps.
const REACH: f64 = 1.6;
const STEP: f64 = 1.004;

/// A bucket whose time is known no better than this is not known well.
const ROUGH: f64 = 1.5;
/// A window that is shorter than so many bursts is not seen well.
const MANY_BURSTS: f64 = 5.0;

impl Story {
    pub(super) fn found(&self, stopped: Stopped) -> Found {
        let all: f64 = self.hypotheses.iter().map(|h| h.weight).sum();
        let weight = |one: &Hypothesis| -> f64 {
            self.hypotheses.iter().filter(|h| h.is_like(one)).map(|h| h.weight).sum()
        };
        let best = self.hypotheses.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)));
        let tried = !self.experiments.is_empty();
        let best = best.filter(|_| tried);
        let bounds = best.map(|best| self.bounds(best));
        let elapsed = self.hand.now().since(self.started);
        let mut found = Found {
            shape: None,
            limit: None,
            limit_low: self.reached * self.cost,
            limit_high: None,
            window_s: None,
            window_low_s: None,
            window_high_s: None,
            rate_per_s: None,
            refused_count: self.refused_count,
            confidence: best.map_or(0.0, |best| weight(best) / all),
            shut_out_s: self.shut_out,
            documented: self.options.documented,
            refusals: self.refusals,
            requests: self.requests,
            elapsed_s: elapsed.as_secs_f64(),
            stopped,
            also_possible: Vec::new(),
        };
        if let Some(burst) = self.burst.filter(|burst| burst.count > 0) {
            found.limit = Some(u64::from(burst.count) * self.cost);
            found.limit_high = found.limit.map(|limit| limit + self.cost - 1);
        }
        if let (Some(best), Some((low, high))) = (best, bounds) {
            self.describe(&mut found, best, (low, high));
        }
        found
    }

    fn describe(&self, found: &mut Found, best: &Hypothesis, (low, high): (f64, f64)) {
        found.shape = Some(best.shape);
        (found.window_low_s, found.window_high_s) = (Some(low), Some(high));
        let is_bucket = best.shape == Shape::Bucket;
        let window = if is_bucket { (low * high).sqrt() } else { best.window };
        found.window_s = Some(window);
        if let Some(burst) = self.burst.filter(|_| is_bucket) {
            // What came back while the burst went on is not part of it.
            let of = |drain: f64, more: f64| {
                ((f64::from(burst.count) + more) / (1.0 + burst.length / drain) - 1e-6)
                    .ceil()
                    .max(1.0) as u64
            };
            found.limit = Some(of(window, 0.0) * self.cost);
            found.limit_low = of(low, 0.0) * self.cost;
            found.limit_high = Some(of(high, 0.0).max(of(window, 0.0)) * self.cost + self.cost - 1);
        }
        if is_bucket && high > ROUGH * low {
            found.confidence *= 0.5;
        }
        if let Some(burst) = self.burst.filter(|burst| window < MANY_BURSTS * burst.length) {
            // We asked too slowly to see it well.
            found.confidence *= 0.5 * (1.0 + burst.length / window);
        }
        found.rate_per_s = found.limit.map(|limit| limit as f64 / window);
        let mut others: Vec<&Hypothesis> = Vec::new();
        for h in self.hypotheses.iter().filter(|h| !h.is_like(best)) {
            if !others.iter().any(|other| other.is_like(h)) {
                others.push(h);
            }
        }
        let words = |h: &&Hypothesis| match h.shape {
            Shape::Bucket => "bucket".to_owned(),
            shape => format!("{} {} s", shape.name(), h.window),
        };
        found.also_possible = others.iter().map(words).collect();
    }

    /// Between which lengths all that was seen fits; of windows of the clock, the length alone.
    fn bounds(&self, best: &Hypothesis) -> (f64, f64) {
        let Some(burst) = self.burst.filter(|_| best.shape != Shape::Aligned) else {
            return (best.window, best.window);
        };
        let like = || self.hypotheses.iter().filter(|h| h.is_like(best)).map(|h| h.window);
        let (from, to) = (like().fold(f64::MAX, f64::min), like().fold(0.0, f64::max));
        let fits = |window: f64| {
            let how = match best.shape {
                Shape::Bucket => model::bucket(burst, window),
                _ => Hypothesis { window, ..*best },
            };
            self.experiments.iter().all(|seen| seen.fits(&how, Grain::Fine))
        };
        let (mut low, mut high, mut window) = (f64::MAX, 0.0, from / REACH);
        while window <= to * REACH {
            if fits(window) {
                (low, high) = (f64::min(low, window), f64::max(high, window));
            }
            window *= STEP;
        }
        if high == 0.0 { (from, to) } else { (low, high) }
    }
}
