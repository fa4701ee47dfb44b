//! The simulated OpenAI, asked by a client that shares no code with it.

mod answers;
mod batches;
mod limits;
mod streams;

use std::path::Path;
use std::sync::Arc;

use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::openai::{Manners, OpenAiOptions, OpenAiSim};
use finstage_model::{ManualClock, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const KEY: &str = "sk-test-0123456789";

pub(crate) fn start() -> Timestamp {
    "2026-11-21T09:30:15Z".parse().unwrap()
}

pub(crate) struct Server {
    pub(crate) sim: OpenAiSim,
    pub(crate) clock: Arc<ManualClock>,
}

#[derive(Default)]
pub(crate) struct Wish<'a> {
    pub(crate) seed: u64,
    pub(crate) faults: &'a str,
    pub(crate) keys: Vec<String>,
    pub(crate) manners: Manners,
    pub(crate) ledger: Option<&'a Path>,
}

impl Server {
    pub(crate) async fn start(wish: Wish<'_>) -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let ledger = match wish.ledger {
            Some(file) => Ledger::to_file(file).unwrap(),
            None => Ledger::in_memory(),
        };
        let options = OpenAiOptions {
            seed: wish.seed,
            clock: clock.clone(),
            speed: 1.0,
            faults: Scenario::parse(&format!("name = \"test\"\n{}", wish.faults)).unwrap(),
            ledger: Arc::new(ledger),
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            keys: wish.keys,
            manners: wish.manners,
        };
        Self { sim: OpenAiSim::start(options).unwrap(), clock }
    }

    /// With one fault that goes on for a day.
    pub(crate) async fn broken(fault: &str) -> Self {
        let faults = format!("[[faults]]\nat = \"0s\"\nfor = \"24h\"\n{fault}");
        Self::start(Wish { faults: &faults, ..Wish::default() }).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path}"), ("", "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(&format!("POST {path}"), ("application/json", &body.to_string())).await
    }

    pub(crate) async fn chat(&self, body: &Value) -> Reply {
        self.post("/v1/chat/completions", body).await
    }

    pub(crate) async fn send(&self, asked: &str, (media, body): (&str, &str)) -> Reply {
        let head = format!("{asked} HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\n");
        exchange(&self.sim.rest_url(), (&head, media), body.as_bytes()).await
    }

    pub(crate) fn address(&self) -> String {
        address(&self.sim.rest_url())
    }
}

pub(crate) fn question(text: &str) -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]})
}

/// A question with something changed.
pub(crate) fn changed(mut question: Value, change: &Value) -> Value {
    for (key, value) in change.as_object().unwrap() {
        question[key] = value.clone();
    }
    question
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    /// The chunks as they were sent; a body that was not chunked is one.
    pub(crate) chunks: Vec<Vec<u8>>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.chunks.concat()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    pub(crate) fn error(&self) -> (u16, Value, Value) {
        let error = self.json()["error"].clone();
        assert!(error["message"].is_string() && error.get("param").is_some(), "{error}");
        (self.status, error["type"].clone(), error["code"].clone())
    }
}

fn address(base: &str) -> String {
    base.strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap().to_owned()
}

pub(crate) async fn exchange(base: &str, (head, media): (&str, &str), body: &[u8]) -> Reply {
    let address = address(base);
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{head}Host: {address}\r\nConnection: close\r\nContent-Type: {media}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses a body need not read it to its end.
    let _ = socket.write_all(body).await;
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes).await;
    read(&bytes)
}

fn read(bytes: &[u8]) -> Reply {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut rest = &bytes[end + 4..];
    let mut reply = Reply { status, head, chunks: Vec::new() };
    if reply.header("transfer-encoding") != Some("chunked") {
        reply.chunks.push(rest.to_vec());
        return reply;
    }
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return reply;
        }
        reply.chunks.push(rest[line + 2..line + 2 + size].to_vec());
        rest = &rest[line + 2 + size + 2..];
    }
}
