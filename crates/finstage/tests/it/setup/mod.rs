//! The first ten minutes: `init`, `doctor`, `health`, a test alert, a watch, a log.

mod channels;
mod doctor;
mod init;
mod sealed;
mod tls;
mod watches;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

/// A program that listens and gives every request the same answer; requests come out as text.
pub(crate) fn listener(answer: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, said) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (mut request, mut piece) = (Vec::new(), [0; 4_096]);
            loop {
                let text = String::from_utf8_lossy(&request).into_owned();
                let head = text.split_once("\r\n\r\n");
                let length = |head: &str| {
                    let line = head.lines().find_map(|l| {
                        l.to_lowercase().strip_prefix("content-length:").map(str::to_owned)
                    });
                    line.map_or(0, |length| length.trim().parse().unwrap())
                };
                if head.is_some_and(|(head, body)| body.len() >= length(head)) {
                    let _ = tell.send(text);
                    let _ = stream.write_all(answer.as_bytes());
                    break;
                }
                match stream.read(&mut piece) {
                    Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
        }
    });
    (address, said)
}

/// The mode of a file, as `chmod` writes it.
fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}
