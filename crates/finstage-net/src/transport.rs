//! What carries requests and frames: the network, or a simulated one in a test's own time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{Error, Opened, Request, Response, Socket, SocketOptions};

/// A future that a [`Transport`] gives.
pub type Carried<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Carries one request, or opens one connection. It repeats nothing and waits for nobody's turn:
/// that is the work of [`crate::Client`].
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request and gives its answer, whatever the status.
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response>;

    /// Sends a request and gives its answer as soon as the head is there. Who cannot part them gives
    /// the whole in one piece.
    fn open<'a>(&'a self, request: &'a Request) -> Carried<'a, Opened> {
        Box::pin(async move { self.send(request).await.map(Opened::whole) })
    }

    /// Opens a WebSocket connection.
    fn connect<'a>(&'a self, url: &'a str, options: &'a SocketOptions) -> Carried<'a, Socket>;

    /// How requests and connections relate so far; nothing where there are no connections.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// Requests and the connections they went over. Both only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Requests handed to connections.
    pub requests: u64,
    /// Connections opened. As long as it stays behind, connections are used again.
    pub connections: u64,
}
