//! Real processes and real kills: a sender with an outbox on disk is ended by SIGKILL again and again. Every
//! alert arrives; what arrives twice was in flight at a kill, and says so.
//!
//! The sender is this test binary, started once more with [`DATABASE`] set. How far it came when it was
//! killed depends on the machine; what is checked does not.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use finstage_model::{Alert, AlertId, Clock, Day, Position};
use finstage_net::{Client, ClientOptions, SystemClock};
use finstage_notify::notifiers::{Webhook, WebhookOptions};
use finstage_notify::{Courier, Dispatcher, DispatcherOptions, Holding, Template};
use finstage_seal::Secret;
use finstage_store::records::{Batch, NewAlert, Records, Route, RunDigest};
use finstage_store::suite::Rng;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

use crate::house::alert;

/// Kills in the usual run of the tests; `FINSTAGE_KILLS` names another number.
const KILLS: usize = 50;
/// Alerts that wait, for each kill: so many that no sender comes to the end of them.
const ALERTS_PER_KILL: usize = 10;
/// The longest life of a sender; the shortest see nothing but their own start.
const LONGEST_LIFE_MS: usize = 80;
/// The sender's part is played by this test.
const PART: &str = "kill::a_sender_that_will_be_killed";
const DATABASE: &str = "FINSTAGE_TEST_OUTBOX";
const ADDRESS: &str = "FINSTAGE_TEST_ADDRESS";
const CHANNEL: &str = "webhook";
/// One looks so often whether all is out, and no longer than this in all.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const MAX_LOOKS: usize = 15_000;
const PAGE: usize = 500;

/// What arrived, by id: whether each copy said that it may be a repeat.
type Arrived = Arc<Mutex<BTreeMap<String, Vec<bool>>>>;

#[test]
fn a_sender_that_is_killed_again_and_again_loses_nothing_and_marks_every_repeat() {
    let kills = number("FINSTAGE_KILLS").unwrap_or(KILLS);
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("records.db");
    let records = Records::open(&database).unwrap();
    let count = kills * ALERTS_PER_KILL;
    queue(&records, count);
    let (runtime, arrived) = (Runtime::new().unwrap(), Arrived::default());
    let address = runtime.block_on(receiver(Arc::clone(&arrived)));
    let mut rng = Rng::new(kills as u64);
    for _ in 0..kills {
        let sender = Sender::start(&database, &address);
        thread::park_timeout(Duration::from_millis(rng.below(LONGEST_LIFE_MS) as u64));
        drop(sender);
    }
    let last = Sender::start(&database, &address);
    let waiting = || {
        let counts = records.outbox_counts().unwrap();
        counts.ready + counts.sending
    };
    let mut looks = (0..MAX_LOOKS).map(|_| thread::park_timeout(LOOK_EVERY));
    assert!(looks.any(|()| waiting() == 0), "{:?}", records.outbox_counts());
    drop(last);

    let arrived = arrived.lock().unwrap();
    assert_eq!(arrived.len(), count, "all arrived");
    assert_eq!(records.outbox_counts().unwrap().delivered, count as u64);
    let repeats: usize = arrived.values().map(|copies| copies.len() - 1).sum();
    assert!(repeats <= kills, "{repeats} repeats: one is in flight at a kill");
    for (id, copies) in arrived.iter() {
        assert!(copies[1..].iter().all(|is_marked| *is_marked), "{id}: {copies:?}");
    }
    eprintln!("{count} alerts, {kills} kills: 0 lost, {repeats} repeats, all marked");
    runtime.shutdown_background();
}

/// The part of the sender; in a usual run of the tests it has nothing to do.
#[test]
fn a_sender_that_will_be_killed() {
    let (Some(database), Some(address)) = (text(DATABASE), text(ADDRESS)) else { return };
    let records = Records::open(Path::new(&database)).unwrap();
    records.outbox_reclaim().unwrap();
    let options = WebhookOptions {
        name: CHANNEL.into(),
        url: Secret::new(address),
        secret: Secret::new("0123456789abcdef".into()),
        template: Template::default(),
    };
    Runtime::new().unwrap().block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let client = Client::new(ClientOptions::default()).unwrap();
        let webhook = Arc::new(Webhook::new(options).unwrap());
        let courier = Courier::new(webhook, client, Box::new(std::io::sink()), Arc::clone(&clock));
        let options = DispatcherOptions {
            records,
            clock,
            synced: Arc::new(position),
            wake: Arc::<Notify>::default(),
            max_age: Duration::MAX,
            explain: None,
            holding: Holding::default(),
        };
        let (_stop, stopped) = watch::channel(false);
        Dispatcher::new(courier, options).run(stopped).await;
    });
}

struct Sender(Child);

impl Sender {
    fn start(database: &Path, address: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", PART, "--nocapture"])
            .env(DATABASE, database)
            .env(ADDRESS, address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // SIGKILL: nothing is finished, nothing is written down.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn queue(records: &Records, count: usize) {
    let ids: Vec<u128> = (1..=count as u128).collect();
    for page in ids.chunks(PAGE) {
        let mut batch = Batch::new(position(), RunDigest::default());
        let row = |id: &u128| NewAlert {
            alert: Alert { id: AlertId(*id), ..alert(*id) },
            route: Route::Notify(vec![CHANNEL.into()]),
        };
        batch.alerts.extend(page.iter().map(row));
        assert_eq!(records.apply(&batch).unwrap().queued, page.len() as u64);
    }
}

fn position() -> Position {
    Position::new(Day::from_days(20_778), 1, 7)
}

async fn receiver(arrived: Arrived) -> String {
    async fn take(State(arrived): State<Arrived>, Json(body): Json<Value>) {
        let id = body["id"].as_str().unwrap().to_owned();
        let is_marked = body["possible_repeat"].as_bool().unwrap();
        arrived.lock().unwrap().entry(id).or_default().push(is_marked);
    }
    let app = Router::new().route("/", post(take)).with_state(arrived);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[expect(clippy::disallowed_methods, reason = "a test tells its other process what to do")]
fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<usize> {
    text(name)?.parse().ok()
}
