//! `finstage open`

use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};

use finstage_model::Clock as _;
use finstage_net::SystemClock;
use finstage_seal::pipeline::{Item, Options, open_lines};
use finstage_seal::{KeyId, Keys, Opener};
use serde_json::json;

use super::keys::{self, Watch};
use super::{complain_of, say, write_out};
use crate::cli::{Global, Open};
use crate::exit::{Exit, Failure, Result};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;
/// What is written at once, at most a message more.
const WRITE_BYTES: usize = 256 << 10;
/// More threads do not pay unless they are asked for: reading and writing is one thread's work.
const USUAL_THREADS: usize = 4;

pub(super) fn run(global: &Global, args: &Open) -> Result<Exit> {
    let file = keys::file(global, &args.ring)?;
    let ring = keys::open(&file)?;
    let mut opener = Opener::new(ring.clone());
    if let Some(id) = &args.allow_bare {
        let id = keys::id_of("--allow-bare", id)?;
        must_open(&ring, id)?;
        opener = opener.with_bare(id);
    }
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = args.threads.map_or_else(|| cores().min(USUAL_THREADS), usize::from);
    let options = Options { threads, batch: args.batch as usize, clock: &keys::now };
    let began = SystemClock.now();
    let is_unended = AtomicBool::new(false);
    let mut source = Source::new(io::stdin(), &is_unended);
    let mut output = Output::new(global, Watch::new(ring), &is_unended);
    let opened = open_lines(&mut opener, &mut source, &options, &mut |item| output.item(&item));
    let lines = output.end()?;
    opened.map_err(|error| Failure::usage(format!("reading standard input: {error}")))?;

    let counts = opener.counts();
    let failed = counts.failed + counts.replayed;
    let elapsed_s = SystemClock.now().since(began).as_secs_f64();
    let per_second = (counts.opened as f64 / elapsed_s.max(1e-9)).round();
    if global.json {
        let summary = json!({
            "opened": counts.opened, "failed": failed, "replayed": counts.replayed, "lines": lines,
            "per_second": per_second, "elapsed_s": elapsed_s, "threads": threads, "batch": args.batch,
        });
        say(global, format_args!("{summary}"));
    } else {
        say(
            global,
            format_args!(
                "{} opened, {failed} failed ({} of them replayed), {per_second} a second",
                counts.opened, counts.replayed
            ),
        );
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::CheckFailed })
}

/// A key that was named must be there, or every line would be refused.
fn must_open(ring: &Keys, id: KeyId) -> Result<()> {
    match ring.current().key(id) {
        Some(key) if key.may_open(keys::now()) => Ok(()),
        Some(key) => Err(Failure::usage(format!(
            "--allow-bare {id}: the key is {} and opens nothing",
            key.state()
        ))),
        None => Err(Failure::usage(format!(
            "--allow-bare {id}: no such key: `finstage keys list` shows them"
        ))),
    }
}

/// Standard input, which tells whether its last line was ended.
struct Source<'a, R> {
    input: BufReader<R>,
    last: u8,
    is_unended: &'a AtomicBool,
}

impl<'a, R: Read> Source<'a, R> {
    fn new(input: R, is_unended: &'a AtomicBool) -> Self {
        let input = BufReader::with_capacity(READ_BYTES, input);
        Self { input, last: b'\n', is_unended }
    }
}

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Source<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let found = self.input.fill_buf()?;
        if found.is_empty() && self.last != b'\n' {
            self.is_unended.store(true, Ordering::Release);
        }
        Ok(found)
    }

    fn consume(&mut self, count: usize) {
        if let Some(place) = count.checked_sub(1) {
            self.last = self.input.buffer()[place];
        }
        self.input.consume(count);
    }
}

/// Standard output and standard error, in the order of the lines.
struct Output<'a> {
    global: &'a Global,
    watch: Watch,
    /// What is not written yet.
    out: Vec<u8>,
    lines: u64,
    is_unended: &'a AtomicBool,
    /// The line break of the last line is held back, as it may have none.
    holds_break: bool,
    /// The last line was refused, so that the one before it was not the last.
    is_refused: bool,
    failure: Option<Failure>,
}

impl<'a> Output<'a> {
    fn new(global: &'a Global, watch: Watch, is_unended: &'a AtomicBool) -> Self {
        Self {
            global,
            watch,
            out: Vec::new(),
            lines: 0,
            is_unended,
            holds_break: false,
            is_refused: false,
            failure: None,
        }
    }

    fn item(&mut self, item: &Item<'_>) -> io::Result<()> {
        if std::mem::take(&mut self.holds_break) {
            self.out.push(b'\n');
        }
        self.is_refused = item.result.is_err();
        match &item.result {
            Ok(opened) => {
                self.out.extend_from_slice(opened.plain);
                self.out.push(b'\n');
                let breaks = opened.plain.iter().filter(|&&byte| byte == b'\n').count();
                self.lines += 1 + breaks as u64;
            }
            Err(refused) => complain_of(item.line, refused),
        }
        if item.ends_batch || self.out.len() >= WRITE_BYTES {
            self.watch.look(self.global);
            self.show().map_err(|failure| {
                self.failure = Some(failure);
                io::Error::other("standard output")
            })?;
        }
        Ok(())
    }

    fn show(&mut self) -> Result<()> {
        // Line breaks go over one to one: where the last envelope has none, its message has none.
        if self.is_unended.load(Ordering::Acquire) && !self.is_refused {
            self.holds_break = self.out.pop_if(|byte| *byte == b'\n').is_some();
        }
        write_out(&mut self.out)
    }

    /// How many lines were written.
    fn end(mut self) -> Result<u64> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.show().map(|()| self.lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_says_whether_its_last_line_was_ended() {
        for (text, unended) in [("", false), ("a\n", false), ("a", true), ("a\nb", true)] {
            let is_unended = AtomicBool::new(false);
            let mut source = Source::new(text.as_bytes(), &is_unended);
            let mut read = String::new();
            source.read_to_string(&mut read).unwrap();
            assert_eq!((read.as_str(), is_unended.into_inner()), (text, unended));
        }
    }
}
