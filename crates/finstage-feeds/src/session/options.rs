use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Clock, Event, InstrumentId, Interval, Timestamp};
use finstage_net::{Backoff, Client, SocketOptions};
use tokio::sync::{mpsc, watch};

use super::SessionStats;
use crate::sealed::SealedFeed;
use crate::venue::{Subscription, VenueProfile};

/// What a [`super::Session`] is given.
#[derive(Debug)]
pub struct SessionOptions {
    /// The venue's constants.
    pub profile: &'static VenueProfile,
    /// What to ask for.
    pub subscriptions: Vec<Subscription>,
    /// Up to where bars are stored already; a series without an entry begins now.
    pub since: Vec<Since>,
    /// Sends the requests for what was missed and opens the connections, within the limits of the
    /// remote it is at.
    pub client: Client,
    /// Where the stream comes sealed: what the transport of `client` says of it. Its events are marked
    /// so.
    pub sealed: Option<SealedFeed>,
    /// Limits of the connection.
    pub socket: SocketOptions,
    /// Stamps what is received. Waits run on real time whatever it shows.
    pub clock: Arc<dyn Clock>,
    /// Where the random part of waits begins.
    pub seed: u64,
    /// The bounds of waits.
    pub limits: SessionLimits,
    /// Where events go: those of one frame together.
    pub events: mpsc::Sender<Vec<Event>>,
    /// Ends the session when it turns true, or when its sender is gone.
    pub shutdown: watch::Receiver<bool>,
    /// What the session counts, for status lines.
    pub stats: Arc<SessionStats>,
}

/// Up to where the bars of one series are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// Whose bars.
    pub instrument: InstrumentId,
    /// Of which length.
    pub interval: Interval,
    /// The close time of the newest: the open time of the first one to fetch.
    pub close_time: Timestamp,
}

/// How long a session waits for what. All in real time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLimits {
    /// For the venue to acknowledge all commands, from the last one sent.
    pub acknowledge: Duration,
    /// The longest silence of a line, where it is not the one of the venue's profile. How long a
    /// stream may be silent on a line that answers is learned.
    pub stall: Option<Duration>,
    /// For room in the queue of events, before the connection is dropped.
    pub blocked: Duration,
    /// How long new events are held back so that missed bars come first.
    pub hold: Duration,
    /// How long a numbered stream may be quiet after a reconnection before the archive is asked
    /// whether trades were missed: mostly its next trade says so, at no cost.
    pub probe: Duration,
    /// How long two connections are listened to when one replaces the other.
    pub overlap: Duration,
    /// How long a connection must last to count as a success.
    pub healthy: Duration,
    /// Before a new connection, and before a request is repeated.
    pub backoff: Backoff,
    /// How many connections may fail in a row before the session ends; `None`: it never does.
    pub attempts: Option<u32>,
    /// How often one request is sent before its repair is put off.
    pub request_attempts: u32,
    /// How long a repair is put off.
    pub repair_pause: Duration,
    /// How often a repair is begun before its gap stays open.
    pub repair_attempts: u32,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            acknowledge: Duration::from_secs(10),
            stall: None,
            blocked: Duration::from_secs(10),
            hold: Duration::from_secs(30),
            probe: Duration::from_millis(500),
            overlap: Duration::from_secs(5),
            healthy: Duration::from_secs(60),
            backoff: Backoff::default(),
            attempts: None,
            request_attempts: 3,
            repair_pause: Duration::from_secs(30),
            repair_attempts: 20,
        }
    }
}
