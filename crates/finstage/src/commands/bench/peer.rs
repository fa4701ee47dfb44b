//! A program of others that is measured beside ours: it runs all the while and is told, line by
//! line, what to do next, so that both take turns on the same machine.

use std::io::{BufRead, BufReader, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 4_096;
/// How long an answer may take: some compile before they answer, on a busy machine for minutes.
const PATIENCE: Duration = Duration::from_secs(600);
/// Bytes of its complaints that are looked at.
const MAX_COMPLAINT: u64 = 1 << 20;

/// A running peer. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Peer {
    name: &'static str,
    /// What it said of itself when it began: its version.
    pub(super) version: String,
    child: Child,
    /// Lines for it.
    orders: ChildStdin,
    answers: Receiver<String>,
    /// What it writes to standard error.
    complaints: std::fs::File,
}

impl Peer {
    /// Starts a script in an interpreter; in words, why that was not possible.
    pub(super) fn start(python: &Path, name: &'static str, script: &str) -> Result<Self, String> {
        let failed = |error: std::io::Error| {
            format!("{name} is left out: starting {}: {error}", python.display())
        };
        let complaints = tempfile::tempfile().map_err(failed)?;
        let mut child = Command::new(python)
            .args(["-u", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints.try_clone().map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let orders = child.stdin.take().expect("stdin was piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout was piped"));
        let (tell, answers) = sync_channel(1);
        thread::spawn(move || {
            loop {
                let mut line = String::new();
                let read = (&mut stdout).take(MAX_ANSWER).read_line(&mut line);
                // The other side may have gone, too.
                if !matches!(read, Ok(1..)) || tell.send(line).is_err() {
                    break;
                }
            }
        });
        let mut peer = Self { name, version: String::new(), child, orders, answers, complaints };
        peer.version = peer.answer("ready")?;
        Ok(peer)
    }

    /// Tells it to do something; what stands behind `ok` in its answer.
    pub(super) fn ask(&mut self, words: &[&str]) -> Result<String, String> {
        // One that has ended does not read; its answer, which does not come, says why.
        let _ = writeln!(self.orders, "{}", words.join("\t"));
        self.answer("ok")
    }

    fn answer(&mut self, beginning: &str) -> Result<String, String> {
        let name = self.name;
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => match line.trim().strip_prefix(beginning) {
                Some(rest) => Ok(rest.trim().to_owned()),
                None => Err(format!("{name} is left out: it answers \"{}\"", line.trim())),
            },
            Err(RecvTimeoutError::Timeout) => {
                let seconds = PATIENCE.as_secs();
                Err(format!("{name} is left out: no answer within {seconds} s"))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("{name} is left out: it ended: {}", self.last_complaint()))
            }
        }
    }

    fn last_complaint(&mut self) -> String {
        let mut said = Vec::new();
        let read = self
            .complaints
            .rewind()
            .and_then(|()| (&mut self.complaints).take(MAX_COMPLAINT).read_to_end(&mut said));
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        match (read, last) {
            (Ok(_), Some(last)) => last.to_owned(),
            _ => "it did not say why".to_owned(),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Of one that has ended this is refused, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
