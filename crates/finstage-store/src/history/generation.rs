//! How files come to the shelf: whole, under a new name, and then all at once.
//!
//! ```text
//! claim numbers      SQL, durable: no other writer will use these names
//! write X.tmp, sync
//! rename X.tmp to X
//! sync the folder    now the file is there, but nobody's
//! publish            SQL, durable: manifest rows, moved bars out of the tail
//! remove the old     it counts no longer
//! ```
//! Killed anywhere, either the old state counts or the new one. What is left over has a number that
//! the manifest knows and does not count, and is removed by [`History::sweep`]. Between the rename
//! and the removal, two files of one period lie side by side for some milliseconds: other programs
//! that read the folder just then see bars twice.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use finstage_model::{Bar, Timestamp};

use super::parquet;
use super::period::{FileName, Period};
use super::shelf::{History, Series, path_of};
use crate::files::OpenMode;
use crate::records::{Content, FileRow, Publication};
use crate::{Error, ErrorKind};

/// How often a writer begins again because another was faster.
pub const WRITE_ATTEMPTS: u32 = 5;

/// What is to become of a period.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) period: Period,
    /// The file it was read from.
    pub(super) base: Option<FileRow>,
    /// All bars of the new file, ascending; `None` leaves the file as it is.
    pub(super) bars: Option<Vec<Bar>>,
    /// The part of the tail that was looked at, and what was there.
    pub(super) tail_range: Range<Timestamp>,
    pub(super) tail: Vec<Bar>,
    pub(super) moves_tail: bool,
}

/// What [`History::sweep`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Unfinished and replaced files that were removed.
    pub removed: u64,
    /// Files that nobody here wrote; they are left alone, and not read.
    pub unknown: Vec<PathBuf>,
}

impl History {
    /// Repeats `work` while other writers are faster.
    pub(super) fn contended<T>(&self, work: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            match work() {
                // NotFound: a file was replaced before it was read, or swept while written.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Stale | ErrorKind::NotFound)
                        && attempt < WRITE_ATTEMPTS =>
                {
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    /// Carries out changes of a series, all or none. Gives how many files were written.
    pub(super) fn put(&self, series: &Series, changes: Vec<Change>) -> Result<u64, Error> {
        if changes.is_empty() {
            return Ok(0);
        }
        let periods: Vec<Period> = changes
            .iter()
            .filter(|change| change.bars.is_some())
            .map(|change| change.period)
            .collect();
        let mut numbers = Vec::new();
        if !periods.is_empty() {
            numbers = self.records.claim(series.id, &periods)?;
            self.make_durable_dir(&series.dir)?;
        }
        let mut free = numbers.iter();
        let mut publications = Vec::with_capacity(changes.len());
        let (mut written, mut replaced) = (Vec::new(), Vec::new());
        for change in changes {
            let file = match change.bars {
                None => None,
                Some(bars) => {
                    let number = *free.next().expect("a number was claimed for each new file");
                    replaced.extend(change.base);
                    let name = FileName::new(change.period, number);
                    let content = self.write_file(&series.dir, name, &bars);
                    // Nobody may need them: on a full disk they stand in the way of the next try.
                    let content = content.inspect_err(|_| self.give_up(&series.dir, &written))?;
                    written.push(name);
                    Some((number, content))
                }
            };
            publications.push(Publication {
                period: change.period,
                base: change.base.map(|file| file.generation),
                file,
                tail_range: change.tail_range,
                tail: change.tail,
                moves_tail: change.moves_tail,
            });
        }
        if !periods.is_empty() {
            let synced = self.sync_dir(&series.dir);
            synced.inspect_err(|_| self.give_up(&series.dir, &written))?;
        }
        let published = self.records.publish(series.id, &publications);
        match &published {
            Ok(()) => {
                let name = |file: FileRow| FileName::new(file.period, file.generation);
                let replaced: Vec<FileName> = replaced.into_iter().map(name).collect();
                self.give_up(&series.dir, &replaced);
            }
            Err(error) if error.kind() == ErrorKind::Stale => self.give_up(&series.dir, &written),
            // It is not known whether they count: the next sweep knows.
            Err(_) => {}
        }
        published.map(|()| periods.len() as u64)
    }

    /// Removes files that do not count, as far as it goes.
    fn give_up(&self, dir: &Path, names: &[FileName]) {
        names.iter().for_each(|name| self.remove_or_leave(&path_of(dir, *name)));
    }

    /// Removes what killed writers left behind. Safe beside writers at work: one whose unfinished
    /// file is taken away begins again.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn sweep(&self) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        for (symbol, id) in self.records.series()? {
            let series = Series { id, dir: self.series_dir(&symbol, id.interval) };
            self.sweep_series(&series, &mut swept)?;
        }
        Ok(swept)
    }

    pub(super) fn sweep_series(&self, series: &Series, swept: &mut Swept) -> Result<(), Error> {
        let failed = |e| Error::io("listing", &series.dir, e);
        // The folder first: whatever is in it now was claimed before the manifest is read.
        let names = self.files.list(&series.dir).map_err(failed)?;
        let (periods, _) = self.records.shelf(series.id, super::NO_TAIL)?;
        let mut leftovers = Vec::new();
        for text in names {
            let Ok(name) = text.parse::<FileName>() else {
                if text.ends_with(".parquet") {
                    swept.unknown.push(series.dir.join(text));
                }
                continue;
            };
            let row = periods.iter().find(|row| row.period == name.period);
            match row {
                Some(row) if name.generation <= row.claimed => {
                    let counts = row.file.is_some_and(|file| file.generation == name.generation);
                    if !counts {
                        leftovers.push(name);
                    }
                }
                _ => swept.unknown.push(series.dir.join(text)),
            }
        }
        if leftovers.is_empty() {
            return Ok(());
        }
        let numbers: Vec<_> = leftovers.iter().map(|name| (name.period, name.generation)).collect();
        let abandoned = self.records.abandon(series.id, &numbers)?;
        for name in leftovers {
            if abandoned.contains(&(name.period, name.generation)) {
                let path = path_of(&series.dir, name);
                match self.files.remove_file(&path) {
                    // Its writer was faster to give it up.
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                    removed => {
                        removed.map_err(|e| Error::io("removing", &path, e))?;
                        swept.removed += 1;
                    }
                }
            }
        }
        Ok(())
    }

    fn write_file(&self, dir: &Path, name: FileName, bars: &[Bar]) -> Result<Content, Error> {
        let path = path_of(dir, name);
        let unfinished = path_of(dir, name.while_written());
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
            return Err(Error::corrupt(&path, "a file without bars was to be written"));
        };
        let bytes = parquet::encode(bars).map_err(|fault| {
            Error::new(ErrorKind::Io, format!("writing {}: {fault}", path.display()))
        })?;
        let write = || {
            let file = self.files.open(&unfinished, OpenMode::Create)?;
            file.append(&bytes)?;
            file.sync()?;
            self.files.rename(&unfinished, &path)
        };
        if let Err(e) = write() {
            self.remove_or_leave(&unfinished);
            return Err(Error::io("writing", &path, e));
        }
        Ok(Content {
            bars: bars.len() as u64,
            first: first.open_time,
            last: last.open_time,
            bytes: bytes.len() as u64,
            checksum: crc32c::crc32c(&bytes),
        })
    }

    /// Removes a file that does not count; one that resists is left to the next sweep.
    fn remove_or_leave(&self, path: &Path) {
        match self.files.remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a replaced history file stays");
            }
            _ => {}
        }
    }

    /// Makes a folder below the root, and its name durable.
    fn make_durable_dir(&self, dir: &Path) -> Result<(), Error> {
        let known =
            |dir: &Path| self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(dir);
        if known(dir) {
            return Ok(());
        }
        let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
            return Ok(());
        };
        let failed = |e| Error::io("making", dir, e);
        let is_ours = dir.starts_with(&self.root);
        if !is_ours && self.files.exists(dir).map_err(failed)? {
            return Ok(());
        }
        self.make_durable_dir(parent)?;
        self.files.create_dir(dir).map_err(failed)?;
        if parent.starts_with(&self.root) {
            // Two symbols in one folder would take each other's files for leftovers.
            let name = dir.file_name().unwrap_or_default();
            let names = self.files.list(parent).map_err(failed)?;
            if !names.iter().any(|there| name == there.as_str()) {
                let shown = dir.display();
                let message = format!(
                    "making {shown}: the disk takes it for a folder that differs in case; give one of the symbols another name"
                );
                return Err(Error::new(ErrorKind::Io, message));
            }
        }
        self.sync_dir(parent)?;
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(dir.to_owned());
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), Error> {
        self.files.sync_dir(dir).map_err(|e| Error::io("syncing", dir, e))
    }
}
