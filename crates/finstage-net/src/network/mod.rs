//! The network as a [`Transport`]: HTTP/1.1 over connections that are used again, a bounded number to each
//! host, with a limit of time for each phase.
//!
//! A connection has no task of its own: whoever uses it drives it ([`line`]), so that a request wakes nobody
//! but the one who waits for its answer.

mod body;
mod dial;
mod host;
mod line;

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming as Body;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap, HeaderName,
    HeaderValue, USER_AGENT,
};
use hyper::http::uri::Scheme;
use hyper::{Method as Verb, Uri};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use self::body::{Gathered, Unpacked};
use self::dial::{Dialer, Failed};
use self::host::Host;
use self::line::{Line, Message};
use crate::{
    Carried, ClientOptions, Error, ErrorKind, Method, Opened, Phase, Pieces, Request, Response,
    Socket, SocketOptions, Traffic, Transport,
};

/// Hosts that are told apart; further ones share one bound, and their connections are used once.
const MAX_HOSTS: usize = 256;
/// The default of [`ClientOptions::read_timeout`].
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// Sends over the network.
#[derive(Debug)]
pub struct Network {
    dialer: Dialer,
    user_agent: HeaderValue,
    options: ClientOptions,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    requests: AtomicU64,
    connections: AtomicU64,
}

/// What a body may be on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// Compressed, to save the way.
    Gzip,
    /// As it is: whoever reads it piece by piece wants each at once.
    None,
}

impl Network {
    /// One with these limits.
    ///
    /// # Errors
    /// When the user agent is not a header value.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        let user_agent = HeaderValue::from_str(&options.user_agent).map_err(|e| {
            Error::new(ErrorKind::Invalid, "the user agent is no header value").because(e)
        })?;
        Ok(Self {
            dialer: Dialer::new(options.own_server.clone()),
            user_agent,
            options,
            hosts: Mutex::default(),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        })
    }

    /// The connections to a host, and places for them.
    fn host(&self, request: &Request) -> Arc<Host> {
        let name = host_of(request.url());
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        let most = self.options.connections_per_host.max(1);
        let (name, keeps_for) = match hosts.len() < MAX_HOSTS && !name.is_empty() {
            true => (name, self.options.idle_timeout),
            false => ("", Duration::ZERO),
        };
        let host = hosts.entry(name.to_owned());
        Arc::clone(host.or_insert_with(|| Arc::new(Host::new(most, keeps_for))))
    }

    /// Sends, and waits for the head.
    async fn begin(
        &self,
        request: &Request,
        (host, packing): (&Host, Packing),
    ) -> Result<(Line, hyper::Response<Body>), Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (uri, mut message) = self.written(request, packing)?;
        loop {
            let mut line = match host.take() {
                Some(line) => line,
                // Connecting has its own limit, and the time for it must not eat the server's.
                None => self.dial(request, &uri).await?,
            };
            let was_used = line.was_used();
            let Ok(end) = timeout(self.options.read_timeout, line.send(message)).await else {
                return Err(late(request, "no answer in time", Phase::FirstByte));
            };
            match end {
                Ok(answer) => return Ok((line, answer)),
                Err(broken) => match broken.unsent {
                    // The server closed it before it heard of this request.
                    Some(unsent) if was_used => message = *unsent,
                    unsent => return Err(broke(request, broken.error, unsent.is_none())),
                },
            }
        }
    }

    async fn dial(&self, request: &Request, uri: &Uri) -> Result<Line, Error> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let dialled = timeout(self.options.connect_timeout, self.dialer.dial(uri)).await;
        dialled.unwrap_or_else(|_| Err(Failed::late())).map_err(|failed| failed.told(request))
    }

    /// Sends and reads, whatever time it takes as a whole.
    async fn exchange(&self, request: &Request, host: &Host) -> Result<Response, Error> {
        let (mut line, answer) = self.begin(request, (host, Packing::Gzip)).await?;
        let (head, mut incoming) = answer.into_parts();
        let is_packed = is_gzip(&head.headers);
        let most = self.options.max_body_bytes;
        let too_large = || {
            let message = format!("{request}: answer of more than {most} bytes");
            Error::new(ErrorKind::TooLarge, message).after_sending()
        };
        let mut body = Gathered::new(most, is_packed);
        if body.is_beyond(content_length(&head.headers)) {
            return Err(too_large());
        }
        loop {
            let piece = timeout(self.options.read_timeout, line.next(&mut incoming))
                .await
                .map_err(|_| late(request, "the answer stopped in the middle", Phase::Body))?;
            let Some(piece) = piece.map_err(|e| broke(request, e, true))? else { break };
            body.add(&piece).map_err(|e| e.explained(request, too_large))?;
        }
        let body = body.finish().map_err(|e| e.explained(request, too_large))?;
        host.put(line);
        let headers = texts(&head.headers, is_packed);
        Ok(Response { status: head.status.as_u16(), headers, body })
    }

    /// The request as it goes over a connection, and where to.
    fn written(&self, request: &Request, packing: Packing) -> Result<(Uri, Message), Error> {
        let invalid = |source: Box<dyn std::error::Error + Send + Sync>| {
            let message = format!("{request}: cannot be sent as written");
            Error::new(ErrorKind::Invalid, message).because(source)
        };
        let uri = address(request.url()).map_err(|e| invalid(e.into()))?;
        let body = request.body_shared();
        let mut headers = HeaderMap::with_capacity(request.headers().len() + 5);
        for (name, value) in request.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| invalid(e.into()))?;
            let value = HeaderValue::from_str(value).map_err(|e| invalid(e.into()))?;
            headers.append(name, value);
        }
        headers.entry(HOST).or_insert(host_header(&uri).map_err(|e| invalid(e.into()))?);
        headers.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if packing == Packing::Gzip {
            headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
        }
        if !body.is_empty() || request.method() == Method::Post {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let mut message = Message::new(Full::new(body));
        *message.method_mut() = match request.method() {
            Method::Get => Verb::GET,
            Method::Post => Verb::POST,
            Method::Delete => Verb::DELETE,
        };
        *message.uri_mut() = uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
        *message.headers_mut() = headers;
        Ok((uri, message))
    }
}

impl Transport for Network {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            let most = self.options.total_timeout;
            let host = self.host(request);
            let Ok(place) = timeout(most, host.place()).await else {
                return Err(no_place(request));
            };
            let end = timeout(most, self.exchange(request, &host)).await;
            drop(place);
            end.unwrap_or_else(|_| Err(late(request, "timed out", Phase::Whole)))
        })
    }

    fn open<'a>(&'a self, request: &'a Request) -> Carried<'a, Opened> {
        Box::pin(async move {
            let host = self.host(request);
            let Ok(place) = timeout(self.options.total_timeout, host.place()).await else {
                return Err(no_place(request));
            };
            let ends = Instant::now() + self.options.stream_timeout;
            let (line, answer) = self.begin(request, (&host, Packing::None)).await?;
            let (head, body) = answer.into_parts();
            let is_packed = is_gzip(&head.headers);
            let body = Box::new(Incoming {
                request: request.to_string(),
                body,
                unpacked: is_packed.then(Unpacked::default),
                silence: self.options.read_timeout,
                ends,
                host,
                out: Some((line, place)),
            });
            let headers = texts(&head.headers, is_packed);
            Ok(Opened { status: head.status.as_u16(), headers, body })
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

/// A body on its way, with its connection and its place among those to the host.
struct Incoming {
    request: String,
    body: Body,
    /// Of a server that packs what nobody asked it to.
    unpacked: Option<Unpacked>,
    silence: Duration,
    ends: Instant,
    host: Arc<Host>,
    out: Option<(Line, OwnedSemaphorePermit)>,
}

impl Pieces for Incoming {
    fn next(&mut self) -> Carried<'_, Option<Bytes>> {
        Box::pin(async move {
            let silent_at = Instant::now() + self.silence;
            let request = &self.request;
            loop {
                let Some((line, _)) = &mut self.out else { return Ok(None) };
                let piece = timeout_at(silent_at.min(self.ends), line.next(&mut self.body));
                let piece = piece.await.map_err(|_| match silent_at < self.ends {
                    true => late(request, "the answer stopped in the middle", Phase::Body),
                    false => late(request, "the answer goes on for too long", Phase::Whole),
                })?;
                let piece = piece.map_err(|e| broke(request, e, true))?;
                let is_last = piece.is_none();
                let piece = match (&mut self.unpacked, piece) {
                    (Some(unpacked), piece) => unpacked.next(piece.as_ref()).map_err(|e| {
                        let message = format!("{request}: unreadable answer");
                        Error::new(ErrorKind::Protocol, message).because(e).after_sending()
                    })?,
                    (None, piece) => piece.unwrap_or_default(),
                };
                if is_last && let Some((line, place)) = self.out.take() {
                    self.host.put(line);
                    drop(place);
                    return Ok((!piece.is_empty()).then_some(piece));
                }
                // What is empty would look like an end to some.
                if !piece.is_empty() {
                    return Ok(Some(piece));
                }
            }
        })
    }
}

/// The address; bytes that none may hold are written as browsers write them.
fn address(url: &str) -> Result<Uri, String> {
    let is_plain = |byte: u8| byte.is_ascii_graphic();
    let uri = match url.bytes().all(is_plain) {
        true => Uri::try_from(url),
        false => {
            let mut written = String::with_capacity(url.len() + 16);
            for byte in url.trim().bytes() {
                match is_plain(byte) {
                    true => written.push(char::from(byte)),
                    false => written.push_str(&format!("%{byte:02X}")),
                }
            }
            Uri::try_from(written)
        }
    };
    let uri = uri.map_err(|e| e.to_string())?;
    let is_known = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme());
    match uri.authority() {
        Some(authority) if is_known && !authority.as_str().contains('@') => Ok(uri),
        Some(_) if is_known => Err("a name and a password belong into a header".to_owned()),
        _ => Err("an address begins with http:// or https://".to_owned()),
    }
}

/// The host as servers expect it: without the port that everybody knows.
fn host_header(uri: &Uri) -> Result<HeaderValue, hyper::header::InvalidHeaderValue> {
    let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    match uri.port_u16() {
        Some(port) if port == usual => HeaderValue::from_str(uri.host().unwrap_or_default()),
        _ => HeaderValue::from_str(uri.authority().map_or("", |authority| authority.as_str())),
    }
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let packing = headers.get(CONTENT_ENCODING);
    packing.is_some_and(|packing| packing.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Headers as texts; those that speak of a packing that is undone are left out.
fn texts(headers: &HeaderMap, is_unpacked: bool) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let is_told =
        |name: &HeaderName| !is_unpacked || (*name != CONTENT_ENCODING && *name != CONTENT_LENGTH);
    let told = headers.iter().filter(|(name, _)| is_told(name));
    told.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// `http://host:port` of an address.
fn host_of(url: &str) -> &str {
    let Some(scheme) = url.find("://") else { return "" };
    let begin = scheme + 3;
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |end| begin + end);
    &url[..end]
}

fn no_place(request: &Request) -> Error {
    let message = format!("{request}: no connection was free in time");
    Error::new(ErrorKind::Timeout, message).during(Phase::Turn)
}

fn late(request: &impl Display, what: &str, phase: Phase) -> Error {
    Error::new(ErrorKind::Timeout, format!("{request}: {what}")).after_sending().during(phase)
}

/// A connection that ended before the answer did.
fn broke(request: &impl Display, error: hyper::Error, maybe_sent: bool) -> Error {
    let (kind, what) = match error.is_parse() && !error.is_incomplete_message() {
        true => (ErrorKind::Protocol, "unreadable answer"),
        false => (ErrorKind::Unavailable, "connection broke"),
    };
    let broken = Error::new(kind, format!("{request}: {what}")).because(error);
    if maybe_sent { broken.after_sending() } else { broken }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_browsers_read_them() {
        let read = |url: &str| address(url).map(|uri| uri.to_string());
        assert_eq!(read("http://h:8?q=1").unwrap(), "http://h:8/?q=1");
        assert_eq!(read("https://h/a b/삼성").unwrap(), "https://h/a%20b/%EC%82%BC%EC%84%B1");
        assert!(read("ftp://h/").unwrap_err().contains("http://"));
        assert!(read("h/path").is_err() && read("no address").is_err());
        assert!(read("https://me:secret@h/").unwrap_err().contains("header"));
        let header = |url: &str| host_header(&address(url).unwrap()).unwrap();
        assert_eq!(header("https://h:443/x"), "h");
        assert_eq!(header("http://[::1]:443/x"), "[::1]:443");
        assert_eq!(host_of("http://h:1?x=http://y/"), "http://h:1");
        assert_eq!(host_of("nowhere"), "");
    }
}
