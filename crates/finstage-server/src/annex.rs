//! A part of the server that somebody else answers for: everything below one path. What comes in is checked
//! here as everywhere; what it means is the annex's.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::guard::{self, Hosts, Purpose};
use crate::problem::Problem;
use crate::serve::{Reply, reply};

/// The longest time for a body: a file of a batch is long.
const BODY_TIME: Duration = Duration::from_secs(60);
/// Bodies are held whole: all of them together, in units of [`BODY_UNIT`].
const BODY_UNITS: u32 = 512;
const BODY_UNIT: u64 = 1 << 20;

/// Answers everything below a path.
pub trait Annex: fmt::Debug + Send + Sync {
    /// The path: `/gateway`.
    fn path(&self) -> &'static str;

    /// The most bytes of a body that comes to `path`.
    fn most_body(&self, path: &str) -> usize;

    /// Answers a request of this machine. Dropped when whoever asked hangs up.
    fn answer(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Given> + Send + '_>>;
}

/// A request, as an annex is given it.
#[derive(Debug)]
pub struct Asked {
    /// The verb, in capitals.
    pub method: String,
    /// The path as it came, with the annex's own.
    pub path: String,
    /// What stood behind the question mark; empty where nothing did.
    pub query: String,
    /// Names in lower case and values, in the order in which they came. Values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The host that the request is for, as it was named.
    pub host: String,
    /// The body; empty where there was none.
    pub body: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Asked {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An annex's answer.
#[derive(Debug)]
pub struct Given {
    /// The status.
    pub status: u16,
    /// Names and values. Those about lengths, connections and what a page may do are the server's own.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: GivenBody,
}

/// The body of an annex's answer.
#[derive(Debug)]
pub enum GivenBody {
    /// All of it.
    Whole(Bytes),
    /// Pieces, each sent as it comes. An error cuts the connection, so that nobody takes what came for all.
    /// The receiver is dropped when whoever asked hangs up.
    Pieces(mpsc::Receiver<Result<Bytes, Cut>>),
}

/// The end of an answer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer ended before it was whole")
    }
}

impl std::error::Error for Cut {}

/// What leaves: whole answers, and the pieces of an annex.
pub(crate) type Outgoing = Either<Full<Bytes>, StreamBody<Pieces>>;

/// A body in pieces.
#[derive(Debug)]
pub(crate) struct Pieces {
    pieces: mpsc::Receiver<Result<Bytes, Cut>>,
    is_cut: bool,
}

impl Stream for Pieces {
    type Item = Result<Frame<Bytes>, Cut>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_cut {
            return Poll::Ready(Some(Err(Cut)));
        }
        match self.pieces.poll_recv(context) {
            // What came before is written out first: whoever is asked for nothing more does that.
            Poll::Ready(Some(Err(Cut))) => {
                self.is_cut = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            polled => polled.map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }
}

/// An annex and what it may use.
#[derive(Debug, Clone)]
pub(crate) struct Wing {
    annex: Arc<dyn Annex>,
    room: Arc<Semaphore>,
}

impl Wing {
    pub(crate) fn new(annex: Arc<dyn Annex>) -> Self {
        Self { annex, room: Arc::new(Semaphore::new(BODY_UNITS as usize)) }
    }

    pub(crate) fn path(&self) -> &'static str {
        self.annex.path()
    }

    /// Whether a path is the annex's.
    pub(crate) fn owns(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.annex.path());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers a request for the annex; there is always an answer.
    pub(crate) async fn handle(
        &self,
        hosts: &Hosts,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Reply {
        let path = request.uri().path().to_owned();
        match self.let_in(hosts, request, peer).await {
            Ok(asked) => outgoing(self.annex.answer(asked).await),
            Err(problem) => reply(problem.answer(&path), false).map(Either::Left),
        }
    }

    /// Looks who asks, before anything of it is read.
    async fn let_in(
        &self,
        hosts: &Hosts,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Asked, Problem> {
        guard::check_place(hosts, request.headers(), request.method(), Purpose::Data)?;
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default().to_owned();
        if !peer.ip().to_canonical().is_loopback() || !guard::is_this_machine(&host) {
            let detail = "this answers programs of its own machine only: ask it at 127.0.0.1";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        let (head, body) = request.into_parts();
        let most = self.annex.most_body(head.uri.path());
        let (body, room) = self.read(&head.method, body, most).await?;
        Ok(Asked {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: texts(&head.headers),
            host,
            body,
            _room: room,
        })
    }

    /// The body, with the room that it takes among all bodies.
    async fn read(
        &self,
        method: &Method,
        body: Incoming,
        most: usize,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
        let too_large = || {
            let detail = format!("a body has at most {most} bytes here");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        };
        let hint = body.size_hint();
        if hint.lower() > most as u64 {
            return Err(too_large());
        }
        let bytes = hint.upper().unwrap_or(most as u64);
        let units = u32::try_from(bytes.div_ceil(BODY_UNIT)).unwrap_or(BODY_UNITS);
        let room = Arc::clone(&self.room).try_acquire_many_owned(units.min(BODY_UNITS));
        let room = room.map_err(|_| {
            let detail = "too many large bodies at once: ask again in a second";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })?;
        if *method == Method::GET {
            return Ok((Bytes::new(), room));
        }
        match timeout(BODY_TIME, Limited::new(body, most).collect()).await {
            Ok(Ok(body)) => Ok((body.to_bytes(), room)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Problem::bad("the body could not be read")),
            Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
        }
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

/// What a page that shows such an answer may do: nothing. It comes from elsewhere, under our address.
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

fn outgoing(given: Given) -> Reply {
    let body = match given.body {
        GivenBody::Whole(body) => Either::Left(Full::new(body)),
        GivenBody::Pieces(pieces) => {
            Either::Right(StreamBody::new(Pieces { pieces, is_cut: false }))
        }
    };
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::from_u16(given.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = reply.headers_mut();
    for (name, value) in &given.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
    for (name, value) in guard::HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(hyper::header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    reply
}
