//! Numbers that are used once.
//!
//! A nonce of AES-GCM that comes twice under one key gives the key of the authentication away. So
//! nonces are counted (NIST SP 800-38D, section 8.2.1: a fixed field, the sender, and an invocation
//! field, its numbers). Numbers are reserved in blocks, and a block is on disk before its first number
//! is used: a crash loses the rest of a block, and never gives a number out again.
//!
//! Two things keep nonces apart. Within a file each number of a key is given out once, to whomever.
//! And each start has another sender id, drawn by chance: a file that is copied or put back would give
//! numbers out again, but not to the same sender.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use crate::disk::{self, Disk, DiskFile};
use crate::key::{KeyId, fill};

/// The most keys and senders that a file remembers.
const MAX_ENTRIES: usize = 4096;
/// The last line: a file that was cut off does not have it.
const END: &str = "# end\n";

/// Where reserved sequence numbers are kept.
pub trait Counters: Send {
    /// The id of this sender, which no other sender of these counters has or had.
    fn sid(&self) -> u32;

    /// Reserves the next `count` numbers of a key. They are durable when it returns, and nobody
    /// gets one of them again.
    ///
    /// # Errors
    /// Whatever the system says; then no number may be used.
    fn reserve(&mut self, key: KeyId, count: u64) -> io::Result<Range<u64>>;
}

/// Counters in a file beside the keyring, shared by all processes that seal with it.
///
/// Each that opens it is another sender. The numbers of a key go to all senders together, so that
/// two of them could not repeat a nonce even if their ids were the same.
pub struct CounterFile {
    disk: Box<dyn Disk>,
    shown: String,
    sid: u32,
}

/// What the file holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    version: u32,
    /// The senders so far, the latest last.
    senders: Vec<u32>,
    /// The first number of each key that is free.
    next: BTreeMap<KeyId, u64>,
}

impl CounterFile {
    /// Opens the file, which is made when it is missing, and takes a new sender id.
    ///
    /// # Errors
    /// `InvalidData` for a damaged file, `ResourceBusy` when another process holds it, or whatever
    /// the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::on(Box::new(DiskFile::new(path)), path.display().to_string())
    }

    /// How many numbers of a key are given out: no fewer than messages were sealed.
    ///
    /// # Errors
    /// As [`CounterFile::open`].
    pub fn given_out(&self, key: KeyId) -> io::Result<u64> {
        Ok(self.read()?.next.get(&key).copied().unwrap_or(0))
    }

    /// How many numbers of each key a file has given out, without becoming a sender; none where there
    /// is no file.
    ///
    /// # Errors
    /// `InvalidData` for a damaged file, or whatever the system says.
    pub fn peek(path: &Path) -> io::Result<BTreeMap<KeyId, u64>> {
        let (disk, shown) = (Box::new(DiskFile::new(path)), path.display().to_string());
        Ok(Self { disk, shown, sid: 0 }.read()?.next)
    }

    pub(crate) fn on(disk: Box<dyn Disk>, shown: String) -> io::Result<Self> {
        let mut file = Self { disk, shown, sid: 0 };
        file.sid = file.change(|book| {
            let sid = fresh_sid(&book.senders, &mut random)?;
            if book.senders.len() >= MAX_ENTRIES {
                book.senders.remove(0);
            }
            book.senders.push(sid);
            Ok(sid)
        })?;
        Ok(file)
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut Book) -> io::Result<R>) -> io::Result<R> {
        let _lock = self.disk.lock()?;
        let mut book = self.read()?;
        let result = change(&mut book)?;
        disk::replace(&mut *self.disk, book.text().as_bytes())?;
        Ok(result)
    }

    fn read(&self) -> io::Result<Book> {
        let Some(bytes) = self.disk.read()? else {
            return Ok(Book { version: 1, ..Book::default() });
        };
        let whole = std::str::from_utf8(&bytes).ok().filter(|text| text.ends_with(END));
        whole
            .and_then(|text| toml::from_str(text).ok())
            .filter(|book: &Book| book.version == 1)
            .ok_or_else(|| {
                let words =
                    format!("{} is damaged: rotate to a new key, then delete the file", self.shown);
                io::Error::new(io::ErrorKind::InvalidData, words)
            })
    }
}

impl Counters for CounterFile {
    fn sid(&self) -> u32 {
        self.sid
    }

    fn reserve(&mut self, key: KeyId, count: u64) -> io::Result<Range<u64>> {
        self.change(|book| {
            if book.next.len() >= MAX_ENTRIES && !book.next.contains_key(&key) {
                let words = "more keys than can be counted: begin a new keyring";
                return Err(io::Error::new(io::ErrorKind::QuotaExceeded, words));
            }
            let next = book.next.entry(key).or_insert(0);
            take(next, count)
        })
    }
}

impl Book {
    fn text(&self) -> String {
        let mut out = String::from(
            "# Numbers that are used, by key. Used twice they give the key away: never edit this, copy \
             it to\n# another machine or bring an old one back. Where in doubt, `finstage keys rotate` \
             and delete it.\n",
        );
        let mut line = |line: fmt::Arguments<'_>| {
            out.write_fmt(line).expect("writing to a string cannot fail");
        };
        line(format_args!("version = {}\nsenders = {:?}\n\n[next]\n", self.version, self.senders));
        for (key, next) in &self.next {
            line(format_args!("\"{key}\" = {next}\n"));
        }
        out.push_str(END);
        out
    }
}

impl fmt::Debug for CounterFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CounterFile").field("path", &self.shown).field("sid", &self.sid).finish()
    }
}

fn take(next: &mut u64, count: u64) -> io::Result<Range<u64>> {
    // TOML counts to 2^63.
    let end = next.checked_add(count).filter(|&end| i64::try_from(end).is_ok());
    let end = end.ok_or_else(|| io::Error::new(io::ErrorKind::QuotaExceeded, "out of numbers"))?;
    Ok(std::mem::replace(next, end)..end)
}

/// An id by chance: whoever seals with a copy of the keyring elsewhere has another one.
fn fresh_sid(taken: &[u32], draw: &mut dyn FnMut() -> io::Result<u32>) -> io::Result<u32> {
    loop {
        let sid = draw()?;
        if !taken.contains(&sid) {
            return Ok(sid);
        }
    }
}

fn random() -> io::Result<u32> {
    let mut bytes = [0; 4];
    fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u32::from_be_bytes(bytes))
}

/// Counters that end with the process: only for keys that end with it too.
#[derive(Debug)]
pub struct MemoryCounters {
    sid: u32,
    next: BTreeMap<KeyId, u64>,
}

impl MemoryCounters {
    /// Counters of a sender.
    #[must_use]
    pub const fn new(sid: u32) -> Self {
        Self { sid, next: BTreeMap::new() }
    }
}

impl Counters for MemoryCounters {
    fn sid(&self) -> u32 {
        self.sid
    }

    fn reserve(&mut self, key: KeyId, count: u64) -> io::Result<Range<u64>> {
        take(self.next.entry(key).or_insert(0), count)
    }
}

#[cfg(test)]
mod tests;
