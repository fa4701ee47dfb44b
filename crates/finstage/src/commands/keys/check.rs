//! `finstage keys check`

use std::fmt::Display;

use finstage_seal::{ErrorKind, Finding, Keyring, KeyringFile, Severity, UnixTime};
use serde_json::json;

use super::{failure, file, imported, note, now, numbers_used};
use crate::cli::{Global, KeysCheck};
use crate::commands::{print_json, print_line};
use crate::config::dotenv;
use crate::exit::{Exit, Result};

/// One line: what was looked at, how it is, what to do.
struct Row {
    name: String,
    status: &'static str,
    detail: String,
}

impl Row {
    fn new(name: impl Display, status: &'static str, detail: impl Display) -> Self {
        Self { name: name.to_string(), status, detail: detail.to_string() }
    }
}

pub(super) fn run(global: &Global, args: &KeysCheck) -> Result<Exit> {
    let rows = match &args.from {
        Some(from) => {
            imported(global, from, Exit::CheckFailed)?;
            vec![Row::new("key", "ok", "32 bytes as base64")]
        }
        None => of_file(&file(global, &args.ring)?)?,
    };
    let is_ok = rows.iter().all(|row| row.status != "fail");
    if global.json {
        let rows = rows.iter().map(|Row { name, status, detail }| {
            json!({"name": name, "status": status, "detail": detail})
        });
        print_json(&json!({"ok": is_ok, "checks": rows.collect::<Vec<_>>()}))?;
    } else {
        let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        for Row { name, status, detail } in &rows {
            print_line(&format!("{status:4}  {name:width$}  {detail}"))?;
        }
    }
    Ok(if is_ok { Exit::Done } else { Exit::CheckFailed })
}

fn of_file(file: &KeyringFile) -> Result<Vec<Row>> {
    let mut ring = match file.load() {
        Ok(ring) => ring,
        // There is nothing to check.
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(failure(error)),
        Err(error) => return Ok(vec![Row::new("file", "fail", error)]),
    };
    let (count, path) = (ring.keys().len(), file.path().display());
    let keys = if count == 1 { "key" } else { "keys" };
    let mut rows = vec![Row::new("file", "ok", format!("{path}: {count} {keys}, ours alone"))];
    match numbers_used(file) {
        Ok(used) => note(&mut ring, &used).map_err(failure)?,
        Err(error) => rows.push(Row::new("senders", "fail", error)),
    }
    let senders = file.senders_path();
    if dotenv::is_open(&senders) {
        let path = senders.display();
        let detail = format!("{path}: others on this machine can get at it: chmod 600 {path}");
        rows.push(Row::new("senders", "fail", detail));
    }
    rows.extend(of_ring(&ring, now()));
    Ok(rows)
}

fn of_ring(ring: &Keyring, now: UnixTime) -> Vec<Row> {
    let primary = ring.primary();
    let is_due = ring.is_due(now, 0);
    let mut rows = Vec::new();
    if let Some(key) = primary.filter(|_| !is_due) {
        let (sealed, most) = (key.sealed(), ring.rotation().after_messages);
        let since = key.primary_since().or_else(|| key.created());
        let since = since.map_or(String::new(), |since| format!(" since {since}"));
        let detail =
            format!("primary{since}, at most {sealed} of {most} messages: no rotation is due");
        rows.push(Row::new(key.id(), "ok", detail));
    }
    let row = |Finding { severity, key, message }: Finding| {
        // A rotation that is due does not stop anything yet; who asks wants to know.
        let is_wrong =
            severity == Severity::Failure || is_due && key == primary.map(|key| key.id());
        let name = key.map_or_else(|| "ring".to_owned(), |id| id.to_string());
        Row::new(name, if is_wrong { "fail" } else { "warn" }, message)
    };
    rows.extend(ring.check(now).into_iter().map(row));
    rows
}
