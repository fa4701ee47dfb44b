//! Faults applied to what a venue sends, before it is written down: events in, events out.
//!
//! One place for the socket server and the virtual feed, so that a scenario means the same in both.
//! Only trades are skipped, doubled, swapped and delayed; a stall takes everything.

use std::collections::VecDeque;

use finstage_model::Timestamp;

use super::{Fault, FaultKind, Faults};
use crate::rng::mix;
use crate::sim::market::{Listing, MarketEvent};

/// Trades held back at most; what would be more is sent in time.
pub(crate) const MAX_HELD: usize = 100_000;

/// An event as it leaves the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// When it leaves.
    pub(crate) at: Timestamp,
    /// What it says.
    pub(crate) event: MarketEvent,
    /// Whether its frame ends in the middle.
    pub(crate) is_cut: bool,
}

/// The state of a distorted stream of events.
#[derive(Debug)]
pub(crate) struct Distortion {
    /// The faults that concern frames; empty where a scenario has none.
    kinds: Vec<FaultKind>,
    /// A trade per symbol that waits for its successor.
    swapped: Vec<Option<MarketEvent>>,
    /// Delayed trades by the moment at which they leave.
    late: VecDeque<(Timestamp, MarketEvent)>,
}

impl Distortion {
    pub(crate) fn new(faults: &Faults, symbols: usize) -> Self {
        use FaultKind as K;
        let concern = [K::Stall, K::Silent, K::Gap, K::Duplicate, K::Reorder, K::Late, K::CutJson];
        let has = |kind: &FaultKind| faults.scenario.faults.iter().any(|f| f.kind == *kind);
        let kinds = concern.into_iter().filter(has).collect();
        Self { kinds, swapped: vec![None; symbols], late: VecDeque::new() }
    }

    /// Whether events pass as they are.
    pub(crate) fn is_idle(&self) -> bool {
        self.kinds.is_empty()
    }

    /// When a delayed trade leaves next.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.late.front().map(|(at, _)| *at)
    }

    /// Lets delayed trades out that leave until `now`.
    pub(crate) fn release(&mut self, now: Timestamp, out: &mut VecDeque<Sent>) {
        while let Some((at, event)) = self.late.pop_front_if(|(at, _)| *at <= now) {
            out.push_back(Sent { at, event, is_cut: false });
        }
    }

    /// Takes an event that would leave at its own time; hands out what leaves then.
    pub(crate) fn pass(
        &mut self,
        event: MarketEvent,
        (faults, listing): (&Faults, &Listing),
        out: &mut VecDeque<Sent>,
    ) {
        let at = event.at();
        if self.is_idle() {
            out.push_back(Sent { at, event, is_cut: false });
            return;
        }
        self.release(at, out);
        let chance = Chance { faults, at, name: &listing.name, event: &event };
        if self.strikes(FaultKind::Stall, &chance) || self.strikes(FaultKind::Silent, &chance) {
            return;
        }
        let is_cut = self.strikes(FaultKind::CutJson, &chance);
        let MarketEvent::Trade(trade) = event else {
            out.push_back(Sent { at, event, is_cut });
            return;
        };
        if self.strikes(FaultKind::Gap, &chance) {
            return;
        }
        if let Some(fault) = chance.struck(FaultKind::Late).filter(|_| self.late.len() < MAX_HELD) {
            let leaves = at.plus(fault.by);
            let place = self.late.partition_point(|(at, _)| *at <= leaves);
            self.late.insert(place, (leaves, event));
            return;
        }
        let is_twice = self.strikes(FaultKind::Duplicate, &chance);
        let is_swapped = self.strikes(FaultKind::Reorder, &chance);
        let waiting = &mut self.swapped[trade.symbol as usize];
        if waiting.is_none() && is_swapped {
            *waiting = Some(event);
            return;
        }
        out.push_back(Sent { at, event, is_cut });
        if let Some(event) = waiting.take() {
            out.push_back(Sent { at, event, is_cut: false });
        }
        if is_twice {
            out.push_back(Sent { at, event, is_cut: false });
        }
    }

    fn strikes(&self, kind: FaultKind, chance: &Chance<'_>) -> bool {
        self.kinds.contains(&kind) && chance.struck(kind).is_some()
    }
}

/// The question whether a fault strikes an event.
struct Chance<'a> {
    faults: &'a Faults,
    at: Timestamp,
    name: &'a str,
    event: &'a MarketEvent,
}

impl Chance<'_> {
    fn struck(&self, kind: FaultKind) -> Option<&Fault> {
        let (a, b) = match self.event {
            MarketEvent::Trade(trade) => (trade.id, u64::from(trade.symbol)),
            MarketEvent::Kline { kline, symbol, .. } => {
                let interval = kline.bar.interval.nominal().as_secs();
                (self.at.nanos() as u64 ^ interval, u64::from(*symbol) | 1 << 32)
            }
        };
        self.faults.all_active(kind, self.at).find(|fault| {
            let named = fault.symbol.as_ref().is_none_or(|name| name == self.name);
            let draw = || mix(self.faults.seed() ^ kind as u64, a, b);
            named && (fault.one_in == 1 || draw() % fault.one_in == 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;
    use super::*;
    use crate::sim::market::{Market, MarketSpec, SymbolSpec, Tape};

    /// The ids of the trades in the order in which they leave, a minute of them.
    fn ids(fault: &str) -> Vec<u64> {
        sent(fault)
            .iter()
            .filter_map(|s| match s.event {
                MarketEvent::Trade(t) => Some(t.id),
                MarketEvent::Kline { .. } => None,
            })
            .collect()
    }

    fn sent(fault: &str) -> Vec<Sent> {
        let start = Timestamp::from_secs(1_700_000_000);
        let price = "100".parse().unwrap();
        let symbols = vec![SymbolSpec::new("AAAUSDT", price)];
        let tape = Tape::Seeded { symbols, history_days: 0 };
        let mut market = Market::new(MarketSpec { tape, ..MarketSpec::seeded(1, start) }).unwrap();
        let listing = market.listings().next().unwrap().clone();
        let text = format!("name = \"t\"\n[[faults]]\nat = \"10s\"\n{fault}");
        let faults = Faults::new(Scenario::parse(&text).unwrap(), start);
        let mut distortion = Distortion::new(&faults, 1);
        let mut out = VecDeque::new();
        let until = start.plus(std::time::Duration::from_secs(60));
        market.advance(until, &mut |event| {
            distortion.pass(event, (&faults, &listing), &mut out);
        });
        distortion.release(until, &mut out);
        assert!(out.iter().is_sorted_by_key(|sent| sent.at));
        out.into()
    }

    #[test]
    fn a_gap_skips_trades_while_ids_go_on() {
        let ids = ids("kind = \"gap\"\nfor = \"5s\"");
        let steps: Vec<u64> = ids.windows(2).map(|w| w[1] - w[0]).filter(|s| *s != 1).collect();
        assert_eq!(steps.len(), 1);
        assert!(steps[0] > 5, "{steps:?}");
    }

    #[test]
    fn a_duplicate_follows_its_trade() {
        let ids = ids("kind = \"duplicate\"\nfor = \"5s\"");
        let twice = ids.windows(2).filter(|w| w[0] == w[1]).count();
        assert!(twice > 5 && ids.is_sorted());
    }

    #[test]
    fn a_swapped_pair_is_complete() {
        let mut ids = ids("kind = \"reorder\"\nfor = \"5s\"\none_in = 3");
        assert!(!ids.is_sorted());
        assert!(ids.windows(2).all(|w| w[0].abs_diff(w[1]) <= 2));
        ids.sort_unstable();
        assert!(ids.windows(2).all(|w| w[1] == w[0] + 1));
    }

    #[test]
    fn a_late_trade_leaves_later_than_what_followed_it() {
        let sent = sent("kind = \"late\"\nfor = \"5s\"\none_in = 4\nby = \"2s\"");
        let late: Vec<&Sent> = sent.iter().filter(|s| s.at != s.event.at()).collect();
        assert!(late.len() > 2);
        assert!(late.iter().all(|s| s.at.since(s.event.at()).as_secs() == 2));
    }

    #[test]
    fn a_stall_takes_everything_and_a_cut_leaves_a_mark() {
        let stalled = sent("kind = \"stall\"\nfor = \"20s\"");
        let start = Timestamp::from_secs(1_700_000_000);
        let in_stall = |s: &&Sent| (10..30).contains(&s.at.since(start).as_secs());
        assert_eq!(stalled.iter().filter(in_stall).count(), 0);
        assert!(stalled.len() > 50);
        let cut = sent("kind = \"cut_json\"\nfor = \"20s\"");
        assert!(cut.iter().all(|s| s.is_cut == in_stall(&s)));
        let elsewhere = sent("kind = \"stall\"\nfor = \"20s\"\nsymbol = \"BBBUSDT\"");
        assert!(elsewhere.iter().filter(in_stall).count() > 20);
    }
}
