//! A day of the demo, played once for all tests that read it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::shell::Shell;

/// What the demo printed, beside its folder.
const SAID: &str = "said.json";
const PREFIX: &str = "demo-day-";

/// A shell with a copy of the folder of `demo --fast --exit --json -q`, and what that said.
pub(crate) fn played(folder: &str) -> (Shell, Value) {
    let place = kept();
    let shell = Shell::new();
    copy(&place.join("day"), &shell.path(folder));
    let said = fs::read(place.join(SAID)).unwrap();
    (shell, serde_json::from_slice(&said).unwrap())
}

/// Where the day of this binary lies. Whoever comes first plays it; the others wait.
fn kept() -> PathBuf {
    let binary = fs::metadata(env!("CARGO_BIN_EXE_finstage")).unwrap();
    let built = binary.modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let name = format!("{PREFIX}{built}-{}", binary.len());
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = all.join(&name);
    let lock = File::create(all.join("demo-day.lock")).unwrap();
    lock.lock().unwrap();
    if !place.exists() {
        for entry in fs::read_dir(all).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        let shell = Shell::new();
        let run = shell.run("demo --fast --exit --json -q --data-dir day").ok().quiet();
        let fresh = all.join(format!("{PREFIX}fresh"));
        fs::create_dir(&fresh).unwrap();
        copy(&shell.path("day"), &fresh.join("day"));
        fs::write(fresh.join(SAID), &run.out).unwrap();
        fs::rename(&fresh, &place).unwrap();
    }
    place
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}
