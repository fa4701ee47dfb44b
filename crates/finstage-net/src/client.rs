use std::sync::Arc;
use std::time::Duration;

use finstage_model::Clock;
use tokio::time::{Instant, timeout_at};

use crate::call::{Answer, Call, Limit, Rest, Way};
use crate::network::READ_TIMEOUT;
use crate::{
    Certificate, Error, ErrorKind, Network, Phase, Remote, Request, Response, Sign, Streamed,
    SystemClock, Terms, Token, TokenCell, Traffic, Transport,
};

/// Limits of a [`Client`] on the network.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The longest time to a connection, TLS included.
    pub connect_timeout: Duration,
    /// The longest silence of the server: before the head of its answer, and between pieces of the
    /// body.
    pub read_timeout: Duration,
    /// The longest time from a free place among the connections to the last byte of the answer, and
    /// for such a place.
    pub total_timeout: Duration,
    /// The same for an answer that is read piece by piece ([`Client::open`]), which has only this and
    /// `read_timeout`.
    pub stream_timeout: Duration,
    /// The largest body, decompressed; not of an answer that is read piece by piece.
    pub max_body_bytes: usize,
    /// The most requests, and with them connections, to one host at once; further ones wait.
    pub connections_per_host: usize,
    /// How long a connection that nobody uses is kept.
    pub idle_timeout: Duration,
    /// How we name ourselves.
    pub user_agent: String,
    /// The certificate of a server of our own, which is believed beside those that the machine trusts.
    pub own_server: Option<Certificate>,
}

impl Default for ClientOptions {
    /// 5 s, 15 s, 15 s, 15 minutes, 16 MiB, 32 connections kept for 30 s, `finstage`.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            read_timeout: READ_TIMEOUT,
            total_timeout: Duration::from_secs(15),
            stream_timeout: Duration::from_secs(900),
            max_body_bytes: 16 << 20,
            connections_per_host: 32,
            idle_timeout: Duration::from_secs(30),
            user_agent: "finstage".to_owned(),
            own_server: None,
        }
    }
}

/// Sends requests. Cheap to clone; clones share their connections.
///
/// By itself it sends once. [`Client::at`] a remote it keeps that server's limits, repeats what may
/// be repeated, and leaves alone who fails.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    remote: Option<Remote>,
    token: Option<TokenUse>,
}

#[derive(Debug, Clone)]
struct TokenUse {
    cell: TokenCell,
    put: fn(Request, &Token) -> Request,
}

impl Client {
    /// A client on the network with these limits.
    ///
    /// # Errors
    /// When the user agent is not a header value or the platform offers no trust roots.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        Ok(Self::over(Arc::new(Network::new(options)?)))
    }

    /// A client over any transport.
    #[must_use]
    pub fn over(transport: Arc<dyn Transport>) -> Self {
        Self { transport, remote: None, token: None }
    }

    /// The same connections, under the limits, the breaker and the retries of `remote`.
    #[must_use]
    pub fn at(&self, remote: &Remote) -> Self {
        Self { remote: Some(remote.clone()), ..self.clone() }
    }

    /// The same with a token in each request, put there by `put`. A request that the server refuses
    /// because its token is not valid any more ([`Sign::TokenExpired`]) is sent once more with a new one.
    #[must_use]
    pub fn with_token(&self, cell: &TokenCell, put: fn(Request, &Token) -> Request) -> Self {
        Self { token: Some(TokenUse { cell: cell.clone(), put }), ..self.clone() }
    }

    /// The same remote, limits and token, with requests and sockets carried by `transport`.
    #[must_use]
    pub fn carried_by(&self, transport: Arc<dyn Transport>) -> Self {
        Self { transport, ..self.clone() }
    }

    /// What carries its requests; for sockets, which are opened by the same.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// The server it is meant for.
    #[must_use]
    pub const fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// Requests and connections so far, of all clients that share them.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.transport.traffic()
    }

    /// Sends a request and reads its answer, whatever the status. Redirects are not followed.
    ///
    /// # Errors
    /// When there is no answer within the limits: see [`ErrorKind`].
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        self.ask(request, Way::Whole).await.map(|answer| answer.response)
    }

    /// Sends a request and gives its answer as soon as the head is there; the body is read piece by
    /// piece. Limits, breaker and repetitions are those of [`Client::send`] until then, and the place
    /// among the requests that are out is held until the last piece. [`Terms::judge`] sees the head of
    /// a success, and the whole of another answer. The body has [`ClientOptions::stream_timeout`] and
    /// [`Request::within`], and no bound on its size.
    ///
    /// # Errors
    /// When there is no head within the limits: see [`ErrorKind`].
    pub async fn open(&self, request: &Request) -> Result<Streamed, Error> {
        self.ask(request, Way::Head).await.map(|answer| answer.streamed(request))
    }

    async fn ask(&self, request: &Request, way: Way) -> Result<Answer, Error> {
        let deadline = self.deadline(request);
        let Some(token) = &self.token else { return self.deliver(request, (deadline, way)).await };
        let first = token.get(request, deadline).await?;
        let answer = self.deliver(&token.put_into(request, &first), (deadline, way)).await?;
        if answer.sign != Sign::TokenExpired {
            return Ok(answer);
        }
        token.cell.expire(&first);
        let second = token.get(request, deadline).await?;
        let answer = self.deliver(&token.put_into(request, &second), (deadline, way)).await?;
        if answer.sign == Sign::TokenExpired {
            // Not used again by anyone; a third attempt is the caller's to make.
            token.cell.expire(&second);
        }
        Ok(answer)
    }

    /// Sends as it is: how tokens themselves are asked for.
    pub(crate) async fn send_without_token(&self, request: &Request) -> Result<Response, Error> {
        let deadline = self.deadline(request);
        self.deliver(request, (deadline, Way::Whole)).await.map(|answer| answer.response)
    }

    fn deadline(&self, request: &Request) -> Option<Instant> {
        self.remote.as_ref().map(|remote| remote.deadline(request))
    }

    async fn deliver(
        &self,
        request: &Request,
        (deadline, way): (Option<Instant>, Way),
    ) -> Result<Answer, Error> {
        let transport = &*self.transport;
        if let (Some(remote), Some(deadline)) = (&self.remote, deadline) {
            return Call { remote, transport, request, deadline, way }.run().await;
        }
        let limit = Limit::of(request, None);
        let sign = |response: &Response| (Terms::PLAIN.judge)(response, SystemClock.now());
        if way == Way::Whole {
            let response = limit.keep(request, transport.send(request)).await?;
            return Ok(Answer { sign: sign(&response), response, rest: None });
        }
        let open = async { Ok(transport.open(request).await?.split().await) };
        let (response, body) = limit.keep(request, open).await?;
        let rest = body.map(|body| Rest { body, limit, place: None });
        Ok(Answer { sign: sign(&response), response, rest })
    }
}

impl TokenUse {
    /// A valid token, within the time of the call that needs it.
    async fn get(&self, request: &Request, deadline: Option<Instant>) -> Result<Token, Error> {
        let Some(deadline) = deadline else { return self.cell.get().await };
        timeout_at(deadline, self.cell.get()).await.unwrap_or_else(|_| {
            let message = format!("{request}: no token in time");
            Err(Error::new(ErrorKind::Timeout, message).during(Phase::Turn))
        })
    }

    fn put_into(&self, request: &Request, token: &Token) -> Request {
        (self.put)(request.clone().hide(&token.secret), token)
    }
}
