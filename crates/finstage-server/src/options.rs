//! What the server is told, with every bound by name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::{Error, ErrorKind};

/// Where and how the server listens.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The address.
    pub listen: SocketAddr,
    /// Certificate and key in PEM files; both, and the server speaks TLS only.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Names under which it is reached besides those of this machine, each with or without a port.
    pub allowed_hosts: Vec<String>,
    /// What is allowed of everything.
    pub limits: Limits,
}

/// Bounds of everything that comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's head: its line and headers.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Time for a head, and for the handshake of TLS.
    pub head_time: Duration,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Time for a body.
    pub body_time: Duration,
    /// Open connections.
    pub connections: usize,
    /// Requests that are worked on at once; more are told to come again.
    pub requests: usize,
    /// Questions to the store at once.
    pub questions: usize,
    /// Bytes of a WebSocket message from a client.
    pub message_bytes: usize,
    /// Messages of a WebSocket client within a minute.
    pub messages_per_minute: u32,
    /// WebSocket clients.
    pub clients: usize,
    /// Messages, prices aside, that may wait for a WebSocket client.
    pub waiting_messages: usize,
    /// How long a WebSocket client may take nothing of what waits for it.
    pub stall_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 << 10,
            headers: 64,
            head_time: Duration::from_secs(10),
            body_bytes: 1 << 20,
            body_time: Duration::from_secs(10),
            connections: 4_096,
            requests: 256,
            questions: 4,
            message_bytes: 64 << 10,
            messages_per_minute: 600,
            clients: 2_500,
            waiting_messages: 1_024,
            stall_time: Duration::from_secs(20),
        }
    }
}

impl ServerOptions {
    /// Listening on `listen`, in plain HTTP, with the usual limits.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, tls: None, allowed_hosts: Vec::new(), limits: Limits::default() }
    }

    /// The address where nothing is said.
    #[must_use]
    pub const fn usual_address() -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8_080)
    }

    /// Refuses what would let strangers in.
    ///
    /// # Errors
    /// When the address is reachable from other machines and there is no TLS.
    pub fn check(&self) -> Result<(), Error> {
        if !self.listen.ip().is_loopback() && self.tls.is_none() {
            return Err(Error::new(
                ErrorKind::Settings,
                format!(
                    "{} is reachable from other machines, and without TLS everybody on the way can read \
                     the token: set server.tls_cert and server.tls_key, or listen on 127.0.0.1 behind a proxy",
                    self.listen
                ),
            ));
        }
        if let Some(host) = self.allowed_hosts.iter().find(|host| !is_host(host)) {
            return Err(Error::new(
                ErrorKind::Settings,
                format!(
                    "\"{host}\" is not a host name: write finstage.example.com, or with a port"
                ),
            ));
        }
        Ok(())
    }
}

fn is_host(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-:[]_".contains(c);
    !text.is_empty() && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_other_machines_is_refused_without_tls() {
        for text in ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:8080"] {
            let mut options = ServerOptions::new(text.parse().unwrap());
            let refused = options.check().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Settings);
            assert!(refused.to_string().contains("server.tls_cert"), "{refused}");
            options.tls = Some(("cert.pem".into(), "key.pem".into()));
            assert!(options.check().is_ok());
        }
        for text in ["127.0.0.1:0", "127.9.9.9:1", "[::1]:8080"] {
            assert!(ServerOptions::new(text.parse().unwrap()).check().is_ok());
        }
        let mut options = ServerOptions::new(ServerOptions::usual_address());
        options.allowed_hosts = vec!["*".to_owned()];
        assert!(options.check().is_err());
    }
}
