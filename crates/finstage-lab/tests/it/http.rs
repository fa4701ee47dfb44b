//! An HTTP client of forty lines: what goes over the wire can be seen here.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let of =
            |line: &'_ str| line.split_once(':').map(|(key, _)| key.eq_ignore_ascii_case(name));
        let line = self.head.lines().skip(1).find(|line| of(line) == Some(true))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) async fn get(base: &str, path: &str) -> Reply {
    send(base, &format!("GET {path} HTTP/1.1\r\n"), "").await
}

pub(crate) async fn post(base: &str, path: &str, (media, body): (&str, &str)) -> Reply {
    send(base, &format!("POST {path} HTTP/1.1\r\nContent-Type: {media}\r\n"), body).await
}

/// A question with headers of its own, each line ended.
pub(crate) async fn get_with(base: &str, path: &str, headers: &str) -> Reply {
    send(base, &format!("GET {path} HTTP/1.1\r\n{headers}"), "").await
}

async fn send(base: &str, head: &str, body: &str) -> Reply {
    let address = base.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{head}Host: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}
