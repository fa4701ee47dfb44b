//! How long a question lay here, and how often it was sent: what its attempts took at the server is known to
//! whoever carries them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use finstage_net::{
    Carried, Client, Error, Opened, Request, Response, Socket, SocketOptions, Transport,
};
use tokio::time::Instant;

/// The figures of one question.
#[derive(Debug)]
pub(super) struct Meter {
    began: Instant,
    attempts: AtomicU64,
    out_nanos: AtomicU64,
    is_lost: AtomicBool,
}

impl Meter {
    /// Begins with this moment; what `client` sends is counted.
    pub(super) fn on(client: &Client) -> (Arc<Self>, Client) {
        let meter = Arc::new(Self {
            began: Instant::now(),
            attempts: AtomicU64::new(0),
            out_nanos: AtomicU64::new(0),
            is_lost: AtomicBool::new(false),
        });
        let inner = Arc::clone(client.transport());
        let metered = Metered { inner, meter: Arc::clone(&meter) };
        (meter, client.carried_by(Arc::new(metered)))
    }

    /// The headers that tell it.
    pub(super) fn headers(&self) -> [(String, String); 2] {
        let out = Duration::from_nanos(self.out_nanos.load(Ordering::Relaxed));
        let wait = self.began.elapsed().saturating_sub(out);
        [
            ("x-finstage-wait-ms".to_owned(), wait.as_millis().to_string()),
            ("x-finstage-attempts".to_owned(), self.attempts.load(Ordering::Relaxed).to_string()),
        ]
    }

    fn out(self: &Arc<Self>) -> Out {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        Out { meter: Arc::clone(self), since: Instant::now(), is_back: false }
    }

    /// Whether an attempt may have reached the server, and nobody knows what became of it.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}

/// An attempt that is out; it ends with this value.
struct Out {
    meter: Arc<Meter>,
    since: Instant,
    is_back: bool,
}

impl Out {
    /// It came back with this.
    fn ended<T>(&mut self, end: &Result<T, Error>) {
        self.is_back = end.as_ref().map_or_else(|why| !why.maybe_sent(), |_| true);
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        let nanos = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.meter.out_nanos.fetch_add(nanos, Ordering::Relaxed);
        if !self.is_back {
            self.meter.is_lost.store(true, Ordering::Relaxed);
        }
    }
}

/// Carries as another does, and counts.
#[derive(Debug)]
struct Metered {
    inner: Arc<dyn Transport>,
    meter: Arc<Meter>,
}

impl Transport for Metered {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            let mut out = self.meter.out();
            let end = self.inner.send(request).await;
            out.ended(&end);
            end
        })
    }

    fn open<'a>(&'a self, request: &'a Request) -> Carried<'a, Opened> {
        Box::pin(async move {
            let mut out = self.meter.out();
            let end = self.inner.open(request).await;
            out.ended(&end);
            end
        })
    }

    fn connect<'a>(&'a self, url: &'a str, options: &'a SocketOptions) -> Carried<'a, Socket> {
        self.inner.connect(url, options)
    }
}
