//! One client of the stream, from its greeting to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Interval, Symbol};
use finstage_store::records::{AlertRow, SaidPlace, SignalRow};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use super::ask::{ACTIONS, Ask, TYPES, Want, Wants};
use super::hub::{PAGE, price_text};
use super::mailbox::{End, Mail, Mailbox, Pushed, Said};
use super::told::Told;
use super::{cursor, place};
use crate::app::App;
use crate::live::PriceItem;
use crate::{Error, ErrorKind};

/// How often a client hears that the server lives.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// A client of which nothing is heard for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// The span of time in which messages of a client are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Prices of a history where nothing is said, and the most.
const HISTORY: (usize, usize) = (50, 500);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Why a client's task is over.
enum Over {
    /// The connection broke, or the client left.
    Gone,
    /// It is closed with this code, and these words before.
    Closed(CloseCode, &'static str, &'static str),
}

/// Serves a client until it leaves, is closed, or the server stops.
pub(crate) async fn serve(
    socket: Socket,
    app: Arc<App>,
    mailbox: Arc<Mailbox>,
    mut stop: watch::Receiver<bool>,
) {
    let (sink, stream) = socket.split();
    let now = Instant::now();
    let mut client = Client {
        sink,
        app: Arc::clone(&app),
        mailbox: Arc::clone(&mailbox),
        sent: SaidPlace::default(),
        heard_at: now,
        counted_since: now,
        counted: 0,
    };
    let over = tokio::select! {
        over = client.live(stream) => over,
        _ = stop.wait_for(|stop| *stop) => {
            Over::Closed(CloseCode::Away, "stopping", "the server stops; resume by your last cursor")
        }
    };
    app.hub.leave(&mailbox);
    if let Over::Closed(code, word, words) = over {
        let stall = app.limits.stall_time;
        let _ = timeout(stall, client.farewell(code, word, words)).await;
    }
}

struct Client {
    sink: SplitSink<Socket, Message>,
    app: Arc<App>,
    mailbox: Arc<Mailbox>,
    /// Everything up to here that it wants was sent.
    sent: SaidPlace,
    heard_at: Instant,
    counted_since: Instant,
    counted: u32,
}

impl Client {
    async fn live(&mut self, mut stream: SplitStream<Socket>) -> Over {
        match self.talk(&mut stream).await {
            Ok(never) => match never {},
            Err(over) => over,
        }
    }

    async fn talk(
        &mut self,
        stream: &mut SplitStream<Socket>,
    ) -> Result<std::convert::Infallible, Over> {
        self.greet().await?;
        let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mailbox = Arc::clone(&self.mailbox);
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(message)) => self.heard(message).await?,
                    Some(Err(tungstenite::Error::Capacity(_))) => {
                        return Err(Over::Closed(CloseCode::Size, "too_large", "the message is too large"));
                    }
                    Some(Err(_)) | None => return Err(Over::Gone),
                },
                () = mailbox.ready() => self.deliver().await?,
                _ = heartbeat.tick() => self.beat().await?,
            }
        }
    }

    async fn greet(&mut self) -> Result<(), Over> {
        let greeting = json!({
            "type": "system_status",
            "client_id": self.mailbox.id,
            "actions": ACTIONS,
            "types": TYPES,
            "cursor": cursor(self.app.hub.place()),
        });
        self.say(&greeting).await
    }

    async fn beat(&mut self) -> Result<(), Over> {
        if self.heard_at.elapsed() > SILENCE_MAX {
            return Err(Over::Closed(CloseCode::Policy, "silent", "nothing was heard for 120 s"));
        }
        let beat = json!({"type": "heartbeat", "server_time": self.app.clock.now()});
        self.say(&beat).await?;
        self.write(Message::Ping(bytes::Bytes::new())).await
    }

    async fn heard(&mut self, message: Message) -> Result<(), Over> {
        let now = Instant::now();
        self.heard_at = now;
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return self.refuse("not_text", "send JSON in text frames").await;
            }
            Message::Close(_) => return Err(Over::Gone),
            _ => return Ok(()),
        };
        if now - self.counted_since > MINUTE {
            (self.counted_since, self.counted) = (now, 0);
        }
        self.counted += 1;
        if self.counted > self.app.limits.messages_per_minute {
            return Err(Over::Closed(
                CloseCode::Policy,
                "too_many",
                "too many messages in a minute",
            ));
        }
        match serde_json::from_str::<Ask>(&text) {
            Ok(ask) => self.answer(ask).await,
            Err(_) => {
                let words = "write {\"action\":\"subscribe\",\"type\":\"prices\",\"symbols\":[\"binance:BTCUSDT\"]}";
                self.refuse("bad_message", words).await
            }
        }
    }

    async fn answer(&mut self, ask: Ask) -> Result<(), Over> {
        match ask.action.as_str() {
            "subscribe" => self.subscribe(&ask).await,
            "unsubscribe" => self.unsubscribe(&ask).await,
            "heartbeat" => {
                let now = self.app.clock.now();
                self.say(&json!({"type": "heartbeat", "message": "pong", "server_time": now})).await
            }
            "get_status" => self.status().await,
            "get_current_prices" => self.prices(&ask).await,
            "get_price_history" => self.history(&ask).await,
            _ => {
                let words = format!("no such action: write one of {}", ACTIONS.join(" "));
                self.refuse("unknown_action", &words).await
            }
        }
    }

    async fn subscribe(&mut self, ask: &Ask) -> Result<(), Over> {
        let Some(kind) = ask.r#type.as_deref() else {
            let words = format!("\"type\" is missing: write one of {}", TYPES.join(" "));
            return self.refuse("missing_type", &words).await;
        };
        let since = match ask.since.as_deref().map(|text| (text, place(text))) {
            Some((_, None)) => {
                return self.refuse("bad_cursor", "\"since\" is no cursor of this server").await;
            }
            Some((_, since)) => since,
            None => None,
        };
        let symbols = ask.symbols.as_deref();
        let change = |wants: &mut Wants| wants.add(kind, symbols);
        let (before, here) = match self.app.hub.subscribe(&self.mailbox, change) {
            Ok(done) => done,
            Err(words) => return self.refuse("refused", &words).await,
        };
        // Whoever heard of none until now has missed none.
        if before.signals == Want::Nothing {
            self.sent.signal = here.signal;
        }
        if before.alerts == Want::Nothing {
            self.sent.alert = here.alert;
        }
        let reply = json!({
            "type": "subscription",
            "action": "subscribed",
            "subscribed": kind,
            "symbols": ask.symbols,
            "cursor": cursor(since.unwrap_or(self.sent)),
        });
        self.say(&reply).await?;
        if let Some(since) = since {
            self.catch_up(kind, since).await?;
        }
        if matches!(kind, "prices" | "all") {
            self.first_prices(symbols.unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Sends what was said since a place, from the records. Live messages wait meanwhile; those that
    /// are among what was read are left out later.
    async fn catch_up(&mut self, kind: &str, since: SaidPlace) -> Result<(), Over> {
        if matches!(kind, "all" | "signals") {
            self.catch_up_on::<SignalRow>(since).await?;
        }
        if matches!(kind, "all" | "alerts") {
            self.catch_up_on::<AlertRow>(since).await?;
        }
        Ok(())
    }

    async fn catch_up_on<T: Told>(&mut self, mut here: SaidPlace) -> Result<(), Over> {
        loop {
            let hub = Arc::clone(&self.app.hub);
            let read = move || hub.behind::<T>(here, hub.synced(), |_| {});
            let (messages, next) = match self.app.ask(read).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!("a client could not go on: {error}");
                    let words = "the records could not be read; resume by your last cursor";
                    return Err(Over::Closed(CloseCode::Again, "not_readable", words));
                }
            };
            here = next;
            let is_last = messages.len() < PAGE;
            // All that is wanted, not only what this subscription added: some of it may still
            // wait, and is left out later.
            let want = T::want(&self.mailbox.wants()).clone();
            for (_, pushed) in messages.into_iter().filter(|(symbol, _)| want.has(symbol)) {
                self.write(Message::Text(pushed.text)).await?;
            }
            if is_last {
                break;
            }
        }
        let sent = T::number(&mut self.sent);
        *sent = (*sent).max(*T::number(&mut here));
        Ok(())
    }

    /// The newest prices, so that nobody waits for the next trade.
    async fn first_prices(&mut self, symbols: &[Symbol]) -> Result<(), Over> {
        let cursor = cursor(self.sent);
        for item in self.app.live.prices(symbols, self.app.clock.now()) {
            self.write(Message::Text(price_text(&item, &cursor))).await?;
        }
        Ok(())
    }

    async fn unsubscribe(&mut self, ask: &Ask) -> Result<(), Over> {
        let kind = ask.r#type.as_deref().unwrap_or("all");
        let done = self.mailbox.wants().remove(kind, ask.symbols.as_deref());
        if let Err(words) = done {
            return self.refuse("refused", &words).await;
        }
        let reply = json!({
            "type": "subscription",
            "action": "unsubscribed",
            "unsubscribed": kind,
            "symbols": ask.symbols,
            "cursor": cursor(self.sent),
        });
        self.say(&reply).await
    }

    async fn status(&mut self) -> Result<(), Over> {
        let wants = self.mailbox.wants().value();
        let dropped = self.app.metrics.dropped_clients.load(std::sync::atomic::Ordering::Relaxed);
        let reply = json!({
            "type": "status",
            "client": {"id": self.mailbox.id, "subscriptions": wants},
            "clients": self.app.hub.clients(),
            "dropped": dropped,
            "server_time": self.app.clock.now(),
        });
        self.say(&reply).await
    }

    async fn prices(&mut self, ask: &Ask) -> Result<(), Over> {
        #[derive(Serialize)]
        struct Reply {
            r#type: &'static str,
            prices: BTreeMap<Symbol, PriceItem>,
        }
        let symbols = ask.symbols.as_deref().unwrap_or_default();
        let symbols = &symbols[..symbols.len().min(super::MAX_SYMBOLS)];
        let prices = self.app.live.prices(symbols, self.app.clock.now());
        let prices = prices.into_iter().map(|item| (item.symbol.clone(), item)).collect();
        self.say(&Reply { r#type: "price_update", prices }).await
    }

    async fn history(&mut self, ask: &Ask) -> Result<(), Over> {
        let Some(symbol) = ask.symbol.clone() else {
            return self
                .refuse("missing_symbol", "\"symbol\" is missing: write venue:SYMBOL")
                .await;
        };
        let limit = match &ask.limit {
            None => HISTORY.0,
            Some(typed) => match typed.as_u64().filter(|limit| *limit > 0) {
                Some(limit) => usize::try_from(limit).unwrap_or(HISTORY.1).min(HISTORY.1),
                None => {
                    let words = format!("\"limit\" is no number of bars: write 1 to {}", HISTORY.1);
                    return self.refuse("bad_limit", &words).await;
                }
            },
        };
        let (app, of) = (Arc::clone(&self.app), symbol.clone());
        let read = move || {
            let now = app.clock.now();
            for interval in Interval::ALL {
                let bars = app.history.last_bars(&of, interval, now, limit)?;
                if !bars.is_empty() {
                    return Ok((Some(interval), bars));
                }
            }
            Ok((None, Vec::new()))
        };
        let (interval, bars) = match self.app.ask(read).await {
            Ok(found) => found,
            Err(_) => return self.refuse("not_readable", "the history could not be read").await,
        };
        #[derive(Serialize)]
        struct Point {
            timestamp: finstage_model::Timestamp,
            price: finstage_model::Price,
        }
        #[derive(Serialize)]
        struct Reply {
            r#type: &'static str,
            symbol: Symbol,
            interval: Option<Interval>,
            history: Vec<Point>,
        }
        let point =
            |bar: &finstage_model::Bar| Point { timestamp: bar.open_time, price: bar.close };
        let history = bars.iter().map(point).collect();
        self.say(&Reply { r#type: "price_history", symbol, interval, history }).await
    }

    /// Sends what waits: first what must not be lost, then the newest prices.
    async fn deliver(&mut self) -> Result<(), Over> {
        let Mail { waiting, prices, end } = self.mailbox.take();
        match end {
            Some(End::TooSlow) => {
                let words = "messages wait and are not taken; resume by your last cursor";
                return Err(Over::Closed(CloseCode::Again, "too_slow", words));
            }
            Some(End::Renewed) => {
                let words = "the token was replaced; sign in again";
                return Err(Over::Closed(CloseCode::Policy, "signed_out", words));
            }
            None => {}
        }
        for Pushed { text, said } in waiting {
            let sent = match said {
                Some(Said::Signal(number)) => Some((&mut self.sent.signal, number)),
                Some(Said::Alert(number)) => Some((&mut self.sent.alert, number)),
                None => None,
            };
            if let Some((sent, number)) = sent {
                if number <= *sent {
                    continue;
                }
                *sent = number;
            }
            self.feed(Message::Text(text)).await?;
        }
        for text in prices.into_values() {
            self.feed(Message::Text(text)).await?;
        }
        let stall = self.app.limits.stall_time;
        taken(&timeout(stall, self.sink.flush()).await)
    }

    async fn feed(&mut self, message: Message) -> Result<(), Over> {
        let stall = self.app.limits.stall_time;
        taken(&timeout(stall, self.sink.feed(message)).await)
    }

    async fn write(&mut self, message: Message) -> Result<(), Over> {
        let stall = self.app.limits.stall_time;
        taken(&timeout(stall, self.sink.send(message)).await)
    }

    async fn say(&mut self, value: &impl Serialize) -> Result<(), Over> {
        let text = serde_json::to_string(value).expect("replies are always JSON");
        self.write(Message::text(text)).await
    }

    async fn refuse(&mut self, code: &str, words: &str) -> Result<(), Over> {
        let value: Value = json!({"type": "error", "code": code, "message": words});
        self.say(&value).await
    }

    async fn farewell(&mut self, code: CloseCode, word: &'static str, words: &'static str) {
        if self.refuse(word, words).await.is_ok() {
            let frame = CloseFrame { code, reason: words.into() };
            let _ = self.sink.send(Message::Close(Some(frame))).await;
            let _ = self.sink.close().await;
        }
    }
}

/// A write that took too long ends the client as slow: what it has not taken, it resumes.
fn taken<T>(done: &Result<Result<(), T>, tokio::time::error::Elapsed>) -> Result<(), Over> {
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Over::Gone),
        Err(_) => {
            let words = "messages wait and are not taken; resume by your last cursor";
            Err(Over::Closed(CloseCode::Again, "too_slow", words))
        }
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::new(ErrorKind::Failed, "a question to the store broke off").because(error)
    }
}
