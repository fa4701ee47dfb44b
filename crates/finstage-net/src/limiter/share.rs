//! One file for all processes of this machine that ask a server under one key.
//!
//! Every process keeps books of its own and writes down what it does to them; read in the order of
//! the file, all books say the same. A decision is made while the file is locked and everything in
//! it has been read, so two processes never admit the same room. The lock ends with the process
//! that has it, and what a process leaves behind when it dies is counted as sent.
//!
//! Records have a fixed size and a checksum. A damaged one is skipped: a write that was cut short
//! costs that record alone.

mod record;

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::quota::{Books, Ticket, nanos};
use crate::{Reading, Refusal, Rule, Settlement};
pub(super) use record::Entry;
use record::{Header, Kind, Record, SIZE};

/// Records kept when the file is renewed cover so many of the longest windows.
const KEPT_WINDOWS: u64 = 2;
/// Beyond this size the file is renewed, if that halves it.
const RENEW_BYTES: u64 = 4 << 20;
/// Read at a time.
const CHUNK: usize = 64 * SIZE;
/// The most records that wait for the file.
const MAX_UNSAID: usize = 4096;
/// So long another process may have the file before we decide alone.
const BUSY_LIMIT: u64 = 1_000_000_000;
/// How long after a failure the file is left alone.
const LEAVE_ALONE: u64 = 1_000_000_000;
/// What another process admitted is sent within this time, or is taken to have been.
const SENT_WITHIN: u64 = 30_000_000_000;
/// The most requests of others that are followed at once.
const MAX_FOLLOWED: usize = 65_536;

/// Our end of the file.
#[derive(Debug)]
pub(super) struct Share {
    path: PathBuf,
    rules: Vec<Rule>,
    header: Header,
    /// Who we are among the writers.
    writer: u64,
    file: Option<File>,
    is_locked: bool,
    /// The number of the next record to read, counted over all renewals.
    next: u64,
    unsaid: Vec<Record>,
    followed: HashMap<(u64, u64), Followed>,
    longest: u64,
    swept_at: u64,
    renew_at: u64,
    busy_since: Option<u64>,
    left_alone_until: u64,
    error: Option<String>,
}

/// A request of another process.
#[derive(Debug, Default)]
struct Followed {
    ticket: Ticket,
    at: u64,
    is_sent: bool,
    readings: Vec<Reading>,
}

impl Share {
    /// The file of the scope `name` in `folder`. Nothing is opened before it is needed.
    pub(super) fn new(folder: &Path, name: &str, rules: &[Rule]) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let file: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let longest = rules.iter().map(|rule| nanos(rule.window)).max().unwrap_or(0);
        Self {
            // Names that differ in other characters only must not meet in one file.
            path: folder.join(format!("{file}-{:08x}.quota", record::hash(name.as_bytes()) as u32)),
            rules: rules.to_vec(),
            header: Header::of(rules),
            writer: record::new_writer(),
            file: None,
            is_locked: false,
            next: 0,
            unsaid: Vec::new(),
            followed: HashMap::new(),
            longest,
            swept_at: 0,
            renew_at: RENEW_BYTES,
            busy_since: None,
            left_alone_until: 0,
            error: None,
        }
    }

    /// Why the file cannot be used at present.
    pub(super) fn error(&self) -> Option<String> {
        self.error.clone()
    }

    /// Keeps an entry until the file is ours.
    pub(super) fn say(&mut self, now: u64, id: u64, entry: &Entry) {
        self.keep(Record::of_entry(entry), now, id);
    }

    /// The same for an answer.
    pub(super) fn say_answer(&mut self, now: u64, id: u64, answer: &Settlement<'_>) {
        for reading in answer.readings {
            if let Some(index) = self.rules.iter().position(|rule| rule.name == reading.rule) {
                self.keep(Record::of_reading(index, reading), now, id);
            }
        }
        let record = Record::of_answer(&self.rules, answer);
        self.keep(record, now, id);
    }

    fn keep(&mut self, record: Record, now: u64, id: u64) {
        if self.unsaid.len() < MAX_UNSAID {
            self.unsaid.push(Record { writer: self.writer, id, at: now, ..record });
        } else {
            self.error = Some(format!("{}: records were left out", self.path.display()));
        }
    }

    /// Tries to get the file and to read what others wrote into `books`. False: another process
    /// has it, try again soon. True where it cannot be used at all: then each counts for itself.
    pub(super) fn lock(&mut self, now: u64, books: &mut Books) -> bool {
        if now < self.left_alone_until {
            return true;
        }
        match self.try_lock(now, books) {
            Ok(true) => {
                self.is_locked = true;
                self.busy_since = None;
                self.error = None;
                true
            }
            Ok(false) => {
                let since = *self.busy_since.get_or_insert(now);
                let is_stuck = now.saturating_sub(since) > BUSY_LIMIT;
                if is_stuck {
                    self.error = Some(format!("{}: held by another process", self.path.display()));
                }
                is_stuck
            }
            Err(error) => {
                self.fail(now, &error);
                true
            }
        }
    }

    /// Writes what is to be said and lets others have the file.
    pub(super) fn unlock(&mut self) {
        if !std::mem::take(&mut self.is_locked) {
            return;
        }
        let now = self.unsaid.last().map_or(0, |record| record.at);
        if let Err(error) = self.append() {
            self.fail(now, &error);
        }
        if let Some(file) = &self.file {
            // It fails for a file that is not locked, and then nothing is to be done.
            let _ = file.unlock();
        }
    }

    fn fail(&mut self, now: u64, error: &io::Error) {
        self.error = Some(format!("{}: {error}", self.path.display()));
        self.left_alone_until = now.saturating_add(LEAVE_ALONE);
        self.file = None;
        self.is_locked = false;
    }

    fn try_lock(&mut self, now: u64, books: &mut Books) -> io::Result<bool> {
        // A renewal in between leaves us with a lock on a file that has lost its name.
        for _ in 0..4 {
            if self.file.is_none() {
                self.file = Some(open(&self.path)?);
            }
            let file = self.file.as_ref().expect("just opened");
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(false),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if is_named(file, &self.path)? {
                self.read(now, books)?;
                return Ok(true);
            }
            self.file = None;
        }
        Ok(false)
    }

    fn read(&mut self, now: u64, books: &mut Books) -> io::Result<()> {
        let mut file = self.file.as_ref().expect("locked");
        let length = file.metadata()?.len();
        let mut head = [0; SIZE];
        file.seek(SeekFrom::Start(0))?;
        let header = match length >= SIZE as u64 {
            true => file.read_exact(&mut head).map(|()| Header::decode(&head))?,
            false => None,
        };
        let first = match header {
            Some(header) if header.fits(&self.header) => header.first,
            // New, damaged, from before a reboot, or of other rules: its times mean nothing.
            _ => {
                self.header.first = self.next;
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&self.header.encode())?;
                return Ok(());
            }
        };
        self.next = self.next.max(first);
        let count = length / SIZE as u64 - 1;
        let mut place = self.next - first;
        file.seek(SeekFrom::Start((place + 1) * SIZE as u64))?;
        let mut chunk = [0; CHUNK];
        let mut records = Vec::new();
        while place < count {
            let wanted = usize::try_from(count - place).map_or(CHUNK, |left| left.min(64) * SIZE);
            file.read_exact(&mut chunk[..wanted])?;
            for bytes in chunk[..wanted].chunks_exact(SIZE) {
                if let Some(record) = Record::decode(bytes)
                    && record.writer != self.writer
                {
                    records.push(record);
                }
            }
            place += (wanted / SIZE) as u64;
        }
        for record in &records {
            self.apply(record, books);
        }
        self.next = first + count;
        self.sweep(now, books);
        if length > self.renew_at {
            self.renew(now, first)?;
        }
        Ok(())
    }

    fn append(&mut self) -> io::Result<()> {
        if self.unsaid.is_empty() {
            return Ok(());
        }
        let mut file = self.file.as_ref().expect("locked");
        let length = file.metadata()?.len();
        // A write that was cut short ends in the middle of a record.
        let end = length.next_multiple_of(SIZE as u64);
        self.next += (end - length).div_ceil(SIZE as u64);
        let bytes: Vec<u8> = self.unsaid.iter().flat_map(Record::encode).collect();
        file.seek(SeekFrom::Start(end))?;
        file.write_all(&bytes)?;
        self.next += self.unsaid.len() as u64;
        self.unsaid.clear();
        Ok(())
    }

    /// Does to our books what another process did to its own.
    fn apply(&mut self, record: &Record, books: &mut Books) {
        let key = (record.writer, record.id);
        match record.kind {
            Kind::Blocked => books.block(record.first()),
            Kind::Reserved if self.followed.len() < MAX_FOLLOWED => {
                let ticket = books.impose(record.at, &record.amounts());
                let followed = Followed { ticket, at: record.at, ..Followed::default() };
                self.followed.insert(key, followed);
            }
            Kind::Reserved => {
                let mut ticket = books.impose(record.at, &record.amounts());
                books.sent(record.at, &mut ticket);
            }
            Kind::Sent => {
                if let Some(followed) = self.followed.get_mut(&key) {
                    if followed.is_sent {
                        // It was taken to have been sent before: now it counts again, later.
                        followed.ticket = books.impose(record.at, &followed.ticket.amounts());
                    }
                    books.sent(record.at, &mut followed.ticket);
                    (followed.is_sent, followed.at) = (true, record.at);
                }
            }
            Kind::Reading => {
                if let Some(followed) = self.followed.get_mut(&key)
                    && let Some(reading) = record.reading(&self.rules)
                    && followed.readings.len() < self.rules.len()
                {
                    followed.readings.push(reading);
                }
            }
            Kind::GivenBack | Kind::Lost | Kind::Answered => {
                let Some(mut followed) = self.followed.remove(&key) else { return };
                match record.kind {
                    Kind::GivenBack if !followed.is_sent => books.give_back(&followed.ticket),
                    Kind::Answered => {
                        if !followed.is_sent {
                            books.sent(record.at, &mut followed.ticket);
                        }
                        let (actual, refused) = record.answer(&self.rules);
                        // How long to rest stands in a record of its own.
                        let refused = refused.map(|refusal| Refusal {
                            retry_after: Some(refusal.retry_after.unwrap_or_default()),
                            ..refusal
                        });
                        let readings = &followed.readings;
                        let answer = Settlement { readings, refused, actual: &actual };
                        books.answered(record.at, &followed.ticket, &answer);
                    }
                    _ => books.lost(&followed.ticket),
                }
            }
        }
    }

    /// Requests of processes that died: what was admitted counts as sent, what was sent as lost.
    fn sweep(&mut self, now: u64, books: &mut Books) {
        if now.saturating_sub(self.swept_at) < SENT_WITHIN {
            return;
        }
        self.swept_at = now;
        let longest = self.longest.saturating_mul(2).max(SENT_WITHIN);
        self.followed.retain(|_, followed| {
            let age = now.saturating_sub(followed.at);
            if !followed.is_sent && age >= SENT_WITHIN {
                books.sent(now, &mut followed.ticket);
                (followed.is_sent, followed.at) = (true, now);
            } else if followed.is_sent && age > longest {
                books.lost(&followed.ticket);
                return false;
            }
            true
        });
    }

    /// Puts a file in place that holds only what can still count.
    fn renew(&mut self, now: u64, first: u64) -> io::Result<()> {
        let mut file = self.file.as_ref().expect("locked");
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(SIZE as u64))?;
        file.read_to_end(&mut bytes)?;
        let horizon =
            now.saturating_sub(self.longest.saturating_mul(KEPT_WINDOWS).max(SENT_WITHIN));
        let counts =
            |bytes: &[u8]| Record::decode(bytes).is_some_and(|record| record.at >= horizon);
        let records = bytes.len() / SIZE;
        let old = bytes.chunks_exact(SIZE).position(counts).unwrap_or(records);
        self.renew_at = ((records - old) * SIZE * 2) as u64 + RENEW_BYTES;
        if old * 2 < records {
            return Ok(());
        }
        self.header.first = first + old as u64;
        let beside = self.path.with_extension(format!("{:016x}", self.writer));
        let mut new = open(&beside)?;
        // Locked before it has the name: nobody comes in between.
        new.try_lock().map_err(io::Error::from)?;
        new.write_all(&self.header.encode())?;
        new.write_all(&bytes[old * SIZE..records * SIZE])?;
        std::fs::rename(&beside, &self.path)?;
        self.file = Some(new);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Whether the open file is the one that has the name now.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(path) {
        Ok(named) => {
            let ours = file.metadata()?;
            Ok((named.ino(), named.dev()) == (ours.ino(), ours.dev()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// An open file keeps its name there: it cannot be replaced.
#[cfg(not(unix))]
fn is_named(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}
