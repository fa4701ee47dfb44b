//! Alerts that do not arrive at once: what is tried again, what is marked, what is given up.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::Alert;
use finstage_notify::MAX_REFUSALS;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::sync::Notify;

use crate::chat_service::{Act, ChatService, TOKEN, refusal, too_fast};
use crate::house::{House, alert, telegram, telegram_at};

const REPEAT: &str = "<i>(may repeat an earlier message with the same id)</i>\n";

#[tokio::test]
async fn too_many_requests_stops_all_sends_until_the_wait_is_over() {
    let mut service = ChatService::start([too_fast(2)]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    house.queue("telegram", &alert(2));
    let running = house.start(telegram(&house, &service, "42"));
    let (refused, next, last) =
        (service.message().await, service.message().await, service.message().await);
    assert!(next.at - refused.at >= Duration::from_secs(2));
    for message in [&next, &last] {
        assert!(!message.text().starts_with(REPEAT), "a refused message never arrived");
    }
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.retried()), (2, 1));
    assert_eq!(stats.last_error().unwrap(), "telegram asks to wait 2 s");
}

#[tokio::test]
async fn a_gateways_error_page_is_tried_again_as_a_possible_repeat() {
    let mut service = ChatService::start([Act::Html(502)]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    let running = house.start(telegram(&house, &service, "42"));
    let (first, second) = (service.message().await, service.message().await);
    assert!(!first.text().starts_with(REPEAT));
    assert!(second.text().starts_with(REPEAT), "{}", second.text());
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.retried()), (1, 1));
}

#[tokio::test]
async fn a_timeout_after_delivery_is_tried_again_and_marked() {
    let mut service = ChatService::start([Act::DeliverInSilence]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    let running = house.start(telegram(&house, &service, "42"));
    let (first, second) = (service.message().await, service.message().await);
    assert!(!first.text().starts_with(REPEAT));
    assert!(second.text().starts_with(REPEAT));
    let stats = running.stop().await;
    assert_eq!(stats.delivered(), 1);
    let said = stats.last_error().unwrap();
    assert!(said.contains("timed out") && !said.contains(TOKEN), "{said}");
}

#[tokio::test]
async fn no_connection_is_tried_again_and_not_marked() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed_url = format!("http://{}", closed.local_addr().unwrap());
    let house = House::new();
    house.queue("telegram", &alert(1));
    let running = house.start(telegram_at(&house, &closed_url, "42"));
    running.retried(1).await;
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.failed(), stats.expired()), (0, 0, 0));
    let said = stats.last_error().unwrap();
    assert!(said.contains("cannot connect") && !said.contains(TOKEN), "{said}");
    house.later(Duration::from_secs(60));
    let mut service = ChatService::start([]).await;
    let running = house.start(telegram(&house, &service, "42"));
    assert!(!service.message().await.text().starts_with(REPEAT));
    assert_eq!(running.stop().await.delivered(), 1);
}

#[tokio::test]
async fn a_blocked_chat_disables_the_channel_and_says_what_to_do() {
    let blocked = refusal(403, "Forbidden: bot was blocked by the user");
    let mut service = ChatService::start([blocked]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    house.queue("telegram", &alert(2));
    let running = house.start(telegram(&house, &service, "42"));
    running.failed(2).await;
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.failed()), (0, 2));
    assert!(stats.disabled().unwrap().contains("unblock it and send /start"));
    assert_eq!(service.rest().len(), 1, "nothing is sent to a chat that said no");
    for id in [1, 2] {
        let (state, reason) = house.end_of(id);
        assert_eq!(state, "failed");
        assert!(reason.contains("bot was blocked by the user"), "{reason}");
    }
}

#[tokio::test]
async fn markup_that_cannot_be_parsed_goes_out_as_plain_text() {
    let unreadable = refusal(400, "Bad Request: can't parse entities: Unexpected end tag");
    let mut service = ChatService::start([unreadable]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    let running = house.start(telegram(&house, &service, "42"));
    let (rich, plain) = (service.message().await, service.message().await);
    assert_eq!(rich.body["parse_mode"], "HTML");
    assert!(plain.body.get("parse_mode").is_none());
    assert!(plain.text().starts_with("▲ bullish"));
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.retried()), (1, 0));
}

#[tokio::test]
async fn a_group_that_moved_is_followed_for_every_later_alert() {
    let moved = Act::Json(
        400,
        json!({
            "ok": false, "error_code": 400,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": -1_001_234_567_890_i64},
        }),
    );
    let mut service = ChatService::start([moved]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    house.queue("telegram", &alert(2));
    let running = house.start(telegram(&house, &service, "-5"));
    assert_eq!(service.message().await.body["chat_id"], -5);
    for _ in 0..2 {
        assert_eq!(service.message().await.body["chat_id"], -1_001_234_567_890_i64);
    }
    assert_eq!(running.stop().await.delivered(), 2);
}

#[tokio::test]
async fn a_refusal_in_unknown_words_ends_as_a_dead_letter_after_the_last_attempt() {
    let strange = refusal(400, "Bad Request: something new");
    let mut service = ChatService::start([strange.clone(), strange]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    house.attempt("telegram", MAX_REFUSALS - 2);
    let running = house.start(telegram(&house, &service, "42"));
    running.retried(1).await;
    house.later(Duration::from_secs(60));
    running.failed(1).await;
    let stats = running.stop().await;
    assert_eq!((stats.retried(), stats.failed(), stats.delivered()), (1, 1, 0));
    assert_eq!(service.rest().len(), 2);
    let (state, reason) = house.end_of(1);
    assert_eq!(state, "failed");
    assert_eq!(
        reason,
        "refused after 10 attempts: telegram answered 400 \"Bad Request: something new\""
    );
}

#[tokio::test]
async fn a_row_that_a_dead_process_held_comes_again_and_says_so() {
    let mut service = ChatService::start([]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    house.lease_and_die("telegram");
    let running = house.start(telegram(&house, &service, "42"));
    running.looked(2).await;
    assert!(service.rest().is_empty(), "the lease still runs");
    house.later(finstage_notify::LEASE);
    house.wake();
    assert!(service.message().await.text().starts_with(REPEAT));
    assert_eq!(running.stop().await.delivered(), 1);
}

#[tokio::test]
async fn a_message_in_flight_is_finished_when_the_service_stops() {
    let told = Arc::new(Notify::new());
    let mut service = ChatService::start([Act::DeliverWhenTold(Arc::clone(&told))]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    house.queue("telegram", &alert(2));
    let running = house.start(telegram(&house, &service, "42"));
    service.message().await;
    running.tell_to_stop();
    // The dispatcher has seen the order and still waits for the answer.
    tokio::task::yield_now().await;
    told.notify_one();
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.retried()), (1, 0), "the one in flight is recorded");
    assert!(service.rest().is_empty(), "no other is begun");
    assert_eq!(house.end_of(1).0, "delivered");
}

#[tokio::test]
async fn a_refused_part_is_sent_again_without_the_parts_before_it() {
    let mut service = ChatService::start([Act::Deliver, too_fast(1)]).await;
    let house = House::new();
    let words = (0..1_000).map(|n| format!("{n:04} ")).collect();
    house.queue("telegram", &Alert { words, ..alert(1) });
    let running = house.start(telegram(&house, &service, "42"));
    let first = service.message().await;
    let (refused, again) = (service.message().await, service.message().await);
    assert!(first.text().contains("0000 0001"));
    assert_eq!(refused.body, again.body);
    assert!(again.text().contains("0998 0999"));
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.retried()), (1, 1));
    assert!(service.rest().is_empty());
}

#[tokio::test]
async fn a_message_without_an_answer_when_the_service_stops_comes_again_marked() {
    let mut service = ChatService::start([Act::DeliverInSilence]).await;
    let house = House::new();
    house.queue("telegram", &alert(1));
    let running = house.start(telegram(&house, &service, "42"));
    service.message().await;
    let stats = running.stop().await;
    assert_eq!((stats.delivered(), stats.retried()), (0, 1));
    house.later(Duration::from_secs(60));
    let running = house.start(telegram(&house, &service, "42"));
    assert!(service.message().await.text().starts_with(REPEAT));
    assert_eq!(running.stop().await.delivered(), 1);
}
