//! Each phase of a request has a limit and an error of its own; connections are few and used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use finstage_net::{Client, ClientOptions, Error, ErrorKind, Phase, Request};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Barrier;

fn quick() -> ClientOptions {
    ClientOptions {
        connect_timeout: Duration::from_millis(60),
        read_timeout: Duration::from_millis(120),
        total_timeout: Duration::from_secs(5),
        ..ClientOptions::default()
    }
}

async fn failure(options: ClientOptions, url: String) -> Error {
    Client::new(options).unwrap().send(&Request::get(url)).await.unwrap_err()
}

/// Answers with `answer`, and then says no more.
async fn silent_after(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        std::future::pending::<()>().await;
    });
    format!("http://{address}")
}

#[tokio::test]
async fn connecting_has_its_own_limit_and_nothing_was_sent() {
    // A listener whose queue is full: the kernel answers no further attempt.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    for _ in 0..8 {
        let attempt = tokio::net::TcpStream::connect(address);
        held.push(tokio::time::timeout(Duration::from_millis(30), attempt).await);
    }
    let error = failure(quick(), format!("http://{address}")).await;
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Connect)),
        "{error}"
    );
    assert!(!error.maybe_sent());
}

#[tokio::test]
async fn the_head_of_an_answer_has_its_own_limit() {
    let error = failure(quick(), silent_after("").await).await;
    assert_eq!(error.phase(), Some(Phase::FirstByte), "{error}");
    assert!(error.maybe_sent());
}

#[tokio::test]
async fn each_piece_of_a_body_has_its_own_limit() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour";
    let error = failure(quick(), silent_after(head).await).await;
    assert_eq!(error.phase(), Some(Phase::Body), "{error}");
}

#[tokio::test]
async fn the_whole_has_its_own_limit() {
    let options = ClientOptions { total_timeout: Duration::from_millis(50), ..quick() };
    let error = failure(options, silent_after("").await).await;
    assert_eq!(error.phase(), Some(Phase::Whole), "{error}");
}

#[tokio::test]
async fn requests_to_one_host_use_few_connections_again_and_again() {
    const MOST: usize = 4;
    let busy = Arc::new(AtomicUsize::new(0));
    let peak = Arc::new(AtomicUsize::new(0));
    // Nobody is answered before four are there: fewer at once would hang, more would be seen.
    let meeting = Arc::new(Barrier::new(MOST));
    let route = get({
        let (busy, peak) = (Arc::clone(&busy), Arc::clone(&peak));
        move || async move {
            peak.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            meeting.wait().await;
            busy.fetch_sub(1, Ordering::SeqCst);
            "ok"
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", route)).await });
    let options = ClientOptions { connections_per_host: MOST, ..ClientOptions::default() };
    let client = Client::new(options).unwrap();
    let request = Request::get(url);
    for answer in join_all((0..80).map(|_| client.send(&request))).await {
        assert_eq!(answer.unwrap().text(), "ok");
    }
    assert_eq!(peak.load(Ordering::SeqCst), MOST);
    let traffic = client.traffic();
    assert_eq!((traffic.requests, traffic.connections), (80, MOST as u64));
}
