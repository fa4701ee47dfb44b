//! Retention: whole days of the journal, and what was said long ago, into an archive or away.
//!
//! What is archived is on disk before it is forgotten. Never forgotten: bars, the track record, the
//! ledgers, what has outcomes to come or is on its way to people, and whatever a replay of the days that
//! stay compares with.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use finstage_model::{Day, Position, Timestamp};
use finstage_store::journal::Journal;
use finstage_store::records::{Forgettable, Old, Records};
use serde::Serialize;

use super::{JOURNAL, RECORDS, beside, remove, size_of, sync_names};
use crate::config::settings::{RetentionSettings, Settings};
use crate::day::{engine_day, last_run};
use crate::exit::{Failure, Result};

/// How long things are kept, and where they go then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whole days of the journal.
    pub journal: Duration,
    /// Signals and alerts.
    pub said: Duration,
    /// Reports and other notices.
    pub notices: Duration,
    /// The folder that takes what is forgotten; without it, it is gone.
    pub archive: Option<PathBuf>,
}

impl Policy {
    /// What the settings say.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let RetentionSettings { said, notices, archive } = settings.retention.clone();
        // An engine looks back at alerts as long as its longest cooldown.
        let said = said.max(settings.engine.longest_cooldown());
        Self { journal: settings.keep, said, notices, archive }
    }
}

/// What a pruning does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Says what would be forgotten.
    DryRun,
    /// Forgets it.
    Forget,
}

/// What was forgotten of one kind, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// What it is.
    pub what: &'static str,
    /// How many: days, rows or files.
    pub count: u64,
    /// Their bytes on disk, where these become free at once.
    pub bytes: u64,
    /// The last day that is forgotten; nothing of a later one is.
    pub until: String,
    /// Where it is archived.
    pub archive: Option<PathBuf>,
}

/// What is pruned.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The data folder.
    pub dir: &'a Path,
    /// What was said.
    pub records: &'a Records,
    /// What happened.
    pub journal: &'a Journal,
}

/// The least that the journal and the records keep: yesterday is replayed, and cooldowns look back a day.
pub const MIN_KEEP: Duration = Duration::from_secs(2 * 86_400);

/// Forgets what is older than it is to be kept, and tells kind by kind.
///
/// # Errors
/// Exit 6 when something cannot be read, archived or removed; what was forgotten before is archived.
pub fn prune(kept: Kept<'_>, policy: &Policy, now: Timestamp, mode: Mode) -> Result<Vec<Pruned>> {
    let (first, days) = journal_days(kept, policy, now, mode)?;
    let mut all = vec![days];
    for kind in Forgettable::ALL {
        let keep = match kind {
            Forgettable::Notices => policy.notices,
            _ => policy.said,
        };
        let before = now.minus(keep.max(MIN_KEEP));
        let old = Old { before, unless_after: Position::new(first, 1, 0) };
        all.push(rows(kept.records, (kind, old), policy, (now, mode))?);
    }
    all.push(copies(kept.dir, mode)?);
    Ok(all)
}

/// Days of the journal; also gives the first that stays.
fn journal_days(
    kept: Kept<'_>,
    policy: &Policy,
    now: Timestamp,
    mode: Mode,
) -> Result<(Day, Pruned)> {
    let today = engine_day(now);
    // The last run is where a start goes on, however long ago that was.
    let last = last_run(kept.journal)?.map_or(today, |(day, _)| day.min(today));
    let first = today.start().minus(policy.journal.max(MIN_KEEP)).day().min(last);
    let days: Vec<Day> = kept.journal.days()?.into_iter().filter(|day| *day < first).collect();
    let folder = kept.dir.join(JOURNAL);
    let mut bytes = 0;
    for day in &days {
        let from = folder.join(day.to_string());
        bytes += size_of(&from)?.1;
        if let (Mode::Forget, Some(archive)) = (mode, &policy.archive) {
            copy_folder(&from, &archive.join(JOURNAL), &day.to_string())?;
        }
    }
    if mode == Mode::Forget {
        kept.journal.remove_before(first)?;
    }
    let pruned = Pruned {
        what: "journal days",
        count: days.len() as u64,
        bytes,
        until: first.previous().to_string(),
        archive: policy.archive.as_ref().map(|archive| archive.join(JOURNAL)),
    };
    let stays = kept.journal.days()?.into_iter().find(|day| *day >= first);
    Ok((stays.unwrap_or(first).min(last), pruned))
}

fn rows(
    records: &Records,
    (kind, old): (Forgettable, Old),
    policy: &Policy,
    (now, mode): (Timestamp, Mode),
) -> Result<Pruned> {
    let mut pruned = Pruned {
        what: kind.as_str(),
        count: records.old_count(kind, old)?,
        bytes: 0,
        until: old.before.day().previous().to_string(),
        archive: None,
    };
    if mode == Mode::DryRun || pruned.count == 0 {
        return Ok(pruned);
    }
    let path = policy.archive.as_ref().map(|archive| {
        // Seconds: two prunings of a day do not meet, and neither overwrites the other.
        archive.join(format!("{}-{}.ndjson", kind.as_str(), now.secs()))
    });
    let mut file = path.as_deref().map(archive_file).transpose()?;
    pruned.count = 0;
    loop {
        let page = records.old_rows(kind, old)?;
        if page.is_empty() {
            break;
        }
        if let Some(file) = &mut file {
            let mut write = || {
                page.iter().try_for_each(|row| writeln!(file, "{}", row.json))?;
                file.flush()?;
                file.get_ref().sync_all()
            };
            let place = || path.as_deref().unwrap_or(Path::new("the archive"));
            write().map_err(|e| Failure::from_writing(place(), &e))?;
        }
        let forgotten = records.forget(kind, &page, old)?;
        pruned.count += forgotten;
        if forgotten == 0 {
            break;
        }
    }
    pruned.archive = path;
    Ok(pruned)
}

fn archive_file(path: &Path) -> Result<BufWriter<File>> {
    let open = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().append(true).create(true).open(path)?;
        sync_names(path)?;
        Ok(file)
    };
    open().map(BufWriter::new).map_err(|e| Failure::from_writing(path, &e))
}

/// Copies of the records from before an upgrade: the newest stays.
fn copies(dir: &Path, mode: Mode) -> Result<Pruned> {
    let prefix = format!("{RECORDS}.bak-");
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.strip_prefix(&prefix).and_then(|number| number.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable();
    found.pop();
    let mut bytes = 0;
    for (_, path) in &found {
        bytes += fs::metadata(path)?.len();
        if mode == Mode::Forget {
            fs::remove_file(path)?;
        }
    }
    let (count, until) = (found.len() as u64, "all but the newest".to_owned());
    Ok(Pruned { what: "copies before upgrades", count, bytes, until, archive: None })
}

/// Copies a folder whole or not at all to `name` in `archive`. Where that is there already and is not the
/// same, another service archives there too, or a day was written on: the copy gets a number.
fn copy_folder(from: &Path, archive: &Path, name: &str) -> Result<()> {
    let mut to = archive.join(name);
    let mut number = 1;
    while to.exists() {
        if same(from, &to)? {
            return Ok(());
        }
        number += 1;
        to = archive.join(format!("{name}.{number}"));
    }
    let unfinished = beside(&to, ".unfinished");
    remove(&unfinished)?;
    let copy = || {
        copy_files(from, &unfinished)?;
        super::backup::sync_folders(&unfinished)?;
        fs::rename(&unfinished, &to)?;
        sync_names(&to)
    };
    copy().map_err(|e| Failure::from_writing(&to, &e))
}

/// Whether two folders hold the same files.
fn same(one: &Path, other: &Path) -> Result<bool> {
    if size_of(one)? != size_of(other)? {
        return Ok(false);
    }
    for entry in fs::read_dir(one)? {
        let entry = entry?;
        let there = other.join(entry.file_name());
        let is_same = match entry.file_type()?.is_dir() {
            true => there.is_dir() && same(&entry.path(), &there)?,
            false => there.is_file() && fs::read(entry.path())? == fs::read(&there)?,
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}
