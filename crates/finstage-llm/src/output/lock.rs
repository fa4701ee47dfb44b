//! One writer per output.
//!
//! The lock is the operating system's and on the output itself, so it ends with the process and leaves no file
//! behind. A run that puts a new file in the output's place locks that first, and whoever has locked a file
//! looks whether it still has the name.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::writer::io_error;
use crate::{Error, ErrorKind};

/// How often a file may be replaced while we try to lock it.
const ATTEMPTS: usize = 100;

/// Opens and locks the file at `path`, which is made when it is missing and never emptied. `name` is what it is
/// called in errors.
pub(super) fn lock(path: &Path, name: &str) -> Result<File, Error> {
    for _ in 0..ATTEMPTS {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|e| io_error("opening", name, e))?;
        match file.try_lock() {
            Ok(()) if has_the_name(&file, path) => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(e)) => return Err(io_error("locking", name, e)),
        }
    }
    let message =
        format!("{name} is being written by another process: stop it or name another output");
    Err(Error::new(ErrorKind::Store, message))
}

#[cfg(unix)]
fn has_the_name(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same =
        |a: &std::fs::Metadata, b: &std::fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(named)) => same(&ours, &named),
        _ => false,
    }
}

#[cfg(not(unix))]
const fn has_the_name(_file: &File, _path: &Path) -> bool {
    // A file that somebody has open cannot be replaced.
    true
}
