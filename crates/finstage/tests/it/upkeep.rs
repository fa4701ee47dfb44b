//! Backup, restore, check, prune and rebuild: what comes back says what was said.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use finstage::upkeep::prune::{Kept, Mode, Policy, prune};
use finstage::upkeep::{backup, check, rebuild, restore};
use finstage::wiring::{Store, disk};
use finstage_model::{
    Clock, Day, Document, Event, Insight, ManualClock, MuteNotice, Payload, Position, Timestamp,
};
use finstage_store::Origin;
use finstage_store::records::{DocumentPage, Filter, StoreKind};
use finstage_store::suite::journal::{DAY, events};
use finstage_store::suite::records::batch;
use serde_json::Value;

use crate::cli::shell::{Shell, waves};

fn hash(shell: &Shell, dir: &str) -> Value {
    let replayed = shell.run(&format!("replay --check --json -q --data-dir {dir}")).ok().json();
    assert_eq!(replayed["match"], true, "{replayed}");
    replayed["hash"].clone()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_backup_in_another_folder_says_the_same_and_damage_has_a_name() {
    let shell = Shell::new();
    shell.write("bars.csv", waves(40));
    shell.run("demo --fast --exit -q --input bars.csv --data-dir d").ok();
    let said = hash(&shell, "d");
    let track = shell.run("track-record export -q --data-dir d").ok().out;
    for to in ["b.tar.zst", "b"] {
        let made = shell.run(&format!("store backup {to} --data-dir d --json")).ok().json();
        assert!(made["files"].as_u64().unwrap() > 3, "{made}");
        assert_eq!((&made["ok"], &made["faults"]), (&Value::from(true), &serde_json::json!([])));
        let into = format!("from-{to}");
        shell.run(&format!("store restore {to} --dry-run --data-dir {into}")).ok();
        assert!(!shell.path(&into).exists(), "a dry run writes nothing");
        shell.run(&format!("store restore {to} --data-dir {into}")).ok();
        assert_eq!(hash(&shell, &into), said);
        assert_eq!(shell.run(&format!("track-record export -q --data-dir {into}")).ok().out, track);
        let checked = shell.run(&format!("store check --json --data-dir {into}")).ok().json();
        assert_eq!(checked["ok"], true, "{checked}");
    }
    assert!(shell.run("store restore b --data-dir d").refused(2).contains("not empty"));
    assert!(shell.run("store backup b --data-dir d").refused(2).contains("there already"));
    flip(&shell.path("b/records.db"), 9_000);
    let refused = shell.run("store restore b --data-dir e").refused(6);
    assert!(refused.contains("records.db is not what was written"), "{refused}");
    assert!(!shell.path("e").exists());

    let day = shell.names("d/journal").into_iter().find(|name| name.len() == 10).unwrap();
    let segment = format!("from-b/journal/{day}/001/000000.log");
    // Behind the first record's length and checksum.
    flip(&shell.path(&segment), 20);
    let damaged = shell.run("store check --data-dir from-b");
    assert_eq!(damaged.code, 1, "{damaged}");
    assert!(damaged.out.contains("000000.log is damaged"), "{damaged}");
    for (to, is_json) in [("c.tar", false), ("c", true)] {
        let words = if is_json { " --json" } else { "" };
        let copied = shell.run(&format!("store backup {to} --data-dir from-b{words}"));
        assert_eq!(copied.code, 6, "a copy of damage is damaged: {copied}");
        let said = copied.err.contains("so is this backup of it: journal: ");
        assert!(said && copied.err.contains("000000.log is damaged"), "{copied}");
        assert!(shell.path(to).exists(), "made nevertheless");
        assert!(copied.out.contains(if is_json { "\"ok\": false" } else { "c.tar: " }), "{copied}");
    }

    // Without records: the journal and the history tell them again.
    for name in ["records.db", "records.db-wal", "records.db-shm"] {
        let _ = fs::remove_file(shell.path("d").join(name));
    }
    for line in ["store check", "signals list", "import bars.csv"] {
        let refused = shell.run(&format!("{line} --data-dir d")).refused(6);
        assert!(refused.contains("store rebuild"), "{refused}");
    }
    assert!(!shell.path("d/records.db").exists(), "nothing begins without its past");
    assert!(shell.run("store rebuild --yes --data-dir dd").refused(2).contains("neither records"));
    assert!(shell.run("store rebuild --data-dir d").refused(2).contains("--yes"));
    let made = shell.run("store rebuild --yes --json --data-dir d").ok().json();
    assert!(made["signals"].as_u64().unwrap() > 0 && !made["lost"].as_array().unwrap().is_empty());
    assert_eq!(hash(&shell, "d"), said);

    // A page of the schema: which tables could be read, and which not, is said.
    let path = shell.path("from-b.tar.zst/records.db");
    shell.run("store check --data-dir from-b.tar.zst").ok();
    let mut bytes = fs::read(&path).unwrap();
    let last = u32::from_be_bytes(bytes[108..112].try_into().unwrap()) as usize;
    bytes[(last - 1) * 4_096..last * 4_096].fill(0xAB);
    fs::write(&path, bytes).unwrap();
    let made = shell.run("store rebuild --yes --data-dir from-b.tar.zst").ok();
    let line = |table: &str| made.out.lines().find(|line| line.starts_with(table)).unwrap_or("");
    assert!(line("meta ").ends_with("whole"), "{made}");
    assert!(line("alerts ").contains(" nothing could be read: not in what"), "{made}");
    assert!(made.out.contains("lost: all of uptime: "), "{made}");
    assert!(shell.run("import bars.csv --data-dir d").refused(2).contains("of a demo"));
}

#[test]
fn news_and_mutes_of_the_journal_come_back_and_a_world_that_nothing_tells_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("d");
    let store = Store::open(&dir, StoreKind::Real, disk()).unwrap();
    let settings = serde_json::to_string(&finstage_engine::EngineSettings::default()).unwrap();
    let run = store.journal.create_run(DAY, &Origin::new("0.0.0", settings), &[]).unwrap();
    let at = DAY.start();
    let document = Document {
        id: "00000000000000000000000000000001".parse().unwrap(),
        feed: "wire".to_owned(),
        title: "Profits rise".to_owned(),
        summary: String::new(),
        link: String::new(),
        source: String::new(),
        published: None,
        symbols: Vec::new(),
    };
    let insight = Insight {
        document: document.id,
        known_at: at,
        by: "lexicon".to_owned(),
        symbols: Vec::new(),
        score: 0.5,
        impact: 0.25,
        confidence: 1.0,
    };
    let mute = MuteNotice { what: "rise".to_owned(), until: at.plus(Duration::from_secs(600)) };
    let told = [
        Payload::Document(Box::new(document.clone())),
        Payload::Insight(Box::new(insight.clone())),
        Payload::Mute(Box::new(mute.clone())),
    ];
    let told: Vec<Event> = told.into_iter().map(|payload| Event::new(at, payload)).collect();
    let mut writer = store.journal.writer(DAY, run).unwrap();
    writer.append(&told).unwrap();
    drop((writer, store));
    for name in ["records.db", "records.db-wal", "records.db-shm", "kind"] {
        let _ = fs::remove_file(dir.join(name));
    }
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(at));
    let unknown = rebuild::rebuild(&dir, None, &clock).unwrap_err().to_string();
    assert!(unknown.contains("--kind"), "{unknown}");
    rebuild::rebuild(&dir, Some(StoreKind::Real), &clock).unwrap();
    let store = Store::open(&dir, StoreKind::Real, disk()).unwrap();
    let page = DocumentPage { limit: 9, ..DocumentPage::default() };
    let rows = store.records.document_page(&page).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0].document, rows[0].insight.as_ref()), (&document, Some(&insight)));
    assert_eq!(store.records.mutes(at).unwrap(), [mute]);
}

#[test]
fn a_backup_beside_a_service_at_work_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("d");
    let store = Store::open(&dir, StoreKind::Real, disk()).unwrap();
    let run = store.journal.create_run(DAY, &Origin::new("0.0.0", "{}"), &[]).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (working, is_over) = (store, Arc::clone(&stop));
    let worker = std::thread::spawn(move || {
        let mut writer = working.journal.writer(DAY, run).unwrap();
        let mut number = 0;
        while !is_over.load(Ordering::Relaxed) {
            // As a service does it: written, then applied.
            writer.append(&events(number, number + 8)).unwrap();
            working.records.apply(&batch(run, number, number + 8)).unwrap();
            number += 8;
        }
        number
    });
    for attempt in 0..4 {
        let to = folder.path().join(format!("b{attempt}.tar"));
        backup::backup(&dir, &to, Timestamp::from_secs(0)).unwrap();
        let into = folder.path().join(format!("r{attempt}"));
        restore::restore(&to, &into, restore::Mode::Write).unwrap();
        for part in check::check(&into).unwrap().into_iter().chain(check::check(&dir).unwrap()) {
            assert!(part.ok, "{part:?}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(worker.join().unwrap() > 0);
}

#[test]
fn what_is_pruned_is_archived_before_and_what_is_needed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, archive) = (folder.path().join("d"), folder.path().join("old"));
    let store = Store::open(&dir, StoreKind::Real, disk()).unwrap();
    let days: Vec<Day> = (0..5).map(|n| Day::from_days(DAY.days() + n)).collect();
    for day in &days {
        store.journal.create_run(*day, &Origin::new("0.0.0", "{}"), &[]).unwrap();
    }
    store.records.apply(&batch(1, 0, 12)).unwrap();
    store.records.track_signals(Position::from_i64(i64::MAX)).unwrap();
    let open = store.records.track_open(0, 100).unwrap();
    let done: Vec<_> = open.iter().skip(1).map(|open| open.signal.id).collect();
    store.records.track_outcomes(&[], &done).unwrap();
    let all = store.records.signals(&Filter::newest(99)).unwrap();

    let now = days[4].start().plus(Duration::from_secs(3_600));
    let keep = Duration::from_secs(2 * 86_400);
    let policy =
        Policy { journal: keep, said: keep, notices: keep, archive: Some(archive.clone()) };
    let kept = Kept { dir: &dir, records: &store.records, journal: &store.journal };
    let planned = prune(kept, &policy, now, Mode::DryRun).unwrap();
    let count = |all: &[finstage::upkeep::prune::Pruned], what: &str| {
        all.iter().find(|one| one.what == what).unwrap().count
    };
    assert_eq!((count(&planned, "journal days"), count(&planned, "signals")), (2, 3));
    assert_eq!(store.journal.days().unwrap(), days, "a dry run changes nothing");
    assert!(!archive.exists());

    let pruned = prune(kept, &policy, now, Mode::Forget).unwrap();
    assert_eq!((count(&pruned, "journal days"), count(&pruned, "signals")), (2, 3));
    assert_eq!(store.journal.days().unwrap(), days[2..]);
    let left = store.records.signals(&Filter::newest(99)).unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [open[0].signal.id]);
    assert_eq!(store.records.check_track().unwrap().fault, None);
    let names: Vec<_> = fs::read_dir(archive.join("journal")).unwrap().collect();
    assert_eq!(names.len(), 2);
    let text = fs::read_to_string(archive.join(format!("signals-{}.ndjson", now.secs()))).unwrap();
    let archived: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        archived.len() == 3
            && archived.iter().all(|row| all.iter().any(|one| row["id"] == one.id.to_string()))
    );
    let again = prune(kept, &policy, now, Mode::Forget).unwrap();
    assert!(again.iter().all(|one| one.count == 0), "{again:?}");

    // Another service archives there too: its day has a place of its own.
    let other = folder.path().join("other");
    let store = Store::open(&other, StoreKind::Real, disk()).unwrap();
    store.journal.create_run(days[0], &Origin::new("0.0.1", "{}"), &[]).unwrap();
    store.journal.create_run(days[4], &Origin::new("0.0.1", "{}"), &[]).unwrap();
    let kept = Kept { dir: &other, records: &store.records, journal: &store.journal };
    prune(kept, &policy, now, Mode::Forget).unwrap();
    let names: Vec<_> = fs::read_dir(archive.join("journal")).unwrap().collect();
    assert_eq!(names.len(), 3);
}
