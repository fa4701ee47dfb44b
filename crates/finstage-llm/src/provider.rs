//! What a provider is: a translator between OpenAI's words and its own. It opens no socket, waits for nothing and
//! repeats nothing.

use std::fmt;
use std::sync::Arc;

use finstage_net::{Request, Response, Terms, Transport};
use finstage_seal::Secret;
use serde_json::{Map, Value};

use crate::sse::Event;
use crate::{Error, Reply, RowError, Usage};

/// Translates questions into requests, and answers back.
pub trait Provider: fmt::Debug + Send + Sync {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// The request that asks `question`.
    ///
    /// # Errors
    /// When the provider cannot be asked this: the row fails, and nothing is sent.
    fn request(&self, question: &Question<'_>, place: &Place) -> Result<Request, RowError>;

    /// What an answer to such a request says.
    fn read(&self, response: &Response) -> Outcome;

    /// How it says no, and what its headers say of limits.
    fn terms(&self) -> Terms;

    /// What an event of a streamed answer says, as a chunk in OpenAI's words.
    ///
    /// # Errors
    /// When it says that the answer has failed.
    fn event(&self, event: &Event) -> Result<Step, Fault>;

    /// The request that asks what the key has used; `None` where there is none.
    fn usage_check(&self, _place: &Place) -> Option<Request> {
        None
    }

    /// Whether it takes files of questions, as [`crate::Batches`] hands them in.
    fn has_batches(&self) -> bool {
        false
    }

    /// What carries its requests where that is not the network.
    fn transport(&self) -> Option<Arc<dyn Transport>> {
        None
    }
}

/// One question to one model.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The path, as OpenAI writes it.
    pub url: &'a str,
    /// What is asked, in OpenAI's words.
    pub body: &'a Map<String, Value>,
}

impl Question<'_> {
    /// The model that is asked; empty where it names none.
    #[must_use]
    pub fn model(&self) -> &str {
        self.body.get("model").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the answer comes in pieces.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.body.get("stream").and_then(Value::as_bool).unwrap_or_default()
    }
}

/// Where a provider is asked, and as whom.
#[derive(Debug, Clone)]
pub struct Place {
    /// The address, without a `/` at the end.
    base: String,
    key: Option<Secret<String>>,
    headers: Vec<(String, String)>,
}

impl Place {
    /// An address and a key, both trimmed. An address without a path gets `/v1`, as OpenAI's has.
    ///
    /// # Errors
    /// When the address is none of HTTP, or the key is empty or has characters that no key has.
    pub fn new(base: &str, key: Option<&Secret<String>>) -> Result<Self, Error> {
        let base = base.trim().trim_end_matches('/');
        let rest = ["https://", "http://", "scripted://"]
            .iter()
            .find_map(|scheme| base.strip_prefix(scheme))
            .filter(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
        let Some(rest) = rest else {
            let words =
                format!("base url '{base}': write it as https://api.example.com/v1, path included");
            return Err(Error::invalid(words));
        };
        let base = if rest.contains('/') { base.to_owned() } else { format!("{base}/v1") };
        let key = key.map(|key| {
            let key = key.expose().trim();
            let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
            is_key.then(|| Secret::new(key.to_owned())).ok_or_else(|| {
                Error::invalid("invalid key format: it is empty or has spaces or letters inside that no key has")
            })
        });
        Ok(Self { base, key: key.transpose()?, headers: Vec::new() })
    }

    /// Says that keys here begin with `prefix`.
    ///
    /// # Errors
    /// When this one does not, or there is none.
    pub fn expect_prefix(self, prefix: &str) -> Result<Self, Error> {
        let key = self.key.as_ref().map(|key| key.expose().as_str()).unwrap_or_default();
        if key.starts_with(prefix) {
            return Ok(self);
        }
        let words = format!("invalid key format: keys of {} begin with '{prefix}'", self.base);
        Err(Error::invalid(words))
    }

    /// The whole address of a path as OpenAI writes it: the base stands for its `/v1`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        format!("{}{path}", self.base)
    }

    /// The address.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The key; `None` where none is needed.
    #[must_use]
    pub const fn key(&self) -> Option<&Secret<String>> {
        self.key.as_ref()
    }

    /// The same with a header in every request: an organisation, what a gateway wants to be told.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// `request` with the headers of this place.
    pub fn dressed(&self, request: Request) -> Request {
        let with = |request: Request, (name, value): &(String, String)| request.header(name, value);
        self.headers.iter().fold(request, with)
    }

    /// The same with the key as a bearer token, hidden in everything printed.
    pub fn bearer(&self, request: Request) -> Request {
        let request = self.dressed(request);
        match &self.key {
            Some(key) => {
                request.header("authorization", format!("Bearer {}", key.expose())).hide(key)
            }
            None => request,
        }
    }
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// What was asked.
    Answered(Answer),
    /// Something else.
    Failed(Fault),
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// All of it, in OpenAI's words.
    pub reply: Reply,
    /// What it used; `None` where the provider does not say.
    pub usage: Option<Usage>,
}

impl Answer {
    /// The text of the first choice; empty where it has none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.first("/choices/0/message/content")
    }

    /// Why the first choice ended: `stop`, `length`, `tool_calls`, `content_filter`.
    #[must_use]
    pub fn finish_reason(&self) -> &str {
        self.first("/choices/0/finish_reason")
    }

    /// Whether the model refused, or a filter did.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !self.first("/choices/0/message/refusal").is_empty()
            || self.finish_reason() == "content_filter"
    }

    /// The model that answered, as the provider calls it.
    #[must_use]
    pub fn model(&self) -> &str {
        self.first("/model")
    }

    fn first(&self, pointer: &str) -> &str {
        self.reply.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Why a provider gave no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// A word and a line for people.
    pub error: RowError,
    /// What helps.
    pub remedy: Remedy,
}

/// What helps against a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// Another question.
    Question,
    /// Another model.
    Model,
    /// Time.
    Later,
    /// Another key, or money: until then nothing can be asked here.
    Access,
}

/// What an event of a streamed answer says.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// A piece of the answer: a chunk in OpenAI's words.
    Chunk(Value),
    /// The answer is whole.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_base_without_a_path_gets_v1_and_any_other_stands_for_it() {
        let url = |base| Place::new(base, None).unwrap().url("/v1/chat/completions");
        assert_eq!(url("https://api.openai.com"), "https://api.openai.com/v1/chat/completions");
        assert_eq!(url("https://a.example/v1/"), "https://a.example/v1/chat/completions");
        assert_eq!(url("http://127.0.0.1:4000/llm"), "http://127.0.0.1:4000/llm/chat/completions");
        for wrong in ["", "api.openai.com", "https://", "ftp://x/v1", "https://a b/v1"] {
            assert!(Place::new(wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_trimmed_and_a_wrong_one_is_refused_before_any_call() {
        let place = Place::new("https://a.example", Some(&key(" sk-123\n"))).unwrap();
        assert_eq!(place.key().unwrap().expose(), "sk-123");
        assert!(place.clone().expect_prefix("sk-").is_ok());
        let error = place.expect_prefix("hs-").unwrap_err();
        assert!(error.to_string().contains("invalid key format"), "{error}");
        assert!(!error.to_string().contains("123"), "{error}");
        for wrong in ["", "  ", "sk-a b", "sk-é"] {
            assert!(Place::new("https://a.example", Some(&key(wrong))).is_err(), "{wrong}");
        }
    }
}
