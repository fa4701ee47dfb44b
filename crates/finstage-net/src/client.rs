use std::error::Error as StdError;
use std::time::Duration;

use reqwest::redirect::Policy;

use crate::{Error, ErrorKind, Method, Remote, Request, Response, install_crypto};

/// Limits of a [`Client`].
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The longest time to a connection, TLS included.
    pub connect_timeout: Duration,
    /// The longest time from the call to the last byte of the answer.
    pub total_timeout: Duration,
    /// The largest body, decompressed.
    pub max_body_bytes: usize,
    /// How we name ourselves.
    pub user_agent: String,
}

impl Default for ClientOptions {
    /// 5 s, 15 s, 16 MiB, `finstage`.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(15),
            max_body_bytes: 16 << 20,
            user_agent: "finstage".to_owned(),
        }
    }
}

/// Sends requests. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    max_body_bytes: usize,
}

impl Client {
    /// A client with these limits.
    ///
    /// # Errors
    /// When the user agent is not a header value or the platform offers no trust roots.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        install_crypto();
        let inner = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.total_timeout)
            .user_agent(options.user_agent)
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|e| Error::new(ErrorKind::Invalid, "building an http client").because(e))?;
        Ok(Self { inner, max_body_bytes: options.max_body_bytes })
    }

    /// The same connections, under the limits, the breaker and the retries of `remote`.
    #[must_use]
    pub fn at(&self, remote: &Remote) -> Self {
        let _ = remote;
        self.clone()
    }

    /// Sends a request and reads its answer, whatever the status. Redirects are not followed.
    ///
    /// # Errors
    /// When there is no answer within the limits: see [`ErrorKind`].
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut builder = self.inner.request(method, request.url());
        for (name, value) in request.headers() {
            builder = builder.header(name, value);
        }
        if !request.body_bytes().is_empty() || request.method() == Method::Post {
            builder = builder.body(request.body_bytes().to_vec());
        }
        let mut answer = builder.send().await.map_err(|e| explain(request, e))?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect();
        let too_large = || {
            let message = format!("{request}: answer of more than {} bytes", self.max_body_bytes);
            Error::new(ErrorKind::TooLarge, message).after_sending()
        };
        if answer.content_length().is_some_and(|length| length > self.max_body_bytes as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| explain(request, e))? {
            if body.len() + chunk.len() > self.max_body_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }
}

fn explain(request: &Request, error: reqwest::Error) -> Error {
    // The transport's own text would repeat the address with its secrets.
    let error = error.without_url();
    let (kind, what) = if error.is_builder() {
        (ErrorKind::Invalid, "cannot be sent as written")
    } else if error.is_timeout() {
        (ErrorKind::Timeout, "timed out")
    } else if is_tls(&error) {
        (ErrorKind::Protocol, "no trusted connection")
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "cannot connect")
    } else if error.is_decode() {
        (ErrorKind::Protocol, "unreadable answer")
    } else {
        (ErrorKind::Unavailable, "connection broke")
    };
    let maybe_sent = !error.is_builder() && !error.is_connect();
    let explained = Error::new(kind, format!("{request}: {what}")).because(error);
    if maybe_sent { explained.after_sending() } else { explained }
}

/// Whether a failed handshake is behind the error: an expired certificate will not heal itself.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inside.is_some_and(|inside| inside.is::<rustls::Error>()) {
            return true;
        }
        cause = error.source();
    }
    false
}
