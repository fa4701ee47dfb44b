//! What a data folder says of itself beside its records, so that it is still known when they are lost:
//! which world it is about, and that there must have been records.

use std::fs;
use std::io;
use std::path::Path;

use finstage_store::journal::{Journal, JournalOptions};
use finstage_store::records::StoreKind;

use crate::exit::{Exit, Failure, Result};
use crate::wiring;

/// The file that names the world.
pub const KIND: &str = "kind";
/// Second places of the ledgers.
pub const HEADS: [&str; 2] = ["trials.head", "track.head"];

/// The world that the folder says it is about, where it says one.
///
/// # Errors
/// Exit 6 when the file cannot be read or says something else.
pub fn kind(dir: &Path) -> Result<Option<StoreKind>> {
    let path = dir.join(KIND);
    let text = match fs::read_to_string(&path) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        read => {
            read.map_err(|e| Failure::new(Exit::Store, format!("reading {}: {e}", path.display())))?
        }
    };
    StoreKind::find(text.trim()).map(Some).ok_or_else(|| {
        let why = format!("{}: write real or demo into it, whichever it is", path.display());
        Failure::new(Exit::Store, why)
    })
}

/// Lets the folder say which world it is about, unless it says so.
///
/// # Errors
/// Exit 6 when the file cannot be written.
pub fn say_kind(dir: &Path, kind: StoreKind) -> Result<()> {
    if self::kind(dir)? == Some(kind) {
        return Ok(());
    }
    let (path, new) = (dir.join(KIND), dir.join("kind.new"));
    let write = || {
        fs::write(&new, format!("{}\n", kind.as_str()))?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, &path)
    };
    write().map_err(|e| Failure::from_writing(&path, &e))
}

/// Fails where records are missing from a folder that had some: new ones would begin without its past.
///
/// # Errors
/// Exit 6 when there are no records but a journal or the second place of a ledger, or `dir` cannot be read.
pub fn refuse_without_records(dir: &Path) -> Result<()> {
    if dir.join("records.db").exists() || !dir.is_dir() {
        return Ok(());
    }
    let journal = Journal::open(wiring::disk(), dir.join("journal"), JournalOptions::default());
    let left = match journal.days()?.is_empty() {
        false => Some("journal"),
        true => HEADS.into_iter().find(|name| dir.join(name).exists()),
    };
    left.map_or(Ok(()), |left| {
        let dir = dir.display();
        let why = format!(
            "{dir}: {left} is there, but the records are gone: restore a backup, or make them anew with `finstage store rebuild`"
        );
        Err(Failure::new(Exit::Store, why))
    })
}
