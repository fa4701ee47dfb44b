//! What is looked at before anything is done: the host a request is for, the page it comes from, and
//! who sent it. In that order: a page that was led here by a false name (DNS rebinding) learns nothing,
//! not even whether it needs a token.

use std::net::{IpAddr, SocketAddr};

use finstage_model::Timestamp;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{Method, StatusCode};

use crate::auth::{self, Keys, Proof};
use crate::problem::Problem;

/// Says what kind of page a browser's request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// No page of another origin can send it, so a writing request with it was made by our own page.
const OURS: HeaderName = HeaderName::from_static("x-finstage");
/// The most hosts that are known.
const MAX_HOSTS: usize = 64;

/// The names that requests may be for.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// With the port.
    exact: Vec<String>,
    /// With any port.
    any_port: Vec<String>,
}

/// What the guard knows of a request's purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The page, which anybody may open, also from a link elsewhere.
    Page,
    /// Data.
    Data,
    /// A stream, whose handshake no browser protects.
    Stream,
}

impl Hosts {
    pub(crate) fn new(bound: SocketAddr, allowed: &[String], is_tls: bool) -> Self {
        let mut exact = Vec::new();
        let port = bound.port();
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            exact.push(format!("{name}:{port}"));
            if port == if is_tls { 443 } else { 80 } {
                exact.push(name.to_owned());
            }
        }
        if !bound.ip().is_unspecified() {
            exact.push(bound.to_string());
        }
        let mut any_port = Vec::new();
        for host in allowed.iter().take(MAX_HOSTS) {
            let host = host.to_ascii_lowercase();
            match port_of(&host) {
                Some(_) => exact.push(host),
                None => any_port.push(host),
            }
        }
        Self { exact, any_port }
    }

    fn know(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name =
            port_of(&host).map_or(host.as_str(), |port| &host[..host.len() - port.len() - 1]);
        self.exact.contains(&host) || self.any_port.iter().any(|known| known == name)
    }
}

/// The port of `name:port`; none of `[::1]`.
pub(crate) fn port_of(host: &str) -> Option<&str> {
    let (name, port) = host.rsplit_once(':')?;
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty();
    let is_name = !name.contains(':') || name.ends_with(']');
    (is_port && is_name).then_some(port)
}

/// Whether a host is a name of the machine itself, with a port or without.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let name = port_of(host).map_or(host, |port| &host[..host.len() - port.len() - 1]);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Refuses a request that is for another host or comes from another page.
pub(crate) fn check_place(
    hosts: &Hosts,
    headers: &HeaderMap,
    method: &Method,
    purpose: Purpose,
) -> Result<(), Problem> {
    let mut all = headers.get_all(HOST).iter();
    let (Some(host), None) = (all.next().and_then(|value| value.to_str().ok()), all.next()) else {
        return Err(Problem::bad("a request names one host: send one Host header"));
    };
    if !hosts.know(host) {
        let detail = "this server is not known under the host that was asked for: use its own \
            address, or name the host in server.allowed_hosts";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let is_foreign = match headers.get(ORIGIN) {
        None => headers.get(FETCH_SITE).is_some_and(|site| {
            purpose != Purpose::Page && !matches!(site.as_bytes(), b"same-origin" | b"none")
        }),
        Some(origin) => {
            let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
            let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            place != Some(host.to_ascii_lowercase().as_str())
        }
    };
    let is_reading_the_page = purpose == Purpose::Page && *method == Method::GET;
    if is_foreign && !is_reading_the_page {
        let detail = "the request comes from a page of another origin, which may not ask here";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

/// Who sent a request; `None` when it proves nothing.
pub(crate) fn proof(keys: &Keys, headers: &HeaderMap, now: Timestamp) -> Option<Proof> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        // Whoever sends a wrong token does not come in by a cookie.
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        return keys.knows_token(token.trim()).then_some(Proof::Token);
    }
    session(headers).is_some_and(|given| keys.knows_session(given, now)).then_some(Proof::Cookie)
}

/// The value of the session's cookie, as it was sent.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|list| list.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == auth::COOKIE).then_some(value)
    })
}

/// Refuses a writing request that a browser may have been tricked into.
pub(crate) fn check_writing(proof: Proof, headers: &HeaderMap) -> Result<(), Problem> {
    if proof == Proof::Cookie && (headers.get(OURS).is_none() || headers.get(ORIGIN).is_none()) {
        let detail = "a browser's writing request needs the header X-Finstage: 1 and its Origin";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

/// Headers of every answer: no sniffing, no framing, nothing from elsewhere, nothing told elsewhere.
pub(crate) const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let allowed = ["finstage.example.com".to_owned(), "nas.local:9443".to_owned()];
        Hosts::new("127.0.0.1:8080".parse().unwrap(), &allowed, false)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_known_hosts_are_served() {
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "LOCALHOST:8080",
            "[::1]:8080",
            "finstage.example.com",
            "finstage.example.com:443",
            "nas.local:9443",
        ] {
            assert!(hosts().know(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost",
            "localhost:8081",
            "nas.local",
            "127.0.0.1:8080.evil.example",
            "evil.example:8080",
            "finstage.example.com.evil.example",
            "[::1]",
            "",
        ] {
            assert!(!hosts().know(host), "{host}");
        }
        assert!(Hosts::new("127.0.0.1:80".parse().unwrap(), &[], false).know("localhost"));
    }

    #[test]
    fn only_its_own_names_are_this_machine() {
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:80", "[::1]"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "nas.local", "192.168.1.5:8080", "localhost.evil.example", "127.0.0.1.x"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_gets_no_data_and_no_stream() {
        let host = ("host", "127.0.0.1:8080");
        let ask = |pairs: &[(&'static str, &str)], method: Method, purpose| {
            check_place(&hosts(), &headers(pairs), &method, purpose).is_ok()
        };
        let own = ("origin", "http://127.0.0.1:8080");
        for purpose in [Purpose::Page, Purpose::Data, Purpose::Stream] {
            assert!(ask(&[host, own], Method::GET, purpose));
            assert!(ask(&[host], Method::GET, purpose));
        }
        for foreign in
            ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8080"]
        {
            for purpose in [Purpose::Data, Purpose::Stream] {
                assert!(!ask(&[host, ("origin", foreign)], Method::GET, purpose), "{foreign}");
            }
            assert!(!ask(&[host, ("origin", foreign)], Method::POST, Purpose::Data));
        }
        assert!(!ask(&[host, ("sec-fetch-site", "cross-site")], Method::GET, Purpose::Data));
        assert!(!ask(&[host, ("sec-fetch-site", "same-site")], Method::GET, Purpose::Data));
        assert!(ask(&[host, ("sec-fetch-site", "same-origin")], Method::GET, Purpose::Data));
        assert!(ask(&[host, ("sec-fetch-site", "cross-site")], Method::GET, Purpose::Page));
        assert!(!ask(&[("host", "evil.example")], Method::GET, Purpose::Page));
        assert!(!ask(&[], Method::GET, Purpose::Page));
    }
}
