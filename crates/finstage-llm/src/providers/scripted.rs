//! Answers without a network: from a function of the question, for tests and for trying things out offline.
//!
//! It speaks OpenAI's API through a transport of its own, so that limits, retries, budget and schema are those of
//! every other provider.

use std::fmt;
use std::sync::Arc;

use finstage_net::{
    Carried, Error as NetError, ErrorKind as NetErrorKind, Request, Response, Socket,
    SocketOptions, Terms, Transport,
};
use serde_json::{Map, Value, json};

use super::Kind;
use super::openai::{BLOCK, OpenAi, judge};
use crate::provider::{Fault, Outcome, Place, Question, Step};
use crate::sse::Event;
use crate::{Provider, RowError};

pub(super) const KIND: Kind = Kind {
    name: "scripted",
    describes: "Answers offline: counts words that rise and fall, or repeats what was said.",
    base: "scripted://here/v1",
    key_prefix: "",
    build: || Arc::new(Scripted::default()),
};

const RISING: [&str; 10] =
    ["beat", "gain", "growth", "jump", "profit", "rally", "record", "rise", "surge", "상승"];
const FALLING: [&str; 10] =
    ["crash", "decline", "drop", "fall", "fraud", "loss", "miss", "plunge", "slump", "하락"];
/// Bytes of text that count as a token.
const TOKEN_BYTES: usize = 4;
/// Numbers of an embedding.
const DIMENSIONS: usize = 8;

/// What is said to a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A text.
    Text(String),
    /// A refusal.
    Refusal(String),
    /// An error with this status, in OpenAI's words.
    Error(u16, Value),
}

type Script = dyn Fn(&Map<String, Value>) -> Said + Send + Sync;

/// Answers as its script says.
#[derive(Clone)]
pub struct Scripted(Arc<Script>);

impl Scripted {
    /// Answers with what `script` makes of a question's body.
    #[must_use]
    pub fn new(script: impl Fn(&Map<String, Value>) -> Said + Send + Sync + 'static) -> Self {
        Self(Arc::new(script))
    }

    /// Answers with the text of the first entry whose first part stands in what the user said last; with
    /// what was said where none does.
    #[must_use]
    pub fn of_table(table: Vec<(String, String)>) -> Self {
        Self::new(move |body| {
            let asked = last_said(body);
            let entry = table.iter().find(|(part, _)| asked.contains(part.as_str()));
            Said::Text(entry.map_or(asked, |(_, answer)| answer.clone()))
        })
    }
}

impl Default for Scripted {
    /// A word and a score to a question about sentiment, from words that rise and fall; else what was said.
    fn default() -> Self {
        Self::new(|body| {
            let asked = last_said(body);
            let is_about_it = asked.to_lowercase().contains("sentiment");
            Said::Text(if is_about_it { sentiment(&asked) } else { asked })
        })
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Provider for Scripted {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn request(&self, question: &Question<'_>, place: &Place) -> Result<Request, RowError> {
        OpenAi.request(question, place)
    }

    fn read(&self, response: &Response) -> Outcome {
        OpenAi.read(response)
    }

    fn terms(&self) -> Terms {
        Terms { judge, block: BLOCK, ..Terms::PLAIN }
    }

    fn event(&self, event: &Event) -> Result<Step, Fault> {
        OpenAi.event(event)
    }

    fn transport(&self) -> Option<Arc<dyn Transport>> {
        Some(Arc::new(self.clone()))
    }
}

impl Transport for Scripted {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            let body: Map<String, Value> =
                serde_json::from_slice(request.body_bytes()).map_err(|error| {
                    NetError::new(NetErrorKind::Invalid, format!("{request}")).because(error)
                })?;
            let (status, text) = if request.url().ends_with("/embeddings") {
                (200, embeddings(&body).to_string())
            } else {
                self.chat(&body)
            };
            let is_stream = text.starts_with("data:");
            let media = if is_stream { "text/event-stream" } else { "application/json" };
            let headers = vec![("content-type".to_owned(), media.to_owned())];
            Ok(Response { status, headers, body: text.into_bytes() })
        })
    }

    fn connect<'a>(&'a self, url: &'a str, _: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async move { Err(NetError::new(NetErrorKind::Unavailable, url)) })
    }
}

impl Scripted {
    fn chat(&self, body: &Map<String, Value>) -> (u16, String) {
        let (content, refusal) = match (self.0)(body) {
            Said::Error(status, body) => return (status, body.to_string()),
            Said::Text(text) => (Value::String(text), Value::Null),
            Said::Refusal(text) => (Value::Null, Value::String(text)),
        };
        let said = content.as_str().or(refusal.as_str()).unwrap_or_default().to_owned();
        let (prompt, completion) =
            (tokens(&Value::Object(body.clone()).to_string()), tokens(&said));
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": completion,
                           "total_tokens": prompt + completion});
        let head = |object: &str| json!({"id": "scripted", "object": object, "created": 0, "model": body.get("model")});
        if body.get("stream") != Some(&Value::Bool(true)) {
            let mut whole = head("chat.completion");
            let message = json!({"role": "assistant", "content": content, "refusal": refusal});
            whole["choices"] = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
            whole["usage"] = usage;
            return (200, whole.to_string());
        }
        let name = if refusal.is_null() { "content" } else { "refusal" };
        let words = said.split_inclusive(' ').map(|word| json!({name: word}));
        let mut stream = String::new();
        let mut put = |delta: Value, reason: Value, usage: Value| {
            let mut chunk = head("chat.completion.chunk");
            chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
            chunk["usage"] = usage;
            stream.push_str(&format!("data: {chunk}\n\n"));
        };
        words.for_each(|delta| put(delta, Value::Null, Value::Null));
        put(json!({}), json!("stop"), usage);
        (200, stream + "data: [DONE]\n\n")
    }
}

/// What the user said last.
fn last_said(body: &Map<String, Value>) -> String {
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let last = messages.rev().find(|message| message["role"] == "user");
    let content = last.map(|message| &message["content"]);
    let parts = content.and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
    content.and_then(Value::as_str).map_or_else(|| texts.join("\n"), str::to_owned)
}

/// `positive 0.50`: the share by which words that rise outweigh those that fall.
fn sentiment(text: &str) -> String {
    let text = text.to_lowercase();
    let count = |words: &[&str]| words.iter().map(|word| text.matches(word).count()).sum::<usize>();
    let (up, down) = (count(&RISING) as f64, count(&FALLING) as f64);
    let score = (up - down) / (up + down).max(1.0);
    let word = match score {
        score if score > 0.0 => "positive",
        score if score < 0.0 => "negative",
        _ => "neutral",
    };
    format!("{word} {score:.2}")
}

fn embeddings(body: &Map<String, Value>) -> Value {
    let input = body.get("input").cloned().unwrap_or_default();
    let inputs = match input {
        Value::Array(all) if all.iter().all(Value::is_string) => all,
        one => vec![one],
    };
    let used: usize = inputs.iter().map(|input| tokens(&input.to_string())).sum();
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            json!({"object": "embedding", "index": index, "embedding": numbers(&input.to_string())})
        })
        .collect();
    json!({"object": "list", "data": data, "model": body.get("model"),
           "usage": {"prompt_tokens": used, "total_tokens": used}})
}

/// A vector of length one that follows from a text.
fn numbers(text: &str) -> Vec<f64> {
    let mut sums = [0.0; DIMENSIONS];
    for (at, byte) in text.bytes().enumerate() {
        sums[(at + usize::from(byte)) % DIMENSIONS] += f64::from(byte) - 96.5;
    }
    let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt().max(1e-9);
    sums.iter().map(|sum| sum / length).collect()
}

fn tokens(text: &str) -> usize {
    text.len().div_ceil(TOKEN_BYTES)
}
