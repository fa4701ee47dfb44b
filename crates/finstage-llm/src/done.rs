use serde::Serialize;
use serde_json::{Value, json};

use crate::{Money, Row, Usage};

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// The row.
    pub row: Row,
    /// How it ended.
    pub end: End,
    /// What was sent for it, in order; empty where the answer was there already.
    pub attempts: Vec<Attempt>,
    /// Whether the answer was there already: from a cache, or from the same question of another row.
    pub is_cached: bool,
}

/// How a row ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// With an answer.
    Answered(Reply),
    /// Without one.
    Failed(RowError),
}

/// A provider's answer to a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The status it came with.
    pub status: u16,
    /// What the provider calls the request; empty where it says nothing.
    pub request_id: String,
    /// The answer, in OpenAI's words whoever gave it.
    pub body: Value,
}

/// Why a row has no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct RowError {
    /// A word to act on: `timeout`, `schema`, `budget`, or the provider's own.
    pub code: String,
    /// A line for people.
    pub message: String,
    /// What the provider answered, where it did.
    pub reply: Option<Reply>,
}

/// One question that was put to a model for a row, and answered or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The model.
    pub model: String,
    /// What it used; `None` where the provider did not say.
    pub usage: Option<Usage>,
    /// What it cost; `None` where the model has no known price.
    pub cost: Option<Money>,
    /// Why there was another attempt after it, in a word: `refusal`, `schema`, `confidence`, `error`.
    pub passed_on: Option<&'static str>,
}

/// In front of a row's key, where it stands as the `id` of a line.
pub(crate) const KEY_MARK: &str = "row_";

/// A line of the output without a copy of the answer; members as [`Done::to_line`] sorts them.
#[derive(Serialize)]
struct Line<'a> {
    custom_id: &'a str,
    error: Option<LineError<'a>>,
    id: String,
    response: Option<LineResponse<'a>>,
}

#[derive(Serialize)]
struct LineError<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct LineResponse<'a> {
    body: &'a Value,
    request_id: &'a str,
    status_code: u16,
}

impl Reply {
    fn line(&self) -> LineResponse<'_> {
        let Self { status, request_id, body } = self;
        LineResponse { body, request_id, status_code: *status }
    }
}

impl Done {
    /// Adds the line that is written for it to `bytes`: the text of [`Done::to_line`], and a line's end.
    pub fn write_line(&self, bytes: &mut Vec<u8>) {
        let (response, error) = match &self.end {
            End::Answered(reply) => (Some(reply.line()), None),
            End::Failed(error) => (
                error.reply.as_ref().map(Reply::line),
                Some(LineError { code: &error.code, message: &error.message }),
            ),
        };
        let (custom_id, id) = (self.row.custom_id.as_str(), self.id());
        let line = Line { custom_id, error, id, response };
        serde_json::to_writer(&mut *bytes, &line).expect("memory takes all, and these are JSON");
        bytes.push(b'\n');
    }

    fn id(&self) -> String {
        // A batch's answer to a question that nobody knows here counts by its name alone.
        if self.row.body.is_empty() {
            return "batch_row".to_owned();
        }
        format!("{KEY_MARK}{}", self.row.key())
    }

    /// The line that is written for it, as in the output of OpenAI's batches. `id` tells row and question,
    /// so that a later run knows what is done.
    #[must_use]
    pub fn to_line(&self) -> Value {
        let response = |reply: &Reply| json!({"status_code": reply.status, "request_id": reply.request_id, "body": reply.body});
        let (response, error) = match &self.end {
            End::Answered(reply) => (response(reply), Value::Null),
            End::Failed(error) => (
                error.reply.as_ref().map_or(Value::Null, response),
                json!({"code": error.code, "message": error.message}),
            ),
        };
        json!({
            "id": self.id(),
            "custom_id": self.row.custom_id,
            "response": response,
            "error": error,
        })
    }
}
