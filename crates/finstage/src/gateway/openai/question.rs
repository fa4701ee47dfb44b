//! One question: read, paid for, asked, settled.

use std::sync::Arc;

use bytes::Bytes;
use finstage_llm::{CHAT, EMBEDDINGS, Estimate, Question, Row};
use finstage_net::{Client, MarketPhase, Request, Response};
use finstage_server::{Asked, Given};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::{COMPLETIONS, Models, body, settled, stream};
use crate::gateway::clients::Program;
use crate::gateway::meter::Meter;
use crate::gateway::money::Reserved;
use crate::gateway::passing::passed;
use crate::gateway::refusal::Refusal;
use crate::gateway::venues::NotKept;

/// Longer questions are measured by their bytes: then they count as more than they are.
const MAX_COUNTED_BYTES: usize = 256 << 10;

/// A question of a program.
#[derive(Debug)]
pub(super) struct Asking {
    row: Row,
    /// What is sent.
    written: Bytes,
    request: Request,
    pub(super) estimate: Estimate,
    pub(super) program: Option<Arc<Program>>,
    is_streamed: bool,
    /// Whether the program wants the usage at the end of a stream, or its interface tells it anyway.
    pub(super) shows_usage: bool,
    /// Whether an answer that was given before will do.
    is_shared: bool,
}

impl Asking {
    /// Reads what a program sent to `url`.
    pub(super) fn read(
        url: &'static str,
        asked: &Asked,
        (models, program): (&Models, Option<Arc<Program>>),
    ) -> Result<Self, Refusal> {
        let bad = |code, words: String| Refusal::new(400, code, words);
        let body: Value = serde_json::from_slice(&asked.body)
            .map_err(|why| bad("invalid_json", format!("the body is no JSON: {why}")))?;
        let Value::Object(mut body) = body else {
            return Err(bad("invalid_json", "the body is no JSON object".to_owned()));
        };
        let mut written = asked.body.clone();
        if !body.get("model").is_some_and(Value::is_string) {
            let Some(usual) = &models.usual else {
                let words = "model is missing, and llm.model names none".to_owned();
                return Err(bad("missing_model", words));
            };
            body.insert("model".to_owned(), Value::String(usual.clone()));
            written = serde_json::to_vec(&body).expect("JSON values can be written").into();
        }
        let question = Question { url, body: &body };
        let is_streamed = question.is_streamed();
        let can_tell = matches!(url, CHAT | COMPLETIONS);
        let shows_usage = !can_tell || body::wants_usage(&body);
        if is_streamed && !shows_usage {
            written = body::with_usage(&written, &body).into();
        }
        let is_fresh = asked.header("cache-control").is_some_and(|wish| wish.contains("no-cache"));
        let is_shared = matches!(url, CHAT | EMBEDDINGS)
            && !is_streamed
            && !is_fresh
            && body::is_settled(&body);
        let place = models.endpoint.place();
        let request = body::dressed(place.bearer(Request::post(place.url(url))), asked);
        let row = Row { line: 0, custom_id: String::new(), url: url.to_owned(), body };
        let model = models.till.prices.model(row.model());
        // Counting takes a processor that others wait for.
        let estimate = match written.len() {
            ..=MAX_COUNTED_BYTES => Estimate::count(&row, model),
            _ => Estimate::bound(&row, model),
        };
        Ok(Self { row, written, request, estimate, program, is_streamed, shows_usage, is_shared })
    }

    pub(super) fn model(&self) -> &str {
        self.row.model()
    }

    /// The answer, from whoever has it.
    pub(super) async fn answer(
        self,
        models: &Models,
        place: OwnedSemaphorePermit,
    ) -> Result<Given, Refusal> {
        if self.is_streamed {
            return stream::open(self, models, place).await;
        }
        let Some(answers) = models.answers.as_ref().filter(|_| self.is_shared) else {
            let (response, more) = self.ask(models).await?;
            return Ok(passed(settled(response), more));
        };
        let mut more = Vec::new();
        let mut refused = None;
        let mut is_ours = false;
        let ask = async {
            is_ours = true;
            match self.ask(models).await {
                Ok((response, headers)) => {
                    more = headers;
                    match response.is_success() {
                        true => Ok(Some(Arc::new(response))),
                        false => Err(NotKept::Answer(response)),
                    }
                }
                Err(why) => {
                    refused = Some(why);
                    Err(NotKept::Refused)
                }
            }
        };
        let end = answers.fetch(self.row.question(), MarketPhase::Regular, ask).await;
        if let Some(refused) = refused {
            return Err(refused);
        }
        let found = |found: &str| ("x-finstage-cache".to_owned(), found.to_owned());
        match end {
            Ok(Some(response)) if is_ours => {
                more.push(found("miss"));
                Ok(passed((*response).clone(), more))
            }
            Ok(Some(response)) => {
                let cost = ("x-finstage-cost-usd".to_owned(), "0.00".to_owned());
                let wait = ("x-finstage-wait-ms".to_owned(), "0".to_owned());
                Ok(passed((*response).clone(), [wait, cost, found("hit")]))
            }
            Err(why) if is_ours => match &*why {
                NotKept::Answer(response) => Ok(passed(settled(response.clone()), more)),
                _ => Err(Refusal::crowded(0)),
            },
            // Another program asked and got nothing: that was its misfortune.
            _ => {
                let (response, more) = self.ask(models).await?;
                Ok(passed(settled(response), more))
            }
        }
    }

    /// Asks, with the money for it put aside before; the answer, and what is said beside it.
    async fn ask(&self, models: &Models) -> Result<(Response, Vec<(String, String)>), Refusal> {
        let (client, request, meter, reserved) = self.ready(models).await?;
        let response = client.send(&request).await.map_err(|why| Refusal::of(&why))?;
        let mut more = meter.headers().to_vec();
        if response.is_success() {
            let usage = body::usage(&response.body);
            if let Some(usage) = &usage {
                models.endpoint.counted((self.model(), &self.estimate), usage);
            }
            if let Some(cost) = reserved.settle(usage) {
                more.push(("x-finstage-cost-usd".to_owned(), cost.to_string()));
            }
        }
        Ok((response, more))
    }

    /// All that is needed to ask, with the money for it.
    pub(super) async fn ready(
        &self,
        models: &Models,
    ) -> Result<(Client, Request, Arc<Meter>, Reserved), Refusal> {
        let request = self.request.clone().body(self.written.to_vec());
        let (client, request) = models.endpoint.way((self.model(), &self.estimate), request);
        let (meter, client) = Meter::on(&client);
        let question = (self.model(), self.estimate);
        let reserved = models.till.reserve(question, self.program.as_deref(), &meter).await?;
        Ok((client, request, meter, reserved))
    }
}
