//! A model server in a test's own time: no sockets.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finstage_net::{
    Carried, Client, Error, ErrorKind, Request, Response, Socket, SocketOptions, Transport,
};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::providers::OpenAi;
use crate::{
    AskOptions, Asker, CHAT, Done, Endpoint, EndpointOptions, Left, Place, Row, RunOptions,
    Summary, run,
};

/// What happens to a request.
pub(crate) enum Act {
    /// An answer of this status, with these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection breaks after the request was sent.
    Reset,
    /// There is no connection.
    Refused,
    /// Nothing ever comes back.
    Hang,
}

type Play = dyn Fn(u64, &Map<String, Value>) -> (Duration, Act) + Send + Sync;

/// Does with the n-th request what `play` says.
pub(crate) struct Server {
    play: Box<Play>,
    sent: AtomicU64,
    out: AtomicU64,
    most_out: AtomicU64,
    asked: Mutex<Vec<Map<String, Value>>>,
}

impl Server {
    pub(crate) fn new(
        play: impl Fn(u64, &Map<String, Value>) -> (Duration, Act) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let play = Box::new(play);
        let (sent, out, most_out) = Default::default();
        Arc::new(Self { play, sent, out, most_out, asked: Mutex::default() })
    }

    /// Requests that came.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The most at once.
    pub(crate) fn most_out(&self) -> u64 {
        self.most_out.load(Ordering::Relaxed)
    }

    /// What was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Map<String, Value>> {
        self.asked.lock().unwrap().clone()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

struct Out<'a>(&'a AtomicU64);

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Transport for Server {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            let out = self.out.fetch_add(1, Ordering::Relaxed) + 1;
            let _out = Out(&self.out);
            self.most_out.fetch_max(out, Ordering::Relaxed);
            let body: Map<String, Value> = serde_json::from_slice(request.body_bytes()).unwrap();
            self.asked.lock().unwrap().push(body.clone());
            let (after, act) = (self.play)(number, &body);
            sleep(after).await;
            let error = |kind| Error::new(kind, request.to_string());
            match act {
                Act::Answer(status, headers, text) => {
                    let headers = headers.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
                    Ok(Response { status, headers, body: text.into_bytes() })
                }
                Act::Reset => Err(error(ErrorKind::Unavailable).after_sending()),
                Act::Refused => Err(error(ErrorKind::Unavailable)),
                Act::Hang => std::future::pending().await,
            }
        })
    }

    fn connect<'a>(&'a self, url: &'a str, _: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async move { Err(Error::new(ErrorKind::Unavailable, url)) })
    }
}

/// A good answer that says `text`.
pub(crate) fn says(text: &str) -> Act {
    let message = json!({"role": "assistant", "content": text, "refusal": null});
    let body = json!({
        "id": "c", "model": "m-1", "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    });
    Act::Answer(200, Vec::new(), body.to_string())
}

/// An error in OpenAI's words.
pub(crate) fn error(status: u16, code: &str) -> Act {
    let body =
        json!({"error": {"message": format!("because of {code}"), "type": code, "code": code}});
    Act::Answer(status, Vec::new(), body.to_string())
}

/// Rows that ask `model` each its own question.
pub(crate) fn rows(count: u64, model: &str) -> Vec<Row> {
    let one = |line| {
        let content = format!("question {line}");
        let body = json!({"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 5});
        let body = body.as_object().unwrap().clone();
        Row { line, custom_id: format!("row-{line}"), url: CHAT.to_owned(), body }
    };
    (1..=count).map(one).collect()
}

/// An endpoint at a server.
pub(crate) fn endpoint(server: &Arc<Server>, options: EndpointOptions) -> Endpoint {
    let place = Place::new("https://api.example.com", None).unwrap();
    let client = Client::over(Arc::clone(server) as Arc<dyn Transport>);
    Endpoint::new(Arc::new(OpenAi), place, &client, options)
}

/// Options that make a run the same each time.
pub(crate) fn settled() -> EndpointOptions {
    EndpointOptions { seed: 7, ..EndpointOptions::default() }
}

/// Runs rows, and gives what left in order and the summary.
pub(crate) async fn run_all(
    asker: &Arc<Asker>,
    rows: Vec<Row>,
    options: RunOptions,
) -> (Vec<Left>, Summary) {
    let (to_run, taken) = mpsc::channel(16);
    let (given, mut leaving) = mpsc::channel(16);
    let feed = async move {
        for row in rows {
            if to_run.send(row).await.is_err() {
                break;
            }
        }
    };
    let collect = async {
        let mut all = Vec::new();
        while let Some(left) = leaving.recv().await {
            all.push(left);
        }
        all
    };
    let ((), all, summary) =
        tokio::join!(feed, collect, run(Arc::clone(asker), taken, given, options));
    (all, summary)
}

/// Runs rows at a server with 100 in hand.
pub(crate) async fn run_at(
    server: &Arc<Server>,
    rows: Vec<Row>,
    options: AskOptions,
) -> (Vec<Left>, Summary) {
    let endpoint =
        EndpointOptions { concurrency: finstage_net::Concurrency::Fixed(100), ..settled() };
    let asker = Asker::new(self::endpoint(server, endpoint), options).unwrap();
    let run = RunOptions { concurrency: 100, ..RunOptions::default() };
    run_all(&Arc::new(asker), rows, run).await
}

/// The rows that ended.
pub(crate) fn done(left: &[Left]) -> Vec<&Done> {
    let done = left.iter().filter_map(|left| match left {
        Left::Done(done) => Some(done),
        Left::NotDone(_) => None,
    });
    done.collect()
}

/// The names of all rows that left, sorted.
pub(crate) fn names(left: &[Left]) -> Vec<&str> {
    let mut names: Vec<&str> = left.iter().map(name).collect();
    names.sort_unstable();
    names
}

fn name(left: &Left) -> &str {
    match left {
        Left::Done(done) => &done.row.custom_id,
        Left::NotDone(row) => &row.custom_id,
    }
}

/// A number that follows from two, evenly spread: chance that is the same each time.
pub(crate) fn draw(seed: u64, number: u64) -> u64 {
    let mut z =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 30)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
