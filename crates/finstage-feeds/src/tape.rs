//! Continuity of numbered trades.
//!
//! Venues number trades without holes per symbol. So the numbers tell what the transport does not:
//! a jump is a loss, a number seen before is a duplicate, and a number that fills a hole is a late
//! trade. The rules:
//!
//! 1. The first trade of an instrument sets where counting begins; smaller numbers count as seen.
//! 2. A jump leaves a hole. What comes behind it is parked, so that the missing trades, fetched or
//!    late, leave before it and everything leaves in order.
//! 3. Parked trades may be let go at any time. A hole in front of them is then *passed*: what
//!    fills it later leaves at once, late.
//! 4. A number leaves once, whoever brings it and however often.
//! 5. Where the stream's trades are *held*, they wait for a word even without a hole in front; what
//!    the archive has before them leaves.
//! 6. After a loss of unknown length the end is *open*: nobody knows what was printed after the
//!    newest number, until the stream or the archive says so.
//!
//! A tape has no clock and asks nobody: [`crate::Session`] does.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use finstage_model::{Event, FeedKind, FeedStatus, InstrumentId, Payload, Timestamp, Trade};

use crate::venue::Numbering;

/// How many holes of one instrument are remembered. One more, and the oldest is given up.
pub const MAX_HOLES: usize = 64;

/// The most trades of one instrument that wait for older ones; one more, and all go out.
pub const MAX_PARKED_TRADES: usize = 65_536;

/// What a trade number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequel {
    /// Not seen before.
    New,
    /// Trades are missing in front of it, between these two moments.
    AfterHole(Timestamp, Timestamp),
    /// It fills a hole that younger trades have passed.
    Late,
    /// Seen before.
    Duplicate,
}

/// The numbers of one instrument's trades.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// The number after the newest that was seen, and when that one happened.
    end: Option<(u128, Timestamp)>,
    /// Numbers not seen yet, oldest first.
    holes: Vec<Hole>,
    /// Seen, and not let go because of a hole in front.
    parked: BTreeMap<u128, Event>,
    hold: Hold,
    /// Whether trades may have been printed after the newest that nobody told us.
    is_open: bool,
    /// Numbers given up since they were last asked for.
    lost: Vec<Range<u128>>,
}

/// Whether the stream's trades wait for a word.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Hold {
    #[default]
    Off,
    /// From the next one that is the newest.
    FromNext,
    From(u128),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hole {
    ids: Range<u128>,
    /// Whether younger trades have left.
    is_passed: bool,
}

impl Tape {
    /// Takes a trade of the stream. What may leave now is appended to `out`, oldest first.
    pub(crate) fn admit(&mut self, trade: Trade, event: Event, out: &mut Vec<Event>) -> Sequel {
        let id = trade.id.0;
        let Some((end, newest_at)) = self.end else {
            self.end = Some((id.saturating_add(1), trade.ts_event));
            out.push(event);
            return Sequel::New;
        };
        if id < end {
            return self.fill(id, event, out);
        }
        self.end = Some((id.saturating_add(1), trade.ts_event.max(newest_at)));
        if self.hold == Hold::FromNext {
            self.hold = Hold::From(id);
        }
        let mut sequel = Sequel::New;
        if id > end {
            self.dig(end..id);
            // Behind an open end a hole is no news.
            if !self.is_open {
                sequel = Sequel::AfterHole(newest_at, trade.ts_event.max(newest_at));
            }
        }
        self.is_open = false;
        self.park(id, event, out);
        sequel
    }

    /// Takes a trade of the archive: it fills a hole, or it comes after the newest while the end is
    /// open. Anything else the stream has brought or will bring. Says whether it was missing.
    pub(crate) fn admit_fetched(
        &mut self,
        trade: Trade,
        event: Event,
        out: &mut Vec<Event>,
    ) -> Option<Sequel> {
        let id = trade.id.0;
        let (end, newest_at) = self.end?;
        if id < end {
            let sequel = self.fill(id, event, out);
            return (sequel != Sequel::Duplicate).then_some(sequel);
        }
        if !self.is_open {
            return None;
        }
        if id > end {
            // The archive has younger ones and not these: they are not to be had.
            self.lost.push(end..id);
        }
        self.end = Some((id.saturating_add(1), trade.ts_event.max(newest_at)));
        self.park(id, event, out);
        Some(Sequel::New)
    }

    /// A connection was lost: the end is open from here.
    pub(crate) fn open(&mut self) {
        self.is_open = self.end.is_some();
    }

    /// Holds what the stream brings from now on. The first trade of all is never held.
    pub(crate) fn hold(&mut self) {
        if self.end.is_some() {
            self.hold = Hold::FromNext;
        }
    }

    /// Ends the hold; what no hole is in front of goes out.
    pub(crate) fn end_hold(&mut self, out: &mut Vec<Event>) {
        self.hold = Hold::Off;
        self.release(out);
    }

    /// Nothing was printed after the newest, as far as the archive knows.
    pub(crate) fn close(&mut self) {
        self.is_open = false;
    }

    /// Whether a trade was seen.
    pub(crate) fn has_begun(&self) -> bool {
        self.end.is_some()
    }

    /// Whether the end is open.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether every number up to the newest was seen, and the newest is the newest.
    pub(crate) fn is_whole(&self) -> bool {
        self.holes.is_empty() && !self.is_open
    }

    /// Whether trades wait for older ones.
    pub(crate) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// The oldest numbers that are missing; the range of an open end has no end.
    pub(crate) fn missing(&self) -> Option<Range<u128>> {
        let hole = self.holes.first().map(|hole| hole.ids.clone());
        let after = || self.end.filter(|_| self.is_open).map(|(end, _)| end..u128::MAX);
        hole.or_else(after)
    }

    /// How many numbers are known to be missing.
    pub(crate) fn known_missing(&self) -> u128 {
        self.holes.iter().map(|hole| hole.ids.end - hole.ids.start).sum()
    }

    /// Lets parked trades go; the holes in front of them are passed.
    pub(crate) fn let_go(&mut self, out: &mut Vec<Event>) {
        self.hold = Hold::Off;
        self.holes.iter_mut().for_each(|hole| hole.is_passed = true);
        out.extend(std::mem::take(&mut self.parked).into_values());
    }

    /// Numbers up to `until` cannot be had: their holes are given up, what waited goes out.
    pub(crate) fn give_up(&mut self, until: u128, out: &mut Vec<Event>) {
        let lost = &mut self.lost;
        self.holes.retain_mut(|hole| {
            if hole.ids.start >= until {
                return true;
            }
            let given_up = hole.ids.start..hole.ids.end.min(until);
            hole.ids.start = given_up.end;
            lost.push(given_up);
            !hole.ids.is_empty()
        });
        self.release(out);
    }

    /// Takes the numbers that were given up since this was last asked.
    pub(crate) fn take_lost(&mut self) -> Vec<Range<u128>> {
        std::mem::take(&mut self.lost)
    }

    /// Takes back a trade that could not be sent on: it is missing again.
    pub(crate) fn undo(&mut self, id: u128) {
        let Some((end, _)) = self.end else { return };
        if id < end && !self.holes.iter().any(|hole| hole.ids.contains(&id)) {
            self.dig(id..id + 1);
        }
    }

    /// Makes a hole; it joins one that it touches.
    fn dig(&mut self, ids: Range<u128>) {
        let at = self.holes.partition_point(|hole| hole.ids.start < ids.start);
        self.holes.insert(at, Hole { ids, is_passed: false });
        for at in [at + 1, at] {
            let touches = |hole: &Hole, before: &Hole| {
                hole.ids.start == before.ids.end && hole.is_passed == before.is_passed
            };
            if at > 0 && self.holes.get(at).is_some_and(|hole| touches(hole, &self.holes[at - 1])) {
                self.holes[at - 1].ids.end = self.holes.remove(at).ids.end;
            }
        }
        if self.holes.len() > MAX_HOLES {
            self.lost.push(self.holes.remove(0).ids);
        }
    }

    fn fill(&mut self, id: u128, event: Event, out: &mut Vec<Event>) -> Sequel {
        let Some(at) = self.holes.iter().position(|hole| hole.ids.contains(&id)) else {
            return Sequel::Duplicate;
        };
        let Hole { ids, is_passed } = self.holes.remove(at);
        if id + 1 < ids.end {
            self.holes.insert(at, Hole { ids: id + 1..ids.end, is_passed });
        }
        if ids.start < id {
            self.holes.insert(at, Hole { ids: ids.start..id, is_passed });
        }
        if self.holes.len() > MAX_HOLES {
            self.lost.push(self.holes.remove(0).ids);
        }
        if is_passed {
            out.push(event);
            return Sequel::Late;
        }
        self.park(id, event, out);
        Sequel::New
    }

    fn park(&mut self, id: u128, event: Event, out: &mut Vec<Event>) {
        if self.parked.is_empty() && id < self.barrier() {
            out.push(event);
            return;
        }
        self.parked.insert(id, event);
        if self.parked.len() > MAX_PARKED_TRADES {
            self.let_go(out);
        } else {
            self.release(out);
        }
    }

    /// What is not below this number waits: the first hole that nothing has passed, or what is held.
    fn barrier(&self) -> u128 {
        let hole = self.holes.iter().find(|hole| !hole.is_passed);
        let held = if let Hold::From(id) = self.hold { id } else { u128::MAX };
        hole.map_or(held, |hole| hole.ids.start.min(held))
    }

    /// Lets go what need not wait any more.
    fn release(&mut self, out: &mut Vec<Event>) {
        if self.parked.first_key_value().is_some_and(|(&first, _)| first < self.barrier()) {
            let later = self.parked.split_off(&self.barrier());
            out.extend(std::mem::replace(&mut self.parked, later).into_values());
        }
    }
}

/// Duplicates and gaps in frames that are read without a [`crate::Session`]: recorded ones, or
/// those of virtual time. Nothing is fetched, so nothing waits.
#[derive(Debug)]
pub struct Continuity {
    numbering: Numbering,
    tapes: HashMap<InstrumentId, Tape>,
    sifted: Vec<Event>,
}

impl Continuity {
    /// One that goes by this numbering; where ids say nothing, it changes nothing.
    #[must_use]
    pub fn new(numbering: Numbering) -> Self {
        Self { numbering, tapes: HashMap::new(), sifted: Vec::new() }
    }

    /// Takes out of the events of one frame the trades that were seen before, says how many, and
    /// puts a gap in front of each trade that trades are missing before.
    pub fn follow(&mut self, events: &mut Vec<Event>) -> u64 {
        let mut duplicates = 0;
        if self.numbering == Numbering::None {
            return duplicates;
        }
        for event in events.drain(..) {
            let Payload::Trade(trade) = event.payload else {
                self.sifted.push(event);
                continue;
            };
            let (instrument, ts_recv) = (trade.instrument, event.ts_recv);
            let before = self.sifted.len();
            let tape = self.tapes.entry(instrument).or_default();
            match tape.admit(trade, event, &mut self.sifted) {
                Sequel::Duplicate => duplicates += 1,
                Sequel::AfterHole(from, to) => {
                    let kind = FeedKind::Gap { from, to };
                    let payload = Payload::Feed(FeedStatus { instrument, kind });
                    self.sifted.insert(before, Event::new(ts_recv, payload));
                }
                Sequel::New | Sequel::Late => {}
            }
            tape.let_go(&mut self.sifted);
            tape.lost.clear();
        }
        events.append(&mut self.sifted);
        duplicates
    }
}

#[cfg(test)]
mod tests;
