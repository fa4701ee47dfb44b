//! How a load test finds the simulator that runs on this machine: each leaves a note of its addresses in
//! the user's folder, and takes it away at its end. Notes of those that were killed are noticed by
//! connecting, and removed.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

/// Beginning and end of a note's name; between them stands the process.
const BEGIN: &str = "finstage-sim-";
const END: &str = ".json";
/// The longest note that is read, in bytes.
const MAX_NOTE: u64 = 64 * 1024;
/// The most notes that are looked at.
const MAX_NOTES: usize = 64;
/// How long a connection to this machine may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// A note that stays until this is dropped.
#[derive(Debug)]
pub(crate) struct Note(PathBuf);

impl Note {
    /// Leaves a note that says where venues are: `{venue: {rest, ws}}`.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub(crate) fn leave(addresses: &Map<String, Value>) -> io::Result<Self> {
        Self::leave_in(&crate::config::runtime_folder(), addresses)
    }

    fn leave_in(folder: &Path, addresses: &Map<String, Value>) -> io::Result<Self> {
        let file = folder.join(format!("{BEGIN}{}{END}", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // One of the same number is of a process that is gone.
        let _ = fs::remove_file(&file);
        let mut open = options.open(&file)?;
        open.write_all(serde_json::to_string(addresses)?.as_bytes())?;
        Ok(Self(file))
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // Gone is gone.
        let _ = fs::remove_file(&self.0);
    }
}

/// The address of `venue` (`rest` or `ws`) at the simulator that was started last and answers.
///
/// # Errors
/// In words, with what to do, where there is none.
pub(crate) fn find(venue: &str, door: &str) -> Result<String, String> {
    find_in(&crate::config::runtime_folder(), (venue, door))
}

fn find_in(folder: &Path, (venue, door): (&str, &str)) -> Result<String, String> {
    let mut others = Vec::new();
    for file in notes(folder) {
        let Some(addresses) = read(&file) else { continue };
        let all = addresses.iter().filter_map(|(name, places)| {
            Some((name.as_str(), places.get(door)?.as_str()?.to_owned()))
        });
        let all: Vec<(&str, String)> = all.collect();
        let is_there = addresses
            .values()
            .filter_map(|places| places.get("rest").or_else(|| places.get("sealed"))?.as_str())
            .any(answers);
        if !is_there {
            // Whoever left it was killed.
            let _ = fs::remove_file(&file);
            continue;
        }
        match all.iter().find(|(name, _)| *name == venue) {
            Some((_, url)) => return Ok(url.clone()),
            None => others.extend(all.iter().map(|(name, _)| (*name).to_owned())),
        }
    }
    let start = format!("start `finstage sim --venues {venue}`, or name a --target URL");
    Err(if others.is_empty() {
        format!("--venue {venue}: no simulator is running here: {start}")
    } else {
        format!("--venue {venue}: the simulator that is running has {}: {start}", others.join(", "))
    })
}

/// Notes of this user, the newest first.
fn notes(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_note = name.to_str().is_some_and(|n| n.starts_with(BEGIN) && n.ends_with(END));
        let Some(about) = entry.metadata().ok().filter(|_| is_note) else { continue };
        if about.is_file() && about.len() <= MAX_NOTE && is_ours(&about) {
            found.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), entry.path()));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().take(MAX_NOTES).map(|(_, file)| file).collect()
}

/// Whether a file is this user's and nobody else can write it.
#[cfg(unix)]
fn is_ours(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    about.uid() == rustix::process::getuid().as_raw() && about.mode() & 0o022 == 0
}

#[cfg(not(unix))]
fn is_ours(_: &fs::Metadata) -> bool {
    true
}

fn read(file: &Path) -> Option<Map<String, Value>> {
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// Whether somebody listens there, on this machine.
fn answers(url: &str) -> bool {
    let authority = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or("");
    let Ok(address) = authority.parse::<SocketAddr>() else { return false };
    address.ip().is_loopback() && TcpStream::connect_timeout(&address, PATIENCE).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    fn addresses(port: u16) -> Map<String, Value> {
        let url = format!("http://127.0.0.1:{port}");
        json!({"binance": {"rest": url, "ws": "ws://x"}}).as_object().unwrap().clone()
    }

    #[test]
    fn a_running_simulator_is_found_and_a_killed_one_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let none = find_in(folder.path(), ("binance", "rest")).unwrap_err();
        assert!(none.contains("start `finstage sim"), "{none}");

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let note = Note::leave_in(folder.path(), &addresses(port)).unwrap();
        assert_eq!(
            find_in(folder.path(), ("binance", "rest")).unwrap(),
            format!("http://127.0.0.1:{port}")
        );
        assert_eq!(find_in(folder.path(), ("binance", "ws")).unwrap(), "ws://x");
        let other = find_in(folder.path(), ("kraken", "rest")).unwrap_err();
        assert!(other.contains("has binance"), "{other}");

        drop(listener);
        assert!(find_in(folder.path(), ("binance", "rest")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a stale note is removed");
        drop(note);
    }

    #[test]
    fn a_note_is_gone_with_its_simulator_and_is_the_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let note = Note::leave_in(folder.path(), &addresses(1)).unwrap();
        let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(note);
        assert!(!file.exists());
    }
}
