//! The network as a [`Transport`]: HTTP over pooled connections, a bounded number to each host, with
//! a limit of time for each phase.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use reqwest::redirect::Policy;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Carried, ClientOptions, Error, ErrorKind, Method, Opened, Phase, Pieces, Request, Response,
    Socket, SocketOptions, Traffic, Transport, install_crypto,
};

/// Hosts that are told apart; further ones share one bound.
const MAX_HOSTS: usize = 256;

/// Sends over the network.
#[derive(Debug)]
pub struct Network {
    inner: reqwest::Client,
    options: ClientOptions,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
    requests: AtomicU64,
    connections: Arc<AtomicU64>,
}

impl Network {
    /// One with these limits.
    ///
    /// # Errors
    /// When the user agent is not a header value or the platform offers no trust roots.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        install_crypto();
        let connections = Arc::<AtomicU64>::default();
        let inner = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .user_agent(&options.user_agent)
            .redirect(Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(options.connections_per_host)
            .pool_idle_timeout(options.idle_timeout)
            .connector_layer(CountLayer(Arc::clone(&connections)))
            .build()
            .map_err(|e| Error::new(ErrorKind::Invalid, "building an http client").because(e))?;
        Ok(Self {
            inner,
            options,
            hosts: Mutex::default(),
            requests: AtomicU64::new(0),
            connections,
        })
    }

    /// The places for connections to a host.
    fn places(&self, request: &Request) -> Arc<Semaphore> {
        let host = host_of(request.url());
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = hosts.get(host) {
            return Arc::clone(places);
        }
        let host = if hosts.len() < MAX_HOSTS { host } else { "" };
        let places = || Arc::new(Semaphore::new(self.options.connections_per_host.max(1)));
        Arc::clone(hosts.entry(host.to_owned()).or_insert_with(places))
    }

    /// Sends, and waits for the head.
    async fn begin(&self, request: &Request) -> Result<reqwest::Response, Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        // Connecting has its own limit, and the time for it must not eat the server's.
        let most = self.options.connect_timeout.saturating_add(self.options.read_timeout);
        let head = timeout(most, self.head(request));
        head.await.unwrap_or_else(|_| Err(late(request, "no answer in time", Phase::FirstByte)))
    }

    /// Sends and reads, whatever time it takes as a whole.
    async fn exchange(&self, request: &Request) -> Result<Response, Error> {
        let read = self.options.read_timeout;
        let mut answer = self.begin(request).await?;
        let (status, headers) = head_of(&answer);
        let most = self.options.max_body_bytes;
        let too_large = || {
            let message = format!("{request}: answer of more than {most} bytes");
            Error::new(ErrorKind::TooLarge, message).after_sending()
        };
        if answer.content_length().is_some_and(|length| length > most as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        loop {
            let piece = timeout(read, answer.chunk())
                .await
                .map_err(|_| late(request, "the answer stopped in the middle", Phase::Body))?;
            let Some(piece) = piece.map_err(|e| explain(request, e))? else { break };
            if body.len() + piece.len() > most {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        Ok(Response { status, headers, body })
    }

    async fn head(&self, request: &Request) -> Result<reqwest::Response, Error> {
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut builder = self.inner.request(method, request.url());
        for (name, value) in request.headers() {
            builder = builder.header(name, value);
        }
        if !request.body_bytes().is_empty() || request.method() == Method::Post {
            builder = builder.body(request.body_bytes().to_vec());
        }
        builder.send().await.map_err(|e| explain(request, e))
    }
}

impl Transport for Network {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            let most = self.options.total_timeout;
            let places = self.places(request);
            let Ok(place) = timeout(most, places.acquire()).await else {
                return Err(no_place(request));
            };
            let end = timeout(most, self.exchange(request)).await;
            pool_it(&places).await;
            drop(place);
            end.unwrap_or_else(|_| Err(late(request, "timed out", Phase::Whole)))
        })
    }

    fn open<'a>(&'a self, request: &'a Request) -> Carried<'a, Opened> {
        Box::pin(async move {
            let places = self.places(request);
            let place = timeout(self.options.total_timeout, Arc::clone(&places).acquire_owned());
            // Never closed, so only time can be missing.
            let Ok(Ok(place)) = place.await else { return Err(no_place(request)) };
            let ends = Instant::now() + self.options.stream_timeout;
            let answer = self.begin(request).await?;
            let (status, headers) = head_of(&answer);
            let body = Box::new(Incoming {
                request: request.to_string(),
                answer,
                silence: self.options.read_timeout,
                ends,
                places,
                place: Some(place),
            });
            Ok(Opened { status, headers, body })
        })
    }

    fn connect<'a>(&'a self, url: &'a str, options: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(Socket::connect(url, options))
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
        }
    }
}

/// A body on its way, with its place among the connections to the host.
struct Incoming {
    request: String,
    answer: reqwest::Response,
    silence: Duration,
    ends: Instant,
    places: Arc<Semaphore>,
    place: Option<OwnedSemaphorePermit>,
}

impl Pieces for Incoming {
    fn next(&mut self) -> Carried<'_, Option<Bytes>> {
        Box::pin(async move {
            let silent_at = Instant::now() + self.silence;
            let request = &self.request;
            let piece = loop {
                let piece = timeout_at(silent_at.min(self.ends), self.answer.chunk());
                let piece = piece.await.map_err(|_| match silent_at < self.ends {
                    true => late(request, "the answer stopped in the middle", Phase::Body),
                    false => late(request, "the answer goes on for too long", Phase::Whole),
                })?;
                // What is empty would look like an end to some.
                match piece.map_err(|e| explain(request, e))? {
                    Some(piece) if piece.is_empty() => {}
                    piece => break piece,
                }
            };
            if piece.is_none()
                && let Some(place) = self.place.take()
            {
                pool_it(&self.places).await;
                drop(place);
            }
            Ok(piece)
        })
    }
}

/// Where somebody waits for a connection that is free now: it is found in the pool only after the
/// pool's own task has put it there, and another one would be opened before.
async fn pool_it(places: &Semaphore) {
    if places.available_permits() == 0 {
        tokio::task::yield_now().await;
    }
}

fn head_of(answer: &reqwest::Response) -> (u16, Vec<(String, String)>) {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes())));
    (answer.status().as_u16(), headers.collect())
}

/// `host:port` of an address.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn no_place(request: &Request) -> Error {
    let message = format!("{request}: no connection was free in time");
    Error::new(ErrorKind::Timeout, message).during(Phase::Turn)
}

fn late(request: &impl Display, what: &str, phase: Phase) -> Error {
    Error::new(ErrorKind::Timeout, format!("{request}: {what}")).after_sending().during(phase)
}

fn explain(request: &impl Display, error: reqwest::Error) -> Error {
    // The transport's own text would repeat the address with its secrets.
    let error = error.without_url();
    let is_late = error.is_timeout();
    let (kind, what) = if error.is_builder() {
        (ErrorKind::Invalid, "cannot be sent as written")
    } else if is_late && error.is_connect() {
        (ErrorKind::Timeout, "no connection in time")
    } else if is_late {
        (ErrorKind::Timeout, "timed out")
    } else if is_tls(&error) {
        (ErrorKind::Protocol, "no trusted connection")
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "cannot connect")
    } else if error.is_decode() {
        (ErrorKind::Protocol, "unreadable answer")
    } else {
        (ErrorKind::Unavailable, "connection broke")
    };
    let maybe_sent = !error.is_builder() && !error.is_connect();
    let phase = is_late.then_some(if maybe_sent { Phase::Whole } else { Phase::Connect });
    let mut explained = Error::new(kind, format!("{request}: {what}")).because(error);
    if let Some(phase) = phase {
        explained = explained.during(phase);
    }
    if maybe_sent { explained.after_sending() } else { explained }
}

/// Whether a failed handshake is behind the error: an expired certificate will not heal itself.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inside.is_some_and(|inside| inside.is::<rustls::Error>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Counts the connections that are opened.
#[derive(Debug, Clone)]
struct CountLayer(Arc<AtomicU64>);

impl<S> Layer<S> for CountLayer {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, opened: Arc::clone(&self.0) }
    }
}

#[derive(Debug, Clone)]
struct Counted<S> {
    inner: S,
    opened: Arc<AtomicU64>,
}

impl<S, R> Service<R> for Counted<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}

/// The default of [`ClientOptions::read_timeout`].
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(15);
