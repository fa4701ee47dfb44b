//! Telegram, through the Bot API.
//!
//! * Method and answers: <https://core.telegram.org/bots/api#sendmessage>,
//!   <https://core.telegram.org/bots/api#making-requests>
//! * Markup: <https://core.telegram.org/bots/api#html-style>; only `&`, `<` and `>` are escaped.
//! * Length: 4,096 characters after the markup is read. We count UTF-16 units, which are never
//!   fewer.
//! * Limits: <https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>:
//!   about one message a second in a chat, 20 a minute in a group (its id is negative).
//!
//! `sendMessage` is not idempotent and takes no id of ours. Therefore every answer that does not
//! come from the Bot API itself counts as "perhaps it arrived", and the next attempt says so.

use std::time::Duration;

use finstage_net::Request;
use finstage_seal::Secret;
use finstage_store::records::{Item, Sent};
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::error::Error;
use crate::message::{Line, Message, Span, Style, clean};
use crate::notifier::{Accepted, Delivery, Form, Notifier, Outgoing, Reply, Then};
use crate::pacer::Pace;
use crate::template::Template;

pub(super) const KIND: Kind =
    Kind { name: "telegram", describes: "a message in a Telegram chat", needs: &["token", "chat"] };

/// The longest text of one message, in UTF-16 units.
pub const MAX_TEXT_UNITS: usize = 4_096;

/// The wait after a 429 that does not say how long.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// The longest wait that is believed.
pub const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// The most buttons below an alert.
pub const MAX_BUTTONS: usize = 4;

/// The longest verb of a button: with an alert's id it stays within Telegram's 64 bytes.
pub const MAX_VERB_BYTES: usize = 31;

/// The most characters of Telegram's own words that are kept.
const MAX_DESCRIPTION_CHARS: usize = 200;

const PRIVATE_PACE: Pace = Pace { gap: Duration::from_secs(1), window: None };
const GROUP_PACE: Pace =
    Pace { gap: Duration::from_secs(1), window: Some((20, Duration::from_secs(60))) };

/// Where and as whom to send.
#[derive(Debug, Clone)]
pub struct TelegramOptions {
    /// The channel's name in the outbox: `telegram`, or one per chat.
    pub name: String,
    /// The Bot API: `https://api.telegram.org`, a local server or the simulator.
    pub base_url: String,
    /// The bot's token, as @BotFather gave it.
    pub token: Secret<String>,
    /// A chat's number (negative for groups) or a public `@name`.
    pub chat: String,
    /// The words.
    pub template: Template,
    /// The buttons below an alert, in one row; at most [`MAX_BUTTONS`].
    pub buttons: Vec<Button>,
}

/// A button below an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// What it does, at most [`MAX_VERB_BYTES`] bytes: the bot hears `VERB:ALERT` when it is pressed.
    pub verb: &'static str,
}

impl TelegramOptions {
    /// The public Bot API.
    pub const BASE_URL: &'static str = "https://api.telegram.org";
}

/// Sends alerts to one Telegram chat.
#[derive(Debug)]
pub struct Telegram {
    name: String,
    endpoint: Secret<String>,
    token: Secret<String>,
    chat: String,
    template: Template,
    buttons: Vec<Button>,
}

impl Telegram {
    /// A channel to one chat.
    ///
    /// # Errors
    /// When the address, the token or the chat cannot be right; the token is not shown.
    pub fn new(options: TelegramOptions) -> Result<Self, Error> {
        let TelegramOptions { name, base_url, token, chat, template, buttons } = options;
        if !(base_url.starts_with("https://") || base_url.starts_with("http://")) {
            return Err(Error::option(format!(
                "notify {name}: base url \"{base_url}\" is not an http address: \
                 write {}",
                TelegramOptions::BASE_URL
            )));
        }
        if !is_telegram_token(token.expose()) {
            return Err(Error::option(format!(
                "notify {name}: the token is not a bot token: \
                 copy it from @BotFather, it looks like 123456:ABC-DEF…"
            )));
        }
        if !is_chat(&chat) {
            return Err(Error::option(format!(
                "notify {name}: chat \"{}\" is neither a number nor a public @name",
                clean(&chat, MAX_DESCRIPTION_CHARS)
            )));
        }
        let fits = |button: &Button| button.verb.len() <= MAX_VERB_BYTES && !button.text.is_empty();
        if buttons.len() > MAX_BUTTONS || !buttons.iter().all(fits) {
            return Err(Error::option(format!(
                "notify {name}: at most {MAX_BUTTONS} buttons with a text each, whose verbs have at most \
                 {MAX_VERB_BYTES} bytes"
            )));
        }
        let base = base_url.trim_end_matches('/');
        let endpoint = Secret::new(format!("{base}/bot{}/sendMessage", token.expose()));
        Ok(Self { name, endpoint, token, chat, template, buttons })
    }

    fn request(&self, chat: &str, (text, keys): (&str, Option<Keys>), form: Form) -> Request {
        let body = SendMessage {
            chat_id: chat.parse().map_or(ChatId::Name(chat), ChatId::Number),
            text,
            parse_mode: (form == Form::Rich).then_some("HTML"),
            link_preview_options: LinkPreview { is_disabled: true },
            reply_markup: keys,
        };
        let body = serde_json::to_string(&body).expect("texts and numbers are always JSON");
        Request::post(self.endpoint.expose()).json(body).hide(&self.token)
    }

    /// The buttons below an alert.
    fn keys(&self, item: &Item) -> Option<Keys> {
        let Item::Alert(alert) = item else { return None };
        let key = |button: &Button| Key {
            text: button.text.clone(),
            callback_data: format!("{}:{}", button.verb, alert.id),
        };
        let row: Vec<Key> = self.buttons.iter().map(key).collect();
        (!row.is_empty()).then(|| Keys { inline_keyboard: vec![row] })
    }

    /// Telegram's words, without the token whatever a proxy may have put into them.
    fn words(&self, answer: &Answer) -> String {
        let text = answer.description.replace(self.token.expose(), "[redacted]");
        clean(&text, MAX_DESCRIPTION_CHARS)
    }

    fn refusal(&self, code: u16, answer: &Answer, header: Option<Duration>) -> Accepted {
        let said = self.words(answer);
        let parameters = answer.parameters.unwrap_or_default();
        let begins =
            |start: &str| said.strip_prefix("Bad Request: ").unwrap_or(&said).starts_with(start);
        let disable = |remedy: &str| Accepted::Rejected {
            reason: format!("telegram answered {code} \"{said}\": {remedy}"),
            then: Then::Disable,
        };
        match code {
            429 => {
                let asked = parameters.retry_after.map(Duration::from_secs).or(header);
                Accepted::RetryAfter(asked.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT))
            }
            400 => match parameters.migrate_to_chat_id {
                Some(id) => Accepted::Moved { address: id.to_string() },
                None if begins("can't parse entities") => Accepted::PlainAgain,
                None if begins("chat not found") => disable(
                    "check `chat`; a person must first send /start to the bot, \
                     a group must first invite it",
                ),
                None if begins("message is too long") || begins("message text is empty") => {
                    Accepted::Rejected {
                        reason: format!("telegram answered 400 \"{said}\""),
                        then: Then::GoOn,
                    }
                }
                None => Accepted::Refused { reason: format!("telegram answered 400 \"{said}\"") },
            },
            401 => {
                disable("the token was revoked: ask @BotFather for a new one and put it in `token`")
            }
            403 => disable(
                "the chat does not admit the bot: unblock it and send /start, \
                 or invite it to the group again",
            ),
            404 => disable("check `token` and `base_url`: there is no such bot at this address"),
            500.. => Accepted::Retry {
                sent: Sent::Unknown,
                reason: format!("telegram answered {code} \"{said}\""),
            },
            _ => Accepted::Refused { reason: format!("telegram answered {code} \"{said}\"") },
        }
    }
}

impl Notifier for Telegram {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        if self.chat.starts_with('-') || self.chat.starts_with('@') {
            GROUP_PACE
        } else {
            PRIVATE_PACE
        }
    }

    fn render(&self, item: &Item, delivery: &Delivery<'_>) -> Vec<Outgoing> {
        let chat = delivery.address.unwrap_or(&self.chat);
        let message = match item {
            Item::Alert(alert) => self.template.message(alert, delivery.repeat, delivery.note),
            Item::Notice(notice) => self.template.notice(notice, delivery.repeat),
        };
        let text = |part: &Message| match delivery.form {
            Form::Rich => telegram_markup(part),
            Form::Plain => part.plain(),
        };
        let parts = message.split(MAX_TEXT_UNITS);
        let last = parts.len().saturating_sub(1);
        let request = |(n, part): (usize, &Message)| {
            let keys = if n == last { self.keys(item) } else { None };
            Outgoing::Http(self.request(chat, (&text(part), keys), delivery.form))
        };
        parts.iter().enumerate().map(request).collect()
    }

    fn accepted(&self, reply: &Reply<'_>) -> Accepted {
        let status = reply.status;
        match serde_json::from_slice::<Answer>(reply.body) {
            Ok(Answer { ok: true, result, .. }) if (200..300).contains(&status) => {
                let id = result.and_then(|message| message.message_id);
                Accepted::Delivered(id.map(|id| id.to_string()).unwrap_or_default())
            }
            Ok(answer) if !answer.ok => {
                self.refusal(answer.error_code.unwrap_or(status), &answer, reply.retry_after)
            }
            _ if status == 429 => {
                Accepted::RetryAfter(reply.retry_after.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT))
            }
            // Not the Bot API's own words: a proxy, a captive portal, a cut body.
            _ => Accepted::Retry {
                sent: if (300..500).contains(&status) { Sent::No } else { Sent::Unknown },
                reason: format!("status {status} without an answer of telegram"),
            },
        }
    }
}

#[derive(Serialize)]
struct SendMessage<'a> {
    chat_id: ChatId<'a>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parse_mode: Option<&'static str>,
    link_preview_options: LinkPreview,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<Keys>,
}

#[derive(Serialize)]
struct Keys {
    inline_keyboard: Vec<Vec<Key>>,
}

#[derive(Serialize)]
struct Key {
    text: String,
    callback_data: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChatId<'a> {
    Number(i64),
    Name(&'a str),
}

#[derive(Serialize)]
struct LinkPreview {
    is_disabled: bool,
}

/// `{"ok":true,"result":{"message_id":101,…}}` or
/// `{"ok":false,"error_code":429,"description":"…","parameters":{"retry_after":35}}`.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    result: Option<Sending>,
    error_code: Option<u16>,
    #[serde(default)]
    description: String,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Sending {
    message_id: Option<i64>,
}

#[derive(Deserialize, Clone, Copy, Default)]
struct Parameters {
    migrate_to_chat_id: Option<i64>,
    retry_after: Option<u64>,
}

/// A message in Telegram's markup.
#[must_use]
pub fn telegram_markup(message: &Message) -> String {
    let lines: Vec<String> = message.lines().iter().map(html_line).collect();
    lines.join("\n")
}

fn html_line(line: &Line) -> String {
    line.spans().iter().map(html_span).collect()
}

fn html_span(span: &Span) -> String {
    let text = span.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    match span.style {
        Style::Plain => text,
        Style::Bold => format!("<b>{text}</b>"),
        Style::Italic => format!("<i>{text}</i>"),
        Style::Code => format!("<code>{text}</code>"),
    }
}

pub(crate) fn is_telegram_token(token: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    token.split_once(':').is_some_and(|(id, secret)| {
        !id.is_empty()
            && id.bytes().all(|b| b.is_ascii_digit())
            && !secret.is_empty()
            && secret.bytes().all(fits)
    })
}

fn is_chat(chat: &str) -> bool {
    let name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    chat.parse::<i64>().is_ok() || chat.strip_prefix('@').is_some_and(name)
}

#[cfg(test)]
mod tests;
