//! One row, from its question to its end: which models are asked, what is asked again, and what it costs.

mod structure;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use finstage_net::{Cache, CacheOptions, MarketPhase};
use serde_json::{Map, Value, json};

use crate::endpoint::{Asked, Sent};
use crate::provider::{Answer, Fault, Outcome, Question, Remedy};
use crate::routing::Routing;
use crate::row::question_of;
use crate::schema::Schema;
use crate::{
    Accounts, Answers, Attempt, Budget, CHAT, End, Endpoint, Error, Estimate, Halt, Hold, Left,
    Money, Prices, Row, RowError, Usage, Why,
};

pub use structure::Structure;
use structure::Structures;

/// How rows are asked.
#[derive(Debug, Clone)]
pub struct AskOptions {
    /// Which models are asked.
    pub routing: Routing,
    /// What answers are held against.
    pub structure: Structure,
    /// How often a model is told what is wrong with its answer and asked again. Repetitions of requests
    /// are counted apart.
    pub reasks: u32,
    /// Which questions are sent once for all rows that ask the same, and are looked up in [`Answers`].
    pub sharing: Sharing,
    /// Answers of earlier runs.
    pub answers: Option<Arc<dyn Answers>>,
    /// What tokens cost.
    pub prices: Option<Arc<Prices>>,
    /// What may be spent.
    pub budget: Option<Budget>,
    /// Who hears of each attempt.
    pub accounts: Option<Arc<dyn Accounts>>,
}

/// Which questions have one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// None: each row is asked for itself.
    Never,
    /// Those whose `temperature` is absent or 0.
    #[default]
    Settled,
    /// All.
    Always,
}

impl Sharing {
    /// Whether the answer to another row's same question may stand for this one's.
    #[must_use]
    pub fn allows(self, body: &Map<String, Value>) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Settled => match body.get("temperature") {
                None | Some(Value::Null) => true,
                Some(temperature) => temperature.as_f64() == Some(0.0),
            },
        }
    }
}

impl Default for AskOptions {
    /// The row's own model, its own schema, two further questions, settled questions shared.
    fn default() -> Self {
        Self {
            routing: Routing::default(),
            structure: Structure::default(),
            reasks: 2,
            sharing: Sharing::default(),
            answers: None,
            prices: None,
            budget: None,
            accounts: None,
        }
    }
}

/// Asks rows at an endpoint.
#[derive(Debug)]
pub struct Asker {
    endpoint: Endpoint,
    options: AskOptions,
    structures: Structures,
    /// Questions that are out. Nothing is kept once it is answered: that is the work of [`Answers`].
    flights: Cache<[u8; 32], Arc<Answer>, Fruitless>,
}

/// What became of a row, and of the attempts on the way. No end: it was stopped before.
pub(crate) type Asking = (Option<End>, Vec<Attempt>);

/// Why a question has no answer.
#[derive(Debug, Clone)]
enum Fruitless {
    Fault(Fault),
    Halted,
}

/// How a model did with a row.
enum Verdict {
    /// This is its end.
    Final(End),
    /// The next model may do better; if there is none, this is its end.
    Weak(&'static str, End),
    /// The model cannot be asked.
    Unavailable(RowError),
    Halted,
}

/// A row on its way.
struct Way<'a> {
    row: &'a Row,
    halt: &'a Halt,
    attempts: Vec<Attempt>,
    /// Whether what was said last came from an attempt of this row.
    is_own: bool,
}

impl Way<'_> {
    /// Says why the last attempt was not the last.
    fn pass_on(&mut self, why: &'static str) {
        if let Some(attempt) = self.attempts.last_mut().filter(|_| self.is_own) {
            attempt.passed_on = Some(why);
        }
    }
}

impl Asker {
    /// An asker at `endpoint`.
    ///
    /// # Errors
    /// When the routing cannot be followed, or there is a budget and no prices to reckon with.
    pub fn new(endpoint: Endpoint, options: AskOptions) -> Result<Self, Error> {
        options.routing.check()?;
        if options.budget.is_some() && options.prices.is_none() {
            return Err(Error::invalid("a budget cannot be kept without prices: give both"));
        }
        let nothing =
            CacheOptions { ttl: Duration::ZERO, absent_ttl: Duration::ZERO, entries: 0, bytes: 0 };
        let clock = Arc::clone(&endpoint.options().clock);
        let flights = Cache::new("questions", nothing, clock, |_, _| 0);
        Ok(Self { endpoint, options, structures: Structures::default(), flights })
    }

    /// Where it asks.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks one row until it has an end; given back when `halt` stops before.
    pub async fn ask(&self, row: Row, halt: &Halt) -> Left {
        let (end, attempts) = self.row(&row, halt).await;
        Left::of(row, end, attempts)
    }

    pub(crate) async fn row(&self, row: &Row, halt: &Halt) -> Asking {
        let mut way = Way { row, halt, attempts: Vec::new(), is_own: false };
        let end = self.walk(&mut way).await;
        (end, way.attempts)
    }

    async fn walk(&self, way: &mut Way<'_>) -> Option<End> {
        let is_chat = way.row.url == CHAT;
        let schema = match self.structures.of(&self.options.structure, &way.row.body) {
            Ok(schema) => schema.filter(|_| is_chat),
            Err(error) => return Some(failed("invalid_schema", error.to_string(), None)),
        };
        let routing = &self.options.routing;
        let question = Question { url: &way.row.url, body: &way.row.body };
        let steps = match routing.rules.is_empty() {
            true => routing.steps(way.row, &Estimate::default()),
            false => routing.steps(way.row, &self.endpoint.sizes(&question)),
        };
        let mut steps = steps.into_iter().peekable();
        let mut fallback = routing.fallback.as_deref();
        let mut model = steps.next().unwrap_or_default();
        loop {
            let verdict = self.model(way, model, schema.as_deref()).await;
            model = match verdict {
                Verdict::Final(end) => return Some(end),
                Verdict::Halted => return None,
                Verdict::Weak(why, end) => match steps.next() {
                    Some(next) => {
                        way.pass_on(why);
                        next
                    }
                    None => return Some(end),
                },
                Verdict::Unavailable(error) => {
                    match fallback.take().filter(|name| *name != model) {
                        Some(next) => {
                            way.pass_on("error");
                            // What comes after a model that stands in is nobody's plan.
                            steps = Vec::new().into_iter().peekable();
                            next
                        }
                        None => return Some(End::Failed(error)),
                    }
                }
            };
        }
    }

    /// Asks one model, and again where its answer does not fit.
    async fn model(&self, way: &mut Way<'_>, model: &str, schema: Option<&Schema>) -> Verdict {
        let mut body = Cow::Borrowed(&way.row.body);
        if way.row.model() != model {
            body.to_mut().insert("model".to_owned(), Value::from(model));
        }
        if body.contains_key("stream") {
            // An answer of a row is one piece.
            ["stream", "stream_options"].iter().for_each(|name| {
                body.to_mut().remove(*name);
            });
        }
        let mut reasks = self.options.reasks;
        loop {
            let url = &way.row.url;
            let answer = match self.answer(way, &Question { url, body: &body }).await {
                Ok(answer) => answer,
                Err(fruitless) => return verdict_of(fruitless),
            };
            if way.row.url != CHAT {
                return Verdict::Final(answered(answer));
            }
            let complaint = match self.judge(&answer, schema) {
                Ok(None) => return Verdict::Final(answered(answer)),
                Ok(Some("refusal")) if schema.is_some() => {
                    let end = failed("refusal", "the model refused".to_owned(), Some(&answer));
                    return Verdict::Weak("refusal", end);
                }
                Ok(Some(weak)) => return Verdict::Weak(weak, answered(answer)),
                Err(complaint) => complaint,
            };
            let is_cut = answer.finish_reason() == "length";
            if is_cut || reasks == 0 {
                let word = if is_cut { "length" } else { "schema" };
                let end = failed(word, complaint, Some(&answer));
                return Verdict::Weak(word, end);
            }
            reasks -= 1;
            way.pass_on("schema");
            ask_again(body.to_mut(), answer.text(), &complaint);
        }
    }

    /// Why an answer is weak, `None` where it will do; or what is wrong with its form.
    fn judge(
        &self,
        answer: &Answer,
        schema: Option<&Schema>,
    ) -> Result<Option<&'static str>, String> {
        let weak = &self.options.routing.weak;
        if answer.is_refusal() {
            return Ok(Some("refusal"));
        }
        let value = match (schema, &weak.confidence) {
            (Some(schema), _) => Some(schema.read(answer.text())?),
            (None, Some(_)) => serde_json::from_str(answer.text()).ok(),
            (None, None) => None,
        };
        if let Some(confidence) = &weak.confidence
            && !value.is_some_and(|value| confidence.is_enough(&value))
        {
            return Ok(Some("confidence"));
        }
        if weak.is_cut_weak && answer.finish_reason() == "length" {
            return Ok(Some("length"));
        }
        Ok(None)
    }

    /// An answer to a question: from an earlier run, from another row that asks the same, or asked.
    async fn answer(
        &self,
        way: &mut Way<'_>,
        question: &Question<'_>,
    ) -> Result<Arc<Answer>, Fruitless> {
        way.is_own = true;
        if !self.options.sharing.allows(question.body) {
            return self.paid(way, question).await.map(Arc::new);
        }
        let key = question_of(question.url, question.body);
        if let Some(reply) = self.options.answers.as_ref().and_then(|answers| answers.get(&key)) {
            way.is_own = false;
            return Ok(Arc::new(Answer { reply, usage: None }));
        }
        let mut has_asked = false;
        let end = {
            let asking = async {
                has_asked = true;
                let answer = Arc::new(self.paid(way, question).await?);
                if let Some(answers) = &self.options.answers {
                    answers.put(&key, &answer.reply);
                }
                Ok(Some(answer))
            };
            self.flights.fetch(key, MarketPhase::Regular, asking).await
        };
        way.is_own = has_asked;
        match end {
            Ok(Some(answer)) => Ok(answer),
            Err(fruitless) if has_asked => Err(Arc::unwrap_or_clone(fruitless)),
            // Another row asked and got nothing: that was its misfortune.
            _ => {
                way.is_own = true;
                self.paid(way, question).await.map(Arc::new)
            }
        }
    }

    /// Asks, with the money for it put aside before.
    async fn paid(&self, way: &mut Way<'_>, question: &Question<'_>) -> Result<Answer, Fruitless> {
        if way.halt.is_stopped() {
            return Err(Fruitless::Halted);
        }
        let sizes = self.endpoint.sizes(question);
        let hold = self.reserve(way.halt, question.model(), &sizes).await?;
        let asked = self.endpoint.ask(question, &sizes, way.halt).await;
        let model = question.model();
        match asked {
            Asked::Ended(Outcome::Answered(answer), sent) => {
                if let Some(usage) = &answer.usage {
                    self.endpoint.lane(model).counted(&sizes, usage);
                }
                // One that was lost on the way may have been answered too: all that was put aside is spent.
                let hold = hold.filter(|_| !sent.is_lost);
                self.enter(way, hold, (model, answer.usage));
                Ok(answer)
            }
            Asked::Ended(Outcome::Failed(fault), sent) => {
                self.enter_failed(way, hold, (model, sent));
                if fault.remedy == Remedy::Access {
                    way.halt.stop(Why::Denied, denied(&fault));
                    return Err(Fruitless::Halted);
                }
                Err(Fruitless::Fault(fault))
            }
            Asked::Halted(sent) => {
                self.enter_failed(way, hold, (model, sent));
                Err(Fruitless::Halted)
            }
            Asked::Unreachable(message, sent) => {
                self.enter_failed(way, hold, (model, sent));
                way.halt.stop(Why::Unreachable, message);
                Err(Fruitless::Halted)
            }
        }
    }

    /// Puts money aside, where there is a budget.
    async fn reserve(
        &self,
        halt: &Halt,
        model: &str,
        sizes: &Estimate,
    ) -> Result<Option<Hold>, Fruitless> {
        let (Some(budget), Some(prices)) = (&self.options.budget, &self.options.prices) else {
            return Ok(None);
        };
        let Some(price) = prices.price(model) else {
            let message = prices.unknown(model).to_string();
            let error = RowError { code: "unknown_price".to_owned(), message, reply: None };
            return Err(Fruitless::Fault(Fault { error, remedy: Remedy::Question }));
        };
        let worst = price.worst(*sizes);
        let reserved = tokio::select! {
            biased;
            () = halt.stopped() => return Err(Fruitless::Halted),
            reserved = budget.reserve(worst) => reserved,
        };
        match reserved {
            Ok(hold) => Ok(Some(hold)),
            Err(error) => {
                halt.stop(Why::Budget, error.to_string());
                Err(Fruitless::Halted)
            }
        }
    }

    /// Enters an attempt that was answered.
    fn enter(&self, way: &mut Way<'_>, hold: Option<Hold>, (model, usage): (&str, Option<Usage>)) {
        let prices = self.options.prices.as_ref();
        let cost = usage.and_then(|usage| Some(prices?.price(model)?.cost(usage)));
        match (hold, cost) {
            // More than the most is charged too: the provider has the last word.
            (Some(hold), Some(cost)) => drop(hold.settle(cost)),
            // Dropped, it is spent as a whole: nobody knows what it was.
            (hold, _) => drop(hold),
        }
        self.push(way, Attempt { model: model.to_owned(), usage, cost, passed_on: None });
    }

    /// Enters an attempt without an answer, if anything left for it.
    fn enter_failed(&self, way: &mut Way<'_>, hold: Option<Hold>, (model, sent): (&str, Sent)) {
        // What was refused costs nothing; what was lost may have been answered, and is spent.
        if let Some(hold) = hold.filter(|_| !sent.is_lost) {
            hold.release();
        }
        if sent.requests > 0 {
            let cost = (!sent.is_lost).then_some(Money::ZERO);
            self.push(way, Attempt { model: model.to_owned(), usage: None, cost, passed_on: None });
        }
    }

    fn push(&self, way: &mut Way<'_>, attempt: Attempt) {
        if let Some(accounts) = &self.options.accounts {
            accounts.attempt(&attempt);
        }
        way.attempts.push(attempt);
    }
}

fn verdict_of(fruitless: Fruitless) -> Verdict {
    match fruitless {
        Fruitless::Halted => Verdict::Halted,
        Fruitless::Fault(Fault { error, remedy: Remedy::Model | Remedy::Later }) => {
            Verdict::Unavailable(error)
        }
        Fruitless::Fault(Fault { error, .. }) => Verdict::Final(End::Failed(error)),
    }
}

/// Most rows ask what no other asks: nobody else has their answer.
fn answered(answer: Arc<Answer>) -> End {
    End::Answered(Arc::unwrap_or_clone(answer).reply)
}

fn failed(code: &str, message: String, answer: Option<&Answer>) -> End {
    let reply = answer.map(|answer| answer.reply.clone());
    End::Failed(RowError { code: code.to_owned(), message, reply })
}

fn denied(fault: &Fault) -> String {
    let RowError { code, message, .. } = &fault.error;
    format!("the provider refuses this key ({code}): {message}")
}

/// Adds what the model said and what is wrong with it.
fn ask_again(body: &mut Map<String, Value>, said: &str, complaint: &str) {
    let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut) else { return };
    messages.push(json!({"role": "assistant", "content": said}));
    let words = format!(
        "That does not fit: {complaint}. Answer again with JSON that fits, and nothing else."
    );
    messages.push(json!({"role": "user", "content": words}));
}

#[cfg(test)]
#[path = "asking/tests.rs"]
mod tests;
