//! Where a test goes: a URL, or the simulator that is running here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use finstage_lab::stress::moment::Moment;
use finstage_lab::stress::tls::ClientConfig;
use finstage_lab::stress::tls::{self, Trust};
use finstage_lab::stress::{Ceilings, Target};

use super::failure;
use crate::cli::StressTarget;
use crate::exit::{Failure, Result};
use crate::rendezvous;

/// A target that may be tested.
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) addresses: Vec<SocketAddr>,
    /// How long its name took to be looked up.
    pub(super) dns: Option<Duration>,
    pub(super) ceilings: Ceilings,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// Which address of a simulated venue is meant.
#[derive(Clone, Copy)]
pub(super) enum Door {
    Rest,
    Ws,
}

impl Door {
    const fn key(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Ws => "ws",
        }
    }
}

impl Place {
    /// The place that the arguments name, looked up and permitted.
    pub(super) fn find(args: &StressTarget, door: Door, alpn: &[&str]) -> Result<Self> {
        let url = match (&args.target, args.venue) {
            (Some(url), _) => url.clone(),
            (None, Some(venue)) => {
                rendezvous::find(venue.name(), door.key()).map_err(Failure::usage)?
            }
            (None, None) => {
                return Err(Failure::usage("--target URL or --venue NAME: one is needed"));
            }
        };
        let target = Target::parse(&url).map_err(failure)?;
        let start = Moment::now();
        let addresses = target.resolve().map_err(failure)?;
        let dns = (!target.is_address()).then(|| start.elapsed());
        let ceilings = target.permit(&addresses, &args.i_may_test).map_err(failure)?;
        if args.insecure && ceilings != Ceilings::NONE {
            return Err(Failure::usage(format!(
                "--insecure: {} is not this machine, its certificate must be good",
                target.host
            )));
        }
        let trust = if args.insecure { Trust::Anyone } else { Trust::Machine };
        let tls = match target.scheme.is_tls() {
            true => Some(tls::configuration(trust, alpn).map_err(failure)?),
            false => None,
        };
        Ok(Self { target, addresses, dns, ceilings, tls })
    }
}
