//! What another process imports or verifies beside a running service, told to its engine.
//!
//! An import leaves a mark in the records ([`Records::touched_since`]). The engine's thread looks
//! for new marks between two batches, when everything before is applied and recorded, so nothing
//! can happen between reading the stored bars and applying them. Where they hold bars that the
//! engine does not know, of a depth that strategies remember, the next batch begins with
//! [`Payload::Reset`] and a [`Past`] of every series of that instrument: journaled before applied,
//! like all that happens.
//!
//! A past ends where the engine's own series ends. What an import holds beyond that is still to
//! come from the venue, and is then said, not merely known; its turn comes when the series has
//! passed it. A crash may cut a batch between the reset and its pasts. Then the bars of the reset
//! series are not known to the engine of the next process, whose first look, before the first new
//! event, tells them again. Nothing has to be remembered for that: what an engine knows follows
//! from its journal.
//!
//! Evidence cards that `verify` keeps are heard in the same way, by their numbers: those that the
//! engine does not know come in front of the next batch. So is what is muted, and so are watches that
//! were added or taken out:
//! one that compares with earlier days brings their bars with it, by the same reset and pasts.
//!
//! [`Records::touched_since`]: finstage_store::records::Records::touched_since

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use finstage_engine::{FeedTiming, Sink, SinkError, WatchRule, series_depths};
use finstage_model::{
    Bar, CardId, CardNotice, ClaimKind, Event, Horizon, Instrument, InstrumentId, Interval,
    MuteNotice, Output, Past, Payload, Position, Symbol, Timestamp, WatchNotice,
};
use finstage_store::records::RecordsWriter;
use finstage_strategies::CATALOG;

use crate::day::{Feed, House, Rules};
use crate::exit::{Failure, Result};

/// Looks that wait at most for an import to come to its end.
const LOOKS_MAX: u32 = 30;

type Key = (InstrumentId, Interval);
/// What a card is about.
type CardKey = (String, ClaimKind, Interval, Horizon, Vec<Symbol>);

fn key_of(card: &CardNotice) -> CardKey {
    let CardNotice { strategy, claim, interval, members, proof, .. } = card;
    (strategy.clone(), *claim, *interval, proof.horizon, members.clone())
}

/// Imports beside one run.
pub(crate) struct Imports<'a> {
    house: &'a House,
    writer: &'a RecordsWriter,
    /// What each watched instrument's series need, coarser ones first.
    depths: Vec<(Instrument, Vec<(Interval, usize)>)>,
    rules: Rules,
    known: RefCell<Known>,
}

/// What the engine of the run knows.
#[derive(Debug, Default)]
struct Known {
    series: BTreeMap<Key, Series>,
    /// When time passed last: bars due by then have closed.
    ticked: Option<Timestamp>,
    /// The cards it goes by.
    cards: BTreeMap<CardKey, CardId>,
    /// The watches that were added to it, with their cooldowns.
    watches: BTreeMap<WatchKey, u64>,
    /// What is muted for it, until when.
    mutes: BTreeMap<String, Timestamp>,
}

/// A symbol and a rule, as written.
type WatchKey = (Symbol, String);

/// What it knows of one series.
#[derive(Debug)]
struct Series {
    /// As many bars are compared.
    depth: usize,
    /// Open times of the newest bars, ascending, at most twice `depth`.
    opens: VecDeque<Timestamp>,
    /// Where the series ends: nothing older is said any more.
    end: Option<Timestamp>,
}

impl<'a> Imports<'a> {
    /// Imports beside a run of `house`, whose bars go to the records through `writer`.
    pub(crate) fn new(house: &'a House, writer: &'a RecordsWriter) -> Result<Self> {
        let mut depths: Vec<(Instrument, Vec<(Interval, usize)>)> = Vec::new();
        let mut known = Known::default();
        for (symbol, interval, depth) in
            series_depths(&house.settings, CATALOG).map_err(Failure::usage)?
        {
            let Some(instrument) = house.instruments.iter().find(|i| i.symbol == symbol) else {
                continue;
            };
            let series = Series { depth, opens: VecDeque::new(), end: None };
            known.series.insert((instrument.id, interval), series);
            match depths.last_mut() {
                Some((last, series)) if last.id == instrument.id => series.push((interval, depth)),
                _ => depths.push((instrument.clone(), vec![(interval, depth)])),
            }
        }
        let rules = house.rules()?;
        Ok(Self { house, writer, depths, rules, known: RefCell::new(known) })
    }

    /// A sink that learns what the engine knows on the way to `sink`.
    pub(crate) fn heard<'b>(&'b self, sink: &'b mut dyn Sink) -> Heard<'b> {
        Heard { known: &self.known, sink }
    }

    /// A feed that brings what is imported beside `feed`.
    pub(crate) fn beside<'b>(&'b self, feed: &'b mut dyn Feed) -> Beside<'b> {
        Beside { imports: self, feed, looks: Looks::default() }
    }

    /// Tells the past of those instruments of which the records hold bars that the engine does not
    /// know. Gives the series that have bars beyond the engine's own, with their ends.
    /// Instruments of `anew` are told theirs whatever the engine knows, and the days that their added
    /// watches compare with.
    fn tell(
        &self,
        due: &BTreeSet<InstrumentId>,
        anew: &BTreeSet<InstrumentId>,
        (now, events): (Timestamp, &mut Vec<Event>),
    ) -> Result<BTreeMap<Key, Timestamp>> {
        let mut beyond = BTreeMap::new();
        // Everything said so far is to be found in the records.
        self.house.drain(self.writer)?;
        let known = self.known.borrow();
        for (instrument, series) in self.depths.iter().filter(|(i, _)| due.contains(&i.id)) {
            let mut pasts = Vec::new();
            let mut news = Vec::new();
            let watched = match anew.contains(&instrument.id) {
                true => self.house.watched_depth(&instrument.symbol)?,
                false => None,
            };
            for &(interval, depth) in series {
                let key = (instrument.id, interval);
                let of_watches = watched.filter(|(of, _)| *of == interval);
                let depth = depth.max(of_watches.map_or(0, |(_, depth)| depth));
                let until =
                    known.end(key).or_else(|| Some(known.ticked?.minus(self.quiet(instrument))));
                let until = until.unwrap_or(Timestamp::MIN);
                let bars = self.house.past(instrument, interval, until, depth)?;
                let new = bars.iter().filter(|bar| !known.has(key, bar)).count();
                if new > 0 {
                    news.push((interval, new));
                }
                let newest = self.house.past(instrument, interval, Timestamp::MAX, 1)?;
                if let Some(end) = newest.first().map(Bar::close_time).filter(|end| *end > until) {
                    beyond.insert(key, end);
                }
                if !bars.is_empty() {
                    pasts.push(Past { instrument: instrument.id, interval, bars });
                }
            }
            for (interval, new) in &news {
                tracing::info!("re-warmed {} {interval}: {new} bars", instrument.symbol);
            }
            if !news.is_empty() || anew.contains(&instrument.id) {
                let mut say = |payload| events.push(Event::new(now, payload));
                say(Payload::Reset(instrument.id));
                pasts.into_iter().for_each(|past| say(Payload::Past(Box::new(past))));
            }
        }
        Ok(beyond)
    }

    /// Tells the watches that were added or taken out since. Instruments whose new watches compare
    /// with days that the engine was not told of go to `anew`.
    fn tell_watches(
        &self,
        now: Timestamp,
        anew: &mut BTreeSet<InstrumentId>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let known = self.known.borrow();
        let wanted = self.house.added_watches()?;
        let key = |watch: &WatchNotice| (watch.symbol.clone(), watch.rule.to_string());
        let keys: BTreeSet<WatchKey> = wanted.iter().map(key).collect();
        let mut say = |watch: WatchNotice| {
            let on = if watch.is_on { "added" } else { "taken out" };
            tracing::info!("watch {} {} {on}", watch.symbol, watch.rule);
            events.push(Event::new(now, Payload::Watch(Box::new(watch))));
        };
        // One with another cooldown goes and comes again.
        for ((symbol, text), cooldown_ms) in &known.watches {
            let same = |watch: &WatchNotice| watch.cooldown_ms == *cooldown_ms;
            let is_wanted = keys.contains(&(symbol.clone(), text.clone()))
                && wanted.iter().any(|w| key(w) == (symbol.clone(), text.clone()) && same(w));
            if let (false, Ok(rule)) = (is_wanted, text.parse::<WatchRule>()) {
                let (symbol, cooldown_ms) = (symbol.clone(), *cooldown_ms);
                say(WatchNotice { symbol, rule, cooldown_ms, is_on: false });
            }
        }
        for watch in wanted {
            if known.watches.get(&key(&watch)) == Some(&watch.cooldown_ms) {
                continue;
            }
            let is_of_days = !matches!(watch.rule, WatchRule::Above(_) | WatchRule::Below(_));
            let instrument = self.depths.iter().find(|(i, _)| i.symbol == watch.symbol);
            if let (true, Some((instrument, _))) = (is_of_days, instrument) {
                anew.insert(instrument.id);
            }
            say(watch);
        }
        Ok(())
    }

    /// Tells what was muted since, and what may speak before its time.
    fn tell_mutes(&self, now: Timestamp, events: &mut Vec<Event>) -> Result<()> {
        let known = self.known.borrow();
        let wanted = self.house.records.mutes(now)?;
        let ended = known
            .mutes
            .iter()
            .filter(|(what, until)| **until > now && wanted.iter().all(|mute| mute.what != **what));
        let ended = ended.map(|(what, _)| MuteNotice { what: what.clone(), until: now });
        let is_new = |mute: &&MuteNotice| known.mutes.get(&mute.what) != Some(&mute.until);
        for mute in ended.chain(wanted.iter().filter(is_new).cloned()) {
            tracing::info!("muted until {}: {}", mute.until, mute.what);
            events.push(Event::new(now, Payload::Mute(Box::new(mute))));
        }
        Ok(())
    }

    /// After so long a silence every bar that had ended before it has closed.
    fn quiet(&self, instrument: &Instrument) -> Duration {
        let venue = instrument.symbol.venue();
        let timing = self.house.settings.feeds.iter().find(|timing| timing.venue == venue).cloned();
        let timing = timing.unwrap_or_else(|| FeedTiming::ordered(venue));
        Duration::from_millis(timing.delay_ms.saturating_add(timing.grace_ms))
    }
}

impl Known {
    fn end(&self, key: Key) -> Option<Timestamp> {
        self.series.get(&key)?.end
    }

    fn has(&self, key: Key, bar: &Bar) -> bool {
        self.series.get(&key).is_some_and(|s| s.opens.binary_search(&bar.open_time).is_ok())
    }

    fn has_card(&self, card: &CardNotice) -> bool {
        self.cards.get(&key_of(card)) == Some(&card.proof.card)
    }

    fn hear(&mut self, event: &Event, outputs: &[Output]) {
        match &event.payload {
            Payload::Tick => self.ticked = self.ticked.max(Some(event.ts_recv)),
            Payload::Watch(watch) => {
                let key = (watch.symbol.clone(), watch.rule.to_string());
                match watch.is_on {
                    true => self.watches.insert(key, watch.cooldown_ms),
                    false => self.watches.remove(&key),
                };
            }
            Payload::Mute(mute) => drop(self.mutes.insert(mute.what.clone(), mute.until)),
            Payload::Card(card) => drop(self.cards.insert(key_of(card), card.proof.card)),
            Payload::Past(past) => past.bars.iter().for_each(|bar| self.learn(bar)),
            // Where the series end is still known: what was said stays said.
            Payload::Reset(instrument) => {
                let own = self.series.iter_mut().filter(|((id, _), _)| id == instrument);
                own.for_each(|(_, series)| series.opens.clear());
            }
            _ => {}
        }
        for output in outputs {
            if let Output::Bar(bar) = output {
                self.learn(bar);
            }
        }
    }

    fn learn(&mut self, bar: &Bar) {
        let Some(series) = self.series.get_mut(&(bar.instrument, bar.interval)) else { return };
        if series.opens.back().is_some_and(|newest| *newest >= bar.open_time) {
            return;
        }
        series.opens.push_back(bar.open_time);
        if series.opens.len() > 2 * series.depth {
            series.opens.drain(..series.opens.len() - series.depth);
        }
        series.end = series.end.max(Some(bar.close_time()));
    }
}

/// Passes on what the engine is told and says.
pub(crate) struct Heard<'a> {
    known: &'a RefCell<Known>,
    sink: &'a mut dyn Sink,
}

impl Sink for Heard<'_> {
    fn accept(
        &mut self,
        at: Position,
        event: &Event,
        outputs: &[Output],
    ) -> std::result::Result<(), SinkError> {
        self.known.borrow_mut().hear(event, outputs);
        self.sink.accept(at, event, outputs)
    }

    fn commit(&mut self) -> std::result::Result<(), SinkError> {
        self.sink.commit()
    }
}

/// Brings what is imported in front of what `feed` brings.
pub(crate) struct Beside<'a> {
    imports: &'a Imports<'a>,
    feed: &'a mut dyn Feed,
    looks: Looks,
}

/// What the last looks have seen.
#[derive(Debug, Default)]
struct Looks {
    /// When the last one was.
    last: Option<Timestamp>,
    /// The newest mark that was acted upon.
    done: i64,
    /// The newest mark there was.
    newest: i64,
    /// For how many looks there has been a newer one each time.
    waited: u32,
    /// The newest verification whose cards were told.
    verified: i64,
    /// Series with stored bars that the engine's own have not passed yet.
    beyond: BTreeMap<Key, Timestamp>,
}

impl fmt::Debug for Beside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").field("looks", &self.looks).finish_non_exhaustive()
    }
}

impl Feed for Beside<'_> {
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        if !self.feed.next(events) {
            return false;
        }
        let (Some(every), Some(first)) = (self.imports.house.rim.imports, events.first()) else {
            return true;
        };
        let now = first.ts_recv;
        if self.looks.last.is_some_and(|last| now < last.plus(every)) {
            return true;
        }
        let mut told = Vec::new();
        if let Err(why) = self.look(now, every, &mut told) {
            // Asked again at the next import, and read by the next day's engine at the latest.
            tracing::warn!("what was imported is not known to the strategies yet: {why}");
            told.clear();
        }
        if !told.is_empty() {
            told.append(events);
            *events = told;
        }
        true
    }
}

impl Beside<'_> {
    fn look(&mut self, now: Timestamp, every: Duration, told: &mut Vec<Event>) -> Result<()> {
        let Self { imports, looks, .. } = self;
        let is_first = looks.last.replace(now).is_none();
        let mut anew = BTreeSet::new();
        imports.tell_watches(now, &mut anew, told)?;
        imports.tell_mutes(now, told)?;
        let mut due = anew.clone();
        let marks = imports.house.records.touched_since(looks.done)?;
        if let Some(newest) = marks.last().map(|mark| mark.number) {
            // An import of many files is one: its end is waited for. What a process finds at its
            // start is told before anything else.
            let is_over = newest == looks.newest || every.is_zero() || is_first;
            looks.newest = newest;
            looks.waited += 1;
            if is_over || looks.waited > LOOKS_MAX {
                let known = imports.known.borrow();
                let watched =
                    marks.iter().filter(|m| known.series.contains_key(&(m.instrument, m.interval)));
                due.extend(watched.map(|mark| mark.instrument));
                (looks.done, looks.waited) = (newest, 0);
            }
        }
        let known = imports.known.borrow();
        looks.beyond.retain(|key, end| {
            let is_passed = known.end(*key) >= Some(*end);
            if is_passed {
                due.insert(key.0);
            }
            !is_passed
        });
        drop(known);
        if !due.is_empty() {
            looks.beyond.extend(imports.tell(&due, &anew, (now, told))?);
        }
        let known = imports.known.borrow();
        let (cards, newest) = imports.house.cards_since(looks.verified, &imports.rules)?;
        looks.verified = newest;
        let new = cards.into_iter().filter(|card| !known.has_card(card));
        let before = told.len();
        told.extend(new.map(|card| Event::new(now, Payload::Card(Box::new(card)))));
        let count = told.len() - before;
        if count > 0 {
            tracing::info!("{count} evidence cards are new");
        }
        Ok(())
    }
}
