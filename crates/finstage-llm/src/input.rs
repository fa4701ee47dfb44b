//! Questions of a file: batch files of OpenAI's form, or rows of columns and a template.

mod lines;
mod objects;
mod table;
mod template;

use std::fmt;
use std::io::BufRead;

use serde_json::{Map, Value, json};

pub use template::Template;

use crate::{CHAT, Error, ErrorKind, Row};
use lines::Lines;
use table::Table;

/// The longest line, or record of a CSV file, that is read.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// How questions are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A request a line, as OpenAI's batch files have it: `{"custom_id", "method", "url", "body"}`.
    Batch,
    /// A JSON object a line, whose members are columns.
    Objects,
    /// A CSV file with a head.
    Csv,
}

/// How questions are read.
#[derive(Debug, Clone, Default)]
pub struct InputOptions {
    /// What the file is called in errors.
    pub name: String,
    /// How questions are written; by name and content where it is not said.
    pub form: Option<Form>,
    /// What is asked about a row of columns; without it every row must be a whole request.
    pub template: Option<Template>,
    /// The model; of a request that names one only where [`is_model_forced`](Self::is_model_forced).
    pub model: Option<String>,
    /// Whether the model is asked in place of the one that a request names.
    pub is_model_forced: bool,
    /// What a question made of columns says besides.
    pub chat: ChatOptions,
}

/// What a question made of columns says besides its text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatOptions {
    /// What is said before it, as the system.
    pub system: Option<String>,
    /// The most tokens of the answer; the model's own bound where it is not said.
    pub max_tokens: Option<u64>,
    /// How free the answer is; 0, the default, is as steady as a model can be.
    pub temperature: f64,
    /// The form of the answer, in OpenAI's words.
    pub response_format: Option<Value>,
}

/// Reads the rows of a file, in its order.
///
/// A row that cannot be used is an error, and reading goes on behind it; after a file that cannot be read
/// there is nothing more.
///
/// ```
/// use finstage_llm::{InputOptions, Rows, Template};
/// let options = InputOptions {
///     template: Some(Template::parse("Sentiment of: {text}").unwrap()),
///     model: Some("gpt-4o-mini".to_owned()),
///     ..InputOptions::default()
/// };
/// let rows = Rows::open("id,text\nn1,\"up, up\"\n".as_bytes(), options).unwrap();
/// let row = rows.map(Result::unwrap).next().unwrap();
/// assert_eq!((row.line, row.custom_id.as_str()), (2, "n1"));
/// assert_eq!(row.body["messages"][0]["content"], "Sentiment of: up, up");
/// ```
#[derive(Debug)]
pub struct Rows<R> {
    source: Source<R>,
    options: InputOptions,
}

#[derive(Debug)]
enum Source<R> {
    Batch(Lines<R>),
    Objects(Lines<R>, Template),
    Csv(Box<Table<R>>, Template),
}

/// A question of columns, before it is a request.
#[derive(Debug)]
struct Question {
    line: u64,
    name: Option<String>,
    text: String,
}

impl<R: BufRead> Rows<R> {
    /// Looks at the beginning of `read`.
    ///
    /// # Errors
    /// `Invalid` where the form is not clear or does not go with a template, or a column of the template is
    /// not there; `Store` where nothing can be read.
    pub fn open(read: R, options: InputOptions) -> Result<Self, Error> {
        let mut lines = Lines::new(read, options.name.clone());
        let first = lines.peek()?.unwrap_or_default();
        let form = options.form.unwrap_or_else(|| guess(&options.name, first));
        // Not before: whoever says "these are columns" may have columns of these names.
        let is_request =
            form == Form::Objects && options.form.is_none() && objects::is_request(first);
        let source = match (form, options.template.clone()) {
            (Form::Objects, Some(_)) if is_request => {
                let message = "this is a whole request, and --prompt is for rows of columns: leave one of them out";
                return Err(lines.place().wrong(message));
            }
            (Form::Objects, None) if is_request => Source::Batch(lines),
            (Form::Batch, None) => Source::Batch(lines),
            (Form::Batch, Some(_)) => {
                let message = "a batch file has whole requests, and --prompt is for rows of columns: leave one of them out";
                return Err(lines.place().wrong(message));
            }
            (Form::Objects, Some(template)) => Source::Objects(lines, template),
            (Form::Csv, Some(template)) => {
                Source::Csv(Box::new(Table::new(lines, &template)?), template)
            }
            (Form::Objects | Form::Csv, None) if first.is_empty() => Source::Batch(lines),
            (Form::Objects | Form::Csv, None) => {
                let message = "this is no request {\"custom_id\", \"body\"}: say what to ask of a row, --prompt 'Sentiment of: {text}'";
                return Err(lines.place().wrong(message));
            }
        };
        if let Some(max_tokens) = options.chat.max_tokens
            && max_tokens == 0
        {
            return Err(Error::invalid("an answer of 0 tokens says nothing: raise max_tokens"));
        }
        Ok(Self { source, options })
    }

    fn read(&mut self) -> Result<Option<Row>, Error> {
        let question = match &mut self.source {
            Source::Batch(lines) => {
                let Some(text) = lines.next()?.map(objects::request) else { return Ok(None) };
                let place = lines.place();
                return text
                    .and_then(|row| self.options.with_model(Row { line: place.line, ..row }))
                    .map(Some)
                    .map_err(|what| place.wrong(what));
            }
            Source::Objects(lines, template) => match lines.next()? {
                None => None,
                Some(text) => {
                    let question = objects::question(text, template);
                    let place = lines.place();
                    let question = question.map_err(|what| place.wrong(what))?;
                    Some(Question { line: place.line, ..question })
                }
            },
            Source::Csv(table, template) => table.next(template)?,
        };
        let Some(Question { line, name, text }) = question else { return Ok(None) };
        let custom_id = match name {
            Some(name) if name.is_empty() => {
                let message = "the row's name is empty: fill the column, or leave it out";
                return Err(self.place().wrong(message));
            }
            Some(name) => name,
            None => format!("row-{line}"),
        };
        let body = self.options.chat.body(&text);
        self.options
            .with_model(Row { line, custom_id, url: CHAT.to_owned(), body })
            .map(Some)
            .map_err(|what| self.place().wrong(what))
    }

    fn place(&self) -> &Place {
        match &self.source {
            Source::Batch(lines) | Source::Objects(lines, _) => lines.place(),
            Source::Csv(table, _) => table.place(),
        }
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl InputOptions {
    fn with_model(&self, mut row: Row) -> Result<Row, String> {
        let is_open = row.model().is_empty() || self.is_model_forced;
        match &self.model {
            Some(model) if is_open => {
                row.body.insert("model".to_owned(), Value::from(model.as_str()));
            }
            None if row.model().is_empty() => {
                return Err(
                    "no model is named: add \"model\" to the body, or give --model".to_owned()
                );
            }
            _ => {}
        }
        Ok(row)
    }
}

impl ChatOptions {
    fn body(&self, text: &str) -> Map<String, Value> {
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(json!({"role": "system", "content": system}));
        }
        messages.push(json!({"role": "user", "content": text}));
        let mut body = Map::new();
        body.insert("messages".to_owned(), Value::from(messages));
        body.insert("temperature".to_owned(), number(self.temperature));
        if let Some(most) = self.max_tokens {
            body.insert("max_tokens".to_owned(), Value::from(most));
        }
        if let Some(format) = &self.response_format {
            body.insert("response_format".to_owned(), format.clone());
        }
        body
    }
}

/// 0 rather than 0.0, as people write it.
fn number(value: f64) -> Value {
    match value.fract() == 0.0 && value.abs() < 1e6 {
        true => Value::from(value as i64),
        false => Value::from(value),
    }
}

fn guess(name: &str, first: &[u8]) -> Form {
    let is = |ending: &str| {
        let at = name.len().checked_sub(ending.len());
        at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    let is_json = [".jsonl", ".ndjson", ".json"].into_iter().any(is) || first.starts_with(b"{");
    match is_json && !is(".csv") {
        true => Form::Objects,
        false => Form::Csv,
    }
}

/// A line of a file.
#[derive(Debug, Clone)]
struct Place {
    name: String,
    line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" | "-" => write!(f, "line {}", self.line),
            name => write!(f, "{name}:{}", self.line),
        }
    }
}

impl Place {
    fn wrong(&self, what: impl fmt::Display) -> Error {
        Error::invalid(format!("{self}: {what}"))
    }

    fn not_utf8(&self) -> Error {
        self.wrong("it is not UTF-8: save the file as UTF-8")
    }

    fn too_long(&self) -> Error {
        let most = MAX_LINE_BYTES >> 20;
        self.wrong(format!("the row is longer than {most} MiB; an open quote may swallow lines"))
    }

    fn unreadable(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::new(ErrorKind::Store, format!("{self}: reading behind it failed")).because(source)
    }
}

#[cfg(test)]
mod tests;
