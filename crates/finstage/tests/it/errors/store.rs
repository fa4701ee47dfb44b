//! A store that is held, of another kind, damaged, newer, or full.

use std::path::PathBuf;
use std::process::Command;

use finstage_store::FolderLock;

use super::FEED;
use crate::cli::day;
use crate::cli::shell::{Shell, skipped, waves};

#[test]
fn a_folder_has_one_owner_at_a_time() {
    let shell = Shell::new();
    shell.write("finstage.toml", FEED);
    shell.write("waves.csv", waves(40));
    for (folder, owner) in [("real", "serve"), ("fake", "demo --fast --exit")] {
        let lock = FolderLock::acquire(&shell.path(folder)).unwrap();
        let said = shell.run(&format!("{owner} --data-dir {folder}")).refused(6);
        let pid = std::process::id();
        assert_eq!(
            said,
            format!("{folder} is in use by process {pid}: stop it or choose another data folder")
        );
        drop(lock);
    }
    // History may come in beside a service: records have an owner for each transaction.
    let lock = FolderLock::acquire(&shell.path("real")).unwrap();
    let counts = shell.run("import waves.csv --json -q --data-dir real").ok().quiet().json();
    assert_eq!(counts["written"], 40);
    drop(lock);

    let mut demo = shell.start("demo --data-dir fake");
    demo.until("events/s");
    let said = shell.run("demo --fast --exit --data-dir fake").refused(6);
    assert!(said.contains(&format!("in use by process {}", demo.pid())), "{said}");
    // Who only reads may look.
    shell.run("signals list --data-dir fake -q").ok().quiet();
    demo.terminate();
    demo.end().ok();
}

#[test]
fn real_and_simulated_records_never_mix() {
    let shell = Shell::new();
    shell.write("finstage.toml", FEED);
    shell.write("waves.csv", waves(60));
    shell.run("import waves.csv -q --data-dir real").ok();
    shell.run("demo --input waves.csv --fast --exit -q --data-dir fake").ok();
    let (real, fake) = (shell.read("real/records.db"), shell.read("fake/records.db"));
    for line in ["demo --fast --exit", "demo --exit", "demo --input waves.csv --fast --exit"] {
        let said = shell.run(&format!("{line} --data-dir real")).refused(2);
        assert_eq!(
            said,
            "real holds real records, and simulated ones must not mix with them: name another --data-dir"
        );
    }
    for line in ["import waves.csv", "serve"] {
        let said = shell.run(&format!("{line} --data-dir fake")).refused(2);
        assert_eq!(
            said,
            "fake holds the records of a demo, and real ones must not mix with them: name another --data-dir"
        );
    }
    assert!(real == shell.read("real/records.db") && fake == shell.read("fake/records.db"));
}

#[test]
fn a_demo_clears_nothing_but_what_a_demo_left() {
    let (shell, _) = day::played("kept");
    std::fs::create_dir_all(shell.path("diary/journal")).unwrap();
    shell.write("diary/journal/2024.txt", "dear diary");
    let said = shell.run("demo --fast --exit --data-dir diary").refused(2);
    assert!(said.starts_with("diary holds a journal"), "{said}");
    assert_eq!(shell.read("diary/journal/2024.txt"), b"dear diary");

    shell.write("finstage.toml", FEED);
    shell.write("kept/records.db.notes", "mine");
    shell.run("demo --fast --exit -q --data-dir kept").ok();
    assert_eq!(shell.read("kept/records.db.notes"), b"mine");
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(40));
    shell.write("file", "");
    for line in ["import waves.csv", "demo --fast --exit"] {
        let said = shell.run(&format!("{line} --data-dir file")).refused(6);
        assert!(said.starts_with("making file") && said.contains("exists"), "{said}");
    }
    for line in ["signals list", "alerts list", "signals show x", "replay --check"] {
        let said = shell.run(&format!("{line} --data-dir none")).refused(2);
        assert!(
            said.starts_with("none: no records here yet: name the folder with --data-dir"),
            "{said}"
        );
    }
    let said = shell.run("replay --data-dir none").refused(2);
    assert!(
        said.starts_with("none: no journal here yet: name the folder with --data-dir"),
        "{said}"
    );
    assert!(shell.names("none").is_empty(), "looking makes no folder");
}

#[test]
fn damaged_records_are_named_and_left_alone() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(40));
    shell.run("import waves.csv -q --data-dir real").ok();
    let garbage = [7; 9_000];
    shell.write("real/records.db", garbage);
    for line in
        ["import waves.csv", "signals list", "alerts list", "replay --check", "demo --fast --exit"]
    {
        let said = shell.run(&format!("{line} -q --data-dir real")).refused(6);
        assert_eq!(
            said,
            "opening real/records.db: the database is damaged; put a backup in its place"
        );
    }
    assert_eq!(shell.read("real/records.db"), garbage);
}

#[test]
fn records_of_a_newer_version_are_left_alone() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(40));
    shell.run("import waves.csv -q --data-dir real").ok();
    let records = rusqlite::Connection::open(shell.path("real/records.db")).unwrap();
    records.execute("INSERT INTO migrations VALUES (4000, 'later', 'x')", ()).unwrap();
    drop(records);
    for line in ["import waves.csv", "signals list", "replay --check", "demo --fast --exit"] {
        let said = shell.run(&format!("{line} -q --data-dir real")).refused(6);
        assert!(said.starts_with("real/records.db has schema 4000, this finstage knows"), "{said}");
        assert!(said.ends_with("use a newer finstage"), "{said}");
    }
}

/// The journal segments in a data folder.
fn segments(shell: &Shell, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for day in shell.names(&format!("{folder}/journal")) {
        for run in shell.names(&format!("{folder}/journal/{day}")) {
            for file in shell.names(&format!("{folder}/journal/{day}/{run}")) {
                if file.ends_with(".log") {
                    found.push(format!("{folder}/journal/{day}/{run}/{file}"));
                }
            }
        }
    }
    found
}

#[test]
fn a_damaged_journal_is_named_with_the_place_and_no_result() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(60));
    shell.run("demo --input waves.csv --fast --exit -q --data-dir kept").ok();
    let longest = |file: &String| shell.read(file).len();
    let file = segments(&shell, "kept").into_iter().max_by_key(longest).unwrap();
    let mut bytes = shell.read(&file);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    shell.write(&file, bytes);
    for line in ["replay --check", "replay --json", "replay"] {
        let said = shell.run(&format!("{line} -q --data-dir kept")).refused(6);
        let place = said.strip_prefix(&format!("{file} is damaged: ")).expect(&said);
        let offset: usize = place.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((1..=middle).contains(&offset), "damaged at {middle}: {said}");
    }
}

/// A small disk, as long as it is held.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with a printed reason, where this user may not mount one.
    fn mount(shell: &Shell, size: &str) -> Option<Self> {
        let folder = shell.path("disk");
        std::fs::create_dir(&folder).unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&folder)
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        skipped("mounting a small disk needs root");
        None
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(
            Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success()
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is left mounted is found by whoever cleans up.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn an_import_onto_a_full_disk_goes_on_when_there_is_space() {
    let shell = Shell::new();
    let Some(disk) = SmallDisk::mount(&shell, "2m") else { return };
    shell.write("small.csv", waves(100));
    shell.write("large.csv", minutes(15_000));
    shell.write("huge.csv", minutes(120_000));
    shell.run("import small.csv -q --data-dir disk/data").ok();
    let folder = "disk/data/history/interval=1m/venue=file/symbol=huge";
    for _ in 0..2 {
        // Few bars go through the database, many straight to Parquet files.
        let said = shell.run("import huge.csv -q --data-dir disk/data").refused(6);
        assert!(said.starts_with(&format!("writing {folder}/20")), "{said}");
        let says = ".parquet: disk full; free space on the disk of disk/data";
        assert!(said.contains(says), "{said}");
        assert_eq!(shell.names(folder), Vec::<String>::new(), "what is left fills the disk");
    }
    let said = shell.run("import large.csv -q --data-dir disk/data").refused(6);
    let says = " disk/data/records.db: disk full; free space on the disk of disk/data";
    assert!(said.ends_with(says), "{said}");
    disk.grow("60m");
    let small = shell.run("import small.csv --json -q --data-dir disk/data").ok().quiet().json();
    assert_eq!(small["duplicates"], 100, "what was there is there");
    for (name, rows) in [("large.csv", 15_000), ("huge.csv", 120_000)] {
        let import = format!("import {name} --json -q --data-dir disk/data");
        let counts = shell.run(&import).ok().quiet().json();
        let count = |name: &str| counts[name].as_u64().unwrap();
        assert_eq!((count("written") + count("duplicates"), count("rejected")), (rows, 0));
        assert_eq!(shell.run(&import).ok().quiet().json()["duplicates"], rows);
    }
}

/// A file of one-minute bars whose digits nothing compresses.
fn minutes(bars: u32) -> String {
    let mut text = String::from("timestamp,open,high,low,close,volume\n");
    for i in 0..bars {
        let (second, price) = (1_700_000_040 + 60 * u64::from(i), 100 + i % 50);
        let digits = |salt: u64| (u64::from(i) + salt) * 2_654_435_761 % 1_000_000;
        let (open, close, volume) = (digits(1), digits(2), digits(3));
        text += &format!(
            "{second},{price}.{open:06},{price}.999999,{price},{price}.{close:06},{volume}.25\n"
        );
    }
    text
}

#[test]
fn a_demo_on_a_full_disk_says_so_and_the_next_one_has_its_folder() {
    let shell = Shell::new();
    let Some(disk) = SmallDisk::mount(&shell, "3m") else { return };
    for _ in 0..2 {
        let run = shell.run("demo --fast --exit --json --data-dir disk/data");
        assert_eq!((run.code, run.out.as_str()), (6, ""), "{run}");
        let said = run.complaint();
        assert!(said.contains("disk full; free space on the disk of disk/data"), "{said}");
    }
    disk.grow("200m");
    let summary =
        shell.run("demo --fast --exit --json -q --data-dir disk/data").ok().quiet().json();
    assert_eq!(summary["parity"], "ok");
}
