//! Many envelopes on several threads.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use finstage_seal::pipeline::{Options, QUEUE, open_lines};
use finstage_seal::{Keys, Opener, OpenerCounts, Refused, UnixTime};

use crate::allocations::most_held;
use crate::{NOW, ring, sealed, sealer};

fn options(threads: usize, batch: usize) -> Options<'static> {
    Options { threads, batch, clock: &|| NOW }
}

/// What became of each line: its number and message, or why not.
type Outcome = (u64, Result<Vec<u8>, Refused>);

fn open(opener: &mut Opener, mut text: &[u8], options: &Options<'_>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    open_lines(opener, &mut text, options, &mut |item| {
        outcomes.push((item.line, item.result.map(|opened| opened.plain.to_vec())));
        Ok(())
    })
    .unwrap();
    outcomes
}

#[test]
fn order_holds_while_some_lines_fail() {
    let keys = Keys::new(ring());
    let mut sealer = sealer(&keys, 1);
    let mut text = Vec::new();
    let mut expected = Vec::new();
    let mut last = Vec::new();
    for n in 0..3000_u64 {
        let line = n + 1;
        match n % 7 {
            3 => {
                text.extend_from_slice(b"this is none\n");
                expected.push((line, Err(Refused::Failed)));
            }
            // Empty lines count and are left out.
            5 => text.extend_from_slice(b"  \r\n"),
            6 if !last.is_empty() => {
                text.extend_from_slice(&last);
                text.push(b'\n');
                expected.push((line, Err(Refused::Replayed)));
            }
            _ => {
                let plain = n.to_string().repeat(n as usize % 40).into_bytes();
                last = sealed(&mut sealer, &plain);
                text.extend_from_slice(&last);
                text.extend_from_slice(if n % 2 == 0 { b"\n" } else { b"\r\n" });
                expected.push((line, Ok(plain)));
            }
        }
    }
    // The last line has no end.
    text.truncate(text.len() - 1);
    for (threads, batch) in [(1, 1), (1, 100), (2, 7), (4, 100), (3, 10_000), (0, 0)] {
        let mut opener = Opener::new(keys.clone());
        let outcomes = open(&mut opener, &text, &options(threads, batch));
        assert_eq!(outcomes, expected, "{threads} threads, batches of {batch}");
        let count = |what: &dyn Fn(&Outcome) -> bool| {
            expected.iter().filter(|outcome| what(outcome)).count() as u64
        };
        let counts = OpenerCounts {
            opened: count(&|o| o.1.is_ok()),
            failed: count(&|o| o.1 == Err(Refused::Failed)),
            replayed: count(&|o| o.1 == Err(Refused::Replayed)),
        };
        assert_eq!(opener.counts(), counts);
        // The memory is the opener's: a second run finds them all again.
        let again = open(&mut opener, &text, &options(threads, batch));
        assert!(again.iter().all(|(_, result)| result.is_err()));
    }
}

/// Lines without end, in small pieces; it counts those that were taken.
struct Lines<'a> {
    envelopes: &'a [Vec<u8>],
    left: u64,
    at: usize,
    taken: &'a AtomicU64,
}

impl Read for Lines<'_> {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        unreachable!("it is read by its buffer")
    }
}

impl BufRead for Lines<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let envelope = &self.envelopes[(self.left % self.envelopes.len() as u64) as usize];
        Ok(&envelope[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
        if self.at == self.envelopes[(self.left % self.envelopes.len() as u64) as usize].len() {
            self.at = 0;
            self.left -= 1;
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Envelopes with a newline at the end of each.
fn lines(count: usize) -> (Keys, Vec<Vec<u8>>) {
    let keys = Keys::new(ring());
    let mut sealer = sealer(&keys, 1);
    let line = |_| {
        let mut line = sealed(&mut sealer, &[b'x'; 100]);
        line.push(b'\n');
        line
    };
    let lines = (0..count).map(line).collect();
    (keys, lines)
}

#[test]
fn what_is_on_its_way_is_bounded_however_slow_the_end_is() {
    let (keys, envelopes) = lines(64);
    for (threads, batch) in [(1, 1), (2, 1), (4, 1)] {
        let taken = AtomicU64::new(0);
        let mut source = Lines { envelopes: &envelopes, left: 300, at: 0, taken: &taken };
        let mut opener = Opener::new(keys.clone());
        // Before and behind each worker, in its hands, in the reader's and in ours.
        let bound = (threads * (2 * QUEUE + 1) + 2) as u64;
        let most = Cell::new(0);
        open_lines(&mut opener, &mut source, &options(threads, batch), &mut |item| {
            // So that the others get as far as they can.
            let pauses = if item.line.is_multiple_of(30) { 100 } else { 0 };
            for _ in 0..pauses {
                std::thread::yield_now();
            }
            most.set(most.get().max(taken.load(Ordering::SeqCst) - item.line + 1));
            Ok(())
        })
        .unwrap();
        assert!(most.get() <= bound, "{} lines, at most {bound}", most.get());
        assert!(most.get() > 1, "they did not wait for each other");
    }
}

#[test]
fn memory_does_not_grow_with_the_input() {
    let (keys, envelopes) = lines(64);
    let block = [envelopes.concat()];
    let run = |count: u64| {
        let taken = AtomicU64::new(0);
        let mut source = Lines { envelopes: &block, left: count, at: 0, taken: &taken };
        let mut opener = Opener::new(keys.clone());
        most_held(|| {
            let sink = &mut |_: finstage_seal::pipeline::Item<'_>| Ok(());
            open_lines(&mut opener, &mut source, &options(2, 50), sink).unwrap();
        })
    };
    let short = run(100);
    let long = run(10_000);
    // Tests that share a process with this one hold some memory too; nextest gives each its own.
    let others = 64 << 20;
    assert!(10_000 * block[0].len() > 2 * others, "it would be seen");
    assert!(long < short * 2 + others, "{long} bytes, {short} for a hundredth");
}

/// A source of what was typed, line by line, and of nothing more before the answer is there.
struct Typed<'a> {
    lines: std::slice::Iter<'a, Vec<u8>>,
    now: &'a [u8],
    answers: &'a AtomicU64,
    asked: u64,
}

impl Read for Typed<'_> {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        unreachable!("it is read by its buffer")
    }
}

impl BufRead for Typed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.now.is_empty() {
            while self.answers.load(Ordering::SeqCst) < self.asked {
                std::thread::yield_now();
            }
            self.now = self.lines.next().map_or(&[], Vec::as_slice);
            self.asked += 1;
        }
        Ok(self.now)
    }

    fn consume(&mut self, count: usize) {
        self.now = &self.now[count..];
    }
}

#[test]
fn a_line_is_answered_before_the_next_one_comes() {
    let (keys, envelopes) = lines(20);
    let answers = AtomicU64::new(0);
    let mut source = Typed { lines: envelopes.iter(), now: &[], answers: &answers, asked: 0 };
    let mut opener = Opener::new(keys);
    open_lines(&mut opener, &mut source, &options(3, 1000), &mut |item| {
        item.result.unwrap();
        answers.fetch_add(1, Ordering::SeqCst);
        Ok(())
    })
    .unwrap();
    assert_eq!(answers.into_inner(), 20);
}

#[test]
fn a_line_without_end_is_refused_unread_and_the_next_one_is_not() {
    let (keys, envelopes) = lines(1);
    // 512 MiB without a newline, then one.
    let endless = io::repeat(b'x').take(512 << 20);
    let rest = [b"\n", &*envelopes[0]].concat();
    let mut reader = io::BufReader::with_capacity(1 << 20, endless.chain(&*rest));
    let mut opener = Opener::new(keys);
    let mut outcomes = Vec::new();
    let held = most_held(|| {
        open_lines(&mut opener, &mut reader, &options(2, 10), &mut |item| {
            outcomes.push((item.line, item.result.is_ok()));
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(outcomes, [(1, false), (2, true)]);
    assert!(held < 128 << 20, "{held} bytes");
}

#[test]
fn errors_of_either_end_stop_it_and_are_said() {
    let (keys, envelopes) = lines(64);
    let taken = AtomicU64::new(0);
    let mut source = Lines { envelopes: &envelopes, left: u64::MAX, at: 0, taken: &taken };
    let mut opener = Opener::new(keys.clone());
    let error = open_lines(&mut opener, &mut source, &options(3, 4), &mut |item| {
        if item.line == 100 { Err(io::Error::from(io::ErrorKind::BrokenPipe)) } else { Ok(()) }
    });
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::BrokenPipe);

    struct Broken<'a>(&'a [u8]);
    impl Read for Broken<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
            self.0.read(buffer)
        }
    }
    let text = envelopes.concat();
    let mut reader = io::BufReader::new(Broken(&text));
    let mut opened = 0;
    let error = open_lines(&mut Opener::new(keys), &mut reader, &options(2, 5), &mut |_| {
        opened += 1;
        Ok(())
    });
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(opened, 64, "what came before is handed out");
}

#[test]
fn the_time_is_asked_while_it_runs() {
    let (keys, envelopes) = lines(10);
    let mut ring = ring();
    ring.rotate(NOW, crate::key("k2", 8)).unwrap();
    keys.replace(ring);
    let hours = AtomicU64::new(0);
    let clock =
        || UnixTime::from_secs(NOW.secs() + 3600 * 5 * hours.fetch_add(1, Ordering::SeqCst) as i64);
    let options = Options { threads: 2, batch: 1, clock: &clock };
    let text = envelopes.concat();
    let outcomes = open(&mut Opener::new(keys), &text, &options);
    // Grace is over after 24 h.
    let open: Vec<bool> = outcomes.iter().map(|(_, result)| result.is_ok()).collect();
    assert_eq!(open, [true, true, true, true, true, false, false, false, false, false]);
}
