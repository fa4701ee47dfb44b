//! What all requests to one server under one key share: its limits, its breaker, its retries, and
//! the figures that show them.

mod turn;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::{Clock, Timestamp, format_duration};
use tokio::time::{Instant, timeout_at};

use crate::breaker::Breaker;
use crate::budget::{After, Budget};
use crate::concurrency::Slots;
use crate::hedge::Hedge;
use crate::{
    BreakerOptions, BudgetOptions, Class, Concurrency, Cost, Error, ErrorKind, Failure,
    HedgeOptions, Jitter, Limiter, LimiterOptions, Method, Permit, Phase, Reading, Refusals,
    Request, Response, RetryPolicy, Rule, Shape, Sign, SystemClock, retry_after,
};

use turn::Out;
pub(crate) use turn::{Outstanding, Turn};

/// How a server is asked: what it allows and how it says no. A constant of each venue's file.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Its limits.
    pub rules: &'static [Rule],
    /// What an answer means.
    pub judge: fn(&Response, Timestamp) -> Sign,
    /// What an answer says about the limits.
    pub readings: fn(&Response) -> Vec<Reading>,
    /// What a request cost in the end, where an answer says it: charged where it is more than was said
    /// before ([`Request::cost`]), given back where it is less and the rule's shape says so.
    pub actual: fn(&Response) -> Vec<Cost>,
    /// How long to ask nothing after "too many requests" without a word about how long.
    pub block: Duration,
}

impl Terms {
    /// Terms of a server that names no limits and speaks plain HTTP.
    pub const PLAIN: Self = Self {
        rules: &[],
        judge: Sign::of_status,
        readings: |_| Vec::new(),
        actual: |_| Vec::new(),
        block: Duration::from_secs(5),
    };
}

impl Sign {
    /// What a plain HTTP server means by its status.
    #[must_use]
    pub fn of_status(response: &Response, now: Timestamp) -> Self {
        let retry_after = retry_after(response, now);
        match response.status {
            429 => Self::Limited { retry_after },
            418 => Self::Banned { retry_after },
            401 => Self::Unauthorized,
            408 | 500.. => Self::Unavailable { retry_after },
            _ => Self::Fine,
        }
    }
}

/// How a [`Remote`] behaves towards its server: what is not the server's word but ours.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// When what failed is sent again.
    pub retry: RetryPolicy,
    /// How much is sent again in all.
    pub budget: BudgetOptions,
    /// When a failing server is left alone.
    pub breaker: BreakerOptions,
    /// How many requests may be out at once.
    pub concurrency: Concurrency,
    /// When a read is asked a second time; never where there is none.
    pub hedge: Option<HedgeOptions>,
    /// The longest a call may take, with all its waits and attempts.
    pub deadline: Duration,
    /// The same for what nobody waits for: [`Class::Background`].
    pub background_deadline: Duration,
    /// Addresses that stand in for each other, without a `/` at the end. Requests are written for
    /// the first one; where one fails the next is asked, and stays preferred.
    pub hosts: Vec<String>,
    /// Its limits, where they are known only now: in place of [`Terms::rules`], whose readings they have
    /// to be named for.
    pub rules: Option<Vec<Rule>>,
    /// How its limits are kept.
    pub limiter: LimiterOptions,
    /// Tells what time a server's `Retry-After` is compared with.
    pub clock: Arc<dyn Clock>,
    /// The beginning of all chance in waits.
    pub seed: u64,
}

impl Default for RemoteOptions {
    /// The standard policies; 60 s, and 15 minutes in the background; a seed of this moment.
    fn default() -> Self {
        Self {
            retry: RetryPolicy::STANDARD,
            budget: BudgetOptions::PURSE,
            breaker: BreakerOptions::STANDARD,
            concurrency: Concurrency::default(),
            hedge: None,
            deadline: Duration::from_secs(60),
            background_deadline: Duration::from_secs(900),
            hosts: Vec::new(),
            rules: None,
            limiter: LimiterOptions::default(),
            clock: Arc::new(SystemClock),
            // Processes that began at different moments must not wait alike.
            seed: SystemClock.now().nanos() as u64 ^ u64::from(std::process::id()),
        }
    }
}

/// Kinds of requests that are told apart; further ones share the first one's state.
const MAX_LANES: usize = 32;

/// The shared state towards one server and key. Cheap to clone; clones are the same state.
#[derive(Debug, Clone)]
pub struct Remote(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    terms: Terms,
    options: RemoteOptions,
    limiter: Limiter,
    /// Whether a limit is kept by a pace, which then answers "too fast" alone.
    is_paced: bool,
    slots: Slots,
    origin: Instant,
    /// Which of the hosts is asked first.
    preferred: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By kind of request; the first is that of requests without one.
    lanes: Vec<Lane>,
    budget: Budget,
    jitter: Jitter,
    recent: Recent,
    sent: u64,
    retries: u64,
    hedges: u64,
    refused: u64,
    failed: u64,
    in_flight: u64,
}

#[derive(Debug)]
struct Lane {
    endpoint: &'static str,
    breaker: Breaker,
    hedge: Option<Hedge>,
}

/// The last hundred outcomes.
#[derive(Debug, Default)]
struct Recent {
    good: u128,
    known: u32,
}

impl Recent {
    const MANY: u32 = 100;

    fn push(&mut self, is_good: bool) {
        self.good = (self.good << 1 | u128::from(is_good)) & ((1 << Self::MANY) - 1);
        self.known = (self.known + 1).min(Self::MANY);
    }

    fn share(&self) -> f64 {
        if self.known == 0 {
            1.0
        } else {
            f64::from(self.good.count_ones()) / f64::from(self.known)
        }
    }
}

impl Remote {
    /// The state towards a server that has not been asked yet.
    #[must_use]
    pub fn new(name: impl Into<String>, terms: Terms) -> Self {
        Self::with(name, terms, RemoteOptions::default())
    }

    /// The same with policies of its own.
    #[must_use]
    pub fn with(name: impl Into<String>, terms: Terms, options: RemoteOptions) -> Self {
        let name = name.into();
        let rules = options.rules.clone().unwrap_or_else(|| terms.rules.to_vec());
        let limiter = Limiter::new(&name, &rules, options.limiter.clone());
        let state = State {
            lanes: vec![Lane::new("", &options)],
            budget: Budget::new(options.budget),
            jitter: Jitter::seeded(options.seed),
            recent: Recent::default(),
            sent: 0,
            retries: 0,
            hedges: 0,
            refused: 0,
            failed: 0,
            in_flight: 0,
        };
        Self(Arc::new(Shared {
            name,
            terms,
            is_paced: rules.iter().any(|rule| rule.shape == Shape::Paced),
            limiter,
            slots: Slots::new(options.concurrency),
            origin: Instant::now(),
            preferred: AtomicUsize::new(0),
            state: Mutex::new(state),
            options,
        }))
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How it is asked.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.0.terms
    }

    /// How we behave towards it.
    #[must_use]
    pub fn options(&self) -> &RemoteOptions {
        &self.0.options
    }

    /// Its limits, for what is no request: opening a stream, sending a command.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Waits until the limits allow something that is no request, and charges it.
    pub async fn admit(&self, costs: &[Cost], class: Class) -> Permit {
        self.0.limiter.acquire(costs, class).await
    }

    /// Its figures of this moment.
    #[must_use]
    pub fn snapshot(&self) -> RemoteSnapshot {
        let limits = self.0.limiter.snapshot();
        let now = self.now();
        let wall = self.0.options.clock.now();
        let (concurrency, for_a_place) = self.0.slots.limit_and_waiting();
        let state = self.state();
        let worst = |lane: &Lane| lane.breaker.state(now);
        let states = || state.lanes.iter().map(worst);
        let breaker = [BreakerState::Open, BreakerState::HalfOpen]
            .into_iter()
            .find(|bad| states().any(|state| state == *bad))
            .unwrap_or_default();
        RemoteSnapshot {
            name: self.0.name.clone(),
            quotas: limits.quotas,
            breaker,
            opens: state.lanes.iter().map(|lane| lane.breaker.opens()).sum(),
            blocked_until: limits.blocked_for.map(|rest| wall.plus(rest)),
            sent: state.sent,
            retries: state.retries,
            hedges: state.hedges,
            refused: state.refused,
            failed: state.failed,
            in_flight: state.in_flight,
            concurrency: u64::from(concurrency),
            waiting: limits.waiting + u64::from(for_a_place),
            mean_wait: limits.mean_wait,
            longest_wait: limits.longest_wait,
        }
    }

    fn now(&self) -> Duration {
        self.0.origin.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call asks of its remote.
impl Remote {
    /// When a call that begins now must be over.
    pub(crate) fn deadline(&self, request: &Request) -> Instant {
        let options = &self.0.options;
        Instant::now()
            + match request.priority() {
                Class::Urgent | Class::Normal => options.deadline,
                Class::Background => options.background_deadline,
            }
    }

    /// A call begins.
    pub(crate) fn called(&self) {
        self.state().budget.called();
    }

    /// Waits for a place, and for the limits; fails where the breaker is open or where it would
    /// wait beyond the deadline.
    pub(crate) async fn turn(
        &self,
        request: &Request,
        deadline: Instant,
    ) -> Result<Turn<'_>, Error> {
        self.look(request)?;
        if let Some(rest) = self.0.limiter.blocked_for()
            && Instant::now() + rest > deadline
        {
            return Err(self.resting(request, rest));
        }
        let late = |_| {
            let message = format!("{request}: no turn in time, too many requests wait for {self}");
            Error::new(ErrorKind::Timeout, message).during(Phase::Turn)
        };
        let slot = timeout_at(deadline, self.0.slots.take()).await.map_err(late)?;
        let permit = self.0.limiter.acquire(request.costs(), request.priority());
        let permit = timeout_at(deadline, permit).await.map_err(late)?;
        let now = self.now();
        let (ticket, lane, hedge_after) = {
            let mut state = self.state();
            let place = state.lane(request.endpoint_name(), &self.0.options);
            let lane = &mut state.lanes[place];
            let ticket = lane.breaker.pass(now).map_err(|wait| self.broken(request, wait))?;
            let reads = request.method() == Method::Get;
            let after = lane.hedge.as_mut().filter(|_| reads).and_then(Hedge::begin);
            (ticket, place, after)
        };
        let out = Out { ticket: Some(ticket), permit, is_sent: false };
        Ok(Turn {
            remote: self,
            lane,
            out: Some(out),
            hedge_after,
            first_sent: None,
            sent_at: now,
            slot: Some(slot),
        })
    }

    fn look(&self, request: &Request) -> Result<(), Error> {
        let now = self.now();
        let mut state = self.state();
        let lane = state.lane(request.endpoint_name(), &self.0.options);
        state.lanes[lane].breaker.look(now).map_err(|wait| self.broken(request, wait))
    }

    fn resting(&self, request: &Request, rest: Duration) -> Error {
        let rest_text = format_duration(rest);
        let message = format!("{request}: {self} wants no requests for {rest_text}");
        Error::new(ErrorKind::Limited, message).retry_in(rest)
    }

    fn broken(&self, request: &Request, wait: Duration) -> Error {
        let wait = wait.max(SHORTEST_WAIT);
        let wait_text = format_duration(wait);
        let message =
            format!("{request}: {self} failed too often and is left alone for {wait_text}");
        Error::new(ErrorKind::Resting, message).retry_in(wait)
    }

    /// The wait before a call that failed so often is repeated; `None` where it is not.
    pub(crate) fn wait_before(&self, trouble: Trouble, hosts_left: bool) -> Option<Duration> {
        let now = self.now();
        let state = &mut *self.state();
        let is_refusal = trouble.after == After::TooMany;
        let failure = Failure {
            before: trouble.before,
            is_refusal,
            asked: trouble.asked,
            success_share: state.recent.share(),
        };
        let wait = if hosts_left {
            Duration::ZERO
        } else {
            self.0.options.retry.next(failure, &mut state.jitter)?
        };
        let is_free = is_refusal && self.has_free_refusals();
        (is_free || state.budget.take(now, trouble.after)).then_some(wait)
    }

    /// Whether "too many" takes nothing from a call.
    pub(crate) fn has_free_refusals(&self) -> bool {
        self.0.options.retry.refusals == Refusals::Free
    }

    /// A call ends well.
    pub(crate) fn succeeded(&self, repeated: Option<After>) {
        self.state().budget.succeeded(repeated);
    }

    /// A request is sent again.
    pub(crate) fn repeated(&self) {
        self.state().retries += 1;
    }

    /// The host to ask: its place, and the request written for it where it is not the first.
    pub(crate) fn host<'a>(&self, request: &'a Request) -> (usize, Cow<'a, Request>) {
        let hosts = &self.0.options.hosts;
        let place = self.0.preferred.load(Ordering::Relaxed) % hosts.len().max(1);
        let moved = (place > 0).then(|| request.moved(&hosts[0], &hosts[place])).flatten();
        (place, moved.map_or(Cow::Borrowed(request), Cow::Owned))
    }

    /// The host failed: the next one is preferred from now on, unless somebody saw it before.
    pub(crate) fn host_failed(&self, place: usize) {
        let next = (place + 1) % self.0.options.hosts.len().max(1);
        let preferred = &self.0.preferred;
        // A lost race says that another caller has moved on already.
        let _ = preferred.compare_exchange(place, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// What is reported where a breaker waits for its probes: they are out, and may come back at once.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

impl State {
    fn lane(&mut self, endpoint: &'static str, options: &RemoteOptions) -> usize {
        if let Some(place) = self.lanes.iter().position(|lane| lane.endpoint == endpoint) {
            return place;
        }
        if self.lanes.len() == MAX_LANES {
            return 0;
        }
        self.lanes.push(Lane::new(endpoint, options));
        self.lanes.len() - 1
    }
}

impl Lane {
    fn new(endpoint: &'static str, options: &RemoteOptions) -> Self {
        let breaker = Breaker::new(options.breaker);
        Self { endpoint, breaker, hedge: options.hedge.map(Hedge::new) }
    }
}

/// A failed attempt, as far as the question goes whether there is another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    /// Attempts of the call that failed before; free refusals are not among them.
    pub(crate) before: u32,
    pub(crate) asked: Option<Duration>,
    pub(crate) after: After,
}

/// The figures of a [`Remote`] at one moment. Counters only grow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RemoteSnapshot {
    /// What people call it.
    pub name: String,
    /// Each limit.
    pub quotas: Vec<QuotaSnapshot>,
    /// Whether requests are let through.
    pub breaker: BreakerState,
    /// How often the breaker opened.
    pub opens: u64,
    /// Until when nothing is sent, because the server said so.
    pub blocked_until: Option<Timestamp>,
    /// Requests sent, repetitions included.
    pub sent: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Reads asked a second time because the first took long.
    pub hedges: u64,
    /// Answers that said "too many".
    pub refused: u64,
    /// Requests without a usable answer.
    pub failed: u64,
    /// Requests that are out.
    pub in_flight: u64,
    /// The most that may be out at once, as learned.
    pub concurrency: u64,
    /// Requests that wait for their turn.
    pub waiting: u64,
    /// The mean wait for a turn.
    pub mean_wait: Duration,
    /// The longest wait for a turn so far.
    pub longest_wait: Duration,
}

/// One limit at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaSnapshot {
    /// The rule's name.
    pub rule: &'static str,
    /// The limit as it is known now.
    pub limit: u64,
    /// The length of its window.
    pub window: Duration,
    /// What we know to be used, others with the same key included.
    pub used: u64,
    /// Of that, what others used.
    pub by_others: u64,
    /// The spread of the delay that is allowed for, as learned.
    pub guard: Duration,
}

/// Whether requests are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BreakerState {
    /// Yes.
    #[default]
    Closed,
    /// A few, to see whether the server is back.
    HalfOpen,
    /// No.
    Open,
}
