//! The verifier: may this signal be believed? First its data is judged, then the evidence for its
//! strategy. What evidence there is stands in here alone; whoever asks passes the signal and the
//! data under it.
//!
//! A strategy may have many cards: for several horizons, and for groups of instruments that
//! overlap. Those that are about the instrument and the direction of the signal and knew nothing
//! after it are compared, and the best one rules: one in term before an expired one, then the better
//! verdict, then the newer evidence, then the shorter horizon. So a signal is verified when any
//! horizon is, and rejected only when all that is known speaks against it.
//!
//! Cards about the size of moves rule on no direction. One that is verified and in term is told beside
//! a ruling that is not verified.

use std::cmp::Reverse;
use std::time::Duration;

use finstage_model::{
    Bar, CardNotice, CardVerdict, ClaimKind, FeedKind, Objection, Proof, Reason, Ruling, Signal,
    Symbol, Timestamp,
};

/// The greatest number of gaps of one instrument kept apart; beyond it the two oldest are taken
/// for one.
pub const MAX_GAPS: usize = 64;

/// The greatest number of cards of one strategy; one more is refused.
pub const MAX_CARDS: usize = 4_096;

/// Rules on signals.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    /// The cards of each strategy, by its place in the plan; of each hypothesis the newest told.
    cards: Vec<Vec<CardNotice>>,
}

/// The data that a signal rests on.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    /// The newest bars of its series, at most as many as the strategy's warm-up.
    pub(crate) bars: &'a [Bar],
    /// The strategy's warm-up.
    pub(crate) warmup: usize,
    /// Whether the stream of the instrument has gone silent.
    pub(crate) is_stale: bool,
    /// What was lost of what the series is made of.
    pub(crate) lost: &'a Gaps,
}

impl Verifier {
    /// Takes the card of the strategy at that place of the plan; false when there are too many.
    pub(crate) fn on_card(&mut self, place: usize, card: &CardNotice) -> bool {
        if self.cards.len() <= place {
            self.cards.resize_with(place + 1, Vec::new);
        }
        let cards = &mut self.cards[place];
        let known = cards.iter().position(|known| known.is_about_the_same(card));
        let has_room = known.is_some() || cards.len() < MAX_CARDS;
        match known {
            Some(known) => cards[known].clone_from(card),
            None if has_room => cards.push(card.clone()),
            None => {}
        }
        has_room
    }

    /// The ruling on a signal, with the figures of the card that it rests on.
    pub(crate) fn judge(
        &self,
        signal: &Signal,
        symbol: &Symbol,
        ground: &Ground<'_>,
    ) -> (Ruling, Option<&Proof>) {
        if let Some(reason) = ground.fault(signal.at) {
            return (Ruling::Withheld { reason }, None);
        }
        let Some(card) = self.best(ClaimKind::Direction, signal, symbol) else {
            return (Ruling::Unproven { reason: Reason::NoEvidence }, None);
        };
        let reason = card.reason.map_or(Reason::NoEvidence, Reason::Card);
        let ruling = match card.verdict {
            // What was muted stays so until a look: that says more than the age of the card.
            _ if is_over(card, signal.at) && card.reason != Some(Objection::Drift) => {
                Ruling::Unproven { reason: Reason::Card(Objection::Expired) }
            }
            CardVerdict::Verified => Ruling::Verified { card: card.proof.card },
            CardVerdict::Unproven => Ruling::Unproven { reason },
            CardVerdict::Rejected => Ruling::Rejected { reason },
        };
        (ruling, Some(&card.proof))
    }

    /// The figures of the card that verifies larger moves than usual after the signal, if there is
    /// one in term.
    pub(crate) fn size(&self, signal: &Signal, symbol: &Symbol) -> Option<&Proof> {
        let best = self.best(ClaimKind::Size, signal, symbol)?;
        let is_proven = best.verdict == CardVerdict::Verified && !is_over(best, signal.at);
        is_proven.then_some(&best.proof)
    }

    fn best(&self, claim: ClaimKind, signal: &Signal, symbol: &Symbol) -> Option<&CardNotice> {
        let cards = self.cards.get(usize::from(signal.strategy.0))?;
        let speaks = |card: &&CardNotice| {
            card.claim == claim
                && card.direction == signal.direction
                && card.proof.issued <= signal.at
                && card.members.binary_search(symbol).is_ok()
        };
        let rank = |card: &&CardNotice| {
            let proof = &card.proof;
            let is_in_term = !is_over(card, signal.at);
            (is_in_term, card.verdict, proof.issued, Reverse(proof.horizon), proof.card)
        };
        cards.iter().filter(speaks).max_by_key(rank)
    }
}

fn is_over(card: &CardNotice, at: Timestamp) -> bool {
    at >= card.proof.expires
}

impl Ground<'_> {
    /// Why the data cannot be trusted, if so. A gap between two bars counts as well: bars may be
    /// missing there.
    fn fault(&self, until: Timestamp) -> Option<Reason> {
        if self.is_stale {
            return Some(Reason::StaleFeed);
        }
        let first = self.bars.first()?;
        if self.lost.overlap(first.open_time, until) {
            return Some(Reason::Gap);
        }
        (self.bars.len() < self.warmup).then_some(Reason::WarmUp)
    }
}

/// The state of the stream of one instrument.
#[derive(Debug, Default)]
pub(crate) struct FeedHealth {
    pub(crate) is_stale: bool,
    /// What was lost for series made of trades: nothing brings lost trades back.
    pub(crate) trades: Gaps,
    /// What was lost for series made of venue bars, until it was repaired.
    pub(crate) bars: Gaps,
}

impl FeedHealth {
    /// Takes a report. `known` is the newest moment that anything is known of.
    pub(crate) fn on_feed(&mut self, kind: FeedKind, known: Option<Timestamp>, now: Timestamp) {
        match kind {
            // Whatever was traded before the stream was up went unseen; nothing says so but this,
            // and at least the bar that holds the moment is made of a part of its trades.
            FeedKind::Up => {
                self.is_stale = false;
                let instant = now.minus(Duration::from_nanos(1));
                self.trades.add(known.map_or(instant, |known| known.min(instant)), now);
            }
            FeedKind::Stale => self.is_stale = true,
            FeedKind::Gap { from, to } => {
                self.trades.add(from, to);
                self.bars.add(from, to);
            }
            FeedKind::Repaired { from, to } => self.bars.cut(from, to),
            // A kind that is not known yet says nothing that bars could be judged by.
            _ => {}
        }
    }
}

/// Stretches of time in which messages were lost, half-open, in the order they were reported.
#[derive(Debug, Default)]
pub(crate) struct Gaps(Vec<(Timestamp, Timestamp)>);

impl Gaps {
    fn add(&mut self, from: Timestamp, to: Timestamp) {
        if from >= to {
            return;
        }
        if self.0.len() == MAX_GAPS {
            let oldest = self.0.remove(0);
            self.0[0] = (oldest.0.min(self.0[0].0), oldest.1.max(self.0[0].1));
        }
        self.0.push((from, to));
    }

    /// Takes a stretch out. What it leaves of a gap on one side stays; a gap that it would split
    /// in two stays whole.
    fn cut(&mut self, from: Timestamp, to: Timestamp) {
        for gap in &mut self.0 {
            if from <= gap.0 {
                gap.0 = gap.0.max(to);
            } else if to >= gap.1 {
                gap.1 = gap.1.min(from);
            }
        }
        self.0.retain(|gap| gap.0 < gap.1);
    }

    /// Whether anything was lost between the two moments.
    fn overlap(&self, from: Timestamp, to: Timestamp) -> bool {
        self.0.iter().any(|gap| gap.0 < to && gap.1 > from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(list: &[(i64, i64)]) -> Gaps {
        let mut gaps = Gaps::default();
        for &(from, to) in list {
            gaps.add(Timestamp::from_secs(from), Timestamp::from_secs(to));
        }
        gaps
    }

    fn overlap(gaps: &Gaps, from: i64, to: i64) -> bool {
        gaps.overlap(Timestamp::from_secs(from), Timestamp::from_secs(to))
    }

    #[test]
    fn a_gap_is_half_open() {
        let gaps = gaps(&[(10, 20), (30, 30)]);
        assert!(overlap(&gaps, 19, 25) && overlap(&gaps, 0, 11));
        assert!(!overlap(&gaps, 20, 25) && !overlap(&gaps, 0, 10));
        assert!(!overlap(&gaps, 25, 40), "an empty gap loses nothing");
    }

    #[test]
    fn a_repair_takes_out_what_it_covers() {
        let cut = |from, to| {
            let mut gaps = gaps(&[(10, 20)]);
            gaps.cut(Timestamp::from_secs(from), Timestamp::from_secs(to));
            gaps
        };
        assert!(!overlap(&cut(10, 20), 0, 100));
        assert!(overlap(&cut(0, 15), 15, 16) && !overlap(&cut(0, 15), 10, 15));
        assert!(overlap(&cut(15, 30), 14, 15) && !overlap(&cut(15, 30), 15, 30));
        assert!(overlap(&cut(12, 14), 12, 14), "a gap is not split");
        assert!(overlap(&cut(30, 40), 10, 20) && overlap(&cut(0, 5), 10, 20));
    }

    #[test]
    fn too_many_gaps_become_wider_never_fewer() {
        let many: Vec<(i64, i64)> = (0..200).map(|i| (10 * i, 10 * i + 1)).collect();
        let gaps = gaps(&many);
        assert_eq!(gaps.0.len(), MAX_GAPS);
        assert!(many.iter().all(|&(from, to)| overlap(&gaps, from, to)));
    }
}
