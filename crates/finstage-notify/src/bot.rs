//! A Telegram bot before it is a channel: who it is, who wrote to it, and a first message.
//!
//! `finstage init` and `doctor` ask these questions. What an answer means is told by pure
//! functions; the one that waits, [`Bot::wait_for_start`], has its limits as arguments.
//!
//! Methods: <https://core.telegram.org/bots/api#getme>,
//! <https://core.telegram.org/bots/api#getupdates>.

use std::fmt;
use std::time::Duration;

use finstage_net::{Client, Request, Response};
use finstage_seal::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::message::clean;

/// The most characters of somebody else's words that are kept.
const MAX_CHARS: usize = 200;
/// How long one question for news may hold the line; less than a client's own limit.
pub const MAX_NEWS_WAIT: Duration = Duration::from_secs(10);
/// The most updates of one answer.
const MAX_NEWS: usize = 50;
/// How often in a row the news may fail to come.
const MAX_FAILURES: u32 = 5;
/// The pause after news that did not come.
const PAUSE: Duration = Duration::from_millis(500);

/// A bot, known by its token.
#[derive(Debug, Clone)]
pub struct Bot {
    base_url: String,
    token: Secret<String>,
}

/// Who a bot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotName {
    /// What people call it.
    pub first_name: String,
    /// Its address: `https://t.me/USERNAME`.
    pub username: String,
    /// Whether it hears everything that is written in its groups.
    pub reads_groups: bool,
}

/// A chat in which somebody wrote `/start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// Its number; negative for groups.
    pub id: i64,
    /// The person's name, or the group's.
    pub name: String,
    /// Whether more than one person reads it.
    pub is_group: bool,
}

/// Why a bot did not do what it was asked.
#[derive(Debug)]
pub struct BotError {
    kind: BotErrorKind,
    message: String,
}

/// What a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotErrorKind {
    /// The token is not one, or not any more.
    Token,
    /// The service cannot be reached, or does not answer as it should.
    Unreachable,
    /// The service says no.
    Refused,
    /// Nobody wrote `/start` in time.
    NoStart,
}

impl BotError {
    fn new(kind: BotErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> BotErrorKind {
        self.kind
    }
}

impl fmt::Display for BotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BotError {}

impl Bot {
    /// The bot of `token` at `base_url`, the public Bot API or a simulator.
    ///
    /// # Errors
    /// `Token` when the text cannot be a token; it is not shown.
    pub fn new(base_url: &str, token: Secret<String>) -> Result<Self, BotError> {
        if !crate::notifiers::is_telegram_token(token.expose()) {
            return Err(BotError::new(
                BotErrorKind::Token,
                "that is not a bot token: copy it from @BotFather, it looks like 123456:ABC-DEF…",
            ));
        }
        Ok(Self { base_url: base_url.trim_end_matches('/').to_owned(), token })
    }

    /// Who it is: the first question, which tells whether the token is right.
    ///
    /// # Errors
    /// `Token`, `Unreachable` or `Refused`.
    pub async fn name(&self, client: &Client) -> Result<BotName, BotError> {
        let result = self.ask(client, self.request("getMe", &json!({}))).await?;
        let text = |key: &str| clean(result[key].as_str().unwrap_or_default(), MAX_CHARS);
        Ok(BotName {
            first_name: text("first_name"),
            username: text("username"),
            reads_groups: result["can_read_all_group_messages"].as_bool().unwrap_or(false),
        })
    }

    /// Waits up to `patience` for somebody to write `/start`, and says where. What was written
    /// before counts too.
    ///
    /// # Errors
    /// `NoStart` when the time is over, and as [`Bot::name`].
    pub async fn wait_for_start(
        &self,
        client: &Client,
        patience: Duration,
    ) -> Result<Chat, BotError> {
        let end = Instant::now() + patience;
        let (mut offset, mut failures) = (0, 0);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let hold = left.min(MAX_NEWS_WAIT).as_secs();
            let body = json!({"offset": offset, "timeout": hold, "allowed_updates": ["message"]});
            match self.ask(client, self.request("getUpdates", &body)).await {
                Ok(news) => {
                    failures = 0;
                    let (next, started) = read_news(&news, offset);
                    offset = next;
                    if let Some(chat) = started {
                        // Confirms what was read; should that fail, it is read again some day.
                        let body = json!({"offset": offset, "timeout": 0, "limit": 1});
                        let _ = self.ask(client, self.request("getUpdates", &body)).await;
                        return Ok(chat);
                    }
                }
                Err(why) if why.kind == BotErrorKind::Unreachable && failures < MAX_FAILURES => {
                    failures += 1;
                    tokio::time::sleep(PAUSE.min(left)).await;
                }
                Err(why) => return Err(why),
            }
            if Instant::now() >= end {
                let seconds = patience.as_secs();
                return Err(BotError::new(
                    BotErrorKind::NoStart,
                    format!(
                        "nobody wrote /start to the bot within {seconds} s: open its link, press Start, and run this again"
                    ),
                ));
            }
        }
    }

    /// What happened from update `offset` on, waiting for something up to [`MAX_NEWS_WAIT`]; whatever is
    /// before `offset` is not told again. [`heard`](crate::heard) reads it.
    ///
    /// # Errors
    /// As [`Bot::name`]; `Refused` when another program polls the bot.
    pub async fn news(&self, client: &Client, offset: i64) -> Result<Value, BotError> {
        let body = json!({
            "offset": offset,
            "limit": MAX_NEWS,
            "timeout": MAX_NEWS_WAIT.as_secs(),
            "allowed_updates": ["message", "callback_query"],
        });
        self.ask(client, self.request("getUpdates", &body)).await
    }

    /// Tells the phone of whoever pressed a button that it was heard.
    ///
    /// # Errors
    /// As [`Bot::name`]; `Refused` when the press is too old.
    pub async fn hear_press(&self, client: &Client, press: &str) -> Result<(), BotError> {
        let body = json!({"callback_query_id": press});
        self.ask(client, self.request("answerCallbackQuery", &body)).await.map(drop)
    }

    /// Tells Telegram which commands there are, so that it offers them: name and meaning.
    ///
    /// # Errors
    /// As [`Bot::name`].
    pub async fn offer(&self, client: &Client, commands: &[(&str, &str)]) -> Result<(), BotError> {
        let command = |(name, what): &(&str, &str)| json!({"command": name, "description": what});
        let commands: Vec<Value> = commands.iter().map(command).collect();
        let body = json!({"commands": commands});
        self.ask(client, self.request("setMyCommands", &body)).await.map(drop)
    }

    /// Sends a text to a chat.
    ///
    /// # Errors
    /// As [`Bot::name`]; the remedy is named where the chat does not want it.
    pub async fn say(&self, client: &Client, chat: i64, text: &str) -> Result<(), BotError> {
        let body =
            json!({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true}});
        self.ask(client, self.request("sendMessage", &body)).await.map(drop)
    }

    fn request(&self, method: &str, body: &Value) -> Request {
        let Self { base_url, token } = self;
        Request::post(format!("{base_url}/bot{}/{method}", token.expose()))
            .json(body.to_string())
            .hide(token)
    }

    async fn ask(&self, client: &Client, request: Request) -> Result<Value, BotError> {
        match client.send(&request).await {
            Ok(response) => read(&response, |text| request.redact(text)),
            Err(why) => Err(BotError::new(
                BotErrorKind::Unreachable,
                format!(
                    "telegram cannot be reached: {why}: check the network, or the address of the Bot API"
                ),
            )),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    result: Value,
    error_code: Option<u16>,
    #[serde(default)]
    description: String,
}

/// The result in an answer of the Bot API, or what went wrong and what to do.
fn read(response: &Response, redact: impl Fn(&str) -> String) -> Result<Value, BotError> {
    let status = response.status;
    let Ok(answer) = serde_json::from_slice::<Answer>(&response.body) else {
        return Err(BotError::new(
            BotErrorKind::Unreachable,
            format!("status {status} without an answer of telegram: something stands in between"),
        ));
    };
    if answer.ok {
        return Ok(answer.result);
    }
    let code = answer.error_code.unwrap_or(status);
    let said = clean(&redact(&answer.description), MAX_CHARS);
    let words = |remedy: &str| format!("telegram answered {code} \"{said}\": {remedy}");
    let has = |text: &str| said.to_lowercase().contains(text);
    let (kind, remedy) = match code {
        401 | 404 => (
            BotErrorKind::Token,
            "the token is wrong or was revoked: ask @BotFather for the present one (/token)",
        ),
        403 if has("blocked") => {
            (BotErrorKind::Refused, "open the bot in Telegram, choose Restart, and run this again")
        }
        403 => (BotErrorKind::Refused, "send /start to the bot, or invite it to the group again"),
        409 if has("webhook") => (
            BotErrorKind::Refused,
            "another program receives this bot's messages by a webhook: make a bot of its own for finstage",
        ),
        409 => (
            BotErrorKind::Refused,
            "another program polls this bot: stop it, or make a bot of its own for finstage",
        ),
        400 if has("chat not found") => (
            BotErrorKind::Refused,
            "check the number; a person must first send /start to the bot, a group must first invite it",
        ),
        429 => (BotErrorKind::Refused, "too many messages: wait a minute and run this again"),
        500.. => (BotErrorKind::Unreachable, "trouble at Telegram: run this again later"),
        _ => (BotErrorKind::Refused, "nothing was changed; run this again"),
    };
    Err(BotError::new(kind, words(remedy)))
}

/// The next offset, and the last chat in which `/start` was written.
fn read_news(news: &Value, offset: i64) -> (i64, Option<Chat>) {
    let (mut next, mut started) = (offset, None);
    for update in news.as_array().into_iter().flatten() {
        next = next.max(update["update_id"].as_i64().unwrap_or(0) + 1);
        let message = &update["message"];
        let text = message["text"].as_str().unwrap_or_default();
        // In a group: /start@fin_bot.
        let command = text.split_whitespace().next().unwrap_or_default();
        let is_start = command == "/start" || command.starts_with("/start@");
        let chat = &message["chat"];
        if let (true, Some(id)) = (is_start, chat["id"].as_i64()) {
            let name = ["title", "first_name", "username"];
            let name = name.iter().find_map(|key| chat[*key].as_str()).unwrap_or("unnamed");
            let is_group = chat["type"] != "private";
            started = Some(Chat { id, name: clean(name, MAX_CHARS), is_group });
        }
    }
    (next, started)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn each_refusal_has_its_kind_and_its_remedy() {
        for (code, description, kind, remedy) in [
            (401, "Unauthorized", BotErrorKind::Token, "@BotFather"),
            (404, "Not Found", BotErrorKind::Token, "@BotFather"),
            (403, "Forbidden: bot was blocked by the user", BotErrorKind::Refused, "Restart"),
            (
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook",
                BotErrorKind::Refused,
                "webhook",
            ),
            (
                409,
                "Conflict: terminated by other getUpdates request",
                BotErrorKind::Refused,
                "polls",
            ),
            (400, "Bad Request: chat not found", BotErrorKind::Refused, "check the number"),
            (502, "Bad Gateway", BotErrorKind::Unreachable, "later"),
        ] {
            let body = json!({"ok": false, "error_code": code, "description": description});
            let error = read(&answer(code, &body.to_string()), str::to_owned).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(remedy), "{error}");
        }
        let page = read(&answer(502, "<html>"), str::to_owned).unwrap_err();
        assert_eq!(page.kind(), BotErrorKind::Unreachable);
    }

    #[test]
    fn a_start_is_found_among_other_news() {
        let said = |id: i64, chat: Value, text: &str| json!({"update_id": id, "message": {"chat": chat, "text": text}});
        let ann = json!({"id": 42, "type": "private", "first_name": "Ann"});
        let group = json!({"id": -100, "type": "group", "title": "Prices"});
        let news = json!([
            said(7, ann.clone(), "hello"),
            {"update_id": 8, "poll": {}},
            said(9, ann, "/start now"),
            said(10, group.clone(), "/started"),
        ]);
        let chat = Chat { id: 42, name: "Ann".into(), is_group: false };
        assert_eq!(read_news(&news, 0), (11, Some(chat)));
        let (_, started) = read_news(&json!([said(11, group, "/start@fin_bot")]), 0);
        assert_eq!(started, Some(Chat { id: -100, name: "Prices".into(), is_group: true }));
        assert_eq!(read_news(&json!([]), 5), (5, None));
    }
}
