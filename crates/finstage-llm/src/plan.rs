//! What a run would take, before anything is asked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::ids::Ids;
use crate::{
    ASSUMED_COMPLETION, Admission, Error, Estimate, Money, Prices, Register, Row, RowId, Sharing,
    Usage,
};

/// Rows that a thread counts at once.
const CHUNK_ROWS: usize = 512;
/// Chunks that wait for each thread.
const CHUNKS_WAITING: usize = 2;

/// How names of models begin whose tokenizer is known.
const OPENAI: [&str; 7] = ["gpt-", "o1", "o3", "o4", "chatgpt-", "ft:gpt-", "text-embedding-3"];

/// How a plan is made.
#[derive(Clone, Copy)]
pub struct PlanOptions<'a> {
    /// What models cost.
    pub prices: &'a Prices,
    /// How fast questions may be asked.
    pub limits: Limits,
    /// The part of the most that an answer can be which every answer is expected to be, from 0 to 1.
    pub least_answer: f64,
    /// Whether it is to be a batch, at a batch's price.
    pub is_batch: bool,
    /// Threads that count tokens, from 1.
    pub threads: usize,
    /// Whose answers may stand for those to the same question of other rows.
    pub sharing: Sharing,
    /// Tells of questions which ones a cache has answers to; asked from several threads.
    pub cached: Option<&'a Cached<'a>>,
}

impl fmt::Debug for PlanOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanOptions").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Tells of questions which ones a cache has answers to.
pub type Cached<'a> = dyn Fn(&[[u8; 32]]) -> Result<Vec<bool>, Error> + Sync + 'a;

/// How fast questions may be asked; what is not known does not limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute: those of the question, and the most of the answer.
    pub tokens_per_minute: Option<u64>,
    /// Questions at a time.
    pub concurrency: Option<u64>,
    /// How long an answer takes.
    pub latency: Option<Duration>,
}

/// What a run would take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// All models together; its `model` is empty.
    #[serde(flatten)]
    pub total: ModelPlan,
    /// Each model that is asked, by name.
    pub models: Vec<ModelPlan>,
    /// How long it takes at the limits.
    pub time: PlanTime,
    /// The day of the prices.
    pub prices_as_of: String,
    /// What was assumed, a line each.
    pub assumptions: Vec<String>,
}

/// What a run would take of one model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ModelPlan {
    /// The model.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Rows of the input.
    pub rows: u64,
    /// Rows whose answer stands in the output.
    pub done: u64,
    /// Rows that the cache answers.
    pub cached: u64,
    /// Rows that ask what an earlier row asks.
    pub duplicates: u64,
    /// Rows that are asked.
    pub asked: u64,
    /// Tokens of the questions that are asked.
    pub prompt_tokens: u64,
    /// Tokens of the answers at least.
    pub completion_tokens_low: u64,
    /// Tokens of the answers at most.
    pub completion_tokens_high: u64,
    /// What it costs at least, in dollars; unknown where the model has no known price.
    #[serde(serialize_with = "dollars")]
    pub cost_low: Option<Money>,
    /// What it costs at most.
    #[serde(serialize_with = "dollars")]
    pub cost_high: Option<Money>,
}

/// How long a run takes at the limits, in seconds; none where that limit is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct PlanTime {
    /// By requests a minute.
    pub requests_s: Option<f64>,
    /// By tokens a minute.
    pub tokens_s: Option<f64>,
    /// By questions at a time and the length of an answer.
    pub concurrency_s: Option<f64>,
    /// By the limit that holds it up most.
    pub total_s: Option<f64>,
}

impl Plan {
    /// Makes a plan of rows; those that are done are told by `register`. Blocks, on several threads.
    ///
    /// # Errors
    /// The first of the rows' errors and of the register's, or an error of the cache.
    pub fn of(
        rows: impl Iterator<Item = Result<Row, Error>>,
        register: &mut Register,
        options: &PlanOptions<'_>,
    ) -> Result<Self, Error> {
        let (send, receive) = sync_channel(CHUNKS_WAITING * options.threads.max(1));
        let counting =
            Counting { options, seen: Mutex::new(Ids::new()), chunks: Mutex::new(Some(receive)) };
        let tallies = thread::scope(|scope| {
            let worker = || scope.spawn(|| counting.work());
            let workers: Vec<_> = (0..options.threads.max(1)).map(|_| worker()).collect();
            let read = read(rows, register, send);
            let counted = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            // What the cache says of itself comes before what its silence led to.
            let mut tallies = counted.collect::<Result<Vec<_>, _>>()?;
            tallies.push(read?);
            Ok::<_, Error>(tallies)
        })?;
        let mut models = BTreeMap::<String, Tally>::new();
        for (model, tally) in tallies.into_iter().flatten() {
            models.entry(model).or_default().add(&tally);
        }
        Ok(Self::new(models, options))
    }

    fn new(models: BTreeMap<String, Tally>, options: &PlanOptions<'_>) -> Self {
        let assumptions =
            |(model, tally): (&String, &Tally)| tally.assumptions(model, options.prices);
        let assumptions = models.iter().flat_map(assumptions).collect();
        let models: Vec<_> =
            models.into_iter().map(|(model, tally)| tally.plan(&model, options)).collect();
        let sum = |part: fn(&ModelPlan) -> u64| models.iter().map(part).sum();
        let cost = |part: fn(&ModelPlan) -> Option<Money>| models.iter().map(part).sum();
        let total = ModelPlan {
            model: String::new(),
            rows: sum(|plan| plan.rows),
            done: sum(|plan| plan.done),
            cached: sum(|plan| plan.cached),
            duplicates: sum(|plan| plan.duplicates),
            asked: sum(|plan| plan.asked),
            prompt_tokens: sum(|plan| plan.prompt_tokens),
            completion_tokens_low: sum(|plan| plan.completion_tokens_low),
            completion_tokens_high: sum(|plan| plan.completion_tokens_high),
            cost_low: cost(|plan| plan.cost_low),
            cost_high: cost(|plan| plan.cost_high),
        };
        let time = PlanTime::of(&total, options.limits);
        let prices_as_of = options.prices.as_of().to_owned();
        Self { total, models, time, prices_as_of, assumptions }
    }
}

impl PlanTime {
    fn of(total: &ModelPlan, limits: Limits) -> Self {
        let minutes = |count: u64, a_minute: u64| 60.0 * count as f64 / a_minute.max(1) as f64;
        let tokens = total.prompt_tokens.saturating_add(total.completion_tokens_high);
        let requests_s = limits.requests_per_minute.map(|limit| minutes(total.asked, limit));
        let tokens_s = limits.tokens_per_minute.map(|limit| minutes(tokens, limit));
        let concurrency_s = limits.concurrency.zip(limits.latency).map(|(at_once, latency)| {
            total.asked.div_ceil(at_once.max(1)) as f64 * latency.as_secs_f64()
        });
        let all = [requests_s, tokens_s, concurrency_s];
        let total_s = all.into_iter().flatten().reduce(f64::max);
        Self { requests_s, tokens_s, concurrency_s, total_s }
    }
}

/// Reads rows and hands on those that are to be asked, in chunks.
fn read(
    rows: impl Iterator<Item = Result<Row, Error>>,
    register: &mut Register,
    send: SyncSender<Vec<Row>>,
) -> Result<BTreeMap<String, Tally>, Error> {
    let mut done = BTreeMap::<String, Tally>::new();
    let mut chunk = Vec::with_capacity(CHUNK_ROWS);
    for row in rows {
        let row = row?;
        if register.admit(&row)? == Admission::Done {
            let tally = tally_of(&mut done, row.model());
            tally.rows += 1;
            tally.done += 1;
            continue;
        }
        chunk.push(row);
        if chunk.len() == CHUNK_ROWS
            && send.send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_ROWS))).is_err()
        {
            // All who count are gone, and say why.
            return Ok(done);
        }
    }
    drop(send.send(chunk));
    // Now whoever counts comes to an end.
    drop(send);
    Ok(done)
}

/// What the threads that count share.
struct Counting<'a> {
    options: &'a PlanOptions<'a>,
    seen: Mutex<Ids>,
    chunks: Chunks,
}

type Chunks = Mutex<Option<Receiver<Vec<Row>>>>;

/// Whoever stops counting lets nobody wait for it: after an error, or a panic, nothing more is taken.
struct Closing<'a>(&'a Chunks);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Counting<'_> {
    fn work(&self) -> Result<BTreeMap<String, Tally>, Error> {
        let _closing = Closing(&self.chunks);
        let mut tallies = BTreeMap::new();
        loop {
            let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
            let chunk = chunks.as_ref().and_then(|chunks| chunks.recv().ok());
            drop(chunks);
            match chunk {
                Some(rows) => self.count(&rows, &mut tallies)?,
                None => return Ok(tallies),
            }
        }
    }

    fn count(&self, rows: &[Row], tallies: &mut BTreeMap<String, Tally>) -> Result<(), Error> {
        let questions: Vec<_> = rows.iter().map(Row::question).collect();
        let cached = match self.options.cached {
            Some(cached) => cached(&questions)?,
            None => vec![false; rows.len()],
        };
        let duplicates = self.duplicates(rows, &questions);
        for ((row, is_cached), is_duplicate) in rows.iter().zip(cached).zip(duplicates) {
            let tally = tally_of(tallies, row.model());
            tally.rows += 1;
            if is_duplicate {
                tally.duplicates += 1;
            } else if is_cached && self.options.sharing.allows(&row.body) {
                tally.cached += 1;
            } else {
                tally.ask(row, self.options);
            }
        }
        Ok(())
    }

    /// Which rows ask what another row asks, of which one alone is not told here.
    fn duplicates(&self, rows: &[Row], questions: &[[u8; 32]]) -> Vec<bool> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_duplicate = |(row, question): (&Row, &[u8; 32])| {
            let half = question.first_chunk().expect("32 bytes have 16");
            self.options.sharing.allows(&row.body) && seen.put(RowId(*half), 0).is_some()
        };
        rows.iter().zip(questions).map(&mut is_duplicate).collect()
    }
}

/// What was counted of a model.
#[derive(Debug, Clone, Default)]
struct Tally {
    rows: u64,
    done: u64,
    cached: u64,
    duplicates: u64,
    asked: u64,
    assumed: u64,
    prompt: u64,
    completion_low: u64,
    completion_high: u64,
    low: Money,
    high: Money,
}

fn tally_of<'a>(tallies: &'a mut BTreeMap<String, Tally>, model: &str) -> &'a mut Tally {
    if !tallies.contains_key(model) {
        tallies.insert(model.to_owned(), Tally::default());
    }
    tallies.get_mut(model).expect("it was just put there")
}

impl Tally {
    fn ask(&mut self, row: &Row, options: &PlanOptions<'_>) {
        let model = options.prices.model(row.model());
        let Estimate { prompt, most_completion, is_assumed, .. } = Estimate::count(row, model);
        let share = options.least_answer.clamp(0.0, 1.0);
        let least_completion = (most_completion as f64 * share) as u64;
        self.asked += 1;
        self.assumed += u64::from(is_assumed);
        self.prompt += prompt;
        self.completion_low += least_completion;
        self.completion_high += most_completion;
        // Question by question: a long one may have a price of its own.
        if let Some(model) = model {
            let price = if options.is_batch { model.price.in_batch() } else { model.price };
            let cost = |completion| price.cost(Usage { prompt, completion, ..Usage::default() });
            self.low = self.low.plus(cost(least_completion));
            self.high = self.high.plus(cost(most_completion));
        }
    }

    fn plan(&self, name: &str, options: &PlanOptions<'_>) -> ModelPlan {
        let is_known = self.asked == 0 || options.prices.price(name).is_some();
        ModelPlan {
            model: name.to_owned(),
            rows: self.rows,
            done: self.done,
            cached: self.cached,
            duplicates: self.duplicates,
            asked: self.asked,
            prompt_tokens: self.prompt,
            completion_tokens_low: self.completion_low,
            completion_tokens_high: self.completion_high,
            cost_low: is_known.then_some(self.low),
            cost_high: is_known.then_some(self.high),
        }
    }

    fn assumptions(&self, model: &str, prices: &Prices) -> Vec<String> {
        let mut lines = Vec::new();
        if self.asked > 0 && prices.price(model).is_none() {
            let near = prices.nearest(model).map(|near| format!("; did you mean \"{near}\"?"));
            lines.push(format!("{model}: no known price{}", near.unwrap_or_default()));
        }
        if self.assumed > 0 {
            let rows = self.assumed;
            lines.push(format!(
                "{model}: {rows} rows say no max_tokens: answers of {ASSUMED_COMPLETION} tokens at most assumed"
            ));
        }
        if self.asked > 0 && !OPENAI.iter().any(|start| model.starts_with(start)) {
            lines.push(format!("{model}: tokens counted as OpenAI's models count them"));
        }
        lines
    }

    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.done += other.done;
        self.cached += other.cached;
        self.duplicates += other.duplicates;
        self.asked += other.asked;
        self.assumed += other.assumed;
        self.prompt += other.prompt;
        self.completion_low += other.completion_low;
        self.completion_high += other.completion_high;
        self.low = self.low.plus(other.low);
        self.high = self.high.plus(other.high);
    }
}

fn dollars<S: Serializer>(cost: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    match cost {
        Some(cost) => cost.serialize(serializer),
        None => serializer.serialize_str("unknown"),
    }
}

#[cfg(test)]
mod tests;
