//! What the server is told, with every bound by name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::{Error, ErrorKind, guard, tls};

/// Where and how the server listens.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The address.
    pub listen: SocketAddr,
    /// Certificate and key in PEM files; both, and the server speaks TLS only.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Names under which it is reached besides those of this machine, each with or without a port.
    pub allowed_hosts: Vec<String>,
    /// The address that people open the page at, without a slash at its end; its host is allowed too.
    pub public_url: Option<String>,
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
    /// Time for a head, and for the handshake of TLS. A connection may be idle for so long, too: no round number
    /// at which somebody polls, or it closes just when the next question comes.
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
            head_time: Duration::from_secs(75),
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
        Self {
            listen,
            tls: None,
            allowed_hosts: Vec::new(),
            public_url: None,
            limits: Limits::default(),
        }
    }

    /// The scheme that it speaks itself.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// How people reach it that is bound to `address`; `None` where it listens everywhere and has no name.
    ///
    /// A name of `allowed_hosts` is its own where it ends TLS itself or listens everywhere; otherwise it is
    /// that of a proxy, whose scheme and port are not known.
    #[must_use]
    pub fn url(&self, address: SocketAddr) -> Option<String> {
        if self.public_url.is_some() {
            return self.public_url.clone();
        }
        let is_anywhere = address.ip().is_unspecified();
        let own = self.allowed_hosts.first().filter(|_| is_anywhere || self.tls.is_some());
        let place = match own {
            Some(host) if guard::port_of(host).is_some() => host.clone(),
            Some(host) => format!("{host}:{}", address.port()),
            None if is_anywhere => return None,
            None => address.to_string(),
        };
        Some(format!("{}://{place}", self.scheme()))
    }

    /// The names under which it is reached besides those of this machine.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let public = self.public_url.iter().filter_map(|url| url.split('/').nth(2));
        self.allowed_hosts.iter().map(String::as_str).chain(public).map(str::to_owned).collect()
    }

    /// The address where nothing is said.
    #[must_use]
    pub const fn usual_address() -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8_080)
    }

    /// Refuses a certificate or a key that a start would refuse: it reads their files.
    ///
    /// # Errors
    /// When one of them is missing, broken, or not the other's.
    pub fn check_files(&self) -> Result<(), Error> {
        let tls = self.tls.as_ref();
        tls.map_or(Ok(()), |(certificate, key)| tls::acceptor(certificate, key).map(drop))
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
    fn people_are_given_the_public_name_where_there_is_one() {
        let of = |listen: &str, tls: bool, hosts: &[&str], public: Option<&str>| {
            let mut options = ServerOptions::new(listen.parse().unwrap());
            options.tls = tls.then(|| ("cert.pem".into(), "key.pem".into()));
            options.allowed_hosts = hosts.iter().map(ToString::to_string).collect();
            options.public_url = public.map(str::to_owned);
            (options.url(options.listen).unwrap_or_default(), options.hosts().join(" "))
        };
        let nas = ["nas.local"];
        assert_eq!(of("127.0.0.1:8080", false, &[], None).0, "http://127.0.0.1:8080");
        assert_eq!(of("127.0.0.1:8080", true, &[], None).0, "https://127.0.0.1:8080");
        assert_eq!(of("192.168.1.5:8443", true, &nas, None).0, "https://nas.local:8443");
        assert_eq!(of("0.0.0.0:8443", true, &["nas.local:9"], None).0, "https://nas.local:9");
        assert_eq!(of("0.0.0.0:8443", true, &["[fd00::1]"], None).0, "https://[fd00::1]:8443");
        assert_eq!(of("0.0.0.0:8443", true, &[], None).0, "");
        // The name of a proxy.
        assert_eq!(of("127.0.0.1:8080", false, &nas, None).0, "http://127.0.0.1:8080");
        let public = of("127.0.0.1:8080", false, &nas, Some("https://f.example.com/finstage"));
        assert_eq!(public.0, "https://f.example.com/finstage");
        assert_eq!(public.1, "nas.local f.example.com");
    }

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
