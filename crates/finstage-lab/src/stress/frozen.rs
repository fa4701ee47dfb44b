//! A server that stands still on purpose, and what a load test of it must find: the truth follows from
//! when it stood still and when requests were due, by arithmetic.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use finstage_model::{Clock, Timestamp};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::moment::Moment;
use crate::{Error, ErrorKind};

/// What it answers.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
/// Bytes that are read at once.
const READ_AT_ONCE: usize = 16 * 1024;
/// The longest that it waits before it looks whether it is to stop.
const LOOKED_EVERY: Duration = Duration::from_millis(50);
/// Connections that wait to be taken.
const CONNECTIONS_WAITING: i32 = 4_096;
const LISTENER: Token = Token(usize::MAX - 1);

/// How a [`FrozenServer`] stands still: the first time after `every`, then again and again.
#[derive(Debug, Clone, Copy)]
pub struct Freezes {
    /// From one begin to the next.
    pub every: Duration,
    /// How long; zero is never.
    pub length: Duration,
}

/// A running server on this machine. Dropping it ends it.
#[derive(Debug)]
pub struct FrozenServer {
    address: SocketAddr,
    freezes: Log,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A port of this machine. Connections are taken while it stands still: one that is turned away tries again a
/// second later, which is no wait of this server's making.
fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(CONNECTIONS_WAITING)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// When it stood still: from and to.
type Log = Arc<Mutex<Vec<(Timestamp, Timestamp)>>>;

impl FrozenServer {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where no port or thread can be had.
    pub fn start(plan: Freezes, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let failed = |e: io::Error| {
            Error::new(ErrorKind::Io, format!("starting a server that stands still: {e}"))
                .because(e)
        };
        let mut listener = listen().map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let poll = Poll::new().map_err(failed)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).map_err(failed)?;
        let (stop, stopped) = sync_channel(1);
        let freezes = Log::default();
        let server = Server {
            poll,
            listener,
            connections: Vec::new(),
            plan,
            clock,
            freezes: Arc::clone(&freezes),
            stopped,
        };
        let thread = std::thread::Builder::new().name("frozen".into());
        // It ends when a socket of its own fails; its clients will see that.
        let thread = thread.spawn(move || drop(server.run())).map_err(failed)?;
        Ok(Self { address, freezes, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long requests that were due at these moments had to wait, in ms, because it stood still.
    #[must_use]
    pub fn truth(&self, due: impl Iterator<Item = Timestamp>) -> Vec<f64> {
        let freezes = self.freezes.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |due: Timestamp| {
            let during = freezes.iter().find(|(from, to)| (*from..*to).contains(&due));
            during.map_or(0.0, |(_, to)| to.since(due).as_secs_f64() * 1e3)
        };
        due.map(wait).collect()
    }
}

impl Drop for FrozenServer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    plan: Freezes,
    clock: Arc<dyn Clock>,
    freezes: Log,
    stopped: Receiver<()>,
}

struct Connection {
    stream: TcpStream,
    /// How much of the end of a request came.
    matched: usize,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
}

impl Server {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; READ_AT_ONCE];
        let start = Moment::now();
        let mut freeze_at = self.plan.every;
        loop {
            if !self.plan.length.is_zero() && start.elapsed() >= freeze_at {
                let from = self.clock.now();
                let until = freeze_at + self.plan.length;
                // Whoever ends the server wakes it.
                let rest = until.saturating_sub(start.elapsed());
                let is_over = self.stopped.recv_timeout(rest);
                let frozen = (from, self.clock.now());
                self.freezes.lock().unwrap_or_else(PoisonError::into_inner).push(frozen);
                if is_over != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    return Ok(());
                }
                freeze_at += self.plan.every;
            }
            if self.stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty) {
                return Ok(());
            }
            let rest = freeze_at.saturating_sub(start.elapsed());
            match self.poll.poll(&mut events, Some(rest.min(LOOKED_EVERY))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(at) => {
                        if self.serve(at, &mut buffer).is_err()
                            && let Some(mut gone) = self.connections[at].take()
                        {
                            self.poll.registry().deregister(&mut gone.stream)?;
                        }
                    }
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let at = self.connections.iter().position(Option::is_none);
            let at = at.unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(at), both)?;
            self.connections[at] = Some(Connection { stream, matched: 0, unsent: Vec::new() });
        }
    }

    /// Answers what came on a connection; an error where it is over.
    fn serve(&mut self, at: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return Ok(()) };
        loop {
            let came = match connection.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            for byte in &buffer[..came] {
                if connection.heard(*byte) {
                    connection.unsent.extend_from_slice(ANSWER);
                }
            }
            if came < buffer.len() {
                break;
            }
        }
        connection.write()
    }
}

impl Connection {
    /// Whether a request ends with this byte.
    fn heard(&mut self, byte: u8) -> bool {
        const END: &[u8] = b"\r\n\r\n";
        self.matched = match byte {
            _ if byte == END[self.matched] => self.matched + 1,
            b'\r' => 1,
            _ => 0,
        };
        let is_end = self.matched == END.len();
        if is_end {
            self.matched = 0;
        }
        is_end
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
