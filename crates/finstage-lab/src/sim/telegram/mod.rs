//! A messenger that speaks the Telegram Bot API: `getMe`, `sendMessage` with buttons, `getUpdates`,
//! `answerCallbackQuery`, `setMyCommands`, `deleteWebhook` (there is never one).
//!
//! It checks what the real one checks: the token, the chat, the entities, the length after parsing,
//! the buttons, the pace. What it takes it keeps, with the moment, so that tests and the demo can show it.
//! Other methods, webhooks included, are not found; of the parse modes only HTML is understood.
//!
//! Whoever has no phone here writes to the bot by `POST /sim/say` with `{"chat_id":42,"text":"/start"}` and
//! presses a button by `POST /sim/press` with `{"chat_id":42,"message_id":7,"data":"why:1"}`, which the real
//! service does not have; neither is in a ledger.
//!
//! Chat 429 always answers 429. Where [`Chats::Any`] is set, every other number is a chat. The pace
//! is measured on the clock given; long polls and slow answers last real time, as network timeouts
//! do.

mod call;
mod html;
mod limits;
mod shapes;
mod updates;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use finstage_model::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use self::call::Fields;
pub use self::html::Entity;
use self::html::Styled;
use self::limits::Pace;
pub use self::limits::{CHAT_BURST, CHAT_EVERY, GROUP_PER_MINUTE, MAX_CHATS, OVERALL_PER_SECOND};
pub use self::shapes::{MAX_BUTTON_BYTES, MAX_BUTTONS};
use self::shapes::{buttons, me_json, message_json};
use self::updates::Updates;
pub use self::updates::{MAX_UPDATES, UPDATES_PER_ANSWER};
use super::faults::{FaultKind, Faults, Scenario};
use super::ledger::{Ledger, Line, Outcome};
use crate::error::{Error, ErrorKind};

/// Messages that are kept; older ones are dropped.
pub const MAX_MESSAGES: usize = 10_000;
/// Messages a subscriber may be behind.
pub const SUBSCRIBER_BACKLOG: usize = 1_024;
/// The longest text after parsing, in characters.
pub const MAX_TEXT: usize = 4_096;
/// The largest request body.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The longest long poll.
pub const MAX_POLL: Duration = Duration::from_secs(50);
/// How long a stop waits for requests that are being answered.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);
/// The bot in the messages that come back with a press, whose token is not known then.
const BOT: i64 = 1;
/// The chat that always refuses.
pub const REFUSING_CHAT: i64 = 429;
/// The seconds it names.
pub const REFUSING_CHAT_RETRY_S: u64 = 35;

/// What a simulated messenger needs.
pub struct TelegramOptions {
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// What goes wrong; offsets count from the clock's present.
    pub faults: Scenario,
    /// Where requests are entered, without tokens.
    pub ledger: Arc<Ledger>,
    /// Where it listens.
    pub listener: TcpListener,
    /// The tokens it knows; any well-formed one where there are none.
    pub tokens: Vec<String>,
    /// The chats it knows.
    pub chats: Chats,
}

impl fmt::Debug for TelegramOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelegramOptions")
            .field("faults", &self.faults.name)
            .field("listener", &self.listener)
            .field("tokens", &self.tokens.len())
            .field("chats", &self.chats)
            .finish_non_exhaustive()
    }
}

/// Which chats exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chats {
    /// Every number but 0.
    Any,
    /// These.
    Only(Vec<i64>),
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenMessage {
    /// The messenger's id.
    pub id: i64,
    /// To whom.
    pub chat: i64,
    /// When, by the messenger's clock.
    pub at: Timestamp,
    /// What people read: plain text after parsing.
    pub text: String,
    /// The styles of the text.
    pub entities: Vec<Entity>,
    /// What was sent, with its tags.
    pub raw: String,
    /// The buttons below it, by rows.
    pub buttons: Vec<Vec<Button>>,
    /// Whether it arrives without a sound.
    pub is_silent: bool,
}

/// A button below a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// What the bot hears when it is pressed.
    pub data: String,
}

/// A running messenger. Ends when it is stopped or dropped.
#[derive(Debug)]
pub struct TelegramSim {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl TelegramSim {
    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// When the listener has no address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: TelegramOptions) -> Result<Self, Error> {
        let TelegramOptions { clock, faults, ledger, listener, tokens, chats } = options;
        let address = listener.local_addr().map_err(|source| {
            Error::new(ErrorKind::Io, "simulated messenger: no local address").because(source)
        })?;
        let faults = Faults::new(faults, clock.now());
        let shared = Arc::new(Shared {
            clock,
            faults,
            ledger,
            tokens,
            chats,
            state: Mutex::default(),
            taken: broadcast::Sender::new(SUBSCRIBER_BACKLOG),
            woken: Notify::new(),
            stop: watch::Sender::new(false),
        });
        let routes = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let mut stop = shared.stop.subscribe();
        let server = tokio::spawn(async move {
            let serving = axum::serve(listener, routes).with_graceful_shutdown(async move {
                // An error means that the messenger itself is gone: the same end.
                let _ = stop.wait_for(|stop| *stop).await;
            });
            if let Err(error) = serving.await {
                tracing::warn!(%error, "simulated messenger ended");
            }
        });
        Ok(Self { shared, address, server })
    }

    /// The base address, without a final slash; `/bot<token>/<method>` follows.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The messages taken, oldest first, at most [`MAX_MESSAGES`].
    #[must_use]
    pub fn messages(&self) -> Vec<TakenMessage> {
        self.shared.state().messages.iter().cloned().collect()
    }

    /// Messages as they are taken from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<TakenMessage> {
        self.shared.taken.subscribe()
    }

    /// Lets a user write to the bot; a poller of `getUpdates` reads it.
    pub fn user_says(&self, chat: i64, text: &str) {
        self.shared.hear(chat, text);
    }

    /// Lets a user press a button with `data` below a message that the bot sent; tells whether there is one.
    pub fn user_presses(&self, chat: i64, message: i64, data: &str) -> bool {
        self.shared.press((chat, message), data)
    }

    /// Ends.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        self.shared.woken.notify_waiters();
        if timeout(STOP_WITHIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for TelegramSim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
        self.shared.woken.notify_waiters();
    }
}

struct Shared {
    clock: Arc<dyn Clock>,
    faults: Faults,
    ledger: Arc<Ledger>,
    tokens: Vec<String>,
    chats: Chats,
    state: Mutex<Inbox>,
    taken: broadcast::Sender<TakenMessage>,
    woken: Notify,
    stop: watch::Sender<bool>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("chats", &self.chats).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<TakenMessage>,
    last_message: i64,
    pace: Pace,
    updates: Updates,
}

/// A refusal: status, description, seconds to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    status: u16,
    description: String,
    retry_after_s: Option<u64>,
}

impl Refusal {
    fn new(status: u16, description: impl Into<String>) -> Self {
        Self { status, description: description.into(), retry_after_s: None }
    }

    fn too_many(seconds: u64) -> Self {
        let description = format!("Too Many Requests: retry after {seconds}");
        Self { retry_after_s: Some(seconds), ..Self::new(429, description) }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Inbox> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what a user writes.
    fn hear(&self, chat: i64, text: &str) {
        let now = self.clock.now();
        let mut state = self.state();
        state.last_message += 1;
        let id = state.last_message;
        state.updates.say((chat, id), text, now);
        drop(state);
        self.woken.notify_waiters();
    }

    /// Queues the press of a button, if there is such a one.
    fn press(&self, (chat, message): (i64, i64), data: &str) -> bool {
        let mut state = self.state();
        let has = |one: &&TakenMessage| {
            (one.chat, one.id) == (chat, message)
                && one.buttons.iter().flatten().any(|button| button.data == data)
        };
        let Some(json) = state.messages.iter().find(has).map(|one| message_json(BOT, one)) else {
            return false;
        };
        state.updates.press(chat, &json, data);
        drop(state);
        self.woken.notify_waiters();
        true
    }

    /// The bot heard a press.
    fn answer_press(&self, fields: &Fields) -> Result<Value, Refusal> {
        let id = fields.text("callback_query_id").unwrap_or_default();
        if self.state().updates.answer(&id) {
            return Ok(Value::Bool(true));
        }
        Err(Refusal::new(
            400,
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
        ))
    }

    fn knows(&self, chat: i64) -> bool {
        match &self.chats {
            Chats::Any => chat != 0,
            Chats::Only(chats) => chats.contains(&chat),
        }
    }

    /// Checks and takes a message; tells how long the answer is held back.
    fn send(&self, bot: i64, fields: &Fields) -> Result<(Value, Duration), Refusal> {
        let now = self.clock.now();
        let chat = self.chat(fields)?;
        if self.faults.on_chat(FaultKind::Telegram403, now, chat).is_some() {
            return Err(Refusal::new(403, "Forbidden: bot was blocked by the user"));
        }
        let raw = fields.text("text").unwrap_or_default();
        let styled = style(&raw, fields.text("parse_mode").as_deref())?;
        let buttons = buttons(fields.json("reply_markup").as_ref())?;
        if self.faults.on_chat(FaultKind::Telegram400Parse, now, chat).is_some() {
            return Err(Refusal::new(
                400,
                "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 0",
            ));
        }
        if let Some(fault) = self.faults.on_chat(FaultKind::Telegram429, now, chat) {
            return Err(Refusal::too_many(u64::from(fault.retry_after_s)));
        }
        let slow = self.faults.on_chat(FaultKind::TelegramSlow, now, chat);
        let held_back = slow.map_or(Duration::ZERO, |fault| fault.by);

        let mut state = self.state();
        state.pace.admit(chat, now).map_err(Refusal::too_many)?;
        state.last_message += 1;
        let message = TakenMessage {
            id: state.last_message,
            chat,
            at: now,
            text: styled.text,
            entities: styled.entities,
            raw,
            buttons,
            is_silent: fields.flag("disable_notification"),
        };
        let answer = message_json(bot, &message);
        if state.messages.len() == MAX_MESSAGES {
            state.messages.pop_front();
        }
        state.messages.push_back(message.clone());
        drop(state);
        // Nobody listening is no error.
        let _ = self.taken.send(message);
        Ok((answer, held_back))
    }

    fn chat(&self, fields: &Fields) -> Result<i64, Refusal> {
        let text = fields.text("chat_id").unwrap_or_default();
        if text.is_empty() {
            return Err(Refusal::new(400, "Bad Request: chat_id is empty"));
        }
        let chat = text.parse().ok().filter(|chat| *chat == REFUSING_CHAT || self.knows(*chat));
        match chat {
            None => Err(Refusal::new(400, "Bad Request: chat not found")),
            Some(REFUSING_CHAT) => Err(Refusal::too_many(REFUSING_CHAT_RETRY_S)),
            Some(chat) => Ok(chat),
        }
    }

    /// Waits for updates as long as was asked, unless another poller begins.
    async fn poll(&self, fields: &Fields) -> Result<Value, Refusal> {
        let offset = fields.int("offset").unwrap_or(0);
        let limit = fields.int("limit").unwrap_or(100).clamp(1, UPDATES_PER_ANSWER as i64);
        let seconds = fields.int("timeout").unwrap_or(0).max(0).unsigned_abs();
        let deadline = Instant::now() + Duration::from_secs(seconds).min(MAX_POLL);
        let own = {
            let mut state = self.state();
            state.updates.pollers += 1;
            if let Some(kinds) = fields.json("allowed_updates") {
                let kinds = kinds.as_array().into_iter().flatten();
                let kinds: Vec<String> =
                    kinds.filter_map(|kind| kind.as_str().map(str::to_owned)).collect();
                state.updates.allow(&kinds);
            }
            state.updates.pollers
        };
        self.woken.notify_waiters();
        loop {
            let woken = self.woken.notified();
            tokio::pin!(woken);
            // Registered before looking, so that nothing is missed in between.
            woken.as_mut().enable();
            let found = {
                let mut state = self.state();
                if state.updates.pollers != own {
                    return Err(Refusal::new(
                        409,
                        "Conflict: terminated by other getUpdates request; make sure that only \
                         one bot instance is running",
                    ));
                }
                state.updates.poll(offset, limit as usize)
            };
            if !found.is_empty() || *self.stop.borrow() {
                return Ok(Value::Array(found));
            }
            if timeout_at(deadline, woken).await.is_err() {
                return Ok(json!([]));
            }
        }
    }
}

/// Parses, trims and measures a text.
fn style(raw: &str, parse_mode: Option<&str>) -> Result<Styled, Refusal> {
    let styled = match parse_mode {
        None | Some("") => Styled { text: raw.to_owned(), entities: Vec::new() },
        Some(mode) if mode.eq_ignore_ascii_case("html") => html::parse(raw).map_err(|what| {
            Refusal::new(400, format!("Bad Request: can't parse entities: {what}"))
        })?,
        Some(_) => return Err(Refusal::new(400, "Bad Request: unsupported parse_mode")),
    };
    let styled = html::trim(styled);
    match styled.text.chars().count() {
        0 => Err(Refusal::new(400, "Bad Request: message text is empty")),
        1..=MAX_TEXT => Ok(styled),
        _ => Err(Refusal::new(400, "Bad Request: message is too long")),
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/sim/say" => return say(&shared, request).await,
        "/sim/press" => return press(&shared, request).await,
        _ => {}
    }
    let (token, method) =
        path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')).unwrap_or(("", ""));
    let method = method.to_ascii_lowercase();
    let reply = answer(&shared, (token, &method), request).await;
    let status = reply.status().as_u16();
    // The token stays out of the ledger.
    let path = match method.as_str() {
        "getme" => "/bot/getMe",
        "sendmessage" => "/bot/sendMessage",
        "getupdates" => "/bot/getUpdates",
        "answercallbackquery" => "/bot/answerCallbackQuery",
        "setmycommands" => "/bot/setMyCommands",
        "deletewebhook" => "/bot/deleteWebhook",
        _ => "/bot/unknown",
    };
    let (at, outcome) = (shared.clock.now(), Outcome::of_status(status));
    shared.ledger.enter(&Line { at, venue: "telegram", path, weight: 1, status, outcome, who: "" });
    reply
}

/// A user writes to the bot.
async fn say(shared: &Shared, request: Request) -> Response {
    let fields = Fields::read_by_hand(request).await.unwrap_or_default();
    let chat = fields.int("chat_id").filter(|chat| shared.knows(*chat));
    let (Some(chat), Some(text)) = (chat, fields.text("text")) else {
        return refuse(&Refusal::new(400, "name a chat_id that exists, and a text"));
    };
    shared.hear(chat, &text);
    json_response(StatusCode::OK, &json!({ "ok": true }))
}

/// A user presses a button.
async fn press(shared: &Shared, request: Request) -> Response {
    let fields = Fields::read_by_hand(request).await.unwrap_or_default();
    let place = fields.int("chat_id").zip(fields.int("message_id"));
    let data = fields.text("data").unwrap_or_default();
    if place.is_some_and(|place| shared.press(place, &data)) {
        return json_response(StatusCode::OK, &json!({ "ok": true }));
    }
    refuse(&Refusal::new(
        400,
        "name the chat_id and message_id of a message with a button, and its data",
    ))
}

async fn answer(shared: &Shared, (token, method): (&str, &str), request: Request) -> Response {
    let bot = match bot_of(shared, token) {
        Ok(bot) => bot,
        Err(refusal) => return refuse(&refusal),
    };
    let Some(fields) = Fields::read(request).await else {
        return refuse(&Refusal::new(413, "Request Entity Too Large"));
    };
    let chat = fields.int("chat_id").unwrap_or(0);
    let now = shared.clock.now();
    if shared.faults.on_chat(FaultKind::Telegram502Html, now, chat).is_some() {
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.18.0</center>\
                    \r\n</body>\r\n</html>\r\n";
        return (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page)
            .into_response();
    }
    let result = match method {
        "getme" => Ok(me_json(bot)),
        "sendmessage" => match shared.send(bot, &fields) {
            Ok((message, held_back)) => {
                if !held_back.is_zero() {
                    tokio::time::sleep(held_back).await;
                }
                Ok(message)
            }
            Err(refusal) => Err(refusal),
        },
        "getupdates" => shared.poll(&fields).await,
        "answercallbackquery" => shared.answer_press(&fields),
        "setmycommands" | "deletewebhook" => Ok(Value::Bool(true)),
        _ => Err(Refusal::new(404, "Not Found")),
    };
    match result {
        Ok(result) => json_response(StatusCode::OK, &json!({ "ok": true, "result": result })),
        Err(refusal) => refuse(&refusal),
    }
}

/// The bot's id, which opens its token.
fn bot_of(shared: &Shared, token: &str) -> Result<i64, Refusal> {
    let malformed = || Refusal::new(404, "Not Found");
    let (id, secret) = token.split_once(':').ok_or_else(malformed)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let id = id.parse::<i64>().ok().filter(|id| *id > 0).ok_or_else(malformed)?;
    if secret.is_empty() || !secret.bytes().all(plain) {
        return Err(malformed());
    }
    let known = shared.tokens.is_empty() || shared.tokens.iter().any(|known| known == token);
    if known { Ok(id) } else { Err(Refusal::new(401, "Unauthorized")) }
}

fn refuse(refusal: &Refusal) -> Response {
    let mut body = json!({
        "ok": false,
        "error_code": refusal.status,
        "description": refusal.description,
    });
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(seconds) = refusal.retry_after_s else {
        return json_response(status, &body);
    };
    body["parameters"] = json!({ "retry_after": seconds });
    let mut response = json_response(status, &body);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
