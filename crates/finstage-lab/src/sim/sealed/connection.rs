//! One client of the relay, and what is played to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use finstage_model::Timestamp;
use finstage_net::{Frame, Socket, SocketOptions};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use super::{Frames, Shared, Source};
use crate::sim::faults::FaultKind;
use crate::sim::front::stopped;

/// A client that does not take an envelope in this time is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Frames of a recording that are read ahead.
const QUEUED_FRAMES: usize = 1_024;
/// Bytes of frames after which an envelope is full.
const MAX_PLAIN_BYTES: usize = 256 * 1_024;

/// A client's connection.
pub(super) struct Connection {
    shared: Arc<Shared>,
    socket: WebSocket,
    /// Frames that go into the next envelope, a line each.
    plain: Vec<u8>,
    frames: usize,
    envelope: Vec<u8>,
}

/// Why a connection ends.
enum End {
    /// The client left, or the network did.
    Gone,
    /// A close frame with code and reason.
    Close(u16, &'static str),
}

impl Connection {
    /// Serves a client until one of the two sides leaves.
    pub(super) async fn serve(shared: Arc<Shared>, socket: WebSocket, path: String) {
        let source = shared.source.clone();
        let (plain, envelope) = (Vec::new(), Vec::new());
        let mut connection = Self { shared, socket, plain, frames: 0, envelope };
        let end = match source {
            Source::Venue(base) => connection.relay(&format!("{base}{path}")).await,
            Source::Recording { open, speed } => {
                // Reading a file is no work for the threads that serve.
                let (send, receive) = tokio::sync::mpsc::channel(QUEUED_FRAMES);
                std::thread::spawn(move || read(open(), &send));
                connection.play(receive, speed).await
            }
        };
        connection.say_goodbye(end).await;
    }

    async fn relay(&mut self, url: &str) -> End {
        let mut upstream = match Socket::connect(url, &SocketOptions::default()).await {
            Ok(upstream) => upstream,
            Err(error) => {
                warn!(%error, "sealing relay: the venue does not answer");
                return End::Close(1014, "the venue does not answer");
            }
        };
        let mut stop = self.shared.stop.subscribe();
        loop {
            let result = tokio::select! {
                frame = upstream.next() => match frame {
                    Ok(frame) => self.pass_down(frame, &mut upstream).await,
                    Err(_) => Err(End::Close(1014, "the venue is gone")),
                },
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => up(&mut upstream, Frame::Text(text.to_string())).await,
                    Some(Ok(Message::Binary(bytes))) => up(&mut upstream, Frame::Binary(bytes.into())).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                    // The socket has answered.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                },
                () = stopped(&mut stop) => Err(End::Close(1001, "going away")),
            };
            if let Err(end) = result {
                upstream.close().await;
                return end;
            }
        }
    }

    /// Seals a frame, together with those that are there already.
    async fn pass_down(&mut self, first: Frame, upstream: &mut Socket) -> Result<(), End> {
        let mut next = Some(Ok(first));
        let mut end = None;
        while let Some(frame) = next {
            match frame {
                Ok(Frame::Text(text)) => self.put(&text),
                // A venue of text frames; what else it sends is not known to be a line.
                Ok(Frame::Binary(_)) => {
                    warn!("sealing relay: a binary frame is left out, only text is sealed");
                }
                Ok(Frame::Ping(_) | Frame::Pong(_)) => {}
                Ok(Frame::Close) => end = Some(End::Close(1001, "the venue closed")),
                Err(_) => end = Some(End::Close(1014, "the venue is gone")),
            }
            let is_full = self.frames >= self.shared.batch || self.plain.len() >= MAX_PLAIN_BYTES;
            next = if is_full || end.is_some() { None } else { upstream.next().now_or_never() };
        }
        self.flush().await?;
        end.map_or(Ok(()), Err)
    }

    fn put(&mut self, frame: &str) {
        if self.frames > 0 {
            self.plain.push(b'\n');
        }
        self.plain.extend_from_slice(frame.trim_end_matches(['\r', '\n']).as_bytes());
        self.frames += 1;
    }

    /// Seals what is there and sends it.
    async fn flush(&mut self) -> Result<(), End> {
        if self.frames == 0 {
            return Ok(());
        }
        let now = self.shared.clock.now();
        self.envelope.clear();
        let number = match self.shared.vault.seal(&self.plain, now, &mut self.envelope) {
            Ok(number) => number,
            Err(error) => {
                warn!(%error, "sealing relay: nothing can be sealed");
                return Err(End::Close(1011, "nothing can be sealed"));
            }
        };
        let tally = &self.shared.tally;
        tally.frames.fetch_add(self.frames as u64, Ordering::Relaxed);
        tally.sealed.fetch_add(1, Ordering::Relaxed);
        self.plain.clear();
        self.frames = 0;
        let strikes = |kind| self.shared.faults.strikes(kind, (number, now)).is_some();
        if strikes(FaultKind::SealedDrop) {
            tally.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let twice = strikes(FaultKind::SealedRepeat);
        if strikes(FaultKind::SealedTamper) {
            tally.tampered.fetch_add(1, Ordering::Relaxed);
            // A letter of the ciphertext, near its end.
            if let Some(letter) = self.envelope.iter_mut().rev().nth(8) {
                *letter = if *letter == b'A' { b'B' } else { b'A' };
            }
        }
        let text = String::from_utf8_lossy(&self.envelope).into_owned();
        if twice {
            tally.repeated.fetch_add(1, Ordering::Relaxed);
            self.write(Message::Text(text.clone().into())).await?;
        }
        self.write(Message::Text(text.into())).await
    }

    async fn play(&mut self, mut frames: Receiver<(Timestamp, String)>, speed: Option<f64>) -> End {
        let mut stop = self.shared.stop.subscribe();
        let began = Instant::now();
        let mut first = None;
        let mut due: Option<(Instant, String)> = None;
        let mut is_over = false;
        loop {
            let result = tokio::select! {
                biased;
                () = stopped(&mut stop) => Err(End::Close(1001, "going away")),
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.acknowledge(&text).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                    Some(Ok(_)) => Ok(()),
                },
                () = sleep_until(due.as_ref().map_or(began, |(at, _)| *at)), if due.is_some() => {
                    if let Some((_, frame)) = due.take() {
                        self.put(&frame);
                    }
                    if self.frames >= self.shared.batch { self.flush().await } else { Ok(()) }
                }
                frame = frames.recv(), if due.is_none() && !is_over => {
                    match frame {
                        Some((at, frame)) => {
                            let start = *first.get_or_insert(at);
                            let wait = speed.map_or(Duration::ZERO, |s| at.since(start).div_f64(s));
                            due = Some((began + wait, frame));
                        }
                        None => is_over = true,
                    }
                    Ok(())
                }
            };
            let waits = due.as_ref().is_some_and(|(at, _)| *at > Instant::now());
            let result =
                if (waits || is_over) && result.is_ok() { self.flush().await } else { result };
            if let Err(end) = result {
                return end;
            }
            if is_over && due.is_none() {
                return End::Close(1000, "the recording is over");
            }
        }
    }

    /// Answers a command as a venue would: the recording cannot.
    async fn acknowledge(&mut self, command: &str) -> Result<(), End> {
        let command: Value = serde_json::from_str(command).unwrap_or_default();
        if let Some(id) = command.get("id") {
            self.put(&json!({"result": null, "id": id}).to_string());
            return self.flush().await;
        }
        Ok(())
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(WRITE_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn say_goodbye(mut self, end: End) {
        let End::Close(code, reason) = end else { return };
        let close = CloseFrame { code, reason: reason.into() };
        if self.write(Message::Close(Some(close))).await.is_ok() {
            let drained = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            let _ = timeout(Duration::from_secs(1), drained).await;
        }
    }
}

async fn up(upstream: &mut Socket, frame: Frame) -> Result<(), End> {
    upstream.send(frame).await.map_err(|_| End::Close(1014, "the venue is gone"))
}

/// Reads a recording ahead, as far as the queue goes, until nobody listens.
fn read(frames: Box<dyn Frames>, to: &Sender<(Timestamp, String)>) {
    for frame in frames {
        if to.blocking_send(frame).is_err() {
            return;
        }
    }
}
