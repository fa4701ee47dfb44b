//! A server over records in memory, and the plainest client there is.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finstage_model::{Alert, Clock, ManualClock, Position, Price, Symbol, Timestamp};
use finstage_server::{
    About, Desk, Error, ErrorKind, FeedGauge, Gauges, Inputs, InstrumentItem, Limits, Live,
    QuotaGauge, RemoteGauge, ReportAsked, ReportPage, Rules, ScheduleItem, SealedGauge, Server,
    ServerOptions, Synced, TaskAsked, load_token, token_file,
};
use finstage_store::DiskFiles;
use finstage_store::history::History;
use finstage_store::records::{NewTask, Records, TaskId};
use finstage_store::suite::journal::DAY;
use finstage_store::suite::records::{batch, symbol};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::annex::Echo;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Scene {
    pub(crate) server: Option<Server>,
    pub(crate) records: Records,
    pub(crate) live: Arc<Live>,
    pub(crate) token: String,
    pub(crate) address: String,
    pub(crate) clock: Arc<ManualClock>,
    /// The journal is on disk up to here.
    synced: Arc<AtomicI64>,
    events: Mutex<u64>,
    pub(crate) folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open_in_memory().unwrap();
        records.instrument_id(&symbol()).unwrap();
        let mut scene = Self {
            server: None,
            records,
            live: Arc::new(Live::default()),
            token: String::new(),
            address: String::new(),
            clock: Arc::new(ManualClock::new(DAY.end())),
            synced: Arc::new(AtomicI64::new(0)),
            events: Mutex::new(0),
            folder,
        };
        scene.start(limits).await;
        scene
    }

    /// Starts the server, on another port than before.
    pub(crate) async fn start(&mut self, limits: Limits) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (records, position) = (self.records.clone(), Arc::clone(&self.synced));
        let shelf = self.folder.path().join("history");
        let inputs = Inputs {
            history: History::open(Arc::new(DiskFiles), shelf, records.clone()),
            live: Arc::clone(&self.live),
            desk: Arc::new(PlainDesk(records.clone())),
            records,
            clock: Arc::clone(&self.clock) as _,
            wall: Arc::clone(&self.clock) as _,
            synced: Synced(Arc::new(move || Position::from_i64(position.load(Ordering::SeqCst)))),
            token_file: token_of(self),
            about: About::new("0.0.0", self.clock.now()),
            annex: Some(Arc::new(Echo)),
        };
        let options = ServerOptions { limits, ..ServerOptions::new(address) };
        self.server = Some(Server::start(listener, &options, inputs).unwrap());
        self.token = load_token(&token_of(self)).unwrap().expose().clone();
        self.address = address.to_string();
    }

    /// Stops the server and starts another over the same records.
    pub(crate) async fn restart(&mut self) {
        self.server.take().unwrap().stop().await;
        self.start(Limits::default()).await;
    }

    /// Lets the engine say what follows from so many more events, which are on disk.
    pub(crate) fn say(&self, events: u64) {
        let end = self.say_unsynced(events);
        self.sync(end);
    }

    /// As [`Scene::say`], but a power cut could still take it back.
    pub(crate) fn say_unsynced(&self, events: u64) -> u64 {
        let mut said = self.events.lock().unwrap();
        let (from, to) = (*said, *said + events);
        self.records.apply(&batch(1, from, to)).unwrap();
        *said = to;
        self.live.said();
        to
    }

    /// The journal is on disk up to this event.
    pub(crate) fn sync(&self, end: u64) {
        self.synced.store(Position::new(DAY, 1, end).to_i64(), Ordering::SeqCst);
        self.live.said();
    }

    pub(crate) fn price(&self, name: &str, price: i64) {
        let symbol: Symbol = format!("sim:{name}").parse().unwrap();
        let at = self.clock.now().plus(Duration::from_secs(price.unsigned_abs()));
        self.live.price(&symbol, Price::from_nanos(price * 1_000_000_000), at);
    }

    /// Asks with the token.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[("Authorization", &format!("Bearer {}", self.token))], "").await
    }

    /// The JSON of a good answer.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    /// Sends a request with these headers besides the host.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            text.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("Connection: close\r\n\r\n");
        text.push_str(body);
        self.raw(text.as_bytes()).await
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Reply {
        let mut socket = TcpStream::connect(&self.address).await.unwrap();
        // The server may refuse before it has read all.
        let _ = socket.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("it is closed");
        Reply::read(&answer)
    }

    pub(crate) async fn stop(mut self) {
        self.server.take().unwrap().stop().await;
    }
}

/// An answer as text.
#[derive(Debug)]
pub(crate) struct Reply {
    /// 0 where there is none.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// The status of a refusal, which is a problem in the form of RFC 9457.
    pub(crate) fn problem(&self) -> u16 {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["status"], self.status, "{body}");
        for name in ["type", "title", "detail", "instance"] {
            assert!(body[name].is_string(), "{body} lacks {name}");
        }
        self.status
    }
}

/// A desk that knows two instruments and no more.
#[derive(Debug)]
struct PlainDesk(Records);

impl Desk for PlainDesk {
    fn kind(&self) -> &'static str {
        "demo"
    }

    fn watched(&self) -> Vec<Symbol> {
        vec![symbol()]
    }

    fn instruments(&self, text: Option<&str>, _: Timestamp) -> Vec<InstrumentItem> {
        let item = |name: &str| InstrumentItem {
            symbol: format!("sim:{name}").parse().unwrap(),
            name: name.to_owned(),
            name_ko: name.to_owned(),
            category: "other".to_owned(),
            currency: None,
            calendar: None,
            zone: None,
            quote_delay_s: 0,
            watched: name == "ONE",
            open: None,
            opens_at: None,
            closes_at: None,
        };
        let mut items = vec![item("ONE"), item("TWO"), item("THREE")];
        items.retain(|item| text.is_none_or(|text| item.name.contains(text)));
        items
    }

    fn is_open(&self, _: &Symbol, _: Timestamp) -> Option<bool> {
        Some(true)
    }

    fn quote_delay_s(&self, _: &Symbol) -> u32 {
        0
    }

    fn rules(&self, strategy: &str) -> Rules {
        Rules { rule: format!("the rule of {strategy}"), rule_ko: None }
    }

    fn alert_words_ko(&self, alert: &Alert) -> Option<String> {
        Some(format!("{} 알림", alert.rule))
    }

    fn strategies(&self) -> Result<Vec<Value>, Error> {
        Ok(vec![json!({"name": "a"}), json!({"name": "b"})])
    }

    fn statistics(&self) -> Result<Value, Error> {
        Ok(json!({}))
    }

    fn report(&self, _: &ReportAsked) -> Result<ReportPage, Error> {
        Err(Error::new(ErrorKind::Refused, "no report"))
    }

    fn watches(&self) -> Result<Vec<Value>, Error> {
        Ok(Vec::new())
    }

    fn add_watch(&self, symbol: &Symbol, rule: &str) -> Result<Value, Error> {
        Ok(json!({"id": "1", "symbol": symbol, "rule": rule, "origin": "added"}))
    }

    fn remove_watch(&self, _: &str) -> Result<(), Error> {
        Err(Error::new(ErrorKind::NotFound, "no watch has this id"))
    }

    fn schedules(&self) -> Result<Vec<ScheduleItem>, Error> {
        Ok(vec![ScheduleItem {
            name: "nightly".to_owned(),
            describes: "what is done at night".to_owned(),
            when: "02:30 UTC".to_owned(),
            zone: "UTC".to_owned(),
            enabled: true,
            catch_up: "once",
            jitter_s: 60,
            last_at: None,
            next: vec![Timestamp::from_secs(1_800_000_000)],
        }])
    }

    fn submit_task(&self, asked: &TaskAsked) -> Result<TaskId, Error> {
        if !["known", "backtest"].contains(&asked.kind.as_str()) {
            return Err(Error::new(ErrorKind::Refused, "there is no such type"));
        }
        let task = NewTask {
            key: asked.key.clone(),
            priority: asked.priority,
            ..NewTask::new(&asked.kind, &asked.data)
        };
        Ok(self.0.task_submit(task, Timestamp::from_secs(1_700_000_000))?.id)
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            feeds: vec![FeedGauge {
                venue: "sim".to_owned(),
                symbols: vec![symbol()],
                state: "up",
                connected: true,
                messages: 1,
                events: 1,
                sealed: Some(SealedGauge { state: "ok", opened: 1, ..SealedGauge::default() }),
                ..FeedGauge::default()
            }],
            remotes: vec![RemoteGauge {
                name: "sim".to_owned(),
                breaker: "closed",
                opens: 0,
                blocked_until: None,
                sent: 7,
                retries: 1,
                refused: 0,
                failed: 0,
                in_flight: 0,
                waiting: 0,
                mean_wait_ms: 0.5,
                longest_wait_ms: 2.0,
                quotas: vec![QuotaGauge {
                    rule: "weight".to_owned(),
                    limit: 6_000,
                    window_s: 60.0,
                    used: 14,
                    by_others: 0,
                    headroom: 5_986,
                    guard_ms: 75.0,
                }],
            }],
            ..Gauges::default()
        }
    }
}

/// Where the token of a scene lies.
pub(crate) fn token_of(scene: &Scene) -> PathBuf {
    token_file(scene.folder.path())
}
