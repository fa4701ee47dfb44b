//! What became of the items of each feed, and how long reading and keeping them took.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use finstage_feeds::news::Heard;
use finstage_server::{NewsGauge, NewsSource, Times};

/// Upper ends of the histogram, in seconds.
const ENDS: [f64; 7] = [0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

/// Since the service began; read while it runs.
#[derive(Debug, Default)]
pub struct NewsStats(Mutex<Counted>);

/// Feeds are as many as the settings have.
#[derive(Debug, Default)]
struct Counted {
    sources: BTreeMap<String, NewsSource>,
    within: [u64; ENDS.len() + 1],
    total: Duration,
}

impl NewsStats {
    /// An answer of a feed was taken apart.
    pub(super) fn heard(&self, feed: &str, heard: &Heard) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !counted.sources.contains_key(feed) {
            let new = NewsSource { source: feed.to_owned(), ..NewsSource::default() };
            counted.sources.insert(feed.to_owned(), new);
        }
        if let Some(source) = counted.sources.get_mut(feed) {
            source.new += heard.documents.len() as u64;
            source.copies += heard.copies.len() as u64;
            source.known += u64::from(heard.known);
            source.unreadable += u64::from(heard.unreadable);
        }
    }

    /// What was new in an answer was read and kept, and that took so long.
    pub(super) fn kept(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = ENDS.iter().position(|end| seconds <= *end).unwrap_or(ENDS.len());
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.within[place] += 1;
        counted.total += took;
    }

    /// All of it as the page of metrics shows it.
    #[must_use]
    pub fn gauge(&self) -> NewsGauge {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        NewsGauge {
            sources: counted.sources.values().cloned().collect(),
            times: Times { ends: &ENDS, within: counted.within.to_vec(), total: counted.total },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_feed_brought_is_counted_under_its_name() {
        let stats = NewsStats::default();
        let heard = Heard { known: 3, unreadable: 1, ..Heard::default() };
        stats.heard("wire", &heard);
        stats.heard("wire", &heard);
        stats.heard("other", &Heard::default());
        stats.kept(Duration::from_millis(25));
        stats.kept(Duration::from_secs(100));
        let gauge = stats.gauge();
        let names: Vec<_> = gauge.sources.iter().map(|one| (&*one.source, one.known)).collect();
        assert_eq!(names, [("other", 0), ("wire", 6)]);
        assert_eq!(gauge.sources[1].unreadable, 2);
        assert_eq!(gauge.times.within, [0, 1, 0, 0, 0, 0, 0, 1]);
    }
}
