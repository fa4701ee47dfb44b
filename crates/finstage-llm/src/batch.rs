//! Files of questions that are answered within a day at half the price.

mod file;
mod line;

use finstage_net::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Endpoint, Error, ErrorKind};

pub use file::{BatchFile, MAX_BATCH_BYTES, MAX_BATCH_LINES};
pub use line::BatchLine;
use line::Lines;

/// Within what time a batch is worked off, as the API calls it: the only one it knows.
pub const COMPLETION_WINDOW: &str = "24h";
/// The longest error of a batch that is told, in characters.
const MAX_TOLD: usize = 500;

/// Batches at an endpoint.
#[derive(Debug, Clone)]
pub struct Batches {
    endpoint: Endpoint,
}

/// A batch, as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Batch {
    /// What the provider calls it.
    pub id: String,
    /// `validating failed in_progress finalizing completed expired cancelling cancelled`.
    pub status: String,
    /// The file with answers, where there is one.
    pub output_file_id: Option<String>,
    /// The file with rows that failed, where there is one.
    pub error_file_id: Option<String>,
    /// Unix seconds.
    pub created_at: Option<u64>,
    /// Unix seconds.
    pub expires_at: Option<u64>,
    /// How far it is.
    #[serde(rename = "request_counts")]
    pub counts: BatchCounts,
    /// What is wrong with its file, where it `failed`.
    pub errors: Value,
}

/// How far a batch is, in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchCounts {
    /// All.
    pub total: u64,
    /// Those that are answered.
    pub completed: u64,
    /// Those that failed.
    pub failed: u64,
}

impl Batch {
    /// Whether nothing changes any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        ["failed", "completed", "expired", "cancelled"].contains(&self.status.as_str())
    }

    /// What is wrong with its file, a line for each.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let all = self.errors["data"].as_array().into_iter().flatten();
        let one = |error: &Value| {
            let line = error["line"].as_u64().map(|line| format!("line {line}: "));
            let message = error["message"].as_str().unwrap_or("no reason given");
            format!("{}{message}", line.unwrap_or_default())
        };
        all.map(one).collect()
    }
}

impl Batches {
    /// Batches at `endpoint`.
    ///
    /// # Errors
    /// When its provider takes none.
    pub fn new(endpoint: Endpoint) -> Result<Self, Error> {
        if !endpoint.provider().has_batches() {
            let words =
                format!("{} takes no batches: ask its rows one by one", endpoint.provider().name());
            return Err(Error::invalid(words));
        }
        Ok(Self { endpoint })
    }

    /// Hands in a file and begins its batch. Neither is repeated when it is not known what became of it:
    /// a batch that runs twice is paid twice.
    ///
    /// # Errors
    /// When the file is empty, or the provider does not take it.
    pub async fn submit(&self, file: BatchFile) -> Result<Batch, Error> {
        let url = file.url().to_owned();
        let (media, body) = file.into_form()?;
        let request = self.post("/v1/files").header("content-type", media).body(body);
        let file = self.ask(request).await?;
        let Some(id) = file["id"].as_str() else {
            return Err(Error::new(ErrorKind::Provider, "the uploaded file has no id"));
        };
        let asked = json!({
            "input_file_id": id, "endpoint": url, "completion_window": COMPLETION_WINDOW,
        });
        batch(self.ask(self.post("/v1/batches").json(asked.to_string())).await?)
    }

    /// How a batch is getting on.
    ///
    /// # Errors
    /// When the provider does not know it, or gives no answer.
    pub async fn status(&self, id: &str) -> Result<Batch, Error> {
        let request = self.get(&format!("/v1/batches/{}", clean(id)?));
        batch(self.ask(request).await?)
    }

    /// Ends a batch. What is answered by then can be fetched.
    ///
    /// # Errors
    /// When the provider does not know it, or gives no answer.
    pub async fn cancel(&self, id: &str) -> Result<Batch, Error> {
        let request = self.post(&format!("/v1/batches/{}/cancel", clean(id)?));
        batch(self.ask(request.json("{}").idempotent()).await?)
    }

    /// Reads every line that a batch has, answers first: also what one that expired or was cancelled did
    /// finish. Rows without a line were not asked. Lines come in no order.
    ///
    /// # Errors
    /// When the batch is not over, a file cannot be read, or `each` fails.
    pub async fn fetch(
        &self,
        batch: &Batch,
        mut each: impl FnMut(BatchLine) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !batch.is_over() {
            let words = format!("batch {} is {}: nothing to fetch yet", batch.id, batch.status);
            return Err(Error::invalid(words));
        }
        for id in batch.output_file_id.iter().chain(&batch.error_file_id) {
            let request = self.get(&format!("/v1/files/{}/content", clean(id)?));
            let mut body = self.endpoint.send_open(&request).await?;
            let mut lines = Lines::new(id);
            let unread = |error| {
                Error::new(ErrorKind::Provider, format!("file {id} broke off")).because(error)
            };
            if !body.is_success() {
                let text = body.chunk().await.map_err(unread)?.unwrap_or_default();
                return Err(refused((body.status(), &text), &request));
            }
            while let Some(piece) = body.chunk().await.map_err(unread)? {
                lines.push(&piece, &mut each)?;
            }
            lines.finish(&mut each)?;
        }
        Ok(())
    }

    fn get(&self, path: &str) -> Request {
        let place = self.endpoint.place();
        place.bearer(Request::get(place.url(path)))
    }

    fn post(&self, path: &str) -> Request {
        let place = self.endpoint.place();
        place.bearer(Request::post(place.url(path)))
    }

    async fn ask(&self, request: Request) -> Result<Value, Error> {
        let response = self.endpoint.send(&request).await?;
        if !response.is_success() {
            return Err(refused((response.status, &response.body), &request));
        }
        serde_json::from_slice(&response.body).map_err(|error| {
            Error::new(ErrorKind::Provider, format!("{request}: no JSON")).because(error)
        })
    }
}

/// An id that can stand in a path.
fn clean(id: &str) -> Result<&str, Error> {
    let is_clean = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if id.is_empty() || !id.bytes().all(is_clean) || id.starts_with('.') {
        return Err(Error::invalid(format!("'{id}' is no id of a batch or file")));
    }
    Ok(id)
}

fn batch(value: Value) -> Result<Batch, Error> {
    let batch: Batch = serde_json::from_value(value).map_err(|error| {
        Error::new(ErrorKind::Provider, "the batch is not what the API writes").because(error)
    })?;
    clean(&batch.id)?;
    Ok(batch)
}

fn refused((status, body): (u16, &[u8]), request: &Request) -> Error {
    let kind = match status {
        401 | 403 => ErrorKind::Denied,
        400..=499 => ErrorKind::Invalid,
        _ => ErrorKind::Provider,
    };
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = value.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    let message: String = request.redact(message).chars().take(MAX_TOLD).collect();
    let space = if message.is_empty() { "" } else { ": " };
    Error::new(kind, format!("{request}: answered with status {status}{space}{message}"))
}

#[cfg(test)]
#[path = "batch/tests.rs"]
mod tests;
