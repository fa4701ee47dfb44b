//! A stream of any length, made while it is opened: it is never in memory, and its keys are rotated on
//! its way.

use std::io::{self, BufRead, Read};

use finstage_seal::pipeline::{Item, Options, open_lines};
use finstage_seal::{Keys, NewKey, Opener, Sealer, UnixTime};

use super::super::stopwatch::Both;
use super::super::walk::Numbers;
use super::scene::{HUNDRED, NOW, keys, sealer, tick};
use super::{Session, per_second};
use crate::exit::{Failure, Result};

/// Threads that open.
const THREADS: usize = 4;
/// Messages that are made at once.
const PIECE: usize = 512;
/// How often the keys are rotated on the way.
const ROTATIONS: usize = 10;
/// How often memory is looked at on the way.
const LOOKS: usize = 100;
const KIB_OF_MIB: f64 = 1024.0;

pub(super) fn measure(session: &mut Session<'_>, count: usize) -> Result<()> {
    let mut source = Stream::new(count)?;
    let mut opener = Opener::new(source.keys.clone());
    let clock: fn() -> UnixTime = || NOW;
    let options = Options { threads: THREADS, batch: HUNDRED, clock: &clock };
    let mut memory = Memory { every: (count / LOOKS).max(1), ..Memory::default() };
    let mut sink = |_: Item<'_>| {
        memory.next();
        Ok(())
    };
    let (time, opened) = Both::of(|| open_lines(&mut opener, &mut source, &options, &mut sink));
    opened?;
    let counts = opener.counts();
    let mut row =
        |name: &str, value: f64, unit| session.row(format!("seal.stream.{name}"), value, unit);
    row("messages", counts.opened as f64, "messages");
    row("refused", (counts.failed + counts.replayed) as f64, "messages");
    row("rotations", source.rotations as f64, "rotations");
    row("per_s", per_second(time.waited, count), "messages/s to wait, sealing included");
    row("per_cpu_s", per_second(time.cpu, count), "messages/s of processor time, sealing included");
    if let [Some(start), Some(end), Some(most)] = [memory.start, memory.end, memory.most] {
        row("rss_start", start as f64 / KIB_OF_MIB, "MiB after a hundredth");
        row("rss_end", end as f64 / KIB_OF_MIB, "MiB at the end");
        row("rss_most", most as f64 / KIB_OF_MIB, "MiB at most in between");
    }
    Ok(())
}

/// What this process holds, looked at now and then.
#[derive(Default)]
struct Memory {
    every: usize,
    seen: usize,
    start: Option<u64>,
    end: Option<u64>,
    most: Option<u64>,
}

impl Memory {
    fn next(&mut self) {
        self.seen += 1;
        if !self.seen.is_multiple_of(self.every) {
            return;
        }
        self.end = resident_kib();
        self.start = self.start.or(self.end);
        self.most = self.most.max(self.end);
    }
}

/// Memory in use in KiB, where Linux says it.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Envelopes of version 1, a line each.
struct Stream {
    keys: Keys,
    sealer: Sealer,
    numbers: Numbers,
    count: usize,
    made: usize,
    rotations: usize,
    plain: Vec<u8>,
    piece: Vec<u8>,
    at: usize,
}

impl Stream {
    fn new(count: usize) -> Result<Self> {
        let keys = keys()?;
        let sealer = sealer(&keys);
        let stream = Self {
            keys,
            sealer,
            numbers: Numbers::new(12),
            count,
            made: 0,
            rotations: 0,
            plain: Vec::new(),
            piece: Vec::new(),
            at: 0,
        };
        stream.announce()?;
        Ok(stream)
    }

    /// Gives readers the next key before it is used.
    fn announce(&self) -> Result<()> {
        let mut ring = (*self.keys.current()).clone();
        let fresh = NewKey::generate().map_err(Failure::usage)?;
        ring.add(fresh, NOW).map_err(Failure::usage)?;
        self.keys.replace(ring);
        Ok(())
    }

    fn rotate(&mut self) -> Result<()> {
        let mut ring = (*self.keys.current()).clone();
        let fresh = NewKey::generate().map_err(Failure::usage)?;
        ring.rotate(NOW, fresh).map_err(Failure::usage)?;
        self.keys.replace(ring);
        self.rotations += 1;
        Ok(())
    }

    fn more(&mut self) -> Result<()> {
        self.at = 0;
        self.piece.clear();
        for _ in 0..PIECE.min(self.count - self.made) {
            if self.made * ROTATIONS >= (self.rotations + 1) * self.count {
                self.rotate()?;
            }
            self.plain.clear();
            tick(&mut self.numbers, self.made, &mut self.plain)?;
            self.sealer.seal(&self.plain, &mut self.piece).map_err(Failure::usage)?;
            self.piece.push(b'\n');
            self.made += 1;
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.piece.len() {
            self.more().map_err(io::Error::other)?;
        }
        Ok(&self.piece[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_as_many_messages_as_asked_for_and_rotates_on_its_way() {
        let mut stream = Stream::new(3_000).unwrap();
        let mut opener = Opener::new(stream.keys.clone());
        let clock: fn() -> UnixTime = || NOW;
        let options = Options { threads: 2, batch: 10, clock: &clock };
        open_lines(&mut opener, &mut stream, &options, &mut |item| {
            item.result.map(|_| ()).map_err(io::Error::other)
        })
        .unwrap();
        assert_eq!(opener.counts().opened, 3_000);
        assert_eq!(stream.rotations, ROTATIONS - 1);
    }
}
