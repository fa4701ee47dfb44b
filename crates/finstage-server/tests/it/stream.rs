//! The stream.

use std::time::Duration;

use finstage_server::Limits;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::scene::{PATIENCE, Scene};

/// A client of the stream.
pub(crate) struct Listener(WebSocketStream<TcpStream>);

impl Listener {
    /// Connects with the token and takes the greeting.
    pub(crate) async fn join(scene: &Scene) -> Self {
        let mut request =
            format!("ws://{}/ws/realtime", scene.address).into_client_request().unwrap();
        let bearer = format!("Bearer {}", scene.token).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let socket = TcpStream::connect(&scene.address).await.unwrap();
        let (socket, _) = client_async(request, socket).await.unwrap();
        let mut listener = Self(socket);
        let greeting = listener.any().await;
        assert_eq!(greeting["type"], "system_status", "{greeting}");
        assert!(greeting["cursor"].is_string() && greeting["client_id"].is_number());
        listener
    }

    pub(crate) async fn say(&mut self, value: &Value) {
        self.0.send(Message::text(value.to_string())).await.unwrap();
    }

    /// Subscribes and gives the cursor of the reply.
    pub(crate) async fn subscribe(&mut self, kind: &str, since: Option<&str>) -> String {
        let mut ask = json!({"action": "subscribe", "type": kind});
        if let Some(since) = since {
            ask["since"] = json!(since);
        }
        self.say(&ask).await;
        let reply = self.next("subscription").await;
        assert_eq!(reply["action"], "subscribed", "{reply}");
        reply["cursor"].as_str().unwrap().to_owned()
    }

    /// The next message of this type; others are passed over.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = self.any().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    pub(crate) async fn any(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a message comes").unwrap() {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Ok(Message::Close(frame)) => panic!("closed: {frame:?}"),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The code it is closed with, and the word said before.
    pub(crate) async fn end(&mut self) -> (u16, String) {
        let mut word = String::new();
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("it ends") {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == "error" {
                        word = message["code"].as_str().unwrap().to_owned();
                    }
                }
                Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), word),
                Some(Ok(_)) => {}
                other => panic!("not closed with a reason: {other:?}"),
            }
        }
    }

    async fn hang_up(mut self) {
        self.0.close(None).await.unwrap();
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

fn id(push: &Value) -> String {
    push["signal"]["id"].as_str().or(push["alert"]["id"].as_str()).unwrap().to_owned()
}

fn cursor(push: &Value) -> String {
    push["cursor"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_was_away_resumes_without_loss_and_without_repeat() {
    let scene = Scene::new().await;
    scene.say(30);
    let mut listener = Listener::join(&scene).await;
    let start = listener.subscribe("signals", None).await;
    let start = i64::from_str_radix(start.split_once('-').unwrap().0, 16).unwrap();
    scene.say(30);
    let mut heard = Vec::new();
    let mut last = String::new();
    for _ in 0..4 {
        let push = listener.next("signal").await;
        last = cursor(&push);
        heard.push(id(&push));
    }
    listener.hang_up().await;
    scene.say(600);
    let mut back = Listener::join(&scene).await;
    back.subscribe("signals", Some(&last)).await;
    scene.say(30);
    // Signals follow from every third event.
    let expected: Vec<String> = {
        let all = scene.records.signals_behind(
            start,
            finstage_model::Position::from_i64(i64::MAX),
            10_000,
        );
        all.unwrap().into_iter().map(|(_, row)| row.id.to_string()).collect()
    };
    while heard.len() < expected.len() {
        heard.push(id(&back.next("signal").await));
    }
    assert_eq!(heard, expected);
    scene.stop().await;
}

#[tokio::test]
async fn a_cursor_of_any_push_goes_on_behind_it() {
    let scene = Scene::new().await;
    let mut listener = Listener::join(&scene).await;
    let start = listener.subscribe("all", None).await;
    scene.say(24);
    let mut pushes = Vec::new();
    while pushes.len() < 14 {
        let push = listener.any().await;
        if push["type"] == "signal" || push["type"] == "alert" {
            pushes.push(push);
        }
    }
    // Signals and alerts each keep their order; which of them comes first depends on when it was looked.
    let sorted = |pushes: &[Value]| -> Vec<(String, String)> {
        let kind = |push: &Value| push["type"].as_str().unwrap().to_owned();
        let mut all: Vec<_> = pushes.iter().map(|push| (kind(push), id(push))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    let mut cursors = vec![start];
    cursors.extend(pushes.iter().map(cursor));
    for (place, from) in cursors.iter().enumerate() {
        let mut again = Listener::join(&scene).await;
        again.subscribe("all", Some(from)).await;
        let mut rest = Vec::new();
        while rest.len() < pushes.len() - place {
            let push = again.any().await;
            if push["type"] == "signal" || push["type"] == "alert" {
                rest.push(push);
            }
        }
        assert_eq!(sorted(&rest), sorted(&pushes[place..]), "from {from}");
        again.hang_up().await;
    }
    scene.stop().await;
}

#[tokio::test]
async fn nothing_is_pushed_that_a_power_cut_could_take_back() {
    let scene = Scene::new().await;
    let mut listener = Listener::join(&scene).await;
    listener.subscribe("all", None).await;
    let end = scene.say_unsynced(12);
    // An answer that was asked for later comes first: the signals wait.
    listener.say(&json!({"action": "get_status"})).await;
    loop {
        let message = listener.any().await;
        assert!(message["type"] != "signal" && message["type"] != "alert", "{message}");
        if message["type"] == "status" {
            break;
        }
    }
    scene.sync(end);
    listener.next("signal").await;
    listener.next("alert").await;
    scene.stop().await;
}

#[tokio::test]
async fn a_subscription_to_a_type_hears_of_every_symbol() {
    let scene = Scene::new().await;
    let mut all = Listener::join(&scene).await;
    all.subscribe("prices", None).await;
    let mut one = Listener::join(&scene).await;
    one.say(&json!({"action": "subscribe", "type": "prices", "symbols": ["sim:B"]})).await;
    one.next("subscription").await;
    for (name, price) in [("A", 1), ("B", 2), ("C", 3)] {
        scene.price(name, price);
    }
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(all.next("price_update").await["symbol"].as_str().unwrap().to_owned());
    }
    heard.sort();
    assert_eq!(heard, ["sim:A", "sim:B", "sim:C"]);
    let push = one.next("price_update").await;
    assert_eq!((&push["symbol"], &push["current_price"]), (&json!("sim:B"), &json!(2)));
    one.say(&json!({"action": "unsubscribe", "type": "prices"})).await;
    assert_eq!(one.next("subscription").await["action"], "unsubscribed");
    scene.price("B", 9);
    assert_eq!(all.next("price_update").await["current_price"], 9);
    one.say(&json!({"action": "heartbeat"})).await;
    assert_eq!(one.any().await["message"], "pong", "no price came before it");
    scene.stop().await;
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_prices_and_is_then_closed_with_a_reason() {
    let limits =
        Limits { waiting_messages: 512, stall_time: Duration::from_secs(2), ..Limits::default() };
    let scene = Scene::with(limits).await;
    let mut listener = Listener::join(&scene).await;
    listener.subscribe("all", None).await;
    let mut witness = Listener::join(&scene).await;
    witness.subscribe("alerts", None).await;
    // It reads nothing: its socket fills up, then its mailbox.
    let mut told = 0;
    while scene_dropped(&mut witness).await == 0 {
        scene.say(600);
        for price in 1..200 {
            scene.price("A", told * 200 + price);
        }
        told += 1;
        for _ in 0..150 {
            witness.next("alert").await;
        }
        assert!(told < 2_000, "it is never found slow");
    }
    let (code, word) = listener.end().await;
    assert_eq!((code, word.as_str()), (1013, "too_slow"));
    scene.stop().await;
}

async fn scene_dropped(witness: &mut Listener) -> u64 {
    witness.say(&json!({"action": "get_status"})).await;
    witness.next("status").await["dropped"].as_u64().unwrap()
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_and_the_socket_stays_open() {
    let scene = Scene::new().await;
    let mut listener = Listener::join(&scene).await;
    for (text, code) in [
        ("{", "bad_message"),
        ("[]", "bad_message"),
        (r#"{"action":"subscribe"}"#, "missing_type"),
        (r#"{"action":"subscribe","type":"weather"}"#, "refused"),
        (r#"{"action":"subscribe","type":"prices","symbols":["BTC"]}"#, "bad_message"),
        (r#"{"action":"subscribe","type":"signals","since":"x"}"#, "bad_cursor"),
        (r#"{"action":"dance"}"#, "unknown_action"),
        (r#"{"action":"get_price_history"}"#, "missing_symbol"),
        (r#"{"action":"get_price_history","symbol":"sim:ONE","limit":-1}"#, "bad_limit"),
        (r#"{"action":"get_price_history","symbol":"sim:ONE","limit":"3"}"#, "bad_limit"),
        (r#"{"action":"heartbeat","surprise":1}"#, "bad_message"),
    ] {
        listener.0.send(Message::text(text)).await.unwrap();
        let reply = listener.any().await;
        assert_eq!((&reply["type"], &reply["code"]), (&json!("error"), &json!(code)), "{text}");
    }
    listener.0.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(listener.any().await["code"], "not_text");
    scene.say(5);
    listener.say(&json!({"action": "get_price_history", "symbol": "sim:ONE", "limit": 3})).await;
    let history = listener.next("price_history").await;
    assert_eq!(history["interval"], "1m");
    assert_eq!(history["history"].as_array().unwrap().len(), 3);
    let page = scene.json("/api/v1/bars?symbol=sim:ONE&interval=1m&limit=3").await;
    let stamps = |rows: &Value| -> std::collections::BTreeSet<String> {
        rows.as_array().unwrap().iter().map(|row| row["timestamp"].to_string()).collect()
    };
    assert_eq!(stamps(&history["history"]), stamps(&page["items"]), "a bar's open, as REST has it");
    listener.say(&json!({"action": "get_status"})).await;
    let status = listener.next("status").await;
    assert!(status.get("cursor").is_none(), "it stands for nothing that was heard: {status}");
    scene.price("A", 7);
    listener.say(&json!({"action": "get_current_prices", "symbols": ["sim:A"]})).await;
    assert_eq!(listener.next("price_update").await["prices"]["sim:A"]["price"], 7);
    scene.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_or_one_too_many_ends_the_client() {
    let limits = Limits { message_bytes: 1_000, messages_per_minute: 20, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let mut large = Listener::join(&scene).await;
    large.0.send(Message::text("x".repeat(5_000))).await.unwrap();
    assert_eq!(large.end().await, (1009, "too_large".to_owned()));
    let mut many = Listener::join(&scene).await;
    for _ in 0..21 {
        many.say(&json!({"action": "heartbeat"})).await;
    }
    assert_eq!(many.end().await, (1008, "too_many".to_owned()));
    scene.stop().await;
}

#[tokio::test]
async fn clients_are_bounded_and_need_the_token() {
    let limits = Limits { clients: 1, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let first = Listener::join(&scene).await;
    let refused = |bearer: String| {
        let address = scene.address.clone();
        async move {
            let mut request = format!("ws://{address}/ws/realtime").into_client_request().unwrap();
            request.headers_mut().insert("authorization", bearer.parse().unwrap());
            let socket = TcpStream::connect(&address).await.unwrap();
            match client_async(request, socket).await {
                Err(tungstenite::Error::Http(reply)) => reply.status().as_u16(),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(refused(format!("Bearer {}", scene.token)).await, 503);
    assert_eq!(refused("Bearer wrong".to_owned()).await, 401);
    drop(first);
    scene.stop().await;
}

#[tokio::test]
async fn a_stop_is_told_to_clients() {
    let scene = Scene::new().await;
    let mut listener = Listener::join(&scene).await;
    scene.stop().await;
    assert_eq!(listener.end().await, (1001, "stopping".to_owned()));
}
