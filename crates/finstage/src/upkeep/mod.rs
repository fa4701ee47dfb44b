//! Care of a data folder: backup and restore, checks, retention, and making records anew.
//!
//! What a backup holds: the records as of one moment, the journal and the history that belong to them.
//! Not in it: the server's token, keys, limits shared by processes, answers of models, logs.

pub mod backup;
pub mod check;
pub mod prune;
pub mod rebuild;
pub mod restore;
mod tar;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The database of what was said.
const RECORDS: &str = "records.db";
/// The folder of the journal.
const JOURNAL: &str = "journal";
/// The folder of Parquet files.
const HISTORY: &str = "history";
/// The list of a backup, its last file.
const MANIFEST: &str = "manifest.json";
/// The form of backups.
const FORM: u32 = 1;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup.
    pub form: u32,
    /// The version that made it.
    pub finstage: String,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// Every file, in the order in which they were copied.
    pub files: Vec<Listed>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its place below the data folder, with `/` between folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
}

/// Files and bytes in a folder and its folders.
fn size_of(dir: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.metadata()? {
                about if about.is_dir() => folders.push(entry.path()),
                about => {
                    files += 1;
                    bytes += about.len();
                }
            }
        }
    }
    Ok((files, bytes))
}

/// The same place with another ending of its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Makes the names in the folder of `path` durable.
fn sync_names(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Whether there is nothing at this place, or an empty folder.
fn is_free(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
