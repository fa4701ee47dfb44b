//! Python packages of other registries, for tests and figures: in a folder of their own below the
//! target folder, made once and used again while the pins are the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::debian::{self, run};
use crate::output_of;

/// What the tests need.
pub(crate) const TESTS: Packages =
    Packages { folder: "test-python", pins: include_str!("../python/tests.txt") };

/// The clients that the simulator must satisfy.
pub(crate) const CLIENTS: Packages =
    Packages { folder: "clients-python", pins: include_str!("../python/clients.txt") };

/// What figures are compared with.
pub(crate) const PEERS: Packages =
    Packages { folder: "peer-python", pins: include_str!("../python/peers.txt") };

/// What sweeps are compared with, in a folder of its own: it brings ten times as many packages as the
/// others, which must not wait for it.
pub(crate) const SWEEP_PEER: Packages =
    Packages { folder: "sweep-python", pins: include_str!("../python/sweep.txt") };

/// What questions to models are compared with: a folder of its own too, for the same reason.
pub(crate) const LLM_PEERS: Packages =
    Packages { folder: "llm-python", pins: include_str!("../python/llm.txt") };

/// Says which pins a folder was made of; written last, so that a folder half made has none.
const STAMP: &str = "finstage-pins.txt";

/// How the interpreter of the system is called.
const SYSTEM_PYTHON: &str = "python3";

/// Packages with their versions, and the folder that they are put into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packages {
    folder: &'static str,
    pins: &'static str,
}

impl Packages {
    /// The interpreter that has the packages. Installs them unless they are there; the network is
    /// used only then.
    pub(crate) fn python(self) -> Result<PathBuf> {
        let folder = target_folder()?.join(self.folder);
        let python = interpreter(&folder);
        if is_current(&folder, self.pins) {
            eprintln!("==> python packages: as pinned, in {}", folder.display());
            return Ok(python);
        }
        eprintln!("==> python packages: installing into {}:", folder.display());
        eprintln!("    {}", names(self.pins).join(" "));
        ensure_venv()?;
        make(&folder, self.pins).with_context(|| {
            format!("python packages could not be installed into {}", folder.display())
        })?;
        Ok(python)
    }
}

/// Whether a folder was made of these pins and its interpreter still runs.
fn is_current(folder: &Path, pins: &str) -> bool {
    let made_of = fs::read_to_string(folder.join(STAMP)).unwrap_or_default();
    made_of == pins && runs(&interpreter(folder), "pass")
}

/// Makes a folder with an interpreter and the packages, in place of what is there.
fn make(folder: &Path, pins: &str) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    run(Command::new(SYSTEM_PYTHON).args(["-m", "venv"]).arg(folder))?;
    let list = folder.join("requirements.txt");
    fs::write(&list, pins).with_context(|| format!("writing {}", list.display()))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run(Command::new(interpreter(folder)).args(pip).arg(&list))?;
    let stamp = folder.join(STAMP);
    fs::write(&stamp, pins).with_context(|| format!("writing {}", stamp.display()))
}

/// Sees to it that `python3 -m venv` works.
fn ensure_venv() -> Result<()> {
    let works = || runs(Path::new(SYSTEM_PYTHON), "import ensurepip, venv");
    debian::ensure("python3 with venv", &["python3-venv"], works)
}

/// The names and versions among the lines of a list.
fn names(pins: &str) -> Vec<&str> {
    pins.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

fn interpreter(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// Whether an interpreter is there and a line of Python succeeds in it.
fn runs(python: &Path, line: &str) -> bool {
    debian::runs(python, &["-c", line])
}

/// Where cargo builds.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let about = output_of("cargo", &["metadata", "--no-deps", "--format-version", "1"])?;
    let about: serde_json::Value = serde_json::from_str(&about)?;
    let folder = about.get("target_directory").and_then(serde_json::Value::as_str);
    folder.map(PathBuf::from).context("cargo names no target folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_one_version() {
        for Packages { folder, pins } in [TESTS, PEERS, SWEEP_PEER, CLIENTS] {
            let names = names(pins);
            assert!(names.len() > 5, "{folder}");
            assert!(names.iter().all(|name| name.split("==").count() == 2), "{folder}: {names:?}");
        }
        let tests = names(TESTS.pins);
        for name in names(PEERS.pins) {
            let package = name.split("==").next();
            let other = tests.iter().find(|other| other.split("==").next() == package);
            assert!(other.is_none_or(|other| *other == name), "{name} and {other:?}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_is_used_again_only_with_the_same_pins_and_a_python_that_runs() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("finstage-pins-{}", std::process::id()));
        let python = interpreter(&folder);
        fs::create_dir_all(python.parent().unwrap()).unwrap();
        let put = |code: &str| {
            fs::write(&python, format!("#!/bin/sh\nexit {code}\n")).unwrap();
            fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        };
        put("0");
        assert!(!is_current(&folder, "a==1\n"), "it was never finished");
        fs::write(folder.join(STAMP), "a==1\n").unwrap();
        assert!(is_current(&folder, "a==1\n"));
        assert!(!is_current(&folder, "a==2\n"));
        put("1");
        assert!(!is_current(&folder, "a==1\n"), "its interpreter is gone");
        fs::remove_dir_all(&folder).unwrap();
    }
}
