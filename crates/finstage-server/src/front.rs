//! An annex with an address of its own, and nothing else beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Either;
use hyper::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::accept::{Came, Handler, accept};
use crate::annex::{Annex, Wing};
use crate::guard::{self, Hosts, Purpose};
use crate::options::Limits;
use crate::problem::Problem;
use crate::serve::{Reply, reply};
use crate::{Error, ErrorKind};

/// How long what is being answered may take when it stops: a supervisor kills after ten seconds.
const GRACE: Duration = Duration::from_secs(9);

/// A server for one [`Annex`], on this machine only.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Front {
    /// Serves on a listener that is bound already, until [`Front::stop`].
    ///
    /// # Errors
    /// When other machines could reach it: it speaks without TLS.
    pub fn start(listener: TcpListener, annex: Arc<dyn Annex>) -> Result<Self, Error> {
        let address = listener.local_addr().map_err(|e| {
            Error::new(ErrorKind::Failed, "the address of the listener is not known").because(e)
        })?;
        if !address.ip().is_loopback() {
            let message = format!("{address} is reachable from other machines: write 127.0.0.1");
            return Err(Error::new(ErrorKind::Settings, message));
        }
        let hall = Hall { hosts: Hosts::new(address, &[], false), wing: Wing::new(annex) };
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(accept(listener, None, Arc::new(hall), stopping));
        Ok(Self { address, stop, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: nothing new is accepted, what is being answered is finished within nine seconds.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(GRACE, self.task).await;
    }
}

#[derive(Debug)]
struct Hall {
    hosts: Hosts,
    wing: Wing,
}

impl Handler for Hall {
    fn limits(&self) -> Limits {
        Limits::default()
    }

    fn grace(&self) -> Duration {
        GRACE
    }

    fn refused(&self) {
        tracing::warn!("a connection was closed: there are too many");
    }

    async fn handle(self: Arc<Self>, came: Came) -> Reply {
        let Came { request, peer, .. } = came;
        if self.wing.owns(request.uri().path()) {
            return self.wing.handle(&self.hosts, request, peer).await;
        }
        let looked =
            guard::check_place(&self.hosts, request.headers(), request.method(), Purpose::Data);
        let problem = looked.err().unwrap_or_else(|| {
            let detail = format!("nothing is here; everything is below {}", self.wing.path());
            Problem::new(StatusCode::NOT_FOUND, detail)
        });
        reply(problem.answer(request.uri().path()), false).map(Either::Left)
    }
}
