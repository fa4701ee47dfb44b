//! Waiting for one's turn under the limits of a server: the async shell around [`Books`].
//!
//! The books decide without waiting; this file brings the time, keeps the queue and wakes whoever
//! is next. One of those that wait drives: it sleeps until the next moment that the books named,
//! and hands the role on when it is admitted or gives up. So a limiter needs no task of its own,
//! and nobody sleeps while holding the lock.

mod permit;
mod share;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::quota::{Books, Next, Queue, Ticket, Waiter, nanos};
use crate::{Class, Cost, QuotaSnapshot, Rule};
pub use permit::Permit;
use share::{Entry, Share};

/// The most that wait in the queue; further ones wait for a place in it, first come, first served.
const MAX_WAITING: usize = 65_536;
/// Whoever waits looks again after this long at the latest: should the driver's task not run, a
/// neighbour takes over.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// So long after its moment a driver that has not moved is taken to be stuck.
const OVERDUE: u64 = 50_000_000;
/// The wait before the shared file is tried again when another process has it.
const FILE_BUSY: u64 = 1_000_000;

/// Where the count of nanoseconds begins that no other process reads: longer than any window.
const ALONE: u64 = 30 * 86_400 * 1_000_000_000;

/// How a [`Limiter`] behaves.
#[derive(Debug, Clone)]
pub struct LimiterOptions {
    /// A folder in which the processes of this machine share what was sent, a file for each name;
    /// `None`: this process has the key for itself.
    pub share: Option<PathBuf>,
    /// The most that a request is taken to arrive later than the quickest. What is longer is the
    /// server's own time. Never more than a quarter of a rule's window is used.
    pub guard_cap: Duration,
    /// Who has waited so long goes first, whatever the class.
    pub patience: Duration,
}

impl Default for LimiterOptions {
    /// Not shared, 1 s, 10 s.
    fn default() -> Self {
        Self { share: None, guard_cap: Duration::from_secs(1), patience: Duration::from_secs(10) }
    }
}

/// The limits of one server under one key. Clones share them.
///
/// ```
/// # use std::time::Duration;
/// use finstage_net::{Class, Cost, Limiter, LimiterOptions, Rule, Settlement, Shape};
///
/// const RULES: [Rule; 1] = [Rule {
///     name: "weight",
///     shape: Shape::Aligned,
///     limit: 6000,
///     window: Duration::from_secs(60),
///     default_cost: 1,
///     counts_refused: true,
/// }];
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let limiter = Limiter::new("binance", &RULES, LimiterOptions::default());
/// let mut permit = limiter.acquire(&[Cost { rule: "weight", amount: 2 }], Class::Normal).await;
/// permit.sent();
/// // … the request …
/// permit.answered(&Settlement::default());
/// assert_eq!(limiter.snapshot().quotas[0].used, 2);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Limiter(Arc<Shared>);

/// The figures of a [`Limiter`] at one moment. Counters only grow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LimiterSnapshot {
    /// What people call it.
    pub name: String,
    /// Each limit.
    pub quotas: Vec<QuotaSnapshot>,
    /// Requests that wait for their turn.
    pub waiting: u64,
    /// The mean wait of those that were admitted.
    pub mean_wait: Duration,
    /// The longest wait of those that were admitted.
    pub longest_wait: Duration,
    /// Requests that were admitted.
    pub admitted: u64,
    /// Requests that said they cost more than a limit; they wait until nothing else counts.
    pub clamped: u64,
    /// How long nothing is admitted, because the server said so.
    pub blocked_for: Option<Duration>,
    /// Why the file that processes share cannot be used: each counts for itself until it can.
    pub share_error: Option<String>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    time: Time,
    books: Books,
    queue: Queue,
    waiting: HashMap<u64, Waiting>,
    last_id: u64,
    /// Who sleeps until `wake_at` for all.
    driver: Option<u64>,
    wake_at: u64,
    share: Option<Share>,
    admitted: u64,
    total_wait: u128,
    longest_wait: u64,
}

/// Who waits, and what it was given meanwhile.
#[derive(Debug, Default)]
struct Waiting {
    notify: Arc<Notify>,
    ticket: Option<Box<Ticket>>,
}

/// The books' count of nanoseconds. Where processes share the books it starts at the machine's
/// monotonic clock, which all of them see alike; else at [`ALONE`], so that the same run decides the
/// same. It runs with tokio's clock, which tests can hold.
#[derive(Debug, Clone, Copy)]
struct Time {
    origin: Instant,
    at_origin: u64,
}

enum Turn {
    /// With whether no rest has begun since it was decided.
    Admitted(Box<Ticket>, bool),
    /// Sleep for all until then.
    Drive(u64),
    /// Be woken.
    Wait,
}

impl Limiter {
    /// Limits under which nothing was sent yet, by this process.
    ///
    /// # Panics
    /// With more than [`crate::MAX_RULES`] rules.
    #[must_use]
    pub fn new(name: &str, rules: &[Rule], options: LimiterOptions) -> Self {
        let time = Time::start(options.share.is_some());
        let share = options.share.map(|folder| Share::new(&folder, name, rules));
        let mut state = State {
            time,
            books: Books::new(rules, options.guard_cap),
            queue: Queue::new(nanos(options.patience)),
            waiting: HashMap::new(),
            last_id: 0,
            driver: None,
            wake_at: u64::MAX,
            share,
            admitted: 0,
            total_wait: 0,
            longest_wait: 0,
        };
        // What other processes sent is known before the first decision is asked for.
        state.catch_up();
        let places = Semaphore::new(MAX_WAITING);
        Self(Arc::new(Shared { name: name.to_owned(), places, state: Mutex::new(state) }))
    }

    /// Waits for the turn of a request that costs `costs`; of what is not named, the rule's
    /// default. First come, first served in a class. May be dropped at any moment.
    pub async fn acquire(&self, costs: &[Cost], class: Class) -> Permit {
        // Never closed, so there is always a place in the end.
        let _place = self.0.places.acquire().await;
        loop {
            let (permit, is_in_time) = self.admitted(costs, class).await;
            // A rest that began between the decision and this moment holds for it too.
            if is_in_time {
                return permit;
            }
        }
    }

    /// The permit once it is granted, and whether no rest has begun since.
    async fn admitted(&self, costs: &[Cost], class: Class) -> (Permit, bool) {
        let place = Place::take(&self.0, costs, class);
        loop {
            let turn = self.0.state().turn(place.id);
            match turn {
                Turn::Admitted(ticket, is_in_time) => {
                    return (Permit::new(Arc::clone(&self.0), place.id, ticket), is_in_time);
                }
                Turn::Drive(at) => {
                    let at = self.0.state().time.instant(at);
                    let at = at.min(Instant::now() + LOOK_AGAIN);
                    tokio::select! {
                        biased;
                        () = sleep_until(at) => {}
                        () = place.notify.notified() => {}
                    }
                }
                Turn::Wait => {
                    let _ = tokio::time::timeout(LOOK_AGAIN, place.notify.notified()).await;
                }
            }
        }
    }

    /// Admits a request now, or says how long it would have to wait at least.
    ///
    /// # Errors
    /// The wait. Whoever comes back then may still find others before it.
    pub fn try_acquire(&self, costs: &[Cost], class: Class) -> Result<Permit, Duration> {
        let mut state = self.0.state();
        let now = state.time.now();
        let amounts = state.books.amounts(costs);
        state.poll();
        if state.queue.would_pass(class, &amounts) {
            let at = state.wake_at.clamp(now + 1, now.saturating_add(nanos(LOOK_AGAIN)));
            return Err(Duration::from_nanos(at - now));
        }
        if !state.lock_share() {
            return Err(Duration::from_nanos(FILE_BUSY));
        }
        state.last_id += 1;
        let id = state.last_id;
        let decided = state.books.reserve(now, &amounts);
        if decided.is_ok() {
            state.say(now, id, &Entry::Reserved(amounts));
            state.count_admitted(0);
        }
        state.unlock_share();
        drop(state);
        match decided {
            Ok(ticket) => Ok(Permit::new(Arc::clone(&self.0), id, Box::new(ticket))),
            Err(at) => Err(Duration::from_nanos(at.saturating_sub(now))),
        }
    }

    /// Admits nothing at all for `wait`: the server said so.
    pub fn block(&self, wait: Duration) {
        let mut state = self.0.state();
        let now = state.time.now();
        let until = now.saturating_add(nanos(wait));
        state.books.block(until);
        state.tell(now, 0, &[Entry::Blocked(until)]);
    }

    /// How long nothing is admitted, because the server said so.
    #[must_use]
    pub fn blocked_for(&self) -> Option<Duration> {
        let state = self.0.state();
        let left = state.books.blocked_until().saturating_sub(state.time.now());
        (left > 0).then(|| Duration::from_nanos(left))
    }

    /// Its figures of this moment.
    #[must_use]
    pub fn snapshot(&self) -> LimiterSnapshot {
        let blocked_for = self.blocked_for();
        let mut state = self.0.state();
        state.catch_up();
        let now = state.time.now();
        let mean = state.total_wait / u128::from(state.admitted.max(1));
        LimiterSnapshot {
            name: self.0.name.clone(),
            quotas: state.books.snapshot(now),
            waiting: state.queue.len() as u64,
            mean_wait: Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)),
            longest_wait: Duration::from_nanos(state.longest_wait),
            admitted: state.admitted,
            clamped: state.books.clamped(),
            blocked_for,
            share_error: state.share.as_ref().and_then(Share::error),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The books are whole between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where the one with this id stands.
    fn turn(&mut self, id: u64) -> Turn {
        let now = self.time.now();
        let is_overdue = now > self.wake_at.saturating_add(OVERDUE);
        if self.driver.is_none() || self.driver == Some(id) || is_overdue {
            self.driver = Some(id);
            self.poll();
        }
        let ticket = self.waiting.get_mut(&id).and_then(|waiting| waiting.ticket.take());
        match ticket {
            Some(ticket) => {
                self.waiting.remove(&id);
                self.hand_on(id);
                Turn::Admitted(ticket, self.books.blocked_until() <= now)
            }
            None if self.driver == Some(id) => Turn::Drive(self.wake_at),
            None => Turn::Wait,
        }
    }

    /// Admits everyone whose turn has come.
    fn poll(&mut self) {
        if self.queue.len() == 0 {
            self.wake_at = u64::MAX;
            return;
        }
        let now = self.time.now();
        if !self.lock_share() {
            self.wake_at = now + FILE_BUSY;
            return;
        }
        let before = self.wake_at;
        self.wake_at = loop {
            match self.queue.next(now, &mut self.books) {
                Next::Admitted(waiter, ticket) => {
                    self.say(now, waiter.id, &Entry::Reserved(waiter.amounts));
                    self.count_admitted(now.saturating_sub(waiter.since));
                    if let Some(waiting) = self.waiting.get_mut(&waiter.id) {
                        waiting.ticket = Some(ticket);
                        waiting.notify.notify_one();
                        self.hand_on(waiter.id);
                    }
                }
                Next::At(at) => break at,
                Next::Nobody => break u64::MAX,
            }
        };
        self.unlock_share();
        if self.wake_at < before {
            self.wake_driver();
        }
    }

    /// If `id` drives, another one of those that wait does from now on.
    fn hand_on(&mut self, id: u64) {
        if self.driver == Some(id) {
            self.driver = self.queue.first(self.time.now());
            self.wake_driver();
        }
    }

    fn wake_driver(&self) {
        if let Some(waiting) = self.driver.and_then(|id| self.waiting.get(&id)) {
            waiting.notify.notify_one();
        }
    }

    /// Says to other processes what happened, and looks who can go now.
    fn tell(&mut self, now: u64, id: u64, entries: &[Entry]) {
        entries.iter().for_each(|entry| self.say(now, id, entry));
        // Whoever has the file reads it later; what was admitted is said already.
        if self.lock_share() {
            self.unlock_share();
        }
        self.poll();
    }

    fn say(&mut self, now: u64, id: u64, entry: &Entry) {
        if let Some(share) = &mut self.share {
            share.say(now, id, entry);
        }
    }

    fn catch_up(&mut self) {
        if self.lock_share() {
            self.unlock_share();
        }
    }

    /// Whether decisions may be made: nothing is shared, or we have the file and know all of it.
    fn lock_share(&mut self) -> bool {
        let now = self.time.now();
        self.share.as_mut().is_none_or(|share| share.lock(now, &mut self.books))
    }

    fn unlock_share(&mut self) {
        if let Some(share) = &mut self.share {
            share.unlock();
        }
    }

    fn count_admitted(&mut self, wait: u64) {
        self.admitted += 1;
        self.total_wait += u128::from(wait);
        self.longest_wait = self.longest_wait.max(wait);
    }
}

/// A place in the queue, given up when it is dropped.
struct Place {
    shared: Arc<Shared>,
    id: u64,
    notify: Arc<Notify>,
}

impl Place {
    fn take(shared: &Arc<Shared>, costs: &[Cost], class: Class) -> Self {
        let mut state = shared.state();
        state.last_id += 1;
        let id = state.last_id;
        let waiter = Waiter { id, amounts: state.books.amounts(costs), since: state.time.now() };
        state.queue.push(class, waiter);
        let waiting = Waiting::default();
        let notify = Arc::clone(&waiting.notify);
        state.waiting.insert(id, waiting);
        // An urgent one may come before those that wait.
        if class == Class::Urgent || state.driver.is_none() {
            state.poll();
        }
        drop(state);
        Self { shared: Arc::clone(shared), id, notify }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let Some(waiting) = state.waiting.remove(&self.id) else { return };
        state.queue.remove(self.id);
        if let Some(ticket) = waiting.ticket {
            let now = state.time.now();
            state.books.give_back(&ticket);
            state.tell(now, self.id, &[Entry::GivenBack]);
        }
        let id = self.id;
        state.hand_on(id);
    }
}

impl Time {
    fn start(is_shared: bool) -> Self {
        if !is_shared {
            return Self { origin: Instant::now(), at_origin: ALONE };
        }
        let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let seconds = u64::try_from(clock.tv_sec).unwrap_or_default();
        let rest = u64::try_from(clock.tv_nsec).unwrap_or_default();
        Self { origin: Instant::now(), at_origin: seconds * 1_000_000_000 + rest }
    }

    fn now(&self) -> u64 {
        self.at_origin.saturating_add(nanos(self.origin.elapsed()))
    }

    /// The moment of tokio's clock at which the count is `at`; a far one is a day away.
    fn instant(&self, at: u64) -> Instant {
        const DAY: u64 = 86_400_000_000_000;
        let ahead = at.saturating_sub(self.at_origin);
        self.origin + Duration::from_nanos(ahead.min(nanos(self.origin.elapsed()) + DAY))
    }
}
