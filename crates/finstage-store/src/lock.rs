//! One owner per data folder.
//!
//! Two services on one journal would overwrite each other's day. The lock is the operating
//! system's, so it ends with the process however that ends; the number in the file only tells
//! people whom to ask.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::files::make_private_dir;
use crate::{Error, ErrorKind};

/// The name of the lock file in the data folder.
const NAME: &str = "lock";

/// Holds a data folder until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    _file: File,
}

impl FolderLock {
    /// Takes the folder, which is made when it is missing.
    ///
    /// # Errors
    /// `Held` when another process has it, which is named; `Io` when the file cannot be made.
    pub fn acquire(dir: &Path) -> Result<Self, Error> {
        make_private_dir(dir).map_err(|e| Error::io("making", dir, e))?;
        let path = dir.join(NAME);
        // Not emptied on opening: it may name the process that holds it.
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| Error::io("opening", &path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(dir, &path)),
            Err(TryLockError::Error(e)) => return Err(Error::io("locking", &path, e)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|e| Error::io("writing", &path, e))?;
        Ok(Self { path, _file: file })
    }

    /// The lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn held(dir: &Path, path: &Path) -> Error {
    let text = fs::read_to_string(path).unwrap_or_default();
    let owner = match text.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Error::new(
        ErrorKind::Held,
        format!("{} is in use by {owner}: stop it or choose another data folder", dir.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_and_told_who_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = FolderLock::acquire(dir.path()).unwrap();
        let refused = FolderLock::acquire(dir.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Held);
        let pid = std::process::id().to_string();
        assert!(refused.to_string().contains(&pid), "{refused}");
        drop(first);
        let again = FolderLock::acquire(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(again.path()).unwrap().trim(), pid);
    }

    #[test]
    fn a_lock_file_left_by_a_dead_process_does_not_hold() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), "999999999\n").unwrap();
        let lock = FolderLock::acquire(dir.path()).unwrap();
        let pid = std::process::id().to_string();
        assert_eq!(fs::read_to_string(lock.path()).unwrap().trim(), pid);
    }
}
