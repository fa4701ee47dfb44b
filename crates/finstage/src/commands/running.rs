//! The service of this folder, as commands ask it: at the address that its configuration names, believing the
//! certificate that it names.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use finstage_net::{Certificate, Client, ClientOptions, Error, ErrorKind};
use finstage_server::ServerOptions;

use crate::exit::{Exit, Failure, Result};

/// Where it answers on this machine, as it is configured or else at `listen`.
pub(super) fn base(options: &ServerOptions, listen: Option<SocketAddr>) -> String {
    format!("{}://{}", options.scheme(), reachable(listen.unwrap_or(options.listen)))
}

/// Asks it once, for so long and for so many bytes.
pub(super) fn client(
    options: &ServerOptions,
    (patience, max_body_bytes): (Duration, usize),
) -> Result<Client> {
    let own_server = options.tls.as_ref().map(|(file, _)| Certificate::read(file)).transpose();
    let own_server =
        own_server.map_err(|e| Failure::usage(format!("server.tls_cert: {e}: name its file")))?;
    Client::new(ClientOptions {
        connect_timeout: patience,
        total_timeout: patience,
        max_body_bytes,
        user_agent: format!("finstage/{}", crate::VERSION),
        own_server,
        ..ClientOptions::default()
    })
    .map_err(|e| Failure::new(Exit::Remote, e))
}

/// What to do about a service that gave no answer.
pub(super) fn remedy(error: &Error, options: &ServerOptions) -> String {
    match (&options.tls, error.kind()) {
        (Some((file, _)), ErrorKind::Protocol) => format!(
            "it shows neither the certificate of {} (server.tls_cert) nor one that this machine trusts under \
             that name: restart it if the file is newer",
            file.display()
        ),
        (None, ErrorKind::Protocol) => {
            "does it speak TLS? then the configuration that it runs with names server.tls_cert: \
             --config names it"
                .to_owned()
        }
        _ => "is `finstage serve` running?".to_owned(),
    }
}

/// Where a server that listens everywhere is reached from this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) if address.ip().is_unspecified() => {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        SocketAddr::V6(_) if address.ip().is_unspecified() => {
            address.set_ip(Ipv6Addr::LOCALHOST.into());
        }
        _ => {}
    }
    address
}
