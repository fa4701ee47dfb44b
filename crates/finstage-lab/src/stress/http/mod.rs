//! Requests over HTTP: at a rate, in bursts, or as fast as they are answered.
//!
//! One thread or more, each with its own poll, connections and counts; they share nothing but the plan.
//! The thread that starts a test gathers what they counted a few times a second.

mod answer;
mod front;
mod gather;
mod http1;
mod http2;
mod ramp;
mod run;
mod tally;
mod transport;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use finstage_model::Clock;
use rustls::ClientConfig;
use serde_json::Value;

use self::front::{Exchange, Front, Shared};
use self::gather::Gathered;
use self::http1::Pool;
pub use self::ramp::Ramp;
use self::run::Course;
use self::transport::TlsPlace;
use super::arrival::Schedule;
use super::mix::{Mix, Place, Requests};
use super::moment::Moment;
use super::{Ceilings, Listener, Outcome, Phase, Stop, Target, tls};
use crate::{Error, ErrorKind};

/// The most connections.
pub const MAX_CONNECTIONS: u32 = 60_000;
/// The most threads.
pub const MAX_THREADS: u32 = 64;

/// What is to be tested, and how.
#[derive(Debug, Clone)]
pub struct HttpTest {
    /// Where.
    pub target: Target,
    /// Its addresses; at least one.
    pub addresses: Vec<SocketAddr>,
    /// How long looking them up took, where a name was looked up.
    pub dns: Option<Duration>,
    /// How far it may be tested.
    pub ceilings: Ceilings,
    /// What is asked.
    pub mix: Mix,
    /// When.
    pub schedule: Schedule,
    /// Ends a rising schedule where the server cannot keep up.
    pub ramp: Option<Ramp>,
    /// Connections at most; of a closed schedule as many as this.
    pub connections: u32,
    /// How long an answer may take, and a connection.
    pub timeout: Duration,
    /// Threads that send.
    pub threads: u32,
    /// Decides arrivals and what is asked.
    pub seed: u64,
    /// Which HTTP.
    pub version: Version,
    /// How TLS is spoken, the protocol of [`version`](Self::version) offered; that of this machine where none is given.
    pub tls: Option<Arc<ClientConfig>>,
    /// What the outcome says of how it was started.
    pub settings: BTreeMap<String, Value>,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1: a request at a time on each connection.
    #[default]
    Http1,
    /// HTTP/2: requests side by side, 100 on a connection; in the clear without asking first.
    Http2,
}

impl Version {
    /// Its name where TLS is agreed on.
    #[must_use]
    pub const fn alpn(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

impl HttpTest {
    /// Looks whether it can and may be run.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`] for what cannot be, [`ErrorKind::Target`] for what may not.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |words: String| Err(Error::new(ErrorKind::Plan, words));
        if self.target.scheme.is_websocket() {
            return wrong(format!(
                "{}: that is a WebSocket: ask it with stress ws",
                self.target.url()
            ));
        }
        if self.addresses.is_empty() {
            return wrong(format!("{}: no address", self.target.host));
        }
        if !(1..=MAX_CONNECTIONS).contains(&self.connections) {
            return wrong(format!("{} connections: 1 to {MAX_CONNECTIONS}", self.connections));
        }
        if !(1..=MAX_THREADS).contains(&self.threads) || self.threads > self.connections {
            return wrong(format!(
                "{} threads: 1 to {MAX_THREADS}, and no more than connections",
                self.threads
            ));
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(600) {
            return wrong(format!("timeout {:?}: above 0, at most 600 s", self.timeout));
        }
        self.schedule.check()?;
        let place = if self.ceilings.heed_refusals { Place::Other } else { Place::Here };
        self.mix.check(place)?;
        self.hold()
    }

    /// Holds it against its ceilings.
    fn hold(&self) -> Result<(), Error> {
        let ceilings = &self.ceilings;
        let connections = ceilings.connections.map(f64::from);
        Ceilings::hold("connections", f64::from(self.connections), connections)?;
        let duration = ceilings.duration.map(|d| d.as_secs_f64());
        Ceilings::hold("seconds of duration", self.schedule.length().as_secs_f64(), duration)?;
        if let Schedule::Bursts { size, .. } = self.schedule {
            Ceilings::hold("requests in a burst", f64::from(size), ceilings.burst.map(f64::from))?;
        }
        let Some(most) = ceilings.rate else { return Ok(()) };
        let most = match ceilings.weight_per_minute {
            Some(weight) => most.min(weight / 60.0 / self.mix.mean_weight().max(1.0)),
            None => most,
        };
        match (&self.schedule, self.schedule.highest_rate()) {
            (Schedule::Closed { .. }, _) => Err(Error::new(
                ErrorKind::Target,
                format!(
                    "{} is not this machine: name a rate, at most {most:.1} a second",
                    self.target.host
                ),
            )),
            (_, Some(rate)) => Ceilings::hold("requests a second", rate, Some(most)),
            (_, None) => Ok(()),
        }
    }

    /// Runs it to its end. Who calls is blocked meanwhile, and hears of it.
    ///
    /// # Errors
    /// What [`check`](Self::check) says, and [`ErrorKind::Io`] where the system gives no poll or thread.
    pub fn run(
        &self,
        stop: &Stop,
        listener: &mut dyn Listener,
        clock: &dyn Clock,
    ) -> Result<Outcome, Error> {
        self.check()?;
        let place = self.tls_place()?;
        let shared = Shared {
            requests: Requests::of(&self.mix, &self.target),
            schedule: self.schedule.clone(),
            timeout: self.timeout.as_nanos() as u64,
            seed: self.seed,
            threads: self.threads,
            heed_refusals: self.ceilings.heed_refusals,
            stop: stop.clone(),
            banned: Stop::new(),
        };
        let started_at = clock.now();
        let start = Moment::now();
        let mut gathered = Gathered::new(self.mix.endpoints.len(), self.threads);
        if let Some(dns) = self.dns {
            gathered.add_phase(Phase::Dns, dns);
        }
        let exchanges: Vec<Exchange> =
            (0..self.threads).map(|_| Exchange::new(self.mix.endpoints.len())).collect();
        let (done, ended) = sync_channel(self.threads as usize);
        let course = Course { test: self, exchanges: &exchanges, ended, start, stop };
        let knee = std::thread::scope(|scope| -> Result<_, Error> {
            for number in 0..self.threads {
                let (shared, tls, done) = (&shared, place.as_ref(), done.clone());
                let exchange = &exchanges[number as usize];
                let (addresses, size) = (&*self.addresses, self.share(number));
                let version = self.version;
                let work = move || {
                    let front = Front::new(shared, exchange, number);
                    let pool = Pool { addresses, tls, size, start, clock };
                    // Who gathers has room for a word of each.
                    let counted = match version {
                        Version::Http1 => http1::run(front, pool),
                        Version::Http2 => http2::run(front, pool),
                    };
                    let _ = done.send((number as usize, counted));
                };
                let thread = std::thread::Builder::new().name(format!("stress {number}"));
                thread.spawn_scoped(scope, work).map_err(|e| {
                    stop.pull();
                    Error::new(ErrorKind::Io, format!("starting thread {number}: {e}"))
                })?;
            }
            drop(done);
            course.gather(&mut gathered, listener)
        })?;
        let stopped = stop.is_pulled() || gathered.was_banned();
        let stopped = stopped.then(|| start.elapsed());
        Ok(self.outcome(gathered, knee, (started_at, stopped)))
    }

    /// Connections of a thread.
    fn share(&self, thread: u32) -> usize {
        let (all, threads) = (self.connections, self.threads);
        (all / threads + u32::from(thread < all % threads)) as usize
    }

    fn tls_place(&self) -> Result<Option<TlsPlace>, Error> {
        if !self.target.scheme.is_tls() {
            return Ok(None);
        }
        let config = match &self.tls {
            Some(config) => Arc::clone(config),
            None => tls::configuration(tls::Trust::Machine, &[self.version.alpn()])?,
        };
        Ok(Some(TlsPlace { config, name: tls::server_name(&self.target)? }))
    }
}
