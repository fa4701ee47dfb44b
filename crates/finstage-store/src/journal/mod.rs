//! What happened: an append-only log of events, one self-contained folder a run.
//!
//! ```text
//! journal/2026-11-21/001/preamble      what the engine must know first; whole or absent
//!                        000000.log    what happened then, in records
//!                        000001.log
//!         reserve                      a file to give up when the disk is full
//! ```
//! A restart with the same settings continues the last run of the day; one with other settings
//! opens the next run. A run is complete in itself: its header, its preamble and its segments
//! replay without anything else, and retention removes whole days.
//!
//! What is promised, and held by [`crate::suite::journal`] over thousands of seeded crashes:
//! an event that was appended and synced is never lost; what was appended and not synced may be
//! lost from the end only; a run without a whole preamble does not exist; damage that no crash can
//! explain is an error that names file and place, never a silent skip.

mod codec;
mod preamble;
mod reader;
mod reserve;
mod segment;
mod sync;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finstage_model::{Day, Event, Position, RunNumber};

pub use preamble::{FORMAT, Header, Origin};
pub use reader::Reader;
pub use segment::MAX_RECORD_BYTES;
pub use sync::{SyncThread, Synced};
pub use writer::{Space, Writer};

use crate::files::Files;
use crate::{Error, ErrorKind};
use preamble::Preamble;

/// A day folder under this ending is being removed.
const REMOVED: &str = ".removed";

/// Sizes of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalOptions {
    /// A segment is closed before it grows beyond this; a single record may be longer.
    pub segment_bytes: u64,
    /// Size of the file that is given up when the disk is full; 0 for none.
    pub reserve_bytes: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, reserve_bytes: 1 << 20 }
    }
}

/// The journal in a folder. Cheap to clone; see the module for what it promises.
///
/// Reading needs no lock. Writing is for the one process that holds the data folder
/// ([`crate::FolderLock`]).
#[derive(Debug, Clone)]
pub struct Journal {
    files: Arc<dyn Files>,
    root: PathBuf,
    options: JournalOptions,
}

impl Journal {
    /// The journal in the folder `root`, which is made with the first run.
    #[must_use]
    pub fn open(files: Arc<dyn Files>, root: PathBuf, options: JournalOptions) -> Self {
        Self { files, root, options }
    }

    /// The folder it is in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The days that have a folder, oldest first.
    ///
    /// # Errors
    /// `Io` when the folder cannot be read.
    pub fn days(&self) -> Result<Vec<Day>, Error> {
        Ok(self.list(&self.root)?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The runs of a day, first to last. A folder without a preamble is no run.
    ///
    /// # Errors
    /// `Io` when the folder cannot be read.
    pub fn runs(&self, day: Day) -> Result<Vec<RunNumber>, Error> {
        let mut runs = Vec::new();
        for run in self.run_folders(day)? {
            if self.exists(&self.run_dir(day, run).join(preamble::NAME))? {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    /// Begins the next run of `day`: afterwards its preamble is durable, and the run exists. The
    /// remains of a beginning that was cut short are removed first.
    ///
    /// # Errors
    /// `Full` or `Io` when it cannot be written; what was begun is removed by the next call.
    pub fn create_run(
        &self,
        day: Day,
        origin: &Origin,
        preamble: &[Event],
    ) -> Result<RunNumber, Error> {
        let day_dir = self.day_dir(day);
        self.make_dir(&day_dir)?;
        self.remove_leftovers(day)?;
        let last = self.run_folders(day)?.last().copied().unwrap_or(0);
        if last >= Position::MAX_RUN {
            let message =
                format!("{} has {last} runs already, no more fit a day", day_dir.display());
            return Err(Error::new(ErrorKind::Io, message));
        }
        let run = last + 1;
        let dir = self.run_dir(day, run);
        self.files.create_dir(&dir).map_err(|e| Error::io("making", &dir, e))?;
        self.sync_dir(&day_dir)?;
        let origin = origin.clone();
        let header = Header { format: FORMAT, day, run, events: preamble.len() as u64, origin };
        preamble::write(&*self.files, &dir, &header, preamble)?;
        Ok(run)
    }

    /// Opens a run to continue it. What a crash left half-written at its end is cut off; what is
    /// there then is durable.
    ///
    /// # Errors
    /// `NotFound` when there is no such run, `Corrupt` when it is damaged in a way that no crash
    /// explains, `Full` or `Io`.
    pub fn writer(&self, day: Day, run: RunNumber) -> Result<Writer, Error> {
        Writer::open(self, day, run)
    }

    /// Opens a run to read it from its beginning, also while it is being written.
    ///
    /// # Errors
    /// `NotFound` when there is no such run, `Newer`, `Corrupt` or `Io`.
    pub fn reader(&self, day: Day, run: RunNumber) -> Result<Reader, Error> {
        let dir = self.run_dir(day, run);
        let preamble = Preamble::open(&*self.files, &dir, (day, run))?;
        Ok(Reader::new(Arc::clone(&self.files), dir, preamble))
    }

    /// Removes all days before `day`, and tells which.
    ///
    /// # Errors
    /// `Io` when a folder cannot be removed; those before it are gone.
    pub fn remove_before(&self, day: Day) -> Result<Vec<Day>, Error> {
        let mut removed = Vec::new();
        for old in self.days()?.into_iter().filter(|&old| old < day) {
            // Renamed first, so that no half-removed day can be taken for one.
            let (from, to) = (self.day_dir(old), self.root.join(format!("{old}{REMOVED}")));
            if self.exists(&to)? {
                self.remove_dir(&to)?;
            }
            self.files.rename(&from, &to).map_err(|e| Error::io("renaming", &from, e))?;
            removed.push(old);
        }
        if !removed.is_empty() {
            self.sync_dir(&self.root)?;
        }
        for name in self.list(&self.root)?.iter().filter(|name| name.ends_with(REMOVED)) {
            self.remove_dir(&self.root.join(name))?;
        }
        Ok(removed)
    }

    /// Folders that have no events and no whole preamble never became a run.
    fn remove_leftovers(&self, day: Day) -> Result<(), Error> {
        for run in self.run_folders(day)? {
            let dir = self.run_dir(day, run);
            let begun = self.list(&dir)?.iter().any(|name| segment_number(name).is_some());
            if begun {
                continue;
            }
            let whole = Preamble::open(&*self.files, &dir, (day, run)).and_then(Preamble::check);
            match whole {
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {
                    self.remove_dir(&dir)?;
                    self.sync_dir(&self.day_dir(day))?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn run_folders(&self, day: Day) -> Result<Vec<RunNumber>, Error> {
        let names = self.list(&self.day_dir(day))?;
        let number =
            |name: &String| name.parse().ok().filter(|run| (1..=Position::MAX_RUN).contains(run));
        Ok(names.iter().filter_map(number).collect())
    }

    fn day_dir(&self, day: Day) -> PathBuf {
        self.root.join(day.to_string())
    }

    fn run_dir(&self, day: Day, run: RunNumber) -> PathBuf {
        self.day_dir(day).join(format!("{run:03}"))
    }

    /// Makes a folder and those above it, durably.
    fn make_dir(&self, dir: &Path) -> Result<(), Error> {
        let parent = match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => return Ok(()),
        };
        if !self.exists(dir)? {
            self.make_dir(parent)?;
            self.files.create_dir(dir).map_err(|e| Error::io("making", dir, e))?;
        }
        self.sync_dir(parent)
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), Error> {
        self.files.remove_dir_all(dir).map_err(|e| Error::io("removing", dir, e))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), Error> {
        self.files.sync_dir(dir).map_err(|e| Error::io("syncing", dir, e))
    }

    fn exists(&self, path: &Path) -> Result<bool, Error> {
        self.files.exists(path).map_err(|e| Error::io("looking for", path, e))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, Error> {
        self.files.list(dir).map_err(|e| Error::io("listing", dir, e))
    }
}

fn segment_name(number: u32) -> String {
    format!("{number:06}.log")
}

fn segment_number(name: &str) -> Option<u32> {
    name.strip_suffix(".log")?.parse().ok()
}

fn too_large(path: &Path, size: usize) -> Error {
    Error::new(
        ErrorKind::Io,
        format!(
            "writing {}: an event of {size} bytes is longer than a record may be ({MAX_RECORD_BYTES})",
            path.display()
        ),
    )
}
