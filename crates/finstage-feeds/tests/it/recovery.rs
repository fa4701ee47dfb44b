//! Losses: told, repaired where bars can be fetched, and never silent.

use std::time::Duration;

use finstage_feeds::SessionLimits;
use finstage_model::Timestamp;

use crate::scene::{NOON, Scene, Setup, must, quick};

fn minutes(n: i64) -> Timestamp {
    Timestamp::from_secs(NOON.secs() + 60 * n)
}

/// A session that was up at noon, lost its connection, and is subscribed again at 12:`minute`:30.
async fn reconnected(setup: Setup, minute: i64) -> (Scene, crate::scene::Link) {
    let mut scene = Scene::start(setup).await;
    let mut first = scene.subscribed().await;
    first.trade(1).await;
    assert_eq!(scene.told_until("trade 1").await, ["up", "trade 1"]);
    scene.clock.set(minutes(minute).plus(Duration::from_secs(30)));
    drop(first);
    let link = scene.subscribed().await;
    (scene, link)
}

#[tokio::test]
async fn a_reset_is_a_gap_whose_bars_come_before_what_the_stream_brings() {
    let (mut scene, mut link) = reconnected(Setup::default(), 3).await;
    let asked = scene.asked().await;
    assert_eq!(asked.parameters["startTime"], NOON.millis().to_string());
    // Both arrive while the request is under way.
    link.trade(2).await;
    link.bar(3).await;
    asked.bars(0..3);
    let told = scene.told_until("trade 2").await;
    let gap = "12:00:00-12:03:30";
    let expected = [
        format!("gap {gap}"),
        "bar 12:00".into(),
        "bar 12:01".into(),
        "bar 12:02".into(),
        format!("repaired {gap}"),
        "up".into(),
        "trade 2".into(),
    ];
    assert_eq!(told[..3], expected[..3]);
    // The live bar of 12:03 goes out in its place, whenever it was heard.
    let without_live: Vec<&String> = told.iter().filter(|word| *word != "bar 12:03").collect();
    assert_eq!(without_live, expected.iter().collect::<Vec<_>>());
    let mut all = told.clone();
    if !all.contains(&"bar 12:03".to_owned()) {
        all.extend(scene.told_until("bar 12:03").await);
    }
    let snapshot = scene.stats.snapshot();
    assert_eq!((snapshot.reconnects, snapshot.gaps, snapshot.repairs), (1, 1, 1));
}

#[tokio::test]
async fn history_since_the_last_stored_bar_comes_the_same_way_page_by_page() {
    let since = Some(minutes(-1003));
    let mut scene = Scene::start(Setup { since, queue: 2000, ..Setup::default() }).await;
    let _link = scene.subscribed().await;
    let first = scene.asked().await;
    assert_eq!(first.parameters["startTime"], minutes(-1003).millis().to_string());
    assert_eq!(first.parameters["limit"], "1000");
    first.bars(-1003..-3);
    let second = scene.asked().await;
    assert_eq!(second.parameters["startTime"], minutes(-3).millis().to_string());
    // The last row is the bar of noon, which is still open.
    second.bars(-3..1);
    let told = scene.told_until("up").await;
    assert_eq!(told.len(), 1 + 1003 + 2);
    assert_eq!(told[0], "gap 19:17:00-12:00:00");
    assert_eq!(told[1003..], ["bar 11:59", "repaired 19:17:00-12:00:00", "up"]);
}

#[tokio::test]
async fn a_failing_archive_is_asked_again_and_then_the_bars_come() {
    let (mut scene, _link) = reconnected(Setup::default(), 2).await;
    scene.asked().await.with(502, "<html><h1>502 Bad Gateway</h1></html>", &[]);
    scene.asked().await.with(200, "<html>maintenance</html>", &[]);
    scene.asked().await.bars(0..2);
    let told = scene.told_until("up").await;
    assert_eq!(
        told,
        ["gap 12:00:00-12:02:30", "bar 12:00", "bar 12:01", "repaired 12:00:00-12:02:30", "up"]
    );
}

#[tokio::test]
async fn an_archive_that_stays_down_does_not_hold_the_stream_and_is_asked_later() {
    let limits = SessionLimits { request_attempts: 1, ..quick() };
    let (mut scene, mut link) = reconnected(Setup { limits, ..Setup::default() }, 2).await;
    scene.asked().await.with(502, "<html>", &[]);
    assert_eq!(scene.told_until("up").await, ["gap 12:00:00-12:02:30", "up"]);
    // Live again, and the next closed bar waits for the older ones.
    let again = scene.asked().await;
    link.bar(2).await;
    link.trade(2).await;
    assert_eq!(scene.told_until("trade 2").await, ["trade 2"]);
    again.bars(0..2);
    let told = scene.told_until("repaired 12:00:00-12:02:30").await;
    assert_eq!(told, ["bar 12:00", "bar 12:01", "bar 12:02", "repaired 12:00:00-12:02:30"]);
}

#[tokio::test]
async fn a_slow_archive_does_not_hold_the_stream() {
    let limits = SessionLimits { hold: Duration::from_millis(20), ..quick() };
    let (mut scene, mut link) = reconnected(Setup { limits, ..Setup::default() }, 1).await;
    let asked = scene.asked().await;
    link.trade(2).await;
    let told = scene.told_until("trade 2").await;
    assert_eq!(told, ["gap 12:00:00-12:01:30", "up", "trade 2"]);
    asked.bars(0..1);
    let told = scene.told_until("repaired 12:00:00-12:01:30").await;
    assert_eq!(told, ["bar 12:00", "repaired 12:00:00-12:01:30"]);
}

#[tokio::test]
async fn a_limit_is_honoured_and_the_stream_goes_on_meanwhile() {
    let (mut scene, mut link) = reconnected(Setup::default(), 1).await;
    let body = r#"{"code":-1003,"msg":"Too much request weight used"}"#;
    let asked_at = tokio::time::Instant::now();
    scene.asked().await.with(429, body, &[("retry-after", "1")]);
    link.trade(2).await;
    let told = scene.told_until("trade 2").await;
    assert_eq!(told, ["gap 12:00:00-12:01:30", "up", "trade 2"]);
    let again = scene.asked().await;
    assert!(asked_at.elapsed() >= Duration::from_secs(1), "{:?}", asked_at.elapsed());
    again.bars(0..1);
    scene.told_until("repaired 12:00:00-12:01:30").await;
}

#[tokio::test]
async fn a_refused_request_leaves_the_gap_open_and_lets_the_bars_go() {
    let (mut scene, mut link) = reconnected(Setup::default(), 2).await;
    let asked = scene.asked().await;
    link.bar(2).await;
    link.trade(2).await;
    asked.with(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#, &[]);
    link.bar(3).await;
    let told = scene.told_until("bar 12:03").await;
    assert!(!told.iter().any(|word| word.starts_with("repaired")), "{told:?}");
    let bars: Vec<&String> = told.iter().filter(|word| word.starts_with("bar")).collect();
    assert_eq!(bars, ["bar 12:02", "bar 12:03"]);
}

#[tokio::test]
async fn a_repair_that_never_succeeds_is_given_up() {
    let limits = SessionLimits { request_attempts: 1, repair_attempts: 2, ..quick() };
    let (mut scene, mut link) = reconnected(Setup { limits, ..Setup::default() }, 1).await;
    scene.asked().await.with(503, "", &[]);
    scene.told_until("up").await;
    let last = scene.asked().await;
    link.bar(1).await;
    link.trade(2).await;
    assert_eq!(scene.told_until("trade 2").await, ["trade 2"]);
    last.with(503, "", &[]);
    assert_eq!(scene.told_until("bar 12:01").await, ["bar 12:01"]);
    assert_eq!(scene.stats.snapshot().repairs, 0);
}

#[tokio::test]
async fn a_bar_that_the_stream_left_out_is_noticed_and_fetched() {
    let mut scene = Scene::start(Setup::default()).await;
    let mut link = scene.subscribed().await;
    link.bar(0).await;
    assert_eq!(scene.told_until("bar 12:00").await, ["up", "bar 12:00"]);
    scene.clock.set(minutes(3));
    link.bar(2).await;
    let asked = scene.asked().await;
    assert_eq!(asked.parameters["startTime"], minutes(1).millis().to_string());
    asked.bars(1..3);
    let told = scene.told_until("repaired 12:01:00-12:02:00").await;
    let expected =
        ["gap 12:01:00-12:02:00", "bar 12:01", "bar 12:02", "repaired 12:01:00-12:02:00"];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_connection_lost_while_bars_are_fetched_begins_the_repair_again() {
    let (mut scene, link) = reconnected(Setup::default(), 1).await;
    let forgotten = scene.asked().await;
    drop(link);
    let _link = scene.subscribed().await;
    let again = scene.asked().await;
    forgotten.bars(0..1);
    again.bars(0..1);
    let told = scene.told_until("up").await;
    assert_eq!(
        told,
        [
            "gap 12:00:00-12:01:30",
            "gap 12:01:30-12:01:30",
            "bar 12:00",
            "repaired 12:00:00-12:01:30",
            "up"
        ]
    );
}

#[tokio::test]
async fn a_queue_that_stays_full_drops_the_connection_and_the_loss_is_told() {
    let limits = SessionLimits { blocked: Duration::from_millis(50), ..quick() };
    let mut scene =
        Scene::start(Setup { limits, queue: 2, archive: vec![1, 2], ..Setup::default() }).await;
    let mut link = scene.subscribed().await;
    // The queue takes Up and one trade; the next two frames are lost, the bar among them.
    link.trade(1).await;
    link.bar(0).await;
    link.trade(2).await;
    link.hung_up().await;
    scene.clock.set(minutes(1).plus(Duration::from_secs(30)));
    assert_eq!(scene.told_until("trade 1").await, ["up", "trade 1"]);
    let mut link = scene.subscribed().await;
    scene.asked().await.bars(0..1);
    link.trade(3).await;
    let told = scene.told_until("trade 3").await;
    let lost = "gap 12:00:00-12:01:30";
    let expected = [lost, "trade 2", "bar 12:00", "repaired 12:00:00-12:01:30", "up", "trade 3"];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn trades_without_bars_are_repaired_by_themselves() {
    let setup = Setup { intervals: Vec::new(), archive: vec![1, 2, 3], ..Setup::default() };
    let (mut scene, mut link) = reconnected(setup, 5).await;
    link.trade(4).await;
    let told = scene.told_until("trade 4").await;
    let gap = "12:00:00-12:05:30";
    let expected =
        [&format!("gap {gap}"), "trade 2", "trade 3", &format!("repaired {gap}"), "up", "trade 4"];
    assert_eq!(told, expected);
    assert!(must(scene.end()).await.is_empty());
}

#[tokio::test]
async fn without_an_archive_lost_trades_are_told_and_hold_nothing_back() {
    let setup = Setup { intervals: Vec::new(), polls: false, ..Setup::default() };
    let (mut scene, mut link) = reconnected(setup, 5).await;
    link.trade(4).await;
    let told = scene.told_until("trade 4").await;
    assert_eq!(told, ["gap 12:00:00-12:05:30", "up", "gap 12:00:00-12:00:00", "trade 4"]);
    let lost: Vec<_> = scene.stats.lost_trades().into_iter().map(|lost| lost.ids).collect();
    assert_eq!(lost, [2..=3]);
}

#[tokio::test]
async fn when_the_hold_is_over_live_trades_go_first_and_the_missed_ones_are_late() {
    let limits = SessionLimits { hold: Duration::from_millis(50), ..quick() };
    let archive = vec![1, 2, 3];
    let setup = Setup { limits, archive, slow_trades: true, ..Setup::default() };
    let (mut scene, mut link) = reconnected(setup, 0).await;
    let asked = scene.asked().await;
    link.trade(4).await;
    assert_eq!(scene.told_until("trade 4").await, ["gap 12:00:00-12:00:30", "up", "trade 4"]);
    asked.trades([2, 3]);
    let told = scene.told_until("repaired 12:00:00-12:00:30").await;
    assert_eq!(told, ["trade 2", "trade 3", "repaired 12:00:00-12:00:30"]);
    assert_eq!(scene.stats.snapshot().trades_late, 2);
}

#[tokio::test]
async fn an_archive_that_refuses_trades_does_not_keep_the_bars_from_being_whole() {
    let setup = Setup { slow_trades: true, ..Setup::default() };
    let (mut scene, mut link) = reconnected(setup, 1).await;
    let refusal = r#"{"code":-2014,"msg":"API-key format invalid."}"#;
    scene.asked().await.with(401, refusal, &[]);
    scene.asked().await.bars(0..1);
    let told = scene.told_until("up").await;
    let gap = "12:00:00-12:01:30";
    assert_eq!(told, [&format!("gap {gap}"), "bar 12:00", &format!("repaired {gap}"), "up"]);
    // What the jump says is lost, since nobody can be asked.
    link.trade(3).await;
    scene.asked().await.with(401, refusal, &[]);
    scene.told_until("trade 3").await;
    assert_eq!(scene.stats.snapshot().trades_lost, 1);
}
