//! Alerts that arrive: once, in the channel's words, and only when they may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use finstage_model::Alert;
use finstage_notify::{Explain, Explained, MAX_EXPLAIN, MAX_POLL, Progress, Repeat, Sending};
use tokio::time::{Instant, sleep};

use crate::chat_service::ChatService;
use crate::house::{Buffer, House, START, alert, log, telegram};

#[tokio::test]
async fn an_alert_is_delivered_once() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    let running = house.start(telegram(&house, &service, "42"));
    let message = service.message().await;
    assert_eq!(message.body["chat_id"], 42);
    assert_eq!(message.body["parse_mode"], "HTML");
    assert!(message.text().starts_with("<b>▲ bullish golden_cross(fast=50,slow=200)</b>\n"));
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.retried(), stats.failed()), (1, 0, 0));
    assert_eq!(stats.times().within.iter().sum::<u64>(), 1, "one attempt was timed");
    assert_eq!(house.end_of(1).0, "delivered");
    // A second process finds nothing to do.
    house.later(Duration::from_secs(3_600));
    house.start(telegram(&house, &service, "42")).stop().await;
    assert!(service.rest().is_empty());
}

#[tokio::test]
async fn nothing_leaves_before_the_journal_is_synced_up_to_it() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    house.unsync();
    house.queue("telegram", &alert(1));
    let running = house.start(telegram(&house, &service, "42"));
    running.looked(2).await;
    assert!(service.rest().is_empty());
    house.sync();
    service.message().await;
    assert_eq!(running.stop().await.delivered(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_alert_queued_while_the_dispatcher_waits_wakes_it() {
    let house = House::new();
    let running = house.start(log(&house, &Buffer::default()));
    running.looked(1).await;
    // Virtual time moves only when everything rests: now the dispatcher waits for its next poll.
    tokio::time::sleep(MAX_POLL / 10).await;
    let before = Instant::now();
    house.queue("log", &alert(1));
    house.wake();
    running.delivered(1).await;
    assert_eq!(before.elapsed(), Duration::ZERO, "woken, not found by the next poll");
    running.stop().await;
}

#[tokio::test]
async fn an_alert_that_is_too_old_is_recorded_and_not_sent() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    house.later(Duration::from_secs(15 * 60 + 1));
    let said_at = START.plus(Duration::from_secs(15 * 60));
    house.queue("telegram", &Alert { said_at, ..alert(2) });
    let running = house.start(telegram(&house, &service, "42"));
    assert!(service.message().await.text().contains(&alert(2).id.to_string()));
    let stats = running.stop().await;
    assert_eq!((stats.expired(), stats.delivered()), (1, 1));
    let (state, reason) = house.end_of(1);
    assert_eq!(state, "expired");
    assert_eq!(reason, "901 s old when its turn came, 900 s are allowed");
}

#[tokio::test]
async fn the_log_goes_through_the_outbox_too() {
    let house = House::new();
    house.queue("log", &alert(1));
    house.queue("log", &alert(2));
    let lines = Buffer::default();
    let running = house.start(log(&house, &lines));
    running.delivered(2).await;
    running.stop().await;
    let text = lines.text();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("▲ bullish") && line.ends_with("Not advice."))
    );
    assert_eq!(house.end_of(2).0, "delivered");
}

#[tokio::test]
async fn a_long_alert_arrives_in_parts_and_in_order() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    let words = (0..1_000).map(|n| format!("{n:04} ")).collect();
    house.queue("telegram", &Alert { words, ..alert(1) });
    let running = house.start(telegram(&house, &service, "42"));
    let (first, second) = (service.message().await, service.message().await);
    assert!(first.text().contains("0000 0001") && second.text().contains("0998 0999"));
    assert!(second.at - first.at >= Duration::from_secs(1), "one message a second in a chat");
    assert_eq!(running.stop().await.delivered(), 1);
    assert_eq!(house.end_of(1).0, "delivered");
}

#[tokio::test]
async fn a_courier_alone_sends_one_alert_and_gives_its_receipt() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    let mut courier = telegram(&house, &service, "42");
    let sending = courier.send(&alert(1).into(), Progress::new(Repeat::No)).await;
    assert_eq!(sending, Sending::Delivered { receipt: "101".into() });
    assert!(service.message().await.text().starts_with("<b>▲ bullish"));
    assert!(courier.wait() > Duration::ZERO, "the next one has to wait");
}

#[tokio::test]
async fn a_notice_of_the_service_arrives_once_and_outlives_alerts() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    house.announce(&["telegram"]);
    house.announce(&["telegram"]);
    house.queue("telegram", &alert(1));
    house.later(Duration::from_secs(3 * 3_600));
    let running = house.start(telegram(&house, &service, "42"));
    assert_eq!(service.message().await.text().lines().next(), Some("<b>Daily report</b>"));
    running.looked(3).await;
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.expired()), (1, 1), "the alert is too old");
    assert!(service.rest().is_empty());
}

#[tokio::test]
async fn a_notice_older_than_its_own_age_is_not_sent() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    house.announce(&["telegram"]);
    house.later(Duration::from_secs(86_401));
    let running = house.start(telegram(&house, &service, "42"));
    running.looked(2).await;
    assert_eq!(running.stop().await.expired(), 1);
    assert!(service.rest().is_empty());
}

/// Has the same words for every alert, after a while.
#[derive(Debug)]
struct Words {
    after: Duration,
    asked: AtomicU32,
}

impl Words {
    fn after(after: Duration) -> Arc<Self> {
        Arc::new(Self { after, asked: AtomicU32::new(0) })
    }
}

impl Explain for Words {
    fn explain<'a>(&'a self, _alert: &'a Alert) -> Explained<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            sleep(self.after).await;
            Some("The short average is <above> the long one.".to_owned())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn plain_words_stand_beside_the_figures_and_are_no_markup() {
    let (house, buffer) = (House::new(), Buffer::default());
    house.queue("log", &alert(1));
    let words = Words::after(Duration::from_secs(1));
    let running = house.start_explained(log(&house, &buffer), Some(words.clone()));
    running.delivered(1).await;
    running.stop().await;
    let said = buffer.text();
    assert!(said.contains("by a model: The short average is <above> the long one."), "{said}");
    assert!(said.contains("Not advice."));
    assert_eq!(words.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_alert_goes_without_words_that_come_too_late() {
    let (house, buffer) = (House::new(), Buffer::default());
    house.queue("log", &alert(1));
    let before = Instant::now();
    let words = Words::after(MAX_EXPLAIN * 2);
    let running = house.start_explained(log(&house, &buffer), Some(words));
    running.delivered(1).await;
    assert!(before.elapsed() < MAX_EXPLAIN + MAX_POLL);
    running.stop().await;
    assert!(!buffer.text().contains("by a model"));
}

#[tokio::test]
async fn words_are_escaped_where_the_channel_has_markup() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    let courier = telegram(&house, &service, "42");
    let running = house.start_explained(courier, Some(Words::after(Duration::ZERO)));
    let message = service.message().await;
    assert!(message.text().contains("is &lt;above&gt; the long"), "{}", message.text());
    running.stop().await;
}
