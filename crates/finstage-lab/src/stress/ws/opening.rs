//! A connection is opened: TCP, TLS where the target has it, the upgrade. Each part is timed.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_net::http_date;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The largest answer to an upgrade.
const MAX_HEAD_BYTES: usize = 16 * 1_024;
/// Headers that an answer to an upgrade may have.
const MAX_HEADERS: usize = 64;

/// Where connections go.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    /// `Host` as it is written.
    pub(super) authority: String,
    /// Whom the certificate must name, where TLS is spoken.
    pub(super) tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
}

/// A connection below its frames.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// An upgraded connection.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) took: Took,
    /// What came behind the answer to the upgrade.
    pub(super) rest: Vec<u8>,
    /// The second of the server's clock, and when the question left and the answer came.
    pub(super) date: Option<(Timestamp, Instant, Instant)>,
}

/// How long the parts took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    pub(super) connect: Duration,
    pub(super) tls: Option<Duration>,
    pub(super) upgrade: Duration,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NotOpened {
    Connect,
    /// No more sockets: descriptors or ports are used up.
    Exhausted,
    Tls,
    Timeout,
    Status(u16, Option<f64>),
    Protocol,
}

impl NotOpened {
    /// The name it is counted under.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Connect => "ConnectionError".into(),
            Self::Exhausted => "NoSocketsLeft".into(),
            Self::Tls => "TlsError".into(),
            Self::Timeout => "TimeoutError".into(),
            Self::Protocol => "ProtocolError".into(),
            Self::Status(429, _) => "429_RateLimit".into(),
            Self::Status(418, _) => "418_IpBan".into(),
            Self::Status(401, _) => "401_Unauthorized".into(),
            Self::Status(502, _) => "502_BadGateway".into(),
            Self::Status(status, _) => format!("HTTP_{status}"),
        }
    }
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        // EMFILE, ENFILE and EADDRNOTAVAIL have no kinds of their own that are stable everywhere.
        match error.raw_os_error() {
            Some(23 | 24 | 99) => Self::Exhausted,
            _ => Self::Connect,
        }
    }
}

/// Opens within `limit`.
pub(super) async fn open(
    place: &Place,
    (path, nonce): (&str, [u8; 16]),
    limit: Duration,
) -> Result<Opened, NotOpened> {
    match tokio::time::timeout(limit, opened(place, path, nonce)).await {
        Ok(opened) => opened,
        Err(_) => Err(NotOpened::Timeout),
    }
}

async fn opened(place: &Place, path: &str, nonce: [u8; 16]) -> Result<Opened, NotOpened> {
    let start = Instant::now();
    let socket = TcpStream::connect(place.address).await?;
    // A goodbye must not wait for the acknowledgement of a pong.
    socket.set_nodelay(true)?;
    let connected = Instant::now();
    let (mut stream, ready) = match &place.tls {
        None => (Stream::Plain(socket), connected),
        Some((name, config)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let tls = connector.connect(name.clone(), socket).await.map_err(|_| NotOpened::Tls)?;
            (Stream::Tls(Box::new(tls)), Instant::now())
        }
    };
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, nonce);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nUser-Agent: finstage-stress\r\n\r\n",
        place.authority
    );
    stream.write_all(request.as_bytes()).await.map_err(|_| NotOpened::Connect)?;
    stream.flush().await.map_err(|_| NotOpened::Connect)?;
    let (date, rest) = answer(&mut stream, &key).await?;
    let end = Instant::now();
    let took = Took {
        connect: connected - start,
        tls: place.tls.as_ref().map(|_| ready - connected),
        upgrade: end - ready,
    };
    Ok(Opened { stream, took, rest, date: date.map(|date| (date, ready, end)) })
}

/// Reads the answer to an upgrade: the server's second, and what came behind it.
async fn answer(stream: &mut Stream, key: &str) -> Result<(Option<Timestamp>, Vec<u8>), NotOpened> {
    let mut head = Vec::with_capacity(512);
    loop {
        if stream.read_buf(&mut head).await.map_err(|_| NotOpened::Connect)? == 0 {
            return Err(NotOpened::Connect);
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&head).map_err(|_| NotOpened::Protocol)?;
        let httparse::Status::Complete(length) = parsed else {
            if head.len() >= MAX_HEAD_BYTES {
                return Err(NotOpened::Protocol);
            }
            continue;
        };
        let header = |name: &str| {
            let own = response.headers.iter().find(|own| own.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(own.value).ok().map(str::trim)
        };
        match response.code {
            Some(101) => {}
            Some(status) => {
                let wait = header("retry-after").and_then(|wait| wait.parse().ok());
                return Err(NotOpened::Status(status, wait));
            }
            None => return Err(NotOpened::Protocol),
        }
        if header("sec-websocket-accept") != Some(derive_accept_key(key.as_bytes()).as_str()) {
            return Err(NotOpened::Protocol);
        }
        return Ok((header("date").and_then(http_date), head[length..].to_vec()));
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, into),
            Self::Tls(socket) => Pin::new(socket).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(socket) => Pin::new(socket).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}
