//! What the engine knows of the news about one instrument.

use std::collections::VecDeque;
use std::time::Duration;

use finstage_model::{DocumentId, Insight, Timestamp};

/// The most insights of an instrument that are remembered; the oldest go first.
pub const MAX_HEARD: usize = 64;
/// The longest memory of news.
pub const LONGEST_NEWS: Duration = Duration::from_secs(7 * 86_400);
/// The most that one insight moves a score, which lies between -1 and 1: a single headline, be it wrong
/// or written for us to read, is never enough to look like a market's opinion.
pub const MOST_OF_ONE: f64 = 0.25;

/// The insights about an instrument, oldest first.
#[derive(Debug, Default)]
pub(crate) struct News {
    heard: VecDeque<(Timestamp, DocumentId, f64)>,
}

impl News {
    /// Takes an insight. A document counts once, as it was read first.
    pub(crate) fn hear(&mut self, insight: &Insight) {
        let (at, id) = (insight.known_at, insight.document);
        if self.heard.iter().any(|(_, known, _)| *known == id) || !insight.impact.is_finite() {
            return;
        }
        let place = self.heard.partition_point(|(known, ..)| *known <= at);
        self.heard.insert(place, (at, id, insight.impact.clamp(-1.0, 1.0)));
        if self.heard.len() > MAX_HEARD {
            self.heard.pop_front();
        }
    }

    /// The score at a moment, of what was known then. Weights fall in a straight line: quotients and
    /// products only, which are the same to the last bit everywhere.
    pub(crate) fn score(&self, at: Timestamp, memory: Duration) -> f64 {
        let memory = memory.min(LONGEST_NEWS);
        let mut score = 0.0;
        for &(known_at, _, impact) in &self.heard {
            if known_at <= at && at.since(known_at) < memory {
                let age = at.since(known_at).as_secs_f64() / memory.as_secs_f64();
                score += impact * MOST_OF_ONE * (1.0 - age);
            }
        }
        score.clamp(-1.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insight(number: u128, second: i64, impact: f64) -> Insight {
        let (known_at, by) = (Timestamp::from_secs(second), "test".to_owned());
        let document = DocumentId(number);
        Insight { document, known_at, by, symbols: Vec::new(), score: 0.0, impact, confidence: 1.0 }
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn news_counts_from_when_it_was_known_and_fades() {
        let mut news = News::default();
        news.hear(&insight(1, 1_000, 0.8));
        let score = |second| news.score(Timestamp::from_secs(second), HOUR);
        assert_eq!([999, 1_000, 2_800, 4_600].map(score), [0.0, 0.2, 0.1, 0.0]);
    }

    #[test]
    fn one_headline_moves_a_score_by_a_quarter_at_most_and_counts_once() {
        let mut news = News::default();
        for impact in [f64::INFINITY, f64::NAN, 1e300, -0.5] {
            news.hear(&insight(1, 0, impact));
        }
        assert_eq!(news.score(Timestamp::from_secs(0), HOUR), 0.25);
        (0..1_000).for_each(|n| news.hear(&insight(n, 0, -1e9)));
        assert_eq!(news.score(Timestamp::from_secs(0), HOUR), -1.0);
        assert_eq!(news.heard.len(), MAX_HEARD);
    }

    #[test]
    fn the_order_in_which_insights_are_told_does_not_matter() {
        let told = [insight(1, 5, 0.3), insight(2, 1, -0.7), insight(3, 9, 0.1)];
        let score = |order: [usize; 3]| {
            let mut news = News::default();
            order.iter().for_each(|&place| news.hear(&told[place]));
            news.score(Timestamp::from_secs(10), HOUR)
        };
        assert_eq!(score([0, 1, 2]), score([2, 0, 1]));
    }
}
