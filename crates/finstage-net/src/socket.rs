use std::fmt;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError, TlsError, UrlError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::{Error, ErrorKind, install_crypto};

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

/// Limits of a [`Socket`].
#[derive(Debug, Clone)]
pub struct SocketOptions {
    /// The longest time to an open connection, TLS and upgrade included.
    pub connect_timeout: Duration,
    /// The largest frame, and the largest message of several frames.
    pub max_frame_bytes: usize,
}

impl Default for SocketOptions {
    /// 10 s, 4 MiB.
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), max_frame_bytes: 4 << 20 }
    }
}

/// A WebSocket connection. Pings are answered by it as long as [`Socket::next`] is called.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    host: String,
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
        let config = WebSocketConfig::default()
            .max_message_size(Some(options.max_frame_bytes))
            .max_frame_size(Some(options.max_frame_bytes));
        // Small frames, and each may be an alert: they are not held back to fill packets.
        let connecting = connect_async_with_config(url, Some(config), true);
        match timeout(options.connect_timeout, connecting).await {
            Ok(Ok((stream, _))) => Ok(Self { stream, host }),
            Ok(Err(error)) => Err(explain(&host, "connecting to", error)),
            Err(_) => {
                Err(Error::new(ErrorKind::Timeout, format!("connecting to {host}: timed out")))
            }
        }
    }

    /// The next frame; waits as long as it takes. May be dropped while waiting without a loss.
    ///
    /// # Errors
    /// When the connection is closed or broken, or a frame is too large or malformed. The socket
    /// is of no use afterwards.
    pub async fn next(&mut self) -> Result<Frame, Error> {
        loop {
            let message = match self.stream.next().await {
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
        let message = match frame {
            Frame::Text(text) => Message::Text(text.into()),
            Frame::Binary(bytes) => Message::Binary(bytes.into()),
            Frame::Ping(bytes) => Message::Ping(bytes.into()),
            Frame::Pong(bytes) => Message::Pong(bytes.into()),
            Frame::Close => Message::Close(None),
        };
        match timeout(SEND_TIMEOUT, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(explain(&self.host, "sending to", error).after_sending()),
            Err(_) => {
                let message = format!("sending to {}: timed out", self.host);
                Err(Error::new(ErrorKind::Timeout, message).after_sending())
            }
        }
    }

    /// Says goodbye and ends the connection within [`CLOSE_TIMEOUT`].
    pub async fn close(mut self) {
        // A goodbye that does not arrive ends the connection as well.
        let _ = timeout(CLOSE_TIMEOUT, self.stream.close(None)).await;
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({})", self.host)
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

    #[test]
    fn only_the_host_of_an_address_is_printed() {
        assert_eq!(host_of("wss://a.b:9443/stream?key=x"), "a.b:9443");
        assert_eq!(host_of("ws://user:word@h?x"), "h");
        assert_eq!(host_of("nonsense"), "nonsense");
    }
}
