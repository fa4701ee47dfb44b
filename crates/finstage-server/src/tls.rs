//! Certificate and key from their files.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::{Error, ErrorKind};

/// What accepts TLS with the certificate chain and the key of two PEM files.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let refuse = |file: &Path, why: String| {
        Error::new(ErrorKind::Settings, format!("{}: {why}", file.display()))
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain =
        chain.map_err(|e| refuse(certificate, format!("no certificate in PEM form: {e}")))?;
    if chain.is_empty() {
        return Err(refuse(certificate, "no certificate in PEM form".to_owned()));
    }
    // The error of a key says nothing of its content.
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|_| refuse(key, "no private key in PEM form, or it cannot be read".to_owned()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| refuse(certificate, e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| refuse(certificate, format!("certificate and key do not fit: {e}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
