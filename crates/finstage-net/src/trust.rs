//! A certificate that is believed because it is the very one that somebody named.
//!
//! It is compared byte by byte, and the handshake proves that the other side has its key. Its name, its signer
//! and its days are not asked for: a server of our own is reached by addresses that no public certificate bears, and
//! what `openssl req -x509` makes is an authority, which no chain may end in. Whatever else a server shows must
//! be trusted by the machine, name and all.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::{Error, ErrorKind};

/// The certificate that one server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    /// The first one of a PEM file: the server's own, where a chain follows.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the file cannot be read or has none.
    pub fn read(file: &Path) -> Result<Self, Error> {
        CertificateDer::from_pem_file(file).map(Self).map_err(|e| {
            let message = format!("{}: no certificate in PEM form: {e}", file.display());
            Error::new(ErrorKind::Invalid, message)
        })
    }

    /// How TLS is spoken by those who believe it.
    pub(crate) fn believed(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let believing = Believing {
            own: self.clone(),
            machine: Verifier::new(Arc::clone(&provider)).ok(),
            provider: Arc::clone(&provider),
        };
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(believing))
            .with_no_client_auth())
    }
}

#[derive(Debug)]
struct Believing {
    own: Certificate,
    /// None on a machine without roots, which its own server needs none of.
    machine: Option<Verifier>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.own.0 {
            return Ok(ServerCertVerified::assertion());
        }
        let machine = self
            .machine
            .as_ref()
            .ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        machine.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Certificate {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
        Certificate::read(&folder.join(name)).unwrap()
    }

    #[test]
    fn the_one_that_was_named_is_believed_under_every_name_and_no_other_is() {
        let (own, other) = (read("own.pem"), read("other.pem"));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let machine = Verifier::new(Arc::clone(&provider)).ok();
        for machine in [machine, None] {
            let believing =
                Believing { own: own.clone(), machine, provider: Arc::clone(&provider) };
            let shown = |certificate: &Certificate, name: &str| {
                let name = ServerName::try_from(name.to_owned()).unwrap();
                believing.verify_server_cert(&certificate.0, &[], &name, &[], UnixTime::now())
            };
            for name in ["127.0.0.1", "finstage.example.com", "elsewhere.example"] {
                assert!(shown(&own, name).is_ok(), "{name}");
                assert!(shown(&other, name).is_err(), "{name}");
            }
        }
    }

    #[test]
    fn a_file_without_one_is_said() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
        for name in ["own.key", "missing.pem"] {
            let said = Certificate::read(&folder.join(name)).unwrap_err().to_string();
            assert!(said.contains(name) && said.contains("no certificate in PEM form"), "{said}");
        }
    }
}
