//! `finstage store`

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use finstage_model::Clock;
use finstage_net::SystemClock;
use finstage_store::FolderLock;
use finstage_store::journal::{Journal, JournalOptions};
use finstage_store::records::StoreKind;
use serde_json::json;

use super::{data_dir, load_without_channels, print_json, print_line, print_table, say};
use crate::cli::{Global, Store, StorePrune};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::upkeep::prune::{self, Kept, Policy, Pruned};
use crate::upkeep::{backup, check, rebuild, restore};
use crate::wiring;

pub(super) fn run(global: &Global, args: &Store) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    match args {
        Store::Backup { to, dry_run } => backup(global, (&dir, to), *dry_run),
        Store::Restore { from, dry_run } => restore(global, (from, &dir), *dry_run),
        Store::Check => check(global, &dir),
        Store::Prune(args) => prune(global, (&loaded, &dir), args),
        Store::Rebuild { yes, kind } => rebuild(global, (&dir, kind.as_deref()), *yes),
    }
}

/// Asks, unless that was answered before. Nobody can be asked where no terminal is.
fn agreed(question: &str, yes: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{question}: nobody is here to ask; --yes answers")));
    }
    let _ = write!(std::io::stderr().lock(), "{question}? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn backup(global: &Global, (dir, to): (&Path, &Path), dry_run: bool) -> Result<Exit> {
    if dry_run {
        let (files, bytes) = backup::extent(dir)?;
        let made = backup::Made { place: to.to_owned(), files, bytes };
        return told(global, &made, "would be copied");
    }
    let made = backup::backup(dir, to, SystemClock.now())?;
    // What was copied is what was there: damage is in the copy as well, and someone must hear of it.
    let faults = check::faults(dir);
    if global.json {
        let backup::Made { place, files, bytes } = &made;
        let ok = faults.is_empty();
        print_json(
            &json!({"place": place, "files": files, "bytes": bytes, "ok": ok, "faults": faults}),
        )?;
    } else {
        told(global, &made, "copied")?;
    }
    if faults.is_empty() {
        return Ok(Exit::Done);
    }
    let (count, first) = (faults.len(), &faults[0]);
    let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
    Err(Failure::new(
        Exit::Store,
        format!(
            "{}: damaged, and so is this backup of it: {first}{more}; `finstage store check` names all, keep older backups",
            dir.display()
        ),
    ))
}

fn told(global: &Global, made: &backup::Made, words: &str) -> Result<Exit> {
    let backup::Made { place, files, bytes } = made;
    if global.json {
        print_json(&json!({"place": place, "files": files, "bytes": bytes}))?;
    } else {
        print_line(&format!("{}: {files} files, {} {words}", place.display(), size(*bytes)))?;
    }
    Ok(Exit::Done)
}

fn restore(global: &Global, (from, dir): (&Path, &Path), dry_run: bool) -> Result<Exit> {
    let mode = if dry_run { restore::Mode::Check } else { restore::Mode::Write };
    let manifest = restore::restore(from, dir, mode)?;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    if global.json {
        let files = manifest.files.len();
        print_json(&json!({
            "made_at": manifest.made_at, "finstage": manifest.finstage, "files": files, "bytes": bytes,
            "restored": !dry_run,
        }))?;
        return Ok(Exit::Done);
    }
    let (files, made_at) = (manifest.files.len(), &manifest.made_at);
    let words = if dry_run { "whole" } else { "restored" };
    print_line(&format!("backup of {made_at}: {files} files, {}: {words}", size(bytes)))?;
    if !dry_run {
        say(
            global,
            format_args!("`finstage replay --check --data-dir {}` recomputes it", dir.display()),
        );
    }
    Ok(Exit::Done)
}

fn check(global: &Global, dir: &Path) -> Result<Exit> {
    let parts = check::check(dir)?;
    let ok = parts.iter().all(|part| part.ok);
    if global.json {
        print_json(&json!({"ok": ok, "parts": parts}))?;
    } else {
        let cells = |part: &check::Part| {
            let word = if part.ok { "ok" } else { "DAMAGED" };
            vec![part.part.to_owned(), word.to_owned(), part.detail.clone()]
        };
        print_table(&["part", "state", "detail"], &parts.iter().map(cells).collect::<Vec<_>>())?;
        for part in &parts {
            for fault in &part.faults {
                print_line(&format!("{}: {fault}", part.part))?;
            }
            for orphan in &part.orphans {
                say(
                    global,
                    format_args!("{}: {orphan} belongs to nothing here; left alone", part.part),
                );
            }
        }
    }
    if !ok {
        say(
            global,
            format_args!(
                "a backup is the best remedy; `finstage store rebuild` makes records anew"
            ),
        );
    }
    Ok(if ok { Exit::Done } else { Exit::CheckFailed })
}

fn prune(global: &Global, (loaded, dir): (&Loaded, &Path), args: &StorePrune) -> Result<Exit> {
    let records = wiring::reopen_records(dir)?;
    let journal = Journal::open(wiring::disk(), dir.join("journal"), JournalOptions::default());
    let mut policy = Policy::of(&loaded.settings);
    if args.archive.is_some() {
        policy.archive.clone_from(&args.archive);
    }
    let kept = Kept { dir, records: &records, journal: &journal };
    let now = SystemClock.now();
    let planned = prune::prune(kept, &policy, now, prune::Mode::DryRun)?;
    let is_needed = planned.iter().any(|one| one.count > 0);
    if args.dry_run || !is_needed {
        return pruned(global, &planned, prune::Mode::DryRun);
    }
    if !args.yes {
        // What is answered has to be seen.
        pruned(global, &planned, prune::Mode::DryRun)?;
    }
    let question = match &policy.archive {
        Some(archive) => format!("forget this, after it is copied to {}", archive.display()),
        None => "forget this for good".to_owned(),
    };
    if !agreed(&question, args.yes)? {
        return Ok(Exit::Interrupted);
    }
    let done = prune::prune(kept, &policy, now, prune::Mode::Forget)?;
    match FolderLock::acquire(dir) {
        Ok(_lock) => records.vacuum()?,
        Err(_) => say(
            global,
            format_args!("a service runs: freed pages are used again by what comes next"),
        ),
    }
    pruned(global, &done, prune::Mode::Forget)
}

fn pruned(global: &Global, all: &[Pruned], mode: prune::Mode) -> Result<Exit> {
    if global.json {
        print_json(&json!({"dry_run": mode == prune::Mode::DryRun, "pruned": all}))?;
        return Ok(Exit::Done);
    }
    let cells = |one: &Pruned| {
        let archive =
            one.archive.as_ref().map_or_else(|| "-".to_owned(), |p| p.display().to_string());
        vec![
            one.what.to_owned(),
            one.count.to_string(),
            size(one.bytes),
            one.until.clone(),
            archive,
        ]
    };
    let names = ["what", "count", "bytes", "until", "archive"];
    print_table(&names, &all.iter().map(cells).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

fn rebuild(global: &Global, (dir, kind): (&Path, Option<&str>), yes: bool) -> Result<Exit> {
    if !agreed(
        &format!("make the records in {} anew; the old ones stay beside them", dir.display()),
        yes,
    )? {
        return Ok(Exit::Interrupted);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let world = kind.and_then(StoreKind::find);
    let done = rebuild::rebuild(dir, world, &clock)?;
    if global.json {
        print_json(&done)?;
        return Ok(Exit::Done);
    }
    let rows: u64 = done.salvaged.values().sum();
    let (runs, signals, files) = (done.runs, done.signals, done.files);
    print_line(&format!(
        "{rows} rows taken over, {runs} runs of the journal applied, {signals} signals, {files} files of the history taken in"
    ))?;
    // A table that was whole and empty says nothing.
    let told = done.salvaged.iter().filter_map(|(table, rows)| {
        let state = match (done.broken_off.get(table), rows) {
            (None, 0) => return None,
            (None, _) => "whole".to_owned(),
            (Some(why), 0) => format!("nothing could be read: {why}"),
            (Some(why), _) => format!("not read to its end: {why}"),
        };
        Some(vec![table.clone(), rows.to_string(), state])
    });
    let told: Vec<Vec<String>> = told.collect();
    if !told.is_empty() {
        print_table(&["table", "rows", "state"], &told)?;
    }
    done.lost.iter().try_for_each(|words| print_line(&format!("lost: {words}")))?;
    if let Some(old) = &done.old {
        say(global, format_args!("the old records are {}", old.display()));
    }
    Ok(Exit::Done)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
