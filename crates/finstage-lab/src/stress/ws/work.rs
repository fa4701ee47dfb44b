//! One thread of a test: it opens its share of the connections, reports four times a second, and ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::line::{Line, READ_BYTES, Shared};
use super::offset::Offset;
use super::opening::Place;
use super::tally::Tally;
use super::{CLOSE_WITHIN, Plan};
use crate::rng::Rng;
use crate::stress::Stop;

/// How often a thread reports.
pub(super) const REPORT_EVERY: Duration = Duration::from_millis(250);

/// What a thread needs to know.
#[derive(Debug, Clone)]
pub(super) struct Share {
    pub(super) plan: Arc<Plan>,
    pub(super) place: Place,
    /// Which thread it is.
    pub(super) thread: u32,
    /// The start of the test, by both clocks.
    pub(super) origin: (Instant, i64),
    pub(super) stop: Stop,
}

/// What a thread says.
#[derive(Debug)]
pub(super) struct Report {
    /// Since the start.
    pub(super) at: Duration,
    pub(super) tally: Tally,
    /// Connections of the thread that are open.
    pub(super) open: u64,
    /// When the last of them was opened, since the start.
    pub(super) newest: Duration,
    pub(super) thread: u32,
    pub(super) offset: Offset,
    pub(super) correction_us: i64,
    /// Whether it was the last one.
    pub(super) is_last: bool,
}

/// Does a thread's share; comes back when all its sockets are closed.
pub(super) fn work(share: Share, reports: &SyncSender<Report>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, share.run(reports));
    // Whatever did not say goodbye in time is dropped with the set, sockets included.
    drop(local);
    Ok(())
}

impl Share {
    async fn run(self, reports: &SyncSender<Report>) {
        let shared = Rc::new(self.shared());
        let own = u64::from(self.plan.connections.saturating_sub(self.thread))
            .div_ceil(u64::from(self.plan.threads.max(1)));
        let dialler = spawn_local(dial(self.clone(), Rc::clone(&shared)));
        let end = self.origin.0 + self.plan.length();
        let mut beat = interval_at(self.origin.0 + REPORT_EVERY, REPORT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut peak = 0;
        loop {
            let due = beat.tick().await;
            let now = Instant::now();
            shared.tally.borrow_mut().lag.record(now - due);
            peak = peak.max(shared.open.get());
            if self.plan.offset_ms.is_none() {
                shared.correction_us.set(shared.offset.borrow().correction_us());
            }
            let is_banned = self.plan.heed_refusals && shared.tally.borrow().is_banned;
            if is_banned {
                self.stop.pull();
            }
            let is_over = now >= end || self.stop.is_pulled();
            // A gatherer that is gone wants no more.
            let heard = reports.send(self.report(&shared, false)).is_ok();
            if is_over || !heard {
                break;
            }
        }
        tracing::debug!(thread = self.thread, own, peak, "closing");
        close(&shared, dialler).await;
        let _ = reports.send(self.report(&shared, true));
    }

    fn shared(&self) -> Shared {
        let correction = self.plan.offset_ms.map_or(0, |(offset, _)| (offset * 1_000.0) as i64);
        Shared {
            place: self.place.clone(),
            plan: Arc::clone(&self.plan),
            tally: RefCell::default(),
            offset: RefCell::default(),
            correction_us: Cell::new(correction),
            open: Cell::new(0),
            newest: Cell::new(self.origin.0),
            is_closing: Cell::new(false),
            listeners: RefCell::default(),
            buffer: RefCell::new(vec![0; READ_BYTES].into_boxed_slice()),
            rng: RefCell::new(Rng::named(self.plan.seed, &format!("ws {}", self.thread))),
            origin: self.origin,
        }
    }

    fn report(&self, shared: &Shared, is_last: bool) -> Report {
        Report {
            at: self.origin.0.elapsed(),
            tally: std::mem::take(&mut *shared.tally.borrow_mut()),
            open: shared.open.get(),
            newest: shared.newest.get() - self.origin.0,
            thread: self.thread,
            offset: *shared.offset.borrow(),
            correction_us: shared.correction_us.get(),
            is_last,
        }
    }
}

/// Opens the connections of a thread, each when it is due and a place to open is free.
async fn dial(share: Share, shared: Rc<Shared>) {
    let Share { plan, thread, origin, .. } = share;
    let places = Arc::new(Semaphore::new(plan.ramp.at_once.max(1) as usize));
    let own = (thread..plan.connections).step_by(plan.threads.max(1) as usize);
    for (slot, n) in own.enumerate() {
        sleep_until(origin.0 + plan.ramp.due(n)).await;
        shared.tally.borrow_mut().due += 1;
        let Ok(permit) = Arc::clone(&places).acquire_owned().await else { return };
        if shared.is_closing.get() {
            return;
        }
        shared.listeners.borrow_mut().push(None);
        spawn_local(Line { shared: Rc::clone(&shared), n, slot }.run(permit));
    }
}

/// Says goodbye on all connections, and waits for the answers within [`CLOSE_WITHIN`].
async fn close(shared: &Shared, dialler: JoinHandle<()>) {
    dialler.abort();
    shared.close_all();
    let end = Instant::now() + CLOSE_WITHIN;
    let mut beat = interval_at(Instant::now(), Duration::from_millis(5));
    while shared.open.get() > 0 && Instant::now() < end {
        beat.tick().await;
    }
}
