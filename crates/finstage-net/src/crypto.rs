/// Chooses the process's TLS provider (aws-lc-rs). Calling it again changes nothing.
///
/// [`crate::Client::new`] and [`crate::Socket::connect`] call it, so a program needs to only where
/// it opens TLS connections by other means.
pub fn install_crypto() {
    // An error says that a provider is installed already: exactly the state that is wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_provider_is_installed_once_and_again_without_harm() {
        super::install_crypto();
        super::install_crypto();
        assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    }
}
