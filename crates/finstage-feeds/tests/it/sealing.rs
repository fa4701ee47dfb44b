//! A server that seals within this process: it stands in front of the venue of `inside`, and tampers
//! with, repeats, drops and foreign-seals what it sends as a test tells it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use finstage_feeds::sealed::{Patience, SLOW, SealedOptions, SealedTransport};
use finstage_model::{Clock, Timestamp};
use finstage_net::{
    Carried, Error, ErrorKind, Frame, Peer, Request, Response, Socket, SocketOptions, Transport,
};
use finstage_seal::{
    Keyring, Keys, MemoryCounters, NewKey, Sealer, SealerOptions, Secret, UnixTime,
};
use tokio::time::Instant;

use crate::inside::{Inside, Paused};

/// The bearer that the server wants; it must appear nowhere.
pub(crate) const TOKEN: &str = "c4n4ry-token-of-the-sealed-feed";
pub(crate) const FIRST: &str = "ws://first.sealed";
pub(crate) const FALLBACK: &str = "ws://fallback.sealed";
/// Frames in flight on a connection.
const LINE: usize = 64;

/// A key with these bytes, as a test needs to know them.
pub(crate) fn key(id: &str, byte: u8) -> NewKey {
    NewKey::of(id.parse().unwrap(), Secret::new([byte; 32]))
}

pub(crate) fn unix(at: Timestamp) -> UnixTime {
    UnixTime::from_secs(at.secs())
}

/// What is done to one envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A bit of its ciphertext is turned.
    Tampered,
    /// It comes twice.
    Repeated,
    /// It does not come.
    Dropped,
    /// It is sealed by somebody else, under the name of our key.
    Foreign,
    /// What comes is no envelope.
    Garbage,
    /// The bare frame comes, as from a server that does not seal.
    Plain,
}

/// What the server was told and did.
pub(crate) struct State {
    /// What is done to the next trades, one after the other.
    pub(crate) faults: VecDeque<Fault>,
    /// What is done to every trade while it is there.
    pub(crate) always: Option<Fault>,
    /// Where it is there: at addresses that begin so.
    pub(crate) only_at: &'static str,
    /// So many frames are put into one envelope.
    pub(crate) at_a_time: usize,
    /// Addresses that cannot be connected to.
    pub(crate) down: Vec<&'static str>,
    /// Every attempt: when, to which address, with which headers.
    pub(crate) attempts: Vec<(Instant, String, BTreeMap<String, String>)>,
    /// Envelopes that were sent, and how many of them were faulty.
    pub(crate) sent: u64,
    pub(crate) faulty: BTreeMap<String, u64>,
    /// Sent again when a test says so.
    pub(crate) recorded: Vec<String>,
    sealer: Sealer,
    foreign: Sealer,
}

/// The server. Clones are the same.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) venue: Inside,
    clock: Paused,
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

impl Relay {
    /// In front of `venue`, sealing with `keys`.
    pub(crate) fn new(venue: &Inside, keys: Keys) -> Self {
        let counters = |sid| Box::new(MemoryCounters::new(sid));
        let name = keys.current().primary().unwrap().id().to_string();
        let now = unix(venue.clock.now());
        let foreign = Keys::new(Keyring::new(key(&name, 0xee), now));
        let state = State {
            faults: VecDeque::new(),
            always: None,
            only_at: "",
            at_a_time: 1,
            down: Vec::new(),
            attempts: Vec::new(),
            sent: 0,
            faulty: BTreeMap::new(),
            recorded: Vec::new(),
            sealer: Sealer::new(keys, counters(1), SealerOptions::default()),
            foreign: Sealer::new(foreign, counters(1), SealerOptions::default()),
        };
        let clock = venue.clock;
        Self { venue: venue.clone(), clock, state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What reads from this server.
    pub(crate) fn reader(&self, keys: &Keys) -> SealedTransport {
        SealedTransport::new(Arc::new(self.clone()), self.options(keys))
    }

    /// The same over other lines; opening seems slow to it that takes longer than `slow`.
    pub(crate) fn reader_over(
        &self,
        lines: Arc<dyn Transport>,
        slow: Duration,
        keys: &Keys,
    ) -> SealedTransport {
        SealedTransport::new(lines, SealedOptions { slow, ..self.options(keys) })
    }

    fn options(&self, keys: &Keys) -> SealedOptions {
        SealedOptions {
            venue: "binance".to_owned(),
            keys: keys.clone(),
            address: FIRST.to_owned(),
            fallback: Some(FALLBACK.to_owned()),
            patience: Patience::default(),
            token: Some(Secret::new(TOKEN.to_owned())),
            data_stream: "trades".to_owned(),
            slow: SLOW,
            clock: Arc::new(self.clock),
        }
    }

    /// An envelope around these frames.
    pub(crate) fn seal(&self, frames: &[String]) -> String {
        let mut envelope = Vec::new();
        self.state().sealer.seal(frames.join("\n").as_bytes(), &mut envelope).unwrap();
        String::from_utf8(envelope).unwrap()
    }

    /// What is sent in place of a frame that was sealed.
    fn spoil(&self, fault: Fault, frame: &str, sealed: String) -> Vec<String> {
        let words = format!("{fault:?}");
        *self.state().faulty.entry(words).or_default() += 1;
        match fault {
            Fault::Tampered => {
                let at = sealed.find("encrypted_payload\":\"").unwrap() + 30;
                let mut bytes = sealed.into_bytes();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                vec![String::from_utf8(bytes).unwrap()]
            }
            Fault::Repeated => vec![sealed.clone(), sealed],
            Fault::Dropped => Vec::new(),
            Fault::Foreign => {
                let mut envelope = Vec::new();
                self.state().foreign.seal(frame.as_bytes(), &mut envelope).unwrap();
                vec![String::from_utf8(envelope).unwrap()]
            }
            Fault::Garbage => vec![r#"{"v":1,"kid":"#.to_owned()],
            Fault::Plain => vec![frame.to_owned()],
        }
    }

    fn outgoing(&self, url: &str, waiting: &mut Vec<String>, frame: String) -> Vec<String> {
        let is_trade = frame.contains(r#""e":"trade""#);
        let at_a_time = self.state().at_a_time;
        waiting.push(frame);
        // Answers do not wait for company.
        if is_trade && waiting.len() < at_a_time {
            return Vec::new();
        }
        let frames = std::mem::take(waiting);
        let sealed = self.seal(&frames);
        let fault = {
            let mut state = self.state();
            state.recorded.push(sealed.clone());
            let fault = if is_trade { state.faults.pop_front() } else { None };
            fault.or(state.always.filter(|_| url.starts_with(state.only_at)))
        };
        let out = match fault {
            None => vec![sealed],
            Some(fault) => self.spoil(fault, &frames[frames.len() - 1], sealed),
        };
        self.state().sent += out.len() as u64;
        out
    }

    /// Passes everything on, up as it is, down sealed.
    async fn pass(self, url: String, mut venue: Socket, mut client: Peer) {
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                biased;
                said = client.next() => match said {
                    None | Some(Frame::Close) => return venue.close().await,
                    Some(said) => if venue.send(said).await.is_err() {
                        return client.close(1006).await;
                    },
                },
                said = venue.next() => match said {
                    Err(_) => return client.close(1006).await,
                    Ok(Frame::Close) => return client.close(1000).await,
                    Ok(Frame::Text(frame)) => {
                        for envelope in self.outgoing(&url, &mut waiting, frame) {
                            client.say(envelope).await;
                        }
                    }
                    // The session's pongs are its own.
                    Ok(frame) => drop(client.send(frame).await),
                },
            }
        }
    }
}

impl Transport for Relay {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        self.venue.send(request)
    }

    fn connect<'a>(&'a self, url: &'a str, options: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async move {
            let headers = options.headers.iter();
            let headers = headers.map(|(name, value)| (name.clone(), value.expose().clone()));
            let is_down = {
                let mut state = self.state();
                state.attempts.push((Instant::now(), url.to_owned(), headers.collect()));
                state.down.iter().any(|address| url.starts_with(address))
            };
            if is_down {
                return Err(Error::new(ErrorKind::Unavailable, "connecting to the sealed server"));
            }
            let venue = self.venue.connect(url, options).await?;
            let (socket, client) = Socket::pair("sealed", LINE);
            tokio::spawn(self.clone().pass(url.to_owned(), venue, client));
            Ok(socket)
        })
    }
}
