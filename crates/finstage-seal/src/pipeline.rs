//! Opening many envelopes on several threads.
//!
//! ```text
//! lines → batches → workers, in turn → batches in the same turn → replay judged, handed out
//! ```
//!
//! The batches go to the workers one after the other and come back from them in the same turn, so
//! the order of the lines is kept without sorting, and what is on its way is bounded: at most
//! [`QUEUE`] batches before and after each worker, of at most `batch` lines and [`MAX_BATCH_BYTES`]
//! (or one line that is longer). Envelopes that are refused do not stop the others.

use std::fmt;
use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::UnixTime;
use crate::envelope::MAX_ENVELOPE_BYTES;
use crate::opener::{Opened, Opener, Refused, Unsealer};
use crate::replay::Origin;
use crate::scratch::Scratch;

/// Batches that wait before and after each worker.
pub const QUEUE: usize = 2;
/// A batch is sent when it holds so many bytes.
pub const MAX_BATCH_BYTES: usize = 1 << 20;
/// The most workers.
pub const MAX_THREADS: usize = 256;

/// How the work is parted.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Workers, at least 1 and at most [`MAX_THREADS`].
    pub threads: usize,
    /// The most lines of a batch.
    pub batch: usize,
    /// The time, asked once a batch.
    pub clock: &'a (dyn Fn() -> UnixTime + Sync),
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, batch, .. } = self;
        f.debug_struct("Options").field("threads", threads).field("batch", batch).finish()
    }
}

/// One line.
#[derive(Debug)]
pub struct Item<'a> {
    /// Its number, counted from 1; empty lines count.
    pub line: u64,
    /// The line.
    pub envelope: &'a [u8],
    /// What came of it.
    pub result: Result<Opened<'a>, Refused>,
    /// The next one may be long in coming: a good moment to show what there is.
    pub ends_batch: bool,
}

/// Opens envelopes, one a line, and hands them out in the order of the lines. Empty lines are left
/// out. Counts are in [`Opener::counts`].
///
/// A batch never waits for more than `source` has in its buffer: what comes slowly goes on at once.
///
/// # Errors
/// The first of `source` or `sink`; lines before it are handed out.
pub fn open_lines(
    opener: &mut Opener,
    source: &mut (dyn BufRead + Send),
    options: &Options<'_>,
    sink: &mut dyn FnMut(Item<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let threads = options.threads.clamp(1, MAX_THREADS);
    thread::scope(|scope| {
        let (spent, empty) = sync_channel(2 * threads * (QUEUE + 1));
        let mut to_workers = Vec::with_capacity(threads);
        let mut from_workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (give, take) = sync_channel(QUEUE);
            let (hand_back, done) = sync_channel(QUEUE);
            let unsealer = opener.unsealer();
            scope.spawn(move || work(unsealer, &take, &hand_back));
            to_workers.push(give);
            from_workers.push(done);
        }
        let reader = scope.spawn(move || read(source, options, &to_workers, &empty));
        let handed = hand_out(opener, &from_workers, &spent, sink);
        // Whoever waits for us ends now.
        drop((from_workers, spent));
        let read = reader.join().expect("the reader does not panic");
        handed.and(read)
    })
}

/// Lines on their way.
#[derive(Default)]
struct Batch {
    now: Option<UnixTime>,
    text: Vec<u8>,
    lines: Vec<Line>,
    plain: Scratch,
}

struct Line {
    number: u64,
    /// Where it ends in the text.
    end: usize,
    found: Result<Option<Origin>, Refused>,
    /// Where its message ends in the plaintexts.
    plain_end: usize,
}

impl Batch {
    fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        self.plain.clear();
    }

    fn push(&mut self, number: u64, start: usize) {
        let line = self.text[start..].trim_ascii_end();
        let end = start + line.len();
        self.text.truncate(end);
        if end > start {
            self.lines.push(Line { number, end, found: Err(Refused::Failed), plain_end: 0 });
        }
    }
}

/// Parts the source into batches.
fn read(
    source: &mut (dyn BufRead + Send),
    options: &Options<'_>,
    workers: &[SyncSender<Batch>],
    empty: &Receiver<Batch>,
) -> io::Result<()> {
    let mut lines = Lines { source, partial: Vec::new(), number: 0, is_done: false };
    for worker in workers.iter().cycle() {
        let mut batch = empty.try_recv().unwrap_or_default();
        batch.clear();
        let read = lines.fill(&mut batch, options.batch.max(1));
        batch.now = Some((options.clock)());
        // A worker that is gone has no one to work for.
        if !batch.lines.is_empty() && worker.send(batch).is_err() {
            return Ok(());
        }
        if !read? {
            return Ok(());
        }
    }
    Ok(())
}

struct Lines<'a> {
    source: &'a mut (dyn BufRead + Send),
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    number: u64,
    is_done: bool,
}

impl Lines<'_> {
    /// Takes what the source has, up to a whole batch; false at the end. A batch is empty only at
    /// the end, on an error, or where all of its lines are.
    fn fill(&mut self, batch: &mut Batch, most: usize) -> io::Result<bool> {
        while batch.lines.is_empty() && !self.is_done {
            let chunk = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if chunk.is_empty() {
                self.is_done = true;
                if !self.partial.is_empty() {
                    self.number += 1;
                    batch.text.append(&mut self.partial);
                    batch.push(self.number, 0);
                }
                break;
            }
            let mut used = 0;
            while batch.lines.len() < most && batch.text.len() < MAX_BATCH_BYTES {
                let rest = &chunk[used..];
                let Some(length) = line_length(rest) else {
                    keep(&mut self.partial, rest);
                    used = chunk.len();
                    break;
                };
                let start = batch.text.len();
                batch.text.append(&mut self.partial);
                keep(&mut batch.text, &rest[..length]);
                used += length + 1;
                self.number += 1;
                batch.push(self.number, start);
            }
            self.source.consume(used);
        }
        Ok(!self.is_done)
    }
}

/// How long the first line is, if it ends here.
fn line_length(mut text: &[u8]) -> Option<usize> {
    let whole = text;
    // The library's own search takes 32 bytes at a time.
    let length = text.skip_until(b'\n').expect("a slice is read without errors");
    whole[..length].ends_with(b"\n").then(|| length - 1)
}

/// Adds to a line, whose end does not matter where it is too long to be an envelope.
fn keep(line: &mut Vec<u8>, more: &[u8]) {
    let room = (MAX_ENVELOPE_BYTES + 1).saturating_sub(line.len());
    line.extend_from_slice(&more[..more.len().min(room)]);
}

fn work(mut unsealer: Unsealer, take: &Receiver<Batch>, hand_back: &SyncSender<Batch>) {
    while let Ok(mut batch) = take.recv() {
        let Batch { now, text, lines, plain } = &mut batch;
        let now = now.expect("the reader says when");
        let mut start = 0;
        for line in lines {
            line.found = unsealer.unseal(&text[start..line.end], now, plain);
            line.plain_end = plain.len();
            start = line.end;
        }
        if hand_back.send(batch).is_err() {
            return;
        }
    }
}

fn hand_out(
    opener: &mut Opener,
    workers: &[Receiver<Batch>],
    spent: &SyncSender<Batch>,
    sink: &mut dyn FnMut(Item<'_>) -> io::Result<()>,
) -> io::Result<()> {
    for worker in workers.iter().cycle() {
        let Ok(batch) = worker.recv() else { return Ok(()) };
        let now = batch.now.expect("the reader says when");
        let (mut start, mut plain_start) = (0, 0);
        for (place, line) in batch.lines.iter().enumerate() {
            let ends_batch = place + 1 == batch.lines.len();
            let plain = &batch.plain.bytes()[plain_start..line.plain_end];
            let result = opener.admit(line.found, now).map(|origin| Opened::new(plain, origin));
            let envelope = &batch.text[start..line.end];
            sink(Item { line: line.number, envelope, result, ends_batch })?;
            (start, plain_start) = (line.end, line.plain_end);
        }
        // Where there are enough, one goes.
        let _ = spent.try_send(batch);
    }
    Ok(())
}
