//! Files and batches as they are asked for.

use std::sync::Arc;

use axum::body::Bytes;
use finstage_model::Timestamp;
use serde_json::{Value, json};

use super::answering::json_of;
use super::batches::{Batches, Order, VALIDATING, prepare};
use super::failure::Failure;
use super::files::{File, Files, MAX_FILE_BYTES, Upload};
use super::limits::locked;
use super::reply::{Content, Reply};
use super::script::id;
use super::server::{Call, Moment, Shared};
use crate::rng::mix;

/// The endpoints that batches may ask.
pub(super) const ENDPOINTS: [&str; 2] = ["/v1/chat/completions", "/v1/embeddings"];
/// The most pairs of metadata.
const MAX_METADATA: usize = 16;
/// How much of a list is shown at once: unless asked otherwise, and at most.
const PAGE: (usize, usize) = (20, 100);

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Store {
    files: Files,
    batches: Batches,
}

impl Shared {
    /// Hands the store over as it is at a moment.
    fn store<T>(&self, now: Timestamp, with: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = locked(&self.store);
        let Store { files, batches } = &mut *store;
        let charges = batches.settle(now, files);
        if !charges.is_empty() {
            let mut admission = locked(&self.admission);
            for charge in charges {
                admission.charge(&charge.key, (charge.tokens, charge.nano_usd));
            }
        }
        with(&mut store)
    }

    /// `POST /files`
    pub(super) fn upload(&self, call: &Call, moment: Moment) -> Result<Reply, Failure> {
        let upload = Upload::read(&call.media, call.body()?)?;
        if upload.bytes.len() > MAX_FILE_BYTES {
            return Err(Failure::too_large(MAX_FILE_BYTES));
        }
        let file = File {
            id: id("file-", 22, mix(self.seed, moment.number, 0xf1)),
            name: upload.name,
            purpose: upload.purpose,
            created: moment.now,
            bytes: upload.bytes,
        };
        let shown = file.shown();
        self.store(moment.now, |store| store.files.keep(file))?;
        Ok(Reply::json(200, &shown))
    }

    /// `GET /files`
    pub(super) fn files(&self, call: &Call, now: Timestamp) -> Reply {
        let all: Vec<Value> =
            self.store(now, |store| store.files.list().into_iter().map(File::shown).collect());
        Reply::json(200, &page(call, all))
    }

    /// `GET /files/{id}`
    pub(super) fn file(&self, id: &str, now: Timestamp) -> Result<Reply, Failure> {
        let shown = self.store(now, |store| store.files.get(id).map(File::shown))?;
        Ok(Reply::json(200, &shown))
    }

    /// `GET /files/{id}/content`
    pub(super) fn content(&self, id: &str, now: Timestamp) -> Result<Reply, Failure> {
        let bytes = self.store(now, |store| store.files.get(id).map(|file| file.bytes.clone()))?;
        Ok(Reply::new(200, Content::File(bytes)))
    }

    /// `DELETE /files/{id}`
    pub(super) fn forget(&self, id: &str, now: Timestamp) -> Result<Reply, Failure> {
        Ok(Reply::json(200, &self.store(now, |store| store.files.remove(id))?))
    }

    /// `POST /batches`: the file is looked at outside of all locks, on a thread that may take its time.
    pub(super) async fn submit(
        self: &Arc<Self>,
        call: &Call,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let order = self.order(call, now)?;
        let shared = Arc::clone(self);
        let bytes = self.input(&order.input_file, now)?;
        let looked = tokio::task::spawn_blocking(move || {
            let prepared = shared.prepare(&order, &bytes);
            (order, prepared)
        });
        // It ends early only when the whole runtime does.
        let looked = looked.await.map_err(|_| Failure::of_status(503))?;
        let shown = self.store(now, |store| {
            let Store { files, batches } = store;
            batches.add(looked, files).map(|batch| batch.shown(now))
        })?;
        Ok(Reply::json(200, &shown))
    }

    fn prepare(&self, order: &Order, bytes: &Bytes) -> super::batches::Prepared {
        let seed = order.id.bytes().fold(self.seed, |seed, byte| mix(seed, u64::from(byte), 0xb));
        let begins = order.created.plus(VALIDATING);
        prepare((bytes, &order.endpoint), seed, |i, body| {
            let place = u32::try_from(i).unwrap_or(u32::MAX);
            let at = begins.plus(order.line_time.saturating_mul(place.saturating_add(1)));
            self.line((&order.endpoint, body), (seed, u64::from(place)), at)
        })
    }

    fn order(&self, call: &Call, now: Timestamp) -> Result<Order, Failure> {
        let body = json_of(call)?;
        let text = |name: &str| match &body[name] {
            Value::Null => Err(Failure::missing(name)),
            Value::String(text) => Ok(text.clone()),
            _ => Err(Failure::invalid(
                name,
                format!("Invalid type for '{name}': expected a string."),
            )),
        };
        let (input_file, endpoint) = (text("input_file_id")?, text("endpoint")?);
        if !ENDPOINTS.contains(&endpoint.as_str()) {
            let words =
                format!("Invalid value: '{endpoint}'. Supported values are: {ENDPOINTS:?}.");
            return Err(Failure::invalid_value("endpoint", words));
        }
        if text("completion_window")? != "24h" {
            let words = "Invalid value for 'completion_window': only '24h' is supported.";
            return Err(Failure::invalid_value("completion_window", words));
        }
        let metadata = body["metadata"].clone();
        if !(metadata.is_null()
            || metadata.as_object().is_some_and(|all| all.len() <= MAX_METADATA))
        {
            let words = format!("Invalid 'metadata': at most {MAX_METADATA} pairs are taken.");
            return Err(Failure::invalid("metadata", words));
        }
        let (id, line_time) =
            (locked(&self.store).batches.next_id(self.seed), self.manners.batch_line);
        let key = call.key().to_owned();
        Ok(Order { id, input_file, endpoint, metadata, key, created: now, line_time })
    }

    fn input(&self, id: &str, now: Timestamp) -> Result<Bytes, Failure> {
        self.store(now, |store| {
            let file = store.files.get(id)?;
            if file.purpose != "batch" {
                let words = format!("The file {id} has not the purpose 'batch'.");
                return Err(Failure::invalid("input_file_id", words));
            }
            Ok(file.bytes.clone())
        })
    }

    /// `GET /batches`
    pub(super) fn batches(&self, call: &Call, now: Timestamp) -> Reply {
        let all: Vec<Value> = self.store(now, |store| {
            store.batches.list().into_iter().map(|batch| batch.shown(now)).collect()
        });
        Reply::json(200, &page(call, all))
    }

    /// `GET /batches/{id}`
    pub(super) fn batch(&self, id: &str, now: Timestamp) -> Result<Reply, Failure> {
        let shown = self.store(now, |store| store.batches.get(id).map(|batch| batch.shown(now)))?;
        Ok(Reply::json(200, &shown))
    }

    /// `POST /batches/{id}/cancel`
    pub(super) fn cancel(&self, id: &str, now: Timestamp) -> Result<Reply, Failure> {
        let shown = self.store(now, |store| {
            let batch = store.batches.get(id)?;
            batch.cancel(now)?;
            Ok(batch.shown(now))
        })?;
        Ok(Reply::json(200, &shown))
    }
}

/// A page of a list, by `limit` and `after`.
fn page(call: &Call, all: Vec<Value>) -> Value {
    let limit = call.param("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE.0);
    let after = call.param("after");
    let place = after.and_then(|id| all.iter().position(|one| one["id"] == id));
    let rest = all.into_iter().skip(place.map_or(0, |place| place + 1));
    let mut rest = rest.peekable();
    let data: Vec<Value> = rest.by_ref().take(limit.clamp(1, PAGE.1)).collect();
    json!({
        "object": "list", "first_id": data.first().map(|one| &one["id"]),
        "last_id": data.last().map(|one| &one["id"]), "has_more": rest.peek().is_some(),
        "data": data,
    })
}
