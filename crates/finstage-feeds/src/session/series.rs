//! Which bar comes next in each series.
//!
//! Bars reach us twice: from the stream as they close, and from requests that fetch what was
//! missed. Of each series every bar must leave once and in order. So a series knows the open time
//! of its next bar; it is *behind* while older bars are being fetched, and what the stream brings
//! beyond the next one is parked until they are here.

use std::collections::BTreeMap;

use finstage_model::{Bar, Event, InstrumentId, Interval, Payload, Symbol, Timestamp};

use super::Since;
use crate::venue::{Query, Subscription, VenueProfile};

/// Bars of one series that wait for older ones. When more come, the oldest is let go: the request
/// under way will bring it.
pub const MAX_PARKED_BARS: usize = 64;

/// Every series of a session.
#[derive(Debug)]
pub(crate) struct SeriesBook {
    series: BTreeMap<(InstrumentId, Interval), Series>,
    expects_every_bar: bool,
    bars_per_page: u32,
}

#[derive(Debug)]
struct Series {
    symbol: Symbol,
    next_open: Option<Timestamp>,
    last: Option<Bar>,
    is_behind: bool,
    /// What is missing in front of the next bar of the stream cannot be had.
    is_given_up: bool,
    parked: BTreeMap<Timestamp, Event>,
}

/// What to do with a bar of the stream.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Send it on.
    Pass,
    /// Drop it: it was sent before.
    Duplicate,
    /// It is kept until older ones are here.
    Parked,
    /// As `Parked`, and it is the first sign that bars since this moment are missing.
    Hole(Timestamp),
}

impl SeriesBook {
    pub(crate) fn new(
        profile: &VenueProfile,
        subscriptions: &[Subscription],
        since: &[Since],
    ) -> Self {
        let mut series = BTreeMap::new();
        for subscription in subscriptions {
            for &interval in &subscription.intervals {
                let key = (subscription.instrument, interval);
                let stored = since.iter().find(|s| (s.instrument, s.interval) == key);
                let fresh = Series {
                    symbol: subscription.symbol.clone(),
                    next_open: stored.map(|since| since.close_time),
                    last: None,
                    is_behind: false,
                    is_given_up: false,
                    parked: BTreeMap::new(),
                };
                series.insert(key, fresh);
            }
        }
        Self {
            series,
            expects_every_bar: profile.bars_without_trades,
            bars_per_page: profile.bars_per_page,
        }
    }

    /// A connection begins: what has a past may have missed bars, what has none begins here.
    pub(crate) fn on_connect(&mut self, now: Timestamp) {
        for ((_, interval), series) in &mut self.series {
            if series.next_open.is_some() {
                series.is_behind = true;
            } else {
                series.next_open = Some(interval.open_of(now));
            }
        }
    }

    /// Something of this instrument was lost.
    pub(crate) fn on_loss(&mut self, instrument: InstrumentId) {
        for (_, series) in self.of(instrument) {
            series.is_behind = true;
        }
    }

    /// Whether the venue's own bars of this instrument are wanted.
    pub(crate) fn has(&self, instrument: InstrumentId) -> bool {
        self.series.keys().any(|&(id, _)| id == instrument)
    }

    /// Up to where the stored past of an instrument is complete at `now`: the oldest end of those
    /// series that miss a bar, else the newest end; `None` without a past.
    pub(crate) fn complete_until(
        &self,
        instrument: InstrumentId,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let ends = || {
            self.series
                .iter()
                .filter(move |((id, _), series)| *id == instrument && series.is_behind)
                .filter_map(|((_, interval), series)| Some((*interval, series.next_open?)))
        };
        let missing = ends().filter(|(interval, open)| interval.close_of(*open) <= now);
        missing.map(|(_, open)| open).min().or_else(|| ends().map(|(_, open)| open).max())
    }

    /// The queries for the bars of an instrument that have closed by `now` and are not here.
    pub(crate) fn missing(&self, instrument: InstrumentId, now: Timestamp) -> Vec<Query> {
        let query = |(&(id, interval), series): (&(InstrumentId, Interval), &Series)| {
            let from = series.next_open.filter(|open| interval.close_of(*open) <= now)?;
            (id == instrument).then(|| Query::Bars {
                instrument,
                symbol: series.symbol.clone(),
                interval,
                from,
                to: now,
                limit: self.bars_per_page,
            })
        };
        self.series.iter().filter_map(query).collect()
    }

    /// Judges a bar of the stream.
    pub(crate) fn on_live(&mut self, bar: &Bar, event: &Event) -> Verdict {
        let expects_every_bar = self.expects_every_bar;
        let Some(series) = self.series.get_mut(&(bar.instrument, bar.interval)) else {
            return Verdict::Pass;
        };
        let next_open = series.next_open.unwrap_or(bar.open_time);
        if bar.open_time < next_open {
            // The same bar with other numbers is a revision; what to do with it is not ours to say.
            let is_revision =
                series.last.is_some_and(|last| last.open_time == bar.open_time && last != *bar);
            return if is_revision { Verdict::Pass } else { Verdict::Duplicate };
        }
        let is_hole = expects_every_bar && !series.is_given_up;
        if bar.open_time > next_open && (series.is_behind || is_hole) {
            let verdict = if series.is_behind { Verdict::Parked } else { Verdict::Hole(next_open) };
            series.is_behind = true;
            if series.parked.len() == MAX_PARKED_BARS {
                series.parked.pop_first();
            }
            series.parked.insert(bar.open_time, event.clone());
            return verdict;
        }
        series.passed(bar);
        Verdict::Pass
    }

    /// Keeps those of the fetched events that are new to their series.
    pub(crate) fn on_fetched(&mut self, events: &mut Vec<Event>) {
        events.retain(|event| {
            let Payload::Bar(bar) = &event.payload else { return false };
            let Some(series) = self.series.get_mut(&(bar.instrument, bar.interval)) else {
                return false;
            };
            let is_new = series.next_open.is_none_or(|next_open| bar.open_time >= next_open);
            if is_new {
                series.passed(bar);
            }
            is_new
        });
    }

    /// Everything older is here: lets the parked bars of an instrument go, in order.
    pub(crate) fn release(&mut self, instrument: InstrumentId, out: &mut Vec<Event>) {
        for (_, series) in self.of(instrument) {
            series.is_behind = false;
            series.is_given_up = false;
            for (open_time, event) in std::mem::take(&mut series.parked) {
                let Payload::Bar(bar) = event.payload else { continue };
                if series.next_open.is_none_or(|next_open| open_time >= next_open) {
                    series.passed(&bar);
                    out.push(event);
                }
            }
        }
    }

    /// What is missing cannot be had: lets the parked bars of an instrument go, and where there
    /// are none, whichever comes next.
    pub(crate) fn give_up(&mut self, instrument: InstrumentId, out: &mut Vec<Event>) {
        let waiting: Vec<Interval> = self
            .of(instrument)
            .filter(|(_, series)| series.is_behind && series.parked.is_empty())
            .map(|(interval, _)| interval)
            .collect();
        self.release(instrument, out);
        for (interval, series) in self.of(instrument) {
            series.is_given_up = waiting.contains(&interval);
        }
    }

    /// Takes back bars that could not be sent on.
    pub(crate) fn undo(&mut self, bar: &Bar) {
        if let Some(series) = self.series.get_mut(&(bar.instrument, bar.interval)) {
            series.next_open = series.next_open.map(|next_open| next_open.min(bar.open_time));
            series.last = None;
            series.is_behind = true;
        }
    }

    fn of(&mut self, instrument: InstrumentId) -> impl Iterator<Item = (Interval, &mut Series)> {
        self.series
            .range_mut((instrument, Interval::M1)..=(instrument, Interval::Mo1))
            .map(|(&(_, interval), series)| (interval, series))
    }
}

impl Series {
    fn passed(&mut self, bar: &Bar) {
        self.is_given_up = false;
        self.next_open = Some(bar.close_time());
        self.last = Some(*bar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues;

    const ID: InstrumentId = InstrumentId(0);

    fn minute(n: i64) -> Timestamp {
        Timestamp::from_secs(60 * n)
    }

    fn bar(n: i64) -> Event {
        let price = finstage_model::Price::from_nanos(1);
        let bar = Bar {
            instrument: ID,
            interval: Interval::M1,
            open_time: minute(n),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: finstage_model::Qty::ZERO,
            trades: 1,
        };
        Event::new(bar.close_time(), Payload::Bar(bar))
    }

    fn book(since: Option<i64>) -> SeriesBook {
        let profile = venues::find("binance").unwrap().profile;
        let subscription = Subscription {
            instrument: ID,
            symbol: "binance:A".parse().unwrap(),
            trades: true,
            intervals: vec![Interval::M1],
        };
        let since =
            since.map(|n| Since { instrument: ID, interval: Interval::M1, close_time: minute(n) });
        let mut book = SeriesBook::new(profile, &[subscription], since.as_slice());
        book.on_connect(minute(10));
        book
    }

    fn live(book: &mut SeriesBook, n: i64) -> Verdict {
        let event = bar(n);
        let Payload::Bar(bar) = &event.payload else { unreachable!() };
        book.on_live(bar, &event)
    }

    fn opens(events: &[Event]) -> Vec<i64> {
        let open = |event: &Event| match &event.payload {
            Payload::Bar(bar) => bar.open_time.secs() / 60,
            _ => -1,
        };
        events.iter().map(open).collect()
    }

    #[test]
    fn bars_in_sequence_pass_once() {
        let mut book = book(None);
        assert_eq!(live(&mut book, 10), Verdict::Pass);
        assert_eq!(live(&mut book, 11), Verdict::Pass);
        assert_eq!(live(&mut book, 11), Verdict::Duplicate);
        assert_eq!(live(&mut book, 10), Verdict::Duplicate);
        assert!(book.missing(ID, minute(12)).is_empty());
    }

    #[test]
    fn the_same_bar_with_other_numbers_is_a_revision_and_passes() {
        let mut book = book(None);
        live(&mut book, 10);
        let mut event = bar(10);
        let Payload::Bar(bar) = &mut event.payload else { unreachable!() };
        bar.trades = 2;
        let bar = *bar;
        assert_eq!(book.on_live(&bar, &event), Verdict::Pass);
        assert_eq!(live(&mut book, 11), Verdict::Pass);
    }

    #[test]
    fn a_bar_after_a_hole_waits_for_the_older_ones() {
        let mut book = book(None);
        live(&mut book, 10);
        assert_eq!(live(&mut book, 13), Verdict::Hole(minute(11)));
        assert_eq!(live(&mut book, 14), Verdict::Parked, "the hole is known");
        let queries = book.missing(ID, minute(15));
        assert!(
            matches!(&queries[..], [Query::Bars { from, to, .. }] if (*from, *to) == (minute(11), minute(15)))
        );
        // The request was answered before bar 14 closed.
        let mut fetched: Vec<Event> = (10..=13).map(bar).collect();
        book.on_fetched(&mut fetched);
        book.release(ID, &mut fetched);
        assert_eq!(opens(&fetched), [11, 12, 13, 14]);
        assert_eq!(live(&mut book, 15), Verdict::Pass);
    }

    #[test]
    fn the_past_ends_where_the_oldest_missing_bar_opens() {
        assert_eq!(book(None).complete_until(ID, minute(10)), None);
        assert_eq!(book(Some(7)).complete_until(ID, minute(10)), Some(minute(7)));
        assert_eq!(book(Some(10)).complete_until(ID, minute(10)), Some(minute(10)));
        assert!(book(Some(10)).missing(ID, minute(10)).is_empty());
    }

    #[test]
    fn when_nothing_can_be_had_the_next_bar_passes_and_later_holes_are_seen() {
        let mut book = book(Some(5));
        book.give_up(ID, &mut Vec::new());
        assert_eq!(live(&mut book, 10), Verdict::Pass);
        assert_eq!(live(&mut book, 12), Verdict::Hole(minute(11)));
        let mut released = Vec::new();
        book.give_up(ID, &mut released);
        assert_eq!(opens(&released), [12]);
        assert_eq!(live(&mut book, 15), Verdict::Hole(minute(13)));
    }

    #[test]
    fn what_could_not_be_sent_is_missing_again() {
        let mut book = book(None);
        live(&mut book, 10);
        let event = bar(10);
        let Payload::Bar(lost) = &event.payload else { unreachable!() };
        book.undo(lost);
        assert_eq!(live(&mut book, 11), Verdict::Parked);
        assert_eq!(book.missing(ID, minute(12)).len(), 1);
    }

    #[test]
    fn parked_bars_are_bounded() {
        let mut book = book(None);
        for n in 11..200 {
            live(&mut book, n);
        }
        let mut released = Vec::new();
        book.release(ID, &mut released);
        assert_eq!(released.len(), MAX_PARKED_BARS);
        assert_eq!(opens(&released).last(), Some(&199));
    }
}
