//! Who seals with one file of counters.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};

use finstage_seal::{CounterFile, Counters, Keys, Opener, Sealer, SealerOptions};

use crate::{NOW, id, ring, sealed};

/// Tells the other process which file it shares.
const CHILD: &str = "FINSTAGE_TEST_SENDERS";

#[test]
fn who_opens_the_file_again_is_another_sender_with_other_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.senders");
    let mut sids = HashSet::new();
    let mut end = 0;
    for _ in 0..20 {
        let mut sender = CounterFile::open(&path).unwrap();
        assert!(sids.insert(sender.sid()));
        let range = sender.reserve(id("k1"), 1 << 20).unwrap();
        assert_eq!((range.start, range.end), (end, end + (1 << 20)));
        end = range.end;
        assert_eq!(sender.given_out(id("k1")).unwrap(), end);
        assert_eq!(sender.given_out(id("k2")).unwrap(), 0);
    }
}

#[test]
fn a_process_that_starts_again_is_understood_by_a_reader_that_did_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.senders");
    let keys = Keys::new(ring());
    let mut opener = Opener::new(keys.clone());
    for _ in 0..5 {
        let counters = Box::new(CounterFile::open(&path).unwrap());
        let mut sealer = Sealer::new(keys.clone(), counters, SealerOptions::default());
        for _ in 0..3 {
            opener.open(&sealed(&mut sealer, b"x"), NOW).unwrap();
        }
    }
    assert_eq!(opener.counts().opened, 15);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_nobody_else() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.senders");
    CounterFile::open(&path).unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}

/// Opens senders and reserves numbers, and says which.
#[expect(clippy::print_stdout, reason = "the other process says it to the first")]
fn seal_a_little(path: &Path) {
    for _ in 0..3 {
        let mut sender = CounterFile::open(path).unwrap();
        for _ in 0..5 {
            let range = sender.reserve(id("k1"), 10).unwrap();
            println!("took {} {} {}", sender.sid(), range.start, range.end);
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "it is told by a variable that it is the other process"
)]
fn the_other_process() {
    if let Some(path) = std::env::var_os(CHILD) {
        seal_a_little(Path::new(&path));
    }
}

#[test]
fn processes_that_share_a_file_share_neither_sender_nor_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.senders");
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "senders::the_other_process", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut killed = start();
    let processes: Vec<_> = (0..3).map(|_| start()).collect();
    killed.kill().unwrap();
    let mut outputs = vec![killed.wait_with_output().unwrap()];
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
        outputs.push(output);
    }
    let (mut owners, mut numbers) = (HashSet::new(), HashSet::new());
    for output in &outputs {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut sids = HashSet::new();
        for took in text.split("took ").skip(1) {
            let words: Vec<u64> =
                took.split_whitespace().take(3).filter_map(|word| word.parse().ok()).collect();
            // The one that was killed may have been cut off.
            let [sid, start, end] = words[..] else { continue };
            sids.insert(sid);
            for number in start..end {
                assert!(numbers.insert(number), "{number} came twice");
            }
        }
        for sid in sids {
            assert!(owners.insert(sid), "sender {sid} was two");
        }
    }
    assert!(owners.len() >= 9 && numbers.len() >= 450, "{} {}", owners.len(), numbers.len());
}
