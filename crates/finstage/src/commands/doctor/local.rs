//! Checks on this machine: folders, store, files of secrets, hours of markets.

use std::path::Path;

use finstage_feeds::registry;
use finstage_model::Clock as _;
use finstage_net::SystemClock;
use finstage_store::records::Records;
use finstage_store::{ErrorKind, FolderLock};

use super::{Check, State};
use crate::config::Loaded;
use crate::config::dotenv;

/// Less free space than this is too little for a day.
const SPACE_MIN_BYTES: u64 = 200 << 20;
/// Less than this is little.
const SPACE_LOW_BYTES: u64 = 2 << 30;

pub(super) fn check(loaded: &Loaded, dir: &Path, checks: &mut Vec<Check>) {
    checks.push(folder(dir));
    checks.extend(space(dir));
    checks.push(store(dir));
    checks.extend(tasks(dir));
    checks.extend(channels(loaded, dir));
    checks.extend(closed_files(loaded, dir));
    checks.extend(calendars(loaded));
}

/// The nearest folder that is there: what is to be made is made in it.
fn existing(dir: &Path) -> &Path {
    let there = dir.ancestors().find(|folder| folder.is_dir());
    there.unwrap_or_else(|| Path::new("."))
}

fn folder(dir: &Path) -> Check {
    let shown = dir.display();
    let found = existing(dir);
    match tempfile::NamedTempFile::new_in(found) {
        Ok(_) if dir.is_dir() => Check::ok("data folder", format!("{shown}: writable")),
        Ok(_) if dir.exists() => Check::fail(
            "data folder",
            format!("{shown} is a file: name another folder with --data-dir or store.path"),
        ),
        Ok(_) => Check::ok("data folder", format!("{shown}: will be made")),
        Err(why) => Check::fail(
            "data folder",
            format!(
                "{shown}: {why}: give this user the right to write there, or name another folder"
            ),
        ),
    }
}

#[cfg(unix)]
fn space(dir: &Path) -> Option<Check> {
    let found = existing(dir);
    let Ok(disk) = rustix::fs::statvfs(found) else { return None };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let gib = free as f64 / f64::from(1 << 30);
    let (state, remedy) = match free {
        0..SPACE_MIN_BYTES => (State::Fail, ": make room, or name another folder"),
        SPACE_MIN_BYTES..SPACE_LOW_BYTES => (State::Warn, ": journal.keep = \"2d\" needs less"),
        _ => (State::Ok, ""),
    };
    Some(Check::new("disk", state, format!("{gib:.1} GiB free{remedy}")))
}

#[cfg(not(unix))]
fn space(_dir: &Path) -> Option<Check> {
    None
}

/// Whether the records can be read, and who holds the folder.
fn store(dir: &Path) -> Check {
    let file = dir.join("records.db");
    if !file.exists() {
        return Check::ok("store", "nothing is kept yet");
    }
    let opened = Records::open_read_only(&file);
    if let Err(why) = opened
        // A build that is newer than the records upgrades them when it writes first.
        && why.kind() != ErrorKind::NotFound
    {
        return Check::fail("store", why);
    }
    match FolderLock::acquire(dir) {
        Ok(_) => {
            Check::ok("store", format!("{} can be read; no service runs on it", file.display()))
        }
        Err(why) if why.kind() == ErrorKind::Held => match holder(dir) {
            Some((pid, name)) if name.starts_with("finstage") => {
                Check::ok("store", format!("a service runs on it, process {pid}"))
            }
            Some((pid, name)) => Check::fail(
                "store",
                format!("held by process {pid} ({name}), which is no finstage: stop it"),
            ),
            None => Check::warn("store", why),
        },
        Err(why) => Check::fail("store", why),
    }
}

/// Whether tasks failed for good, where there are any.
fn tasks(dir: &Path) -> Option<Check> {
    // What is wrong with the records is said above.
    let counts = Records::open_read_only(&dir.join("records.db")).ok()?.task_counts().ok()?;
    let open = counts.waiting + counts.ready + counts.running;
    Some(match counts.dead {
        0 => Check::ok("tasks", format!("{open} open, {} done, none failed for good", counts.done)),
        dead => Check::warn(
            "tasks",
            format!(
                "{dead} failed for good: `finstage tasks list --state dead` says why, `finstage tasks retry ID` tries again"
            ),
        ),
    })
}

/// What is kept for channels that are in the configuration no more.
fn channels(loaded: &Loaded, dir: &Path) -> Vec<Check> {
    // Without their secrets the channels are not known here; what is wrong with the records is said above.
    let records = Records::open_read_only(&dir.join("records.db")).ok();
    let Some(records) = records.filter(|_| !loaded.settings.notify.is_empty()) else {
        return Vec::new();
    };
    let gone = crate::channels::gone(&loaded.settings, &records).unwrap_or_default();
    gone.into_iter().map(|one| Check::warn("channels", one)).collect()
}

/// The process that holds the folder, by number and name.
pub(super) fn holder(dir: &Path) -> Option<(u32, String)> {
    let pid: u32 = std::fs::read_to_string(dir.join("lock")).ok()?.trim().parse().ok()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((pid, name.trim().to_owned()))
}

/// Files with secrets in them are for their owner alone.
fn closed_files(loaded: &Loaded, dir: &Path) -> Vec<Check> {
    let beside = loaded.file.as_deref().map(dotenv::place);
    // A folder that is for its owner alone keeps all that is in it.
    let folder = dir.join("records.db").exists().then(|| dir.to_owned());
    let files = beside.into_iter().chain([dir.join("token")]).filter(|file| file.exists());
    let check = |file: std::path::PathBuf| match dotenv::is_open(&file) {
        true => Check::warn("permissions", dotenv::open_to_others(&file)),
        false => Check::ok("permissions", format!("{}: for its owner alone", file.display())),
    };
    files.chain(folder).map(check).collect()
}

/// Whether the hours of the markets are known today.
fn calendars(loaded: &Loaded) -> Option<Check> {
    let now = SystemClock.now();
    let symbols: Vec<_> = loaded.settings.feeds.iter().flat_map(|feed| &feed.symbols).collect();
    let (mut known, mut trouble) = (0, None);
    for symbol in &symbols {
        let Some(hours) = registry::find(symbol).and_then(|row| row.hours) else { continue };
        match hours.around(now) {
            Ok(_) => known += 1,
            Err(why) => trouble = Some(why),
        }
    }
    let count = symbols.len();
    match trouble {
        _ if count == 0 => None,
        Some(why) => Some(Check::warn("calendar", format!("{why}: a newer finstage knows more"))),
        None if known < count => Some(Check::ok(
            "calendar",
            format!(
                "hours of {known} of {count} instruments are known; the others count as always open"
            ),
        )),
        None => Some(Check::ok("calendar", format!("hours of all {count} instruments are known"))),
    }
}
