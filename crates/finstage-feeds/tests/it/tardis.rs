//! A tardis-machine on loopback that says what a test tells it to.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::any;
use finstage_feeds::{
    Endpoints, LinkState, Session, SessionOptions, SessionStats, Subscription, SymbolMap, venues,
};
use finstage_model::{Event, FeedKind, FeedStatus, InstrumentId, Interval, ManualClock, Payload};
use finstage_net::{Client, ClientOptions, SocketOptions};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::scene::{Link, NOON, must, quick};

type Links = mpsc::UnboundedSender<(Value, WebSocket)>;

async fn machine(
    upgrade: WebSocketUpgrade,
    Query(parameters): Query<HashMap<String, String>>,
    State(links): State<Links>,
) -> Response {
    let options = serde_json::from_str(&parameters["options"]).unwrap();
    upgrade.on_upgrade(async move |socket| {
        let _ = links.send((options, socket));
    })
}

fn told(event: &Event) -> String {
    match &event.payload {
        Payload::Trade(trade) => format!("{} {}", trade.instrument.0, trade.price),
        Payload::Feed(FeedStatus { instrument, kind: FeedKind::Gap { .. } }) => {
            format!("{} gap", instrument.0)
        }
        Payload::Feed(FeedStatus { instrument, kind }) => format!("{} {kind:?}", instrument.0),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_streams_from_a_tardis_machine_and_connects_to_it_anew() {
    let (link_in, mut links) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = format!("ws://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/ws-stream-normalized", any(machine)).with_state(link_in);
    tokio::spawn(async move { axum::serve(listener, router).await });

    let ask = |(id, name): (u32, &str)| Subscription {
        instrument: InstrumentId(id),
        symbol: format!("tardis:{name}").parse().unwrap(),
        trades: true,
        intervals: vec![Interval::M1],
    };
    let subscriptions: Vec<Subscription> =
        (0..).zip(["bitmex.XBTUSD", "deribit.ETH-PERPETUAL"]).map(ask).collect();
    let endpoints = Endpoints { rest: String::new(), stream };
    let tardis = venues::find("tardis").unwrap();
    let venue = (tardis.stream.unwrap())(&endpoints, SymbolMap::of(&subscriptions));
    let (event_in, mut events) = mpsc::channel(64);
    let (stop, shutdown) = watch::channel(false);
    let stats = Arc::<SessionStats>::default();
    let options = SessionOptions {
        profile: tardis.profile,
        subscriptions,
        since: Vec::new(),
        client: Client::new(ClientOptions::default()).unwrap(),
        sealed: None,
        socket: SocketOptions::default(),
        clock: Arc::new(ManualClock::new(NOON)),
        seed: 1,
        limits: quick(),
        events: event_in,
        shutdown,
        stats: stats.clone(),
    };
    let session = tokio::spawn(Session::new(venue, None, options).unwrap().run());

    let (options, socket) = must(links.recv()).await.unwrap();
    assert_eq!(options[0]["exchange"], "bitmex");
    assert_eq!(options[1]["symbols"], serde_json::json!(["ETH-PERPETUAL"]));
    let mut link = Link(socket);
    let trade = |exchange: &str, symbol: &str, price: u32| {
        format!(
            r#"{{"type":"trade","symbol":"{symbol}","exchange":"{exchange}","id":"1","price":{price},"amount":50,"side":"sell","timestamp":"2025-01-05T12:00:00Z","localTimestamp":"2025-01-05T12:00:00.1Z"}}"#
        )
    };
    link.say(&trade("bitmex", "XBTUSD", 1)).await;
    link.say(
        r#"{"type":"disconnect","exchange":"deribit","localTimestamp":"2025-01-05T12:00:00.2Z"}"#,
    )
    .await;
    link.say(&trade("bitmex", "XBTUSD", 2)).await;
    link.say(&trade("deribit", "ETH-PERPETUAL", 3)).await;
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "1 3") {
        heard.extend(must(events.recv()).await.unwrap().iter().map(told));
    }
    assert_eq!(heard, ["0 Up", "1 Up", "0 1", "0 2", "1 gap", "1 Up", "1 3"]);
    assert_eq!(stats.snapshot().state, LinkState::Up);
    drop(link);
    let (_, socket) = must(links.recv()).await.unwrap();
    let mut link = Link(socket);
    link.say(&trade("bitmex", "XBTUSD", 4)).await;
    heard.clear();
    while heard.last().is_none_or(|last| last != "0 4") {
        heard.extend(must(events.recv()).await.unwrap().iter().map(told));
    }
    assert_eq!(heard, ["0 gap", "1 gap", "0 Up", "1 Up", "0 4"]);
    stop.send_replace(true);
    must(session).await.unwrap();
}
