//! What models cost: a dated table in the program, and what the user knows better.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::nearest::nearest;
use crate::{Error, Estimate, Money, Usage};

/// The table in the program.
const BUILT_IN: &str = include_str!("prices.toml");
/// A dollar for a million tokens, in millionths of a millionth of a dollar for one.
const PICO_PER_TOKEN: u64 = 1_000_000;
/// Parts of a price that a batch may pay.
const WHOLE: u64 = 1000;

/// What models cost, by name.
///
/// ```
/// use finstage_llm::{Prices, Usage};
/// let prices = Prices::built_in();
/// let usage = Usage { prompt: 1_000_000, completion: 100_000, ..Usage::default() };
/// let price = prices.price("gpt-4o-mini-2024-07-18").unwrap();
/// assert_eq!(price.cost(usage).to_string(), "0.21");
/// assert!(prices.price("a-model-of-tomorrow").is_none(), "no price is not 0");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    as_of: String,
    models: BTreeMap<String, Model>,
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What it costs.
    pub price: Price,
    /// The most tokens of question and answer together.
    pub context: Option<u64>,
    /// The most tokens of an answer.
    pub most_output: Option<u64>,
    /// How it counts tokens.
    pub tokenizer: Tokenizer,
}

/// How a model cuts text into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Tokenizer {
    /// OpenAI's since 2024; a good estimate of others.
    #[default]
    #[serde(rename = "o200k_base")]
    O200k,
    /// OpenAI's of before.
    #[serde(rename = "cl100k_base")]
    Cl100k,
}

/// What a model costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    usual: Rates,
    /// Of questions that are longer than so many tokens.
    long: Option<(u64, Rates)>,
    /// What a batch pays of it, in thousandths.
    batch: u64,
}

/// Prices of one token, in millionths of a millionth of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rates {
    input: u64,
    cached: u64,
    output: u64,
}

impl Prices {
    /// The table in the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN, "the built-in prices").expect("a test reads the table")
    }

    /// Reads a table; `name` is what it is called in errors.
    ///
    /// # Errors
    /// `Invalid` where it is no table of prices, names a model twice, or has a price that is negative or finer
    /// than a millionth of a dollar for a million tokens.
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::invalid(format!("{name}: {what}"));
        let table: Table =
            toml::from_str(text).map_err(|e| wrong(e.to_string().replace('\n', " ")))?;
        let mut models = BTreeMap::new();
        for entry in table.models {
            let model =
                entry.model().map_err(|what| wrong(format!("model \"{}\": {what}", entry.name)))?;
            for called in std::iter::once(entry.name).chain(entry.also) {
                if models.insert(called.clone(), model.clone()).is_some() {
                    return Err(wrong(format!(
                        "model \"{called}\" stands there twice: take one out"
                    )));
                }
            }
        }
        Ok(Self { as_of: table.as_of, models })
    }

    /// The same with what another table says in its place, model by model.
    #[must_use]
    pub fn overridden_by(mut self, other: Self) -> Self {
        self.models.extend(other.models);
        if !other.as_of.is_empty() {
            self.as_of = format!("{}, yours of {}", self.as_of, other.as_of);
        }
        self
    }

    /// The day of the table, `YYYY-MM-DD`; with the user's own behind it, where there is one.
    #[must_use]
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// What is known of a model. `gpt-4o-2024-08-06` is `gpt-4o`, unless it stands in the table itself.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        let name = name.strip_prefix("models/").unwrap_or(name);
        self.models.get(name).or_else(|| self.models.get(undated(name)?))
    }

    /// What a model costs; `None` where nobody said it, which is not 0.
    #[must_use]
    pub fn price(&self, name: &str) -> Option<Price> {
        self.model(name).map(|model| model.price)
    }

    /// The model of the table whose name is most like `name`, where one is.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.models.keys().map(String::as_str))
    }

    /// The error for a model that must have a price, because a budget stands.
    #[must_use]
    pub fn unknown(&self, name: &str) -> Error {
        let near = self.nearest(name).map(|near| format!(" (did you mean \"{near}\"?)"));
        let near = near.unwrap_or_default();
        Error::invalid(format!(
            "model \"{name}\" has no known price{near}: add it to your own table of prices, with 0 where it is free"
        ))
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }
}

impl Price {
    /// What an answer cost.
    #[must_use]
    pub fn cost(&self, usage: Usage) -> Money {
        let rates = self.rates(usage.prompt);
        let cached = usage.cached.min(usage.prompt);
        product(usage.prompt - cached, rates.input)
            .plus(product(cached, rates.cached))
            .plus(product(usage.completion, rates.output))
    }

    /// The most that a question can cost, whatever the model answers.
    #[must_use]
    pub fn worst(&self, estimate: Estimate) -> Money {
        let cost = |rates: Rates| {
            product(estimate.most_prompt, rates.input.max(rates.cached))
                .plus(product(estimate.most_completion, rates.output))
        };
        // A longer question need not be dearer: the bound is of all questions up to this length.
        match self.long {
            Some((above, long)) if estimate.most_prompt > above => cost(long).max(cost(self.usual)),
            _ => cost(self.usual),
        }
    }

    /// The price of the same in a batch.
    #[must_use]
    pub fn in_batch(&self) -> Self {
        let part = |price: u64| price * self.batch / WHOLE;
        let rates = |rates: Rates| Rates {
            input: part(rates.input),
            cached: part(rates.cached),
            output: part(rates.output),
        };
        let long = self.long.map(|(above, long)| (above, rates(long)));
        Self { usual: rates(self.usual), long, batch: WHOLE }
    }

    fn rates(&self, prompt: u64) -> Rates {
        match self.long {
            Some((above, rates)) if prompt > above => rates,
            _ => self.usual,
        }
    }
}

fn product(tokens: u64, rate: u64) -> Money {
    Money::from_pico(rate).times(tokens)
}

/// A name without the date at its end: `-2024-08-06`, `-20240806`, `@20240806`, `-0613`, `-latest`.
fn undated(name: &str) -> Option<&str> {
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (base, last) = name.rsplit_once(['-', '@'])?;
    if last == "latest" || digits(last, 8) || digits(last, 4) {
        return Some(base);
    }
    let (base, month) = base.rsplit_once('-').filter(|_| digits(last, 2))?;
    let (base, year) = base.rsplit_once('-').filter(|_| digits(month, 2))?;
    digits(year, 4).then_some(base)
}

/// A file of prices.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    as_of: String,
    /// For people: where the prices were read.
    #[serde(default, rename = "sources")]
    _sources: Vec<String>,
    models: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    also: Vec<String>,
    input: Number,
    cached_input: Option<Number>,
    output: Number,
    batch: Option<Number>,
    long: Option<Long>,
    context: Option<u64>,
    most_output: Option<u64>,
    #[serde(default)]
    tokenizer: Tokenizer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    above: u64,
    input: Number,
    cached_input: Option<Number>,
    output: Number,
}

/// TOML tells `1` from `1.0`, people do not.
#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Number {
    Whole(i64),
    Broken(f64),
}

impl Entry {
    fn model(&self) -> Result<Model, String> {
        let batch = self.batch.map_or(Ok(Money::from_usd("1").expect("a number")), Number::usd)?;
        let one = Money::from_usd("1").expect("a number").pico();
        if batch.pico() > one || !(batch.pico() * WHOLE).is_multiple_of(one) {
            return Err("batch must be from 0 to 1, with three decimals at most".to_owned());
        }
        let long = match &self.long {
            Some(Long { above, input, cached_input, output }) => {
                Some((*above, Rates::new(*input, *cached_input, *output)?))
            }
            None => None,
        };
        let usual = Rates::new(self.input, self.cached_input, self.output)?;
        let price = Price { usual, long, batch: batch.pico() * WHOLE / one };
        let Self { context, most_output, tokenizer, .. } = *self;
        Ok(Model { price, context, most_output, tokenizer })
    }
}

impl Rates {
    fn new(input: Number, cached: Option<Number>, output: Number) -> Result<Self, String> {
        let input = input.rate()?;
        let cached = cached.map_or(Ok(input), Number::rate)?;
        Ok(Self { input, cached, output: output.rate()? })
    }
}

impl Number {
    fn usd(self) -> Result<Money, String> {
        // The shortest text of a double is what was written.
        let text = match self {
            Self::Whole(whole) => whole.to_string(),
            Self::Broken(broken) => broken.to_string(),
        };
        Money::from_usd(&text).ok_or_else(|| format!("{text} is no price"))
    }

    /// The price of a token, where this is that of a million.
    fn rate(self) -> Result<u64, String> {
        let million = self.usd()?;
        match million.pico() % PICO_PER_TOKEN {
            0 => Ok(million.pico() / PICO_PER_TOKEN),
            _ => Err(format!("{million} is finer than a millionth of a dollar")),
        }
    }
}

#[cfg(test)]
mod tests;
