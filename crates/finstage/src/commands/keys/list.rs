//! `finstage keys list`

use finstage_seal::{Key, Keyring, KeyringFile, UnixTime};
use serde_json::{Value, json};

use super::{failure, note, now, numbers_used};
use crate::cli::Global;
use crate::commands::{print_line, print_table};
use crate::exit::Result;

pub(super) fn run(global: &Global, file: &KeyringFile) -> Result<()> {
    let mut ring = file.load().map_err(failure)?;
    note(&mut ring, &numbers_used(file)?).map_err(failure)?;
    let now = now();
    if global.json {
        return ring
            .keys()
            .iter()
            .try_for_each(|key| print_line(&object(&ring, key, now).to_string()));
    }
    let shown = |at: Option<UnixTime>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let cells = |key: &Key| {
        vec![
            key.id().to_string(),
            key.state().to_string(),
            shown(since(key)),
            shown(key.accept_until()),
            key.sealed().to_string(),
            left(&ring, key).to_string(),
        ]
    };
    let rows: Vec<_> = ring.keys().iter().map(cells).collect();
    print_table(&["id", "state", "since", "until", "sealed", "left"], &rows)
}

/// When it began to seal, or to exist.
fn since(key: &Key) -> Option<UnixTime> {
    key.primary_since().or_else(|| key.created())
}

/// How many messages more it may seal.
fn left(ring: &Keyring, key: &Key) -> u64 {
    ring.rotation().limit.saturating_sub(key.sealed())
}

fn object(ring: &Keyring, key: &Key, now: UnixTime) -> Value {
    let text = |at: Option<UnixTime>| at.map(|at| at.to_string());
    json!({
        "id": key.id().as_str(),
        "state": key.state().name(),
        "created": text(key.created()),
        "since": text(since(key)),
        "until": text(key.accept_until()),
        "sealed": key.sealed(),
        "left": left(ring, key),
        "opens": key.may_open(now),
    })
}
