//! How much memory the process takes, over a day, and whether it grows.

use std::collections::VecDeque;
use std::time::Duration;

use finstage_model::Timestamp;
use serde::Serialize;

/// The time between two points.
pub const EVERY: Duration = Duration::from_secs(300);
/// The most points: a day.
pub const MAX_POINTS: usize = 288;
/// Fewer points than this tell no slope.
const MIN_POINTS: usize = 12;

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// Resident bytes.
    pub bytes: u64,
}

/// The last day.
#[derive(Debug, Clone, Default)]
pub struct History {
    points: VecDeque<Point>,
    /// The most that was seen from each point to the next.
    most: VecDeque<u64>,
}

impl History {
    /// Takes a look. Where the last point was just now, it counts for the peak only.
    pub fn look(&mut self, at: Timestamp, bytes: u64) {
        if let (Some(last), Some(most)) = (self.points.back(), self.most.back_mut())
            && at.since(last.at) < EVERY
        {
            *most = bytes.max(*most);
            return;
        }
        if self.points.len() == MAX_POINTS {
            self.points.pop_front();
            self.most.pop_front();
        }
        self.points.push_back(Point { at, bytes });
        self.most.push_back(bytes);
    }

    /// The most that it was.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        self.most.iter().copied().max()
    }

    /// By how much it grows a day, as a fraction of its mean: the least-squares line through the later half,
    /// since a start fills its caches. `None` while there are too few points.
    #[must_use]
    pub fn growth_per_day(&self) -> Option<f64> {
        let later: Vec<&Point> = self.points.iter().skip(self.points.len() / 2).collect();
        if self.points.len() < MIN_POINTS {
            return None;
        }
        let start = later.first()?.at;
        let points =
            || later.iter().map(|p| (p.at.since(start).as_secs_f64() / 86_400.0, p.bytes as f64));
        let count = later.len() as f64;
        let (mean_x, mean_y) =
            points().fold((0.0, 0.0), |(x, y), p| (x + p.0 / count, y + p.1 / count));
        let spread: f64 = points().map(|p| (p.0 - mean_x).powi(2)).sum();
        let with: f64 = points().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
        (spread > 0.0 && mean_y > 0.0).then(|| with / spread / mean_y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(bytes: impl Fn(u64) -> u64) -> History {
        let mut history = History::default();
        for minute in 0..24 * 60 * 2 {
            let at = Timestamp::EPOCH.plus(Duration::from_secs(60 * minute));
            history.look(at, bytes(minute));
        }
        history
    }

    #[test]
    fn a_day_of_points_tells_the_growth_of_its_later_half() {
        let flat = history(|minute| 50_000_000 + minute % 7);
        assert_eq!(flat.points.len(), MAX_POINTS);
        assert!(flat.growth_per_day().unwrap().abs() < 1e-4);
        let grows = history(|minute| 50_000_000 + minute * 50_000_000 / 1_440);
        let growth = grows.growth_per_day().unwrap();
        // 50 MB a day around a mean of 137.5 MB.
        assert!((growth - 50.0 / 137.5).abs() < 0.01, "{growth}");
        assert_eq!(History::default().growth_per_day(), None);
        assert!(grows.peak() > flat.peak());
    }

    #[test]
    fn the_peak_is_never_below_what_was_just_seen() {
        let mut history = History::default();
        history.look(Timestamp::EPOCH, 36);
        history.look(Timestamp::EPOCH.plus(Duration::from_secs(30)), 71);
        assert_eq!(history.peak(), Some(71), "between two points");
        history.look(Timestamp::EPOCH.plus(Duration::from_secs(60)), 40);
        assert_eq!(history.peak(), Some(71));
        let late = |minutes| Timestamp::EPOCH.plus(Duration::from_secs(60 * minutes));
        (1..=MAX_POINTS as u64).for_each(|n| history.look(late(5 * n), 50));
        assert_eq!(history.peak(), Some(50), "a day later it is over");
    }
}
