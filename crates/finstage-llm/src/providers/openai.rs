//! OpenAI's API and everything that speaks it: gateways (LiteLLM, HolySheep), vLLM, Ollama, llama.cpp.
//!
//! Covered are `/v1/chat/completions` and `/v1/embeddings`, plain and streamed. Errors are read in the shapes of all
//! of these; usage, headers and most fields may be missing.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_net::{Reading, Request, Response, Sign, Terms};
use serde_json::Value;

use super::Kind;
use crate::hints::{REQUESTS, TOKENS, asked_wait, reading, should_retry};
use crate::provider::{Answer, Fault, Outcome, Place, Question, Remedy, Step};
use crate::sse::Event;
use crate::{CHAT, EMBEDDINGS, Provider, Reply, RowError, Usage};

pub(super) const KIND: Kind = Kind {
    name: "openai",
    describes: "OpenAI, or any server or gateway that speaks its API.",
    base: "https://api.openai.com/v1",
    key_prefix: "sk-",
    build: || Arc::new(OpenAi),
};

/// How long nothing is asked after "too many" without a word about how long.
pub(super) const BLOCK: Duration = Duration::from_secs(1);
/// The longest text of an error that is no JSON that is kept, in bytes.
const MAX_ERROR_TEXT: usize = 2_000;

/// Speaks OpenAI's API.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAi;

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn request(&self, question: &Question<'_>, place: &Place) -> Result<Request, RowError> {
        if ![CHAT, EMBEDDINGS].contains(&question.url) {
            return Err(unsupported_url(question.url));
        }
        let body = serde_json::to_vec(question.body).expect("JSON values can be written");
        Ok(place.bearer(Request::post(place.url(question.url)).json(body)))
    }

    fn read(&self, response: &Response) -> Outcome {
        read(response)
    }

    fn terms(&self) -> Terms {
        Terms { judge, readings, block: BLOCK, ..Terms::PLAIN }
    }

    fn event(&self, event: &Event) -> Result<Step, Fault> {
        if event.data.trim() == "[DONE]" {
            return Ok(Step::End);
        }
        let Ok(chunk) = serde_json::from_str::<Value>(&event.data) else {
            return Err(unreadable("a streamed answer", None));
        };
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return Err(mid_stream(chunk));
        }
        Ok(Step::Chunk(chunk))
    }

    fn has_batches(&self) -> bool {
        true
    }

    fn usage_check(&self, place: &Place) -> Option<Request> {
        Some(place.bearer(Request::get(place.url("/v1/usage"))))
    }
}

/// A path that no provider here serves.
pub(super) fn unsupported_url(url: &str) -> RowError {
    RowError {
        code: "unsupported_url".to_owned(),
        message: format!("url '{url}': write {CHAT} or {EMBEDDINGS}"),
        reply: None,
    }
}

/// What an answer means for limits and repetitions.
pub(super) fn judge(response: &Response, now: Timestamp) -> Sign {
    let wait = asked_wait(response, now);
    match (response.status, should_retry(response)) {
        // Of an answer that is read while it comes there is the head alone.
        (200..=299, _) => match response.body.is_empty() || looks_whole(&response.body) {
            true => Sign::Fine,
            // A page of something in between, or half an answer.
            false => Sign::UnknownOutcome,
        },
        (401 | 403, _) => Sign::Unauthorized,
        (429, Some(false)) => refused_for_good(response),
        (429, _) => limited(response, wait),
        (_, Some(false)) => Sign::Fine,
        (408 | 409 | 500.., _) | (_, Some(true)) => Sign::Unavailable { retry_after: wait },
        _ => Sign::Fine,
    }
}

/// 429 of which the server says that it is of no use to come again.
fn refused_for_good(response: &Response) -> Sign {
    if is_spent(&Complaint::read(&response.body)) { Sign::Unauthorized } else { Sign::Fine }
}

/// 429: too fast, too many at once, too large for the limit, or no money left.
fn limited(response: &Response, retry_after: Option<Duration>) -> Sign {
    let complaint = Complaint::read(&response.body);
    if is_spent(&complaint) {
        return Sign::Unauthorized;
    }
    if complaint.message.contains("Request too large") {
        return Sign::Fine;
    }
    Sign::Limited { retry_after }
}

/// Whether a body has both ends of a JSON object. The whole is parsed once, by whoever reads it.
pub(super) fn looks_whole(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.starts_with(b"{") && body.ends_with(b"}")
}

fn readings(response: &Response) -> Vec<Reading> {
    let of = |rule, limit, left| reading(response, rule, (limit, left));
    let requests = of(REQUESTS, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests");
    let tokens = of(TOKENS, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens");
    requests.into_iter().chain(tokens).collect()
}

/// An error's words, whatever its shape.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    pub(super) code: String,
    pub(super) kind: String,
    pub(super) message: String,
}

impl Complaint {
    pub(super) fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of(&value),
            Err(_) => Self { message: shortened(body), ..Self::default() },
        }
    }

    /// `{"error":{…}}`, `{"error":"text"}`, `{"object":"error",…}`, `{"detail":…}`.
    fn of(value: &Value) -> Self {
        let inner = match value.get("error") {
            Some(Value::String(text)) => {
                return Self { message: text.clone(), ..Self::default() };
            }
            Some(inner @ Value::Object(_)) => inner,
            _ => value,
        };
        let text = |name: &str| match inner.get(name) {
            Some(Value::String(text)) if text != "None" => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(other @ (Value::Array(_) | Value::Object(_))) => other.to_string(),
            _ => String::new(),
        };
        let message = Some(text("message")).filter(|text| !text.is_empty());
        Self {
            code: text("code"),
            kind: text("type"),
            message: message.unwrap_or_else(|| text("detail")),
        }
    }

    /// A word to act on: the code unless it repeats the status, else the type, else the status.
    pub(super) fn word(&self, status: u16) -> String {
        let is_word = |text: &&str| !text.is_empty() && text.parse::<u16>().is_err();
        let word = [self.code.as_str(), self.kind.as_str()].into_iter().find(is_word);
        word.map_or_else(|| format!("http_{status}"), str::to_owned)
    }
}

fn is_spent(complaint: &Complaint) -> bool {
    const WORDS: [&str; 3] =
        ["insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"];
    let names = [complaint.code.as_str(), complaint.kind.as_str()];
    names.iter().any(|name| WORDS.contains(name))
        || ["ExceededBudget", "BudgetExceeded", "credit balance is too low"]
            .iter()
            .any(|words| complaint.message.contains(words))
}

/// The beginning of a text that is no JSON.
fn shortened(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(MAX_ERROR_TEXT)]).trim().to_owned()
}

fn request_id(response: &Response) -> String {
    let names = ["x-request-id", "request-id", "x-litellm-call-id"];
    let id = names.iter().find_map(|name| response.header(name));
    id.unwrap_or_default().to_owned()
}

/// An answer, or what is wrong with it.
fn read(response: &Response) -> Outcome {
    let (status, request_id) = (response.status, request_id(response));
    if !response.is_success() {
        return Outcome::Failed(fault(response, request_id));
    }
    match serde_json::from_slice::<Value>(&response.body) {
        Ok(body @ Value::Object(_)) => {
            if body.get("error").is_some_and(|error| !error.is_null()) {
                // Some gateways answer 200 and mean something else.
                return Outcome::Failed(fault(response, request_id));
            }
            let usage = usage(&body);
            Outcome::Answered(Answer { reply: Reply { status, request_id, body }, usage })
        }
        _ => {
            let body = Value::String(shortened(&response.body));
            Outcome::Failed(unreadable("the answer", Some(Reply { status, request_id, body })))
        }
    }
}

pub(super) fn unreadable(what: &str, reply: Option<Reply>) -> Fault {
    let message = format!("{what} is not what the API writes: look whether base url is right");
    let error = RowError { code: "unreadable".to_owned(), message, reply };
    Fault { error, remedy: Remedy::Later }
}

/// What the provider says it used.
pub(crate) fn usage(body: &Value) -> Option<Usage> {
    let usage = body.get("usage").filter(|usage| usage.is_object())?;
    let number = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    Some(Usage {
        prompt: number("/prompt_tokens")?,
        cached: number("/prompt_tokens_details/cached_tokens").unwrap_or_default(),
        completion: number("/completion_tokens").unwrap_or_default(),
        reasoning: number("/completion_tokens_details/reasoning_tokens").unwrap_or_default(),
    })
}

/// What an answer means that is none.
pub(super) fn fault(response: &Response, request_id: String) -> Fault {
    let status = response.status;
    let body = serde_json::from_slice::<Value>(&response.body);
    let complaint = body.as_ref().map_or_else(
        |_| Complaint { message: shortened(&response.body), ..Complaint::default() },
        Complaint::of,
    );
    let code = complaint.word(status);
    let remedy = match status {
        _ if is_spent(&complaint) => Remedy::Access,
        404 => Remedy::Model,
        _ if code == "model_not_found" => Remedy::Model,
        401 | 403 => Remedy::Access,
        429 if complaint.message.contains("Request too large") => Remedy::Model,
        200..=299 | 408 | 409 | 429 | 500.. => Remedy::Later,
        _ if should_retry(response) == Some(true) => Remedy::Later,
        _ => Remedy::Question,
    };
    let message = match complaint.message.as_str() {
        "" => format!("the provider answered with status {status}"),
        text => text.to_owned(),
    };
    let body = body.unwrap_or_else(|_| Value::String(shortened(&response.body)));
    let reply = Some(Reply { status, request_id, body });
    Fault { error: RowError { code, message, reply }, remedy }
}

/// An error that comes in the middle of a streamed answer.
pub(super) fn mid_stream(chunk: Value) -> Fault {
    let complaint = Complaint::of(&chunk);
    let remedy = if is_spent(&complaint) { Remedy::Access } else { Remedy::Later };
    let reply = Some(Reply { status: 200, request_id: String::new(), body: chunk });
    let error = RowError { code: complaint.word(200), message: complaint.message, reply };
    Fault { error, remedy }
}

#[cfg(test)]
#[path = "openai/tests.rs"]
mod tests;
