//! HTTP/1.1: a pool of connections on one thread, each with one request at a time.

use std::io;
use std::net::SocketAddr;

use finstage_model::Clock;
use mio::{Events, Poll, Token};

use super::answer::{Answer, Asked, Progress};
use super::front::{Flight, Front};
use super::tally::{Failed, Tally};
use super::transport::{TlsPlace, Transport};
use crate::stress::Phase;
use crate::stress::alarm::{ALARM, Alarm};
use crate::stress::mix::Method;
use crate::stress::moment::Moment;

/// Bytes that are read at once.
const READ_AT_ONCE: usize = 64 * 1024;
/// Events that are looked at before arrivals are.
const EVENTS_AT_ONCE: usize = 256;
/// Arrivals that are sent before events are looked at.
const SENT_AT_ONCE: usize = 64;
/// How many times within a timeout it is looked whether it is over, and how often at most.
const SWEEPS_PER_TIMEOUT: u64 = 50;
const SWEPT_EVERY_AT_MOST: u64 = 100_000_000;
const SWEPT_EVERY_AT_LEAST: u64 = 1_000_000;
/// How long a connection of a closed schedule that could not be made is left alone.
const RETRIED_AFTER: u64 = 100_000_000;

/// Where a thread sends, and through how many connections.
#[derive(Debug)]
pub(crate) struct Pool<'a> {
    /// Tried one after the other where one does not answer.
    pub(crate) addresses: &'a [SocketAddr],
    pub(crate) tls: Option<&'a TlsPlace>,
    pub(crate) size: usize,
    pub(crate) start: Moment,
    /// The wall clock, for signatures.
    pub(crate) clock: &'a dyn Clock,
}

/// Sends what falls due until all is answered.
pub(crate) fn run(front: Front<'_>, pool: Pool<'_>) -> io::Result<Box<Tally>> {
    let poll = Poll::new()?;
    let alarm = Alarm::new(&poll)?;
    let size = pool.size;
    let worker = Worker {
        front,
        pool,
        poll,
        links: (0..size).map(|_| Link::default()).collect(),
        idle: Vec::with_capacity(size),
        vacant: (0..size).rev().collect(),
        done: Vec::with_capacity(size),
        in_flight: 0,
        address: 0,
        next_sweep: 0,
        retry_at: 0,
        buffer: vec![0; READ_AT_ONCE].into_boxed_slice(),
    };
    worker.run(alarm)
}

struct Worker<'a> {
    front: Front<'a>,
    pool: Pool<'a>,
    poll: Poll,
    links: Vec<Link>,
    /// Links that were idle when they were put here; one may be closed or busy by now.
    idle: Vec<usize>,
    /// Links without a connection.
    vacant: Vec<usize>,
    /// Links whose requests ended in this round: they get the next ones together, behind it. A server
    /// that is asked one by one wakes for each, and so do we for its answers.
    done: Vec<usize>,
    in_flight: usize,
    /// Which address is tried.
    address: usize,
    next_sweep: u64,
    /// When links of a closed schedule that could not be made are tried again.
    retry_at: u64,
    buffer: Box<[u8]>,
}

/// A place for a connection.
#[derive(Default)]
struct Link {
    transport: Option<Transport>,
    stage: Stage,
    flight: Option<Flight>,
    answer: Answer,
    /// Bytes of the request that have left.
    written: usize,
    /// The request, where it was made for the moment.
    own: Option<Vec<u8>>,
    /// When the present stage began.
    since: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Vacant,
    Connecting,
    Handshake,
    Idle,
    Busy,
}

/// What became of a link after an event.
enum Step {
    /// It waits for more.
    Wait,
    /// The answer is complete.
    Answered { status: u16, is_last: bool, now: u64 },
    /// It is of no more use.
    Broken(Failed),
}

impl Worker<'_> {
    fn run(mut self, mut alarm: Alarm) -> io::Result<Box<Tally>> {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        loop {
            let now = self.pool.start.nanos();
            let open = self.links.len() - self.vacant.len();
            self.front.look(now, self.in_flight, open);
            let is_backlogged = self.send_due(now);
            if now >= self.next_sweep {
                self.sweep(now);
            }
            if self.front.is_over() && self.in_flight == 0 && self.front.waiting() == 0 {
                break;
            }
            let mut until = self.front.until(now).min(self.next_sweep);
            if self.front.is_closed() && !self.vacant.is_empty() && !self.front.is_over() {
                until = until.min(self.retry_at.max(now));
            }
            let now = self.pool.start.nanos();
            alarm.wait(
                &mut self.poll,
                &mut events,
                (now, if is_backlogged { now } else { until }),
            )?;
            for event in &events {
                if event.token() != ALARM {
                    let is_closed = event.is_read_closed() || event.is_error();
                    self.event(event.token().0, is_closed);
                }
            }
            while let Some(at) = self.done.pop() {
                self.go_on(at);
            }
        }
        let registry = self.poll.registry();
        for transport in self.links.drain(..).filter_map(|link| link.transport) {
            transport.close(registry);
        }
        Ok(self.front.into_tally(self.pool.start.nanos()))
    }

    /// Sends what is due; whether more is due than was sent at once.
    fn send_due(&mut self, now: u64) -> bool {
        if self.front.is_closed() {
            while !self.front.is_over() && now >= self.retry_at {
                let Some(at) = self.vacant.pop() else { break };
                let flight = self.front.make(now);
                self.connect(at, flight, now);
            }
            return false;
        }
        for _ in 0..SENT_AT_ONCE {
            let Some(flight) = self.front.take_due(now) else { return false };
            if self.front.is_paused(now, flight) {
                continue;
            }
            if self.front.waiting() > 0 {
                // Nobody overtakes.
                self.front.wait(flight);
            } else if let Some(at) = self.take_idle() {
                let now = self.pool.start.nanos();
                self.send(at, flight, now);
            } else if let Some(at) = self.vacant.pop() {
                self.connect(at, Flight { waited: true, ..flight }, now);
            } else {
                self.front.wait(flight);
            }
        }
        true
    }

    fn take_idle(&mut self) -> Option<usize> {
        loop {
            let at = self.idle.pop()?;
            if self.links[at].stage == Stage::Idle {
                return Some(at);
            }
        }
    }

    /// Begins to connect for a request.
    fn connect(&mut self, at: usize, flight: Flight, now: u64) {
        self.in_flight += 1;
        let address = self.pool.addresses[self.address % self.pool.addresses.len()];
        let opened = Transport::open(self.poll.registry(), Token(at), address, self.pool.tls);
        let link = &mut self.links[at];
        link.flight = Some(flight);
        link.since = now;
        match opened {
            Ok(transport) => {
                link.transport = Some(transport);
                link.stage = Stage::Connecting;
                self.front.tally.connections += 1;
            }
            Err(error) => self.not_connected(at, &error, now),
        }
    }

    /// A connection could not be made: the next address has its turn, and the request failed.
    fn not_connected(&mut self, at: usize, error: &io::Error, now: u64) {
        match error.kind() {
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => {
                self.front.tally.no_port += 1;
            }
            // EMFILE and ENFILE.
            _ if matches!(error.raw_os_error(), Some(23 | 24)) => self.front.tally.no_file += 1,
            _ => {}
        }
        self.address = self.address.wrapping_add(1);
        self.retry_at = now + RETRIED_AFTER;
        let is_tls = self.links[at].stage == Stage::Handshake;
        self.give_up(at, if is_tls { Failed::Tls } else { Failed::Connection }, now);
    }

    /// Sends a request on a link that is open.
    fn send(&mut self, at: usize, flight: Flight, now: u64) {
        self.in_flight += 1;
        self.links[at].flight = Some(flight);
        self.begin(at, now);
    }

    /// Sends the request that a link has.
    fn begin(&mut self, at: usize, now: u64) {
        let link = &mut self.links[at];
        let Some(flight) = &mut link.flight else { return };
        flight.sent = now;
        let pick = flight.pick;
        let requests = &self.front.shared.requests;
        link.stage = Stage::Busy;
        link.since = now;
        link.written = 0;
        link.own = if requests.endpoint(pick).signed {
            requests.signed(pick, self.pool.clock.now())
        } else {
            None
        };
        if let Err(error) = self.write(at) {
            self.broken(at, &error);
        }
    }

    /// Goes on sending a request.
    fn write(&mut self, at: usize) -> io::Result<()> {
        let link = &mut self.links[at];
        let (Some(transport), Some(flight)) = (&mut link.transport, &link.flight) else {
            return Ok(());
        };
        let bytes =
            link.own.as_deref().unwrap_or_else(|| self.front.shared.requests.bytes(flight.pick));
        while link.written < bytes.len() {
            match transport.send(&bytes[link.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(some) => link.written += some,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if transport.holds() { transport.flush() } else { Ok(()) }
    }

    fn event(&mut self, at: usize, is_closed: bool) {
        if self.links[at].stage == Stage::Connecting && !self.connected(at) {
            return;
        }
        if self.links[at].stage == Stage::Handshake && !self.shaken(at) {
            return;
        }
        match self.links[at].stage {
            Stage::Idle => self.idle_event(at),
            Stage::Busy => self.busy_event(at, is_closed),
            Stage::Vacant | Stage::Connecting | Stage::Handshake => {}
        }
    }

    /// Whether TCP is connected: then the next stage begins.
    fn connected(&mut self, at: usize) -> bool {
        let now = self.pool.start.nanos();
        let link = &mut self.links[at];
        let Some(transport) = &link.transport else { return false };
        match transport.is_connected() {
            Ok(false) => false,
            Ok(true) => {
                self.front.tally.phase(Phase::Connect, now.saturating_sub(link.since));
                link.since = now;
                link.stage = Stage::Handshake;
                if !transport.is_tls() {
                    self.begin(at, now);
                }
                true
            }
            Err(error) => {
                self.not_connected(at, &error, now);
                false
            }
        }
    }

    /// Whether TLS is agreed on: then the request leaves.
    fn shaken(&mut self, at: usize) -> bool {
        let link = &mut self.links[at];
        let Some(transport) = &mut link.transport else { return false };
        match transport.shake_hands() {
            Ok(false) => false,
            Ok(true) => {
                let now = self.pool.start.nanos();
                self.front.tally.phase(Phase::Tls, now.saturating_sub(link.since));
                self.begin(at, now);
                true
            }
            Err(error) => {
                let now = self.pool.start.nanos();
                self.not_connected(at, &error, now);
                false
            }
        }
    }

    /// Nobody asked: the server closes, or speaks out of turn; either way the link is of no more use.
    fn idle_event(&mut self, at: usize) {
        let Some(transport) = &mut self.links[at].transport else { return };
        match transport.receive(&mut self.buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => {
                self.front.tally.reconnects += 1;
                self.close(at);
            }
        }
    }

    fn busy_event(&mut self, at: usize, is_closed: bool) {
        if let Err(error) = self.write(at) {
            return self.broken(at, &error);
        }
        match self.read(at, is_closed) {
            Step::Wait => {}
            Step::Answered { status, is_last, now } => {
                self.answered(at, (status, is_last || is_closed), now);
            }
            Step::Broken(why) => {
                let now = self.pool.start.nanos();
                self.give_up(at, why, now);
                self.done.push(at);
            }
        }
    }

    /// Reads what came.
    fn read(&mut self, at: usize, is_closed: bool) -> Step {
        let link = &mut self.links[at];
        let (Some(transport), Some(flight)) = (&mut link.transport, &mut link.flight) else {
            return Step::Wait;
        };
        let endpoint = self.front.shared.requests.endpoint(flight.pick);
        let asked = if endpoint.method == Method::Head { Asked::Head } else { Asked::Body };
        loop {
            let came = match transport.receive(&mut self.buffer) {
                Ok(0) => {
                    let now = self.pool.start.nanos();
                    return match link.answer.closed() {
                        Some(Progress::Done { status, .. }) => {
                            Step::Answered { status, is_last: true, now }
                        }
                        _ => Step::Broken(Failed::Connection),
                    };
                }
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Step::Broken(Failed::Connection),
            };
            // What comes in one piece is dated once.
            let now = self.pool.start.nanos();
            if flight.first == 0 {
                flight.first = now;
            }
            self.front.tally.bytes += came as u64;
            let front = &mut self.front;
            let read = &mut |name: &str, value: &[u8]| front.read_line(name, value);
            match link.answer.feed(&self.buffer[..came], asked, read) {
                Ok(Progress::Done { status, is_last }) => {
                    return Step::Answered { status, is_last, now };
                }
                Ok(Progress::More) => {}
                Err(_) => return Step::Broken(Failed::Malformed),
            }
            // What was read short of the buffer emptied the socket: its next bytes are an event. Not so
            // with TLS, which holds some, and not where the end was announced already.
            if came < self.buffer.len() && !transport.is_tls() && !is_closed {
                return Step::Wait;
            }
        }
    }

    fn answered(&mut self, at: usize, (status, is_last): (u16, bool), now: u64) {
        let Some(flight) = self.links[at].flight.take() else { return };
        self.in_flight -= 1;
        self.front.answered(&flight, status, now);
        self.links[at].own = None;
        if is_last {
            self.close(at);
            if !self.front.is_over() {
                self.front.tally.reconnects += 1;
            }
        } else {
            self.links[at].stage = Stage::Idle;
        }
        self.done.push(at);
    }

    /// Gives a link that is done its next request, or lets it rest.
    fn go_on(&mut self, at: usize) {
        let now = self.pool.start.nanos();
        let next = match self.front.next_waiting(now) {
            Some(flight) => Some(flight),
            None if self.front.is_closed() && !self.front.is_over() => Some(self.front.make(now)),
            None => None,
        };
        match (next, self.links[at].stage) {
            (Some(flight), Stage::Idle) => self.send(at, flight, now),
            (Some(flight), _) => {
                // It was closed in this round, so it is among the last of those without a connection.
                if let Some(place) = self.vacant.iter().rposition(|other| *other == at) {
                    self.vacant.swap_remove(place);
                }
                self.connect(at, flight, now);
            }
            (None, Stage::Idle) => self.idle.push(at),
            (None, _) => {}
        }
    }

    fn broken(&mut self, at: usize, _: &io::Error) {
        let now = self.pool.start.nanos();
        self.give_up(at, Failed::Connection, now);
    }

    /// The request failed and its connection goes.
    fn give_up(&mut self, at: usize, why: Failed, now: u64) {
        if let Some(flight) = self.links[at].flight.take() {
            self.in_flight -= 1;
            self.front.failed(&flight, why, now);
        }
        self.close(at);
    }

    fn close(&mut self, at: usize) {
        let link = &mut self.links[at];
        if let Some(transport) = link.transport.take() {
            transport.close(self.poll.registry());
        }
        *link = Link::default();
        self.vacant.push(at);
    }

    /// Ends what takes longer than the timeout, and gives those that wait the places that are free.
    fn sweep(&mut self, now: u64) {
        let timeout = self.front.shared.timeout;
        let every = (timeout / SWEEPS_PER_TIMEOUT).clamp(SWEPT_EVERY_AT_LEAST, SWEPT_EVERY_AT_MOST);
        self.next_sweep = now + every;
        for at in 0..self.links.len() {
            let link = &self.links[at];
            let is_waiting = !matches!(link.stage, Stage::Vacant | Stage::Idle);
            if is_waiting && now.saturating_sub(link.since) >= timeout {
                self.give_up(at, Failed::Timeout, now);
            }
        }
        self.front.shed_late(now);
        while self.front.waiting() > 0 {
            let Some(at) = self.vacant.pop() else { break };
            match self.front.next_waiting(now) {
                Some(flight) => self.connect(at, flight, now),
                None => self.vacant.push(at),
            }
        }
    }
}
