//! The one task that pushes: it takes what the engine's thread told, reads what the records have of it,
//! writes each message once and puts the same bytes into every mailbox that wants them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::{Bar, Clock, Position, Symbol, Timestamp};
use finstage_store::records::{AlertRow, Records, SaidPlace, SignalRow};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::ask::Wants;
use super::cursor;
use super::mailbox::{End, Mailbox, Pushed};
use super::told::{Messages, Told as _};
use crate::Desk;
use crate::auth::Keys;
use crate::live::{Live, PriceItem};
use crate::metrics::Metrics;
use crate::rows::BarItem;
use crate::{Error, ErrorKind};

/// How often the records are asked while something was said that they do not have yet.
const SOON: Duration = Duration::from_millis(50);
/// How long after something was said that goes on.
const SOON_FOR: Duration = Duration::from_secs(5);
/// How often they are asked otherwise, and the token's file is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Seconds between two looks at markets' hours, and between two pushes of the system's state.
const SLOW_EVERY: u64 = 10;
/// What clients get to take a page of messages before the next.
const TAKING: Duration = Duration::from_millis(5);
/// Rows that are read, and messages that are pushed, at once.
pub(super) const PAGE: usize = 256;

/// Everything that is pushed, and everybody it is pushed to.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) records: Records,
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) synced: Synced,
    clients: Mutex<Vec<Arc<Mailbox>>>,
    place: Mutex<SaidPlace>,
    /// Grows whenever an answer that was kept may be out of date.
    generation: AtomicU64,
    next_client: AtomicU64,
}

/// Tells up to which position the journal is on disk.
#[derive(Clone)]
pub struct Synced(pub Arc<dyn Fn() -> Position + Send + Sync>);

impl std::fmt::Debug for Synced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Synced({})", (self.0)())
    }
}

/// What a hub is made of.
pub(crate) struct HubParts {
    pub(crate) records: Records,
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) synced: Synced,
}

#[derive(Serialize)]
struct PricePush<'a> {
    r#type: &'static str,
    cursor: &'a str,
    symbol: &'a Symbol,
    current_price: finstage_model::Price,
    previous_price: Option<finstage_model::Price>,
    change_amount: Option<finstage_model::Price>,
    change_percent: Option<f64>,
    volume: Option<f64>,
    market_status: &'static str,
    timestamp: Timestamp,
}

#[derive(Serialize)]
struct BarPush<'a> {
    r#type: &'static str,
    cursor: &'a str,
    symbol: &'a Symbol,
    interval: finstage_model::Interval,
    bar: BarItem,
}

impl Hub {
    pub(crate) fn new(parts: HubParts) -> Self {
        let HubParts { records, desk, live, clock, metrics, keys, synced } = parts;
        Self {
            records,
            desk,
            live,
            clock,
            metrics,
            keys,
            synced,
            clients: Mutex::default(),
            place: Mutex::default(),
            generation: AtomicU64::new(0),
            next_client: AtomicU64::new(1),
        }
    }

    /// Begins behind everything that was said before.
    pub(crate) fn begin(&self) -> Result<(), Error> {
        *lock(&self.place) = self.records.said_end((self.synced.0)())?;
        Ok(())
    }

    /// Where the stream is.
    pub(crate) fn place(&self) -> SaidPlace {
        *lock(&self.place)
    }

    /// Changes what a client wants; what it wanted before, and the place behind which it gets what it
    /// wants now.
    pub(super) fn subscribe(
        &self,
        client: &Mailbox,
        change: impl FnOnce(&mut Wants) -> Result<(), String>,
    ) -> Result<(Wants, SaidPlace), String> {
        let here = lock(&self.place);
        let mut wants = client.wants();
        let before = wants.clone();
        change(&mut wants)?;
        Ok((before, *here))
    }

    /// A number that changes whenever lists may have changed; at least once a second.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Says that lists may have changed.
    pub(crate) fn touch(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes a client in; `None` when there are too many.
    pub(crate) fn join(&self, max_clients: usize, max_waiting: usize) -> Option<Arc<Mailbox>> {
        let mut clients = lock(&self.clients);
        if clients.len() >= max_clients {
            return None;
        }
        let id = self.next_client.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::new(id, self.keys.renewals(), max_waiting));
        clients.push(Arc::clone(&mailbox));
        self.metrics.clients.store(clients.len() as u64, Ordering::Relaxed);
        Some(mailbox)
    }

    /// Lets a client go.
    pub(crate) fn leave(&self, mailbox: &Mailbox) {
        let mut clients = lock(&self.clients);
        clients.retain(|client| client.id != mailbox.id);
        self.metrics.clients.store(clients.len() as u64, Ordering::Relaxed);
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        lock(&self.clients).len()
    }

    /// Pushes until `stop` turns true.
    pub(crate) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut soon = tokio::time::interval(SOON);
        soon.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut soon_until = None;
        let mut seconds = 0_u64;
        loop {
            let mut look = false;
            tokio::select! {
                () = self.live.changed() => {}
                _ = soon.tick(), if soon_until.is_some() => look = true,
                _ = every.tick() => {
                    look = true;
                    self.tick(seconds);
                    seconds += 1;
                }
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let began = Instant::now();
            let news = self.live.take(self.clock.now());
            let is_said = news.is_said;
            for bars in news.bars.chunks(PAGE) {
                self.push_bars(bars);
                if bars.len() == PAGE {
                    // Many bars close at once: clients that keep up get time to take them.
                    tokio::time::sleep(TAKING).await;
                }
            }
            self.push_prices(news.prices);
            if is_said {
                soon_until = Some(began + SOON_FOR);
            }
            if look || is_said {
                self.read_records().await;
            }
            if soon_until.is_some_and(|until| Instant::now() >= until) {
                soon_until = None;
            }
            // However much is told, half of the time of a processor is left to others.
            tokio::time::sleep(began.elapsed().min(SOON)).await;
        }
    }

    fn tick(&self, seconds: u64) {
        self.touch();
        let before = self.keys.renewals();
        self.keys.reload();
        let now = self.keys.renewals();
        if now != before {
            let clients = lock(&self.clients).clone();
            let is_old = |client: &&Arc<Mailbox>| client.renewals != now;
            clients.iter().filter(is_old).for_each(|client| client.end(End::Renewed));
        }
        if seconds.is_multiple_of(SLOW_EVERY) {
            let at = self.clock.now();
            self.live.set_status(|symbol| status(self.desk.is_open(symbol, at)));
            let text = self.system();
            self.each(|client| {
                if client.wants().system {
                    self.put(client, &Pushed { text: text.clone(), said: None });
                }
            });
        }
    }

    fn system(&self) -> Utf8Bytes {
        let value = serde_json::json!({
            "type": "system_status",
            "cursor": cursor(self.place()),
            "server_time": self.clock.now(),
            "clients": self.clients(),
        });
        Utf8Bytes::from(value.to_string())
    }

    fn push_prices(&self, prices: Vec<(usize, PriceItem)>) {
        if prices.is_empty() || self.clients() == 0 {
            return;
        }
        let cursor = cursor(self.place());
        let clients = lock(&self.clients).clone();
        let (mut pushes, mut conflated) = (0, 0);
        for (place, item) in prices {
            let text = price_text(&item, &cursor);
            for client in &clients {
                if client.wants().prices.has(&item.symbol) {
                    pushes += 1;
                    conflated += u64::from(client.price(place, text.clone()));
                }
            }
        }
        self.metrics.pushes.fetch_add(pushes, Ordering::Relaxed);
        self.metrics.conflated.fetch_add(conflated, Ordering::Relaxed);
    }

    fn push_bars(&self, bars: &[(Symbol, Bar)]) {
        if bars.is_empty() || self.clients() == 0 {
            return;
        }
        let cursor = cursor(self.place());
        for (symbol, bar) in bars {
            let text = encode(&BarPush {
                r#type: "technical_analysis",
                cursor: &cursor,
                symbol,
                interval: bar.interval,
                bar: BarItem::from(bar),
            });
            self.each(|client| {
                if client.wants().bars.has(symbol) {
                    self.put(client, &Pushed { text: text.clone(), said: None });
                }
            });
        }
    }

    /// Pushes what the records have of what was said.
    async fn read_records(self: &Arc<Self>) {
        loop {
            let (hub, place) = (Arc::clone(self), self.place());
            let read = move || {
                // One end for both: an alert does not overtake its signal.
                let end = hub.synced();
                let count = |item: &_| SignalRow::count(&hub.metrics, item);
                let (signals, place) = hub.behind::<SignalRow>(place, end, count)?;
                let count = |item: &_| AlertRow::count(&hub.metrics, item);
                let (alerts, place) = hub.behind::<AlertRow>(place, end, count)?;
                Ok::<_, Error>((signals, alerts, place))
            };
            let done = tokio::task::spawn_blocking(read).await.map_err(|e| {
                Error::new(ErrorKind::Failed, "the reading of what was said broke off").because(e)
            });
            let (signals, alerts, place) = match done.and_then(|done| done) {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!("nothing is pushed until the next try: {error}");
                    return;
                }
            };
            if place == self.place() {
                return;
            }
            self.touch();
            self.publish(place, &signals, &alerts);
            let is_last = signals.len() < PAGE && alerts.len() < PAGE;
            if !is_last {
                tokio::time::sleep(TAKING).await;
            }
            if is_last {
                return;
            }
        }
    }

    /// Moves the place with its messages: whoever subscribes is told a place that is either before them
    /// all, and then gets them, or behind them all.
    fn publish(&self, place: SaidPlace, signals: &Messages, alerts: &Messages) {
        let mut here = lock(&self.place);
        *here = place;
        let clients = lock(&self.clients).clone();
        for (symbol, pushed) in signals {
            self.put_to(&clients, pushed, |client| client.wants().signals.has(symbol));
        }
        for (symbol, pushed) in alerts {
            self.put_to(&clients, pushed, |client| client.wants().alerts.has(symbol));
        }
    }

    /// How far the journal is on disk.
    pub(super) fn synced(&self) -> Position {
        (self.synced.0)()
    }

    fn each(&self, tell: impl Fn(&Arc<Mailbox>)) {
        let clients = lock(&self.clients).clone();
        clients.iter().for_each(tell);
    }

    fn put_to(&self, clients: &[Arc<Mailbox>], pushed: &Pushed, wants: impl Fn(&Mailbox) -> bool) {
        clients.iter().filter(|client| wants(client)).for_each(|client| self.put(client, pushed));
    }

    fn put(&self, client: &Mailbox, pushed: &Pushed) {
        self.metrics.pushes.fetch_add(1, Ordering::Relaxed);
        if !client.push(pushed.clone()) {
            self.metrics.dropped_clients.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A price as it is pushed.
pub(super) fn price_text(item: &PriceItem, cursor: &str) -> Utf8Bytes {
    encode(&PricePush {
        r#type: "price_update",
        cursor,
        symbol: &item.symbol,
        current_price: item.price,
        previous_price: item.previous_close,
        change_amount: item.change,
        change_percent: item.change_percent,
        volume: item.volume,
        market_status: item.market_status,
        timestamp: item.at,
    })
}

/// The word for a market.
pub(crate) const fn status(is_open: Option<bool>) -> &'static str {
    match is_open {
        Some(true) => "open",
        Some(false) => "closed",
        None => "unknown",
    }
}

pub(super) fn encode(value: &impl Serialize) -> Utf8Bytes {
    Utf8Bytes::from(serde_json::to_string(value).expect("what is pushed is always JSON"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
