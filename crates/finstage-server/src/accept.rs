//! Connections: accepted within their bounds, and kept until they end or all of it stops.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::options::Limits;
use crate::serve::Reply;

/// How long accepting rests when the system has no more descriptors.
const REST: Duration = Duration::from_millis(50);

/// What answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Bounds of what comes in.
    fn limits(&self) -> Limits;

    /// How long connections may take to end when it stops.
    fn grace(&self) -> Duration;

    /// A connection was closed because there are too many.
    fn refused(&self);

    /// Answers a request; there is always an answer.
    fn handle(self: Arc<Self>, came: Came) -> impl Future<Output = Reply> + Send;
}

/// A request, from where, and what tells that the server stops.
pub(crate) struct Came {
    pub(crate) request: Request<Incoming>,
    pub(crate) peer: SocketAddr,
    pub(crate) stop: watch::Receiver<bool>,
}

/// Accepts connections until `stop` turns true, and waits for those that are open.
pub(crate) async fn accept<H: Handler>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    handler: Arc<H>,
    mut stop: watch::Receiver<bool>,
) {
    let most = handler.limits().connections;
    let room = Arc::new(Semaphore::new(most));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((socket, peer)) = accepted else {
            tokio::time::sleep(REST).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            handler.refused();
            continue;
        };
        let (handler, tls, stop) = (Arc::clone(&handler), tls.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            connection((socket, peer), tls, handler, stop).await;
        });
    }
    drop(listener);
    // Every connection holds a place: all are back when the last has ended.
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(handler.grace(), room.acquire_many(all)).await;
}

async fn connection<H: Handler>(
    (socket, peer): (TcpStream, SocketAddr),
    tls: Option<TlsAcceptor>,
    handler: Arc<H>,
    stop: watch::Receiver<bool>,
) {
    // Small messages leave at once.
    let _ = socket.set_nodelay(true);
    match tls {
        None => talk(socket, peer, handler, stop).await,
        Some(tls) => {
            let time = handler.limits().head_time;
            let shaken = tokio::time::timeout(time, tls.accept(socket)).await;
            if let Ok(Ok(socket)) = shaken {
                talk(socket, peer, handler, stop).await;
            }
        }
    }
}

async fn talk<S, H: Handler>(
    socket: S,
    peer: SocketAddr,
    handler: Arc<H>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (limits, grace) = (handler.limits(), handler.grace());
    let until = stop.clone();
    let service = service_fn(move |request| {
        let (handler, came) = (Arc::clone(&handler), Came { request, peer, stop: until.clone() });
        async move { Ok::<_, std::convert::Infallible>(handler.handle(came).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers)
        .half_close(false);
    let connection = http.serve_connection(TokioIo::new(socket), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let is_over = tokio::select! {
        _ = connection.as_mut() => true,
        stopping = stop.wait_for(|stop| *stop) => {
            drop(stopping);
            false
        }
    };
    if !is_over {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(grace, connection).await;
    }
}
