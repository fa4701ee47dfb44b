//! One HTTP/2 connection that is driven by hand: it is polled when its socket has something, and nobody
//! else wakes it.

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{self, Connection, ResponseFuture, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::front::Flight;
use super::super::tally::Failed;
use super::super::transport::Transport;

/// Requests side by side on a connection, where the server lets them.
pub(super) const STREAMS: usize = 100;
/// How much of bodies may be under way at once, in bytes: they are let go as they come.
const WINDOW: u32 = 1 << 20;

/// A connection.
pub(super) struct Line {
    pub(super) wire: Wire,
    pub(super) state: State,
    pub(super) streams: Vec<Slot>,
    /// Streams that are under way.
    pub(super) busy: usize,
    /// Whether anything was answered on it.
    pub(super) was_heard: bool,
    flag: Arc<Flag>,
    waker: Waker,
}

/// How far a connection is.
pub(super) enum State {
    Connecting,
    Tls,
    /// The preface and the first settings are on their way.
    Greeting(Pin<Box<Greeting>>),
    Open(SendRequest<Bytes>, Box<Connection<Wire, Bytes>>),
}

type Greeting = dyn std::future::Future<Output = Result<(SendRequest<Bytes>, Connection<Wire, Bytes>), h2::Error>>;

/// A place for a request.
pub(super) struct Slot {
    pub(super) stream: Option<Stream>,
    flag: Arc<Flag>,
    waker: Waker,
}

/// A request under way.
pub(super) struct Stream {
    pub(super) flight: Flight,
    pub(super) status: u16,
    part: Part,
}

enum Part {
    Head(ResponseFuture),
    Body(RecvStream),
}

/// What became of a stream.
pub(super) enum Came {
    Nothing,
    /// Its head: name and value of each line.
    Head(http::HeaderMap),
    /// All of it.
    End,
    Broken,
}

impl Line {
    pub(super) fn new(transport: Transport) -> Self {
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let wire = Wire(Rc::new(RefCell::new(transport)));
        let streams = (0..STREAMS).map(|_| Slot::new()).collect();
        Self { wire, state: State::Connecting, streams, busy: 0, was_heard: false, flag, waker }
    }

    /// Begins to speak HTTP/2.
    pub(super) fn greet(&mut self) {
        let mut builder = client::Builder::new();
        builder
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .enable_push(false);
        let wire = Wire(Rc::clone(&self.wire.0));
        self.state = State::Greeting(Box::pin(async move { builder.handshake(wire).await }));
    }

    /// Goes on; an error where the connection is over.
    pub(super) fn drive(&mut self) -> Result<(), Failed> {
        loop {
            self.flag.0.store(false, Ordering::Relaxed);
            let mut context = Context::from_waker(&self.waker);
            match &mut self.state {
                State::Connecting | State::Tls => return Ok(()),
                State::Greeting(greeting) => match greeting.as_mut().poll(&mut context) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok((send, connection))) => {
                        self.state = State::Open(send, Box::new(connection));
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Err(failed(&error)),
                },
                State::Open(_, connection) => {
                    match Pin::new(&mut **connection).poll(&mut context) {
                        Poll::Pending => {}
                        Poll::Ready(Ok(())) => return Err(Failed::Connection),
                        Poll::Ready(Err(error)) => return Err(failed(&error)),
                    }
                }
            }
            self.wire.0.borrow_mut().flush().map_err(|_| Failed::Connection)?;
            if !self.flag.0.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    /// How many more requests it takes now.
    pub(super) fn room(&self) -> usize {
        match &self.state {
            State::Open(send, _) => {
                send.current_max_send_streams().min(STREAMS).saturating_sub(self.busy)
            }
            _ => 0,
        }
    }

    /// Hands a request over; it leaves when the line is driven.
    pub(super) fn send(
        &mut self,
        request: http::Request<()>,
        body: &str,
        flight: Flight,
    ) -> Result<(), Flight> {
        let State::Open(send, _) = &mut self.state else { return Err(flight) };
        let Some(slot) = self.streams.iter_mut().find(|slot| slot.stream.is_none()) else {
            return Err(flight);
        };
        let mut context = Context::from_waker(&self.waker);
        if !matches!(send.poll_ready(&mut context), Poll::Ready(Ok(()))) {
            return Err(flight);
        }
        let Ok((answer, mut stream)) = send.send_request(request, body.is_empty()) else {
            return Err(flight);
        };
        if !body.is_empty()
            && stream.send_data(Bytes::copy_from_slice(body.as_bytes()), true).is_err()
        {
            return Err(flight);
        }
        slot.flag.0.store(true, Ordering::Relaxed);
        slot.stream = Some(Stream { flight, status: 0, part: Part::Head(answer) });
        self.busy += 1;
        Ok(())
    }
}

fn failed(error: &h2::Error) -> Failed {
    if error.is_io() { Failed::Connection } else { Failed::Malformed }
}

impl Slot {
    fn new() -> Self {
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        Self { stream: None, flag, waker }
    }

    /// What came for its stream since it was asked last.
    pub(super) fn poll(&mut self) -> Came {
        let Some(stream) = &mut self.stream else { return Came::Nothing };
        if !self.flag.0.swap(false, Ordering::Relaxed) {
            return Came::Nothing;
        }
        let mut context = Context::from_waker(&self.waker);
        loop {
            match &mut stream.part {
                Part::Head(answer) => match Pin::new(answer).poll(&mut context) {
                    Poll::Pending => return Came::Nothing,
                    Poll::Ready(Err(_)) => return Came::Broken,
                    Poll::Ready(Ok(answer)) => {
                        stream.status = answer.status().as_u16();
                        let (head, body) = answer.into_parts();
                        stream.part = Part::Body(body);
                        // The body has its turn next.
                        self.flag.0.store(true, Ordering::Relaxed);
                        return Came::Head(head.headers);
                    }
                },
                Part::Body(body) => match body.poll_data(&mut context) {
                    Poll::Pending => return Came::Nothing,
                    Poll::Ready(None) => return Came::End,
                    Poll::Ready(Some(Err(_))) => return Came::Broken,
                    Poll::Ready(Some(Ok(piece))) => {
                        // What is not given back is asked for no more, and the answer would never end.
                        if body.flow_control().release_capacity(piece.len()).is_err() {
                            return Came::Broken;
                        }
                    }
                },
            }
        }
    }
}

/// Set by whoever has something for a connection or a stream.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A transport as HTTP/2 reads and writes it. It never registers a waker: its socket's events do.
pub(super) struct Wire(pub(super) Rc<RefCell<Transport>>);

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            return match self.0.borrow_mut().receive(buffer.initialize_unfilled()) {
                Ok(came) => {
                    buffer.advance(came);
                    Poll::Ready(Ok(()))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Poll::Ready(Err(error)),
            };
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.0.borrow_mut().send(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            other => Poll::Ready(other),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.borrow_mut().flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
