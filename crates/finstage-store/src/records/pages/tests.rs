use finstage_model::Position;

use super::*;
use crate::suite::journal::DAY;
use crate::suite::records::{batch, signal};

fn position(seq: u64) -> Position {
    Position::new(DAY, 1, seq)
}

fn with_events(count: u64) -> Records {
    let records = Records::open_in_memory().unwrap();
    for first in (0..count).step_by(10) {
        records.apply(&batch(1, first, (first + 10).min(count))).unwrap();
    }
    records
}

#[test]
fn pages_of_signals_and_alerts_hold_every_row_once_and_in_order() {
    let records = with_events(100);
    let all = records.signals(&super::super::Filter::newest(1_000)).unwrap();
    let mut page = SignalPage { limit: 7, ..SignalPage::default() };
    let mut paged = Vec::new();
    loop {
        let rows = records.signal_page(&page).unwrap();
        let Some(last) = rows.last() else { break };
        page.after = Some((last.at, last.id));
        paged.extend(rows);
    }
    assert!(paged.len() > 20);
    assert_eq!(paged, all);

    let all = records.alerts(&super::super::Filter::newest(1_000)).unwrap();
    let mut page = AlertPage { limit: 3, ..AlertPage::default() };
    let mut paged = Vec::new();
    loop {
        let rows = records.alert_page(&page).unwrap();
        let Some(last) = rows.last() else { break };
        page.after = Some((last.alert.said_at, last.alert.id));
        paged.extend(rows);
    }
    assert_eq!(paged, all);
}

#[test]
fn a_page_is_cut_to_what_was_asked_for() {
    let records = with_events(40);
    let strategy = signal(0).strategy;
    let name = strategy.split('(').next().unwrap().to_owned();
    let page = |strategy: &str, verdict: Option<&str>| SignalPage {
        strategy: Some(strategy.to_owned()),
        verdict: verdict.map(str::to_owned),
        limit: 500,
        ..SignalPage::default()
    };
    let count = |page: &SignalPage| records.signal_page(page).unwrap().len();
    assert!(count(&page(&strategy, None)) > 0);
    assert_eq!(count(&page(&name, None)), count(&page(&strategy, None)));
    assert_eq!(count(&page(&name[..name.len() - 1], None)), 0, "a part of a name is no name");
    assert_eq!(count(&page(&name, Some("pending"))), 0);
    assert!(count(&page(&name, Some("unproven"))) > 0);
    let other: Symbol = "sim:NONE".parse().unwrap();
    assert_eq!(count(&SignalPage { symbol: Some(other), limit: 5, ..SignalPage::default() }), 0);
}

#[test]
fn what_was_said_since_a_place_stops_at_what_is_on_disk() {
    let records = with_events(100);
    let end = records.said_end(position(1_000)).unwrap();
    let early = records.said_end(position(50)).unwrap();
    assert!(early < end && early.signal > 0 && early.alert > 0);
    let rest = records.signals_behind(early.signal, position(1_000), 1_000).unwrap();
    assert_eq!(rest.len() as i64, end.signal - early.signal);
    assert!(rest.is_sorted_by_key(|(number, _)| *number));
    assert!(rest.iter().all(|(_, row)| row.position > position(50)));
    assert_eq!(records.signals_behind(0, position(0), 10).unwrap(), []);
    assert_eq!(records.alerts_behind(end.alert, position(1_000), 10).unwrap(), []);
    let two = records.alerts_behind(0, position(1_000), 2).unwrap();
    assert_eq!(two.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
}
