//! HTTP/2: few connections on one thread, each with many requests side by side.

mod line;

use std::io;
use std::rc::Rc;

use mio::{Events, Poll, Token};

use self::line::{Came, Line, STREAMS, State};
use super::front::{Flight, Front};
use super::http1::Pool;
use super::tally::{Failed, Tally};
use super::transport::Transport;
use crate::stress::Phase;
use crate::stress::alarm::{ALARM, Alarm};
use crate::stress::mix::Requests;

/// Events that are looked at before arrivals are.
const EVENTS_AT_ONCE: usize = 64;
/// Arrivals that are sent before events are looked at.
const SENT_AT_ONCE: usize = 64;
/// How often it is looked what took too long.
const SWEPT_EVERY: u64 = 20_000_000;
/// How long is waited after a connection that could not be made.
const RETRIED_AFTER: u64 = 100_000_000;

/// Sends what falls due until all is answered. The size of the pool is how many requests are under way
/// at most.
pub(crate) fn run(front: Front<'_>, pool: Pool<'_>) -> io::Result<Box<Tally>> {
    let poll = Poll::new()?;
    let alarm = Alarm::new(&poll)?;
    let lines = pool.size.div_ceil(STREAMS);
    let worker = Worker {
        front,
        pool,
        poll,
        lines: (0..lines).map(|_| None).collect(),
        since: vec![0; lines],
        in_flight: 0,
        address: 0,
        next_sweep: 0,
        retry_at: 0,
        failed_at: None,
    };
    worker.run(alarm)
}

struct Worker<'a> {
    front: Front<'a>,
    pool: Pool<'a>,
    poll: Poll,
    lines: Vec<Option<Line>>,
    /// When the stage of each began.
    since: Vec<u64>,
    in_flight: usize,
    address: usize,
    next_sweep: u64,
    retry_at: u64,
    /// Why no connection could be made, until one can: those that wait for one fail.
    failed_at: Option<Failed>,
}

impl Worker<'_> {
    fn run(mut self, mut alarm: Alarm) -> io::Result<Box<Tally>> {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        loop {
            let now = self.pool.start.nanos();
            let open = self.lines.iter().flatten().count();
            self.front.look(now, self.in_flight, open);
            self.open_lines(now);
            let is_backlogged = self.take_due(now);
            self.send_waiting(now);
            if now >= self.next_sweep {
                self.sweep(now);
            }
            if self.front.is_over() && self.in_flight == 0 && self.front.waiting() == 0 {
                break;
            }
            let until = self.front.until(now).min(self.next_sweep);
            let now = self.pool.start.nanos();
            alarm.wait(
                &mut self.poll,
                &mut events,
                (now, if is_backlogged { now } else { until }),
            )?;
            for event in &events {
                if event.token() != ALARM {
                    self.event(event.token().0);
                }
            }
        }
        (0..self.lines.len()).for_each(|at| self.close(at));
        Ok(self.front.into_tally(self.pool.start.nanos()))
    }

    /// Opens what is not open, unless that failed just now.
    fn open_lines(&mut self, now: u64) {
        if now < self.retry_at || self.front.is_over() && self.front.waiting() == 0 {
            return;
        }
        for at in 0..self.lines.len() {
            if self.lines[at].is_some() {
                continue;
            }
            let address = self.pool.addresses[self.address % self.pool.addresses.len()];
            let opened = Transport::open(self.poll.registry(), Token(at), address, self.pool.tls);
            match opened {
                Ok(transport) => {
                    self.front.tally.connections += 1;
                    self.since[at] = now;
                    self.lines[at] = Some(Line::new(transport));
                }
                Err(_) => return self.not_connected(at, Failed::Connection, now),
            }
        }
    }

    /// No connection can be made: what waits for one fails.
    fn not_connected(&mut self, at: usize, why: Failed, now: u64) {
        self.close(at);
        self.address = self.address.wrapping_add(1);
        self.retry_at = now + RETRIED_AFTER;
        self.failed_at = Some(why);
        self.fail_waiting(now);
    }

    fn fail_waiting(&mut self, now: u64) {
        let Some(why) = self.failed_at else { return };
        if self.lines.iter().flatten().next().is_none() {
            while let Some(flight) = self.front.next_waiting(now) {
                self.front.failed(&flight, why, now);
            }
        }
    }

    /// Lets what is due wait for its place; whether more is due than was looked at.
    fn take_due(&mut self, now: u64) -> bool {
        if self.front.is_closed() {
            return false;
        }
        for _ in 0..SENT_AT_ONCE {
            let Some(flight) = self.front.take_due(now) else { return false };
            if !self.front.is_paused(now, flight) {
                self.front.wait(flight);
            }
        }
        true
    }

    /// Gives places to those that wait, or of a closed schedule to new ones.
    fn send_waiting(&mut self, now: u64) {
        if now < self.retry_at {
            self.fail_waiting(now);
        }
        for at in 0..self.lines.len() {
            let mut is_new = false;
            loop {
                let room = self.lines[at].as_ref().map_or(0, Line::room);
                if room == 0 || self.in_flight >= self.pool.size {
                    break;
                }
                let flight = match self.front.next_waiting(now) {
                    Some(flight) => flight,
                    None if self.front.is_closed() && !self.front.is_over() => self.front.make(now),
                    None => break,
                };
                if !self.send(at, flight) {
                    break;
                }
                is_new = true;
            }
            if is_new {
                self.drive(at);
            }
        }
    }

    fn send(&mut self, at: usize, flight: Flight) -> bool {
        let now = self.pool.start.nanos();
        let flight =
            Flight { sent: now, waited: now.saturating_sub(flight.due) > 1_000_000, ..flight };
        let requests = &self.front.shared.requests;
        let body = requests.endpoint(flight.pick).body.clone();
        let request = request(requests, &self.pool, flight);
        let (Some(request), Some(line)) = (request, &mut self.lines[at]) else {
            self.front.failed(&flight, Failed::Malformed, now);
            return true;
        };
        match line.send(request, &body, flight) {
            Ok(()) => {
                self.in_flight += 1;
                true
            }
            Err(flight) => {
                self.front.failed(&flight, Failed::Connection, now);
                false
            }
        }
    }

    fn event(&mut self, at: usize) {
        let now = self.pool.start.nanos();
        let Some(line) = &mut self.lines[at] else { return };
        if matches!(line.state, State::Connecting) {
            let transport = Rc::clone(&line.wire.0);
            match transport.borrow().is_connected() {
                Ok(false) => return,
                Ok(true) => {
                    self.front.tally.phase(Phase::Connect, now.saturating_sub(self.since[at]));
                    self.since[at] = now;
                    line.state = State::Tls;
                }
                Err(_) => return self.not_connected(at, Failed::Connection, now),
            }
        }
        let Some(line) = &mut self.lines[at] else { return };
        if matches!(line.state, State::Tls) {
            let transport = Rc::clone(&line.wire.0);
            let mut transport = transport.borrow_mut();
            match transport.shake_hands() {
                Ok(false) => return,
                Ok(true) if !transport.is_tls() => line.greet(),
                Ok(true) if transport.protocol() == Some(b"h2") => {
                    self.front.tally.phase(Phase::Tls, now.saturating_sub(self.since[at]));
                    line.greet();
                }
                // A server that does not speak it, or no TLS.
                Ok(true) | Err(_) => {
                    drop(transport);
                    return self.not_connected(at, Failed::Tls, now);
                }
            }
        }
        self.drive(at);
        self.send_waiting(self.pool.start.nanos());
    }

    /// Lets a connection go on, and looks what came for its streams.
    fn drive(&mut self, at: usize) {
        let Some(line) = &mut self.lines[at] else { return };
        let over = line.drive().err();
        let now = self.pool.start.nanos();
        for slot in 0..STREAMS {
            self.look(at, slot, over.unwrap_or(Failed::Connection), now);
        }
        if let Some(why) = over {
            self.broken(at, why, now);
        }
    }

    /// Takes what came for a stream; `why` it failed where it broke.
    fn look(&mut self, at: usize, slot: usize, why: Failed, now: u64) {
        loop {
            let Some(line) = &mut self.lines[at] else { return };
            let place = &mut line.streams[slot];
            match place.poll() {
                Came::Nothing => return,
                Came::Head(lines) => {
                    line.was_heard = true;
                    self.failed_at = None;
                    if let Some(stream) = &mut place.stream {
                        stream.flight.first = now;
                    }
                    for (name, value) in &lines {
                        self.front.read_line(name.as_str(), value.as_bytes());
                    }
                }
                Came::End => {
                    if let Some(stream) = place.stream.take() {
                        line.busy -= 1;
                        self.in_flight -= 1;
                        self.front.answered(&stream.flight, stream.status, now);
                    }
                    return;
                }
                Came::Broken => {
                    if let Some(stream) = place.stream.take() {
                        line.busy -= 1;
                        self.in_flight -= 1;
                        self.front.failed(&stream.flight, why, now);
                    }
                    return;
                }
            }
        }
    }

    /// A connection is over: so are its requests. One that never answered was none: the next is made later.
    fn broken(&mut self, at: usize, why: Failed, now: u64) {
        let Some(line) = &mut self.lines[at] else { return };
        for slot in &mut line.streams {
            if let Some(stream) = slot.stream.take() {
                self.in_flight -= 1;
                self.front.failed(&stream.flight, why, now);
            }
        }
        if !line.was_heard {
            return self.not_connected(at, why, now);
        }
        if !self.front.is_over() {
            self.front.tally.reconnects += 1;
        }
        self.close(at);
    }

    fn close(&mut self, at: usize) {
        let Some(Line { wire, state, streams, .. }) = self.lines[at].take() else { return };
        // Whatever else holds the wire goes first.
        drop(streams);
        drop(state);
        if let Some(transport) = Rc::into_inner(wire.0) {
            transport.into_inner().close(self.poll.registry());
        }
    }

    /// Ends what takes longer than the timeout.
    fn sweep(&mut self, now: u64) {
        self.next_sweep = now + SWEPT_EVERY;
        let timeout = self.front.shared.timeout;
        for at in 0..self.lines.len() {
            let Some(line) = &mut self.lines[at] else { continue };
            let is_late = now.saturating_sub(self.since[at]) >= timeout;
            if !matches!(line.state, State::Open(..)) && is_late {
                self.not_connected(at, Failed::Timeout, now);
                continue;
            }
            let mut any = false;
            for slot in &mut line.streams {
                let late = |s: &line::Stream| now.saturating_sub(s.flight.sent) >= timeout;
                // Dropping it resets the stream.
                if let Some(stream) = slot.stream.take_if(|stream| late(stream)) {
                    line.busy -= 1;
                    self.in_flight -= 1;
                    self.front.failed(&stream.flight, Failed::Timeout, now);
                    any = true;
                }
            }
            if any {
                self.drive(at);
            }
        }
        self.front.shed_late(now);
    }
}

/// The request of a flight in HTTP/2's words; `None` where it has none.
fn request(requests: &Requests, pool: &Pool<'_>, flight: Flight) -> Option<http::Request<()>> {
    let endpoint = requests.endpoint(flight.pick);
    let path = requests.path(flight.pick, pool.clock.now());
    let scheme = if pool.tls.is_some() { "https" } else { "http" };
    let uri =
        http::Uri::builder().scheme(scheme).authority(requests.authority()).path_and_query(path);
    let mut builder = http::Request::builder()
        .method(endpoint.method.name())
        .uri(uri.build().ok()?)
        .version(http::Version::HTTP_2);
    for (name, value) in requests.headers(flight.pick) {
        builder = builder.header(name, value);
    }
    builder.body(()).ok()
}
