//! One connection: what is asked, what is heard, and why it ends.

use std::time::Duration;

use axum::extract::ws::Message;
use finstage_feeds::{LinkState, SessionLimits, VenueProfile, venues};
use finstage_model::Interval;

use crate::scene::{NOON, Scene, Setup, must, quick, trade};

#[tokio::test]
async fn a_session_subscribes_says_up_and_passes_on_what_it_hears() {
    let mut scene = Scene::start(Setup::default()).await;
    let mut link = scene.accept().await;
    assert_eq!(
        link.hear().await,
        r#"{"id":1,"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@kline_1m"]}"#
    );
    link.trade(1).await;
    link.say(r#"{"result":null,"id":1}"#).await;
    link.trade(2).await;
    link.bar(0).await;
    let told = scene.told_until("bar 12:00").await;
    assert_eq!(told, ["up", "trade 1", "trade 2", "bar 12:00"], "what came before the answer too");
    let snapshot = scene.stats.snapshot();
    assert_eq!((snapshot.state, snapshot.frames, snapshot.events), (LinkState::Up, 4, 4));
    assert_eq!(snapshot.last_frame_at, Some(NOON));
    let stats = scene.stats.clone();
    assert!(scene.end().await.is_empty());
    assert_eq!(stats.snapshot().state, LinkState::Stopped);
}

#[tokio::test]
async fn the_moment_of_receipt_is_the_clocks_and_one_for_a_frame() {
    let mut scene = Scene::start(Setup::default()).await;
    let mut link = scene.subscribed().await;
    scene.told_until("up").await;
    scene.clock.advance(Duration::from_millis(1500));
    link.trade(1).await;
    let batch = must(scene.events.recv()).await.unwrap();
    assert_eq!(batch[0].ts_recv, NOON.plus(Duration::from_millis(1500)));
    link.trade(5).await;
    let batch = must(scene.events.recv()).await.unwrap();
    assert_eq!(batch[0].ts_recv, NOON.plus(Duration::from_millis(1500)), "the gap in front of it");
}

#[tokio::test]
async fn cut_frames_and_duplicates_are_counted_and_the_stream_goes_on() {
    let mut scene = Scene::start(Setup::default()).await;
    let mut link = scene.subscribed().await;
    link.trade(1).await;
    link.say(&trade(2)[..70]).await;
    link.trade(1).await;
    link.trade(2).await;
    link.bar(0).await;
    link.bar(0).await;
    link.trade(3).await;
    let told = scene.told_until("trade 3").await;
    assert_eq!(told, ["up", "trade 1", "trade 2", "bar 12:00", "trade 3"]);
    let snapshot = scene.stats.snapshot();
    assert_eq!((snapshot.decode_errors, snapshot.duplicates, snapshot.reconnects), (1, 2, 0));
}

#[tokio::test]
async fn a_jump_in_ids_is_told_and_the_missed_trades_come_before_what_is_behind_them() {
    let setup = Setup { archive: (1..10).collect(), ..Setup::default() };
    let mut scene = Scene::start(setup).await;
    let mut link = scene.subscribed().await;
    link.trade(1).await;
    link.trade(4).await;
    let told = scene.told_until("repaired 12:00:00-12:00:00").await;
    let gap = "12:00:00-12:00:00";
    let expected = ["up", "trade 1", &format!("gap {gap}"), "trade 2", "trade 3", "trade 4"];
    assert_eq!(told[..6], expected);
    assert_eq!(told[6..], [format!("repaired {gap}")]);
    let snapshot = scene.stats.snapshot();
    assert_eq!((snapshot.trades_filled, snapshot.trades_lost, snapshot.gaps_open), (2, 0, 0));
}

#[tokio::test]
async fn trades_that_nobody_has_are_lost_by_their_ids_and_hold_nothing_back() {
    let limits = SessionLimits { request_attempts: 1, repair_attempts: 2, ..quick() };
    let setup = Setup { archive: vec![1, 2, 4, 5], limits, ..Setup::default() };
    let mut scene = Scene::start(setup).await;
    let mut link = scene.subscribed().await;
    // The archive has a younger one than 3 and not 3; 6 to 8 it never gets.
    for id in [1, 5, 9] {
        link.trade(id).await;
    }
    let told = scene.told_until("trade 9").await;
    let trades: Vec<&String> = told.iter().filter(|word| word.starts_with("trade")).collect();
    assert_eq!(trades, ["trade 1", "trade 2", "trade 4", "trade 5", "trade 9"]);
    while scene.stats.snapshot().trades_lost < 4 {
        tokio::task::yield_now().await;
    }
    let lost: Vec<_> = scene.stats.lost_trades().into_iter().map(|lost| lost.ids).collect();
    assert_eq!(lost, [3..=3, 6..=8]);
}

#[tokio::test]
async fn pings_are_answered_and_silence_is_probed_before_it_counts() {
    let limits = SessionLimits { stall: Some(Duration::from_millis(1000)), ..quick() };
    let mut scene = Scene::start(Setup { limits, ..Setup::default() }).await;
    let mut link = scene.subscribed().await;
    scene.told_until("up").await;
    link.0.send(Message::Ping("x".into())).await.unwrap();
    assert_eq!(link.hear_any().await, Message::Pong("x".into()));
    let probe = link.hear_any().await;
    assert!(matches!(probe, Message::Ping(_)), "{probe:?}");
    // The answer to the probe, sent by reading on, keeps the connection: a second probe follows.
    assert!(matches!(link.hear_any().await, Message::Ping(_)));
    assert_eq!(scene.stats.snapshot().reconnects, 0);
}

#[tokio::test]
async fn a_venue_gone_silent_is_stale_and_connected_anew() {
    let limits = SessionLimits { stall: Some(Duration::from_millis(500)), ..quick() };
    let mut scene = Scene::start(Setup { limits, ..Setup::default() }).await;
    // Nobody reads this end, so nobody answers the probe.
    let silent = scene.subscribed().await;
    assert_eq!(scene.told_until("stale").await, ["up", "stale"]);
    let _again = scene.subscribed().await;
    let told = scene.told_until("up").await;
    assert_eq!(told, ["gap 12:00:00-12:00:00", "repaired 12:00:00-12:00:00", "up"]);
    drop(silent);
}

#[tokio::test]
async fn a_refused_command_ends_the_connection_and_is_tried_again() {
    let mut scene = Scene::start(Setup::default()).await;
    let mut link = scene.accept().await;
    link.hear().await;
    link.say(r#"{"code":2,"msg":"Invalid request","id":1}"#).await;
    link.hung_up().await;
    scene.subscribed().await;
}

#[tokio::test]
async fn a_venue_that_never_answers_a_command_is_left_and_the_feed_is_stale() {
    let limits = SessionLimits {
        acknowledge: Duration::from_millis(30),
        stall: Some(Duration::from_millis(100)),
        ..quick()
    };
    let mut scene = Scene::start(Setup { limits, ..Setup::default() }).await;
    let mut first = scene.accept().await;
    first.hung_up().await;
    // However often it is tried: a feed that never came up is stale.
    let mut links = Vec::new();
    while scene.events.is_empty() {
        links.push(scene.accept().await);
    }
    assert_eq!(scene.told_until("stale").await, ["stale"]);
}

#[tokio::test]
async fn commands_keep_their_distance() {
    static SPACED: std::sync::OnceLock<VenueProfile> = std::sync::OnceLock::new();
    let profile = SPACED.get_or_init(|| VenueProfile {
        command_spacing: Duration::from_millis(80),
        ..*venues::find("binance").unwrap().profile
    });
    // 201 streams of one symbol would need 201 intervals; the same interval often does as well.
    let intervals = vec![Interval::M1; 200];
    let began = tokio::time::Instant::now();
    let mut scene = Scene::start(Setup { intervals, profile, ..Setup::default() }).await;
    let mut link = scene.accept().await;
    link.hear().await;
    link.hear().await;
    assert!(began.elapsed() >= profile.command_spacing, "{:?}", began.elapsed());
    link.say(r#"{"result":null,"id":2}"#).await;
    link.say(r#"{"result":null,"id":1}"#).await;
    assert_eq!(scene.told_until("up").await, ["up"]);
}

#[tokio::test]
async fn a_connection_is_replaced_at_its_age_and_when_the_venue_asks() {
    static SHORT: std::sync::OnceLock<VenueProfile> = std::sync::OnceLock::new();
    let profile = SHORT.get_or_init(|| VenueProfile {
        max_age: Duration::from_millis(400),
        ..*venues::find("binance").unwrap().profile
    });
    let mut scene = Scene::start(Setup { profile, ..Setup::default() }).await;
    let mut first = scene.subscribed().await;
    first.trade(1).await;
    // The next one is subscribed before the first one ends.
    let mut second = scene.subscribed().await;
    first.trade(2).await;
    second.trade(2).await;
    first.hung_up().await;
    second.trade(3).await;
    let told = scene.told_until("trade 3").await;
    assert_eq!(told, ["up", "trade 1", "trade 2", "trade 3"], "no gap, and nothing twice");
    second.say(r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#).await;
    let mut third = scene.subscribed().await;
    second.hung_up().await;
    third.trade(4).await;
    assert_eq!(scene.told_until("trade 4").await, ["trade 4"]);
    let snapshot = scene.stats.snapshot();
    assert_eq!((snapshot.overlaps, snapshot.reconnects, snapshot.gaps), (2, 0, 0));
}

#[tokio::test]
async fn more_streams_than_a_connection_carries_are_refused_at_once() {
    let intervals = vec![Interval::M1; 1024];
    let setup = Setup { intervals, ..Setup::default() };
    let refused = tokio::spawn(Scene::start(setup)).await;
    assert!(refused.is_err(), "1025 streams");
}

#[tokio::test]
async fn shutdown_ends_a_session_in_every_state() {
    // While subscribing: nobody answers.
    let scene = Scene::start(Setup::default()).await;
    assert!(scene.end().await.is_empty());
    // While fetching bars that are never answered.
    let since = Some(NOON.minus(Duration::from_secs(600)));
    let mut scene = Scene::start(Setup { since, ..Setup::default() }).await;
    let _link = scene.subscribed().await;
    let _asked = scene.asked().await;
    assert_eq!(scene.end().await, ["gap 11:50:00-12:00:00"]);
    // When nobody reads the events.
    let mut scene = Scene::start(Setup::default()).await;
    scene.events.close();
    let _link = scene.subscribed().await;
    must(&mut scene.session).await.unwrap();
}
