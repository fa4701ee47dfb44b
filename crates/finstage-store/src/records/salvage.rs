//! What can be read of a database that is damaged, row by row, into a new one.

use std::path::Path;

use finstage_model::Instrument;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params};

use super::Records;
use super::db::{Durability, Trouble};
use crate::Error;

/// What came of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Its name.
    pub table: String,
    /// Rows that came over.
    pub rows: u64,
    /// Why there are no more, where it broke off.
    pub fault: Option<String>,
}

/// Tables in the order in which they come over: what is referred to comes first.
const FIRST: [&str; 5] = ["meta", "instruments", "alerts", "notices", "signals"];

impl Records {
    /// Takes over every row of the database at `from` that can be read, of all tables that both have.
    /// Rows that are here already stay. `from` is not changed.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`; what `from` does not give is no error but
    /// the result.
    pub fn salvage(&self, from: &Path) -> Result<Vec<Salvaged>, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(from, flags);
        let old = opened.map_err(|e| Error::sql("opening", from, e))?;
        let unread = unread_schema(&old);
        self.0.write("taking rows over into", Durability::Kept, |tx| {
            let sql = "SELECT name FROM sqlite_schema WHERE type = 'table'
                AND name NOT LIKE 'sqlite%' AND name <> 'migrations' ORDER BY name";
            let names: rusqlite::Result<Vec<String>> =
                tx.prepare(sql)?.query_map((), |row| row.get(0))?.collect();
            let mut names = names?;
            let place = |name: &String| FIRST.iter().position(|first| first == name);
            names.sort_by_key(|name| place(name).unwrap_or(FIRST.len()));
            // What a row refers to may be among what is lost.
            tx.pragma_update(None, "defer_foreign_keys", true)?;
            let all = names.into_iter().map(|name| table(tx, (&old, unread.as_deref()), name));
            let all = all.collect::<Result<_, _>>()?;
            let sql = "DELETE FROM outbox WHERE (alert IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM alerts WHERE id = outbox.alert))
                OR (notice IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM notices WHERE id = outbox.notice))";
            tx.execute(sql, ())?;
            Ok(all)
        })
    }

    /// Stores an instrument under the id that journals know it by; one that is there stays.
    ///
    /// # Errors
    /// `Corrupt` when its id or its symbol belongs to another; as every writing call: `Full`, `Held` or `Io`.
    pub fn restore_instrument(&self, instrument: &Instrument) -> Result<(), Error> {
        self.0.write("adding an instrument to", Durability::Kept, |tx| {
            let (id, symbol) = (instrument.id.0, instrument.symbol.as_str());
            let json = serde_json::to_string(instrument).expect("an instrument is always JSON");
            let sql = "INSERT INTO instruments VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            tx.prepare_cached(sql)?.execute(params![id, symbol, json])?;
            let sql = "SELECT 1 FROM instruments WHERE id = ? AND symbol = ?";
            match tx.prepare_cached(sql)?.exists(params![id, symbol])? {
                true => Ok(()),
                false => Err(Trouble::BadRow(format!(
                    "{symbol} has another id than {id}, as journals have it"
                ))),
            }
        })
    }
}

/// Why not all of the schema can be read, if so. The tables in front of the damage can be read nevertheless:
/// with this pragma statements know the part that was read.
fn unread_schema(old: &Connection) -> Option<String> {
    let why = old.prepare("SELECT 1 FROM sqlite_schema").err()?.to_string();
    // Where even this fails, each table says why.
    let _ = old.pragma_update(None, "writable_schema", true);
    Some(why)
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare("SELECT name FROM pragma_table_info(?)")?;
    query.query_map([table], |row| row.get(0))?.collect()
}

fn table(
    tx: &Connection,
    (old, unread): (&Connection, Option<&str>),
    table: String,
) -> Result<Salvaged, Trouble> {
    let mut done = Salvaged { table, rows: 0, fault: None };
    let theirs = match columns(old, &done.table) {
        Ok(theirs) => theirs,
        Err(error) => {
            done.fault = Some(error.to_string());
            return Ok(done);
        }
    };
    let shared: Vec<String> =
        columns(tx, &done.table)?.into_iter().filter(|name| theirs.contains(name)).collect();
    if shared.is_empty() {
        // Of a whole schema: it came with a later finstage.
        done.fault = unread.map(|why| format!("not in what can be read of the schema: {why}"));
        return Ok(done);
    }
    let (names, marks) = (shared.join(", "), vec!["?"; shared.len()].join(", "));
    let sql = format!("INSERT OR IGNORE INTO {} ({names}) VALUES ({marks})", done.table);
    let mut insert = tx.prepare(&sql)?;
    let read = old.prepare(&format!("SELECT {names} FROM {}", done.table));
    let mut read = match read {
        Ok(read) => read,
        Err(error) => {
            done.fault = Some(error.to_string());
            return Ok(done);
        }
    };
    let mut rows = read.query(())?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(done),
            Err(error) => {
                done.fault = Some(error.to_string());
                return Ok(done);
            }
        };
        let values: rusqlite::Result<Vec<Value>> = (0..shared.len()).map(|i| row.get(i)).collect();
        match values.and_then(|values| insert.execute(rusqlite::params_from_iter(values))) {
            Ok(rows) => done.rows += rows as u64,
            // A damaged row may hold anything; the next one may be whole.
            Err(error) => done.fault = Some(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom, Write as _};

    use super::super::Filter;
    use super::*;
    use crate::suite::records::batch;

    #[test]
    fn what_can_still_be_read_of_a_damaged_database_comes_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.db");
        let records = Records::open(&path).unwrap();
        records.apply(&batch(1, 0, 900)).unwrap();
        records.set_meta("kind", "real").unwrap();
        let copy = dir.path().join("old.db");
        records.copy_to(&copy).unwrap();
        let before = records.signals(&Filter::newest(9_999)).unwrap().len();
        let mut file = std::fs::OpenOptions::new().write(true).open(&copy).unwrap();
        // Pages in the middle: some rows are gone, the schema is not.
        let pages = file.metadata().unwrap().len() / 4_096;
        file.seek(SeekFrom::Start(pages / 2 * 4_096)).unwrap();
        file.write_all(&[0xAB; 4 * 4_096]).unwrap();
        drop(file);
        let new = Records::open(&dir.path().join("new.db")).unwrap();
        let tables = new.salvage(&copy).unwrap();
        assert!(tables.iter().any(|table| table.fault.is_some()), "{tables:?}");
        assert_eq!(new.meta("kind").unwrap().as_deref(), Some("real"));
        assert_eq!(new.faults().unwrap(), Vec::<String>::new());
        new.apply(&batch(1, 0, 900)).unwrap();
        assert_eq!(
            new.signals(&Filter::newest(9_999)).unwrap().len(),
            before,
            "journals tell the rest"
        );
    }

    #[test]
    fn of_a_damaged_schema_the_tables_in_front_of_the_damage_come_over_and_the_others_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(&dir.path().join("records.db")).unwrap();
        records.apply(&batch(1, 0, 9)).unwrap();
        records.set_meta("kind", "real").unwrap();
        let copy = dir.path().join("old.db");
        records.copy_to(&copy).unwrap();
        let mut bytes = std::fs::read(&copy).unwrap();
        assert_eq!(bytes[100], 5, "the first page of the schema leads to others");
        let last = u32::from_be_bytes(bytes[108..112].try_into().unwrap()) as usize;
        bytes[(last - 1) * 4_096..last * 4_096].fill(0xAB);
        std::fs::write(&copy, bytes).unwrap();
        let new = Records::open(&dir.path().join("new.db")).unwrap();
        let tables = new.salvage(&copy).unwrap();
        let of = |name: &str| tables.iter().find(|one| one.table == name).unwrap();
        assert!(of("meta").rows > 0 && of("meta").fault.is_none(), "{tables:?}");
        assert_eq!(new.meta("kind").unwrap().as_deref(), Some("real"));
        for behind in ["alerts", "uptime"] {
            let fault = of(behind).fault.as_deref().unwrap_or_default();
            assert!(of(behind).rows == 0 && fault.contains("schema"), "{tables:?}");
        }
        assert_eq!(new.faults().unwrap(), Vec::<String>::new());
    }
}
