//! Numbered migrations, in the binary.
//!
//! A database remembers which ones it has seen and their checksums. A newer database is refused
//! rather than guessed at; an older one is copied (`records.db.bak-N`) before it is changed.

use std::path::{Path, PathBuf};

use finstage_model::IdHasher;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{Error, ErrorKind};

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// All steps, in order. A released one is never changed.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "first", sql: include_str!("migrations/0001_first.sql") },
    Migration { version: 2, name: "history", sql: include_str!("migrations/0002_history.sql") },
    Migration { version: 3, name: "touched", sql: include_str!("migrations/0003_touched.sql") },
    Migration { version: 4, name: "trials", sql: include_str!("migrations/0004_trials.sql") },
    Migration { version: 5, name: "cards", sql: include_str!("migrations/0005_cards.sql") },
    Migration { version: 6, name: "track", sql: include_str!("migrations/0006_track.sql") },
    Migration { version: 7, name: "notices", sql: include_str!("migrations/0007_notices.sql") },
    Migration { version: 8, name: "watches", sql: include_str!("migrations/0008_watches.sql") },
    Migration { version: 9, name: "spend", sql: include_str!("migrations/0009_spend.sql") },
    Migration { version: 10, name: "tasks", sql: include_str!("migrations/0010_tasks.sql") },
    Migration {
        version: 11,
        name: "documents",
        sql: include_str!("migrations/0011_documents.sql"),
    },
    Migration { version: 12, name: "upkeep", sql: include_str!("migrations/0012_upkeep.sql") },
    Migration { version: 13, name: "stories", sql: include_str!("migrations/0013_stories.sql") },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT";

impl Migration {
    fn checksum(&self) -> String {
        // Line ends aside: a checkout may change them.
        let hash = self.sql.lines().fold(IdHasher::new(), |hash, line| hash.text(line));
        format!("{:032x}", hash.finish())
    }
}

/// Brings the database at `path` to the last of `migrations`.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<(), Error> {
    let failed = |e| Error::sql("upgrading", path, e);
    let applied = applied(connection, path)?;
    check(&applied, path, migrations)?;
    if applied.len() == migrations.len() {
        return Ok(());
    }
    if !applied.is_empty() {
        backup(connection, path, applied.len())?;
    }
    let tx =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have been faster.
    let applied = self::applied(&tx, path)?;
    check(&applied, path, migrations)?;
    tx.execute_batch(TABLE).map_err(failed)?;
    for migration in &migrations[applied.len()..] {
        tx.execute_batch(migration.sql).map_err(failed)?;
        let row = params![migration.version, migration.name, migration.checksum()];
        tx.execute("INSERT INTO migrations VALUES (?, ?, ?)", row).map_err(failed)?;
        tracing::info!(version = migration.version, name = migration.name, "records upgraded");
    }
    tx.commit().map_err(failed)
}

/// Whether a reader of this build understands the database, which it must not change.
pub(super) fn check_readable(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<(), Error> {
    let applied = applied(connection, path)?;
    check(&applied, path, migrations)?;
    if applied.len() == migrations.len() {
        return Ok(());
    }
    let message = format!(
        "{} was not upgraded for this finstage yet: start the service or any writing command once",
        path.display()
    );
    Err(Error::new(ErrorKind::NotFound, message))
}

/// Version and checksum of the steps that the database has seen; none for an empty one.
fn applied(connection: &Connection, path: &Path) -> Result<Vec<(i64, String)>, Error> {
    let failed = |e| Error::sql("opening", path, e);
    let has = |what: &str| {
        let sql = format!("SELECT 1 FROM sqlite_schema WHERE type = 'table' {what} LIMIT 1");
        connection.query_row(&sql, (), |_| Ok(())).optional().map(|found| found.is_some())
    };
    if !has("AND name = 'migrations'").map_err(failed)? {
        if has("").map_err(failed)? {
            return Err(Error::corrupt(path, "it is the database of another program"));
        }
        return Ok(Vec::new());
    }
    let read = || -> rusqlite::Result<Vec<(i64, String)>> {
        connection
            .prepare("SELECT version, checksum FROM migrations ORDER BY version")?
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    read().map_err(failed)
}

fn check(applied: &[(i64, String)], path: &Path, known: &[Migration]) -> Result<(), Error> {
    let last = known.last().map_or(0, |migration| migration.version);
    if let Some((newer, _)) = applied.iter().find(|(version, _)| *version > last) {
        let message = format!(
            "{} has schema {newer}, this finstage knows {last}: use a newer finstage",
            path.display()
        );
        return Err(Error::new(ErrorKind::Newer, message));
    }
    for ((version, checksum), migration) in applied.iter().zip(known) {
        if *version != migration.version || *checksum != migration.checksum() {
            let what = format!("step {} of its schema is not ours", migration.version);
            return Err(Error::corrupt(path, what));
        }
    }
    Ok(())
}

/// Copies the database beside itself, whole or not at all.
fn backup(connection: &Connection, path: &Path, version: usize) -> Result<(), Error> {
    if connection.path().is_none_or(str::is_empty) {
        return Ok(());
    }
    let suffixed = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".bak-{version}{suffix}"));
        PathBuf::from(name)
    };
    let (unfinished, whole) = (suffixed(".tmp"), suffixed(""));
    let failed = |e| Error::io("making the backup", &whole, e);
    match std::fs::remove_file(&unfinished) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    connection
        .execute("VACUUM INTO ?", [unfinished.to_string_lossy()])
        .map_err(|e| Error::sql("making the backup", &whole, e))?;
    std::fs::File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(&unfinished, &whole).map_err(failed)
}

#[cfg(test)]
mod tests;
