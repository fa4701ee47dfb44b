//! The outbox, the clock and the journal's position around a dispatcher under test.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finstage_model::{
    Alert, AlertId, AlertKind, Clock, Day, Decision, Direction, Interval, ManualClock, Position,
    Reason, Ruling, SignalId, Timestamp,
};
use finstage_net::{Client, ClientOptions};
use finstage_notify::notifiers::{Log, Telegram, TelegramOptions};
use finstage_notify::{
    Courier, Dispatcher, DispatcherOptions, Explain, Holding, LEASE, MAX_AGE, Stats, Template,
};
use finstage_seal::Secret;
use finstage_store::records::{
    Batch, Filter, NewAlert, Notice, NoticeKind, NoticeStyle, NoticeText, Records, Route,
    RunDigest, Sent,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::chat_service::{ChatService, PATIENCE, TOKEN};

/// 2026-11-21T09:00:00Z, when every alert is said.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_795_251_600);

/// Long enough for loopback on a busy machine, short enough to wait for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn alert(id: u128) -> Alert {
    Alert {
        id: AlertId(id),
        kind: AlertKind::Signal {
            signal: SignalId(id),
            interval: Interval::H1,
            direction: Direction::Long,
            ruling: Ruling::Unproven { reason: Reason::NoEvidence },
            proof: None,
            size: None,
        },
        symbol: "binance:BTCUSDT".parse().unwrap(),
        rule: "golden_cross(fast=50,slow=200)".into(),
        words: "The average of 50 bars rose above the average of 200 bars.".into(),
        price: "42850.1".parse().unwrap(),
        currency: Some("USDT".into()),
        at: START,
        said_at: START,
        data_age_ms: 1_200,
        decision: Decision::Send,
    }
}

/// Runs with the runtime's clock and jumps when told.
#[derive(Debug)]
pub(crate) struct TestClock {
    began: Instant,
    jumps: ManualClock,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.jumps.now().plus(self.began.elapsed())
    }
}

pub(crate) struct House {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) records: Records,
    synced: Arc<AtomicBool>,
    wake: Arc<Notify>,
}

impl House {
    pub(crate) fn new() -> Self {
        Self {
            clock: Arc::new(TestClock { began: Instant::now(), jumps: ManualClock::new(START) }),
            records: Records::open_in_memory().unwrap(),
            synced: Arc::new(AtomicBool::new(true)),
            wake: Arc::default(),
        }
    }

    pub(crate) fn queue(&self, notifier: &str, alert: &Alert) {
        let route = Route::Notify(vec![notifier.to_owned()]);
        let mut batch = Batch::new(position(), RunDigest::default());
        batch.alerts.push(NewAlert { alert: alert.clone(), route });
        assert_eq!(self.records.apply(&batch).unwrap().queued, 1);
    }

    /// The service says the report of a day, for a day.
    pub(crate) fn announce(&self, notifiers: &[&str]) {
        self.announce_of(NoticeKind::Report, notifiers);
    }

    pub(crate) fn announce_of(&self, kind: NoticeKind, notifiers: &[&str]) {
        let notice = Notice {
            id: kind.id("2026-11-20"),
            kind,
            said_at: START,
            max_age: Duration::from_secs(86_400),
            lines: vec![vec![NoticeText::new(NoticeStyle::Bold, "Daily report")]],
        };
        let names: Vec<String> = notifiers.iter().map(|&name| name.to_owned()).collect();
        self.records.announce(&notice, &names).unwrap();
    }

    /// What became of an alert: status, and the reason or nothing.
    pub(crate) fn end_of(&self, id: u128) -> (String, String) {
        let rows = self.records.alerts(&Filter::newest(99)).unwrap();
        let row = rows.into_iter().find(|row| row.alert.id == AlertId(id)).unwrap();
        (row.status.to_string(), row.reason.unwrap_or_default())
    }

    /// A process leases the next row and dies.
    pub(crate) fn lease_and_die(&self, notifier: &str) {
        self.records.outbox_lease(notifier, self.clock.now(), LEASE, position()).unwrap().unwrap();
    }

    /// An earlier process tried the next row so often, in vain.
    pub(crate) fn attempt(&self, notifier: &str, times: u32) {
        for _ in 0..times {
            let now = self.clock.now();
            let leased =
                self.records.outbox_lease(notifier, now, LEASE, position()).unwrap().unwrap();
            self.records.outbox_retry(leased.row, leased.fence, now, "refused", Sent::No).unwrap();
        }
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.jumps.advance(by);
    }

    pub(crate) fn sync(&self) {
        self.synced.store(true, Ordering::SeqCst);
    }

    pub(crate) fn unsync(&self) {
        self.synced.store(false, Ordering::SeqCst);
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_waiters();
    }

    pub(crate) fn start(&self, courier: Courier) -> Running {
        self.start_with(courier, None, Holding::default())
    }

    /// With somebody who puts alerts into plain words.
    pub(crate) fn start_explained(
        &self,
        courier: Courier,
        explain: Option<Arc<dyn Explain>>,
    ) -> Running {
        self.start_with(courier, explain, Holding::default())
    }

    /// By a channel that holds something back.
    pub(crate) fn start_holding(&self, courier: Courier, holding: Holding) -> Running {
        self.start_with(courier, None, holding)
    }

    fn start_with(
        &self,
        courier: Courier,
        explain: Option<Arc<dyn Explain>>,
        holding: Holding,
    ) -> Running {
        let looks = Arc::new(watch::Sender::new(0));
        let (synced, counted) = (Arc::clone(&self.synced), Arc::clone(&looks));
        let options = DispatcherOptions {
            records: self.records.clone(),
            clock: self.clock.clone(),
            synced: Arc::new(move || {
                counted.send_modify(|looks| *looks += 1);
                if synced.load(Ordering::SeqCst) { position() } else { Position::START }
            }),
            wake: Arc::clone(&self.wake),
            max_age: MAX_AGE,
            explain,
            holding,
        };
        let dispatcher = Dispatcher::new(courier, options);
        let stats = dispatcher.stats();
        let (stop, stopped) = watch::channel(false);
        Running { task: tokio::spawn(dispatcher.run(stopped)), stop, stats, looks }
    }
}

fn position() -> Position {
    Position::new(Day::from_days(20_778), 1, 7)
}

pub(crate) struct Running {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    stats: Arc<Stats>,
    looks: Arc<watch::Sender<u64>>,
}

impl Running {
    /// Waits until the outbox was asked for the `times`th time: every earlier answer is worked off.
    pub(crate) async fn looked(&self, times: u64) {
        self.when(|looks, _| looks >= times).await;
    }

    pub(crate) async fn delivered(&self, alerts: u64) {
        self.when(|_, stats| stats.delivered() >= alerts).await;
    }

    pub(crate) async fn retried(&self, attempts: u64) {
        self.when(|_, stats| stats.retried() >= attempts).await;
    }

    pub(crate) async fn failed(&self, alerts: u64) {
        self.when(|_, stats| stats.failed() >= alerts).await;
    }

    /// Every end is followed by a look at the outbox, so that is when to ask.
    async fn when(&self, holds: impl Fn(u64, &Stats) -> bool) {
        let mut looks = self.looks.subscribe();
        let held = looks.wait_for(|&looks| holds(looks, &self.stats));
        timeout(PATIENCE, held).await.expect("it holds in time").unwrap();
    }

    pub(crate) fn tell_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(self) -> Arc<Stats> {
        self.tell_to_stop();
        timeout(PATIENCE, self.task).await.expect("it stops in time").unwrap();
        self.stats
    }
}

fn client() -> Client {
    Client::new(ClientOptions { total_timeout: ANSWER_TIMEOUT, ..ClientOptions::default() })
        .unwrap()
}

pub(crate) fn telegram(house: &House, service: &ChatService, chat: &str) -> Courier {
    telegram_at(house, &service.base_url, chat)
}

pub(crate) fn telegram_at(house: &House, base_url: &str, chat: &str) -> Courier {
    let options = TelegramOptions {
        name: "telegram".into(),
        base_url: base_url.into(),
        token: Secret::new(TOKEN.into()),
        chat: chat.into(),
        template: Template::default(),
        buttons: Vec::new(),
    };
    let telegram = Arc::new(Telegram::new(options).unwrap());
    Courier::new(telegram, client(), Box::new(io::sink()), house.clock.clone())
}

pub(crate) fn log(house: &House, lines: &Buffer) -> Courier {
    let log = Arc::new(Log::new(Template::default()));
    Courier::new(log, client(), Box::new(lines.clone()), house.clock.clone())
}

/// A writer that can be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
