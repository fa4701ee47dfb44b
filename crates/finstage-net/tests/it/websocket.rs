use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::routing::any;
use finstage_net::{Error, ErrorKind, Frame, Socket, SocketOptions};
use finstage_seal::Secret;
use tokio::net::TcpListener;

const OPTIONS: SocketOptions = SocketOptions {
    connect_timeout: Duration::from_secs(5),
    max_frame_bytes: 1000,
    headers: Vec::new(),
};

/// Serves WebSocket connections on loopback; each is handled by `talk`.
async fn serve<F, Fut>(talk: F) -> String
where
    F: Fn(WebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let upgrade = move |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(talk) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/ws", any(upgrade));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("ws://{address}")
}

async fn connect(base: &str) -> Result<Socket, Error> {
    Socket::connect(&format!("{base}/ws"), &OPTIONS).await
}

#[tokio::test]
async fn frames_travel_both_ways_and_goodbyes_are_heard() {
    let base = serve(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            match message {
                Message::Text(text) if text == "bye" => break,
                Message::Text(_) | Message::Binary(_) => socket.send(message).await.unwrap(),
                _ => {}
            }
        }
        let _ = socket.send(Message::Close(None)).await;
    })
    .await;
    let mut socket = connect(&base).await.unwrap();
    for frame in [Frame::Text("hé".into()), Frame::Binary(vec![0, 255])] {
        socket.send(frame.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap(), frame);
    }
    socket.send(Frame::Ping(b"there?".to_vec())).await.unwrap();
    assert_eq!(socket.next().await.unwrap(), Frame::Pong(b"there?".to_vec()));
    socket.send(Frame::Text("bye".into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap(), Frame::Close);
    assert_eq!(socket.next().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_ping_is_answered_with_its_own_bytes_and_reported() {
    let base = serve(|mut socket| async move {
        socket.send(Message::Ping("20s".into())).await.unwrap();
        let answer = socket.recv().await.unwrap().unwrap();
        socket.send(Message::Text(format!("{answer:?}").into())).await.unwrap();
    })
    .await;
    let mut socket = connect(&base).await.unwrap();
    assert_eq!(socket.next().await.unwrap(), Frame::Ping(b"20s".to_vec()));
    assert_eq!(socket.next().await.unwrap(), Frame::Text("Pong(b\"20s\")".into()));
}

#[tokio::test]
async fn a_frame_beyond_the_limit_ends_the_connection() {
    let base = serve(|mut socket| async move {
        socket.send(Message::Text("x".repeat(1000).into())).await.unwrap();
        let _ = socket.send(Message::Text("x".repeat(1001).into())).await;
        let _ = socket.recv().await;
    })
    .await;
    let mut socket = connect(&base).await.unwrap();
    assert!(matches!(socket.next().await, Ok(Frame::Text(text)) if text.len() == 1000));
    assert_eq!(socket.next().await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_unavailable() {
    let base = serve(|socket| async move { drop(socket) }).await;
    let error = connect(&base).await.unwrap().next().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn an_upgrade_that_is_not_granted_says_so() {
    let base = serve(|_| async {}).await;
    let refused = Socket::connect(&format!("{base}/elsewhere?key=s3cret"), &OPTIONS).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("404") && !error.to_string().contains("s3cret"), "{error}");
    let bad = Socket::connect("http://127.0.0.1:1/", &OPTIONS).await.unwrap_err();
    assert_eq!(bad.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn headers_go_with_the_upgrade_and_are_never_printed() {
    let upgrade = |headers: HeaderMap, upgrade: WebSocketUpgrade| async move {
        upgrade.on_upgrade(async move |mut socket| {
            let said =
                ["authorization", "x-data-stream"].map(|name| headers[name].to_str().unwrap());
            socket.send(Message::Text(said.join(" | ").into())).await.unwrap();
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let router = Router::new().route("/ws", any(upgrade));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let header = |name: &str, value: &str| (name.to_owned(), Secret::new(value.to_owned()));
    let with = |headers| SocketOptions { headers, ..OPTIONS };
    let headers = vec![header("Authorization", "Bearer c4n4ry"), header("X-Data-Stream", "ticks")];
    let options = with(headers);
    assert!(!format!("{options:?}").contains("c4n4ry"));
    let mut socket = Socket::connect(&url, &options).await.unwrap();
    assert_eq!(socket.next().await.unwrap(), Frame::Text("Bearer c4n4ry | ticks".to_owned()));

    let options = with(vec![header("Authorization", "c4n4ry\r\nX-Other: 1")]);
    let error = Socket::connect(&url, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let said = format!("{error} {error:?}");
    assert!(said.contains("Authorization") && !said.contains("c4n4ry"), "{said}");
}

#[tokio::test]
async fn a_listener_that_never_answers_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let options =
        SocketOptions { connect_timeout: Duration::from_millis(100), ..SocketOptions::default() };
    let error = Socket::connect(&url, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}
