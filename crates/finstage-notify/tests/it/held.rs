//! Channels that hold back: at night, beyond a cap. START is 09:00 UTC.

use std::time::Duration;

use finstage_model::{Alert, AlertId, AlertKind};
use finstage_notify::Holding;
use finstage_store::records::{AddedWatch, NoticeKind};

use crate::house::{Buffer, House, START, alert, log};

const HOUR: Duration = Duration::from_secs(3_600);

fn quiet() -> Holding {
    Holding { quiet: Some("08:00-10:00".parse().unwrap()), ..Holding::default() }
}

#[tokio::test]
async fn what_is_held_back_in_quiet_hours_is_told_once_in_the_digest_at_their_end() {
    let house = House::new();
    let lines = Buffer::default();
    house.queue("log", &alert(1));
    house.announce_of(NoticeKind::Threshold, &["log"]);
    house.announce_of(NoticeKind::Critical, &["log"]);
    let running = house.start_holding(log(&house, &lines), quiet());
    running.delivered(1).await;
    running.looked(4).await;
    running.stop().await;
    assert_eq!(house.end_of(1), ("withheld".into(), "quiet_hours".into()));
    assert_eq!(lines.text().lines().count(), 1, "only the critical notice: {}", lines.text());

    house.later(HOUR + Duration::from_secs(1));
    let running = house.start_holding(log(&house, &lines), quiet());
    running.delivered(2).await;
    running.stop().await;
    let text = lines.text();
    assert_eq!(text.matches("Held back since the last digest: 1 alert").count(), 1, "{text}");
    assert!(!text.contains("1 alerts"), "{text}");
    assert_eq!(text.lines().count(), 3, "and the notice that waited: {text}");

    // A restart after the digest does not repeat it.
    let running = house.start_holding(log(&house, &lines), quiet());
    let said_at = START.plus(HOUR);
    house.queue("log", &Alert { said_at, ..alert(2) });
    running.delivered(1).await;
    running.stop().await;
    assert_eq!(lines.text().lines().count(), 4);
    assert_eq!(house.end_of(2).0, "delivered");
}

#[tokio::test]
async fn a_channel_delivers_no_more_alerts_an_hour_than_it_wants() {
    let house = House::new();
    let lines = Buffer::default();
    let holding = Holding { per_hour: Some(2), ..Holding::default() };
    for id in 1..=3 {
        house.queue("log", &alert(id));
    }
    let running = house.start_holding(log(&house, &lines), holding.clone());
    running.looked(4).await;
    running.stop().await;
    assert_eq!(house.end_of(2).0, "delivered");
    assert_eq!(house.end_of(3), ("withheld".into(), "channel_cap".into()));

    house.later(HOUR + Duration::from_secs(1));
    let said_at = START.plus(HOUR);
    house.queue("log", &Alert { said_at, ..alert(4) });
    let running = house.start_holding(log(&house, &lines), holding);
    running.delivered(1).await;
    running.stop().await;
    assert_eq!(lines.text().lines().count(), 3);
}

#[tokio::test]
async fn what_people_may_have_already_is_not_held_back() {
    let house = House::new();
    let lines = Buffer::default();
    house.queue("log", &alert(1));
    house.lease_and_die("log");
    house.later(Duration::from_secs(91));
    let running = house.start_holding(log(&house, &lines), quiet());
    running.delivered(1).await;
    running.stop().await;
    assert!(lines.text().starts_with("(may repeat"), "{}", lines.text());
}

#[tokio::test]
async fn a_watch_that_was_added_in_one_chat_speaks_there_alone() {
    let house = House::new();
    let (own, other) = (Buffer::default(), Buffer::default());
    let rule = "rise=3%";
    let kind = AlertKind::Watch { base: "100".parse().unwrap() };
    let watch = Alert { kind, rule: rule.into(), ..alert(1) };
    let id = AddedWatch::id_of(&watch.symbol, rule.parse().unwrap());
    house.records.set_watch_channel(&id, Some("telegram")).unwrap();
    house.queue("log", &watch);
    let running = house.start_holding(log(&house, &other), quiet());
    running.looked(2).await;
    running.stop().await;
    assert_eq!(house.end_of(1), ("withheld".into(), "other_chat".into()));
    house.later(HOUR + Duration::from_secs(1));
    let running = house.start_holding(log(&house, &other), quiet());
    running.looked(2).await;
    running.stop().await;
    assert_eq!(other.text(), "", "no digest tells of it");

    house.records.set_watch_channel(&id, None).unwrap();
    let said_at = START.plus(HOUR);
    house.queue("log", &Alert { id: AlertId(2), said_at, ..watch });
    let running = house.start(log(&house, &own));
    running.delivered(1).await;
    running.stop().await;
}
