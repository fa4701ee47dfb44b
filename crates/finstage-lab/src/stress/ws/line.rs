//! One connection for the whole length of a test: opened, listened to, opened again when it broke.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use super::Plan;
use super::frame::{self, Opcode};
use super::offset::Offset;
use super::opening::{self, NotOpened, Place, Stream};
use super::reader::{Heard, Reader};
use super::sequences::Sequences;
use super::tally::Tally;
use crate::rng::Rng;

/// What a connection waits before it is opened again, at first; doubled each time, until it stays open.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A connection that lived so long begins with the first wait again.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// What one read takes at most; the buffer of a thread.
pub(super) const READ_BYTES: usize = 64 * 1_024;

/// What all connections of a thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) place: Place,
    pub(super) plan: Arc<Plan>,
    pub(super) tally: RefCell<Tally>,
    pub(super) offset: RefCell<Offset>,
    /// What is added to our clock to have the server's, in µs.
    pub(super) correction_us: Cell<i64>,
    pub(super) open: Cell<u64>,
    /// When the last one was opened.
    pub(super) newest: Cell<Instant>,
    pub(super) is_closing: Cell<bool>,
    /// Who listens, to be woken when the test ends.
    pub(super) listeners: RefCell<Vec<Option<Waker>>>,
    pub(super) buffer: RefCell<Box<[u8]>>,
    pub(super) rng: RefCell<Rng>,
    /// A moment of both clocks.
    pub(super) origin: (Instant, i64),
}

impl Shared {
    /// A moment of the monotonic clock in µs of Unix time.
    pub(super) fn unix_us(&self, at: Instant) -> i64 {
        let (origin, unix_us) = self.origin;
        unix_us + i64::try_from((at - origin).as_micros()).unwrap_or(i64::MAX)
    }

    fn mask(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.rng.borrow_mut().next_u64().to_le_bytes();
        [a, b, c, d]
    }

    fn nonce(&self) -> [u8; 16] {
        let mut rng = self.rng.borrow_mut();
        (u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())).to_le_bytes()
    }

    /// Asks all connections to say goodbye.
    pub(super) fn close_all(&self) {
        self.is_closing.set(true);
        for waker in self.listeners.borrow_mut().iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }
}

/// One connection of a test.
pub(super) struct Line {
    pub(super) shared: Rc<Shared>,
    /// Its number among all connections, and its place in this thread.
    pub(super) n: u32,
    pub(super) slot: usize,
}

/// How a connection ended.
enum End {
    /// As we wished.
    Ours,
    /// The server closed it, with a code; 1006 without one.
    Theirs(u16),
}

impl Line {
    /// Opens and listens until the test ends. `permit` is one of the few that open at the same time.
    pub(super) async fn run(self, permit: OwnedSemaphorePermit) {
        let (mut sequences, mut backoff) = (Sequences::default(), FIRST_BACKOFF);
        let (mut permit, mut again) = (Some(permit), 0);
        loop {
            let opened = Box::pin(self.open()).await;
            drop(permit.take());
            if let Some(opened) = opened {
                let began = Instant::now();
                let end = self.listen(opened, &mut sequences).await;
                self.shared.open.set(self.shared.open.get() - 1);
                let End::Theirs(code) = end else { return };
                self.shared.tally.borrow_mut().error(format!("WebSocket_{code}"));
                if began.elapsed() >= STABLE_AFTER {
                    backoff = FIRST_BACKOFF;
                }
            }
            if self.shared.is_closing.get() || again >= self.shared.plan.reconnects {
                return;
            }
            again += 1;
            // Full jitter, so that those that broke together do not come back together.
            let share = self.shared.rng.borrow_mut().unit();
            sleep(backoff.mul_f64(share)).await;
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
            if self.shared.is_closing.get() {
                return;
            }
            self.shared.tally.borrow_mut().reconnects += 1;
        }
    }

    async fn open(&self) -> Option<(Stream, Vec<u8>)> {
        let shared = &self.shared;
        shared.tally.borrow_mut().tried += 1;
        let path = shared.plan.feed.path_of(self.n);
        let asked = (path.as_str(), shared.nonce());
        let opened = opening::open(&shared.place, asked, shared.plan.timeout).await;
        let mut tally = shared.tally.borrow_mut();
        match opened {
            Ok(opened) => {
                tally.opened += 1;
                tally.opening.record(opened.took);
                shared.open.set(shared.open.get() + 1);
                shared.newest.set(Instant::now());
                if let Some((second, left, came)) = opened.date {
                    let (left, came) = (shared.unix_us(left), shared.unix_us(came));
                    shared.offset.borrow_mut().hear(second, (left, came));
                }
                Some((opened.stream, opened.rest))
            }
            Err(error) => {
                tally.failed += 1;
                if let NotOpened::Status(status, wait) = error {
                    tally.rate_limited += u64::from(matches!(status, 429 | 418));
                    tally.is_banned |= matches!(status, 418 | 403);
                    let longest = tally.retry_after_s.into_iter().chain(wait).reduce(f64::max);
                    tally.retry_after_s = longest;
                }
                tally.error(error.name());
                None
            }
        }
    }

    async fn listen(&self, (stream, early): (Stream, Vec<u8>), sequences: &mut Sequences) -> End {
        let mut out = Vec::new();
        for text in self.shared.plan.feed.subscribe_of(self.n) {
            frame::write(&mut out, Opcode::Text, text.as_bytes(), self.shared.mask());
        }
        let (reader, is_leaving) = (Reader::default(), false);
        let mut open = Open { line: self, stream, reader, out, is_leaving, sequences };
        if let Some(end) = open.hear((&early, early.len())) {
            return end;
        }
        drop(early);
        poll_fn(|cx| open.poll(cx)).await
    }
}

/// A connection that is open.
struct Open<'a> {
    line: &'a Line,
    stream: Stream,
    reader: Reader,
    /// What waits to be written: pongs, subscriptions, a goodbye.
    out: Vec<u8>,
    is_leaving: bool,
    sequences: &'a mut Sequences,
}

/// Pongs that wait for a server that does not read, in bytes; then the connection is given up.
const MAX_OUT_BYTES: usize = 64 * 1_024;

impl Open<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let shared = Rc::clone(&self.line.shared);
        if shared.is_closing.get() && !self.is_leaving {
            self.is_leaving = true;
            frame::write_close(&mut self.out, 1000, shared.mask());
        }
        {
            let slot = &mut shared.listeners.borrow_mut()[self.line.slot];
            if !slot.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *slot = Some(cx.waker().clone());
            }
        }
        let mut buffer = shared.buffer.borrow_mut();
        loop {
            if self.flush(cx).is_err() || self.out.len() > MAX_OUT_BYTES {
                return Poll::Ready(self.lost());
            }
            let front = self.reader.lay_out(&mut buffer);
            let mut into = ReadBuf::new(&mut buffer[front..]);
            match Pin::new(&mut self.stream).poll_read(cx, &mut into) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(self.lost()),
                Poll::Ready(Ok(())) => {}
            }
            let length = into.filled().len();
            if length == 0 {
                return Poll::Ready(self.lost());
            }
            if let Some(end) = self.hear((&buffer, front + length)) {
                // The echo of a goodbye, as far as it goes out at once.
                let _ = self.flush(cx);
                return Poll::Ready(end);
            }
        }
    }

    fn lost(&self) -> End {
        if self.is_leaving { End::Ours } else { End::Theirs(1006) }
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.out) {
                Poll::Pending => break,
                Poll::Ready(written) => drop(self.out.drain(..written?)),
            }
        }
        if self.out.is_empty() {
            self.out = Vec::new();
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    fn hear(&mut self, read: (&[u8], usize)) -> Option<End> {
        let shared = &self.line.shared;
        let now_us = shared.unix_us(Instant::now()) + shared.correction_us.get();
        let mut tally = shared.tally.borrow_mut();
        let (mut closed, out, sequences) = (None, &mut self.out, &mut *self.sequences);
        let heard = self.reader.take(read, &mut |heard| match heard {
            Heard::Text(text) => {
                tally.received += 1;
                tally.bytes += text.len() as u64;
                let Some(reading) = shared.plan.feed.dialect.read(text) else {
                    tally.unread += 1;
                    return;
                };
                if let Some(at_us) = reading.at_us {
                    tally.latency.record_micros(now_us.saturating_sub(at_us).max(0).unsigned_abs());
                }
                if let Some(numbers) = reading.numbers {
                    let held = sequences.note(numbers);
                    tally.missed += held.missed;
                    tally.repeated += held.repeated;
                }
            }
            Heard::Binary(bytes) => {
                tally.received += 1;
                tally.bytes += bytes.len() as u64;
            }
            Heard::Ping(payload) => frame::write(out, Opcode::Pong, payload, shared.mask()),
            Heard::Pong => {}
            Heard::Close(code) => closed = Some(code),
        });
        match (heard, closed) {
            (Err(broken), _) => {
                frame::write_close(out, broken.0, shared.mask());
                Some(End::Theirs(broken.0))
            }
            (Ok(()), Some(_)) if self.is_leaving => Some(End::Ours),
            (Ok(()), Some(code)) => {
                // 1005 and 1006 are never sent.
                let echo = if matches!(code, 1005 | 1006) { 1000 } else { code };
                frame::write_close(out, echo, shared.mask());
                Some(End::Theirs(code))
            }
            (Ok(()), None) => None,
        }
    }
}
