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

impl Done {
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
            "id": format!("row_{}", self.row.key()),
            "custom_id": self.row.custom_id,
            "response": response,
            "error": error,
        })
    }
}
