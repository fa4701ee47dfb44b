//! A transport that answers as a script says, in the test's own time: no sockets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finstage_net::{
    Carried, Error, ErrorKind, Request, Response, Socket, SocketOptions, Transport,
};
use tokio::time::{Instant, sleep};

/// What happens to one request.
pub(crate) struct Act {
    pub(crate) after: Duration,
    pub(crate) end: Result<Response, Error>,
}

impl Act {
    pub(crate) fn after(self, millis: u64) -> Self {
        Self { after: Duration::from_millis(millis), ..self }
    }
}

type Play = dyn Fn(u64, &Request) -> Act + Send + Sync;

/// Answers the n-th request as `play` says, and writes down what was asked when.
pub(crate) struct Scripted {
    play: Box<Play>,
    origin: Instant,
    asked: Mutex<Vec<(Duration, String)>>,
    sent: AtomicU64,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub(crate) fn new(play: impl Fn(u64, &Request) -> Act + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            play: Box::new(play),
            origin: Instant::now(),
            asked: Mutex::default(),
            sent: AtomicU64::new(0),
        })
    }

    /// Requests that came.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// When each came, in milliseconds since the beginning.
    pub(crate) fn times(&self) -> Vec<u128> {
        self.asked.lock().unwrap().iter().map(|(at, _)| at.as_millis()).collect()
    }

    /// The addresses, in order.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(_, url)| url.clone()).collect()
    }
}

impl Transport for Scripted {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            self.asked.lock().unwrap().push((self.origin.elapsed(), request.url().to_owned()));
            let act = (self.play)(number, request);
            sleep(act.after).await;
            act.end
        })
    }

    fn connect<'a>(&'a self, url: &'a str, _: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async move { Err(Error::new(ErrorKind::Unavailable, url)) })
    }
}

/// An answer with this status.
pub(crate) fn status(status: u16) -> Act {
    answer(status, &[], "")
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Act {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let end = Ok(Response { status, headers, body: body.as_bytes().to_vec() });
    Act { after: Duration::ZERO, end }
}

/// The connection cannot be made: nothing was sent.
pub(crate) fn no_connection() -> Act {
    Act { after: Duration::ZERO, end: Err(Error::new(ErrorKind::Unavailable, "cannot connect")) }
}

/// The connection breaks: nobody knows what became of the request.
pub(crate) fn broken() -> Act {
    let error = Error::new(ErrorKind::Unavailable, "connection broke").after_sending();
    Act { after: Duration::ZERO, end: Err(error) }
}
