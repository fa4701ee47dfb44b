use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What goes over a connection.
pub(super) type Message = hyper::Request<Full<Bytes>>;
/// What carries it.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// One connection, driven by whoever uses it: nobody else is woken by what arrives, and who drops the wait for
/// an answer closes it.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// None once it has ended.
    connection: Option<Driven>,
    idle_since: Option<Instant>,
}

type Driven = Pin<Box<Connection<Stream, Full<Bytes>>>>;

/// Why there is no answer.
pub(super) struct Broken {
    pub(super) error: hyper::Error,
    /// The request, where none of it has left.
    pub(super) unsent: Option<Box<Message>>,
}

impl Line {
    /// A connection over a stream that is open.
    pub(super) async fn over(stream: Stream) -> Result<Self, hyper::Error> {
        let (sender, connection) = handshake(stream).await?;
        Ok(Self { sender, connection: Some(Box::pin(connection)), idle_since: None })
    }

    /// Whether an answer came over it before.
    pub(super) const fn was_used(&self) -> bool {
        self.idle_since.is_some()
    }

    /// Whether it can be used, as far as is known without looking.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some() && !self.sender.is_closed()
    }

    /// How long nothing has come.
    pub(super) fn idle_for(&self) -> Duration {
        self.idle_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Sends, and waits for the head.
    pub(super) async fn send(
        &mut self,
        message: Message,
    ) -> Result<hyper::Response<Incoming>, Broken> {
        // It may have been closed meanwhile, which shows now.
        if let Err(error) = drive(&mut self.connection, self.sender.ready()).await {
            return Err(Broken { error, unsent: Some(Box::new(message)) });
        }
        let answer = self.sender.try_send_request(message);
        drive(&mut self.connection, answer).await.map_err(|mut failed| {
            let unsent = failed.take_message().map(Box::new);
            Broken { error: failed.into_error(), unsent }
        })
    }

    /// The next piece of a body; `None` after the last.
    pub(super) async fn next(
        &mut self,
        body: &mut Incoming,
    ) -> Result<Option<Bytes>, hyper::Error> {
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
            match drive(&mut self.connection, frame).await {
                // Trailers say nothing that anybody here asks for.
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        return Ok(Some(data));
                    }
                }
                None => {
                    self.idle_since = Some(Instant::now());
                    return Ok(None);
                }
            }
        }
    }
}

/// What `work` gives, while the connection that it needs is driven.
async fn drive<T>(connection: &mut Option<Driven>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        turn(connection, cx);
        work.as_mut().poll(cx)
    })
    .await
}

/// Lets a connection write and read what it can. One that has ended is dropped, which tells those who wait
/// for something from it.
fn turn(connection: &mut Option<Driven>, cx: &mut Context<'_>) {
    if let Some(open) = connection
        && let Poll::Ready(_) = open.as_mut().poll(cx)
    {
        *connection = None;
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}
