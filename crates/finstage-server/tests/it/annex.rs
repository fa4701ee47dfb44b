//! What somebody else answers for below a path of its own.

use std::future::Future;
use std::pin::Pin;

use finstage_server::{Annex, Asked, Cut, Given, GivenBody};
use tokio::sync::mpsc;

use crate::scene::Scene;

/// Says what it was asked; answers in pieces below `/annex/pieces`.
#[derive(Debug)]
pub(crate) struct Echo;

impl Annex for Echo {
    fn path(&self) -> &'static str {
        "/annex"
    }

    fn most_body(&self, path: &str) -> usize {
        if path == "/annex/large" { 1_000 } else { 10 }
    }

    fn answer(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Given> + Send + '_>> {
        Box::pin(async move {
            let (send, pieces) = mpsc::channel(4);
            if asked.path.starts_with("/annex/pieces/") {
                send.send(Ok("a piece".into())).await.unwrap();
                if asked.path.ends_with("/cut") {
                    send.send(Err(Cut)).await.unwrap();
                }
                let body = GivenBody::Pieces(pieces);
                return Given { status: 200, headers: Vec::new(), body };
            }
            let text = format!("{} {} ?{} {:?}", asked.method, asked.path, asked.query, asked.body);
            let secret = asked.header("authorization").unwrap_or_default().to_owned();
            Given {
                status: 203,
                headers: vec![("x-echo".into(), secret), ("x-bad\n".into(), "1".into())],
                body: GivenBody::Whole(text.into()),
            }
        })
    }
}

#[tokio::test]
async fn an_annex_is_asked_without_the_token_of_the_server() {
    let scene = Scene::new().await;
    let own = [("Authorization", "Bearer other")];
    let reply = scene.ask("POST", "/annex/a%20b?x=1", &own, "hello").await;
    assert_eq!((reply.status, reply.header("x-echo")), (203, Some("Bearer other")));
    assert_eq!(reply.body, "POST /annex/a%20b ?x=1 b\"hello\"");
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.contains("sandbox"), "{policy}");
    assert_eq!(scene.ask("GET", "/annexed", &[], "").await.status, 401, "that is not below it");
}

#[tokio::test]
async fn pages_of_other_origins_and_other_hosts_do_not_reach_an_annex() {
    let scene = Scene::new().await;
    for headers in [
        [("Origin", "http://evil.example")],
        [("Origin", "null")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Host", "evil.example")],
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            assert_eq!(
                scene.ask(method, "/annex/x", &headers, "").await.status,
                403,
                "{headers:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_has_the_bound_that_the_annex_names() {
    let scene = Scene::new().await;
    let long = "x".repeat(100);
    assert_eq!(scene.ask("POST", "/annex/small", &[], &long).await.status, 413);
    assert_eq!(scene.ask("POST", "/annex/large", &[], &long).await.status, 203);
}

#[tokio::test]
async fn an_answer_that_is_cut_does_not_look_whole() {
    let scene = Scene::new().await;
    // The last chunk, of no bytes, is what tells that it is whole.
    let end = "\r\n0\r\n";
    let whole = scene.ask("GET", "/annex/pieces/all", &[], "").await;
    assert!(whole.body.contains("a piece") && whole.body.contains(end), "{}", whole.body);
    let cut = scene.ask("GET", "/annex/pieces/cut", &[], "").await;
    assert!(cut.body.contains("a piece") && !cut.body.contains(end), "{}", cut.body);
}
