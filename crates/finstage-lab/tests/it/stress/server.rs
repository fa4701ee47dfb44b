//! Servers that say what a test tells them to, in the clear, over TLS, and in HTTP/2.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate of `localhost` and 127.0.0.1 for a hundred years, made for these tests and used nowhere else.
const CERTIFICATE: &str = "MIIBmzCCAUGgAwIBAgIUWzDPuDdReAGUfhWsBJkWftXSCWMwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3 \
     N0MCAXDTI2MTEyOTE4NTg0M1oYDzIxMjYxMTA1MTg1ODQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjO \
     PQIBBggqhkjOPQMBBwNCAARAur9Lyh1TQke0gF+49XoulwTHL+teBvoiem0AoB5THlKMIlOnFQ/1czHnDUQRoiGkKB \
     NYY54SCP0YgKfXDY9No28wbTAdBgNVHQ4EFgQUqBq65RrJZ9k+iVzTRxGrNypCOnAwHwYDVR0jBBgwFoAUqBq65RrJ \
     Z9k+iVzTRxGrNypCOnAwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj \
     0EAwIDSAAwRQIgWr+64pQSQzI4O+2HL+i/RjeUqOg/dt/ioICBvyeQi9MCIQCeM4LyKuz0Duarkn6VpFTNlTA5/ghM \
     I3VrwEut6ckpFw==";
/// Its key.
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPfJK2Em9YkKyUyd0l/pxtHNrWAGkAi/ZyAW5D6/wbt \
     ahRANCAARAur9Lyh1TQke0gF+49XoulwTHL+teBvoiem0AoB5THlKMIlOnFQ/1czHnDUQRoiGkKBNYY54SCP0YgKfX \
     DY9N";

/// What a server does with a request.
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    /// Whether it hangs up then.
    pub(super) is_last: bool,
}

/// A reply with a status, lines and a body of its length.
pub(super) fn reply(status: u16, lines: &str, body: &str) -> Reply {
    let head = format!("HTTP/1.1 {status} X\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
    Reply { bytes: (head + body).into_bytes(), is_last: false }
}

/// A server of HTTP/1.1: what it says to its nth request, counted over all connections. `None` keeps silent.
pub(super) fn scripted(
    script: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (script, count) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
    // They end with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (script, count) = (Arc::clone(&script), Arc::clone(&count));
            std::thread::spawn(move || answer(stream, &*script, &count));
        }
    });
    address
}

fn answer(
    mut stream: TcpStream,
    script: &(dyn Fn(usize) -> Option<Reply> + Send + Sync),
    count: &AtomicUsize,
) {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(came @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..came]);
        if !seen.ends_with(b"\r\n\r\n") {
            continue;
        }
        seen.clear();
        let Some(reply) = script(count.fetch_add(1, Ordering::SeqCst)) else { continue };
        if stream.write_all(&reply.bytes).is_err() || reply.is_last {
            return;
        }
    }
}

/// How a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http2,
    TlsHttp1,
    TlsHttp2,
}

/// A server that answers everything with 200 and 3 KB.
pub(super) fn speaking(spoken: Spoken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let acceptor = acceptor(spoken);
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match spoken {
                        Spoken::Http2 => http2(stream).await,
                        Spoken::TlsHttp1 => http1(acceptor.accept(stream).await.unwrap()).await,
                        Spoken::TlsHttp2 => http2(acceptor.accept(stream).await.unwrap()).await,
                    }
                });
            }
        });
    });
    address
}

fn acceptor(spoken: Spoken) -> TlsAcceptor {
    let read = |text: &str| STANDARD.decode(text.replace(' ', "")).unwrap();
    let certificate = CertificateDer::from(read(CERTIFICATE));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(read(KEY)));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let name: &[u8] = if spoken == Spoken::TlsHttp2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![name.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn http1(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let (mut seen, mut buffer) = (Vec::new(), vec![0; 4096]);
    while let Ok(came @ 1..) = stream.read(&mut buffer).await {
        seen.extend_from_slice(&buffer[..came]);
        if seen.ends_with(b"\r\n\r\n") {
            seen.clear();
            stream.write_all(&reply(200, "", &"x".repeat(3_000)).bytes).await.unwrap();
        }
    }
}

async fn http2(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let head = http::Response::builder().header("x-ratelimit-remaining", "7");
        let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::from(vec![b'x'; 3_000]), true).unwrap();
    }
}
