//! Chats and embeddings: looked at, let in, answered, and broken where a scenario says so.

use std::time::Duration;

use finstage_model::Timestamp;
use serde_json::Value;

use super::batches::Answered;
use super::chat::Chat;
use super::completion::{self, Head, Usage};
use super::embedding::Embed;
use super::failure::Failure;
use super::limits::{Asked, Standing, Turn, locked, scripted};
use super::reply::{Content, Reply};
use super::script::{self, Twist, id};
use super::server::{Call, Moment, Shared};
use super::stream::{Step, steps};
use crate::rng::{Rng, mix};
use crate::sim::faults::FaultKind;
use crate::sim::ledger::Outcome;

/// A question that is let in, with what is reserved for it.
struct Admitted {
    standing: Standing,
    turn: Turn,
    latency: Duration,
    weight: u32,
}

impl Shared {
    /// `POST /chat/completions`
    pub(super) fn chat(&self, call: &Call, moment: Moment) -> Result<Reply, Failure> {
        let chat = Chat::read(&json_of(call)?)?;
        let asked = self.asked((call, chat.reserved()), chat.model, moment);
        let admitted = match self.admit(&asked, moment) {
            Ok(admitted) => admitted,
            Err(refused) => return Ok(*refused),
        };
        let strikes = |kind| self.strikes(kind, moment).is_some();
        let twist = match () {
            () if strikes(FaultKind::OpenaiRefusal) => Twist::Refuses,
            () if strikes(FaultKind::OpenaiLength) => Twist::Short,
            () => Twist::None,
        };
        let usage = match () {
            () if strikes(FaultKind::OpenaiNoUsage) => Usage::Missing,
            () if strikes(FaultKind::OpenaiWrongUsage) => Usage::Wrong,
            () => Usage::True,
        };
        let head = self.head((moment.number, 0), moment.now);
        let answers = script::answer(&chat, (self.seed, twist));
        let tokens = (answers.prompt_tokens, answers.completion_tokens);
        let nano_usd = chat.model.nano_usd(tokens.0, tokens.1);
        locked(&self.admission).charge(call.key(), (tokens, nano_usd));
        let content = match chat.stream {
            Some(stream) => {
                let events = completion::events(&chat, (&head, &answers), (stream, usage));
                self.streamed(events, moment)
            }
            None => {
                let body = completion::whole(&chat, (&head, &answers), usage);
                self.sent(body, moment)
            }
        };
        Ok(admitted.answered((content, nano_usd)))
    }

    /// `POST /embeddings`
    pub(super) fn embed(&self, call: &Call, moment: Moment) -> Result<Reply, Failure> {
        let embed = Embed::read(&json_of(call)?)?;
        let asked = self.asked((call, embed.tokens), embed.model, moment);
        let admitted = match self.admit(&asked, moment) {
            Ok(admitted) => admitted,
            Err(refused) => return Ok(*refused),
        };
        let nano_usd = embed.model.nano_usd(embed.tokens, 0);
        locked(&self.admission).charge(call.key(), ((embed.tokens, 0), nano_usd));
        Ok(admitted.answered((self.sent(embed.answer(self.seed), moment), nano_usd)))
    }

    /// What a line of a batch is answered: no limit counts it, and nothing is broken but by a failing server.
    pub(super) fn line(
        &self,
        (endpoint, body): (&str, &Value),
        (batch, place): (u64, u64),
        at: Timestamp,
    ) -> Answered {
        let moment = Moment { number: mix(batch, place, 5), now: at };
        if let Some(fault) = self.strikes(FaultKind::Openai5xx, moment) {
            return Err(Failure::of_status(fault.status.unwrap_or(500)));
        }
        if endpoint == "/v1/embeddings" {
            let embed = Embed::read(body)?;
            let nano_usd = embed.model.nano_usd(embed.tokens, 0);
            return Ok((embed.answer(self.seed), (embed.tokens, 0), nano_usd));
        }
        let chat = Chat::read(body)?;
        if chat.stream.is_some() {
            return Err(Failure::invalid("stream", "Lines of a batch are not streamed."));
        }
        let answers = script::answer(&chat, (self.seed, Twist::None));
        let tokens = (answers.prompt_tokens, answers.completion_tokens);
        let head = self.head((batch, 1 + place), at);
        let body = completion::whole(&chat, (&head, &answers), Usage::True);
        Ok((body, tokens, chat.model.nano_usd(tokens.0, tokens.1)))
    }

    fn asked<'a>(
        &self,
        (call, tokens): (&'a Call, u32),
        model: &'static super::catalog::Model,
        moment: Moment,
    ) -> Asked<'a> {
        let factor = self.faults.limit_factor("openai", moment.now);
        Asked { key: call.key(), model, tokens, factor }
    }

    /// Lets a question in; otherwise what is said instead.
    fn admit(&self, asked: &Asked<'_>, moment: Moment) -> Result<Admitted, Box<Reply>> {
        let now = moment.now;
        let forced = match self.strikes(FaultKind::Openai429, moment) {
            Some(fault) => Some(scripted(asked, (fault.limit.map(|limit| limit.name()), fault.by))),
            None => self.strikes(FaultKind::OpenaiQuota, moment).map(|_| Failure::no_quota()),
        };
        let (standing, admitted) = {
            let mut admission = locked(&self.admission);
            match forced {
                Some(failure) => (admission.standing(asked, now), Err(failure)),
                None => admission.admit(asked, now),
            }
        };
        let weight = asked.tokens;
        let refused = |failure: &Failure| Reply { standing, weight, ..self.failed(failure) };
        if let Err(failure) = admitted {
            return Err(Box::new(refused(&failure)));
        }
        let turn = Turn::new(&self.admission, asked.key);
        let slow = self.strikes(FaultKind::OpenaiSlow, moment);
        let own = self.manners.latency.draw(self.seed, moment.number);
        let latency = own + slow.map_or(Duration::ZERO, |fault| fault.by);
        if let Some(fault) = self.strikes(FaultKind::Openai5xx, moment) {
            let failure = Failure::of_status(fault.status.unwrap_or(500));
            return Err(Box::new(Reply { latency, turn: Some(turn), ..refused(&failure) }));
        }
        Ok(Admitted { standing, turn, latency, weight })
    }

    /// An answer that is sent at once.
    fn sent(&self, body: String, moment: Moment) -> (Content, Outcome) {
        let mut text = body.into_bytes();
        if self.strikes(FaultKind::OpenaiHang, moment).is_some() {
            return (Content::Hang, Outcome::Error);
        }
        if self.strikes(FaultKind::OpenaiMalformed, moment).is_some() {
            text.truncate(text.len() / 2);
            return (Content::Json(text), Outcome::Error);
        }
        (Content::Json(text), Outcome::Ok)
    }

    /// An answer that is streamed.
    fn streamed(&self, mut lines: Vec<String>, moment: Moment) -> (Content, Outcome) {
        let strikes = |kind| self.strikes(kind, moment).is_some();
        let half = lines.len().div_ceil(2);
        let mut outcome = Outcome::Error;
        let mut hangs = false;
        if strikes(FaultKind::OpenaiHang) {
            lines.truncate(half);
            hangs = true;
        } else if strikes(FaultKind::OpenaiCut) {
            lines.truncate(half);
        } else if strikes(FaultKind::OpenaiErrorInStream) {
            lines.truncate(half);
            lines.push(Failure::of_status(500).body(self.manners.dialect).to_string());
        } else {
            if strikes(FaultKind::OpenaiMalformed) {
                let line = &mut lines[half - 1];
                // Event lines begin with ASCII: their first bytes are letters.
                line.truncate(20);
            } else {
                outcome = Outcome::Ok;
            }
            lines.push("[DONE]".to_owned());
        }
        let mut rng = Rng::new(mix(self.seed, moment.number, 0x57e));
        let mut steps = steps(&lines, (&mut rng, self.real(self.manners.token_time)));
        if hangs {
            steps.push(Step::Hang);
        }
        (Content::Steps(steps), outcome)
    }

    fn head(&self, (number, place): (u64, u64), now: Timestamp) -> Head {
        let id = id("chatcmpl-", 29, mix(self.seed, number, place));
        Head {
            id,
            created: now.secs(),
            fingerprint: format!("fp_{:010x}", mix(self.seed, 0, 4) >> 24),
        }
    }
}

impl Admitted {
    fn answered(self, ((content, outcome), nano_usd): ((Content, Outcome), u64)) -> Reply {
        let Self { standing, turn, latency, weight } = self;
        let mut reply = Reply::new(200, content);
        reply.outcome = outcome;
        Reply { standing, turn: Some(turn), latency, weight, nano_usd, ..reply }
    }
}

/// The body of a question.
pub(super) fn json_of(call: &Call) -> Result<Value, Failure> {
    match serde_json::from_slice(call.body()?) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => {
            let words = "We could not parse the JSON body of your request. (HINT: This likely means \
                         you aren't using your HTTP library correctly. The OpenAI API expects a JSON \
                         payload, but what was sent was not valid JSON.)";
            Err(Failure::invalid("", words))
        }
    }
}
