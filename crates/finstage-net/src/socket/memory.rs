//! A connection within this process: frames pass through two bounded queues, no network between.
//!
//! For tests and for campaigns in simulated time. It keeps what callers see of a real connection:
//! order, a reader that is slow is felt by the writer, pings are answered while frames are read,
//! and it may end with a goodbye or without one.

use std::fmt;

use tokio::sync::mpsc;

use super::Frame;
use crate::{Error, ErrorKind};

/// Our end, inside a [`super::Socket`].
pub(super) struct Memory {
    incoming: mpsc::Receiver<Said>,
    outgoing: mpsc::Sender<Frame>,
}

/// What the other side does.
enum Said {
    Frame(Frame),
    /// The line breaks without a goodbye.
    Break,
}

/// The other side of a [`super::Socket`] made by [`super::Socket::pair`].
pub struct Peer {
    incoming: mpsc::Receiver<Frame>,
    outgoing: mpsc::Sender<Said>,
}

/// The close code that never travels: the line broke without a goodbye (RFC 6455, 7.4.1).
const NO_GOODBYE: u16 = 1006;

pub(super) fn pair(frames: usize) -> (Memory, Peer) {
    let (to_us, incoming) = mpsc::channel(frames);
    let (outgoing, to_them) = mpsc::channel(frames);
    (Memory { incoming, outgoing }, Peer { incoming: to_them, outgoing: to_us })
}

impl Memory {
    pub(super) async fn next(&mut self, host: &str) -> Result<Frame, Error> {
        match self.incoming.recv().await {
            Some(Said::Frame(frame)) => {
                if let Frame::Ping(bytes) = &frame {
                    // A peer that does not read gets no answer, as over a full line.
                    let _ = self.outgoing.try_send(Frame::Pong(bytes.clone()));
                }
                Ok(frame)
            }
            Some(Said::Break) | None => Err(broken("reading from", host)),
        }
    }

    pub(super) async fn send(&mut self, frame: Frame, host: &str) -> Result<(), Error> {
        let sent = self.outgoing.send(frame).await;
        sent.map_err(|_| broken("sending to", host).after_sending())
    }

    pub(super) fn close(self) {
        // A goodbye that finds no room ends the connection as well.
        let _ = self.outgoing.try_send(Frame::Close);
    }
}

impl Peer {
    /// The next frame that the [`super::Socket`] sent; `None` when it is gone.
    pub async fn next(&mut self) -> Option<Frame> {
        self.incoming.recv().await
    }

    /// Sends a frame, waiting for room; whether the [`super::Socket`] is still there.
    pub async fn send(&self, frame: Frame) -> bool {
        self.outgoing.send(Said::Frame(frame)).await.is_ok()
    }

    /// Sends a text.
    pub async fn say(&self, text: impl Into<String>) -> bool {
        self.send(Frame::Text(text.into())).await
    }

    /// Ends the connection with a close code of RFC 6455: 1006 is the line that breaks without a
    /// goodbye. What was sent before is still read.
    pub async fn close(self, code: u16) {
        let last = if code == NO_GOODBYE { Said::Break } else { Said::Frame(Frame::Close) };
        // Nobody is there to hear it: then it is closed already.
        let _ = self.outgoing.send(last).await;
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peer")
    }
}

fn broken(doing: &str, host: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{doing} {host}: the connection is closed"))
}
