//! What was read about one instrument, as strategies hear it on stored bars: from when it was known, by no
//! bar that had closed before.

use std::sync::Arc;

use finstage_engine::LONGEST_NEWS;
use finstage_model::{Bar, Event, IdHasher, Insight, Payload, Symbol, Timestamp};

/// Insights about one instrument, in the order in which they became known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct News {
    insights: Arc<[Insight]>,
}

impl News {
    /// Of insights in any order.
    #[must_use]
    pub fn new(mut insights: Vec<Insight>) -> Self {
        insights.sort_by_key(|insight| (insight.known_at, insight.document));
        Self { insights: insights.into() }
    }

    /// Those that some bar of the series can hear: known by the close of the last one, and not forgotten
    /// before the first one opened.
    #[must_use]
    pub fn within(&self, bars: &[Bar]) -> &[Insight] {
        span(bars).map_or(&[], |span| self.between(span))
    }

    /// The same of bars of which the first opens and the last closes then.
    pub(crate) fn between(&self, (open, close): (Timestamp, Timestamp)) -> &[Insight] {
        let since = open.minus(LONGEST_NEWS);
        let place = |is_before: &dyn Fn(Timestamp) -> bool| {
            self.insights.partition_point(|insight| is_before(insight.known_at))
        };
        let begin = place(&|at| at < since);
        let end = place(&|at| at <= close);
        &self.insights[begin..end.max(begin)]
    }

    /// The hash of bars together with what they hear: `bars` itself where that is nothing.
    pub(crate) fn with_fingerprint(&self, span: (Timestamp, Timestamp), hash: u128) -> u128 {
        let heard = self.between(span);
        if heard.is_empty() {
            return hash;
        }
        let begin = IdHasher::new().bytes(&hash.to_le_bytes());
        let all = heard.iter().fold(begin, |hash, insight| {
            let hash = hash.bytes(&insight.known_at.nanos().to_le_bytes());
            let hash = hash.bytes(&insight.document.0.to_le_bytes());
            hash.bytes(&insight.impact.to_bits().to_le_bytes())
        });
        all.finish()
    }
}

/// Where bars begin and end; `None` where there are none.
pub(crate) fn span(bars: &[Bar]) -> Option<(Timestamp, Timestamp)> {
    Some((bars.first()?.open_time, bars.last()?.close_time()))
}

/// Hands the insights to an engine that knows the instrument by another name, bar by bar.
#[derive(Debug)]
pub(crate) struct Telling<'a> {
    rest: &'a [Insight],
    symbol: &'a Symbol,
}

impl<'a> Telling<'a> {
    pub(crate) fn new(news: &'a News, bars: &[Bar], symbol: &'a Symbol) -> Self {
        Self { rest: news.within(bars), symbol }
    }

    /// What became known until this moment and was not handed on before.
    pub(crate) fn until(&mut self, close: Timestamp) -> impl Iterator<Item = Event> + 'a {
        let count = self.rest.partition_point(|insight| insight.known_at <= close);
        let (known, rest) = self.rest.split_at(count);
        self.rest = rest;
        let symbol = self.symbol;
        known.iter().map(move |insight| {
            let told = Insight { symbols: vec![symbol.clone()], ..insight.clone() };
            Event::new(insight.known_at, Payload::Insight(Box::new(told)))
        })
    }
}

#[cfg(test)]
pub(crate) fn insight(number: u128, known_at: Timestamp, impact: f64) -> Insight {
    Insight {
        document: finstage_model::DocumentId(number),
        known_at,
        by: "test".to_owned(),
        symbols: Vec::new(),
        score: impact,
        impact,
        confidence: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::{Noise, world};

    #[test]
    fn bars_hear_what_was_known_by_their_end_and_is_not_forgotten() {
        let bars = world(Noise::Normal, 1, 30);
        let (first, last) = (bars[0].open_time, bars[29].close_time());
        let nano = |at: Timestamp, nanos: i64| Timestamp::from_nanos(at.nanos() + nanos);
        let week = first.minus(LONGEST_NEWS);
        let times = [last, nano(last, 1), week, nano(week, -1), first];
        let news = News::new((0..).zip(times).map(|(n, at)| insight(n, at, 0.5)).collect());
        let known: Vec<Timestamp> = news.within(&bars).iter().map(|one| one.known_at).collect();
        assert_eq!(known, [week, first, last]);
        assert_eq!(news.within(&[]), []);
        assert_eq!(News::default().with_fingerprint((first, last), 7), 7);
        // What cannot be heard makes no other data; each thing that is heard does.
        let hash = |insights: Vec<Insight>| News::new(insights).with_fingerprint((first, last), 7);
        let heard = hash(vec![insight(1, first, 0.5)]);
        assert_ne!(heard, 7);
        assert_eq!(hash(vec![insight(1, first, 0.5), insight(2, nano(last, 1), 0.5)]), heard);
        for other in [insight(2, first, 0.5), insight(1, last, 0.5), insight(1, first, 0.4)] {
            assert_ne!(hash(vec![other]), heard);
        }
    }
}
