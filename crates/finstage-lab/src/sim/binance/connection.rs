//! One stream connection: commands in, frames out, pings, and all the ways in which it ends.
//!
//! Pings and their deadline are real time, as network timeouts are; the 24 hours that a connection
//! may live are the venue's own time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use finstage_model::Timestamp;
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::limits;
use super::server::Shared;
use super::stream::{self, Command, FrameForm, MAX_STREAMS, StreamKey};
use crate::sim::faults::FaultKind;
use crate::sim::front::stopped;
use crate::sim::rulebook::{Caller, Rulebook};

/// Real time between pings.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// Real time within which a ping must be answered.
pub const PONG_WITHIN: Duration = Duration::from_secs(60);
/// Venue time after which every connection is cut.
pub const LIFETIME: Duration = Duration::from_secs(86_400);
/// How long a write may take before the connection is given up.
pub const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Frames written before the socket is flushed.
const WRITE_BATCH: usize = 256;

/// A stream connection.
pub(super) struct Connection {
    shared: Arc<Shared>,
    id: u64,
    socket: WebSocket,
    queue: Receiver<Utf8Bytes>,
    form: FrameForm,
    /// What was subscribed, by name, known or not.
    names: Vec<String>,
    opened: Timestamp,
    /// Resets and closes that had begun when the connection was opened.
    before: (u64, u64),
    unanswered: VecDeque<(String, Instant)>,
    /// What it may send, counted from its start in real time.
    limits: (Rulebook, Instant),
}

/// Why a connection ends.
enum End {
    /// The client left, or the network did.
    Gone,
    /// Dropped without a word.
    Reset,
    /// A close frame with code and reason.
    Close(u16, &'static str),
    /// `serverShutdown` first.
    Shutdown,
}

impl Connection {
    /// Serves a connection until it ends.
    pub(super) async fn serve(
        shared: Arc<Shared>,
        socket: WebSocket,
        (form, names): (FrameForm, Vec<String>),
    ) {
        let opened = shared.clock.now();
        let (id, queue) = shared.hub.join(form, opened);
        let begun = |kind| shared.faults.begun(kind, opened);
        let before = (begun(FaultKind::Reset), begun(FaultKind::Close));
        let mut connection = Self {
            id,
            socket,
            queue,
            form,
            names: Vec::new(),
            opened,
            before,
            unanswered: VecDeque::new(),
            limits: (limits::of_connection(), Instant::now()),
            shared,
        };
        connection.subscribe(names);
        let end = connection.run().await;
        connection.shared.hub.leave(id);
        connection.say_goodbye(end).await;
    }

    async fn run(&mut self) -> End {
        let now = Instant::now();
        let mut ping = interval_at(now + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = self.shared.stop.subscribe();
        let mut news = self.shared.news.subscribe();
        let mut frames = Vec::new();
        // What changed before it subscribed is no news.
        if let Err(end) = self.check() {
            return end;
        }
        loop {
            let is_silent = self.is_silent();
            let overdue = self.unanswered.front().map(|(_, sent)| *sent + PONG_WITHIN);
            let result = tokio::select! {
                count = self.queue.recv_many(&mut frames, WRITE_BATCH) => {
                    if count == 0 { Err(End::Close(1008, "slow reader")) }
                    else { self.write(frames.drain(..).map(Message::Text)).await }
                }
                // The socket answers pings while it is read: a silent venue does not read.
                message = self.socket.recv(), if !is_silent => match message {
                    Some(Ok(message)) => self.receive(message).await,
                    Some(Err(_)) | None => Err(End::Gone),
                },
                _ = ping.tick() => self.ping().await,
                // An error means that the venue is gone: `stopped` says so.
                Ok(()) = news.changed() => self.check(),
                () = sleep_until(overdue.unwrap_or(now)), if overdue.is_some() => {
                    Err(End::Close(1008, "Pong timeout"))
                }
                () = stopped(&mut stop) => Err(End::Close(1001, "going away")),
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    fn is_silent(&self) -> bool {
        self.shared.faults.active(FaultKind::Silent, self.shared.clock.now()).is_some()
    }

    /// Ends the connection where its time has come.
    fn check(&mut self) -> Result<(), End> {
        let now = self.shared.clock.now();
        if self.shared.faults.begun(FaultKind::Reset, now) > self.before.0 {
            return Err(End::Reset);
        }
        if self.shared.faults.begun(FaultKind::Close, now) > self.before.1 {
            return Err(End::Shutdown);
        }
        if now.since(self.opened) >= LIFETIME {
            return Err(End::Close(1001, "connected for 24 hours"));
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.is_silent() {
            return Ok(());
        }
        let payload = self.shared.clock.now().millis().to_string();
        self.unanswered.push_back((payload.clone(), Instant::now()));
        self.write([Message::Ping(payload.into())]).await
    }

    async fn receive(&mut self, message: Message) -> Result<(), End> {
        if let Message::Close(_) = message {
            return Err(End::Gone);
        }
        self.count_incoming()?;
        match message {
            Message::Text(text) => {
                let answer = self.answer(&text);
                self.write([Message::Text(answer.into())]).await
            }
            Message::Pong(payload) => {
                // A pong must copy the payload of its ping; later ones answer the earlier too.
                let answered = |(sent, _): &(String, Instant)| sent.as_bytes() == &payload[..];
                if self.unanswered.iter().any(answered) {
                    self.unanswered.clear();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count_incoming(&mut self) -> Result<(), End> {
        let (book, start) = &mut self.limits;
        let now = Timestamp::EPOCH.plus(start.elapsed());
        if !book.admit(now, &Caller::default(), &[("messages", 1)]).is_admitted() {
            return Err(End::Close(1008, "Too many requests"));
        }
        Ok(())
    }

    fn answer(&mut self, text: &str) -> String {
        let (command, id) = match stream::read(text) {
            Ok(read) => read,
            Err(answer) => return answer,
        };
        let result = match command {
            Command::Subscribe(names) => {
                if self.names.len() + names.len() > MAX_STREAMS {
                    return stream::failure(2, "Invalid request: too many streams", Some(&id));
                }
                self.subscribe(names);
                Value::Null
            }
            Command::Unsubscribe(names) => {
                for name in names {
                    self.names.retain(|other| *other != name);
                    if let Some(key) = self.key(&name) {
                        self.shared.hub.ignore(self.id, key);
                    }
                }
                Value::Null
            }
            Command::List => json!(self.names),
            Command::SetForm(form) => {
                self.form = form;
                self.shared.hub.set_form(self.id, form);
                Value::Null
            }
            Command::GetForm => json!(self.form == FrameForm::Combined),
        };
        stream::success(&result, &id)
    }

    fn subscribe(&mut self, names: Vec<String>) {
        for name in names {
            if let Some(key) = self.key(&name) {
                self.shared.hub.listen(self.id, key);
            }
            if !self.names.contains(&name) && self.names.len() < MAX_STREAMS {
                self.names.push(name);
            }
        }
    }

    fn key(&self, name: &str) -> Option<StreamKey> {
        StreamKey::named(name, &self.shared.market())
    }

    async fn write(&mut self, messages: impl IntoIterator<Item = Message>) -> Result<(), End> {
        let writing = async {
            for message in messages {
                self.socket.feed(message).await?;
            }
            self.socket.flush().await
        };
        match timeout(WRITE_WITHIN, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn say_goodbye(mut self, end: End) {
        let close = match end {
            End::Gone => return,
            // The socket is dropped as it is: the client reads an end without a close frame.
            End::Reset => {
                self.shared.resets.fetch_add(1, Ordering::Relaxed);
                return;
            }
            End::Close(code, reason) => CloseFrame { code, reason: reason.into() },
            End::Shutdown => {
                let said = json!({"e": "serverShutdown", "E": self.shared.clock.now().millis()});
                let text = match self.form {
                    FrameForm::Raw => said.to_string(),
                    FrameForm::Combined => {
                        json!({"stream": "!serverShutdown", "data": said}).to_string()
                    }
                };
                if self.write([Message::Text(text.into())]).await.is_err() {
                    return;
                }
                CloseFrame { code: 1001, reason: "server shutdown".into() }
            }
        };
        if self.write([Message::Close(Some(close))]).await.is_err() {
            return;
        }
        // Reads on until the client has closed as well, so that the close frame is not lost in a
        // connection torn down with unread data.
        let drained = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        let _ = timeout(Duration::from_secs(1), drained).await;
    }
}
