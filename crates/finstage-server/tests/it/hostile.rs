//! Requests that must get nowhere.

use std::time::Duration;

use finstage_server::{Limits, make_token};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::scene::{PATIENCE, Scene, token_of};
use super::stream::Listener;

#[tokio::test]
async fn a_page_under_a_false_name_gets_nothing_even_with_the_token() {
    let scene = Scene::new().await;
    let bearer = format!("Bearer {}", scene.token);
    let port = scene.address.rsplit(':').next().unwrap().to_owned();
    for host in
        ["evil.example".to_owned(), format!("evil.example:{port}"), "127.0.0.1:1".to_owned()]
    {
        for path in ["/", "/healthz", "/api/v1/signals", "/metrics", "/ws/realtime", "/nothing"] {
            let headers = [("Host", host.as_str()), ("Authorization", bearer.as_str())];
            assert_eq!(scene.ask("GET", path, &headers, "").await.problem(), 403, "{host} {path}");
        }
    }
    let two = format!(
        "GET /healthz HTTP/1.1\r\nHost: {}\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        scene.address
    );
    assert_eq!(scene.raw(two.as_bytes()).await.status, 400);
    let none = scene.raw(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_eq!(none.status, 400);
    let good = scene.ask("GET", "/healthz", &[("Host", &format!("localhost:{port}"))], "").await;
    assert_eq!((good.status, good.body.as_str()), (200, "ok\n"));
    scene.stop().await;
}

#[tokio::test]
async fn a_foreign_page_can_neither_read_nor_write_nor_listen() {
    let scene = Scene::new().await;
    let bearer = format!("Bearer {}", scene.token);
    let session = sign_in(&scene).await;
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        for proof in [("Authorization", bearer.as_str()), ("Cookie", session.as_str())] {
            let headers = [proof, ("Origin", origin)];
            assert_eq!(scene.ask("GET", "/api/v1/alerts", &headers, "").await.problem(), 403);
            assert_eq!(scene.ask("POST", "/api/v1/logins", &headers, "").await.problem(), 403);
            let mut upgrade = headers.to_vec();
            upgrade.extend([
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ]);
            assert_eq!(scene.ask("GET", "/ws/realtime", &upgrade, "").await.problem(), 403);
        }
    }
    scene.stop().await;
}

#[tokio::test]
async fn a_browser_writes_only_with_what_no_other_page_can_send() {
    let scene = Scene::new().await;
    let session = sign_in(&scene).await;
    let own = format!("http://{}", scene.address);
    let cookie = ("Cookie", session.as_str());
    assert_eq!(scene.ask("GET", "/api/v1/alerts", &[cookie], "").await.status, 200);
    assert_eq!(scene.ask("POST", "/api/v1/logins", &[cookie], "").await.problem(), 403);
    let origin = ("Origin", own.as_str());
    assert_eq!(scene.ask("POST", "/api/v1/logins", &[cookie, origin], "").await.problem(), 403);
    let ours = ("X-Finstage", "1");
    assert_eq!(scene.ask("POST", "/api/v1/logins", &[cookie, ours], "").await.problem(), 403);
    let all = [cookie, origin, ours];
    assert_eq!(scene.ask("POST", "/api/v1/logins", &all, "").await.status, 201);
    assert_eq!(scene.ask("DELETE", "/api/v1/logins", &all, "").await.status, 204);
    assert_eq!(
        scene.ask("GET", "/api/v1/alerts", &[cookie], "").await.problem(),
        401,
        "signed out"
    );
    scene.stop().await;
}

#[tokio::test]
async fn a_wrong_token_opens_nothing_and_a_token_in_the_address_is_refused() {
    let scene = Scene::new().await;
    let right = scene.token.clone();
    let basic = format!("Basic {right}");
    let bare = right.clone();
    let cut = format!("Bearer {}", &right[..right.len() - 1]);
    for value in ["Bearer ", "Bearer x", &cut, &basic, &bare, "", "Bearer \u{e9}"] {
        for path in [
            "/api/v1/signals",
            "/metrics",
            "/readyz",
            "/openapi.json",
            "/docs",
            "/ws/realtime",
            "/nothing",
        ] {
            let reply = scene.ask("GET", path, &[("Authorization", value)], "").await;
            assert_eq!(reply.problem(), 401, "{path}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
    }
    for name in ["token", "access_token", "api_key"] {
        for path in ["/", "/api/v1/signals", "/ws/realtime"] {
            let reply = scene.ask("GET", &format!("{path}?{name}={right}"), &[], "").await;
            assert_eq!(reply.problem(), 400, "{path}");
            assert!(!reply.body.contains(&right));
        }
        assert_eq!(scene.get(&format!("/api/v1/signals?{name}={right}")).await.problem(), 400);
    }
    scene.stop().await;
}

#[tokio::test]
async fn the_word_before_a_token_may_be_written_in_any_case() {
    let scene = Scene::new().await;
    for (scheme, status) in [("Bearer", 200), ("bearer", 200), ("BEARER ", 200), ("Basic", 401)] {
        let value = format!("{scheme} {}", scene.token);
        let reply = scene.ask("GET", "/api/v1/signals", &[("Authorization", &value)], "").await;
        assert_eq!(reply.status, status, "{scheme}");
    }
    scene.stop().await;
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let scene = Scene::new().await;
    let link = scene.server.as_ref().unwrap().login_link().unwrap();
    let path = link.split_once(&scene.address).unwrap().1.to_owned();
    let first = scene.ask("GET", &path, &[], "").await;
    assert_eq!((first.status, first.header("location")), (303, Some("/")));
    let cookie = first.header("set-cookie").unwrap();
    for part in ["finstage_session=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let again = scene.ask("GET", &path, &[], "").await;
    assert_eq!((again.status, again.header("set-cookie")), (303, None));
    let head = scene.ask("HEAD", &path, &[], "").await;
    assert_eq!(head.status, 200, "looking at a link does not use it up");
    scene.stop().await;
}

#[tokio::test]
async fn a_new_token_shuts_out_programs_browsers_and_listeners() {
    let scene = Scene::new().await;
    let session = sign_in(&scene).await;
    let mut listener = Listener::join(&scene).await;
    make_token(&token_of(&scene)).unwrap();
    let (code, word) = listener.end().await;
    assert_eq!((code, word.as_str()), (1008, "signed_out"));
    assert_eq!(scene.get("/api/v1/signals").await.problem(), 401);
    assert_eq!(
        scene.ask("GET", "/api/v1/signals", &[("Cookie", &session)], "").await.problem(),
        401
    );
    scene.stop().await;
}

#[tokio::test]
async fn a_browser_is_signed_in_until_it_signs_out_the_token_changes_or_thirty_days_are_over() {
    let mut scene = Scene::new().await;
    let (stays, leaves) = (sign_in(&scene).await, sign_in(&scene).await);
    scene.restart().await;
    assert_eq!(read_as(&scene, &stays).await, 200, "a restart keeps it");
    assert_eq!(read_as(&scene, &leaves).await, 200);
    let own = format!("http://{}", scene.address);
    let headers = [("Cookie", leaves.as_str()), ("X-Finstage", "1"), ("Origin", own.as_str())];
    assert_eq!(scene.ask("DELETE", "/api/v1/logins", &headers, "").await.status, 204);
    scene.restart().await;
    assert_eq!(read_as(&scene, &leaves).await, 401, "it has signed out");
    assert_eq!(read_as(&scene, &stays).await, 200);
    scene.clock.advance(finstage_server::SESSION_LIFE);
    scene.restart().await;
    assert_eq!(read_as(&scene, &stays).await, 401, "its time is over");

    let session = sign_in(&scene).await;
    let secret = session.split_once('=').unwrap().1;
    let kept = scene.records.meta("sessions").unwrap().unwrap();
    assert!(!kept.contains(secret) && !kept.contains(&scene.token), "hashes only");
    scene.server.take().unwrap().stop().await;
    make_token(&token_of(&scene)).unwrap();
    scene.start(Limits::default()).await;
    assert_eq!(read_as(&scene, &session).await, 401, "the token is another");
    scene.stop().await;
}

/// The status that a browser with this cookie gets.
async fn read_as(scene: &Scene, cookie: &str) -> u16 {
    scene.ask("GET", "/api/v1/signals", &[("Cookie", cookie)], "").await.status
}

#[tokio::test]
async fn heads_and_bodies_have_bounds() {
    let limits = Limits { head_bytes: 8 << 10, body_bytes: 1_000, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let long = "x".repeat(20 << 10);
    assert_eq!(scene.ask("GET", "/healthz", &[("X-Long", &long)], "").await.status, 431);
    let many: Vec<(String, &str)> = (0..100).map(|i| (format!("X-{i}"), "1")).collect();
    let many: Vec<(&str, &str)> =
        many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(scene.ask("GET", "/healthz", &many, "").await.status, 431);
    assert!(matches!(scene.ask("GET", &format!("/{long}"), &[], "").await.status, 414 | 431));

    let bearer = format!("Bearer {}", scene.token);
    let proof = ("Authorization", bearer.as_str());
    let json = ("Content-Type", "application/json");
    let large = format!("{{\"symbol\":\"{}\"}}", "x".repeat(2_000));
    let post = |headers: Vec<(&'static str, String)>, body: String| {
        let scene = &scene;
        async move {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            scene.ask("POST", "/api/v1/watches", &headers, &body).await
        }
    };
    let own = |pairs: &[(&'static str, &str)]| {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(post(own(&[proof, json]), large.clone()).await.problem(), 413);
    let chunked = format!(
        "POST /api/v1/watches HTTP/1.1\r\nHost: {}\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        scene.address,
        large.len()
    );
    assert_eq!(scene.raw(chunked.as_bytes()).await.problem(), 413, "without a length, too");
    let good = r#"{"symbol":"sim:ONE","rule":"rise=3%"}"#;
    assert_eq!(post(own(&[proof]), good.into()).await.problem(), 415);
    assert_eq!(
        post(own(&[proof, ("Content-Type", "text/plain")]), good.into()).await.problem(),
        415
    );
    for bad in ["[]", "{", r#"{"symbol":"sim:ONE"}"#, r#"{"symbol":"ONE","rule":"x"}"#] {
        assert_eq!(post(own(&[proof, json]), bad.into()).await.problem(), 400, "{bad}");
    }
    assert_eq!(post(own(&[proof, json]), good.into()).await.status, 201);
    scene.stop().await;
}

#[tokio::test]
async fn whoever_sends_a_head_slowly_is_closed() {
    let limits = Limits { head_time: Duration::from_millis(200), ..Limits::default() };
    let scene = Scene::with(limits).await;
    let mut slow = TcpStream::connect(&scene.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127").await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut answer)).await;
    read.expect("it is closed, not waited for").unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    assert_eq!(scene.ask("GET", "/healthz", &[], "").await.status, 200, "others are served");
    scene.stop().await;
}

#[tokio::test]
async fn whoever_sends_a_body_slowly_is_refused() {
    let limits = Limits { body_time: Duration::from_millis(200), ..Limits::default() };
    let scene = Scene::with(limits).await;
    let text = format!(
        "POST /api/v1/watches HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
        scene.address, scene.token
    );
    let reply = scene.raw(text.as_bytes()).await;
    assert_eq!(reply.problem(), 408);
    scene.stop().await;
}

#[tokio::test]
async fn more_connections_than_allowed_are_not_taken() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut socket = TcpStream::connect(&scene.address).await.unwrap();
        let ask = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", scene.address);
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut some = [0; 64];
        assert!(socket.read(&mut some).await.unwrap() > 0);
        kept.push(socket);
    }
    assert_eq!(scene.raw(b"GET /healthz HTTP/1.1\r\n\r\n").await.status, 0, "closed at once");
    drop(kept);
    scene.stop().await;
}

#[tokio::test]
async fn no_path_leads_to_a_file_of_this_machine() {
    let scene = Scene::new().await;
    for path in [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/../../token",
        "/assets/%2e%2e/%2e%2e/token",
        "/%2e%2e/token",
        "//etc/passwd",
        "/token",
        "/api/v1/signals/..%2f..%2ftoken",
        "/api/v1/../../token",
        "/assets/app.js%00.html",
    ] {
        let reply = scene.get(path).await;
        assert_eq!(reply.problem(), 404, "{path}");
        assert!(!reply.body.contains("root:") && !reply.body.contains(&scene.token));
    }
    scene.stop().await;
}

#[tokio::test]
async fn no_answer_holds_the_token_and_every_answer_is_guarded() {
    let scene = Scene::new().await;
    scene.say(20);
    let session = sign_in(&scene).await;
    let secret = session.split_once('=').unwrap().1.to_owned();
    let fake = format!("Bearer fst_canary{}", "0".repeat(40));
    let mut replies = Vec::new();
    let (misplaced, deeper) =
        (format!("/{}", scene.token), format!("/api/v1/signals/{}", scene.token));
    for path in [
        misplaced.as_str(),
        &deeper,
        "/",
        "/docs",
        "/openapi.json",
        "/metrics",
        "/readyz",
        "/api/v1/system",
        "/api/v1/signals",
        "/api/v1/alerts",
        "/api/v1/nothing",
        "/api/v1/signals?limit=0",
        "/api/v1/reports/daily",
        "/ws/realtime",
        "/api/v1/signals/zz",
    ] {
        replies.push(scene.get(path).await);
        replies.push(scene.ask("GET", path, &[("Authorization", &fake)], "").await);
        replies.push(scene.ask("PUT", path, &[("Cookie", &session)], "").await);
    }
    for reply in &replies {
        let all = format!("{}{}", reply.head, reply.body);
        assert!(!all.contains(&scene.token) && !all.contains("canary") && !all.contains(&secret));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{reply:?}");
        }
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert!(reply.header("server").is_none());
        assert!(reply.header("access-control-allow-origin").is_none());
    }
    let debug = format!("{:?}", scene.server);
    assert!(!debug.contains(&scene.token) && !debug.contains(&secret));
    scene.stop().await;
}

/// The cookie of a browser that opened a link.
async fn sign_in(scene: &Scene) -> String {
    let link = scene.server.as_ref().unwrap().login_link().unwrap();
    let path = link.split_once(&scene.address).unwrap().1.to_owned();
    let reply = scene.ask("GET", &path, &[], "").await;
    reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}
