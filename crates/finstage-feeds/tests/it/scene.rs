//! A venue on loopback that does only what a test tells it to: the test accepts connections,
//! reads commands, sends frames, and answers requests one by one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use finstage_feeds::recording::{Recorder, RecordingWriter};
use finstage_feeds::{
    Endpoints, Session, SessionLimits, SessionOptions, SessionStats, Since, Subscription,
    SymbolMap, VenueProfile, venues,
};
use finstage_model::{
    Bar, Event, FeedKind, FeedStatus, InstrumentId, Interval, ManualClock, Payload, Timestamp,
};
use finstage_net::{Backoff, Client, ClientOptions, SocketOptions};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// 2025-01-05T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_secs(1_736_078_400);

pub(crate) const BTC: InstrumentId = InstrumentId(0);

/// Waits for something that must happen.
pub(crate) async fn must<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this should have happened by now")
}

pub(crate) struct Scene {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) stats: Arc<SessionStats>,
    pub(crate) events: mpsc::Receiver<Vec<Event>>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) session: JoinHandle<()>,
    links: mpsc::UnboundedReceiver<WebSocket>,
    requests: mpsc::UnboundedReceiver<Asked>,
    queue: Vec<Event>,
    pub(crate) recorder: Option<Recorder>,
}

/// What a test may want different.
pub(crate) struct Setup {
    pub(crate) trades: bool,
    pub(crate) intervals: Vec<Interval>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) limits: SessionLimits,
    pub(crate) queue: usize,
    pub(crate) profile: &'static VenueProfile,
    /// The trades that can be asked for.
    pub(crate) archive: Vec<u64>,
    /// Whether requests for trades wait for the test too.
    pub(crate) slow_trades: bool,
    /// Whether the venue can be asked at all.
    pub(crate) polls: bool,
    /// Where frames are recorded, if they are.
    pub(crate) record: Option<RecordingWriter>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            trades: true,
            intervals: vec![Interval::M1],
            since: None,
            limits: quick(),
            queue: 64,
            profile: venues::find("binance").unwrap().profile,
            archive: Vec::new(),
            slow_trades: false,
            polls: true,
            record: None,
        }
    }
}

/// Limits that fail fast, and never before the scene is set.
pub(crate) fn quick() -> SessionLimits {
    let backoff =
        Backoff { base: Duration::from_millis(5), factor: 1, cap: Duration::from_millis(5) };
    SessionLimits {
        backoff,
        hold: PATIENCE,
        probe: Duration::ZERO,
        overlap: Duration::from_millis(100),
        repair_pause: Duration::from_millis(20),
        ..SessionLimits::default()
    }
}

impl Scene {
    pub(crate) async fn start(setup: Setup) -> Self {
        let (link_in, links) = mpsc::unbounded_channel();
        let (request_in, requests) = mpsc::unbounded_channel();
        let address = serve(Hands {
            links: link_in,
            requests: request_in,
            archive: setup.archive.into(),
            slow_trades: setup.slow_trades,
        })
        .await;
        let endpoints =
            Endpoints { rest: format!("http://{address}"), stream: format!("ws://{address}") };
        let subscriptions = vec![Subscription {
            instrument: BTC,
            symbol: "binance:BTCUSDT".parse().unwrap(),
            trades: setup.trades,
            intervals: setup.intervals,
        }];
        let clock = Arc::new(ManualClock::new(NOON));
        let stats = Arc::new(SessionStats::default());
        let (event_in, events) = mpsc::channel(setup.queue);
        let (stop, shutdown) = watch::channel(false);
        let venue = venues::find("binance").unwrap();
        let stream = (venue.stream.unwrap())(&endpoints, SymbolMap::of(&subscriptions));
        let poll = (venue.poll.unwrap())(&endpoints);
        let since = setup.since.map(|close_time| Since {
            instrument: BTC,
            interval: Interval::M1,
            close_time,
        });
        let mut client = Client::new(ClientOptions::default()).unwrap();
        let recorder = setup.record.map(|writer| Recorder::new(writer, clock.clone()));
        if let Some(recorder) = &recorder {
            client = Client::over(recorder.over(Arc::clone(client.transport())));
        }
        let options = SessionOptions {
            profile: setup.profile,
            subscriptions,
            since: since.into_iter().collect(),
            client,
            sealed: None,
            socket: SocketOptions::default(),
            clock: clock.clone(),
            seed: 1,
            limits: setup.limits,
            events: event_in,
            shutdown,
            stats: stats.clone(),
        };
        let session = Session::new(stream, Some(poll).filter(|_| setup.polls), options).unwrap();
        let session = tokio::spawn(session.run());
        Self { clock, stats, events, stop, session, links, requests, queue: Vec::new(), recorder }
    }

    /// The next connection, its commands not read yet.
    pub(crate) async fn accept(&mut self) -> Link {
        Link(must(self.links.recv()).await.unwrap())
    }

    /// The next connection, subscribed.
    pub(crate) async fn subscribed(&mut self) -> Link {
        let mut link = self.accept().await;
        let command = link.hear().await;
        assert!(command.contains("SUBSCRIBE"), "{command}");
        link.say(r#"{"result":null,"id":1}"#).await;
        link
    }

    /// The next request for bars.
    pub(crate) async fn asked(&mut self) -> Asked {
        must(self.requests.recv()).await.unwrap()
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Payload {
        self.whole_event().await.payload
    }

    async fn whole_event(&mut self) -> Event {
        if self.queue.is_empty() {
            self.queue = must(self.events.recv()).await.expect("the session has ended");
            self.queue.reverse();
        }
        self.queue.pop().unwrap()
    }

    /// The next events up to and with the one that is `last` in short words.
    pub(crate) async fn heard_until(&mut self, last: &str) -> Vec<Event> {
        let mut heard = Vec::new();
        loop {
            heard.push(self.whole_event().await);
            if heard.last().is_some_and(|event| short(&event.payload) == last) {
                return heard;
            }
        }
    }

    /// The next events, in short words, up to and with the one that is `last`.
    pub(crate) async fn told_until(&mut self, last: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            told.push(short(&self.event().await));
            if told.last().is_some_and(|word| word == last) {
                return told;
            }
        }
    }

    /// Ends the session and gives what was not read yet.
    pub(crate) async fn end(mut self) -> Vec<String> {
        self.stop.send_replace(true);
        must(&mut self.session).await.unwrap();
        let mut rest: Vec<String> =
            self.queue.iter().rev().map(|event| short(&event.payload)).collect();
        while let Some(batch) = self.events.recv().await {
            rest.extend(batch.iter().map(|event| short(&event.payload)));
        }
        rest
    }
}

/// `up`, `stale`, `gap 12:00:00-12:01:30`, `bar 12:01`, `trade 7`.
pub(crate) fn short(payload: &Payload) -> String {
    let time = |at: Timestamp| at.to_string()[11..].trim_end_matches('Z').to_owned();
    match payload {
        Payload::Trade(trade) => format!("trade {}", trade.id.0),
        Payload::Bar(Bar { open_time, .. }) => format!("bar {}", &time(*open_time)[..5]),
        Payload::Feed(FeedStatus { kind, .. }) => match kind {
            FeedKind::Up => "up".to_owned(),
            FeedKind::Stale => "stale".to_owned(),
            FeedKind::Gap { from, to } => format!("gap {}-{}", time(*from), time(*to)),
            FeedKind::Repaired { from, to } => format!("repaired {}-{}", time(*from), time(*to)),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

/// The server's end of a connection.
pub(crate) struct Link(pub(crate) WebSocket);

impl Link {
    /// The next text that the session sends.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            if let Message::Text(text) = self.hear_any().await {
                return text.to_string();
            }
        }
    }

    /// The next message of any kind.
    pub(crate) async fn hear_any(&mut self) -> Message {
        must(self.0.recv()).await.expect("the session hung up").unwrap()
    }

    /// Reads until the session hangs up.
    pub(crate) async fn hung_up(&mut self) {
        while let Some(Ok(_)) = must(self.0.recv()).await {}
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    pub(crate) async fn trade(&mut self, id: u64) {
        self.say(&trade(id)).await;
    }

    /// The closed one-minute bar that opens `minute` minutes after noon.
    pub(crate) async fn bar(&mut self, minute: i64) {
        let t = NOON.millis() + minute * 60_000;
        self.say(&format!(
            r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":1,"s":"BTCUSDT","k":{{"t":{t},"T":{},"s":"BTCUSDT","i":"1m","o":"1","c":"1","h":"1","l":"1","v":"1","n":1,"x":true}}}}}}"#,
            t + 59_999
        ))
        .await;
    }
}

pub(crate) fn trade(id: u64) -> String {
    format!(
        r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"BTCUSDT","t":{id},"p":"97123.45","q":"1","T":{},"m":true,"M":true}}}}"#,
        NOON.millis()
    )
}

/// A request that waits for its answer.
pub(crate) struct Asked {
    pub(crate) parameters: HashMap<String, String>,
    answer: oneshot::Sender<Response>,
}

impl Asked {
    /// Answers with the closed one-minute bars of these minutes after noon.
    pub(crate) fn bars(self, minutes: impl IntoIterator<Item = i64>) {
        let row = |minute: i64| {
            let t = NOON.millis() + minute * 60_000;
            format!(r#"[{t},"1","1","1","1","1",{},"1",1,"1","1","0"]"#, t + 59_999)
        };
        let rows: Vec<String> = minutes.into_iter().map(row).collect();
        self.with(200, &format!("[{}]", rows.join(",")), &[]);
    }

    /// Answers with these trades.
    pub(crate) fn trades(self, ids: impl IntoIterator<Item = u64>) {
        self.with(200, &trade_rows(ids), &[]);
    }

    /// Answers with a status and a body.
    pub(crate) fn with(self, status: u16, body: &str, headers: &[(&str, &str)]) {
        let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let _ = self.answer.send(response.body(body.to_owned().into()).unwrap());
    }
}

#[derive(Clone)]
struct Hands {
    links: mpsc::UnboundedSender<WebSocket>,
    requests: mpsc::UnboundedSender<Asked>,
    archive: Arc<[u64]>,
    slow_trades: bool,
}

async fn serve(hands: Hands) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/stream", any(stream))
        .route("/api/v3/klines", get(klines))
        .route("/api/v3/historicalTrades", get(trades))
        .with_state(hands);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn stream(upgrade: WebSocketUpgrade, State(hands): State<Hands>) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let _ = hands.links.send(socket);
    })
}

async fn klines(
    Query(parameters): Query<HashMap<String, String>>,
    State(hands): State<Hands>,
) -> Response {
    let (answer, answered) = oneshot::channel();
    let _ = hands.requests.send(Asked { parameters, answer });
    // A test that drops the request lets the connection break.
    answered.await.expect("the test answers every request")
}

async fn trades(parameters: Query<HashMap<String, String>>, hands: State<Hands>) -> Response {
    if hands.slow_trades {
        return klines(parameters, hands).await;
    }
    // What a test says about trades it says with its archive.
    let from: u64 = parameters["fromId"].parse().unwrap();
    trade_rows(hands.archive.iter().copied().filter(|id| *id >= from)).into_response()
}

fn trade_rows(ids: impl IntoIterator<Item = u64>) -> String {
    let time = NOON.millis();
    let row = |id: u64| {
        format!(
            r#"{{"id":{id},"price":"97123.45","qty":"1","quoteQty":"1","time":{time},"isBuyerMaker":true,"isBestMatch":true}}"#
        )
    };
    let rows: Vec<String> = ids.into_iter().map(row).collect();
    format!("[{}]", rows.join(","))
}
