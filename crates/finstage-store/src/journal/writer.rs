//! Continuing a run: append, roll, recover.
//!
//! The writer keeps one promise: at every moment the file is a row of whole records, or will be
//! again before anything else is written. A failed write is cut off at once; if even that fails,
//! the writer refuses until it succeeds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finstage_model::{Day, Event, Position, RunNumber};

use super::preamble::Preamble;
use super::reserve::Reserve;
use super::segment::{self, Found, Payload, Scanner};
use super::sync::{Shared, Synced};
use super::{Journal, JournalOptions, segment_name, segment_number, too_large};
use crate::files::{Files, OpenFile, OpenMode};
use crate::{Error, ErrorKind};

/// Appends events to a run.
#[derive(Debug)]
pub struct Writer {
    files: Arc<dyn Files>,
    dir: PathBuf,
    options: JournalOptions,
    segment: Segment,
    /// Position after the last event written.
    end: Position,
    /// Whether bytes of a failed write may follow the last record.
    torn: bool,
    buffer: Vec<u8>,
    reserve: Reserve,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Segment {
    number: u32,
    path: PathBuf,
    file: Arc<dyn OpenFile>,
    /// Length of its whole records.
    size: u64,
}

/// How much room the writer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Enough, as far as known.
    Plenty,
    /// The disk was full and the reserve was given up: pause what can be paused, free space, and
    /// call [`Writer::refill_reserve`].
    Reserve,
}

impl Writer {
    pub(super) fn open(journal: &Journal, day: Day, run: RunNumber) -> Result<Self, Error> {
        let files = Arc::clone(&journal.files);
        let dir = journal.run_dir(day, run);
        let header = Preamble::open(&*files, &dir, (day, run))?.header;
        let last = journal.list(&dir)?.iter().filter_map(|name| segment_number(name)).max();
        let (segment, next) = match last {
            None => (Segment::create(&*files, &dir, 0)?, header.events),
            Some(last) => Segment::recover(&*files, &dir, last, header.events)?,
        };
        // What was only in the system's memory when the last process ended becomes durable now.
        segment.file.sync().map_err(|e| Error::io("syncing", &segment.path, e))?;
        files.sync_dir(&dir).map_err(|e| Error::io("syncing", &dir, e))?;
        let end = Position::new(day, run, next);
        let shared = Shared::new(Arc::clone(&segment.file), segment.path.clone(), end);
        let options = journal.options;
        let mut reserve = Reserve::new(Arc::clone(&files), &journal.root, options.reserve_bytes);
        match reserve.fill() {
            Err(error) if error.kind() == ErrorKind::Full => {
                tracing::warn!(%error, "the journal has no reserve");
            }
            other => other?,
        }
        Ok(Self {
            files,
            dir,
            options,
            segment,
            end,
            torn: false,
            buffer: Vec::new(),
            reserve,
            shared: Arc::new(shared),
        })
    }

    /// Writes events after those written before, and gives the position of the first.
    ///
    /// They are in the hands of the system when this returns, and durable when [`Writer::synced`]
    /// has passed them. Either all of them are written or, with an error, none.
    ///
    /// # Errors
    /// `Full` when there is no space even without the reserve: call again when there is. `Io`
    /// when the system fails; after a failed sync every call does, and a restart is needed.
    pub fn append(&mut self, events: &[Event]) -> Result<Position, Error> {
        self.shared.check()?;
        let first = self.end;
        if events.is_empty() {
            return Ok(first);
        }
        self.buffer.clear();
        segment::write_records(events, first.seq(), &mut self.buffer)
            .map_err(|size| too_large(&self.segment.path, size))?;
        match self.write() {
            Err(error) if error.kind() == ErrorKind::Full && self.reserve.give_up() => {
                tracing::warn!(%error, "the disk is full: the reserve is given up");
                self.write()?;
            }
            other => other?,
        }
        self.segment.size += self.buffer.len() as u64;
        self.end = first.plus(events.len() as u64);
        self.shared.wrote(self.end);
        Ok(first)
    }

    /// The position after the last event written: where the next one goes.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.end
    }

    /// Makes everything written durable now.
    ///
    /// # Errors
    /// `Io` or `Full` when that fails; the writer then refuses and a restart is needed.
    pub fn sync(&self) -> Result<(), Error> {
        self.shared.sync()
    }

    /// A handle that tells up to where the journal is durable.
    #[must_use]
    pub fn synced(&self) -> Synced {
        Synced(Arc::clone(&self.shared))
    }

    /// Whether the disk was found full.
    #[must_use]
    pub const fn space(&self) -> Space {
        if self.reserve.is_held() { Space::Plenty } else { Space::Reserve }
    }

    /// Sets the reserve aside again.
    ///
    /// # Errors
    /// `Full` while there is no space for it.
    pub fn refill_reserve(&mut self) -> Result<(), Error> {
        self.reserve.fill()
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    fn write(&mut self) -> Result<(), Error> {
        self.repair()?;
        let size = self.segment.size;
        if size > 0 && size + self.buffer.len() as u64 > self.options.segment_bytes {
            self.roll()?;
        }
        let Segment { file, path, .. } = &self.segment;
        if let Err(e) = file.append(&self.buffer) {
            let error = Error::io("writing", path, e);
            self.torn = true;
            if let Err(error) = self.repair() {
                tracing::error!(%error, "a failed write could not be cut off yet");
            }
            return Err(error);
        }
        Ok(())
    }

    /// Cuts off what a failed write left.
    fn repair(&mut self) -> Result<(), Error> {
        if self.torn {
            let Segment { file, path, size, .. } = &self.segment;
            file.truncate(*size).map_err(|e| Error::io("repairing", path, e))?;
            self.torn = false;
        }
        Ok(())
    }

    /// Closes the segment and begins the next one.
    fn roll(&mut self) -> Result<(), Error> {
        self.shared.sync()?;
        let segment = Segment::create(&*self.files, &self.dir, self.segment.number + 1)?;
        self.shared.switch(Arc::clone(&segment.file), segment.path.clone());
        self.segment = segment;
        Ok(())
    }
}

impl Segment {
    fn create(files: &dyn Files, dir: &Path, number: u32) -> Result<Self, Error> {
        let path = dir.join(segment_name(number));
        let file =
            files.open(&path, OpenMode::Create).map_err(|e| Error::io("making", &path, e))?;
        files.sync_dir(dir).map_err(|e| Error::io("syncing", dir, e))?;
        Ok(Self { number, path, file, size: 0 })
    }

    /// Opens the last segment at the end of its whole records; also the number of the next event.
    fn recover(
        files: &dyn Files,
        dir: &Path,
        number: u32,
        preamble: u64,
    ) -> Result<(Self, u64), Error> {
        let path = dir.join(segment_name(number));
        let failed = |e| Error::io("opening", &path, e);
        let file = files.open(&path, OpenMode::Append).map_err(failed)?;
        let mut scanner = Scanner::new(Arc::clone(&file), 0);
        let (next, found) = match scan(&mut scanner, &path)? {
            (Some(next), found) => (next, found),
            // It was begun, and nothing whole is in it: the one before tells the number.
            (None, found) if number > 0 => (next_event(files, dir, number - 1)?, found),
            (None, found) => (preamble, found),
        };
        let size = scanner.offset();
        if found == Found::Bad {
            if scanner.record_follows(next).map_err(failed)? {
                let what = format!(
                    "no record at byte {size}, but records after it; \
                     restore the file, or move the folder of this run away"
                );
                return Err(Error::corrupt(&path, what));
            }
            let lost = file.size().map_err(failed)? - size;
            tracing::warn!(file = %path.display(), lost, "a half-written end was cut off");
            file.truncate(size).map_err(|e| Error::io("repairing", &path, e))?;
        }
        Ok((Self { number, path, file, size }, next))
    }
}

/// The number of the event after those of a complete segment.
fn next_event(files: &dyn Files, dir: &Path, number: u32) -> Result<u64, Error> {
    let path = dir.join(segment_name(number));
    let file = files.open(&path, OpenMode::Read).map_err(|e| Error::io("opening", &path, e))?;
    let mut scanner = Scanner::new(file, 0);
    match scan(&mut scanner, &path)? {
        (Some(next), Found::End) => Ok(next),
        _ => Err(Error::corrupt(&path, format!("no record at byte {}", scanner.offset()))),
    }
}

/// Steps to the end: the number of the event that is due after the last record, if there is one,
/// and what is there instead of it.
fn scan(scanner: &mut Scanner, path: &Path) -> Result<(Option<u64>, Found), Error> {
    let mut next = None;
    loop {
        let found = scanner.step().map_err(|e| Error::io("reading", path, e))?;
        if found != Found::Record {
            return Ok((next, found));
        }
        let Some(payload) = Payload::parse(scanner.payload()) else {
            let what = format!("byte {}: the record is too short", scanner.offset());
            return Err(Error::corrupt(path, what));
        };
        next = Some(payload.seq + u64::from(payload.count));
    }
}
