//! Those who run tasks: a bounded number at a time, each in its own handler, all on one lease book.
//!
//! A handler that panics fails its task and nothing else. One that takes too long is called off, and its
//! task fails; a thread that does not hear that keeps its place among the workers and its lane until it ends, so
//! that their number stays bounded whatever they do, and none overlaps with the next of its lane. A task that
//! somebody calls off hears it at once where that is said in this process, and at the next look otherwise. When the service stops, what can end within the grace does;
//! the rest is given back as if it had not been tried.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_store::ErrorKind;
use finstage_store::records::{Busy, Failed, LeasedTask, Records, Renewed, TaskLease};
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use super::memory::MemoryGuard;
use super::registry::{Fault, Given, Registry, Ticket, given};
use crate::pace::Pace;

/// Tasks that run at the same time where nothing else is said.
pub const WORKERS: usize = 4;
/// For how long a task is leased; it is renewed three times as often.
pub const LEASE: Duration = Duration::from_secs(30);
/// The shortest lease of real time, however fast the service's clock runs.
const LEASE_MIN_REAL: Duration = Duration::from_secs(3);
/// How often one looks for tasks that another process submitted or called off.
const LOOK: Duration = Duration::from_secs(1);
/// A handler that is called off has so long to end before its task is given back.
pub const GRACE: Duration = Duration::from_millis(2_500);

/// After that, what has ended has so long to be written down.
const STOP: Duration = Duration::from_millis(2_900);

/// Who runs what is in the queue.
#[derive(Debug)]
pub struct Workers {
    /// The queue.
    pub records: Records,
    /// What can be run.
    pub registry: Registry,
    /// The time.
    pub pace: Pace,
    /// How many at a time, at least one.
    pub most: usize,
    /// Their name in the queue.
    pub name: String,
    /// Wakes them when something was submitted or called off.
    pub wake: Arc<Notify>,
    /// Holds the memory of the process against a bound.
    pub memory: MemoryGuard,
}

impl Workers {
    /// Runs what is in the queue until `quit` turns true; what runs then has [`GRACE`] to end.
    pub async fn run(self, mut quit: watch::Receiver<bool>) {
        let most = self.most.max(1);
        let wake = Arc::clone(&self.wake);
        self.records.on_call_off(move || wake.notify_one());
        let shared = Arc::new(self);
        let (mut crew, mut looked, mut was_rung) = (Crew::default(), Instant::now(), false);
        loop {
            crew.dismiss();
            let free = most - crew.running.len().min(most);
            let leased = if free > 0 { shared.lease(free, crew.busy()).await } else { Vec::new() };
            let got_all = leased.len() == free;
            for task in leased {
                crew.begin(&shared, task, quit.clone());
            }
            if got_all && crew.running.len() < most {
                continue;
            }
            if was_rung || looked.elapsed() >= LOOK {
                shared.call_off(&crew).await;
                looked = Instant::now();
            }
            was_rung = tokio::select! {
                () = crew.one_ended() => false,
                () = shared.wake.notified() => true,
                () = tokio::time::sleep(LOOK) => false,
                () = is_true(&mut quit) => break,
            };
        }
        let mut running = crew.running;
        let ended = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP, ended).await.is_err() {
            tracing::warn!(
                "a task did not end in time: it is taken up again when its lease is over"
            );
        }
    }

    async fn lease(self: &Arc<Self>, free: usize, busy: Busy) -> Vec<LeasedTask> {
        let this = Arc::clone(self);
        let look = move || {
            let now = this.pace.clock.now();
            match this.records.task_next_at()? {
                Some(at) if at <= now => {
                    this.records.task_lease_beside(&this.name, now, this.term(), (free, busy))
                }
                _ => Ok(Vec::new()),
            }
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(leased)) => leased,
            Ok(Err(error)) => {
                tracing::warn!("no task is taken until the next try: {error}");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Tells those of the crew that were called off: one look for all of them.
    async fn call_off(self: &Arc<Self>, crew: &Crew) {
        if crew.held.is_empty() {
            return;
        }
        let records = self.records.clone();
        // Where the records cannot be read now, it is told with its lease.
        let looked = tokio::task::spawn_blocking(move || records.tasks_called_off()).await;
        let leases = looked.ok().and_then(Result::ok).unwrap_or_default();
        for held in crew.held.values().filter(|held| leases.contains(&held.lease)) {
            held.ticket.call_off();
        }
    }

    /// How long a lease is, by the service's clock.
    fn term(&self) -> Duration {
        LEASE.max(LEASE_MIN_REAL.mul_f64(self.pace.speed.max(1.0)))
    }

    /// How long a third of it is, in real time.
    fn beat(&self) -> Duration {
        self.term().div_f64(3.0 * self.pace.speed.max(1e-3)).max(LEASE_MIN_REAL / 3)
    }

    /// Runs one task to its end, whatever that is.
    async fn one(
        self: Arc<Self>,
        (task, ticket): (LeasedTask, Ticket),
        quit: watch::Receiver<bool>,
    ) {
        let what = (task.task.kind.as_str(), task.task.payload.as_str());
        let mut handle = match self.registry.start(what, ticket.clone()) {
            Ok(handle) => handle,
            Err(fault) => return self.settle(&task, Err(fault)).await,
        };
        match self.attend(&task, &ticket, (&mut handle, quit)).await {
            End::Gave(given) => self.settle(&task, given).await,
            End::TooMuch(why) => {
                self.settle(&task, Err(Fault::passing(why))).await;
                outlive(&task, handle).await;
            }
            End::Stopped => self.give_back(&task).await,
            End::Lost => outlive(&task, handle).await,
        }
    }

    /// Waits for a handler, keeps its lease, and calls it off where that must be.
    async fn attend(
        self: &Arc<Self>,
        task: &LeasedTask,
        ticket: &Ticket,
        (handle, mut quit): (&mut JoinHandle<Given>, watch::Receiver<bool>),
    ) -> End {
        let limit = tokio::time::sleep(task.task.timeout);
        tokio::pin!(limit);
        let mut guarded = self.memory.begin();
        let mut beat = tokio::time::interval_at(Instant::now() + self.beat(), self.beat());
        loop {
            tokio::select! {
                ended = &mut *handle => return End::Gave(given(ended)),
                () = &mut limit => {
                    ticket.call_off();
                    let limit = finstage_model::format_duration(task.task.timeout);
                    return End::TooMuch(format!("it took longer than {limit}"));
                }
                () = is_true(&mut quit) => {
                    ticket.call_off();
                    return match tokio::time::timeout(GRACE, handle).await {
                        Ok(ended) => given(ended).map_or(End::Stopped, |gave| End::Gave(Ok(gave))),
                        Err(_) => End::Stopped,
                    };
                }
                _ = beat.tick() => match self.renew(task, ticket).await {
                    Some(Renewed::GoOn) => {
                        if let Some(why) = self.memory.look(&mut guarded) {
                            ticket.call_off();
                            return End::TooMuch(why);
                        }
                    }
                    Some(Renewed::Cancel) => ticket.call_off(),
                    None => {
                        ticket.call_off();
                        return End::Lost;
                    }
                },
            }
        }
    }

    /// `None` when the lease is over.
    async fn renew(self: &Arc<Self>, task: &LeasedTask, ticket: &Ticket) -> Option<Renewed> {
        let (this, lease, progress) = (Arc::clone(self), task.lease, ticket.progress());
        let renew = move || {
            let now = this.pace.clock.now();
            this.records.task_renew(lease, now, now.plus(this.term()), progress)
        };
        match tokio::task::spawn_blocking(renew).await {
            Ok(Ok(renewed)) => Some(renewed),
            Ok(Err(error)) if error.kind() == ErrorKind::Stale => {
                tracing::warn!("{error}: what it gives is left out");
                None
            }
            Ok(Err(error)) => {
                tracing::warn!("task {}: {error}", lease.id);
                Some(Renewed::GoOn)
            }
            Err(_) => Some(Renewed::GoOn),
        }
    }

    async fn settle(self: &Arc<Self>, task: &LeasedTask, given: Given) {
        let (this, lease, kind) = (Arc::clone(self), task.lease, task.task.kind.clone());
        let note = move || {
            let now = this.pace.clock.now();
            let given = given.map(|value| value.to_string());
            let (records, id) = (&this.records, lease.id);
            match given {
                Ok(result) => match records.task_complete(lease, now, result) {
                    Err(error) if error.kind() == ErrorKind::Refused => {
                        this.fail((lease, &kind), now, &Fault::lasting(error));
                    }
                    Err(error) => tracing::warn!("task {id} ({kind}): {error}"),
                    Ok(()) => {}
                },
                Err(fault) => this.fail((lease, &kind), now, &fault),
            }
        };
        let _ = tokio::task::spawn_blocking(note).await;
    }

    fn fail(&self, (lease, kind): (TaskLease, &str), now: Timestamp, fault: &Fault) {
        let (id, reason) = (lease.id, &fault.reason);
        match self.records.task_fail(lease, now, reason, fault.again) {
            Ok(Failed::Again(at)) => {
                tracing::warn!("task {id} ({kind}) failed and is tried again at {at}: {reason}");
            }
            Ok(Failed::Dead) => tracing::error!(
                "task {id} ({kind}) failed for good: {reason}; `finstage tasks retry {id}` tries again"
            ),
            Ok(Failed::Cancelled) => tracing::info!("task {id} ({kind}) was called off"),
            Err(error) => tracing::warn!("task {id} ({kind}): {reason}; {error}"),
        }
    }

    async fn give_back(self: &Arc<Self>, task: &LeasedTask) {
        let (this, lease) = (Arc::clone(self), task.lease);
        let back = move || {
            if let Err(error) = this.records.task_release(lease, this.pace.clock.now()) {
                tracing::warn!("task {}: {error}", lease.id);
            }
        };
        let _ = tokio::task::spawn_blocking(back).await;
    }
}

/// Those who run something.
#[derive(Debug, Default)]
struct Crew {
    running: JoinSet<()>,
    held: HashMap<Id, Held>,
}

/// What one of them runs.
#[derive(Debug)]
struct Held {
    lease: TaskLease,
    lane: Option<String>,
    ticket: Ticket,
}

impl Crew {
    fn begin(&mut self, workers: &Arc<Workers>, task: LeasedTask, quit: watch::Receiver<bool>) {
        let ticket = Ticket::new();
        let held = Held { lease: task.lease, lane: task.task.lane.clone(), ticket: ticket.clone() };
        let begun = self.running.spawn(Arc::clone(workers).one((task, ticket), quit));
        self.held.insert(begun.id(), held);
    }

    /// Forgets those that have ended.
    fn dismiss(&mut self) {
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.forget(ended.map(|(id, ())| id));
        }
    }

    /// Waits for one to end; for ever where none runs.
    async fn one_ended(&mut self) {
        match self.running.join_next_with_id().await {
            Some(ended) => self.forget(ended.map(|(id, ())| id)),
            None => std::future::pending().await,
        }
    }

    fn forget(&mut self, ended: Result<Id, JoinError>) {
        self.held.remove(&ended.unwrap_or_else(|broken| broken.id()));
    }

    /// What may still be run by a thread when the queue believes that it is not: all that was called off.
    fn busy(&self) -> Busy {
        let mut busy = Busy::default();
        for held in self.held.values().filter(|held| held.ticket.is_called_off()) {
            busy.ids.insert(held.lease.id);
            busy.lanes.extend(held.lane.clone());
        }
        busy
    }
}

/// Waits for a handler that was called off, and with which its place and its lane become free.
async fn outlive(task: &LeasedTask, mut handle: JoinHandle<Given>) {
    if tokio::time::timeout(GRACE, &mut handle).await.is_err() {
        let (id, kind) = (task.lease.id, &task.task.kind);
        tracing::warn!(
            "task {id} ({kind}) does not hear that it is called off: its place and its lane wait for it"
        );
        let _ = handle.await;
    }
}

/// Waits until it is, or nobody is left to say so.
async fn is_true(quit: &mut watch::Receiver<bool>) {
    let _ = quit.wait_for(|quit| *quit).await;
}

/// How a handler ended.
enum End {
    Gave(Given),
    /// It took too much time or memory, in words.
    TooMuch(String),
    /// The service stops.
    Stopped,
    /// Another has the task.
    Lost,
}
