//! Certificate and key from their files.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::{Error, ErrorKind};

/// What accepts TLS with the certificate chain and the key of two PEM files.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let refuse = |file: &Path, why: String| {
        let key = if file == certificate { "server.tls_cert" } else { "server.tls_key" };
        Error::new(ErrorKind::Settings, format!("{key}: {}: {why}", file.display()))
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|e| refuse(certificate, in_words(&e, "certificate")))?;
    if chain.is_empty() {
        return Err(refuse(certificate, in_words(&pem::Error::NoItemsFound, "certificate")));
    }
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|e| refuse(key, in_words(&e, "private key")))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| refuse(certificate, e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| refuse(certificate, format!("certificate and key do not fit: {e}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Why a file gives none of what it should hold, without a byte of what stands in it.
fn in_words(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => format!("it cannot be read: {error}"),
        pem::Error::MissingSectionEnd { .. } => {
            format!("no {what} in PEM form: it is cut off, the line -----END …----- is missing")
        }
        pem::Error::NoItemsFound => {
            format!("no {what} in PEM form: it has no line -----BEGIN …----- of one")
        }
        _ => format!("no {what} in PEM form: it is broken, copy it anew"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_or_broken_is_named_with_its_setting_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let said = |text: Option<&str>, other: &str| {
            let (file, second) = (dir.path().join("one.pem"), dir.path().join(other));
            match text {
                Some(text) => std::fs::write(&file, text).unwrap(),
                None => drop(std::fs::remove_file(&file)),
            }
            acceptor(&file, &second).map(drop).unwrap_err().to_string()
        };
        for (text, why) in [
            (None, "cannot be read: No such file"),
            (Some(""), "no certificate in PEM form: it has no line"),
            (Some("-----BEGIN CERTIFICATE-----\nMIIB\n"), "it is cut off"),
            (Some("-----BEGIN CERTIFICATE-----\n~\n-----END CERTIFICATE-----\n"), "it is broken"),
        ] {
            let said = said(text, "two.pem");
            assert!(said.starts_with("server.tls_cert: /") && said.contains("one.pem: "), "{said}");
            assert!(said.contains(why) && !said.contains('['), "{said}");
        }
        let whole = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let said = said(Some(whole), "two.pem");
        assert!(said.starts_with("server.tls_key: /") && said.contains("two.pem: "), "{said}");
    }
}
