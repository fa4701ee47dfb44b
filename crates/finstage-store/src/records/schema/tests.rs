use super::*;

const ONE: Migration = Migration { version: 1, name: "one", sql: "CREATE TABLE a (x INTEGER);" };
const TWO: Migration = Migration {
    version: 2,
    name: "two",
    sql: "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x;",
};
const BROKEN: Migration =
    Migration { version: 2, name: "broken", sql: "DELETE FROM a; CREATE TABLE a (x);" };

fn sum(path: &Path, column: &str) -> rusqlite::Result<i64> {
    let connection = Connection::open(path)?;
    connection.query_row(&format!("SELECT sum({column}) FROM a"), (), |row| row.get(0))
}

/// A database of version 1 with one row.
fn first(path: &Path) -> Connection {
    let mut connection = Connection::open(path).unwrap();
    migrate(&mut connection, path, &[ONE]).unwrap();
    connection.execute("INSERT INTO a VALUES (7)", ()).unwrap();
    connection
}

#[test]
fn an_upgrade_keeps_a_copy_of_what_was_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let mut connection = first(&path);
    migrate(&mut connection, &path, &[ONE, TWO]).unwrap();
    migrate(&mut connection, &path, &[ONE, TWO]).unwrap();
    assert_eq!(sum(&path, "y").unwrap(), 7);
    let copy = dir.path().join("records.db.bak-1");
    assert_eq!(sum(&copy, "x").unwrap(), 7);
    assert!(sum(&copy, "y").is_err(), "the copy is from before");
}

#[test]
fn a_failed_upgrade_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let mut connection = first(&path);
    assert!(migrate(&mut connection, &path, &[ONE, BROKEN]).is_err());
    assert_eq!(sum(&path, "x").unwrap(), 7);
    migrate(&mut connection, &path, &[ONE, TWO]).unwrap();
    assert_eq!(sum(&path, "y").unwrap(), 7);
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let mut connection = first(&path);
    migrate(&mut connection, &path, &[ONE, TWO]).unwrap();
    let error = migrate(&mut connection, &path, &[ONE]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Newer);
    assert!(
        error.to_string().ends_with("has schema 2, this finstage knows 1: use a newer finstage")
    );
}

#[test]
fn a_reader_refuses_an_older_database_instead_of_changing_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let connection = first(&path);
    let error = check_readable(&connection, &path, &[ONE, TWO]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(check_readable(&connection, &path, &[ONE]).is_ok());
}

#[test]
fn another_programs_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let mut connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert_eq!(migrate(&mut connection, &path, &[ONE]).unwrap_err().kind(), ErrorKind::Corrupt);
    let changed = Migration { sql: "CREATE TABLE b (x);", ..ONE };
    let other = dir.path().join("other.db");
    let mut connection = first(&other);
    let error = migrate(&mut connection, &other, &[changed]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn alerts_on_their_way_stay_so_when_the_outbox_learns_to_carry_notices() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let mut connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    migrate(&mut connection, &path, &MIGRATIONS[..6]).unwrap();
    let rows = "INSERT INTO alerts VALUES ('a', 5, '{}', 'watch', 'r', 's:x', 1, 2, 'send', 'queued', NULL);
        INSERT INTO outbox (id, alert, notifier, position, state, attempts, fence, lease_until)
            VALUES (7, 'a', 'log', 5, 'sending', 2, 3, 99), (9, 'a', 'chat', 5, 'ready', 0, 0, NULL);";
    connection.execute_batch(rows).unwrap();
    migrate(&mut connection, &path, MIGRATIONS).unwrap();
    let sql =
        "SELECT group_concat(row, ' ') FROM (SELECT id || alert || notifier || position || state
            || attempts || fence || ifnull(lease_until, '-') row
        FROM outbox WHERE notice IS NULL ORDER BY id)";
    let kept: String = connection.query_row(sql, (), |row| row.get(0)).unwrap();
    assert_eq!(kept, "7alog5sending2399 9achat5ready00-");
    let neither = "INSERT INTO outbox (notifier, position) VALUES ('log', 0)";
    assert!(connection.execute(neither, ()).is_err(), "a row carries something");
    connection.execute("DELETE FROM outbox", ()).unwrap();
    let next = "INSERT INTO outbox (alert, notifier, position) VALUES ('a', 'log', 5) RETURNING id";
    let id: i64 = connection.query_row(next, (), |row| row.get(0)).unwrap();
    assert!(id > 9, "no number of a row is used again");
}

#[test]
fn places_of_the_stream_survive_the_upgrade_a_vacuum_and_the_loss_of_all_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let mut connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    let old = MIGRATIONS.iter().take_while(|step| step.version < 12).count();
    migrate(&mut connection, &path, &MIGRATIONS[..old]).unwrap();
    let signals = "INSERT INTO signals (rowid, id, position, symbol, interval, strategy, direction,
            open_time, at, price, facts)
        VALUES (3, 'x', 5, 's:x', '1m', 'r', 'long', 0, 1, 1, '[]'),
            (8, 'a', 6, 's:x', '1m', 'r', 'long', 1, 2, 1, '[]');
        INSERT INTO alerts (rowid, id, position, json, kind, rule, symbol, at, said_at, decision, status)
        VALUES (4, 'b', 5, '{}', 'watch', 'r', 's:x', 1, 2, 'send', 'queued');
        INSERT INTO outbox (alert, notifier, position) VALUES ('b', 'log', 5);";
    connection.execute_batch(signals).unwrap();
    migrate(&mut connection, &path, MIGRATIONS).unwrap();
    let places = |connection: &Connection| -> String {
        let sql = "SELECT group_concat(place, ' ') FROM (
            SELECT number || id place FROM signals UNION ALL SELECT number || id FROM alerts ORDER BY 1)";
        connection.query_row(sql, (), |row| row.get(0)).unwrap()
    };
    assert_eq!(places(&connection), "3x 4b 8a");
    connection.execute_batch("DELETE FROM signals WHERE id = 'x'; VACUUM").unwrap();
    assert_eq!(places(&connection), "4b 8a", "SQLite's own row numbers would be 1 and 1");
    let refused = connection.execute("DELETE FROM alerts", ());
    assert!(refused.is_err(), "the outbox still refers to it");
    let next = "DELETE FROM signals;
        INSERT INTO signals (id, position, symbol, interval, strategy, direction, open_time, at, price, facts)
        VALUES ('n', 7, 's:x', '1m', 'r', 'long', 2, 3, 1, '[]')";
    connection.execute_batch(next).unwrap();
    assert_eq!(places(&connection), "4b 9n");
}

#[test]
fn an_older_data_folder_is_upgraded_behind_a_copy_and_goes_on() {
    use crate::records::{Filter, SaidPlace};
    use crate::suite::records::{batch, signal};

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.db");
    let mut connection = Connection::open(&path).unwrap();
    let old = MIGRATIONS.iter().take_while(|step| step.version < 10).count();
    migrate(&mut connection, &path, &MIGRATIONS[..old]).unwrap();
    let first = signal(0).signal;
    let row = format!(
        "INSERT INTO signals (rowid, id, position, symbol, interval, strategy, direction, open_time, at,
                price, strength, facts)
            VALUES (41, '{}', 1, 'sim:ONE', '1m', 'rsi_levels(period=14)', 'long', {}, {}, 0, 0.0, '[]')",
        first.id,
        first.open_time.nanos(),
        first.at.nanos(),
    );
    connection.execute_batch(&row).unwrap();
    drop(connection);
    let records = crate::Records::open(&path).unwrap();
    assert!(dir.path().join(format!("records.db.bak-{old}")).exists(), "the copy is there");
    assert_eq!(records.signals(&Filter::newest(9)).unwrap()[0].id, first.id);
    let everywhere = finstage_model::Position::from_i64(i64::MAX);
    assert_eq!(records.said_end(everywhere).unwrap(), SaidPlace { signal: 41, alert: 0 });
    records.apply(&batch(1, 0, 12)).unwrap();
    records.vacuum().unwrap();
    assert_eq!(records.signals_behind(41, everywhere, 9).unwrap().len(), 3, "the first was there");
    assert_eq!(records.faults().unwrap(), Vec::<String>::new());
}
