use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_store::journal::FORMAT;
use finstage_store::suite::journal::{self, DAY, event, events};
use finstage_store::suite::{Fault, FaultyFiles};
use finstage_store::{
    DiskFiles, ErrorKind, Files, Journal, JournalOptions, OpenMode, Origin, SyncThread,
};

const SEGMENT: &str = "/j/2026-11-21/001/000000.log";

fn journal_on(disk: &FaultyFiles, segment_bytes: u64) -> Journal {
    let options = JournalOptions { segment_bytes, reserve_bytes: 0 };
    Journal::open(Arc::new(disk.clone()), "/j".into(), options)
}

/// A run with forty events in ten records.
fn a_run(disk: &FaultyFiles, segment_bytes: u64) -> Journal {
    let journal = journal_on(disk, segment_bytes);
    let run = journal.create_run(DAY, &Origin::new("test", "{}"), &[]).unwrap();
    let mut writer = journal.writer(DAY, run).unwrap();
    for n in (0..40).step_by(4) {
        writer.append(&events(n, n + 4)).unwrap();
    }
    writer.sync().unwrap();
    journal
}

fn size_of(disk: &FaultyFiles, path: &str) -> u64 {
    disk.open(Path::new(path), OpenMode::Read).unwrap().size().unwrap()
}

#[test]
fn the_journal_keeps_its_contract_on_a_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let files: Arc<dyn Files> = Arc::new(DiskFiles);
    journal::check(&files, dir.path());
}

#[test]
fn the_journal_keeps_its_contract_in_memory() {
    let files: Arc<dyn Files> = Arc::new(FaultyFiles::new(0));
    journal::check(&files, Path::new("/data"));
}

#[expect(clippy::disallowed_methods, reason = "FINSTAGE_LONG=1 asks for the long tests")]
fn is_long() -> bool {
    std::env::var_os("FINSTAGE_LONG").is_some()
}

#[test]
fn no_crash_loses_a_synced_event() {
    for seed in 0..if is_long() { 2_000 } else { 800 } {
        journal::survive_crashes(seed);
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    for seed in 0..300 {
        journal::survive_a_full_disk(seed);
    }
}

#[test]
fn damage_before_the_end_is_an_error_and_never_skipped() {
    let size = size_of(
        &{
            let disk = FaultyFiles::new(0);
            a_run(&disk, 1 << 20);
            disk
        },
        SEGMENT,
    );
    let mut at_the_end = 0;
    for offset in 0..size as usize {
        let disk = FaultyFiles::new(0);
        let journal = a_run(&disk, 1 << 20);
        disk.damage(Path::new(SEGMENT), offset).unwrap();
        match (journal::read_all(&journal, DAY, 1), journal.writer(DAY, 1)) {
            (Err(read), Err(write)) => {
                assert_eq!((read.kind(), write.kind()), (ErrorKind::Corrupt, ErrorKind::Corrupt));
                assert!(read.to_string().contains(SEGMENT), "{read}");
            }
            // Damage of the last record looks like the end of a crash.
            (Ok(read), Ok(writer)) => {
                at_the_end += 1;
                assert_eq!(read, events(0, 36), "byte {offset}");
                assert_eq!(writer.end().seq(), 36);
            }
            (read, write) => panic!("byte {offset}: {read:?}, {write:?}"),
        }
    }
    assert!((40..200).contains(&at_the_end), "{at_the_end} bytes");
}

#[test]
fn damage_in_an_earlier_segment_is_an_error() {
    let disk = FaultyFiles::new(0);
    let journal = a_run(&disk, 300);
    let last = size_of(&disk, SEGMENT) as usize - 1;
    disk.damage(Path::new(SEGMENT), last).unwrap();
    let error = journal::read_all(&journal, DAY, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().starts_with(&format!("{SEGMENT} is damaged: no record at byte")));
}

#[test]
fn a_missing_segment_is_an_error() {
    let disk = FaultyFiles::new(0);
    let journal = a_run(&disk, 300);
    disk.rename(
        Path::new("/j/2026-11-21/001/000002.log"),
        Path::new("/j/2026-11-21/001/000001.log"),
    )
    .unwrap();
    let error = journal::read_all(&journal, DAY, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("follows where"), "{error}");
}

#[test]
fn a_damaged_preamble_is_an_error() {
    const PREAMBLE: &str = "/j/2026-11-21/001/preamble";
    const VERSION_DIGIT: usize = "finstage-journal ".len();
    let make = || {
        let disk = FaultyFiles::new(0);
        let journal = journal_on(&disk, 1 << 20);
        journal.create_run(DAY, &Origin::new("test", "{}"), &events(0, 5)).unwrap();
        journal.writer(DAY, 1).unwrap();
        (disk, journal)
    };
    let size = size_of(&make().0, PREAMBLE);
    for offset in 0..size as usize {
        let (disk, journal) = make();
        disk.damage(Path::new(PREAMBLE), offset).unwrap();
        match journal::read_all(&journal, DAY, 1) {
            // The digit of the version becomes that of an earlier one there, which had the same
            // form for what is in this preamble.
            Ok(read) => assert_eq!((offset, read), (VERSION_DIGIT, events(0, 5))),
            Err(error) if offset == VERSION_DIGIT => assert_eq!(error.kind(), ErrorKind::Newer),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {offset}: {error}"),
        }
        assert_eq!(journal.create_run(DAY, &Origin::new("test", "{}"), &[]).unwrap(), 2);
        assert_eq!(journal.runs(DAY).unwrap(), [1, 2], "a run with segments is never removed");
    }
}

#[test]
fn a_journal_of_a_newer_finstage_is_refused_and_kept() {
    let disk = FaultyFiles::new(0);
    let journal = journal_on(&disk, 1 << 20);
    let dir = Path::new("/j/2026-11-21/001");
    journal.create_run(DAY, &Origin::new("test", "{}"), &[]).unwrap();
    let file = disk.open(&dir.join("preamble"), OpenMode::Create).unwrap();
    let newer = format!("finstage-journal {}\nwho knows", FORMAT + 1);
    file.append(newer.as_bytes()).unwrap();
    for refused in [
        journal.reader(DAY, 1).map(drop),
        journal.writer(DAY, 1).map(drop),
        journal.create_run(DAY, &Origin::new("test", "{}"), &[]).map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Newer);
    }
    assert!(disk.exists(dir).unwrap());
}

#[test]
fn journals_of_earlier_versions_are_read_as_before() {
    let disk = FaultyFiles::new(0);
    let journal = journal_on(&disk, 1 << 20);
    let run = journal.create_run(DAY, &Origin::new("test", "{}"), &events(0, 3)).unwrap();
    journal.writer(DAY, run).unwrap().append(&events(3, 9)).unwrap();
    assert_eq!(journal.reader(DAY, run).unwrap().header().format, FORMAT);
    let path = Path::new("/j/2026-11-21/001/preamble");
    let written = disk.open(path, OpenMode::Read).unwrap();
    let mut bytes = vec![0; written.size().unwrap() as usize];
    written.read_at(0, &mut bytes).unwrap();
    let begins = format!("finstage-journal {FORMAT}\n");
    let rest = bytes.strip_prefix(begins.as_bytes()).unwrap();
    for earlier in 1..FORMAT {
        let file = disk.open(path, OpenMode::Create).unwrap();
        let begins = format!("finstage-journal {earlier}\n");
        file.append(&[begins.as_bytes(), rest].concat()).unwrap();
        assert_eq!(journal.reader(DAY, run).unwrap().header().format, earlier);
        assert_eq!(journal::read_all(&journal, DAY, run).unwrap(), events(0, 9));
    }
}

#[test]
fn remains_of_a_run_that_never_began_are_removed() {
    let disk = FaultyFiles::new(0);
    let journal = journal_on(&disk, 1 << 20);
    journal.create_run(DAY, &Origin::new("test", "{}"), &events(0, 3)).unwrap();
    let dir = Path::new("/j/2026-11-21/002");
    disk.create_dir(dir).unwrap();
    disk.open(&dir.join("preamble.tmp"), OpenMode::Create).unwrap().append(b"half").unwrap();
    assert_eq!(journal.runs(DAY).unwrap(), [1]);
    assert_eq!(journal.create_run(DAY, &Origin::new("test", "{}"), &[]).unwrap(), 2);
    assert_eq!(disk.list(dir).unwrap(), ["preamble"]);
}

#[test]
fn the_sync_thread_makes_appends_durable_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(Arc::new(DiskFiles), dir.path().into(), JournalOptions::default());
    journal.create_run(DAY, &Origin::new("test", "{}"), &[]).unwrap();
    let mut writer = journal.writer(DAY, 1).unwrap();
    let thread = SyncThread::start(&writer, Duration::from_millis(1)).unwrap();
    for n in 0..20 {
        writer.append(&[event(n)]).unwrap();
        assert!(writer.synced().wait(writer.end(), Duration::from_secs(60)));
    }
    thread.finish().unwrap();
    let slow = SyncThread::start(&writer, Duration::from_secs(3600)).unwrap();
    writer.append(&[event(20)]).unwrap();
    slow.finish().unwrap();
    assert_eq!(writer.synced().get(), writer.end(), "the last sync does not wait an interval");
}

#[test]
fn after_a_failed_sync_nothing_is_said_to_be_written() {
    let disk = FaultyFiles::new(0);
    let journal = journal_on(&disk, 1 << 20);
    journal.create_run(DAY, &Origin::new("test", "{}"), &[]).unwrap();
    let mut writer = journal.writer(DAY, 1).unwrap();
    let thread = SyncThread::start(&writer, Duration::from_millis(1)).unwrap();
    let before = writer.synced().get();
    disk.fail_after(1, Fault::Crash);
    writer.append(&[event(0)]).unwrap();
    assert!(!writer.synced().wait(writer.end(), Duration::from_secs(60)));
    assert_eq!(writer.synced().get(), before);
    let refused = writer.append(&[event(1)]).unwrap_err();
    assert!(refused.to_string().contains("restart"), "{refused}");
    assert!(thread.finish().is_err());
}

#[test]
fn an_event_that_no_record_can_hold_is_refused_and_leaves_no_trace() {
    use finstage_model::{AlertId, Event, Payload, Said, Timestamp};
    let disk = FaultyFiles::new(0);
    let journal = a_run(&disk, 1 << 20);
    let mut writer = journal.writer(DAY, 1).unwrap();
    let said = Said {
        id: AlertId(1),
        symbol: "file:a".parse().unwrap(),
        rule: "x".repeat(finstage_store::journal::MAX_RECORD_BYTES),
        said_at: Timestamp::EPOCH,
    };
    let huge = Event::new(Timestamp::EPOCH, Payload::Said(Box::new(said)));
    assert!(writer.append(&[event(40), huge]).is_err());
    writer.append(&[event(40)]).unwrap();
    assert_eq!(journal::read_all(&journal, DAY, 1).unwrap(), events(0, 41));
}
