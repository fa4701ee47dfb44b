use std::error::Error as StdError;
use std::sync::OnceLock;

use hyper::Uri;
use hyper::http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service as _;

use super::line::{Line, Stream};
use crate::{Certificate, Error, ErrorKind, Phase, Request, install_crypto};

/// Opens connections: names looked up, the addresses of both families tried side by side (RFC 8305), TLS with
/// the roots that this machine trusts.
#[derive(Debug)]
pub(super) struct Dialer {
    plain: HttpConnector,
    /// Whom it believes beside them.
    own_server: Option<Certificate>,
    /// Made when the first address wants it: to read the roots takes as long as a hundred requests.
    secure: OnceLock<Result<HttpsConnector<HttpConnector>, String>>,
}

/// Why there is no connection.
pub(super) struct Failed {
    kind: ErrorKind,
    what: &'static str,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Dialer {
    pub(super) fn new(own_server: Option<Certificate>) -> Self {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        Self { plain, own_server, secure: OnceLock::new() }
    }

    /// Opens a connection to where `uri` lies.
    pub(super) async fn dial(&self, uri: &Uri) -> Result<Line, Failed> {
        let stream = match uri.scheme() == Some(&Scheme::HTTPS) {
            false => self.plain(uri).await?,
            true => self.secure(uri).await?,
        };
        Line::over(stream).await.map_err(|e| Failed::because(e.into()))
    }

    async fn plain(&self, uri: &Uri) -> Result<Stream, Failed> {
        let stream = self.plain.clone().call(uri.clone()).await;
        stream.map(MaybeHttpsStream::Http).map_err(|e| Failed::because(e.into()))
    }

    async fn secure(&self, uri: &Uri) -> Result<Stream, Failed> {
        let connector = self.secure.get_or_init(|| {
            install_crypto();
            let builder = HttpsConnectorBuilder::new();
            let builder = match &self.own_server {
                Some(own) => builder.with_tls_config(own.believed().map_err(|e| e.to_string())?),
                None => builder.try_with_platform_verifier().map_err(|e| e.to_string())?,
            };
            Ok(builder.https_only().enable_http1().wrap_connector(self.plain.clone()))
        });
        let connector = connector.as_ref().map_err(|why| Failed {
            kind: ErrorKind::Invalid,
            what: "this machine offers no roots of trust",
            source: Some(why.clone().into()),
        })?;
        connector.clone().call(uri.clone()).await.map_err(Failed::because)
    }
}

impl Failed {
    /// Time ran out.
    pub(super) fn late() -> Self {
        Self { kind: ErrorKind::Timeout, what: "no connection in time", source: None }
    }

    fn because(source: Box<dyn StdError + Send + Sync>) -> Self {
        let (kind, what) = match is_tls(&*source) {
            true => (ErrorKind::Protocol, "no trusted connection"),
            false => (ErrorKind::Unavailable, "cannot connect"),
        };
        Self { kind, what, source: Some(source) }
    }

    /// As whoever sends `request` is told.
    pub(super) fn told(self, request: &Request) -> Error {
        let error = Error::new(self.kind, format!("{request}: {}", self.what));
        let error = match self.kind == ErrorKind::Timeout {
            true => error.during(Phase::Connect),
            false => error,
        };
        match self.source {
            Some(source) => error.because(source),
            None => error,
        }
    }
}

/// Whether a failed handshake is behind the error: an expired certificate will not heal itself.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || inside.is_some_and(|inside| is_tls(inside))
        || error.source().is_some_and(is_tls)
}
