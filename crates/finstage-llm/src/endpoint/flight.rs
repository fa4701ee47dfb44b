//! What becomes of the requests of one question: how many left, whether one is out, and how long the good one
//! took. It stands between the client, which waits and repeats, and what carries.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use finstage_net::{
    Carried, Client, Error, ErrorKind, Request, Response, Socket, SocketOptions, Transport,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Sent;
use crate::Halt;

/// The requests of one question.
pub(super) struct Flight {
    inner: Arc<dyn Transport>,
    halt: Halt,
    sent: AtomicU32,
    out: AtomicU32,
    is_lost: AtomicBool,
    /// Nanoseconds of the last good answer; 0 where there is none.
    took: AtomicU64,
    /// Told whenever nothing is out any more.
    quiet: Notify,
}

/// What is said for a request that may not leave any more.
const STOPPED: &str = "stopped before it was sent";

impl Flight {
    pub(super) fn new(inner: Arc<dyn Transport>, halt: Halt) -> Self {
        Self {
            inner,
            halt,
            sent: AtomicU32::new(0),
            out: AtomicU32::new(0),
            is_lost: AtomicBool::new(false),
            took: AtomicU64::new(0),
            quiet: Notify::new(),
        }
    }

    /// Sends through `client`, which must be carried by this. `None` when all was stopped while nothing
    /// was out; what is out comes back.
    pub(super) async fn fly(
        &self,
        client: &Client,
        request: &Request,
    ) -> Option<Result<Response, Error>> {
        let send = client.send(request);
        tokio::pin!(send);
        tokio::select! {
            biased;
            end = &mut send => return Some(end),
            () = self.halt.stopped() => {}
        }
        while self.out.load(Ordering::Acquire) > 0 {
            tokio::select! {
                biased;
                end = &mut send => return Some(end),
                () = self.quiet.notified() => {}
            }
        }
        None
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halt.is_stopped()
    }

    /// Whether the error says that the request was kept back here.
    pub(super) fn is_stopped_error(&self, error: &Error) -> bool {
        error.kind() == ErrorKind::Invalid && error.to_string().ends_with(STOPPED)
    }

    pub(super) fn sent(&self) -> Sent {
        Sent {
            requests: self.sent.load(Ordering::Relaxed),
            is_lost: self.is_lost.load(Ordering::Relaxed),
        }
    }

    /// How long the good answer took.
    pub(super) fn landed(&self) -> Option<Duration> {
        let nanos = self.took.load(Ordering::Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }
}

/// A request that is out. One that is given up without an answer is lost.
struct Out<'a> {
    flight: &'a Flight,
    is_back: bool,
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        if !self.is_back {
            self.flight.is_lost.store(true, Ordering::Relaxed);
        }
        if self.flight.out.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.flight.quiet.notify_one();
        }
    }
}

impl Transport for Flight {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            if self.halt.is_stopped() {
                return Err(Error::new(ErrorKind::Invalid, format!("{request}: {STOPPED}")));
            }
            self.sent.fetch_add(1, Ordering::Relaxed);
            self.out.fetch_add(1, Ordering::AcqRel);
            let mut out = Out { flight: self, is_back: false };
            let begun = Instant::now();
            let end = self.inner.send(request).await;
            out.is_back = end.as_ref().map_or_else(|error| !error.maybe_sent(), |_| true);
            if end.as_ref().is_ok_and(Response::is_success) {
                let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.took.store(nanos.max(1), Ordering::Relaxed);
            }
            end
        })
    }

    fn connect<'a>(&'a self, url: &'a str, options: &'a SocketOptions) -> Carried<'a, Socket> {
        self.inner.connect(url, options)
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("sent", &self.sent()).finish_non_exhaustive()
    }
}
