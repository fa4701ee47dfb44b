//! Ledgers: append-only tables, each row chained to the one before by its SHA-256.
//!
//! A row that is changed, left out or put in between breaks the chain. The last rows could be cut off
//! without breaking it, so their number and the last hash are kept in a second place, a file beside
//! the database. Whoever changes both is noticed only by a copy of the head elsewhere, which is why
//! it is printed with every result.
//!
//! The rows are committed before the file is written. After a crash between the two the file is
//! behind: it then names a row of the chain, and the next row mends it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::db::{Db, Durability, Trouble};
use crate::{DiskFiles, Error, ErrorKind, Files, OpenMode};

/// The largest file that can be a head.
const MAX_HEAD_BYTES: usize = 4_096;

/// What was added to a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Rows that were not there yet.
    pub added: u64,
    /// Rows now.
    pub entries: u64,
    /// Hash of the last row; empty without one.
    pub head: String,
}

/// Whether a ledger is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainCheck {
    /// Rows that are there.
    pub entries: u64,
    /// Hash of the last row; empty without one.
    pub head: String,
    /// The first row that is not as it was written, or not there, and why; `None` when all is well.
    pub fault: Option<(u64, String)>,
}

/// The end of a chain: how many rows it has, and the hash of the last. Also the content of the
/// second place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Head {
    /// Rows.
    pub entries: u64,
    /// Hash of the last row; empty without one.
    pub head: String,
}

/// What ties a row to the one before it.
#[derive(Debug, Deserialize)]
struct Link {
    number: u64,
    previous: String,
}

/// A row as it is hashed.
#[derive(Debug, Serialize)]
struct Body<'a, T> {
    number: u64,
    previous: &'a str,
    #[serde(flatten)]
    entry: &'a T,
}

/// A row that was chained.
pub(super) struct Sealed {
    pub(super) number: u64,
    pub(super) text: String,
    pub(super) hash: String,
}

impl Head {
    /// Goes on to the next row, whose canonical text and hash are given; needs no store.
    ///
    /// # Errors
    /// Why the row does not follow; the head is then left where it is.
    pub fn follow(&mut self, text: &str, hash: &str) -> Result<(), String> {
        if sha256(text) != hash {
            return Err("it was changed: its hash is another".to_owned());
        }
        let link: Link =
            serde_json::from_str(text).map_err(|e| format!("it cannot be read: {e}"))?;
        if link.number != self.entries + 1 || link.previous != self.head {
            return Err("it does not follow the row before it".to_owned());
        }
        *self = Self { entries: link.number, head: hash.to_owned() };
        Ok(())
    }

    /// Chains an entry after the last row.
    pub(super) fn seal<T: Serialize>(&mut self, entry: &T) -> Result<Sealed, Trouble> {
        let number = self.entries + 1;
        let body = Body { number, previous: &self.head, entry };
        // Keys of a `Value` are sorted: this text is the canonical form.
        let text = serde_json::to_value(&body)
            .map_err(|e| Trouble::BadRow(format!("a row that cannot be written: {e}")))?
            .to_string();
        let hash = sha256(&text);
        *self = Self { entries: number, head: hash.clone() };
        Ok(Sealed { number, text, hash })
    }
}

/// A table whose rows are a chain, with its second place. The table has the columns `number`, `body`
/// and `hash`.
pub(super) struct Ledger {
    pub(super) table: &'static str,
    /// The name of the second place, in the folder of the database.
    pub(super) head_file: &'static str,
    /// The greatest number of rows that are read.
    pub(super) max_rows: u64,
}

impl Ledger {
    /// Adds what `work` chains after the last row, and says how many rows that was.
    pub(super) fn add(
        &self,
        db: &Db,
        work: impl FnOnce(&Transaction<'_>, &mut Head) -> Result<u64, Trouble>,
    ) -> Result<Appended, Error> {
        let place = self.head_place(db);
        let known = place.as_deref().map(read_head).transpose()?.flatten();
        let table = self.table;
        let appended = db.write(&format!("adding to the {table} in"), Durability::Kept, |tx| {
            let mut last = self.last_row(tx)?;
            if let Some(known) = &known
                && known.entries > last.entries
            {
                let first = last.entries + 1;
                return Err(Trouble::BadRow(format!(
                    "row {first} of the {table} is missing: put a backup in its place"
                )));
            }
            let added = work(tx, &mut last)?;
            Ok(Appended { added, entries: last.entries, head: last.head })
        })?;
        if let Some(place) = place {
            let head = Head { entries: appended.entries, head: appended.head.clone() };
            if known.as_ref() != Some(&head) && (head.entries > 0 || known.is_some()) {
                write_head(&place, &head)?;
            }
        }
        Ok(appended)
    }

    /// Follows the chain from its first row and compares its end with the second place.
    pub(super) fn check(&self, db: &Db) -> Result<ChainCheck, Error> {
        let (place, file) = (self.head_place(db), self.head_file);
        let known = place.as_deref().map(read_head).transpose()?;
        let doing = format!("reading the {} in", self.table);
        let (check, hashes) = db.read(&doing, |tx| self.walk(tx))?;
        let fault = match (&check.fault, known) {
            (Some(_), _) | (None, None) => check.fault.clone(),
            (None, Some(None)) if check.entries == 0 => None,
            (None, Some(None)) => {
                Some((check.entries, format!("the file {file} that names it is missing")))
            }
            (None, Some(Some(known))) if known.entries > check.entries => {
                Some((check.entries + 1, "it is missing".to_owned()))
            }
            // A file that is behind after a crash still names a row of the chain.
            (None, Some(Some(known))) => {
                let place = usize::try_from(known.entries).unwrap_or(usize::MAX);
                let named = place.checked_sub(1).map(|place| hashes[place].as_str());
                (named.unwrap_or("") != known.head)
                    .then(|| (known.entries.max(1), format!("{file} has another hash")))
            }
        };
        Ok(ChainCheck { fault, ..check })
    }

    /// The file of the second place; none for a database in memory.
    fn head_place(&self, db: &Db) -> Option<PathBuf> {
        db.path().map(|path| path.with_file_name(self.head_file))
    }

    /// The end of the chain as it stands.
    pub(super) fn last_row(&self, tx: &Connection) -> Result<Head, Trouble> {
        let sql = format!("SELECT number, hash FROM {} ORDER BY number DESC LIMIT 1", self.table);
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Head { entries: row.get::<_, i64>(0)?.unsigned_abs(), head: row.get(1)? })
        };
        Ok(tx.query_row(&sql, (), row).optional()?.unwrap_or_default())
    }

    /// Follows the chain; gives the hashes of its rows as well.
    fn walk(&self, tx: &Connection) -> Result<(ChainCheck, Vec<String>), Trouble> {
        let sql = format!("SELECT number, body, hash FROM {} ORDER BY number LIMIT ?", self.table);
        let mut query = tx.prepare(&sql)?;
        let mut rows = query.query([self.max_rows as i64])?;
        let (mut head, mut fault) = (Head::default(), None);
        let mut hashes: Vec<String> = Vec::new();
        while let Some(row) = rows.next()? {
            let (number, text, hash): (i64, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let (number, wanted) = (number.unsigned_abs(), hashes.len() as u64 + 1);
            if fault.is_none() {
                fault = match number == wanted {
                    false => Some((wanted, "it is missing".to_owned())),
                    true => head.follow(&text, &hash).err().map(|why| (number, why)),
                };
            }
            hashes.push(hash);
        }
        let head = hashes.last().cloned().unwrap_or_default();
        Ok((ChainCheck { entries: hashes.len() as u64, head, fault }, hashes))
    }
}

pub(super) fn sha256(text: &str) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    hex
}

/// The content of the second place; `None` when there is none.
pub(super) fn read_head(path: &Path) -> Result<Option<Head>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("reading", path, error)),
    };
    let head = (text.len() <= MAX_HEAD_BYTES).then(|| serde_json::from_str(&text).ok()).flatten();
    let message = || format!("{} is damaged: put a backup in its place", path.display());
    head.map(Some).ok_or_else(|| Error::new(ErrorKind::Corrupt, message()))
}

/// Writes the second place, whole and durable or not at all.
fn write_head(path: &Path, head: &Head) -> Result<(), Error> {
    let text = serde_json::to_string(head)
        .map_err(|e| Error::new(ErrorKind::Io, format!("writing {}: {e}", path.display())))?;
    let unfinished = path.with_extension("head.tmp");
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let write = || {
        let file = DiskFiles.open(&unfinished, OpenMode::Create)?;
        file.append(format!("{text}\n").as_bytes())?;
        file.sync()?;
        DiskFiles.rename(&unfinished, path)?;
        DiskFiles.sync_dir(folder.unwrap_or_else(|| Path::new(".")))
    };
    write().map_err(|e| Error::io("writing", path, e))
}
