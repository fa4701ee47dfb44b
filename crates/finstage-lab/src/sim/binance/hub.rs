//! Who listens to what, and the pump that carries the market to them.
//!
//! The pump lets the market happen until the present in slices, writes each event once per form
//! that somebody listens in, and puts the frames into the bounded queues of the connections. A full
//! queue makes the venue wait a moment, once; a reader that is still behind then is disconnected.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use finstage_model::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::feed::{cut, into_text, write_event};
use super::rest::{day_ticker, update_id};
use super::stream::{FrameForm, StreamKey, StreamKind};
use super::wire;
use crate::sim::faults::{Distortion, FaultKind, Faults, Sent};
use crate::sim::market::{Listing, Market, MarketEvent};

/// Frames that wait for one connection at most.
pub const QUEUED_FRAMES: usize = 8_192;
/// How long the venue waits for a reader whose queue is full before it is disconnected.
pub const SLOW_READER_GRACE: Duration = Duration::from_secs(1);
/// Market events handled before others get a turn.
pub const SLICE_EVENTS: usize = 2_048;

/// The connections and what they listen to.
#[derive(Debug)]
pub(super) struct Hub {
    listings: Vec<Listing>,
    inner: Mutex<Inner>,
    pub(super) frames: AtomicU64,
    pub(super) slow: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    /// By number, so that the oldest is in front.
    connections: BTreeMap<u64, Connection>,
    listeners: HashMap<StreamKey, BTreeSet<u64>>,
    /// When a stream that speaks on a beat spoke last.
    said: HashMap<StreamKey, Timestamp>,
}

#[derive(Debug)]
struct Connection {
    frames: Sender<Utf8Bytes>,
    form: FrameForm,
    opened: Timestamp,
    /// What it listens to.
    keys: Vec<StreamKey>,
}

/// Frames with the connection they go to.
type Batch = Vec<(u64, Utf8Bytes)>;

impl Hub {
    pub(super) fn new(listings: Vec<Listing>) -> Self {
        let (frames, slow) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { listings, inner: Mutex::default(), frames, slow }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection; its queue ends when the hub drops it.
    pub(super) fn join(&self, form: FrameForm, opened: Timestamp) -> (u64, Receiver<Utf8Bytes>) {
        let (frames, queue) = mpsc::channel(QUEUED_FRAMES);
        let mut inner = self.lock();
        inner.next_id += 1;
        let id = inner.next_id;
        inner.connections.insert(id, Connection { frames, form, opened, keys: Vec::new() });
        (id, queue)
    }

    pub(super) fn leave(&self, id: u64) {
        self.lock().leave(id);
    }

    pub(super) fn set_form(&self, id: u64, form: FrameForm) {
        if let Some(connection) = self.lock().connections.get_mut(&id) {
            connection.form = form;
        }
    }

    pub(super) fn listen(&self, id: u64, key: StreamKey) {
        let mut inner = self.lock();
        let Inner { connections, listeners, .. } = &mut *inner;
        let Some(connection) = connections.get_mut(&id) else { return };
        if listeners.entry(key).or_default().insert(id) {
            connection.keys.push(key);
        }
    }

    pub(super) fn ignore(&self, id: u64, key: StreamKey) {
        let mut inner = self.lock();
        if let Some(ids) = inner.listeners.get_mut(&key) {
            ids.remove(&id);
        }
        if let Some(connection) = inner.connections.get_mut(&id) {
            connection.keys.retain(|own| *own != key);
        }
    }

    /// When the oldest connection that is open was opened.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.lock().connections.first_key_value().map(|(_, connection)| connection.opened)
    }

    pub(super) fn open_connections(&self) -> usize {
        self.lock().connections.len()
    }

    /// Lets a slice of the market happen until `now`; `false` when the present is reached.
    pub(super) fn slice(
        &self,
        market: &mut Market,
        (distortion, faults): (&mut Distortion, &Faults),
        now: Timestamp,
        batch: &mut Batch,
    ) -> bool {
        let mut inner = self.lock();
        let listings = &self.listings;
        let mut leaving = VecDeque::new();
        let mut more = true;
        for _ in 0..SLICE_EVENTS {
            let Some(event) = market.next(now) else {
                more = false;
                distortion.release(now, &mut leaving);
                break;
            };
            let listing = &listings[event.symbol() as usize];
            distortion.pass(event, (faults, listing), &mut leaving);
            for sent in leaving.drain(..) {
                inner.say(market, listings, &sent, batch);
            }
        }
        for sent in leaving.drain(..) {
            inner.say(market, listings, &sent, batch);
        }
        let is_stalled = [FaultKind::Stall, FaultKind::Silent]
            .into_iter()
            .any(|kind| faults.active(kind, now).is_some_and(|fault| fault.symbol.is_none()));
        if !more && !is_stalled {
            inner.say_on_beat(market, listings, now, batch);
        }
        more
    }

    /// Puts frames into queues; waits a moment for a full one, then drops its connection.
    pub(super) async fn deliver(&self, batch: Batch) {
        let (mut behind, mut waiting) = (HashMap::new(), Vec::new());
        if !batch.is_empty() {
            let mut inner = self.lock();
            let mut delivered = 0;
            for (id, frame) in batch {
                if behind.contains_key(&id) {
                    waiting.push((id, frame));
                    continue;
                }
                let Some(connection) = inner.connections.get(&id) else { continue };
                match connection.frames.try_send(frame) {
                    Ok(()) => delivered += 1,
                    Err(TrySendError::Closed(_)) => inner.leave(id),
                    Err(TrySendError::Full(frame)) => {
                        behind.insert(id, connection.frames.clone());
                        waiting.push((id, frame));
                    }
                }
            }
            self.frames.fetch_add(delivered, Ordering::Relaxed);
        }
        for (id, frame) in waiting {
            let Some(queue) = behind.get(&id) else { continue };
            match tokio::time::timeout(SLOW_READER_GRACE, queue.send(frame)).await {
                Ok(Ok(())) => {
                    self.frames.fetch_add(1, Ordering::Relaxed);
                }
                end => {
                    self.slow.fetch_add(u64::from(end.is_err()), Ordering::Relaxed);
                    behind.remove(&id);
                    self.leave(id);
                }
            }
        }
    }
}

impl Inner {
    fn leave(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        for key in connection.keys {
            let Some(ids) = self.listeners.get_mut(&key) else { continue };
            ids.remove(&id);
            if ids.is_empty() {
                self.listeners.remove(&key);
            }
        }
    }

    /// Writes what an event means on every stream that has listeners.
    fn say(&self, market: &Market, listings: &[Listing], sent: &Sent, batch: &mut Batch) {
        let symbol = sent.event.symbol();
        let listing = &listings[symbol as usize];
        match &sent.event {
            MarketEvent::Kline { kline, .. } => {
                let kind = StreamKind::Kline(kline.bar.interval);
                self.write(StreamKey { symbol, kind }, (listing, sent.is_cut), batch, |out| {
                    write_event(out, listing, sent);
                });
            }
            MarketEvent::Trade(trade) => {
                let key = |kind| StreamKey { symbol, kind };
                self.write(key(StreamKind::Trade), (listing, sent.is_cut), batch, |out| {
                    write_event(out, listing, sent);
                });
                self.write(key(StreamKind::AggTrade), (listing, sent.is_cut), batch, |out| {
                    wire::agg_trade(out, listing, trade, sent.at);
                });
                self.write(key(StreamKind::BookTicker), (listing, sent.is_cut), batch, |out| {
                    let (bids, asks) = market.depth(symbol, 1);
                    if let Some(best) = bids.first().copied().zip(asks.first().copied()) {
                        wire::book_ticker(out, listing, trade.id as i64, best);
                    }
                });
            }
        }
    }

    /// Writes the streams that speak on a beat and whose time has come.
    fn say_on_beat(
        &mut self,
        market: &Market,
        listings: &[Listing],
        now: Timestamp,
        batch: &mut Batch,
    ) {
        let due = |key: &StreamKey| {
            let last = self.said.get(key).copied();
            key.beat().is_some_and(|beat| last.is_none_or(|last| last.plus(beat) <= now))
        };
        let mut due: Vec<StreamKey> = self.listeners.keys().copied().filter(due).collect();
        due.sort_by_key(|key| (key.symbol, key.name("")));
        for key in due {
            self.said.insert(key, now);
            let listing = &listings[key.symbol as usize];
            self.write(key, (listing, false), batch, |out| {
                let Some(ticker) = day_ticker(market, key.symbol, now) else { return };
                match key.kind {
                    StreamKind::MiniTicker => wire::mini_ticker(out, listing, &ticker.day, now),
                    StreamKind::Depth(levels, _) => {
                        let sides = market.depth(key.symbol, usize::from(levels));
                        wire::depth(out, listing, update_id(market, key.symbol), &sides);
                    }
                    _ => wire::ticker(out, listing, &ticker),
                }
            });
        }
    }

    fn write(
        &self,
        key: StreamKey,
        (listing, is_cut): (&Listing, bool),
        batch: &mut Batch,
        payload: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(ids) = self.listeners.get(&key) else { return };
        let mut out = Vec::with_capacity(256);
        payload(&mut out);
        if out.is_empty() || ids.is_empty() {
            return;
        }
        let raw = into_text(out);
        let name = key.name(&listing.stream);
        let mut forms: [Option<Utf8Bytes>; 2] = [None, None];
        for id in ids {
            let Some(connection) = self.connections.get(id) else { continue };
            let form = &mut forms[connection.form as usize];
            let frame = form.get_or_insert_with(|| {
                let mut text = match connection.form {
                    FrameForm::Raw => raw.clone(),
                    FrameForm::Combined => format!(r#"{{"stream":"{name}","data":{raw}}}"#),
                };
                if is_cut {
                    cut(&mut text);
                }
                text.into()
            });
            batch.push((*id, frame.clone()));
        }
    }
}
