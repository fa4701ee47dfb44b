//! What is known of the market: the closed bars of every series, newest last, as deep as the
//! deepest reader, and the last price of every instrument.

use crate::news::News;
use finstage_model::{Bar, Insight, InstrumentId, Interval, Price, Timestamp};

/// The least that a ring keeps besides what it is deep.
const LEAST_SLACK: usize = 4;

/// Closed bars and last prices by dense id.
#[derive(Debug, Default)]
pub(crate) struct Market {
    shelves: Vec<Option<Box<Shelf>>>,
}

/// What is known of one instrument.
#[derive(Debug)]
struct Shelf {
    /// By interval, in the order of [`Interval::ALL`].
    rings: [Option<Ring>; Interval::ALL.len()],
    last: Option<(Price, Timestamp)>,
    news: News,
}

/// The newest bars of a series in one contiguous piece: [`slack`] more than `depth` are kept and then
/// dropped at once, so that a push costs O(1) on average.
#[derive(Debug)]
struct Ring {
    depth: usize,
    bars: Vec<Bar>,
}

impl Ring {
    fn push(&mut self, bar: Bar) {
        let most = self.depth + slack(self.depth);
        if self.bars.len() >= most {
            self.bars.drain(..self.bars.len() - self.depth);
        }
        if self.bars.len() == self.bars.capacity() {
            // Doubled like any vector, but never past what is kept: a service has hundreds of series.
            let more = self.bars.len().max(32).min(most - self.bars.len());
            self.bars.reserve_exact(more);
        }
        self.bars.push(bar);
    }
}

/// How many more bars than it is deep a ring keeps: a quarter, so that each bar is moved four times at most.
fn slack(depth: usize) -> usize {
    (depth / 4).max(LEAST_SLACK)
}

impl Market {
    /// Makes room for an instrument's series of those intervals, `depth` bars each.
    pub(crate) fn open(
        &mut self,
        instrument: InstrumentId,
        intervals: impl Iterator<Item = Interval>,
        depth: usize,
    ) {
        let place = instrument.index();
        if self.shelves.len() <= place {
            self.shelves.resize_with(place + 1, || None);
        }
        let mut shelf = Shelf { rings: Default::default(), last: None, news: News::default() };
        for interval in intervals {
            shelf.rings[interval as usize] = Some(Ring { depth: depth.max(1), bars: Vec::new() });
        }
        self.shelves[place] = Some(Box::new(shelf));
    }

    /// Appends a closed bar, newer than all before, to a series that is kept.
    pub(crate) fn push(&mut self, bar: &Bar) {
        let shelf = self.shelves.get_mut(bar.instrument.index()).and_then(Option::as_mut);
        if let Some(ring) = shelf.and_then(|s| s.rings[bar.interval as usize].as_mut()) {
            ring.push(*bar);
        }
    }

    /// Forgets the bars of an instrument; its last price stays.
    pub(crate) fn forget_bars(&mut self, instrument: InstrumentId) {
        if let Some(Some(shelf)) = self.shelves.get_mut(instrument.index()) {
            shelf.rings.iter_mut().flatten().for_each(|ring| ring.bars.clear());
        }
    }

    /// Takes note of the price at a moment; an older moment than the last changes nothing.
    pub(crate) fn note(&mut self, instrument: InstrumentId, price: Price, at: Timestamp) {
        if let Some(Some(shelf)) = self.shelves.get_mut(instrument.index())
            && shelf.last.is_none_or(|(_, last)| at >= last)
        {
            shelf.last = Some((price, at));
        }
    }

    /// Takes what was read about an instrument.
    pub(crate) fn hear(&mut self, instrument: InstrumentId, insight: &Insight) {
        if let Some(Some(shelf)) = self.shelves.get_mut(instrument.index()) {
            shelf.news.hear(insight);
        }
    }

    /// What is known of an instrument from news.
    pub(crate) fn news(&self, instrument: InstrumentId) -> Option<&News> {
        Some(&self.shelves.get(instrument.index())?.as_ref()?.news)
    }

    /// The newest price and its moment.
    pub(crate) fn last(&self, instrument: InstrumentId) -> Option<(Price, Timestamp)> {
        self.shelves.get(instrument.index())?.as_ref()?.last
    }

    /// The bars of a series that closed before `until`, oldest first, at most as many as the
    /// series is deep: so a reader sees the same after a warm start as without it.
    pub(crate) fn bars_until(
        &self,
        instrument: InstrumentId,
        interval: Interval,
        until: Timestamp,
    ) -> &[Bar] {
        let Some(ring) = self.ring(instrument, interval) else { return &[] };
        let end = ring.bars.partition_point(|bar| bar.close_time() < until);
        &ring.bars[end.saturating_sub(ring.depth)..end]
    }

    /// The newest bars of a series, at most `count`.
    pub(crate) fn newest(
        &self,
        instrument: InstrumentId,
        interval: Interval,
        count: usize,
    ) -> &[Bar] {
        let Some(ring) = self.ring(instrument, interval) else { return &[] };
        &ring.bars[ring.bars.len().saturating_sub(count)..]
    }

    /// The bar that opens at `open_time`, if it is still kept.
    pub(crate) fn find(
        &self,
        instrument: InstrumentId,
        interval: Interval,
        open_time: Timestamp,
    ) -> Option<&Bar> {
        let bars = &self.ring(instrument, interval)?.bars;
        bars.binary_search_by_key(&open_time, |bar| bar.open_time).ok().map(|place| &bars[place])
    }

    fn ring(&self, instrument: InstrumentId, interval: Interval) -> Option<&Ring> {
        self.shelves.get(instrument.index())?.as_ref()?.rings[interval as usize].as_ref()
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::Qty;

    use super::*;

    fn bar(minute: i64) -> Bar {
        let price = Price::from_nanos(minute);
        Bar {
            instrument: InstrumentId(2),
            interval: Interval::M1,
            open_time: Timestamp::from_secs(60 * minute),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            trades: 0,
        }
    }

    #[test]
    fn readers_see_what_closed_before_the_moment_and_no_more_than_the_depth() {
        let mut market = Market::default();
        market.open(InstrumentId(2), [Interval::M1].into_iter(), 3);
        let minutes = |bars: &[Bar]| bars.iter().map(|b| b.close.nanos()).collect::<Vec<_>>();
        for minute in 0..50 {
            market.push(&bar(minute));
            assert!(market.newest(InstrumentId(2), Interval::M1, 99).len() <= 3 + LEAST_SLACK);
            let until = Timestamp::from_secs(60 * (minute + 1));
            let seen = minutes(market.bars_until(InstrumentId(2), Interval::M1, until));
            assert_eq!(seen, ((minute - 3).max(0)..minute).collect::<Vec<_>>());
        }
        assert!(
            market.find(InstrumentId(2), Interval::M1, Timestamp::from_secs(60 * 49)).is_some()
        );
        assert!(market.find(InstrumentId(2), Interval::M1, Timestamp::from_secs(0)).is_none());
        assert!(market.bars_until(InstrumentId(2), Interval::H1, Timestamp::MAX).is_empty());
        assert!(market.bars_until(InstrumentId(7), Interval::M1, Timestamp::MAX).is_empty());
    }

    #[test]
    fn a_ring_takes_no_more_room_than_it_keeps() {
        let mut ring = Ring { depth: 200, bars: Vec::new() };
        for minute in 0..2_000 {
            ring.push(bar(minute));
            assert!(ring.bars.len() <= 250 && ring.bars.capacity() <= 250, "{minute}");
            assert!(ring.bars.len() >= 200.min(minute as usize + 1), "{minute}");
        }
    }

    #[test]
    fn an_older_price_does_not_replace_a_newer_one() {
        let mut market = Market::default();
        market.open(InstrumentId(0), std::iter::empty(), 1);
        let at = Timestamp::from_secs;
        market.note(InstrumentId(0), Price::from_nanos(1), at(10));
        market.note(InstrumentId(0), Price::from_nanos(2), at(9));
        assert_eq!(market.last(InstrumentId(0)), Some((Price::from_nanos(1), at(10))));
    }
}
