//! Answers that come piece by piece.

mod gathered;

use std::collections::VecDeque;
use std::fmt;

use finstage_net::{Response, Streamed};
use serde_json::{Value, json};

use crate::endpoint::fault_of;
use crate::provider::{Fault, Outcome, Question, Remedy, Step};
use crate::sse::{Event, SseParser};
use crate::{Endpoint, Reply, RowError};

pub use gathered::{Gathered, MAX_PARTS, MAX_STREAM_BYTES};

/// An answer that is still coming. It holds its place among the requests that are out until it is over or
/// dropped.
pub struct Streaming {
    endpoint: Endpoint,
    body: Streamed,
    parser: SseParser,
    events: VecDeque<Event>,
    gathered: Gathered,
    request_id: String,
    /// How it ended, once it has.
    end: Option<Result<(), Fault>>,
}

impl Endpoint {
    /// Asks, and gives the answer as it comes. Limits and repetitions are those of any other question, up
    /// to the moment when the answer begins.
    ///
    /// # Errors
    /// When it does not begin.
    pub async fn ask_streaming(&self, question: &Question<'_>) -> Result<Streaming, Fault> {
        let mut body = question.body.clone();
        body.insert("stream".to_owned(), Value::Bool(true));
        body.entry("stream_options").or_insert_with(|| json!({"include_usage": true}));
        let question = Question { body: &body, ..*question };
        let mut streamed = self.open(&question).await?;
        let names = ["x-request-id", "request-id", "x-litellm-call-id"];
        let request_id = names.iter().find_map(|name| streamed.header(name));
        let request_id = request_id.unwrap_or_default().to_owned();
        let is_stream = streamed.is_success()
            && !streamed.header("content-type").is_some_and(|media| media.contains("json"));
        if !is_stream {
            return match self.provider().read(&whole(&mut streamed).await?) {
                Outcome::Failed(fault) => Err(fault),
                // Some servers do not stream, whatever they are asked.
                Outcome::Answered(answer) => Ok(Streaming {
                    gathered: Gathered::of_whole(answer.reply.body),
                    ..Streaming::new(self.clone(), streamed, request_id)
                }),
            };
        }
        Ok(Streaming::new(self.clone(), streamed, request_id))
    }
}

/// Reads what is left of a body that is no stream.
async fn whole(streamed: &mut Streamed) -> Result<Response, Fault> {
    let (status, headers) = (streamed.status(), streamed.headers().to_vec());
    let mut body = Vec::new();
    while let Some(piece) = streamed.chunk().await.map_err(|error| fault_of(&error))? {
        if body.len() + piece.len() > MAX_STREAM_BYTES {
            return Err(too_long());
        }
        body.extend_from_slice(&piece);
    }
    Ok(Response { status, headers, body })
}

impl Streaming {
    fn new(endpoint: Endpoint, body: Streamed, request_id: String) -> Self {
        Self {
            endpoint,
            body,
            parser: SseParser::default(),
            events: VecDeque::new(),
            gathered: Gathered::default(),
            request_id,
            end: None,
        }
    }

    /// The next piece of the first choice's text, never empty; `None` when the answer is over. May be dropped
    /// at any moment, and asked again.
    ///
    /// # Errors
    /// When it fails: nothing follows, and it is not whole.
    pub async fn next(&mut self) -> Result<Option<String>, Fault> {
        if let Some(text) = self.gathered.take_untold() {
            return Ok(Some(text));
        }
        loop {
            match &self.end {
                Some(Ok(())) => return Ok(None),
                Some(Err(fault)) => return Err(fault.clone()),
                None => {}
            }
            match self.step().await {
                Ok(Some(text)) if !text.is_empty() => return Ok(Some(text)),
                Ok(Some(_)) => {}
                Ok(None) => self.end = Some(Ok(())),
                Err(fault) => self.end = Some(Err(fault)),
            }
        }
    }

    /// The text of the next event, which may be empty; `None` at the end.
    async fn step(&mut self) -> Result<Option<String>, Fault> {
        if self.gathered.is_whole() {
            return Ok(None);
        }
        while self.events.is_empty() {
            let piece = self.body.chunk().await.map_err(|error| fault_of(&error))?;
            let mut events = Vec::new();
            match piece {
                Some(piece) => self.parser.push(&piece, &mut events).map_err(|_| too_long())?,
                None => {
                    let last = std::mem::take(&mut self.parser).finish();
                    events.push(last.ok_or_else(cut)?);
                }
            }
            self.events.extend(events);
        }
        let event = self.events.pop_front().expect("the loop ends with one");
        match self.endpoint.provider().event(&event)? {
            Step::Nothing => Ok(Some(String::new())),
            Step::Chunk(chunk) => self.gathered.add(&chunk).map(Some).ok_or_else(too_long),
            Step::End => Ok(None),
        }
    }

    /// The whole answer, as it would have come at once; what is still to come is waited for.
    ///
    /// # Errors
    /// When it fails: an answer without its end is none.
    pub async fn finish(mut self) -> Result<crate::Answer, Fault> {
        while self.next().await?.is_some() {}
        let body = self.gathered.into_body();
        let usage = crate::providers::usage(&body);
        let reply = Reply { status: 200, request_id: self.request_id, body };
        Ok(crate::Answer { reply, usage })
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_over = self.end.is_some();
        f.debug_struct("Streaming").field("is_over", &is_over).finish_non_exhaustive()
    }
}

fn fault(code: &str, message: String) -> Fault {
    let error = RowError { code: code.to_owned(), message, reply: None };
    Fault { error, remedy: Remedy::Later }
}

fn cut() -> Fault {
    fault("truncated", "the streamed answer broke off before its end".to_owned())
}

fn too_long() -> Fault {
    fault("too_large", format!("the streamed answer has more than {MAX_STREAM_BYTES} bytes"))
}

#[cfg(test)]
#[path = "stream/tests.rs"]
mod tests;
