//! `/gateway/openai/v1/*`: questions to models at their limits, with the house's key and money.

mod body;
mod question;
mod relay;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use finstage_llm::{CHAT, EMBEDDINGS, Endpoint, EndpointOptions, Estimate, Place, Row, providers};
use finstage_model::Clock;
use finstage_net::{
    Cache, CacheOptions, Class, Client, ClientOptions, Concurrency, Method, Remote, RemoteOptions,
    Request, Response, Sign, Terms,
};
use finstage_seal::Secret;
use finstage_server::{Asked, Given};
use serde_json::Map;
use tokio::sync::Semaphore;

use self::question::Asking;
use super::clients::Program;
use super::ledger::{Ledger, Spent};
use super::meter::Meter;
use super::money::{Daily, Till};
use super::passing::passed;
use super::refusal::Refusal;
use super::venues::NotKept;
use crate::config::settings::{LlmSettings, Settings};
use crate::exit::{Exit, Failure, Result};

/// Where the older kind of question goes.
const COMPLETIONS: &str = "/v1/completions";
/// Where the newer kind of question goes.
const RESPONSES: &str = "/v1/responses";
/// The most questions that are held at once, waiting or out.
const MAX_WAITING: usize = 2_048;
/// The longest that a question may wait for its turn and its answer.
const LONGEST: Duration = Duration::from_secs(1_800);
/// The largest answer.
const ANSWER_MAX_BYTES: usize = 64 << 20;
/// The largest file of a batch, with what a form has beside it.
pub(super) const MAX_FILE_BYTES: usize = 201 << 20;
/// How many answers, and how many bytes of them, are given again.
const KEPT_ANSWERS: usize = 10_000;
const KEPT_BYTES: usize = 64 << 20;

/// Models, as programs ask them.
#[derive(Debug)]
pub(super) struct Models {
    endpoint: Endpoint,
    /// For what is no question: lists, files, batches.
    desk: Client,
    /// The model where a question names none.
    usual: Option<String>,
    till: Arc<Till>,
    answers: Option<Answers>,
    places: Arc<Semaphore>,
    /// Why nothing can be asked, where that is so.
    trouble: Option<String>,
}

/// Answers, by question.
type Answers = Cache<[u8; 32], Arc<Response>, NotKept>;

impl Models {
    /// `spent` is what was spent on this day.
    pub(super) fn new(
        settings: &Settings,
        ledger: &Arc<Ledger>,
        spent: &Spent,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let llm = &settings.llm;
        let client = Client::new(client_options(llm)).map_err(|e| Failure::new(Exit::Remote, e))?;
        let kind = providers::ALL.iter().find(|kind| kind.name == "openai");
        let kind = kind.expect("the provider is listed");
        let (key, missing) = key(llm);
        let place = Place::new(llm.base_url.as_deref().unwrap_or(kind.base), key.as_ref())
            .and_then(|place| match &key {
                Some(_) => place.expect_prefix(&llm.key_prefix),
                None => Ok(place),
            });
        let place = place.map_err(|why| Failure::new(Exit::Auth, format!("[llm]: {why}")))?;
        let is_spoken = llm.provider == kind.name;
        let not_spoken =
            || format!("llm.provider is {}: the gateway passes openai only", llm.provider);
        let trouble = (!is_spoken).then(not_spoken);
        let trouble = trouble.or(missing.filter(|_| llm.base_url.is_none()));
        let options = EndpointOptions {
            rpm: llm.rpm.map(|rpm| u32::try_from(rpm).unwrap_or(u32::MAX)),
            tpm: llm.tpm.map(|tpm| u32::try_from(tpm).unwrap_or(u32::MAX)),
            concurrency: Concurrency::Fixed(llm.concurrency),
            // Somebody waits for it; rows do not.
            class: Class::Normal,
            attempt: llm.timeout,
            deadline: LONGEST,
            clock: Arc::clone(clock),
            ..EndpointOptions::default()
        };
        load_tokenizer();
        let provider = (kind.build)();
        let desk = Remote::with(
            "openai files and lists",
            // Files are not always JSON.
            Terms { judge: Sign::of_status, ..provider.terms() },
            RemoteOptions { clock: Arc::clone(clock), ..RemoteOptions::default() },
        );
        let today = clock.now().day();
        let daily = |cap| Daily::new(cap, today, spent.values().copied().sum());
        Ok(Self {
            desk: client.at(&desk),
            endpoint: Endpoint::new(provider, place, &client, options),
            usual: llm.model.clone(),
            till: Arc::new(Till {
                prices: crate::llm::prices(llm)?,
                house: llm.budget_per_day.map(daily),
                ledger: Arc::clone(ledger),
                clock: Arc::clone(clock),
            }),
            answers: llm.cache.map(|ttl| answers(ttl, clock)),
            places: Arc::new(Semaphore::new(MAX_WAITING)),
            trouble,
        })
    }

    /// What it asks, with its limits.
    pub(super) fn remotes(&self) -> Vec<Remote> {
        self.desk.remote().cloned().into_iter().chain(self.endpoint.remotes()).collect()
    }

    /// Asks what a program asked; `path` is what stands behind `/openai`.
    pub(super) async fn ask(
        &self,
        (path, asked): (&str, &Asked),
        program: Option<Arc<Program>>,
    ) -> Result<Given, Refusal> {
        if let Some(why) = &self.trouble {
            return Err(Refusal::new(503, "not_configured", why));
        }
        let path = format!("/{}", path.trim_matches('/'));
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Refusal::crowded(MAX_WAITING))?;
        let url = [CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES].into_iter().find(|url| *url == path);
        match (url, asked.method.as_str()) {
            (Some(url), "POST") => {
                let asking = Asking::read(url, asked, (self, program))?;
                asking.answer(self, place).await
            }
            (Some(_), _) => Err(Refusal::method("POST", "a question is sent by POST")),
            (None, method) => self.desk((&path, method), asked, program.as_deref()).await,
        }
    }

    /// Lists, files and batches: passed on as they are.
    async fn desk(
        &self,
        (path, method): (&str, &str),
        asked: &Asked,
        program: Option<&Program>,
    ) -> Result<Given, Refusal> {
        let segments: Vec<&str> = path.split('/').skip(2).collect();
        if !path.starts_with("/v1/") || !segments.iter().all(|segment| is_name(segment)) {
            return Err(unknown(path));
        }
        let method = match (method, segments.as_slice()) {
            ("GET", ["models" | "files" | "batches"] | ["models" | "files" | "batches", _])
            | ("GET", ["files", _, "content"]) => Method::Get,
            ("POST", ["files"] | ["batches", _, "cancel"]) => Method::Post,
            ("POST", ["batches"]) if self.till.is_limited(program) => {
                let words = "what a batch costs is known when it is done, and a budget is set: \
                    `finstage llm batch` counts before, or ask its questions one by one";
                return Err(Refusal::new(400, "batch_within_budget", words));
            }
            ("POST", ["batches"]) => Method::Post,
            ("DELETE", ["files", _]) => Method::Delete,
            (_, ["models" | "files" | "batches", ..]) => {
                return Err(Refusal::method("GET, POST, DELETE", "this is not passed on"));
            }
            _ => return Err(unknown(path)),
        };
        let mark = if asked.query.is_empty() { "" } else { "?" };
        let url = format!("{}{mark}{}", self.endpoint.place().url(path), asked.query);
        let request = match method {
            Method::Post => Request::post(url).body(asked.body.to_vec()),
            Method::Delete => Request::delete(url),
            Method::Get => Request::get(url),
        };
        let request = body::dressed(self.endpoint.place().bearer(request), asked);
        let (meter, client) = Meter::on(&self.desk);
        let response = client.send(&request).await.map_err(|why| Refusal::of(&why))?;
        Ok(passed(settled(response), meter.headers()))
    }
}

/// Has the tables of the tokenizer read beside everything else: they take a fifth of a second, in which no question
/// that has its turn would leave, and all of them would leave at once afterwards.
fn load_tokenizer() {
    let none = Row { line: 0, custom_id: String::new(), url: CHAT.to_owned(), body: Map::new() };
    // Whoever comes before it is done waits for it.
    std::thread::spawn(move || Estimate::count(&none, None));
}

/// An answer that says that the house has repeated already what may be repeated: layers that repeat do not add,
/// they multiply.
fn settled(mut response: Response) -> Response {
    if !response.is_success() {
        response.headers.retain(|(name, _)| name != "x-should-retry");
        response.headers.push(("x-should-retry".to_owned(), "false".to_owned()));
    }
    response
}

fn unknown(path: &str) -> Refusal {
    let words = format!(
        "{path} is not passed on; chat/completions, completions, responses, embeddings, models, files and batches are"
    );
    Refusal::new(404, "unknown_url", words)
}

/// Whether a segment is a name: of a model, a file or a batch.
fn is_name(segment: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
    !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_plain)
}

/// The key as configured, else that of the usual variable; and why there is none.
fn key(llm: &LlmSettings) -> (Option<Secret<String>>, Option<String>) {
    let why = match llm.key_of("openai") {
        Some(Ok(key)) => return (Some(key.clone()), None),
        Some(Err(why)) => format!(": {why}"),
        None => String::new(),
    };
    (None, Some(format!("there is no key{why}: write api_key in [llm], or set OPENAI_API_KEY")))
}

fn client_options(llm: &LlmSettings) -> ClientOptions {
    ClientOptions {
        // Models think before they say the first word; how long an attempt may take is said with each.
        read_timeout: LONGEST,
        total_timeout: LONGEST,
        stream_timeout: LONGEST,
        max_body_bytes: ANSWER_MAX_BYTES,
        connections_per_host: usize::try_from(llm.concurrency).unwrap_or(usize::MAX),
        user_agent: format!("finstage/{}", crate::VERSION),
        ..ClientOptions::default()
    }
}

fn answers(ttl: Duration, clock: &Arc<dyn Clock>) -> Answers {
    let options =
        CacheOptions { ttl, entries: KEPT_ANSWERS, bytes: KEPT_BYTES, ..CacheOptions::default() };
    Cache::new("gateway answers", options, Arc::clone(clock), |_, answer| answer.body.len() + 256)
}
