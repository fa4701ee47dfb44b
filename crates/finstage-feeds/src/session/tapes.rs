//! The numbered trades of every instrument of a session: what is missing, what waits, what is late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Event, InstrumentId, Payload, Symbol, Timestamp, Trade};
use tokio::time::Instant;
use tracing::warn;

use super::SessionStats;
use crate::tape::{Sequel, Tape};
use crate::venue::{Numbering, Subscription, TradeQuery};

/// A stretch of time in which an instrument lost something.
pub(super) type Stretch = (InstrumentId, Timestamp, Timestamp);

/// Every tape of a session.
#[derive(Debug)]
pub(super) struct TapeBook {
    reels: BTreeMap<InstrumentId, Reel>,
    /// Since when trades of an instrument wait for older ones.
    parked: BTreeMap<InstrumentId, Instant>,
    /// While two connections speak, what one of them leaves out the other may bring: holes are
    /// seen and not told yet, one stretch for each instrument.
    untold: Option<BTreeMap<InstrumentId, Stretch>>,
    stats: Arc<SessionStats>,
}

#[derive(Debug)]
struct Reel {
    symbol: Symbol,
    tape: Tape,
}

impl TapeBook {
    /// Tapes for the trades of `subscriptions`; none where their ids say nothing.
    pub(super) fn new(
        numbering: Numbering,
        subscriptions: &[Subscription],
        stats: Arc<SessionStats>,
    ) -> Self {
        let is_numbered = |s: &&Subscription| s.trades && numbering == Numbering::Consecutive;
        let reels = subscriptions
            .iter()
            .filter(is_numbered)
            .map(|s| (s.instrument, Reel { symbol: s.symbol.clone(), tape: Tape::default() }));
        Self { reels: reels.collect(), parked: BTreeMap::new(), untold: None, stats }
    }

    /// Whether the trades of an instrument are numbered, and one was seen to count from.
    pub(super) fn has(&self, instrument: InstrumentId) -> bool {
        self.reels.get(&instrument).is_some_and(|reel| reel.tape.has_begun())
    }

    /// Takes a trade of the stream; what may leave goes to `out`. Returns the loss that it shows.
    pub(super) fn on_live(
        &mut self,
        trade: Trade,
        event: Event,
        out: &mut Vec<Event>,
    ) -> Option<Stretch> {
        let instrument = trade.instrument;
        let Some(reel) = self.reels.get_mut(&instrument) else {
            out.push(event);
            return None;
        };
        let loss = match reel.tape.admit(trade, event, out) {
            Sequel::New => None,
            Sequel::Late => {
                SessionStats::add(&self.stats.trades_late, 1);
                None
            }
            Sequel::Duplicate => {
                SessionStats::add(&self.stats.duplicates, 1);
                return None;
            }
            Sequel::AfterHole(from, to) => Some((instrument, from, to)),
        };
        self.settle(instrument);
        let (Some(untold), Some((_, from, to))) = (&mut self.untold, loss) else { return loss };
        let known = untold.entry(instrument).or_insert((instrument, from, to));
        *known = (instrument, known.1.min(from), known.2.max(to));
        None
    }

    /// Takes a page of the archive, which says nothing about numbers above its last one. `None`
    /// where the page is empty; else when those that were missing happened.
    pub(super) fn on_fetched(
        &mut self,
        instrument: InstrumentId,
        page: Vec<Event>,
        out: &mut Vec<Event>,
    ) -> Option<Vec<Timestamp>> {
        let reel = self.reels.get_mut(&instrument)?;
        let (mut last, mut filled, mut late) = (None, Vec::new(), 0);
        for event in page {
            let Payload::Trade(trade) = event.payload else { continue };
            last = last.max(Some(trade.id.0));
            let sequel = reel.tape.admit_fetched(trade, event, out);
            if sequel.is_some() {
                filled.push(trade.ts_event);
            }
            late += u64::from(sequel == Some(Sequel::Late));
        }
        if let Some(last) = last {
            // Whatever is still missing below it is not in the archive.
            reel.tape.give_up(last.saturating_add(1), out);
        }
        SessionStats::add(&self.stats.trades_filled, filled.len() as u64);
        SessionStats::add(&self.stats.trades_late, late);
        self.settle(instrument);
        last.map(|_| filled)
    }

    /// The archive has nothing younger than what it gave.
    pub(super) fn close(&mut self, instrument: InstrumentId) {
        if let Some(reel) = self.reels.get_mut(&instrument) {
            reel.tape.close();
        }
    }

    /// What is missing cannot be had: what waited for it goes out.
    pub(super) fn give_up(&mut self, instrument: InstrumentId, out: &mut Vec<Event>) {
        if let Some(reel) = self.reels.get_mut(&instrument) {
            reel.tape.give_up(u128::MAX, out);
            reel.tape.close();
            self.settle(instrument);
        }
    }

    /// The question for the oldest trades that are missing.
    pub(super) fn query(&self, instrument: InstrumentId) -> Option<TradeQuery> {
        let reel = self.reels.get(&instrument)?;
        let from = reel.tape.missing()?.start;
        Some(TradeQuery { instrument, symbol: reel.symbol.clone(), from })
    }

    /// Whether it is not known if trades were printed after the newest.
    pub(super) fn is_open(&self, instrument: InstrumentId) -> bool {
        self.reels.get(&instrument).is_some_and(|reel| reel.tape.is_open())
    }

    /// How many trades were given up so far.
    pub(super) fn lost(&self) -> u64 {
        self.stats.snapshot().trades_lost
    }

    /// How many trades are known to be missing.
    pub(super) fn known_missing(&self) -> u64 {
        let missing = self.reels.values().map(|reel| reel.tape.known_missing()).sum::<u128>();
        u64::try_from(missing).unwrap_or(u64::MAX)
    }

    /// The only connection is gone: from here on anything may be missed.
    pub(super) fn on_disconnect(&mut self, out: &mut Vec<Event>) {
        for reel in self.reels.values_mut() {
            reel.tape.end_hold(out);
            reel.tape.open();
        }
        self.settle_all();
    }

    /// A connection begins: what it brings waits until it is clear what was missed.
    pub(super) fn on_connect(&mut self) {
        self.reels.values_mut().for_each(|reel| reel.tape.hold());
    }

    /// Ends the hold of a new connection.
    pub(super) fn end_hold(&mut self, out: &mut Vec<Event>) {
        self.reels.values_mut().for_each(|reel| reel.tape.end_hold(out));
        self.settle_all();
    }

    /// Lets everything go that waits for older trades; those will be late.
    pub(super) fn let_go(&mut self, out: &mut Vec<Event>) {
        for instrument in std::mem::take(&mut self.parked).into_keys() {
            if let Some(reel) = self.reels.get_mut(&instrument) {
                reel.tape.let_go(out);
            }
        }
    }

    /// Lets go what has waited for `hold`.
    pub(super) fn let_go_due(&mut self, hold: Duration, out: &mut Vec<Event>) {
        let now = Instant::now();
        let is_due = |since: &Instant| *since + hold <= now;
        for (instrument, _) in self.parked.iter().filter(|(_, since)| is_due(since)) {
            if let Some(reel) = self.reels.get_mut(instrument) {
                reel.tape.let_go(out);
            }
        }
        self.parked.retain(|_, since| !is_due(since));
    }

    /// Whether trades wait for older ones.
    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Since when the longest waiting ones wait.
    pub(super) fn parked_since(&self) -> Option<Instant> {
        self.parked.values().min().copied()
    }

    /// A second connection begins to speak.
    pub(super) fn begin_overlap(&mut self) {
        self.untold.get_or_insert_default();
    }

    /// Whether two connections speak.
    pub(super) const fn overlaps(&self) -> bool {
        self.untold.is_some()
    }

    /// One connection is left: the losses that the other did not make good.
    pub(super) fn end_overlap(&mut self) -> Vec<Stretch> {
        let mut seen = self.untold.take().unwrap_or_default();
        seen.retain(|instrument, _| {
            self.reels.get(instrument).is_some_and(|reel| !reel.tape.is_whole())
        });
        seen.into_values().collect()
    }

    /// Takes back a trade that could not be sent on.
    pub(super) fn undo(&mut self, trade: &Trade) {
        if let Some(reel) = self.reels.get_mut(&trade.instrument) {
            reel.tape.undo(trade.id.0);
            self.settle(trade.instrument);
        }
    }

    fn settle_all(&mut self) {
        let parked = &mut self.parked;
        parked.retain(|instrument, _| {
            self.reels.get(instrument).is_some_and(|reel| reel.tape.has_parked())
        });
    }

    /// What follows from a change of one tape.
    fn settle(&mut self, instrument: InstrumentId) {
        let Some(reel) = self.reels.get_mut(&instrument) else { return };
        for ids in reel.tape.take_lost() {
            let (first, last) = (ids.start, ids.end - 1);
            warn!(symbol = %reel.symbol, first, last, "these trades are lost");
            self.stats.lose(instrument, first..=last);
        }
        if reel.tape.has_parked() {
            self.parked.entry(instrument).or_insert_with(Instant::now);
        } else {
            self.parked.remove(&instrument);
        }
    }
}
