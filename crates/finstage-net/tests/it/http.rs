use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use finstage_net::{Client, ClientOptions, Error, ErrorKind, Request};
use finstage_seal::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn client() -> Client {
    Client::new(ClientOptions {
        total_timeout: Duration::from_secs(5),
        max_body_bytes: 1000,
        ..ClientOptions::default()
    })
    .unwrap()
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A server that reads one request, writes `answer` as it is, and hangs up or stays silent.
async fn raw(answer: &'static str, then_hang_up: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        if !then_hang_up {
            std::future::pending::<()>().await;
        }
    });
    format!("http://{address}")
}

async fn failure(request: &Request) -> Error {
    client().send(request).await.unwrap_err()
}

#[tokio::test]
async fn every_status_is_an_answer_and_redirects_are_not_followed() {
    let router = Router::new()
        .route("/teapot", get(|| async { (axum::http::StatusCode::IM_A_TEAPOT, "short") }))
        .route("/moved", get(|| async { Redirect::temporary("/teapot") }));
    let base = serve(router).await;
    let teapot = client().send(&Request::get(format!("{base}/teapot"))).await.unwrap();
    assert_eq!((teapot.status, teapot.text().as_ref()), (418, "short"));
    let moved = client().send(&Request::get(format!("{base}/moved"))).await.unwrap();
    assert_eq!((moved.status, moved.header("Location")), (307, Some("/teapot")));
}

#[tokio::test]
async fn what_was_built_is_what_arrives() {
    let echo = post(|headers: HeaderMap, uri: axum::http::Uri, body: Bytes| async move {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        format!("{uri} {} {} {body:?}", header("content-type"), header("x-key")).into_response()
    });
    let base = serve(Router::new().route("/echo", echo)).await;
    let request = Request::post(format!("{base}/echo"))
        .query("q", "a b&c")
        .header("x-key", "k")
        .json(r#"{"n":1}"#);
    let answer = client().send(&request).await.unwrap();
    assert_eq!(answer.text(), r#"/echo?q=a%20b%26c application/json k b"{\"n\":1}""#);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_whether_announced_or_not() {
    let announced = raw("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n", false).await;
    assert_eq!(failure(&Request::get(announced)).await.kind(), ErrorKind::TooLarge);

    let router = Router::new().route("/", get(|| async { vec![b'x'; 1000] }));
    let fits = client().send(&Request::get(serve(router).await)).await.unwrap();
    assert_eq!(fits.body.len(), 1000);

    // 0x3e9 = 1001 bytes in one chunk, without a length in front.
    let chunked: &'static str = Box::leak(
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{}\r\n",
            "x".repeat(1001)
        )
        .into_boxed_str(),
    );
    let error = failure(&Request::get(raw(chunked, false).await)).await;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TooLarge, false));
}

#[tokio::test]
async fn a_server_that_is_not_there_was_certainly_not_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = failure(&Request::post(format!("http://{address}/"))).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.maybe_sent() && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        let error = failure(&Request::post(raw(answer, true).await)).await;
        assert!(error.maybe_sent(), "{error:?}");
    }
}

#[tokio::test]
async fn silence_ends_with_a_timeout() {
    let client = Client::new(ClientOptions {
        total_timeout: Duration::from_millis(100),
        ..ClientOptions::default()
    })
    .unwrap();
    let error = client.send(&Request::post(raw("", false).await)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.maybe_sent() && error.is_retryable());
}

#[tokio::test]
async fn errors_name_the_call_without_its_secrets() {
    let token = Secret::new("12:AbC".to_owned());
    let base = raw("", true).await;
    let request =
        Request::post(format!("{base}/bot12:AbC/send")).query("again", "12:AbC").hide(&token);
    let error = failure(&request).await;
    let printed = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
    assert!(printed.contains("/bot[redacted]/send?again=[redacted]"), "{printed}");
    assert!(!printed.contains("AbC"), "{printed}");
    let invalid = failure(&Request::get("no address 12:AbC").hide(&token)).await;
    assert_eq!(invalid.kind(), ErrorKind::Invalid);
    assert!(!format!("{invalid} {invalid:?}").contains("AbC"));
}
