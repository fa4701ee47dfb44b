//! TLS as load tests speak it: a configuration once, a session a connection.

use std::sync::Arc;

pub use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::Target;
use crate::{Error, ErrorKind};

/// Whose certificates are good enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that this machine trusts.
    #[default]
    Machine,
    /// Any: of servers on this machine, which sign their own.
    Anyone,
}

/// How TLS is spoken by all connections of a test; `alpn` names protocols, the first one preferred.
///
/// # Errors
/// [`ErrorKind::Remote`] where this machine's certificates cannot be read.
pub fn configuration(trust: Trust, alpn: &[&str]) -> Result<Arc<ClientConfig>, Error> {
    let failed =
        |e: rustls::Error| Error::new(ErrorKind::Remote, format!("preparing TLS: {e}")).because(e);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Machine => Arc::new(Verifier::new(Arc::clone(&provider)).map_err(failed)?),
        Trust::Anyone => Arc::new(Anyone(Arc::clone(&provider))),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}

/// The name that a target's certificate must bear.
///
/// # Errors
/// [`ErrorKind::Target`] where it is none.
pub fn server_name(target: &Target) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(target.host.clone()).map_err(|e| {
        Error::new(
            ErrorKind::Target,
            format!("{}: {e}; TLS wants a name or an address", target.host),
        )
    })
}

/// Takes every certificate; that the other side has its key is checked all the same.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
