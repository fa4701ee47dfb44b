use std::collections::BTreeSet;

use finstage_model::{Aggressor, Price, Qty};
use proptest::prelude::*;

use super::*;

const ID: InstrumentId = InstrumentId(3);

fn at(id: u128) -> Timestamp {
    Timestamp::from_secs(id as i64)
}

fn trade(id: u128) -> Trade {
    Trade {
        id: finstage_model::TradeId(id),
        instrument: ID,
        ts_event: at(id),
        price: Price::from_nanos(1),
        qty: Qty::ZERO,
        aggressor: Aggressor::Unknown,
    }
}

fn event(id: u128) -> Event {
    Event::new(at(1_000), Payload::Trade(trade(id)))
}

fn ids(events: &[Event]) -> Vec<u128> {
    let id = |event: &Event| match &event.payload {
        Payload::Trade(trade) => trade.id.0,
        _ => 0,
    };
    events.iter().map(id).collect()
}

/// First and end of each stretch that was given up.
fn lost(tape: &mut Tape) -> Vec<(u128, u128)> {
    tape.take_lost().into_iter().map(|ids| (ids.start, ids.end)).collect()
}

/// What leaves when the stream brings a trade.
fn admit(tape: &mut Tape, id: u128) -> (Sequel, Vec<u128>) {
    let mut out = Vec::new();
    (tape.admit(trade(id), event(id), &mut out), ids(&out))
}

/// What leaves when the archive brings a trade, and whether it was missing.
fn fetch(tape: &mut Tape, id: u128) -> (Option<Sequel>, Vec<u128>) {
    let mut out = Vec::new();
    (tape.admit_fetched(trade(id), event(id), &mut out), ids(&out))
}

#[test]
fn what_comes_behind_a_hole_waits_until_it_is_filled_and_leaves_in_order() {
    let mut tape = Tape::default();
    assert_eq!(admit(&mut tape, 10), (Sequel::New, vec![10]));
    assert_eq!(admit(&mut tape, 11), (Sequel::New, vec![11]));
    assert_eq!(admit(&mut tape, 14), (Sequel::AfterHole(at(11), at(14)), vec![]));
    assert_eq!(admit(&mut tape, 15), (Sequel::New, vec![]));
    assert_eq!(tape.missing(), Some(12..14));
    assert_eq!(fetch(&mut tape, 13), (Some(Sequel::New), vec![]));
    assert_eq!(fetch(&mut tape, 12), (Some(Sequel::New), vec![12, 13, 14, 15]));
    assert_eq!(fetch(&mut tape, 14), (None, vec![]), "the stream has brought it");
    assert_eq!(fetch(&mut tape, 16), (None, vec![]), "the stream will bring it");
    assert!(tape.is_whole() && !tape.has_parked());
    assert_eq!(admit(&mut tape, 16), (Sequel::New, vec![16]));
}

#[test]
fn a_late_trade_passes_once_and_a_duplicate_never() {
    let mut tape = Tape::default();
    for id in [10, 14] {
        admit(&mut tape, id);
    }
    let mut out = Vec::new();
    tape.let_go(&mut out);
    assert_eq!(ids(&out), [14]);
    assert_eq!(admit(&mut tape, 12), (Sequel::Late, vec![12]));
    for id in [12, 14, 9, 10] {
        assert_eq!(admit(&mut tape, id), (Sequel::Duplicate, vec![]), "{id}");
    }
    assert_eq!(fetch(&mut tape, 11), (Some(Sequel::Late), vec![11]));
    assert_eq!(admit(&mut tape, 13), (Sequel::Late, vec![13]));
    assert!(tape.is_whole());
    assert_eq!(admit(&mut tape, 15), (Sequel::New, vec![15]));
}

#[test]
fn an_open_end_is_told_by_whoever_speaks_first() {
    let mut tape = Tape::default();
    tape.open();
    assert!(tape.is_whole(), "nothing was seen, so nothing can be missing");
    admit(&mut tape, 10);
    tape.open();
    assert_eq!(tape.missing(), Some(11..u128::MAX));
    assert_eq!(fetch(&mut tape, 11), (Some(Sequel::New), vec![11]));
    assert_eq!(admit(&mut tape, 11), (Sequel::Duplicate, vec![]));
    assert!(!tape.is_whole(), "there may be more");
    assert_eq!(admit(&mut tape, 12), (Sequel::New, vec![12]));
    assert!(tape.is_whole(), "the stream goes on where the archive ended");
    tape.open();
    assert_eq!(admit(&mut tape, 15), (Sequel::New, vec![]), "a hole behind an open end is no news");
    assert_eq!(tape.missing(), Some(13..15));
}

#[test]
fn what_is_held_waits_and_what_the_archive_has_before_it_leaves() {
    let mut tape = Tape::default();
    tape.hold();
    assert_eq!(admit(&mut tape, 10), (Sequel::New, vec![10]), "the first of all");
    tape.open();
    tape.hold();
    assert_eq!(admit(&mut tape, 13), (Sequel::New, vec![]));
    assert_eq!(admit(&mut tape, 15).1, [0u128; 0]);
    for (id, leaves) in [(11, vec![11]), (12, vec![12]), (14, vec![])] {
        assert_eq!(fetch(&mut tape, id), (Some(Sequel::New), leaves));
    }
    assert!(tape.is_whole() && tape.has_parked());
    let mut out = Vec::new();
    tape.end_hold(&mut out);
    assert_eq!(ids(&out), [13, 14, 15]);
    assert_eq!(admit(&mut tape, 16), (Sequel::New, vec![16]));
}

#[test]
fn what_cannot_be_had_is_lost_exactly_and_the_rest_goes_out() {
    let mut tape = Tape::default();
    for id in [10, 14, 20] {
        admit(&mut tape, id);
    }
    let mut out = Vec::new();
    tape.give_up(13, &mut out);
    assert_eq!((ids(&out), lost(&mut tape)), (vec![], vec![(11, 13)]));
    assert_eq!(fetch(&mut tape, 13), (Some(Sequel::New), vec![13, 14]));
    tape.give_up(u128::MAX, &mut out);
    assert_eq!((ids(&out), lost(&mut tape)), (vec![20], vec![(15, 20)]));
    assert!(tape.is_whole());
    tape.open();
    assert_eq!(fetch(&mut tape, 23), (Some(Sequel::New), vec![23]));
    assert_eq!(lost(&mut tape), [(21, 23)], "the archive has a younger one and not these");
}

#[test]
fn what_could_not_be_sent_is_missing_again() {
    let mut tape = Tape::default();
    for id in 10..=14 {
        admit(&mut tape, id);
    }
    for id in [14, 12, 13, 99] {
        tape.undo(id);
    }
    assert_eq!((tape.missing(), tape.known_missing()), (Some(12..15), 3));
    assert_eq!(admit(&mut tape, 15), (Sequel::New, vec![]));
    let told: Vec<u128> = (12..=14).flat_map(|id| fetch(&mut tape, id).1).collect();
    assert_eq!(told, [12, 13, 14, 15]);
}

#[test]
fn memory_is_bounded_by_the_number_of_holes_and_what_is_forgotten_is_told() {
    let mut tape = Tape::default();
    for id in (0..10_000).step_by(4) {
        admit(&mut tape, id);
    }
    assert_eq!(tape.holes.len(), MAX_HOLES);
    let lost: u128 = tape.take_lost().iter().map(|range| range.end - range.start).sum();
    assert_eq!(lost + tape.known_missing(), 2_499 * 3);
    for id in (0..10_000).rev() {
        admit(&mut tape, id);
    }
    assert!(tape.is_whole());
}

#[test]
fn too_many_parked_trades_go_out() {
    let mut tape = Tape::default();
    admit(&mut tape, 0);
    let most = MAX_PARKED_TRADES as u128;
    let out: Vec<u128> = (2..=most + 2).flat_map(|id| admit(&mut tape, id).1).collect();
    assert_eq!(out, (2..=most + 2).collect::<Vec<_>>());
    assert_eq!(fetch(&mut tape, 1), (Some(Sequel::Late), vec![1]));
}

#[test]
fn frames_read_without_a_session_tell_gaps_in_front_of_their_trades() {
    let mut continuity = Continuity::new(Numbering::Consecutive);
    let mut events: Vec<Event> = [1, 1, 4, 5, 2].map(event).into();
    assert_eq!(continuity.follow(&mut events), 1);
    let Payload::Feed(status) = events[1].payload else { panic!("{events:?}") };
    assert_eq!(status.kind, FeedKind::Gap { from: at(1), to: at(4) });
    events.remove(1);
    assert_eq!(ids(&events), [1, 4, 5, 2]);
}

proptest! {
    /// The stream brings some numbers in any order, is let go at times, and the archive brings all.
    #[test]
    fn every_number_leaves_exactly_once_and_in_order_where_nothing_was_let_go(
        steps in proptest::collection::vec((0u128..80, 0u8..10), 1..300),
        lets_go in any::<bool>(),
    ) {
        let mut tape = Tape::default();
        let mut out = Vec::new();
        for (id, what) in steps {
            match what {
                0 if lets_go => tape.let_go(&mut out),
                0 => tape.hold(),
                1 => tape.open(),
                2..=4 => drop(tape.admit_fetched(trade(id), event(id), &mut out)),
                _ => drop(tape.admit(trade(id), event(id), &mut out)),
            }
        }
        let lost: BTreeSet<u128> = tape.take_lost().into_iter().flatten().collect();
        if let Some((end, _)) = tape.end {
            for id in 0..end {
                tape.admit_fetched(trade(id), event(id), &mut out);
            }
            tape.end_hold(&mut out);
            let told = ids(&out);
            let expected: Vec<u128> = (told[0]..end).filter(|id| !lost.contains(id)).collect();
            let mut sorted = told.clone();
            sorted.sort_unstable();
            prop_assert_eq!(&sorted, &expected);
            prop_assert!(lets_go || sorted == told);
            prop_assert!(tape.holes.is_empty() && !tape.has_parked());
        }
    }
}
