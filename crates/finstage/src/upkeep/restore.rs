//! A backup back into an empty folder, checked before it counts.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

use finstage_store::{ErrorKind, Records, make_private_dir};
use sha2::{Digest, Sha256};

use super::backup::{Hashing, hex, sync_folders};
use super::{FORM, HISTORY, JOURNAL, Listed, MANIFEST, Manifest, RECORDS};
use super::{beside, is_free, remove, sync_names, tar};
use crate::exit::{Exit, Failure, Result};
use crate::folder::HEADS;

/// The largest list of files that is read.
const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// What a restore does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reads and checks every file, and writes none.
    Check,
    /// Puts the files into the folder.
    Write,
}

/// Puts the backup at `from` into the folder `dir`, which must be empty or not there.
///
/// # Errors
/// Exit 2 when `dir` holds something or `from` is no backup; exit 6 when the backup is damaged, incomplete
/// or of a newer finstage, or `dir` cannot be written. `dir` is then as it was.
pub fn restore(from: &Path, dir: &Path, mode: Mode) -> Result<Manifest> {
    if mode == Mode::Write && !is_free(dir)? {
        let why = format!("{} is not empty: name a new folder with --data-dir", dir.display());
        return Err(Failure::usage(why));
    }
    let unfinished = beside(dir, ".restoring");
    let done = unpack(from, (mode == Mode::Write).then_some(&*unfinished)).and_then(|manifest| {
        if mode == Mode::Write {
            take_in(&unfinished, dir)?;
        }
        Ok(manifest)
    });
    if done.is_err() {
        let _ = remove(&unfinished);
    }
    done
}

/// Lets what was unpacked count, if this finstage can use it.
fn take_in(unfinished: &Path, dir: &Path) -> Result<()> {
    match Records::open_read_only(&unfinished.join(RECORDS)) {
        // Not upgraded yet: the first start does that.
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    sync_folders(unfinished)?;
    if dir.exists() {
        fs::remove_dir(dir)?;
    } else if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    fs::rename(unfinished, dir)?;
    Ok(sync_names(dir)?)
}

fn damaged(from: &Path, what: impl std::fmt::Display) -> Failure {
    let why = format!("{}: the backup is damaged: {what}; use another one", from.display());
    Failure::new(Exit::Store, why)
}

fn unpack(from: &Path, into: Option<&Path>) -> Result<Manifest> {
    if let Some(into) = into {
        remove(into)
            .and_then(|()| make_private_dir(into))
            .map_err(|e| Failure::from_writing(into, &e))?;
    }
    let mut found = Found { into, files: BTreeMap::new(), manifest: None };
    let opened = |e| Failure::usage(format!("reading {}: {e}", from.display()));
    let about = fs::metadata(from).map_err(opened)?;
    let read = match from.to_string_lossy() {
        _ if about.is_dir() => found.folder(from),
        name if name.ends_with(".tar.zst") => {
            let file = File::open(from).map_err(opened)?;
            let mut unpacked = zstd::stream::read::Decoder::new(file).map_err(opened)?;
            found.tar(&mut unpacked)
        }
        name if name.ends_with(".tar") => {
            found.tar(&mut BufReader::new(File::open(from).map_err(opened)?))
        }
        _ => {
            let why = format!("{}: name a folder, a .tar or a .tar.zst file", from.display());
            return Err(Failure::usage(why));
        }
    };
    read.map_err(|error| match error.kind() {
        // Only what is written is wrapped: the backup has nothing to do with it.
        _ if error.get_ref().is_some_and(|inner| inner.is::<Unwritten>()) => {
            Failure::new(Exit::Store, error)
        }
        io::ErrorKind::UnexpectedEof => damaged(from, "its end is missing"),
        _ => damaged(from, error),
    })?;
    found.judged().map_err(|why| damaged(from, why))
}

/// A file could not be written.
#[derive(Debug)]
struct Unwritten(String);

impl Unwritten {
    fn at(path: &Path, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), Self(format!("writing {}: {error}", path.display())))
    }
}

impl std::fmt::Display for Unwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritten {}

/// A file whose failures say that it was written.
struct Telling<'a> {
    file: File,
    path: &'a Path,
}

impl Write for Telling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => Unwritten::at(self.path, &error),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What was read so far.
struct Found<'a> {
    into: Option<&'a Path>,
    files: BTreeMap<String, (u64, String)>,
    manifest: Option<Manifest>,
}

impl Found<'_> {
    fn folder(&mut self, from: &Path) -> io::Result<()> {
        let text = fs::read_to_string(from.join(MANIFEST))?;
        let manifest: Manifest = serde_json::from_str(&text)?;
        for Listed { name, bytes, .. } in &manifest.files {
            let mut file = File::open(from.join(place_of(name)?))?;
            self.file(name, *bytes, &mut file)?;
        }
        self.manifest = Some(manifest);
        Ok(())
    }

    fn tar(&mut self, from: &mut dyn Read) -> io::Result<()> {
        while let Some((name, bytes)) = tar::next(from)? {
            if name == MANIFEST {
                if bytes > MAX_MANIFEST_BYTES {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "its list is too long"));
                }
                let mut text = String::new();
                from.take(bytes).read_to_string(&mut text)?;
                self.manifest = Some(serde_json::from_str(&text)?);
            } else {
                self.file(&name, bytes, from)?;
            }
            tar::skip_fill(from, bytes)?;
        }
        Ok(())
    }

    fn file(&mut self, name: &str, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        let place = place_of(name)?;
        let mut read = Hashing { inner: from, hash: Sha256::new() };
        let copied = match self.into {
            None => io::copy(&mut (&mut read).take(bytes), &mut io::sink())?,
            Some(into) => {
                let path = into.join(place);
                let unwritten = |error| Unwritten::at(&path, &error);
                fs::create_dir_all(path.parent().unwrap_or(into)).map_err(unwritten)?;
                let file = File::create(&path).map_err(unwritten)?;
                let mut to = Telling { file, path: &path };
                let copied = io::copy(&mut (&mut read).take(bytes), &mut to)?;
                to.file.sync_all().map_err(unwritten)?;
                copied
            }
        };
        if copied != bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.files.insert(name.to_owned(), (bytes, hex(&read.hash.finalize())));
        Ok(())
    }

    /// Whether it is what was written, all of it and nothing else.
    fn judged(self) -> Result<Manifest, String> {
        let manifest = self.manifest.ok_or("its list of files is missing")?;
        if manifest.form != FORM {
            return Err(format!("it has form {}, this finstage knows {FORM}", manifest.form));
        }
        let mut files = self.files;
        for Listed { name, bytes, sha256 } in &manifest.files {
            match files.remove(name) {
                None => return Err(format!("{name} is missing")),
                Some(found) if (found.0, &found.1) != (*bytes, sha256) => {
                    return Err(format!("{name} is not what was written"));
                }
                Some(_) => {}
            }
        }
        match files.keys().next() {
            Some(name) => Err(format!("{name} is not in its list")),
            None => Ok(manifest),
        }
    }
}

/// The place of a file below a folder; nothing of a backup leads out of it.
fn place_of(name: &str) -> io::Result<PathBuf> {
    let path = PathBuf::from(name);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let first =
        path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let is_ours = first.is_some_and(|first| {
        [RECORDS, JOURNAL, HISTORY].contains(&first.as_str()) || HEADS.contains(&first.as_str())
    });
    match is_plain && is_ours {
        true => Ok(path),
        false => {
            let why = format!("a file named \"{}\" belongs into no backup", name.escape_debug());
            Err(io::Error::new(io::ErrorKind::InvalidData, why))
        }
    }
}
