//! One request: looked at, answered, counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::accept::{Came, Handler};
use crate::annex::Outgoing;
use crate::answer::Answer;
use crate::app::App;
use crate::dashboard;
use crate::guard::{self, Purpose};
use crate::options::Limits;
use crate::problem::Problem;
use crate::query::{Query, decode, refuse_secret};
use crate::routes::{self, Call, Gate, Route, Work};
use crate::server::STOP_MAX;
use crate::stream;

/// Bytes that a stream's socket reads and writes at once: there may be thousands.
const SOCKET_BYTES: usize = 4 << 10;
/// The most bytes that may wait in a stream's socket.
const SOCKET_MAX_BYTES: usize = 4 << 20;

/// An answer as it leaves.
pub(crate) type Reply = Response<Outgoing>;

impl Handler for App {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn grace(&self) -> Duration {
        STOP_MAX
    }

    fn refused(&self) {
        self.metrics.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    async fn handle(self: Arc<Self>, came: Came) -> Reply {
        let Came { request, peer, stop } = came;
        let Some(wing) = self.wing.as_ref().filter(|wing| wing.owns(request.uri().path())) else {
            return handle(self, request, stop).await;
        };
        // Its requests may wait long for others: they take none of the places of ours.
        let (began, method) = (Instant::now(), method_word(request.method()));
        let reply = wing.handle(&self.hosts, request, peer).await;
        let seconds = began.elapsed().as_secs_f64();
        self.metrics.request(method, wing.path(), (reply.status().as_u16(), seconds));
        reply
    }
}

/// Answers a request; there is always an answer.
async fn handle(app: Arc<App>, request: Request<Incoming>, stop: watch::Receiver<bool>) -> Reply {
    let began = Instant::now();
    let path = request.uri().path().to_owned();
    let is_head = request.method() == Method::HEAD;
    let mut seen = Seen { method: method_word(request.method()), route: "other" };
    let answer = match app.requests.try_acquire() {
        Err(_) => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too busy: ask again in a second"))
        }
        Ok(_turn) => answer(&app, request, stop, &mut seen).await,
    };
    let reply = match answer {
        Ok(Outcome::Answer(answer)) => reply(answer, is_head).map(Either::Left),
        Ok(Outcome::Stream(reply)) => reply,
        Err(problem) => {
            if problem.status == StatusCode::UNAUTHORIZED {
                app.metrics.unauthorized.fetch_add(1, Ordering::Relaxed);
            }
            reply(problem.answer(&path), is_head).map(Either::Left)
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    app.metrics.request(seen.method, seen.route, (reply.status().as_u16(), seconds));
    reply
}

/// What is counted of a request.
struct Seen {
    method: &'static str,
    route: &'static str,
}

enum Outcome {
    Answer(Answer),
    Stream(Reply),
}

async fn answer(
    app: &Arc<App>,
    request: Request<Incoming>,
    stop: watch::Receiver<bool>,
    seen: &mut Seen,
) -> Result<Outcome, Problem> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let asset = dashboard::find(&path);
    let found = routes::find(&path);
    let purpose = match &found {
        _ if asset.is_some() => Purpose::Page,
        Some(found) => found.routes[0].purpose(),
        None => Purpose::Data,
    };
    guard::check_place(&app.hosts, request.headers(), &method, purpose)?;
    if let Some(asset) = asset {
        seen.route = asset.path;
        return file(app, &request, asset).await.map(Outcome::Answer);
    }
    let proof = guard::proof(&app.keys, request.headers(), app.wall.now());
    let is_open =
        found.as_ref().is_some_and(|found| found.routes.iter().all(|r| r.gate == Gate::Open));
    if proof.is_none() && !is_open {
        return Err(refuse_strangers(request.uri().query()));
    }
    let Some(found) = found else {
        return Err(Problem::not_found("nothing is here; /docs lists everything"));
    };
    seen.route = found.routes[0].path;
    let wanted = if method == Method::HEAD { "GET" } else { method.as_str() };
    let Some(route) = found.routes.iter().find(|route| route.method == wanted) else {
        let mut problem = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{} is not possible here", method_word(&method)),
        );
        problem.allow = Some(routes::allowed(&found.routes));
        return Err(problem);
    };
    if let Some(proof) = proof
        && route.method != "GET"
    {
        guard::check_writing(proof, request.headers())?;
    }
    let query = Query::read(request.uri().query().unwrap_or_default(), route.params)?;
    if matches!(route.work, Work::Stream) {
        return upgrade(app, request, stop).map(Outcome::Stream);
    }
    let id = decode(&found.id)?;
    done(app, route, (id, query), request).await.map(Outcome::Answer)
}

/// Does what a route does.
async fn done(
    app: &Arc<App>,
    route: &'static Route,
    (id, query): (String, Query),
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let address = request.uri().to_string();
    if route.path == "/api/v1/logins"
        && route.method == "DELETE"
        && let Some(session) = guard::session(request.headers())
    {
        app.keys.sign_out(session);
        let keys = Arc::clone(&app.keys);
        app.ask(move || keys.keep_sessions()).await?;
    }
    let body = match route.body {
        Some(_) => body(app, request).await?,
        None => Bytes::new(),
    };
    let call = Call { id, query, body };
    let (work, is_kept) = match route.work {
        Work::Now(work) => return work(app, &call),
        Work::Store(work) => (work, false),
        Work::Kept(work) => (work, true),
        Work::Stream => return Err(Problem::not_found("this is a WebSocket")),
    };
    let generation = app.hub.generation();
    if is_kept && let Some(answer) = app.kept.get(generation, &address) {
        return Ok(answer);
    }
    let at_desk = Arc::clone(app);
    let answer = app.ask(move || Ok(work(&at_desk, &call))).await?;
    if let (true, Ok(answer)) = (is_kept, &answer) {
        app.kept.keep(generation, &address, answer);
    }
    answer
}

/// What whoever proves nothing is told: the same everywhere, but for a secret in the address, which
/// its owner must hear of.
fn refuse_strangers(query: Option<&str>) -> Problem {
    for pair in query.unwrap_or_default().split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        if let Err(problem) = decode(name).and_then(|name| refuse_secret(&name)) {
            return problem;
        }
    }
    Problem::unauthorized()
}

/// A file of the page; the page itself takes a one-time code.
async fn file(
    app: &App,
    request: &Request<Incoming>,
    asset: &dashboard::Asset,
) -> Result<Answer, Problem> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "a file can only be read");
        problem.allow = Some("GET, HEAD".to_owned());
        return Err(problem);
    }
    let query = request.uri().query().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        refuse_secret(&decode(name)?)?;
        if name == "login" && asset.path == "/" && *request.method() == Method::GET {
            return sign_in(app, value).await;
        }
    }
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let reads_gzip = text(ACCEPT_ENCODING)
        .is_some_and(|list| list.split(',').any(|one| one.trim().starts_with("gzip")));
    Ok(asset.answer(text(IF_NONE_MATCH), reads_gzip))
}

/// Leads to the page, signed in where the code is good; the page says how to get another.
async fn sign_in(app: &App, code: &str) -> Result<Answer, Problem> {
    let session = app.keys.sign_in(code, app.wall.now())?;
    let mut answer = Answer::of("text/plain; charset=utf-8", "").with("location", "/");
    answer.status = StatusCode::SEE_OTHER;
    Ok(match session {
        None => answer,
        Some(session) => {
            let keys = Arc::clone(&app.keys);
            if let Err(error) = app.ask(move || keys.keep_sessions()).await {
                tracing::warn!("the next restart signs out a browser that came in now: {error}");
            }
            let secure = if app.about.is_tls { "; Secure" } else { "" };
            let age = crate::auth::SESSION_LIFE.as_secs();
            let cookie = format!(
                "{}={session}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}",
                crate::auth::COOKIE
            );
            answer.with("set-cookie", cookie)
        }
    })
}

/// The body of a request, which is JSON within its bounds.
async fn body(app: &App, request: Request<Incoming>) -> Result<Bytes, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the body as Content-Type: application/json",
        ));
    }
    let max = app.limits.body_bytes;
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {max} bytes"));
    if request.body().size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    let collected = Limited::new(request.into_body(), max).collect();
    match timeout(app.limits.body_time, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad("the body could not be read")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

/// Turns the request into a stream.
fn upgrade(
    app: &Arc<App>,
    mut request: Request<Incoming>,
    stop: watch::Receiver<bool>,
) -> Result<Reply, Problem> {
    let headers = request.headers();
    let has = |name: HeaderName, word: &str| {
        let texts = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        texts.flat_map(|list| list.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    let is_upgrade = has(CONNECTION, "upgrade")
        && has(UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let (true, Some(key)) = (is_upgrade, key) else {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "this is a WebSocket: connect with a WebSocket client of version 13",
        ));
    };
    let accept = derive_accept_key(key);
    let Some(mailbox) = app.hub.join(app.limits.clients, app.limits.waiting_messages) else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many clients of the stream",
        ));
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(SOCKET_BYTES)
        .write_buffer_size(SOCKET_BYTES)
        .max_write_buffer_size(SOCKET_MAX_BYTES)
        .max_message_size(Some(app.limits.message_bytes))
        .max_frame_size(Some(app.limits.message_bytes));
    let upgrading = hyper::upgrade::on(&mut request);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(upgraded) => {
                let io = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
                stream::serve(socket, app, mailbox, stop).await;
            }
            Err(_) => app.hub.leave(&mailbox),
        }
    });
    let mut reply = Response::new(Either::Left(Full::default()));
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(&accept).map_err(|_| Problem::bad("a broken key"))?;
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(reply)
}

/// An answer as it goes out, with what every answer carries.
pub(crate) fn reply(answer: Answer, is_head: bool) -> Response<Full<Bytes>> {
    let Answer { status, kind, body, headers: own } = answer;
    let length = body.len();
    let mut reply = Response::new(Full::new(if is_head { Bytes::new() } else { body }));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if is_head {
            headers.insert(hyper::header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    for (name, value) in guard::HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set(headers, own);
    reply
}

/// Sets an answer's own headers in place of the usual ones.
fn set(headers: &mut HeaderMap, own: Vec<(&'static str, String)>) {
    for (name, value) in own {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Methods as metrics name them: a closed list.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
