use finstage_model::{Position, Timestamp};

use super::*;
use crate::records::{Batch, Filter, Item, Leased, NewAlert, OutboxCounts, Route, RunDigest, Sent};
use crate::suite::journal::DAY;
use crate::suite::records::alert;

const LEASE: Duration = Duration::from_secs(30);

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn report(day: &str) -> Notice {
    Notice {
        id: NoticeKind::Report.id(day),
        kind: NoticeKind::Report,
        said_at: t(5),
        max_age: Duration::from_secs(86_400),
        lines: vec![
            vec![NoticeText::new(NoticeStyle::Bold, "Daily report")],
            vec![
                NoticeText::new(NoticeStyle::Plain, "head "),
                NoticeText::new(NoticeStyle::Code, "abc"),
            ],
        ],
    }
}

fn names() -> Vec<String> {
    ["log", "chat"].map(str::to_owned).to_vec()
}

fn lease(records: &Records, now: i64) -> Option<Leased> {
    records.outbox_lease("log", t(now), LEASE, Position::START).unwrap()
}

#[test]
fn a_notice_is_queued_once_for_each_notifier_however_often_it_is_said() {
    let records = Records::open_in_memory().unwrap();
    let first = report("2026-11-20");
    assert_eq!(records.announce(&first, &names()).unwrap(), 2);
    let later = Notice { said_at: t(99), lines: Vec::new(), ..first };
    assert_eq!(records.announce(&later, &names()).unwrap(), 0, "the same day again");
    assert_eq!(records.announce(&report("2026-11-21"), &names()).unwrap(), 2);
    let muted = NoticeKind::Muted.id("2026-11-20");
    assert_ne!(muted, first.id);
    assert_eq!(records.notice(first.id).unwrap(), Some(first), "as it was said first");
    assert_eq!(records.notice(muted).unwrap(), None);
}

#[test]
fn a_notice_waits_for_no_event_and_is_delivered_like_an_alert() {
    let records = Records::open_in_memory().unwrap();
    let notice = report("2026-11-20");
    records.announce(&notice, &names()).unwrap();
    let leased = lease(&records, 10).unwrap();
    assert_eq!((&leased.item, leased.possible_repeat), (&Item::Notice(notice.clone()), false));
    assert_eq!((leased.item.id(), leased.item.said_at()), (notice.id.to_string(), t(5)));
    records.outbox_retry(leased.row, leased.fence, t(20), "timeout", Sent::Unknown).unwrap();
    let again = lease(&records, 20).unwrap();
    assert!(again.possible_repeat);
    records.outbox_delivered(again.row, again.fence, t(21), "msg 7").unwrap();
    assert_eq!(lease(&records, 99), None);
    assert_eq!(records.outbox_next_at("log").unwrap(), None);
    let other = records.outbox_lease("chat", t(20), LEASE, Position::START).unwrap().unwrap();
    records.outbox_failed(other.row, other.fence, t(21), "chat is gone").unwrap();
    assert_eq!(records.outbox_counts().unwrap(), OutboxCounts::default(), "alerts are counted");
    assert_eq!(records.alerts(&Filter::newest(9)).unwrap(), [], "and listed");
}

#[test]
fn alerts_and_notices_leave_in_the_order_they_were_said() {
    let records = Records::open_in_memory().unwrap();
    let mut batch = Batch::new(Position::new(DAY, 1, 3), RunDigest::default());
    batch.alerts.push(NewAlert { alert: alert(1), route: Route::Notify(names()) });
    records.announce(&report("2026-11-20"), &names()).unwrap();
    records.apply(&batch).unwrap();
    records.announce(&report("2026-11-21"), &names()).unwrap();
    let synced = Position::new(DAY, 1, 3);
    let ids: Vec<String> = (0..3)
        .map(|_| records.outbox_lease("log", t(0), LEASE, synced).unwrap().unwrap().item.id())
        .collect();
    let [before, after] = ["2026-11-20", "2026-11-21"].map(|day| report(day).id.to_string());
    assert_eq!(ids, [before, alert(1).id.to_string(), after]);
    // Nothing that happens to the journal takes a notice away.
    let rewound = records.rewind(Position::new(DAY, 1, 0)).unwrap();
    assert_eq!(rewound.inconsistent.len(), 1, "the alert alone");
    assert_eq!(records.outbox_reclaim().unwrap(), 3);
}

#[test]
fn a_notice_is_cut_to_its_bounds() {
    let records = Records::open_in_memory().unwrap();
    let long = NoticeText::new(NoticeStyle::Plain, "x".repeat(MAX_NOTICE_LINE_CHARS + 9));
    let notice = Notice { lines: vec![vec![long]; MAX_NOTICE_LINES + 9], ..report("2026-11-20") };
    records.announce(&notice, &names()).unwrap();
    let stored = records.notice(notice.id).unwrap().unwrap();
    assert_eq!(stored.lines.len(), MAX_NOTICE_LINES);
    assert_eq!(stored.lines[0][0].text.len(), MAX_NOTICE_LINE_CHARS);
}
