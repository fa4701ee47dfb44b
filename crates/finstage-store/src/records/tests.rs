use std::time::Duration;

use finstage_model::{
    Bar, Category, Decision, Instrument, InstrumentId, Interval, Price, Qty, Reason, Ruling,
    SignalId, Timestamp, Verdict, WithheldAlert, text,
};

use super::*;
use crate::ErrorKind;
use crate::suite::journal::DAY;
use crate::suite::records::{alert, batch, signal, symbol};

const LEASE: Duration = Duration::from_secs(30);

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn position(seq: u64) -> Position {
    Position::new(DAY, 1, seq)
}

fn with_events(count: u64) -> Records {
    let records = Records::open_in_memory().unwrap();
    records.apply(&batch(1, 0, count)).unwrap();
    records
}

fn lease(records: &Records, now: i64) -> Option<Leased> {
    records.outbox_lease("log", t(now), LEASE, position(1000)).unwrap()
}

#[test]
fn a_batch_again_changes_nothing() {
    let records = Records::open_in_memory().unwrap();
    let first = records.apply(&batch(1, 0, 12)).unwrap();
    let expected =
        Applied { bars: 12, revisions: 0, signals: 4, verdicts: 4, alerts: 3, queued: 6 };
    assert_eq!(first, expected);
    assert_eq!(records.apply(&batch(1, 0, 12)).unwrap(), Applied::default());
    assert_eq!(records.apply(&batch(2, 0, 12)).unwrap(), Applied::default(), "in another run too");
}

#[test]
fn what_was_stored_comes_back_exactly() {
    let records = with_events(13);
    let rows = records.signals(&Filter::newest(100)).unwrap();
    let NewSignal { signal: newest, strategy, .. } = signal(12);
    assert_eq!(rows.len(), 5);
    assert_eq!((rows[0].id, rows[0].price, rows[0].at), (newest.id, newest.price, newest.at));
    assert_eq!((rows[0].strength, &rows[0].strategy), (newest.strength, &strategy));
    let facts: Vec<_> = newest.facts.iter().map(|f| (f.name.to_string(), f.value)).collect();
    assert_eq!((&rows[0].facts, rows[0].direction), (&facts, newest.direction));
    assert_eq!(rows[0].ruling, Some(Ruling::Unproven { reason: Reason::NoEvidence }));
    assert_eq!(rows[0].position, position(13));
    assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row.at)), "newest first");

    let alerts = records.alerts(&Filter::newest(1)).unwrap();
    assert_eq!((&alerts[0].alert, alerts[0].status), (&alert(12), AlertStatus::Queued));
    let bars = records.last_bars(InstrumentId(0), Interval::M1, Timestamp::MAX, 5).unwrap();
    assert_eq!(bars, batch(1, 8, 13).bars);
}

#[test]
fn lists_are_cut_to_a_symbol_and_a_limit() {
    let records = with_events(13);
    let newest = Filter::newest(2);
    assert_eq!(records.signals(&newest).unwrap().len(), 2);
    assert_eq!(records.signals(&newest.clone().of(symbol())).unwrap().len(), 2);
    assert_eq!(records.alerts(&newest.clone().of(symbol())).unwrap().len(), 2);
    let other = newest.of("sim:TWO".parse().unwrap());
    assert_eq!(records.signals(&other).unwrap(), []);
    assert_eq!(records.alerts(&other).unwrap(), []);
}

#[test]
fn a_signal_is_found_by_the_beginning_of_its_id() {
    let records = with_events(13);
    let id = signal(3).signal.id;
    assert_eq!(records.signal(&id.to_string()).unwrap().id, id);
    assert_eq!(records.signal(&id.to_string()[..20].to_uppercase()).unwrap().id, id);
    for (prefix, why) in [("", "more than one"), ("zz", "no signal"), ("%", "no signal")] {
        let error = records.signal(prefix).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with(why), "{error}");
    }
}

#[test]
fn a_verdict_is_never_overturned() {
    let records = with_events(1);
    let id = signal(0).signal.id;
    let mut again = Batch::new(position(2), RunDigest::default());
    again.verdicts.push(Verdict { signal: id, ruling: Ruling::Withheld { reason: Reason::Gap } });
    assert_eq!(records.apply(&again).unwrap().verdicts, 0);
    let stored = records.signal(&id.to_string()).unwrap().ruling;
    assert_eq!(stored, Some(Ruling::Unproven { reason: Reason::NoEvidence }));
}

#[test]
fn a_verdict_may_come_in_a_later_batch() {
    let records = Records::open_in_memory().unwrap();
    let mut first = Batch::new(position(1), RunDigest::default());
    let mut new = signal(0);
    new.signal.strength = f64::NAN;
    first.signals.push(new);
    records.apply(&first).unwrap();
    let id = signal(0).signal.id;
    let row = records.signal(&id.to_string()).unwrap();
    assert!(row.ruling.is_none() && row.strength.is_nan());
    let card = finstage_model::CardId(77);
    let mut later = Batch::new(position(2), RunDigest::default());
    later.verdicts.push(Verdict { signal: id, ruling: Ruling::Verified { card } });
    assert_eq!(records.apply(&later).unwrap().verdicts, 1);
    assert_eq!(records.signal(&id.to_string()).unwrap().ruling, Some(Ruling::Verified { card }));
    let unknown = Verdict { signal: SignalId(5), ruling: Ruling::Verified { card } };
    later.verdicts = vec![unknown];
    assert_eq!(records.apply(&later).unwrap().verdicts, 0);
}

#[test]
fn a_bar_that_comes_again_otherwise_is_a_revision_and_stays_as_it_was() {
    let records = with_events(3);
    let mut again = batch(1, 0, 3);
    again.bars[1].close = Price::from_nanos(99);
    again.bars[2].trades = 99;
    let applied = records.apply(&again).unwrap();
    assert_eq!((applied.bars, applied.revisions), (0, 1), "a trade count alone is no revision");
    let bars = records.bars_between(InstrumentId(0), Interval::M1, DAY.start(), DAY.end()).unwrap();
    assert_eq!(bars, batch(1, 0, 3).bars);
}

#[test]
fn an_alert_that_is_not_sent_says_why() {
    let records = Records::open_in_memory().unwrap();
    let log = || Route::Notify(vec!["log".to_owned()]);
    let mut withheld = alert(1);
    withheld.decision = Decision::Withhold(WithheldAlert::Cooldown);
    let mut batch = Batch::new(position(9), RunDigest::default());
    batch.alerts = vec![
        NewAlert { alert: withheld, route: log() },
        NewAlert { alert: alert(2), route: Route::Expired },
        NewAlert { alert: alert(3), route: Route::Notify(Vec::new()) },
        NewAlert { alert: alert(4), route: log() },
    ];
    assert_eq!(records.apply(&batch).unwrap().queued, 1);
    let listed: Vec<_> = records
        .alerts(&Filter::newest(9))
        .unwrap()
        .into_iter()
        .map(|row| format!("{} {}", row.status, row.reason.unwrap_or_default()))
        .collect();
    let expected = ["queued ", "kept no_notifier", "expired max_age", "withheld cooldown"];
    assert_eq!(listed, expected);
    let asked = [alert(2).id, alert(4).id, alert(77).id].into();
    let found: Vec<_> = records.alerts_with(&asked).unwrap().into_values().collect();
    assert_eq!(found, [alert(2), alert(4)], "one that there is not is left out");
    let said = records.said_since(alert(2).said_at).unwrap();
    assert_eq!(said.iter().map(|s| s.id.0).collect::<Vec<_>>(), [2, 3, 4], "not the withheld one");
    assert_eq!((said[0].rule.as_str(), &said[0].symbol), ("rise=3%", &symbol()));
    assert_eq!(records.said_since(alert(5).said_at).unwrap(), []);
}

#[test]
fn an_alert_is_leased_once_and_only_when_its_cause_is_durable() {
    let records = with_events(1);
    let before = records.outbox_lease("log", t(0), LEASE, Position::new(DAY, 1, 0)).unwrap();
    assert_eq!(before, None, "the event is not synced yet");
    let leased = records.outbox_lease("log", t(0), LEASE, position(1)).unwrap().unwrap();
    assert_eq!((&leased.item, leased.attempts), (&Item::Alert(alert(0)), 1));
    assert!(!leased.possible_repeat);
    assert_eq!(lease(&records, 29), None, "another has it");
    assert_eq!(records.outbox_next_at("log").unwrap(), Some(t(30)));
    records.outbox_delivered(leased.row, leased.fence, t(1), "msg 5").unwrap();
    assert_eq!(lease(&records, 9_999), None);
    assert_eq!(records.outbox_next_at("log").unwrap(), None);
    assert_eq!(records.alerts(&Filter::newest(1)).unwrap()[0].status, AlertStatus::Queued);
    let other = records.outbox_lease("chat", t(0), LEASE, position(1)).unwrap().unwrap();
    records.outbox_failed(other.row, other.fence, t(2), "chat is gone").unwrap();
    let row = records.alerts(&Filter::newest(1)).unwrap().remove(0);
    assert_eq!((row.status, row.reason), (AlertStatus::Delivered, None), "one notifier is enough");
    let counts = OutboxCounts { delivered: 1, failed: 1, ..OutboxCounts::default() };
    assert_eq!(records.outbox_counts().unwrap(), counts);
}

#[test]
fn a_lease_that_ran_out_is_taken_over_as_a_possible_repeat() {
    let records = with_events(1);
    let slow = lease(&records, 0).unwrap();
    let next = lease(&records, 30).unwrap();
    assert_eq!((next.row, next.attempts, next.possible_repeat), (slow.row, 2, true));
    for refused in [
        records.outbox_delivered(slow.row, slow.fence, t(31), ""),
        records.outbox_retry(slow.row, slow.fence, t(31), "", Sent::No),
        records.outbox_failed(slow.row, slow.fence, t(31), ""),
        records.outbox_expired(slow.row, slow.fence, t(31), ""),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Stale);
    }
    records.outbox_retry(next.row, next.fence, t(40), "refused", Sent::No).unwrap();
    let third = lease(&records, 40).unwrap();
    assert!(third.possible_repeat, "the first attempt stays unknown");
}

#[test]
fn what_a_dead_process_had_leased_comes_again_at_once_as_a_possible_repeat() {
    let records = with_events(5);
    let (sent, lost) = (lease(&records, 0).unwrap(), lease(&records, 0).unwrap());
    records.outbox_delivered(sent.row, sent.fence, t(1), "").unwrap();
    assert_eq!(lease(&records, 2), None);
    assert_eq!(records.outbox_reclaim().unwrap(), 1);
    let again = lease(&records, 2).unwrap();
    assert_eq!((again.row, again.attempts, again.possible_repeat), (lost.row, 2, true));
    assert_eq!(lease(&records, 2), None, "what was delivered stays so");
}

#[test]
fn a_retry_waits_its_time_and_remembers_what_is_unknown() {
    let records = with_events(1);
    let mut last = lease(&records, 0).unwrap();
    for (round, (sent, repeat)) in
        [(Sent::No, false), (Sent::Unknown, true), (Sent::No, true)].into_iter().enumerate()
    {
        let again = 100 * (round as i64 + 1);
        records.outbox_retry(last.row, last.fence, t(again), "timeout", sent).unwrap();
        assert_eq!(lease(&records, again - 1), None);
        assert_eq!(records.outbox_next_at("log").unwrap(), Some(t(again)));
        last = lease(&records, again).unwrap();
        assert_eq!((last.possible_repeat, last.attempts), (repeat, round as u32 + 2));
    }
    records.outbox_expired(last.row, last.fence, t(999), "older than 15m").unwrap();
    let other = records.outbox_lease("chat", t(0), LEASE, position(1)).unwrap().unwrap();
    records.outbox_expired(other.row, other.fence, t(999), "older than 15m").unwrap();
    let row = records.alerts(&Filter::newest(1)).unwrap().remove(0);
    assert_eq!(row.status, AlertStatus::Expired);
    assert_eq!(row.reason.as_deref(), Some("older than 15m"));
}

#[test]
fn the_oldest_alert_is_leased_first_and_a_waiting_one_holds_up_nobody() {
    let records = with_events(9);
    let ids: Vec<String> = (0..3).map(|_| lease(&records, 0).unwrap().item.id()).collect();
    let oldest_first = [0, 4, 8].map(|n| alert(n).id.to_string());
    assert_eq!((ids.as_slice(), lease(&records, 0)), (&oldest_first[..], None));
}

#[test]
fn rewinding_removes_one_run_beyond_its_end_and_nothing_else() {
    let records = Records::open_in_memory().unwrap();
    records.apply(&batch(1, 0, 4)).unwrap();
    records.apply(&batch(1, 4, 12)).unwrap();
    records.apply(&batch(2, 12, 16)).unwrap();
    let none = records.rewind(position(12)).unwrap();
    assert_eq!(none, Rewound::default(), "the journal has it all");
    let rewound = records.rewind(position(8)).unwrap();
    let expected = Rewound { bars: 8, signals: 2, alerts: 2, queued: 4, inconsistent: Vec::new() };
    assert_eq!(rewound, expected);
    assert_eq!(records.last_position(DAY, 1).unwrap(), None, "what was said is told anew");
    assert_eq!(records.last_position(DAY, 2).unwrap(), Some(Position::new(DAY, 2, 16)));
    assert_eq!(records.signals(&Filter::newest(99)).unwrap().len(), 4);
    assert_eq!(records.rewind(position(8)).unwrap(), Rewound::default());
}

#[test]
fn an_alert_on_its_way_is_never_removed() {
    let records = with_events(5);
    let leased = records.outbox_lease("log", t(0), LEASE, position(5)).unwrap().unwrap();
    let rewound = records.rewind(position(2)).unwrap();
    assert_eq!(rewound.inconsistent, [format!("{} to log", leased.item.id())]);
    assert_eq!((rewound.alerts, rewound.queued), (1, 3));
    records.outbox_delivered(leased.row, leased.fence, t(1), "").unwrap();
}

#[test]
fn a_replay_from_the_beginning_does_not_take_back_how_far_the_run_had_come() {
    let records = with_events(9);
    records.apply(&batch(1, 0, 3)).unwrap();
    let runs = records.runs_of(DAY).unwrap();
    let digest = RunDigest { events: 9, outputs: 18, digest: 9 << 64 };
    assert_eq!(runs, [RunRow { day: DAY, run: 1, position: position(9), digest }]);
    assert_eq!(records.runs_of(DAY.next()).unwrap(), []);
}

#[test]
fn instruments_get_dense_ids_that_stay() {
    let records = Records::open_in_memory().unwrap();
    let symbols = ["a:X", "b:X", "a:Y"].map(|s| s.parse::<Symbol>().unwrap());
    let ids: Vec<u32> = symbols.iter().map(|s| records.instrument_id(s).unwrap().0).collect();
    assert_eq!(ids, [0, 1, 2]);
    let known = Instrument {
        id: InstrumentId(99),
        symbol: symbols[1].clone(),
        tick: Some("0.000000001".parse().unwrap()),
        lot: Some(Qty::from_nanos(u128::MAX)),
        currency: Some("KRW".to_owned()),
        category: Category::Stock,
    };
    assert_eq!(records.put_instrument(&known).unwrap(), InstrumentId(1));
    let stored = records.instrument(&symbols[1]).unwrap().unwrap();
    assert_eq!(stored, Instrument { id: InstrumentId(1), ..known });
    assert_eq!(records.instrument_id(&symbols[1]).unwrap(), InstrumentId(1));
    let all = records.instruments().unwrap();
    assert_eq!(
        all.iter().map(|i| &i.symbol).collect::<Vec<_>>(),
        symbols.iter().collect::<Vec<_>>()
    );
    assert_eq!(records.instrument(&"c:Z".parse().unwrap()).unwrap(), None);
}

const TABLE: &str = "
    1h file:a   open high low close volume
    2026-01-05T12:00   10 12  9 11  5
    13:00              11 11 10 10  2.5
    14:00              11 10 10 10  1     # impossible: the high is below the open
";

#[test]
fn importing_again_adds_nothing() {
    let records = Records::open_in_memory().unwrap();
    let table = text::read_bars(TABLE, InstrumentId(7)).unwrap();
    let import = |bars: &[Bar]| records.import_bars(&table.symbol, table.interval, bars).unwrap();
    let first = ImportCounts { read: 3, written: 2, rejected: 1, ..ImportCounts::default() };
    assert_eq!(import(&table.bars), first);
    let again = ImportCounts { written: 0, duplicates: 2, ..first };
    assert_eq!(import(&table.bars), again);
    let mut other = table.bars.clone();
    other[0].low = Price::from_nanos(0);
    other[1].interval = Interval::M1;
    let revised = ImportCounts { read: 3, revisions: 1, rejected: 2, ..ImportCounts::default() };
    assert_eq!(import(&other), revised);
    let instrument = records.instrument_id(&table.symbol).unwrap();
    let close = table.bars[1].close_time();
    let last = |until| records.last_bars(instrument, Interval::H1, until, 9).unwrap().len();
    assert_eq!(last(close), 2);
    assert_eq!(last(close.minus(Duration::from_nanos(1))), 1, "it has not closed yet");
}

#[test]
fn an_import_that_adds_bars_marks_its_series_for_whoever_runs_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let (service, importer) = (Records::open(&path).unwrap(), Records::open(&path).unwrap());
    let table = text::read_bars(TABLE, InstrumentId(7)).unwrap();
    let import = |symbol: &str, bars: &[Bar]| {
        importer.import_bars(&symbol.parse().unwrap(), Interval::H1, bars).unwrap()
    };
    assert_eq!(service.touched_since(0).unwrap(), []);
    import("file:a", &table.bars[..1]);
    import("file:b", &table.bars[..1]);
    let mark = |instrument, number| Touched {
        instrument: InstrumentId(instrument),
        interval: Interval::H1,
        number,
    };
    assert_eq!(service.touched_since(0).unwrap(), [mark(0, 1), mark(1, 2)]);
    assert_eq!(service.touched_since(1).unwrap(), [mark(1, 2)]);
    import("file:a", &table.bars[..1]);
    assert_eq!(service.touched_since(2).unwrap(), [], "nothing is new");
    import("file:a", &table.bars);
    assert_eq!(service.touched_since(0).unwrap(), [mark(1, 2), mark(0, 3)]);
    service.apply(&batch(1, 0, 5)).unwrap();
    assert_eq!(service.touched_since(3).unwrap(), [], "what the engine says is known to it");
}

#[test]
fn a_store_is_real_or_a_demo_for_ever() {
    let records = Records::open_in_memory().unwrap();
    assert_eq!(records.claim_kind(StoreKind::Demo).unwrap(), StoreKind::Demo);
    assert_eq!(records.claim_kind(StoreKind::Real).unwrap(), StoreKind::Demo);
    assert_eq!(records.meta("nothing").unwrap(), None);
    records.set_meta("seen", "1").unwrap();
    records.set_meta("seen", "2").unwrap();
    assert_eq!(records.meta("seen").unwrap().as_deref(), Some("2"));
}

#[cfg(unix)]
#[test]
fn a_new_folder_and_what_is_made_in_it_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new").join("data");
    let records = Records::open(&data.join("records.db")).unwrap();
    records.set_meta("seen", "1").unwrap();
    let mode =
        |name: &str| std::fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("records.db"), mode("records.db-wal")), (0o700, 0o600, 0o600));
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(Records::open(&data.join("records.db")).unwrap());
    assert_eq!(mode("."), 0o755, "what is there stays as it is");
}

#[test]
fn another_process_reads_beside_a_running_service() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data").join("records.db");
    assert_eq!(Records::open_read_only(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let service = Records::open(&path).unwrap();
    service.apply(&batch(1, 0, 5)).unwrap();
    let beside = Records::open_read_only(&path).unwrap();
    assert_eq!(beside.signals(&Filter::newest(9)).unwrap().len(), 2);
    service.apply(&batch(1, 5, 8)).unwrap();
    assert_eq!(beside.signals(&Filter::newest(9)).unwrap().len(), 3);
    assert!(beside.apply(&batch(1, 8, 9)).is_err(), "it only reads");
    drop((service, beside));
    let later = Records::open_read_only(&path).unwrap();
    assert_eq!(later.signals(&Filter::newest(9)).unwrap().len(), 3);
    let importer = Records::open(&path).unwrap();
    assert_eq!(importer.alerts(&Filter::newest(9)).unwrap().len(), 2);
}

#[test]
fn a_database_that_another_holds_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let records = Records::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    records.0.give_up_at_once();
    let error = records.set_meta("a", "b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Held, "{error:?}");
    assert_eq!(records.blocked(), Some(error.to_string()));
    assert_eq!(records.meta("a").unwrap(), None, "what reads goes on, and frees nothing");
    assert!(records.blocked().is_some());
    other.execute_batch("ROLLBACK").unwrap();
    records.set_meta("a", "b").unwrap();
    assert_eq!(records.blocked(), None);
}

#[test]
fn a_file_that_is_no_database_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    std::fs::write(&path, "this is not a database, and long enough to show it").unwrap();
    let error = Records::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(error.to_string().contains("records.db"), "{error}");
}
