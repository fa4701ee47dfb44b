//! Whom a test asks, and whether it may: this machine always, others when they are named, and then
//! below ceilings that no flag lifts.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use url::{Host, Url};

use crate::{Error, ErrorKind};

/// Requests a second that another machine gets at most.
pub const MAX_RATE: f64 = 1_000.0;
/// Connections to another machine at most.
pub const MAX_CONNECTIONS: u32 = 500;
/// How long another machine is tested at most.
pub const MAX_DURATION: Duration = Duration::from_secs(600);
/// Requests in one burst that another machine gets at most.
pub const MAX_BURST: u32 = 500;
/// What Binance allows in weight a minute and address (documented, 2026).
pub const BINANCE_WEIGHT_PER_MINUTE: f64 = 6_000.0;
/// What a request to Binance is taken to weigh where we do not know: the dearest of market data that
/// is often asked.
pub const BINANCE_UNKNOWN_WEIGHT: f64 = 25.0;
/// Names of hosts that are this machine, whatever its name server says.
const THIS_MACHINE: [&str; 1] = ["localhost"];
/// Names of parameters that would carry a key.
const KEYS: [&str; 8] =
    ["signature", "apikey", "api_key", "api-key", "secret", "token", "access_token", "passphrase"];
/// Beginnings and parts of names in a path behind which money moves.
const TRADING: [&str; 8] =
    ["order", "withdraw", "transfer", "trading", "margin", "deposit", "convert", "subaccount"];
/// Names that contain one of [`TRADING`] and are market data.
const MARKET_DATA: [&str; 4] = ["orderbook", "order-book", "order_book", "orderbooks"];

/// A URL that can be tested: where, how, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port; of the scheme where none was written.
    pub port: u16,
    /// Path and query, `/` at least.
    pub path: String,
}

/// How a [`Target`] is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
    /// WebSocket in the clear.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Scheme {
    /// Whether TLS is spoken.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }

    /// Whether it is a WebSocket.
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

impl Target {
    /// The target of a URL of `http`, `https`, `ws` or `wss`; without a scheme it is `http`.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] where it is none, or carries a user, a password or a key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&full).map_err(|e| refused(format!("target \"{text}\": {e}")))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "ws" => Scheme::Ws,
            "wss" => Scheme::Wss,
            other => {
                let words = format!("target \"{text}\": {other} is not http, https, ws or wss");
                return Err(refused(words));
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(
                "the target carries a user or a password: leave it out, it would be written into results".into(),
            ));
        }
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| is_key(name)) {
            return Err(refused(format!(
                "the target carries a key, the parameter {name}: leave it out, it would be written into results"
            )));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_ascii_lowercase(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(refused(format!("target \"{text}\" names no host"))),
        };
        let port = url.port_or_known_default().unwrap_or(80);
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self { scheme, host, port, path })
    }

    /// Host and port as the header `Host` has them.
    #[must_use]
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.port, self.scheme.is_tls()) {
            (80, false) | (443, true) => host,
            (port, _) => format!("{host}:{port}"),
        }
    }

    /// The URL again.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.name(), self.authority(), self.path)
    }

    /// The same place with another path.
    #[must_use]
    pub fn with_path(&self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// Whether the host is an address already, so that no name has to be looked up.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    /// The addresses behind the name. It waits for the name server.
    ///
    /// # Errors
    /// [`ErrorKind::Remote`] where there is none.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let unknown = |why: String| {
            let words =
                format!("looking up {}: {why}; is the name right, and the network up?", self.host);
            Error::new(ErrorKind::Remote, words)
        };
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found: Vec<_> = found.map_err(|e| unknown(e.to_string()))?.collect();
        if found.is_empty() { Err(unknown("no address".into())) } else { Ok(found) }
    }

    /// How far this target may be tested, whose name stands for `addresses` and when the user named
    /// `allowed` by `--i-may-test`.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] for another machine that was not named, or a path behind which money moves.
    pub fn permit(&self, addresses: &[SocketAddr], allowed: &[String]) -> Result<Ceilings, Error> {
        let local = !addresses.is_empty() && addresses.iter().all(|a| a.ip().is_loopback());
        let named_local = self.is_address() || THIS_MACHINE.contains(&self.host.as_str());
        if local && (named_local || allowed.is_empty()) {
            return Ok(Ceilings::NONE);
        }
        let named =
            |name: &String| name.trim().trim_matches(['[', ']']).eq_ignore_ascii_case(&self.host);
        if !allowed.iter().any(named) {
            return Err(refused(format!(
                "{} is not this machine: if its owner lets you test it, say so with --i-may-test {}",
                self.host, self.host
            )));
        }
        if let Some(part) = trading_part(&self.path) {
            return Err(refused(format!(
                "{}{}: \"{part}\" may move money, and no test asks that of another machine",
                self.host, self.path
            )));
        }
        Ok(Ceilings::of_others(self.weight_per_minute()))
    }

    /// Whether the host is one of Binance's.
    #[must_use]
    pub fn is_binance(&self) -> bool {
        ["binance.com", "binance.us", "binance.vision"]
            .iter()
            .any(|domain| self.host == *domain || self.host.ends_with(&format!(".{domain}")))
    }

    fn weight_per_minute(&self) -> Option<f64> {
        self.is_binance().then_some(BINANCE_WEIGHT_PER_MINUTE)
    }
}

/// How far a target may be tested. What is above is refused, never lowered in silence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceilings {
    /// Requests a second; a test without a rate is refused where there is one.
    pub rate: Option<f64>,
    /// Weight a minute, of venues that count so.
    pub weight_per_minute: Option<f64>,
    /// Connections.
    pub connections: Option<u32>,
    /// Length of the test.
    pub duration: Option<Duration>,
    /// Requests in one burst.
    pub burst: Option<u32>,
    /// Whether the first 418 or 403 ends the test, and `Retry-After` is kept.
    pub heed_refusals: bool,
}

impl Ceilings {
    /// This machine: none.
    pub const NONE: Self = Self {
        rate: None,
        weight_per_minute: None,
        connections: None,
        duration: None,
        burst: None,
        heed_refusals: false,
    };

    /// Another machine: see the constants of this module.
    #[must_use]
    pub const fn of_others(weight_per_minute: Option<f64>) -> Self {
        Self {
            rate: Some(MAX_RATE),
            weight_per_minute,
            connections: Some(MAX_CONNECTIONS),
            duration: Some(MAX_DURATION),
            burst: Some(MAX_BURST),
            heed_refusals: true,
        }
    }

    /// Holds `value` of the flag `name` against its ceiling.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] where it is above.
    pub fn hold(name: &str, value: f64, ceiling: Option<f64>) -> Result<(), Error> {
        match ceiling {
            Some(most) if value > most => Err(refused(format!(
                "{name} {value}: a machine that is not this one gets at most {most}; lower it"
            ))),
            _ => Ok(()),
        }
    }
}

/// The word in a path behind which money may move.
#[must_use]
pub fn trading_part(path: &str) -> Option<&str> {
    let path = path.split('?').next().unwrap_or(path);
    path.split('/').find(|part| {
        let lower = part.to_ascii_lowercase();
        let data = MARKET_DATA.iter().any(|data| lower.contains(data));
        !data && TRADING.iter().any(|word| lower.contains(word))
    })
}

fn is_key(name: &str) -> bool {
    KEYS.contains(&name.to_ascii_lowercase().as_str())
}

fn refused(words: String) -> Error {
    Error::new(ErrorKind::Target, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    fn permitted(text: &str, addresses: &[&str], allowed: &[&str]) -> Result<Ceilings, Error> {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        let allowed: Vec<String> = allowed.iter().map(|a| (*a).to_owned()).collect();
        of(text).permit(&addresses, &allowed)
    }

    #[test]
    fn a_url_is_taken_apart_and_put_together() {
        let target = of("https://API.binance.com/api/v3/depth?symbol=BTCUSDT");
        assert_eq!((target.scheme, target.port), (Scheme::Https, 443));
        assert_eq!(target.path, "/api/v3/depth?symbol=BTCUSDT");
        assert_eq!(target.url(), "https://api.binance.com/api/v3/depth?symbol=BTCUSDT");
        assert_eq!(of("[::1]:8080").url(), "http://[::1]:8080/");
        assert_eq!(of("localhost:9000/x").authority(), "localhost:9000");
        assert_eq!(of("wss://stream.binance.com:9443/ws").authority(), "stream.binance.com:9443");
        assert_eq!(of("127.0.0.1:80").resolve().unwrap(), ["127.0.0.1:80".parse().unwrap()]);
    }

    #[test]
    fn what_is_no_target_or_carries_a_key_is_refused() {
        for text in
            ["ftp://x/", "http://", "http://me:pw@host/", "http://h/?signature=1", "h/?apiKey=2"]
        {
            let error = Target::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Target, "{text}");
            assert!(!error.to_string().contains("pw"), "{error}");
        }
    }

    #[test]
    fn this_machine_passes_and_another_must_be_named() {
        assert_eq!(
            permitted("localhost:1", &["127.0.0.1:1", "[::1]:1"], &[]).unwrap(),
            Ceilings::NONE
        );
        let error = permitted("http://example.com", &["93.184.216.34:80"], &[]).unwrap_err();
        assert!(error.to_string().ends_with("--i-may-test example.com"), "{error}");
        // A name that leads to both is another machine, and a part of a name is not the name.
        assert!(permitted("http://example.com", &["127.0.0.1:80", "1.2.3.4:80"], &[]).is_err());
        assert!(permitted("http://api.example.com", &["1.2.3.4:80"], &["example.com"]).is_err());
        let named = permitted("http://example.com", &["1.2.3.4:80"], &["Example.COM"]).unwrap();
        assert!(named.heed_refusals && named.rate == Some(MAX_RATE));
        assert_eq!(named.weight_per_minute, None);
        let binance = permitted("https://api.binance.com", &["1.2.3.4:443"], &["api.binance.com"]);
        assert_eq!(binance.unwrap().weight_per_minute, Some(BINANCE_WEIGHT_PER_MINUTE));
        assert!(
            permitted("https://notbinance.com", &["1.2.3.4:443"], &["notbinance.com"])
                .unwrap()
                .weight_per_minute
                .is_none()
        );
    }

    #[test]
    fn nothing_that_may_move_money_is_asked_of_another_machine() {
        for path in
            ["/api/v3/order", "/0/private/AddOrder", "/orders", "/sapi/v1/capital/withdraw/apply"]
        {
            let url = format!("http://example.com{path}");
            assert!(permitted(&url, &["1.2.3.4:80"], &["example.com"]).is_err(), "{path}");
            assert!(permitted(&format!("127.0.0.1{path}"), &["127.0.0.1:80"], &[]).is_ok());
        }
        assert_eq!(trading_part("/api/v3/depth?x=order"), None);
        assert_eq!(trading_part("/v5/market/orderbook"), None);
    }
}
