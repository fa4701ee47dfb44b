use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::binance::{BinanceSim, FeedStream, FrameForm, SimOptions, VirtualFeed};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Market, MarketSpec, SymbolSpec, Tape};
use finstage_model::{Interval, ManualClock, Timestamp};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, error::ProtocolError};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::http::get;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Venue {
    sim: BinanceSim,
    clock: Arc<ManualClock>,
    market: Market,
}

fn start() -> Timestamp {
    "2026-11-21T09:30:00Z".parse().unwrap()
}

fn market(trades_per_second_milli: u32) -> Market {
    let symbol = |name: &str, price: &str| SymbolSpec {
        trades_per_second_milli,
        ..SymbolSpec::new(name, price.parse().unwrap())
    };
    let symbols = vec![symbol("BTCUSDT", "61250"), symbol("ETHUSDT", "2840")];
    let tape = Tape::Seeded { symbols, history_days: 1 };
    Market::new(MarketSpec { tape, ..MarketSpec::seeded(3, start()) }).unwrap()
}

async fn venue(market: Market, faults: &str, ledger: Ledger) -> Venue {
    let clock = Arc::new(ManualClock::new(start()));
    let options = SimOptions {
        market: market.clone(),
        clock: clock.clone(),
        faults: Scenario::parse(&format!("name = \"test\"\n{faults}")).unwrap(),
        ledger: Arc::new(ledger),
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    Venue { sim: BinanceSim::start(options).unwrap(), clock, market }
}

async fn calm() -> Venue {
    venue(market(4_000), "", Ledger::in_memory()).await
}

impl Venue {
    /// Connects and waits until the venue has noted the subscriptions of the address.
    async fn connect(&self, path: &str) -> Client {
        let (mut client, _) = connect_async(format!("{}{path}", self.sim.ws_url())).await.unwrap();
        command(&mut client, json!({"method": "LIST_SUBSCRIPTIONS", "id": 0})).await;
        client
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.sim.catch_up().await;
    }
}

async fn text(client: &mut Client) -> String {
    loop {
        if let Message::Text(text) = client.next().await.unwrap().unwrap() {
            return text.to_string();
        }
    }
}

/// Sends a command and reads its answer; frames in between are skipped.
async fn command(client: &mut Client, command: Value) -> Value {
    client.send(Message::Text(command.to_string().into())).await.unwrap();
    loop {
        let answer: Value = serde_json::from_str(&text(client).await).unwrap();
        if answer.get("id").is_some() || answer.get("code").is_some() {
            return answer;
        }
    }
}

/// What ends a connection: a close code, or the error of a connection torn down.
async fn end(client: &mut Client) -> Result<u16, WsError> {
    loop {
        match client.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return Ok(frame.code.into()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => return Err(WsError::ConnectionClosed),
        }
    }
}

#[tokio::test]
async fn the_socket_sends_the_very_frames_of_the_virtual_feed() {
    let venue = calm().await;
    let streams = "btcusdt@trade/btcusdt@kline_1m/ethusdt@trade/ethusdt@kline_1m";
    let mut combined = venue.connect(&format!("/stream?streams={streams}")).await;
    let mut raw = venue.connect(&format!("/ws/{streams}")).await;
    venue.pass(Duration::from_secs(90)).await;

    let wanted = ["BTCUSDT", "ETHUSDT"].map(|symbol| FeedStream {
        symbol: symbol.to_owned(),
        trades: true,
        intervals: vec![Interval::M1],
    });
    let feed = || VirtualFeed::new(venue.market.clone(), &wanted).unwrap();
    for (client, form) in [(&mut combined, FrameForm::Combined), (&mut raw, FrameForm::Raw)] {
        let (mut feed, mut frame) = (feed().with_form(form), String::new());
        let mut closed = 0;
        while feed.next(&mut frame).unwrap() <= start().plus(Duration::from_secs(90)) {
            assert_eq!(text(client).await, frame);
            closed += u32::from(frame.contains(r#""x":true"#));
        }
        assert_eq!(closed, 2, "one bar of each symbol ended");
    }
    let stats = venue.sim.stats();
    assert_eq!((stats.open_connections, stats.connections), (2, 2));
    assert!(stats.frames > 1_000);
    venue.sim.stop().await;
}

#[tokio::test]
async fn subscriptions_are_acknowledged_listed_and_ended() {
    let venue = calm().await;
    let mut client = venue.connect("/ws").await;
    let subscribe = json!({
        "method": "SUBSCRIBE",
        "params": ["btcusdt@trade", "nosuch@trade", "ethusdt@aggTrade", "ethusdt@bookTicker"],
        "id": 1,
    });
    assert_eq!(command(&mut client, subscribe).await, json!({"result": null, "id": 1}));
    venue.pass(Duration::from_secs(5)).await;
    let first: Value = serde_json::from_str(&text(&mut client).await).unwrap();
    assert!(first.get("s").is_some(), "{first}");

    let unsubscribe = json!({
        "method": "UNSUBSCRIBE",
        "params": ["btcusdt@trade", "ethusdt@aggTrade", "ethusdt@bookTicker"],
        "id": "b",
    });
    assert_eq!(command(&mut client, unsubscribe).await["id"], "b");
    let listed = command(&mut client, json!({"method": "LIST_SUBSCRIPTIONS", "id": 3})).await;
    assert_eq!(listed, json!({"result": ["nosuch@trade"], "id": 3}));
    venue.pass(Duration::from_secs(5)).await;
    client.send(Message::Text("nonsense".into())).await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&text(&mut client).await).unwrap(),
        json!({"code": 3, "msg": "Invalid JSON: expected ident at line 1 column 2"}),
        "no frame came in between"
    );
}

#[tokio::test]
async fn tickers_and_books_speak_on_their_beat() {
    let venue = calm().await;
    let path = "/stream?streams=btcusdt@miniTicker/btcusdt@ticker/btcusdt@depth5";
    let mut client = venue.connect(path).await;
    let mut seen = Vec::new();
    venue.pass(Duration::from_secs(2)).await;
    while seen.len() < 3 {
        let frame: Value = serde_json::from_str(&text(&mut client).await).unwrap();
        let name = frame["stream"].as_str().unwrap().to_owned();
        if name.ends_with("depth5") {
            assert_eq!(frame["data"]["bids"].as_array().unwrap().len(), 5);
        } else {
            assert_eq!(frame["data"]["s"], "BTCUSDT");
        }
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
}

#[tokio::test]
async fn the_sixth_message_in_a_second_ends_the_connection() {
    let venue = calm().await;
    let mut client = venue.connect("/ws").await; // one message
    for _ in 0..5 {
        client.send(Message::Ping(Vec::new().into())).await.unwrap();
    }
    assert_eq!(end(&mut client).await.unwrap(), 1008);
}

#[tokio::test(start_paused = true)]
async fn who_answers_pings_stays_and_who_does_not_is_dropped() {
    let venue = calm().await;
    let mut reader = venue.connect("/ws").await;
    let _idle = venue.connect("/ws").await;
    assert_eq!(venue.sim.stats().open_connections, 2);
    let begun = tokio::time::Instant::now();
    let mut pings = 0;
    while pings < 6 {
        // Reading answers pings with their own payload.
        if let Message::Ping(payload) = reader.next().await.unwrap().unwrap() {
            assert_eq!(payload, start().millis().to_string());
            pings += 1;
        }
    }
    assert!(begun.elapsed() >= Duration::from_secs(119), "{:?}", begun.elapsed());
    assert_eq!(venue.sim.stats().open_connections, 1);
    command(&mut reader, json!({"method": "LIST_SUBSCRIPTIONS", "id": 9})).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stays_behind_is_dropped_and_nobody_else_waits() {
    let venue = venue(market(1_000_000), "", Ledger::in_memory()).await;
    let _idle = venue.connect("/ws/btcusdt@trade/ethusdt@trade").await;
    venue.pass(Duration::from_secs(90)).await;
    assert_eq!(venue.sim.stats().slow_readers, 1);
    let reply = get(&venue.sim.rest_url(), "/api/v3/ping").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "{}"));
}

#[tokio::test]
async fn weight_is_counted_refused_and_punished() {
    let ledger = std::env::temp_dir().join(format!("finstage-lab-{}.ndjson", std::process::id()));
    let venue = venue(market(100), "", Ledger::to_file(&ledger).unwrap()).await;
    let base = venue.sim.rest_url();
    let depth = "/api/v3/depth?symbol=BTCUSDT&limit=5000";
    for i in 1..=24 {
        let reply = get(&base, depth).await;
        let used = (i * 250).to_string();
        assert_eq!((reply.status, reply.header("X-MBX-USED-WEIGHT-1M")), (200, Some(&*used)));
    }
    venue.clock.advance(Duration::from_millis(20_500));
    for _ in 0..10 {
        let reply = get(&base, "/api/v3/ping").await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("40")));
        assert_eq!(reply.json()["code"], -1003);
    }
    let reply = get(&base, "/api/v3/ping").await;
    assert_eq!((reply.status, reply.header("retry-after")), (418, Some("120")));
    let until = start().plus(Duration::from_millis(140_500)).millis();
    assert!(reply.json()["msg"].as_str().unwrap().contains(&format!("banned until {until}.")));
    venue.clock.advance(Duration::from_secs(60));
    assert_eq!(get(&base, "/api/v3/ping").await.status, 418, "a new minute does not end a ban");
    venue.clock.advance(Duration::from_secs(60));
    assert_eq!(get(&base, "/api/v3/ping").await.header("x-mbx-used-weight"), Some("1"));

    let lines = std::fs::read_to_string(&ledger).unwrap();
    std::fs::remove_file(&ledger).unwrap();
    assert_eq!(lines.lines().count(), 24 + 10 + 3);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        first,
        json!({"at": "2026-11-21T09:30:00Z", "venue": "binance", "path": "/api/v3/depth",
               "weight": 250, "status": 200, "outcome": "ok"})
    );
    let requests = venue.sim.stats().requests;
    assert_eq!((requests.ok, requests.refused, requests.unwritten), (25, 12, 0));
}

#[tokio::test]
async fn rest_answers_as_of_the_clock_and_agrees_with_the_stream() {
    let venue = calm().await;
    let mut client = venue.connect("/ws/btcusdt@kline_1m").await;
    venue.clock.advance(Duration::from_secs(61));
    let path = "/api/v3/klines?interval=1m&limit=2&symbol=BTCUSDT";
    let rows = get(&venue.sim.rest_url(), path).await.json();
    let closed = loop {
        let frame: Value = serde_json::from_str(&text(&mut client).await).unwrap();
        if frame["k"]["x"] == true {
            break frame["k"].clone();
        }
    };
    let row = &rows[0];
    for (column, field) in
        [(0, "t"), (1, "o"), (2, "h"), (3, "l"), (4, "c"), (5, "v"), (6, "T"), (7, "q"), (8, "n")]
    {
        assert_eq!(row[column], closed[field], "{field}");
    }
    assert_eq!(rows[1][0], start().plus(Duration::from_secs(60)).millis());
    let wrong = get(&venue.sim.rest_url(), "/api/v3/klines?symbol=NO&interval=1m").await;
    assert_eq!((wrong.status, wrong.json()["code"].as_i64()), (400, Some(-1121)));
    assert_eq!(get(&venue.sim.rest_url(), "/nothing").await.status, 404);
}

#[tokio::test]
async fn a_scenario_fails_requests_by_the_clock() {
    let scenario = r#"
        [[faults]]
        kind = "rest_5xx"
        at = "10s"
        for = "10s"
        [[faults]]
        kind = "rest_html"
        at = "20s"
        for = "10s"
        [[faults]]
        kind = "rest_429"
        at = "30s"
        for = "10s"
        [[faults]]
        kind = "rest_418"
        at = "40s"
        for = "10s"
    "#;
    let venue = venue(market(100), scenario, Ledger::in_memory()).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        let reply = get(&venue.sim.rest_url(), "/api/v3/time").await;
        seen.push((reply.status, reply.header("retry-after").map(str::to_owned)));
        if reply.status == 403 {
            assert!(reply.body.starts_with("<html>"));
        } else {
            assert!(reply.json().is_object());
        }
        venue.clock.advance(Duration::from_secs(10));
    }
    let ten = || Some("10".to_owned());
    let expected = [(200, None), (503, None), (403, None), (429, ten()), (418, ten()), (200, None)];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn connections_end_as_the_scenario_and_the_day_say() {
    let scenario = r#"
        [[faults]]
        kind = "reset"
        at = "1m"
        [[faults]]
        kind = "close"
        at = "2m"
    "#;
    let venue = venue(market(20), scenario, Ledger::in_memory()).await;
    let mut client = venue.connect("/ws").await;
    venue.clock.advance(Duration::from_secs(60));
    let error = end(&mut client).await.unwrap_err();
    let torn = WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake);
    assert_eq!(error.to_string(), torn.to_string());

    let mut client = venue.connect("/stream").await;
    venue.clock.advance(Duration::from_secs(60));
    let said: Value = serde_json::from_str(&text(&mut client).await).unwrap();
    assert_eq!(said["stream"], "!serverShutdown");
    assert_eq!(said["data"]["e"], "serverShutdown");
    assert_eq!(end(&mut client).await.unwrap(), 1001);

    let mut client = venue.connect("/ws").await;
    venue.clock.advance(Duration::from_secs(86_400));
    assert_eq!(end(&mut client).await.unwrap(), 1001);
    assert_eq!(venue.sim.stats().resets, 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_venue_sends_neither_frames_nor_pings() {
    let scenario = "[[faults]]\nkind = \"silent\"\nat = \"10s\"\nfor = \"20s\"";
    let venue = venue(market(4_000), scenario, Ledger::in_memory()).await;
    let mut client = venue.connect("/ws/btcusdt@trade").await;
    venue.pass(Duration::from_secs(10)).await;
    let received = async |client: &mut Client| {
        let mut stamps = Vec::new();
        while let Ok(frame) = tokio::time::timeout(Duration::from_secs(50), client.next()).await {
            match frame.unwrap().unwrap() {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    stamps.push(frame["T"].as_i64().unwrap() - start().millis());
                }
                _ => stamps.push(-1),
            }
        }
        stamps
    };
    let before = received(&mut client).await;
    assert!(before.iter().all(|ms| (0..10_000).contains(ms)) && before.len() > 10, "{before:?}");
    venue.pass(Duration::from_secs(30)).await;
    let frame: Value = serde_json::from_str(&text(&mut client).await).unwrap();
    assert!(frame["T"].as_i64().unwrap() - start().millis() >= 30_000, "{frame}");
}

#[tokio::test]
async fn a_stopped_venue_closes_its_connections() {
    let venue = calm().await;
    let mut client = venue.connect("/ws").await;
    let address = venue.sim.rest_url();
    let (stopped, end) = tokio::join!(venue.sim.stop(), end(&mut client));
    let () = stopped;
    assert_eq!(end.unwrap(), 1001);
    assert!(TcpStream::connect(address.strip_prefix("http://").unwrap()).await.is_err());
}
