use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use finstage_seal::Secret;

use crate::encoding::{form, percent_encode};
use crate::{Class, Cost};

/// An HTTP request as a value: what will be sent, comparable and printable before it is.
///
/// Texts given to [`Request::hide`] are replaced by `[redacted]` in everything printed, errors of
/// the client included; bodies and authorization headers are never printed.
#[derive(Clone)]
#[must_use]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    hidden: Vec<Secret<String>>,
    costs: Vec<Cost>,
    class: Class,
    may_repeat: bool,
    endpoint: &'static str,
    within: Option<Duration>,
}

/// The verbs in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Asks; may be repeated.
    Get,
    /// Does something; repeating it may do it twice.
    Post,
    /// Takes something away; may be repeated.
    Delete,
}

impl Method {
    /// As written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Request {
    /// A GET of `url`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url.into())
    }

    /// A POST to `url`, without a body yet.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::Post, url.into())
    }

    /// A DELETE of `url`.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::Delete, url.into())
    }

    const fn new(method: Method, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Bytes::new(),
            hidden: Vec::new(),
            costs: Vec::new(),
            class: Class::Normal,
            may_repeat: matches!(method, Method::Get | Method::Delete),
            endpoint: "",
            within: None,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a query parameter, encoding both sides.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        self.url.push_str(&form(&[(name, &value.to_string())]));
        self
    }

    /// Sets a body that is JSON text already.
    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Sets a body of form fields, encoding them.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded").body(form(fields))
    }

    /// Sets a body of bytes.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into().into();
        self
    }

    /// Hides a text wherever the request is printed, in its percent-encoded form as well.
    pub fn hide(mut self, secret: &Secret<String>) -> Self {
        self.hidden.push(secret.clone());
        self
    }

    /// Says what it costs under one of the server's limits; else it costs what the limit says.
    pub fn cost(mut self, rule: &'static str, amount: u32) -> Self {
        self.costs.push(Cost { rule, amount });
        self
    }

    /// Says who goes first where requests wait.
    pub fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// Says that the same request sent twice does its work once: it may be repeated. So may every
    /// GET and DELETE.
    pub fn idempotent(mut self) -> Self {
        self.may_repeat = true;
        self
    }

    /// Says how long one attempt may take, from when it leaves to the last byte of its answer; the
    /// limits of each phase ([`crate::ClientOptions`]) and the deadline of the whole call stay. Without
    /// it only those count.
    pub fn within(mut self, most: Duration) -> Self {
        self.within = Some(most);
        self
    }

    /// Names the kind of request: kinds that fail apart have a breaker of their own, and one that
    /// usually takes long is not taken for slow.
    pub fn endpoint(mut self, name: &'static str) -> Self {
        self.endpoint = name;
        self
    }

    /// The kind of request; empty where it names none.
    #[must_use]
    pub const fn endpoint_name(&self) -> &'static str {
        self.endpoint
    }

    /// How long one attempt may take, where that is said.
    #[must_use]
    pub const fn longest(&self) -> Option<Duration> {
        self.within
    }

    /// The same request to the host `to`, where it was written for the host `from`.
    pub(crate) fn moved(&self, from: &str, to: &str) -> Option<Self> {
        let rest = self.url.strip_prefix(from)?;
        Some(Self { url: format!("{to}{rest}"), ..self.clone() })
    }

    /// Adds a parameter that is encoded already or needs no encoding.
    pub(crate) fn append_query(&mut self, pair: fmt::Arguments<'_>) {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        fmt::Write::write_fmt(&mut self.url, pair).expect("writing to a string cannot fail");
    }

    /// What it costs, where it says so.
    #[must_use]
    pub fn costs(&self) -> &[Cost] {
        &self.costs
    }

    /// Who goes first where requests wait.
    #[must_use]
    pub const fn priority(&self) -> Class {
        self.class
    }

    /// Whether it may be sent again when nobody knows what became of it.
    #[must_use]
    pub const fn may_repeat(&self) -> bool {
        self.may_repeat
    }

    /// The verb.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The address with its secrets. For the transport and for tests; print the request instead.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Names and values in the order they were added.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body; empty where there is none.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body, shared: what is sent again is not copied.
    pub(crate) fn body_shared(&self) -> Bytes {
        self.body.clone()
    }

    /// `text` with the hidden texts replaced. For those who print what a server said about this
    /// request: some servers repeat a token in their error.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.hidden.iter().map(Secret::expose).filter(|secret| !secret.is_empty()) {
            let encoded = percent_encode(secret);
            for form in [secret, &encoded, &lower_case_escapes(&encoded)] {
                if text.contains(form.as_str()) {
                    text = text.replace(form.as_str(), "[redacted]");
                }
            }
        }
        text
    }
}

/// `%3A` as `%3a`: both are legal, and a library in between may rewrite one to the other.
fn lower_case_escapes(encoded: &str) -> String {
    let mut pieces = encoded.split('%');
    let mut out = pieces.next().unwrap_or("").to_owned();
    for piece in pieces {
        let (escape, rest) = piece.split_at(piece.len().min(2));
        out.push('%');
        out.push_str(&escape.to_ascii_lowercase());
        out.push_str(rest);
    }
    out
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.redact(&self.url))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<String> = self
            .headers
            .iter()
            .map(|(name, value)| {
                let secret = ["authorization", "cookie", "x-api-key"]
                    .iter()
                    .any(|private| name.eq_ignore_ascii_case(private));
                let value = if secret { "[redacted]".to_owned() } else { self.redact(value) };
                format!("{name}: {value}")
            })
            .collect();
        f.debug_struct("Request")
            .field("call", &self.to_string())
            .field("headers", &headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_text_is_in_nothing_printed_in_any_encoding() {
        let token = Secret::new("12:A/b".to_owned());
        let request = Request::post("https://h/bot12:A/b/x")
            .query("t", "12:A/b")
            .query("u", "x%3aA")
            .header("Authorization", "Bearer 12:A/b")
            .header("X-Token", "12:A/b")
            .body("12:A/b")
            .hide(&token);
        let printed = format!("{request} {request:?} {}", request.redact("said 12%3aA%2fb"));
        for form in ["12:A/b", "12%3AA%2Fb", "12%3aA%2fb"] {
            assert!(!printed.contains(form), "{form} in {printed}");
        }
        assert!(request.url().contains("12:A/b"), "the transport needs it");
        assert_eq!(request.to_string(), "POST https://h/bot[redacted]/x?t=[redacted]&u=x%253aA");
    }

    #[test]
    fn an_empty_secret_hides_nothing() {
        let request = Request::get("https://h/").hide(&Secret::new(String::new()));
        assert_eq!(request.to_string(), "GET https://h/");
    }

    #[test]
    fn bodies_say_what_they_are() {
        let request = Request::post("https://h/").form(&[("a", "1 2")]);
        assert_eq!(request.body_bytes(), b"a=1%202");
        assert_eq!(
            request.headers(),
            [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())]
        );
    }
}
