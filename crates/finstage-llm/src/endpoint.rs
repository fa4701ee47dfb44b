//! What all who ask one address with one key share: connections, limits by model, and what was learned of both.

mod flight;
mod lane;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finstage_model::Clock;
use finstage_net::{
    Class, Client, ClientOptions, Concurrency, Error as NetError, ErrorKind as NetErrorKind,
    Remote, RemoteOptions, Request, Response, RetryPolicy, Streamed, SystemClock, Terms,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::hints::{REQUESTS, TOKENS};
use crate::provider::{Fault, Outcome, Place, Question, Remedy};
use crate::{
    ByteCounting, Counting, Error, ErrorKind, Estimate, Halt, MAX_IN_HAND, Provider, RowError,
    Usage,
};

use flight::Flight;
pub(crate) use lane::Lane;
pub use lane::LaneSnapshot;

/// The most models that are told apart; further ones share limits and figures.
pub const MAX_MODELS: usize = 64;
/// The longest time to a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer: thousands of embeddings.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// So long a server may stay without any answer at all before it is taken not to be there.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// How long is waited before a server is asked again that is down.
const DOWN: Duration = Duration::from_secs(1);
/// The shortest such wait.
const LEAST_REST: Duration = Duration::from_millis(100);

/// How an endpoint is asked.
#[derive(Debug, Clone)]
pub struct EndpointOptions {
    /// Requests a minute of each model; `None`: not known, learned from answers.
    pub rpm: Option<u32>,
    /// Tokens a minute of each model; `None`: not known, learned from answers.
    pub tpm: Option<u32>,
    /// Requests of a model at once.
    pub concurrency: Concurrency,
    /// Who goes first where questions wait.
    pub class: Class,
    /// The longest that one attempt may take; more where the model usually takes a quarter of that.
    pub attempt: Duration,
    /// The longest that a question may take, with all its waits and attempts.
    pub deadline: Duration,
    /// When an attempt is made again.
    pub retry: RetryPolicy,
    /// Counts tokens before a question is asked.
    pub counting: Arc<dyn Counting>,
    /// Tells what time a server's dates are compared with.
    pub clock: Arc<dyn Clock>,
    /// The beginning of all chance in waits.
    pub seed: u64,
}

impl Default for EndpointOptions {
    /// Limits unknown, 64 at once, in the background, 2 minutes an attempt and half an hour a question, five
    /// repetitions.
    fn default() -> Self {
        let seed = RemoteOptions::default().seed;
        Self {
            rpm: None,
            tpm: None,
            concurrency: Concurrency::Fixed(64),
            class: Class::Background,
            attempt: Duration::from_secs(120),
            deadline: Duration::from_secs(1_800),
            retry: RetryPolicy::BATCH_ROWS,
            counting: Arc::new(ByteCounting),
            clock: Arc::new(SystemClock),
            seed,
        }
    }
}

impl EndpointOptions {
    /// Limits on the network that leave the time of an attempt to the endpoint: a model may think for minutes
    /// before its first byte.
    #[must_use]
    pub fn client_options() -> ClientOptions {
        ClientOptions {
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: lane::MAX_ATTEMPT,
            total_timeout: lane::MAX_ATTEMPT,
            max_body_bytes: MAX_ANSWER_BYTES,
            // How many are out is said by each model's concurrency; a second queue would only hide it.
            connections_per_host: MAX_IN_HAND,
            ..ClientOptions::default()
        }
    }
}

/// One address and key of a provider. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Endpoint(Arc<Shared>);

struct Shared {
    provider: Arc<dyn Provider>,
    place: Place,
    /// Without a remote: each lane has its own.
    client: Client,
    options: EndpointOptions,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    /// Whether anything ever did, whatever it said.
    has_answered: AtomicBool,
    /// For what is no question: usage, files, batches.
    desk: Client,
}

/// How asking ended.
#[derive(Debug)]
pub(crate) enum Asked {
    /// With an answer, or a fault.
    Ended(Outcome, Sent),
    /// Stopped before there was an answer.
    Halted(Sent),
    /// Nothing at this address has ever answered.
    Unreachable(String, Sent),
}

/// What left on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Requests.
    pub(crate) requests: u32,
    /// Whether one of them stayed without an answer: what it cost is not known.
    pub(crate) is_lost: bool,
}

impl Endpoint {
    /// An endpoint that was not asked yet. `client` carries its requests, unless the provider has what
    /// carries them itself.
    #[must_use]
    pub fn new(
        provider: Arc<dyn Provider>,
        place: Place,
        client: &Client,
        options: EndpointOptions,
    ) -> Self {
        let client = match provider.transport() {
            Some(transport) => client.carried_by(transport),
            None => client.clone(),
        };
        let name = format!("{} at {}", provider.name(), place.base());
        let desk = RemoteOptions {
            clock: Arc::clone(&options.clock),
            seed: options.seed,
            ..RemoteOptions::default()
        };
        let desk = client.at(&Remote::with(name, Terms::PLAIN, desk));
        let lanes = Mutex::default();
        let has_answered = AtomicBool::new(false);
        Self(Arc::new(Shared { provider, place, client, options, lanes, has_answered, desk }))
    }

    /// Its provider.
    #[must_use]
    pub fn provider(&self) -> &dyn Provider {
        &*self.0.provider
    }

    /// Where it is asked.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// How it is asked.
    #[must_use]
    pub fn options(&self) -> &EndpointOptions {
        &self.0.options
    }

    /// The sizes of a question, as its counter sees them.
    #[must_use]
    pub fn sizes(&self, question: &Question<'_>) -> Estimate {
        self.0.options.counting.count(question)
    }

    /// The figures of each model so far, by name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<LaneSnapshot> {
        let lanes: Vec<Arc<Lane>> = self.lanes().values().cloned().collect();
        let mut figures: Vec<_> = lanes.iter().map(|lane| lane.snapshot()).collect();
        figures.sort_by(|one, other| one.model.cmp(&other.model));
        figures
    }

    /// What the key has used, as the provider tells it.
    ///
    /// # Errors
    /// When the key is not taken, the provider has no such page, or cannot be reached.
    pub async fn usage(&self) -> Result<Value, Error> {
        let Some(request) = self.0.provider.usage_check(&self.0.place) else {
            let words = format!("{} tells nobody what was used", self.0.provider.name());
            return Err(Error::new(ErrorKind::Invalid, words));
        };
        let response = self.send(&request).await?;
        match response.status {
            200 => serde_json::from_slice(&response.body).map_err(|error| {
                Error::new(ErrorKind::Provider, format!("{request}: no JSON")).because(error)
            }),
            401 => {
                let base = self.0.place.base();
                let words =
                    format!("the key is invalid at {base}: issue a new one, or look at base url");
                Err(Error::new(ErrorKind::Denied, words))
            }
            status => {
                let words = format!("{request}: answered with status {status}");
                Err(Error::new(ErrorKind::Provider, words))
            }
        }
    }

    /// A client at the limits of a model, and `request` with its costs and its time: for whoever passes on what
    /// another program asks, as it was written.
    pub fn way(&self, (model, sizes): (&str, &Estimate), request: Request) -> (Client, Request) {
        let lane = self.lane(model);
        let request = self.dressed(request, (&lane, sizes));
        (lane.client.clone(), request)
    }

    /// Learns what a question that was passed on turned out to be.
    pub fn counted(&self, (model, sizes): (&str, &Estimate), usage: &Usage) {
        self.lane(model).counted(sizes, usage);
    }

    /// What all questions to each model share.
    #[must_use]
    pub fn remotes(&self) -> Vec<Remote> {
        self.lanes().values().filter_map(|lane| lane.client.remote().cloned()).collect()
    }

    /// Sends what is no question: one of a few requests that all models share.
    pub(crate) async fn send(&self, request: &Request) -> Result<Response, Error> {
        let sent = self.0.desk.send(request).await;
        sent.map_err(|error| Error::new(ErrorKind::Provider, "no answer").because(error))
    }

    /// The same for an answer that is read while it comes.
    pub(crate) async fn send_open(&self, request: &Request) -> Result<Streamed, Error> {
        let sent = self.0.desk.open(request).await;
        sent.map_err(|error| Error::new(ErrorKind::Provider, "no answer").because(error))
    }

    /// Asks, and gives the answer once it begins.
    pub(crate) async fn open(&self, question: &Question<'_>) -> Result<Streamed, Fault> {
        let lane = self.lane(question.model());
        let unasked = |error| Fault { error, remedy: Remedy::Question };
        let request = self.0.provider.request(question, &self.0.place).map_err(unasked)?;
        let request = self.costed(request, (&lane, &self.sizes(question))).idempotent();
        let streamed = lane.client.open(&request).await.map_err(|error| fault_of(&error))?;
        self.0.has_answered.store(true, Ordering::Relaxed);
        Ok(streamed)
    }

    /// Asks, waits for its turn and repeats as long as that may help.
    pub(crate) async fn ask(
        &self,
        question: &Question<'_>,
        sizes: &Estimate,
        halt: &Halt,
    ) -> Asked {
        let unsent = Sent { requests: 0, is_lost: false };
        let lane = self.lane(question.model());
        let request = match self.0.provider.request(question, &self.0.place) {
            Ok(request) => self.dressed(request, (&lane, sizes)),
            Err(error) => {
                let fault = Fault { error, remedy: Remedy::Question };
                return Asked::Ended(Outcome::Failed(fault), unsent);
            }
        };
        let flight = Arc::new(Flight::new(Arc::clone(self.0.client.transport()), halt.clone()));
        let client = lane.client.carried_by(Arc::clone(&flight) as _);
        let begun = Instant::now();
        let deadline = begun + self.0.options.deadline;
        loop {
            let Some(end) = flight.fly(&client, &request).await else { break };
            flight.landed().into_iter().for_each(|time| lane.took(time));
            let (outcome, rest) = match end {
                Ok(response) => {
                    self.0.has_answered.store(true, Ordering::Relaxed);
                    (self.0.provider.read(&response), None)
                }
                Err(error) if flight.is_halted() && flight.is_stopped_error(&error) => break,
                Err(error) => {
                    // That a server is left alone says less than why.
                    if error.kind() != NetErrorKind::Resting {
                        lane.failed(&error);
                    }
                    (Outcome::Failed(fault_of(&error)), error.wait())
                }
            };
            let rest = match &outcome {
                Outcome::Failed(fault) if fault.remedy == Remedy::Later => self.rest(&lane, rest),
                _ => None,
            };
            let is_there = self.0.has_answered.load(Ordering::Relaxed);
            if rest.is_some() && !is_there && begun.elapsed() >= FIRST_ANSWER {
                return Asked::Unreachable(lane.trouble(), flight.sent());
            }
            match rest.filter(|rest| Instant::now() + *rest < deadline) {
                // A server that is down for all is no fault of this row.
                Some(rest) => tokio::select! {
                    () = sleep(rest) => {}
                    () = halt.stopped() => break,
                },
                None => return Asked::Ended(redacted(outcome, &request), flight.sent()),
            }
        }
        Asked::Halted(flight.sent())
    }

    /// How long to wait before a question is taken up again whose server failed: where it fails for all, or has
    /// not answered anybody yet. `None` where only this one failed.
    fn rest(&self, lane: &Lane, named: Option<Duration>) -> Option<Duration> {
        let is_there = self.0.has_answered.load(Ordering::Relaxed);
        let rest = named.or_else(|| (!is_there || lane.is_down()).then_some(DOWN));
        rest.map(|rest| rest.max(LEAST_REST))
    }

    /// The request with its costs, its place among others, and its time.
    fn dressed(&self, request: Request, (lane, sizes): (&Lane, &Estimate)) -> Request {
        self.costed(request, (lane, sizes))
            // Rows are done once, questions asked at least once.
            .idempotent()
            .within(lane.attempt_limit())
    }

    fn costed(&self, request: Request, (lane, sizes): (&Lane, &Estimate)) -> Request {
        let tokens = u32::try_from(lane.estimate(sizes)).unwrap_or(u32::MAX);
        request.class(self.0.options.class).cost(REQUESTS, 1).cost(TOKENS, tokens)
    }

    /// What all questions to a model share.
    pub(crate) fn lane(&self, model: &str) -> Arc<Lane> {
        let mut lanes = self.lanes();
        if let Some(lane) = lanes.get(model) {
            return Arc::clone(lane);
        }
        let model = if lanes.len() < MAX_MODELS { model } else { "" };
        let lane = lanes.entry(model.to_owned()).or_insert_with(|| {
            let terms = self.0.provider.terms();
            Arc::new(Lane::new(model, &self.0.client, (terms, &self.0.options)))
        });
        Arc::clone(lane)
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Lane>>> {
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (provider, place) = (self.0.provider.name(), &self.0.place);
        f.debug_struct("Endpoint").field("provider", &provider).field("place", place).finish()
    }
}

/// Servers repeat a key in their errors.
fn redacted(outcome: Outcome, request: &Request) -> Outcome {
    match outcome {
        Outcome::Failed(mut fault) => {
            fault.error.message = request.redact(&fault.error.message);
            Outcome::Failed(fault)
        }
        answered @ Outcome::Answered(_) => answered,
    }
}

/// What it means that there was no answer.
pub(crate) fn fault_of(error: &NetError) -> Fault {
    let code = match error.kind() {
        NetErrorKind::Timeout => "timeout",
        NetErrorKind::Unavailable | NetErrorKind::Refused => "unreachable",
        NetErrorKind::Limited => "limited",
        NetErrorKind::Resting => "down",
        NetErrorKind::TooLarge => "too_large",
        NetErrorKind::Invalid => "invalid",
        NetErrorKind::Denied => "denied",
        _ => "protocol",
    };
    let remedy = match error.kind() {
        NetErrorKind::TooLarge | NetErrorKind::Invalid => Remedy::Question,
        _ => Remedy::Later,
    };
    let error = RowError { code: code.to_owned(), message: error.to_string(), reply: None };
    Fault { error, remedy }
}
