//! A shell for one test: a home of its own, nothing of the caller's environment, and a hard limit
//! for whatever it runs.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// A command that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(300);

/// A demo of thousands of days has a folder for each, and two syncs for each alert.
const LONG_LIMIT: Duration = Duration::from_secs(900);
/// How often something is looked for within that time.
const LOOKS: u32 = 6_000;

/// A home folder in which commands run.
pub(crate) struct Shell {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        std::fs::create_dir(home.path().join("tmp")).unwrap();
        Self { home, variables: Vec::new() }
    }

    /// Sets a variable for what follows.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file into the home folder.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs `finstage` with the words of `line`.
    pub(crate) fn run(&self, line: &str) -> Run {
        self.start(line).end()
    }

    /// Runs what may take long where many share a disk.
    pub(crate) fn run_long(&self, line: &str) -> Run {
        self.start(line).end_within(LONG_LIMIT)
    }

    /// Starts `finstage` with the words of `line`.
    pub(crate) fn start(&self, line: &str) -> Running {
        let mut command = self.command(line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(&mut command, line)
    }

    /// `finstage` with the words of `line`, not started yet.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_finstage"));
        command.args(line.split_whitespace()).current_dir(self.home.path()).stdin(Stdio::null());
        command.env_clear().env("RUST_BACKTRACE", "1").env("HOME", self.home.path());
        command.env("TMPDIR", self.path("tmp"));
        // Services of several tests run at once: each has a port of its own.
        if line.split_whitespace().any(|word| word == "serve") {
            command.env("FINSTAGE_SERVER__LISTEN", "127.0.0.1:0");
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A command that runs. Dropping it kills it.
pub(crate) struct Running {
    line: String,
    child: Child,
    said: Receiver<Said>,
    out: String,
    err: String,
    open: usize,
}

/// A line of a command, or the end of one of its streams.
enum Said {
    Out(String),
    Err(String),
    End,
}

impl Running {
    pub(crate) fn start(command: &mut Command, line: &str) -> Self {
        let mut child = command.spawn().unwrap();
        let (tell, said) = channel();
        let mut open = 0;
        if let Some(stdout) = child.stdout.take() {
            read_lines(stdout, tell.clone(), Said::Out);
            open += 1;
        }
        if let Some(stderr) = child.stderr.take() {
            read_lines(stderr, tell, Said::Err);
            open += 1;
        }
        Self { line: line.to_owned(), child, said, out: String::new(), err: String::new(), open }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on either stream that contains `text`.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let said = match self.said.recv_timeout(LIMIT) {
                Ok(said) => said,
                Err(_) => panic!("\"{text}\" did not come from finstage {}", self.line),
            };
            if let Some(line) = self.note(said).filter(|line| line.contains(text)) {
                return line;
            }
            assert!(self.open > 0, "finstage {} ended:\n{}{}", self.line, self.out, self.err);
        }
    }

    /// Waits for something that can only be seen from outside; whether it came.
    pub(crate) fn does(&self, seen: impl Fn() -> bool) -> bool {
        (0..LOOKS).any(|_| {
            thread::park_timeout(LIMIT / LOOKS);
            seen()
        })
    }

    /// Asks it to end, as an init system does.
    pub(crate) fn terminate(&self) {
        signal("TERM", self.pid());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(self) -> Run {
        self.end_within(LIMIT)
    }

    /// Waits so long for its end, and kills it then.
    #[track_caller]
    pub(crate) fn end_within(mut self, limit: Duration) -> Run {
        let (done, waiting) = channel::<()>();
        let pid = self.pid();
        let watchdog = thread::spawn(move || {
            let late = waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if late {
                signal("KILL", pid);
            }
            late
        });
        while self.open > 0 {
            let said = self.said.recv().unwrap();
            self.note(said);
        }
        let code = self.child.wait().unwrap().code();
        drop(done);
        let run = Run {
            line: std::mem::take(&mut self.line),
            code: code.unwrap_or(-1),
            out: std::mem::take(&mut self.out),
            err: std::mem::take(&mut self.err),
        };
        assert!(!watchdog.join().unwrap(), "longer than {limit:?}: {run}");
        run
    }

    fn note(&mut self, said: Said) -> Option<String> {
        match said {
            Said::Out(line) => {
                self.out.push_str(&line);
                Some(line)
            }
            Said::Err(line) => {
                self.err.push_str(&line);
                Some(line)
            }
            Said::End => {
                self.open -= 1;
                None
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of one that has ended this is refused, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(stream: impl Read + Send + 'static, tell: Sender<Said>, said: fn(String) -> Said) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // The test may have stopped listening.
            let _ = tell.send(said(String::from_utf8_lossy(&line).into_owned()));
            line.clear();
        }
        let _ = tell.send(Said::End);
    });
}

fn signal(name: &str, pid: u32) {
    let kill = format!("kill -{name} {pid}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
}

/// A command that has ended.
pub(crate) struct Run {
    line: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, code, out, err } = self;
        write!(f, "$ finstage {line}\n{out}--- standard error\n{err}--- exit code {code}")
    }
}

impl Run {
    /// It did what it was asked.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// It printed nothing for people.
    #[track_caller]
    pub(crate) fn quiet(self) -> Self {
        assert_eq!(self.err, "", "{self}");
        self
    }

    /// It refused with this code and one line, which is returned without its beginning.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32) -> String {
        assert_eq!(self.code, code, "{self}");
        assert_eq!(self.out, "", "a refusal has no result: {self}");
        assert_eq!(self.err.lines().count(), 1, "an error is one line: {self}");
        self.complaint()
    }

    /// The one line that says what went wrong, which people's text may come before.
    #[track_caller]
    pub(crate) fn complaint(&self) -> String {
        let mut complaints = self.err.lines().filter_map(|line| line.strip_prefix("finstage: "));
        let said = complaints.next().unwrap_or_else(|| panic!("no complaint: {self}"));
        assert!(complaints.next().is_none(), "two complaints: {self}");
        let shouts = said.starts_with(char::is_uppercase) || said.ends_with('.');
        assert!(!shouts, "an error is lower case without a full stop: {self}");
        for word in ["panicked", "backtrace", "Error {", "Err(", "\u{1b}"] {
            assert!(!self.err.contains(word), "{word} is not for people: {self}");
        }
        said.to_owned()
    }

    /// Its result as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    /// Its result as JSON, a document a line.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(read).collect()
    }
}

/// A file of daily bars that rise, fall and rise again, so that every strategy has something to say.
pub(crate) fn waves(bars: u32) -> String {
    let mut text = String::from("timestamp,open,high,low,close,volume\n");
    let mut last = 100.0;
    for i in 0..bars {
        let close = wave(i);
        let (high, low) = (f64::max(last, close) + 0.5, f64::min(last, close) - 0.5);
        let day = finstage_model::Day::from_days(16_000 + i32::try_from(i).unwrap());
        text += &format!("{day},{last:.2},{high:.2},{low:.2},{close:.2},{}\n", 1_000 + i % 7);
        last = (close * 100.0).round() / 100.0;
    }
    text
}

/// The close of the nth bar of [`waves`].
pub(crate) fn wave(i: u32) -> f64 {
    let turn = f64::from(i) * std::f64::consts::TAU;
    100.0 + 20.0 * (turn / 120.0).sin() + 6.0 * (turn / 17.0).sin()
}

/// Says that something was not tested, and why: seen with `--nocapture`, and in CI.
#[expect(clippy::print_stdout, reason = "a test that proves nothing here must not pass in silence")]
pub(crate) fn skipped(why: &str) {
    println!("skipped: {why}");
}

/// The folder of reference data: named by `FINSTAGE_SHARED`, else `../shared` beside the
/// workspace; `None`, with a printed reason, when there is none and none was asked for.
pub(crate) fn shared() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "names the folder of reference data, tests only")]
    let named = std::env::var_os("FINSTAGE_SHARED");
    let asked_for = named.is_some();
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = named.map_or_else(beside, PathBuf::from);
    if !asked_for && !folder.is_dir() {
        skipped(&format!("no reference data at {} (set FINSTAGE_SHARED)", folder.display()));
        return None;
    }
    Some(folder)
}
