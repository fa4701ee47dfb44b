//! The server beside a service: what it listens on, what it is told, and what it may ask.

mod desk;
mod port;
mod remotes;
mod telling;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use finstage_model::Clock;
use finstage_net::SystemClock;
use finstage_server::{About, Annex, Inputs, Live, Server, ServerOptions, Synced, token_file};
use finstage_store::history::History;
use finstage_store::journal::Journal;
use finstage_store::records::Records;
use tokio::net::TcpListener;

pub(crate) use self::desk::language_code;
pub use self::desk::{Running, ServiceDesk};
pub(crate) use self::telling::Telling;
use crate::config::settings::Settings;
use crate::exit::{Exit, Failure, Result};
use crate::gateway::Gateway;
use crate::live::Safe;
use crate::monitor::Monitor;

/// How many ports a demo tries, one after the other.
const PORTS_TRIED: u16 = 20;

/// A server that has its port and waits for its service.
pub struct Opened {
    listener: TcpListener,
    options: ServerOptions,
    token_file: std::path::PathBuf,
    /// What the engine's thread tells.
    pub live: Arc<Live>,
    /// The gateway beside it, if there is one.
    pub gateway: Option<Arc<Gateway>>,
    /// Is told how to sign in, once the server runs.
    pub announce: Box<dyn FnOnce(&Announcement) + Send>,
}

/// How a server that runs is reached.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// Where it listens.
    pub address: SocketAddr,
    /// A link that signs in, once.
    pub link: String,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Opened {
    /// How the server is reached from this machine, or by the name that it has for others; `None` where it
    /// listens everywhere and has none.
    pub(crate) fn url(&self) -> Option<String> {
        self.options.url(self.listener.local_addr().ok()?)
    }
}

/// Takes a port for the server of the data folder `dir`.
///
/// # Errors
/// Exit 2 when the port is taken, with the process that holds it, or cannot be had.
pub async fn open(
    options: ServerOptions,
    dir: &Path,
    announce: impl FnOnce(&Announcement) + Send + 'static,
) -> Result<Opened> {
    let address = options.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|e| refused(address, "server.listen", &e))?;
    Ok(Opened {
        listener,
        options,
        token_file: token_file(dir),
        live: Arc::default(),
        gateway: None,
        announce: Box::new(announce),
    })
}

/// As [`open`], on the next free port where the one of `options` is taken.
///
/// # Errors
/// As [`open`], about the port of `options`, when none of the next ones is free.
pub async fn open_next(
    options: ServerOptions,
    dir: &Path,
    announce: impl FnOnce(&Announcement) + Send + 'static,
) -> Result<Opened> {
    let first = options.listen.port();
    let mut free = options.listen;
    for port in (first..=first.saturating_add(PORTS_TRIED)).take(usize::from(PORTS_TRIED)) {
        free.set_port(port);
        match TcpListener::bind(free).await {
            Ok(listener) => {
                drop(listener);
                return open(ServerOptions { listen: free, ..options }, dir, announce).await;
            }
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(e) => return Err(refused(free, "server.listen", &e)),
        }
    }
    open(options, dir, announce).await
}

/// Why `address` cannot be had; `setting` is where it is configured.
pub(crate) fn refused(address: SocketAddr, setting: &str, error: &std::io::Error) -> Failure {
    if error.kind() != std::io::ErrorKind::AddrInUse {
        return Failure::usage(format!(
            "listening on {address}: {error}; name another address with --listen or {setting}"
        ));
    }
    let holder = port::holder(address.port())
        .map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
    Failure::usage(format!(
        "listening on {address}: {holder} holds the port: stop it, or name another with --listen or {setting}"
    ))
}

/// What a server needs of its service.
pub(crate) struct Service<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) records: &'a Records,
    pub(crate) history: &'a History,
    pub(crate) journal: &'a Journal,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) safe: &'a Safe,
    pub(crate) monitor: Option<&'a Arc<Monitor>>,
}

/// Starts the server; the cell is filled when the service has started its feeds.
pub(crate) fn start(
    opened: Opened,
    service: &Service<'_>,
) -> Result<(Server, Arc<OnceLock<Running>>)> {
    let running = Arc::new(OnceLock::new());
    let desk = ServiceDesk::new(service, Arc::clone(&running))?;
    let wall: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut about = About::new(crate::VERSION, wall.now());
    about.timezone.clone_from(&service.settings.timezone);
    desk::language_code(service.settings.report.language).clone_into(&mut about.language);
    let safe = service.safe.clone();
    opened.live.set_closing(finstage_feeds::registry::closed_at);
    let inputs = Inputs {
        records: service.records.clone(),
        history: service.history.clone(),
        live: Arc::clone(&opened.live),
        desk: Arc::new(desk),
        clock: Arc::clone(service.clock),
        wall,
        synced: Synced(Arc::new(move || safe.position())),
        token_file: opened.token_file,
        about,
        annex: opened.gateway.map(|gateway| gateway as Arc<dyn Annex>),
    };
    let server = Server::start(opened.listener, &opened.options, inputs).map_err(failed)?;
    let link = server.login_link().map_err(failed)?;
    (opened.announce)(&Announcement { address: server.address(), link });
    Ok((server, running))
}

fn failed(error: finstage_server::Error) -> Failure {
    let exit = match error.kind() {
        finstage_server::ErrorKind::Settings => Exit::Usage,
        _ => Exit::Store,
    };
    Failure::new(exit, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_said_with_its_holder_or_left_for_the_next() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = ServerOptions::new(taken.local_addr().unwrap());
        let refused = open(options.clone(), Path::new("."), |_| {}).await.unwrap_err();
        assert_eq!(refused.exit, Exit::Usage);
        let words = refused.to_string();
        assert!(words.contains("stop it, or name another"), "{words}");
        if cfg!(target_os = "linux") {
            assert!(words.contains(&format!("pid {} (", std::process::id())), "{words}");
        }
        let next = open_next(options.clone(), Path::new("."), |_| {}).await.unwrap();
        assert_ne!(next.options.listen, options.listen);
        let url = next.url().unwrap();
        assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"), "{url}");
    }
}
