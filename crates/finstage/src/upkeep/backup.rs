//! A backup, also while a service runs.
//!
//! The order is what makes it whole: second places of the ledgers, then the records as of one moment, then
//! the files that these records name, then the journal. Journals are written before the records, so the
//! copy of the journal holds all that the copy of the records follows from; what it holds beyond that is
//! applied by the next start, as after a crash.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};

use finstage_model::Timestamp;
use finstage_store::Records;
use finstage_store::journal::{Journal, JournalOptions};
use sha2::{Digest, Sha256};

use super::{FORM, HISTORY, JOURNAL, Listed, MANIFEST, Manifest, RECORDS};
use super::{beside, is_free, remove, sync_names, tar};
use crate::exit::{Exit, Failure, Result};
use crate::folder::HEADS;
use crate::wiring;

/// How often a backup begins again because a file was replaced or forgotten while it was made.
const ATTEMPTS: u32 = 5;
/// How hard files are packed: journals shrink to a third, and the disk stays the slower part.
const LEVEL: i32 = 3;

/// What was backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub place: PathBuf,
    /// Files in it.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
}

/// Makes a backup of the data folder `dir` at `to`: a file where it ends in `.tar` or `.tar.zst`, else a
/// folder. It is there whole or not at all.
///
/// # Errors
/// Exit 2 when there are no records or something is at `to`; exit 6 when reading or writing fails.
pub fn backup(dir: &Path, to: &Path, now: Timestamp) -> Result<Made> {
    let records = wiring::read_records(dir)?;
    if !is_free(to)? {
        return Err(Failure::usage(format!("{} is there already: name a new place", to.display())));
    }
    let mut attempt = 1;
    loop {
        match attempt_at(dir, (&records, to), now) {
            Err(Trouble::Moved) if attempt < ATTEMPTS => attempt += 1,
            Err(Trouble::Moved) => {
                let why =
                    format!("{}: files came and went {ATTEMPTS} times; try again", dir.display());
                return Err(Failure::new(Exit::Store, why));
            }
            Err(Trouble::Failed(failure)) => return Err(failure),
            Ok(made) => return Ok(made),
        }
    }
}

/// Files and bytes that a backup of `dir` would hold, about.
///
/// # Errors
/// Exit 2 when there are no records, exit 6 when they cannot be read.
pub fn extent(dir: &Path) -> Result<(u64, u64)> {
    let records = wiring::read_records(dir)?;
    let (mut files, mut bytes) = (1, fs::metadata(dir.join(RECORDS))?.len());
    let history = wiring::history(dir, &records).counting_files()?;
    let journal = journal_files(dir).map_err(|trouble| match trouble {
        Trouble::Moved => Failure::new(Exit::Store, "the journal is just being tidied; try again"),
        Trouble::Failed(failure) => failure,
    })?;
    for (_, size) in history.into_iter().chain(journal) {
        files += 1;
        bytes += size;
    }
    Ok((files, bytes))
}

/// Why an attempt did not succeed.
enum Trouble {
    /// A file was replaced or forgotten meanwhile.
    Moved,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn attempt_at(
    dir: &Path,
    (records, to): (&Records, &Path),
    now: Timestamp,
) -> Result<Made, Trouble> {
    let unfinished = beside(to, ".unfinished");
    let made = copy(dir, (records, to, &unfinished), now);
    if made.is_err() {
        // What is half there would only be in the way.
        let _ = remove(&unfinished);
    }
    made
}

fn copy(
    dir: &Path,
    (records, to, unfinished): (&Records, &Path, &Path),
    now: Timestamp,
) -> Result<Made, Trouble> {
    let name = to.to_string_lossy();
    let opened = remove(unfinished).and_then(|()| Target::open(unfinished, &name));
    let mut target = opened.map_err(|e| Failure::from_writing(to, &e))?;
    for name in HEADS {
        match fs::read(dir.join(name)) {
            Ok(bytes) => target.add(name, bytes.len() as u64, &mut bytes.as_slice())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    let snapshot = beside(unfinished, ".records");
    remove(&snapshot)?;
    let taken = records.copy_to(&snapshot).map_err(Failure::from).and_then(|()| {
        let copied = Records::open_read_only(&snapshot)?;
        Ok(wiring::history(dir, &copied).counting_files()?)
    });
    let files = taken.and_then(|files| {
        let mut file = File::open(&snapshot)?;
        target.add(RECORDS, file.metadata()?.len(), &mut file)?;
        Ok(files)
    });
    let _ = remove(&snapshot);
    for (path, bytes) in files? {
        let name = format!("{HISTORY}/{}", slashes(&path));
        target.copy(&dir.join(HISTORY).join(&path), (&name, bytes))?;
    }
    for (path, bytes) in journal_files(dir)? {
        target.copy(&dir.join(&path), (&slashes(&path), bytes))?;
    }
    let made = target.finish(now)?;
    if to.is_dir() {
        fs::remove_dir(to)?;
    }
    fs::rename(unfinished, to)?;
    sync_names(to)?;
    Ok(Made { place: to.to_owned(), ..made })
}

/// Files of the journal with the bytes that count now, first to last: what a run that goes on adds
/// meanwhile is left out.
fn journal_files(dir: &Path) -> Result<Vec<(PathBuf, u64)>, Trouble> {
    let journal = Journal::open(wiring::disk(), dir.join(JOURNAL), JournalOptions::default());
    let mut files = Vec::new();
    for day in journal.days()? {
        for run in journal.runs(day)? {
            let folder = PathBuf::from(JOURNAL).join(day.to_string()).join(format!("{run:03}"));
            let mut names = Vec::new();
            for entry in moved(fs::read_dir(dir.join(&folder)))? {
                names.push(entry?.file_name());
            }
            // Segments by number, then the preamble. One that begins after this is not in the list.
            names.sort_unstable();
            for name in names {
                let path = folder.join(name);
                files.push((path.clone(), moved(fs::metadata(dir.join(&path)))?.len()));
            }
        }
    }
    Ok(files)
}

fn moved<T>(result: io::Result<T>) -> Result<T, Trouble> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Trouble::Moved,
        _ => Trouble::from(error),
    })
}

fn slashes(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// Where the files of a backup go.
struct Target {
    form: Form,
    listed: Vec<Listed>,
}

enum Form {
    Folder(PathBuf),
    Tar(BufWriter<File>),
    Packed(Box<zstd::stream::write::Encoder<'static, BufWriter<File>>>),
}

impl Target {
    fn open(place: &Path, name: &str) -> io::Result<Self> {
        let file = || Ok::<_, io::Error>(BufWriter::new(File::create(place)?));
        let form = match name {
            name if name.ends_with(".tar.zst") => {
                let mut packed = zstd::stream::write::Encoder::new(file()?, LEVEL)?;
                packed.include_checksum(true)?;
                Form::Packed(Box::new(packed))
            }
            name if name.ends_with(".tar") => Form::Tar(file()?),
            _ => {
                fs::create_dir(place)?;
                Form::Folder(place.to_owned())
            }
        };
        Ok(Self { form, listed: Vec::new() })
    }

    /// Copies the first `bytes` of a file that may be gone already.
    fn copy(&mut self, from: &Path, (name, bytes): (&str, u64)) -> Result<(), Trouble> {
        let mut file = moved(File::open(from))?;
        Ok(self.add(name, bytes, &mut file)?)
    }

    fn add(&mut self, name: &str, bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut read = Hashing { inner: content, hash: Sha256::new() };
        match &mut self.form {
            Form::Folder(folder) => {
                let path = folder.join(name);
                fs::create_dir_all(path.parent().unwrap_or(folder))?;
                let mut file = File::create(&path)?;
                let copied = io::copy(&mut (&mut read).take(bytes), &mut file)?;
                if copied != bytes {
                    let why = format!("{name} became shorter");
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
                }
                file.sync_all()?;
            }
            Form::Tar(out) => tar::write(out, (name, bytes), &mut read)?,
            Form::Packed(out) => tar::write(out, (name, bytes), &mut read)?,
        }
        let sha256 = hex(&read.hash.finalize());
        self.listed.push(Listed { name: name.to_owned(), bytes, sha256 });
        Ok(())
    }

    /// Adds the list as the last file and makes all of it durable.
    fn finish(mut self, now: Timestamp) -> io::Result<Made> {
        let (files, bytes) =
            (self.listed.len() as u64, self.listed.iter().map(|file| file.bytes).sum());
        let manifest = Manifest {
            form: FORM,
            finstage: crate::VERSION.to_owned(),
            made_at: now.to_string(),
            files: std::mem::take(&mut self.listed),
        };
        let text = serde_json::to_string_pretty(&manifest)?;
        self.add(MANIFEST, text.len() as u64, &mut text.as_bytes())?;
        let flush = |out: BufWriter<File>| -> io::Result<()> {
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
        };
        match self.form {
            Form::Folder(folder) => sync_folders(&folder)?,
            Form::Tar(mut out) => {
                tar::end(&mut out)?;
                flush(out)?;
            }
            Form::Packed(mut out) => {
                tar::end(&mut out)?;
                flush(out.finish()?)?;
            }
        }
        Ok(Made { place: PathBuf::new(), files, bytes })
    }
}

/// Makes the names in a folder and in its folders durable.
pub(super) fn sync_folders(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(dir)?.sync_all()
}

/// Hashes what is read through it.
pub(super) struct Hashing<'a> {
    pub(super) inner: &'a mut dyn Read,
    pub(super) hash: Sha256,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
