//! Replacing a file so that a crash leaves the old one or the new one, and never half of one.
//!
//! The order of the four steps is everything; so it stands here once, and tests put a disk behind
//! it that crashes, tears writes and loses what was not synced.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

/// A file larger than this is none of ours.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 20;
/// How often a lock is tried.
const LOCK_TRIES: u32 = 2_000;
/// How long it is waited between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// A file that is read and replaced as a whole.
pub(crate) trait Disk: Send {
    /// What the file holds; nothing where there is none.
    fn read(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>>;
    /// Writes a file beside it, mode 0600.
    fn write_beside(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the content of that file durable.
    fn sync_beside(&mut self) -> io::Result<()>;
    /// Gives that file the name.
    fn rename(&mut self) -> io::Result<()>;
    /// Makes the name durable.
    fn sync_name(&mut self) -> io::Result<()>;
    /// Keeps other processes out until the result is dropped.
    fn lock(&self) -> io::Result<Box<dyn Send>>;
}

/// Puts `bytes` in the place of the file. When it returns, they survive a crash.
pub(crate) fn replace(disk: &mut dyn Disk, bytes: &[u8]) -> io::Result<()> {
    disk.write_beside(bytes)?;
    disk.sync_beside()?;
    disk.rename()?;
    disk.sync_name()
}

/// A file of this machine.
#[derive(Debug, Clone)]
pub(crate) struct DiskFile {
    path: PathBuf,
}

impl DiskFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path with something after its name.
    pub(crate) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    }

    fn unfinished(&self) -> PathBuf {
        self.beside(".new")
    }
}

/// Reads an open file to its end.
pub(crate) fn read_all(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = file.metadata()?.len();
    if length > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too large to be one of ours"));
    }
    // One byte more, so that reading to the end does not move what was read.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length as usize + 1));
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Disk for DiskFile {
    fn read(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        match File::open(&self.path) {
            Ok(mut file) => read_all(&mut file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_beside(&mut self, bytes: &[u8]) -> io::Result<()> {
        let path = self.unfinished();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?.write_all(bytes)
    }

    fn sync_beside(&mut self) -> io::Result<()> {
        File::options().write(true).open(self.unfinished())?.sync_all()
    }

    fn rename(&mut self) -> io::Result<()> {
        fs::rename(self.unfinished(), &self.path)
    }

    #[cfg(unix)]
    fn sync_name(&mut self) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()
    }

    /// Folders cannot be opened for syncing here; the file system's own log keeps their order.
    #[cfg(not(unix))]
    fn sync_name(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Send>> {
        self.lock_within(LOCK_TRIES)
    }
}

impl DiskFile {
    fn lock_within(&self, tries: u32) -> io::Result<Box<dyn Send>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.beside(".lock"))?;
        for _ in 0..tries {
            match file.try_lock() {
                Ok(()) => return Ok(Box::new(file)),
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let words = format!("{} is held by another process", self.beside(".lock").display());
        Err(io::Error::new(io::ErrorKind::ResourceBusy, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whatever_an_interrupted_write_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = DiskFile::new(&dir.path().join("f"));
        assert!(disk.read().unwrap().is_none());
        for text in [&b"one"[..], b"two"] {
            fs::write(disk.unfinished(), b"half of somethi").unwrap();
            replace(&mut disk, text).unwrap();
            assert_eq!(**disk.read().unwrap().unwrap(), *text);
            assert!(!disk.unfinished().exists());
        }
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let disk = DiskFile::new(&dir.path().join("f"));
        let first = disk.lock().unwrap();
        let refused = disk.lock_within(2).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        assert!(refused.to_string().contains("f.lock is held by another process"), "{refused}");
        drop(first);
        disk.lock_within(1).unwrap();
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let disk = DiskFile::new(&dir.path().join("f"));
        File::create(disk.path()).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(disk.read().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
