//! A TCP connection with or without TLS that never waits.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// A connection.
#[derive(Debug)]
pub(super) struct Transport {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

/// What TLS needs.
#[derive(Debug, Clone)]
pub(crate) struct TlsPlace {
    /// See [`configuration`](crate::stress::tls::configuration).
    pub(crate) config: Arc<ClientConfig>,
    /// What the certificate must bear.
    pub(crate) name: ServerName<'static>,
}

impl Transport {
    /// Begins to connect; an event of `token` tells when that is done.
    pub(super) fn open(
        registry: &Registry,
        token: Token,
        address: SocketAddr,
        tls: Option<&TlsPlace>,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        let tls = match tls {
            Some(place) => {
                let session = ClientConnection::new(Arc::clone(&place.config), place.name.clone());
                Some(Box::new(session.map_err(io::Error::other)?))
            }
            None => None,
        };
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, tls })
    }

    /// Whether TCP is connected by now.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.stream.set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether TLS is spoken.
    pub(super) const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Goes on with the handshake; whether it is over.
    pub(super) fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        loop {
            while tls.wants_write() {
                match tls.write_tls(&mut self.stream) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if !tls.is_handshaking() {
                return Ok(true);
            }
            match tls.read_tls(&mut self.stream) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// The protocol that both agreed on by ALPN.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        self.tls.as_ref().and_then(|tls| tls.alpn_protocol())
    }

    /// Sends what the connection takes of `bytes`; with TLS all of it is taken, and
    /// [`flush`](Self::flush) sends it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.write(bytes),
            Some(tls) => {
                let taken = tls.writer().write(bytes)?;
                self.flush()?;
                Ok(taken)
            }
        }
    }

    /// Sends what is still held; it is no error where the connection takes nothing now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether bytes are held that the connection did not take.
    pub(super) fn holds(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// What came: 0 at the end, `WouldBlock` where nothing did.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.tls.is_none() {
            return self.stream.read(buffer);
        }
        while let Some(tls) = &mut self.tls {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            if tls.read_tls(&mut self.stream)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            self.flush()?;
        }
        Ok(0)
    }

    /// Leaves the poll.
    pub(super) fn close(mut self, registry: &Registry) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // Who closes does not wait for its word to be taken.
            let _ = tls.write_tls(&mut self.stream);
        }
        let _ = registry.deregister(&mut self.stream);
    }
}
