//! Telegram's side, written from its documentation and not from our client: a shared mistake must
//! not look like agreement.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

pub(crate) const TOKEN: &str = "123456:CANARY-for-tests";

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the service does with the next message; without a script it delivers.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Deliver,
    Json(u16, Value),
    Html(u16),
    /// Answers as soon as it is notified.
    DeliverWhenTold(Arc<Notify>),
    /// Takes the message and never answers.
    DeliverInSilence,
}

pub(crate) fn refusal(code: u16, description: &str) -> Act {
    Act::Json(code, json!({"ok": false, "error_code": code, "description": description}))
}

pub(crate) fn too_fast(seconds: u64) -> Act {
    let description = format!("Too Many Requests: retry after {seconds}");
    let parameters = json!({"retry_after": seconds});
    let answer = json!({
        "ok": false, "error_code": 429, "description": description, "parameters": parameters,
    });
    Act::Json(429, answer)
}

/// A message as the service received it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) at: Instant,
    pub(crate) body: Value,
}

impl Message {
    pub(crate) fn text(&self) -> &str {
        self.body["text"].as_str().unwrap()
    }
}

pub(crate) struct ChatService {
    pub(crate) base_url: String,
    received: mpsc::UnboundedReceiver<Message>,
}

struct Shared {
    script: Mutex<VecDeque<Act>>,
    sent: mpsc::UnboundedSender<Message>,
}

impl ChatService {
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let (sent, received) = mpsc::unbounded_channel();
        let shared = Shared { script: Mutex::new(script.into_iter().collect()), sent };
        let app = Router::new()
            .route("/{login}/sendMessage", post(send_message))
            .with_state(Arc::new(shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base_url, received }
    }

    /// The next message that comes.
    pub(crate) async fn message(&mut self) -> Message {
        timeout(PATIENCE, self.received.recv()).await.expect("a message").unwrap()
    }

    /// The messages that came and were not looked at.
    pub(crate) fn rest(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }
}

async fn send_message(
    State(shared): State<Arc<Shared>>,
    Path(login): Path<String>,
    axum::Json(body): axum::Json<Value>,
) -> Response {
    assert_eq!(login, format!("bot{TOKEN}"));
    let act = shared.script.lock().unwrap().pop_front();
    shared.sent.send(Message { at: Instant::now(), body: body.clone() }).unwrap();
    match act {
        None | Some(Act::Deliver) => delivered(&body),
        Some(Act::DeliverWhenTold(told)) => {
            told.notified().await;
            delivered(&body)
        }
        Some(Act::Json(code, answer)) => {
            let wait = answer["parameters"]["retry_after"].as_u64();
            let mut response =
                (StatusCode::from_u16(code).unwrap(), axum::Json(answer)).into_response();
            if let Some(wait) = wait {
                response.headers_mut().insert(header::RETRY_AFTER, wait.into());
            }
            response
        }
        Some(Act::Html(code)) => {
            let page = "<html><body><h1>Bad Gateway</h1>nginx</body></html>";
            let html = [(header::CONTENT_TYPE, "text/html")];
            (StatusCode::from_u16(code).unwrap(), html, page).into_response()
        }
        Some(Act::DeliverInSilence) => std::future::pending().await,
    }
}

fn delivered(body: &Value) -> Response {
    let chat = json!({"id": body["chat_id"], "type": "private"});
    let message = json!({"message_id": 101, "chat": chat, "date": 1_700_000_000});
    axum::Json(json!({"ok": true, "result": message})).into_response()
}
