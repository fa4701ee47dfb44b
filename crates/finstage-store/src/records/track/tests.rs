use finstage_model::Direction;
use rusqlite::Connection;

use super::*;
use crate::ErrorKind;
use crate::suite::journal::DAY;
use crate::suite::records::batch;

fn position(seq: u64) -> Position {
    Position::new(DAY, 1, seq)
}

/// A database with five signals, all of them in the track record.
fn five() -> (tempfile::TempDir, Records) {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(&dir.path().join("records.db")).unwrap();
    records.apply(&batch(1, 0, 13)).unwrap();
    let said = records.track_signals(position(1_000)).unwrap();
    assert_eq!((said.added, said.entries), (5, 5));
    (dir, records)
}

fn outcome(id: SignalId, horizon: &str) -> TrackOutcome {
    TrackOutcome {
        id,
        horizon: horizon.parse().unwrap(),
        entry_at: Timestamp::from_secs(60),
        entry: "10".parse().unwrap(),
        exit_at: Timestamp::from_secs(3_660),
        exit: "1234567890.123456789".parse().unwrap(),
        high: "12".parse().unwrap(),
        low: "9".parse().unwrap(),
        ret: 0.1,
        mfe: 0.2,
        mae: 0.1,
        hit: true,
    }
}

fn ids(records: &Records) -> Vec<SignalId> {
    records.track_open(0, 100).unwrap().into_iter().map(|open| open.signal.id).collect()
}

fn alter(dir: &tempfile::TempDir, sql: &str) {
    Connection::open(dir.path().join("records.db")).unwrap().execute_batch(sql).unwrap();
}

fn fault(records: &Records) -> (u64, String) {
    records.check_track().unwrap().fault.unwrap()
}

#[test]
fn signals_join_once_and_in_the_order_of_what_they_follow_from() {
    let records = Records::open_in_memory().unwrap();
    records.apply(&batch(1, 0, 5)).unwrap();
    records.apply(&batch(1, 5, 13)).unwrap();
    // The journal is on disk up to the first batch only.
    let first = records.track_signals(position(5)).unwrap();
    assert_eq!(first.added, 2);
    assert_eq!(records.track_signals(position(5)).unwrap(), Appended { added: 0, ..first });
    assert_eq!(records.track_signals(position(13)).unwrap().added, 3);
    let rows = records.track(0, 100).unwrap();
    let signals = rows.iter().map(|row| match &row.entry {
        TrackEntry::Signal(signal) => signal,
        TrackEntry::Outcome(outcome) => panic!("{outcome:?}"),
    });
    assert!(signals.clone().is_sorted_by_key(|signal| signal.at));
    for signal in signals {
        let row = records.signal(&signal.id.to_string()).unwrap();
        assert_eq!(*signal, said(&row, row.ruling.unwrap()));
    }
}

#[test]
fn a_signal_without_a_verdict_waits() {
    let records = Records::open_in_memory().unwrap();
    let mut said = batch(1, 0, 13);
    let verdicts = std::mem::take(&mut said.verdicts);
    records.apply(&said).unwrap();
    assert_eq!(records.track_signals(position(13)).unwrap().added, 0);
    said.verdicts = verdicts;
    records.apply(&said).unwrap();
    assert_eq!(records.track_signals(position(13)).unwrap().added, 5);
}

#[test]
fn outcomes_join_once_after_their_signal_with_their_exact_prices() {
    let (_dir, records) = five();
    let id = ids(&records)[1];
    let two = [outcome(id, "1h"), outcome(id, "1d")];
    assert_eq!(records.track_outcomes(&two, &[]).unwrap().added, 2);
    assert_eq!(records.track_outcomes(&two, &[]).unwrap().added, 0);
    let open = records.track_open(1, 1).unwrap().remove(0);
    assert_eq!((open.signal.id, open.settled), (id, two.clone().map(|o| o.horizon).to_vec()));
    let rows = records.track_of(id).unwrap();
    assert_eq!(rows[1].entry, TrackEntry::Outcome(two[0].clone()));
    assert_eq!((rows[0].number, rows[2].number), (2, 7));
    records.track_outcomes(&[], &[id]).unwrap();
    assert!(!ids(&records).contains(&id), "no more to come");
    let stranger = records.track_outcomes(&[outcome(SignalId(1), "1h")], &[]).unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::Corrupt);
    assert_eq!(records.check_track().unwrap().fault, None);
}

#[test]
fn an_entry_that_is_changed_or_taken_out_is_named() {
    let (dir, records) = five();
    alter(&dir, "UPDATE track SET body = replace(body, 'unproven', 'verified') WHERE number = 2");
    assert_eq!(fault(&records), (2, "it was changed: its hash is another".to_owned()));
    let (dir, records) = five();
    alter(&dir, "DELETE FROM track WHERE number = 3");
    assert_eq!(fault(&records), (3, "it is missing".to_owned()));
}

#[test]
fn entries_that_change_places_are_named() {
    let (dir, records) = five();
    let swap = "UPDATE track SET number = 99 WHERE number = 2;
        UPDATE track SET number = 2 WHERE number = 3;
        UPDATE track SET number = 3 WHERE number = 99";
    alter(&dir, swap);
    assert_eq!(fault(&records), (2, "it does not follow the row before it".to_owned()));
}

#[test]
fn an_entry_taken_from_the_end_is_noticed_and_not_said_again() {
    let (dir, records) = five();
    alter(&dir, "DELETE FROM track WHERE number = 5");
    assert_eq!(fault(&records), (5, "it is missing".to_owned()));
    let refused = records.track_signals(position(13)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(refused.to_string().contains("row 5 of the track is missing"), "{refused}");
}

#[test]
fn a_chain_is_followed_without_a_store() {
    let (_dir, records) = five();
    let rows = records.track(0, 100).unwrap();
    let mut head = Head::default();
    rows.iter().for_each(|row| head.follow(&row.text, &row.hash).unwrap());
    assert_eq!(head.head, records.check_track().unwrap().head);
    let mut head = Head::default();
    assert!(head.follow(&rows[1].text, &rows[1].hash).is_err(), "the first is missing");
    assert_eq!(head, Head::default());
    let TrackEntry::Signal(first) = &rows[0].entry else { panic!("a signal comes first") };
    let other = if first.direction == Direction::Long { "short" } else { "long" };
    let changed = rows[0].text.replace(first.direction.as_str(), other);
    assert!(changed != rows[0].text && head.follow(&changed, &rows[0].hash).is_err());
}

#[test]
fn what_became_of_signals_is_read_by_strategy_and_time() {
    let (_dir, records) = five();
    let all = records.followed(None, Timestamp::MIN).unwrap();
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by_key(|one| one.signal.at) && all.iter().all(|o| o.outcomes.is_empty()));
    let ids = ids(&records);
    let due = [outcome(ids[1], "1h"), outcome(ids[3], "1h"), outcome(ids[1], "4h")];
    records.track_outcomes(&due, &[]).unwrap();
    let signal = &all[1].signal;
    let since = records.followed(Some(&signal.strategy), signal.at).unwrap();
    assert!(since.iter().all(|one| one.signal.at >= signal.at));
    let horizons = |id| -> Vec<Horizon> {
        let one = since.iter().find(|one| one.signal.id == id).unwrap();
        one.outcomes.iter().map(|outcome| outcome.horizon).collect()
    };
    let hours = |texts: &[&str]| -> Vec<Horizon> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    assert_eq!((horizons(ids[1]), horizons(ids[3])), (hours(&["1h", "4h"]), hours(&["1h"])));
    assert!(horizons(ids[2]).is_empty());
    assert!(records.followed(Some("other"), Timestamp::MIN).unwrap().is_empty());
}
