mod memory;
mod through;

use std::fmt;
use std::time::Duration;

use finstage_seal::Secret;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError, TlsError, UrlError};
use tokio_tungstenite::tungstenite::handshake::client::Request as Upgrade;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::{Error, ErrorKind, install_crypto};

pub use memory::Peer;
pub use through::FrameReader;

/// The longest time that handing one frame to the system may take.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time that saying goodbye may take.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What travels over a [`Socket`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// Asks for a pong with the same bytes. A received one has been answered already.
    Ping(Vec<u8>),
    /// Answers a ping.
    Pong(Vec<u8>),
    /// The other side says goodbye.
    Close,
}

/// How a [`Socket`] is opened, and its limits.
#[derive(Debug, Clone)]
pub struct SocketOptions {
    /// The longest time to an open connection, TLS and upgrade included.
    pub connect_timeout: Duration,
    /// The largest frame, and the largest message of several frames.
    pub max_frame_bytes: usize,
    /// Headers of the request that opens it, besides its own. Their values may be keys, and are never
    /// printed.
    pub headers: Vec<(String, Secret<String>)>,
}

impl Default for SocketOptions {
    /// 10 s, 4 MiB, no headers.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            max_frame_bytes: 4 << 20,
            headers: Vec::new(),
        }
    }
}

/// A WebSocket connection. Pings are answered by it as long as [`Socket::next`] is called.
pub struct Socket {
    line: Line,
    host: String,
    readers: through::Readers,
}

/// What carries the frames.
enum Line {
    Network(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Memory(memory::Memory),
}

impl Socket {
    /// Connects to a `ws://` or `wss://` address.
    ///
    /// # Errors
    /// `Refused` when the upgrade is answered with another HTTP status; else see [`ErrorKind`].
    pub async fn connect(url: &str, options: &SocketOptions) -> Result<Self, Error> {
        install_crypto();
        let host = host_of(url).to_owned();
        if !url.starts_with("ws://") && !url.starts_with("wss://") {
            let message = format!("connecting to {host}: the address is not ws:// or wss://");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let upgrade = upgrade(url, options, &host)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(options.max_frame_bytes))
            .max_frame_size(Some(options.max_frame_bytes));
        // Small frames, and each may be an alert: they are not held back to fill packets.
        let connecting = connect_async_with_config(upgrade, Some(config), true);
        match timeout(options.connect_timeout, connecting).await {
            Ok(Ok((stream, _))) => Ok(Self::over(Line::Network(Box::new(stream)), host)),
            Ok(Err(error)) => Err(explain(&host, "connecting to", error)),
            Err(_) => {
                Err(Error::new(ErrorKind::Timeout, format!("connecting to {host}: timed out")))
            }
        }
    }

    /// A connection within this process, and its other side: no address, no network. Each
    /// direction holds at most so many frames; then its writer waits.
    ///
    /// # Panics
    /// When `frames` is 0.
    #[must_use]
    pub fn pair(name: impl Into<String>, frames: usize) -> (Self, Peer) {
        let (memory, peer) = memory::pair(frames);
        (Self::over(Line::Memory(memory), name.into()), peer)
    }

    fn over(line: Line, host: String) -> Self {
        Self { line, host, readers: through::Readers::default() }
    }

    /// The same connection with `reader` in front of what comes in: [`Socket::next`] then gives
    /// what the reader makes of each frame. Another one on top reads what this one gives. What is
    /// sent does not pass it.
    #[must_use]
    pub fn through(mut self, reader: Box<dyn FrameReader>) -> Self {
        self.readers.add(reader);
        self
    }

    /// The next frame; waits as long as it takes. May be dropped while waiting without a loss.
    ///
    /// # Errors
    /// When the connection is closed or broken, or a frame is too large or malformed. The socket
    /// is of no use afterwards.
    pub async fn next(&mut self) -> Result<Frame, Error> {
        loop {
            // What one frame became is handed on before another one is taken from the line.
            if let Some(frame) = self.readers.next() {
                return Ok(frame);
            }
            let frame = self.receive().await?;
            self.readers.read(frame);
        }
    }

    /// The next frame of the line, as it came.
    async fn receive(&mut self) -> Result<Frame, Error> {
        let stream = match &mut self.line {
            Line::Network(stream) => stream,
            Line::Memory(memory) => return memory.next(&self.host).await,
        };
        loop {
            let message = match stream.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(explain(&self.host, "reading from", error)),
                None => return Err(explain(&self.host, "reading from", WsError::ConnectionClosed)),
            };
            return Ok(match message {
                Message::Text(text) => Frame::Text(text.as_str().to_owned()),
                Message::Binary(bytes) => Frame::Binary(bytes.to_vec()),
                Message::Ping(bytes) => Frame::Ping(bytes.to_vec()),
                Message::Pong(bytes) => Frame::Pong(bytes.to_vec()),
                Message::Close(_) => Frame::Close,
                // Never delivered by a reading stream; nothing to tell the caller.
                Message::Frame(_) => continue,
            });
        }
    }

    /// Hands a frame to the system.
    ///
    /// # Errors
    /// When the connection is closed, broken, or takes nothing for [`SEND_TIMEOUT`].
    pub async fn send(&mut self, frame: Frame) -> Result<(), Error> {
        let Self { line, host, .. } = self;
        let sending = async {
            match line {
                Line::Network(stream) => {
                    let sent = stream.send(message(frame)).await;
                    sent.map_err(|error| explain(host, "sending to", error).after_sending())
                }
                Line::Memory(memory) => memory.send(frame, host).await,
            }
        };
        match timeout(SEND_TIMEOUT, sending).await {
            Ok(sent) => sent,
            Err(_) => {
                let message = format!("sending to {}: timed out", self.host);
                Err(Error::new(ErrorKind::Timeout, message).after_sending())
            }
        }
    }

    /// Says goodbye and ends the connection within [`CLOSE_TIMEOUT`].
    pub async fn close(self) {
        match self.line {
            // A goodbye that does not arrive ends the connection as well.
            Line::Network(mut stream) => {
                let _ = timeout(CLOSE_TIMEOUT, stream.as_mut().close(None)).await;
            }
            Line::Memory(memory) => memory.close(),
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({})", self.host)
    }
}

/// The request that opens a connection.
fn upgrade(url: &str, options: &SocketOptions, host: &str) -> Result<Upgrade, Error> {
    let mut upgrade =
        url.into_client_request().map_err(|error| explain(host, "connecting to", error))?;
    for (name, value) in &options.headers {
        let parsed =
            name.parse::<HeaderName>().ok().zip(value.expose().parse::<HeaderValue>().ok());
        let Some((header, mut value)) = parsed else {
            // What its value is stays unsaid.
            let message = format!("connecting to {host}: {name} cannot be a header as it is");
            return Err(Error::new(ErrorKind::Invalid, message));
        };
        value.set_sensitive(true);
        upgrade.headers_mut().append(header, value);
    }
    Ok(upgrade)
}

fn message(frame: Frame) -> Message {
    match frame {
        Frame::Text(text) => Message::Text(text.into()),
        Frame::Binary(bytes) => Message::Binary(bytes.into()),
        Frame::Ping(bytes) => Message::Ping(bytes.into()),
        Frame::Pong(bytes) => Message::Pong(bytes.into()),
        Frame::Close => Message::Close(None),
    }
}

/// Host and port: all of an address that is fit to print, for paths may carry keys.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn explain(host: &str, doing: &str, error: WsError) -> Error {
    let kind = match &error {
        WsError::ConnectionClosed | WsError::AlreadyClosed | WsError::WriteBufferFull(_) => {
            ErrorKind::Unavailable
        }
        WsError::Io(inner) => match inner.get_ref() {
            Some(inside) if inside.is::<rustls::Error>() => ErrorKind::Protocol,
            _ => ErrorKind::Unavailable,
        },
        // A peer that vanishes mid-message is a broken line, not a broken peer.
        WsError::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete,
        ) => ErrorKind::Unavailable,
        WsError::Url(UrlError::UnableToConnect(_)) => ErrorKind::Unavailable,
        WsError::Url(_) | WsError::HttpFormat(_) | WsError::Tls(TlsError::InvalidDnsName) => {
            ErrorKind::Invalid
        }
        WsError::Capacity(CapacityError::MessageTooLong { .. }) => ErrorKind::TooLarge,
        WsError::Http(_) => ErrorKind::Refused,
        _ => ErrorKind::Protocol,
    };
    Error::new(kind, format!("{doing} {host}")).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Frame {
        Frame::Text(text.to_owned())
    }

    #[tokio::test]
    async fn a_pair_passes_frames_in_order_and_answers_pings() {
        let (mut socket, mut peer) = Socket::pair("here", 4);
        socket.send(text("ask")).await.unwrap();
        assert_eq!(peer.next().await, Some(text("ask")));
        assert!(peer.say("one").await && peer.send(Frame::Ping(vec![7])).await);
        assert_eq!(socket.next().await.unwrap(), text("one"));
        assert_eq!(socket.next().await.unwrap(), Frame::Ping(vec![7]));
        assert_eq!(peer.next().await, Some(Frame::Pong(vec![7])));
    }

    #[tokio::test]
    async fn a_pair_ends_with_a_goodbye_or_without_and_what_was_sent_is_read_first() {
        for (code, is_goodbye) in [(1000, true), (1012, true), (1006, false)] {
            let (mut socket, peer) = Socket::pair("here", 4);
            peer.say("last").await;
            peer.close(code).await;
            assert_eq!(socket.next().await.unwrap(), text("last"));
            assert_eq!(socket.next().await.is_ok_and(|f| f == Frame::Close), is_goodbye, "{code}");
            let error = socket.next().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(socket.send(text("x")).await.is_err_and(|error| error.maybe_sent()));
        }
        let (socket, mut peer) = Socket::pair("here", 4);
        socket.close().await;
        assert_eq!(peer.next().await, Some(Frame::Close));
        assert_eq!(peer.next().await, None);
        assert!(!peer.say("x").await);
    }

    #[tokio::test]
    async fn a_slow_reader_is_felt_by_the_writer() {
        let (mut socket, peer) = Socket::pair("here", 2);
        assert!(peer.say("1").await && peer.say("2").await);
        let mut third = std::pin::pin!(peer.say("3"));
        let waited =
            tokio::select! { biased; _ = &mut third => false, () = std::future::ready(()) => true };
        assert!(waited, "the queue holds two");
        socket.next().await.unwrap();
        assert!(third.await);
    }

    #[test]
    fn only_the_host_of_an_address_is_printed() {
        assert_eq!(host_of("wss://a.b:9443/stream?key=x"), "a.b:9443");
        assert_eq!(host_of("ws://user:word@h?x"), "h");
        assert_eq!(host_of("nonsense"), "nonsense");
    }
}
